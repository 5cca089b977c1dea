"""Clients that use strings over each transport have, to the last digit, the regret of the same strategy in Python.

Claim: on cells, perceptrons, recurrent cells, chains and joint spaces, over JSON lines, HTTP and MCP, the regret after
each trial of a client that runs regularized evolution through strings equals the regret of `jn.run`.
Command: python experiments/validity/text_clients.py [--trials 40] [--transports lines,http,mcp]
Run time: three minutes on one core; `mcp` needs the package mcp.
Output: a line for each table and transport. Last line: a JSON object with the numbers of equal and of all runs, and the
seconds of processor that a server took for its session, at most.
Page: docs/sessions.md
"""

import argparse
import asyncio
import json
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

import jaxnas as jn
from experiments.robustness.sessions import ask, post, url_and_token
from jaxnas.sessions.verification import replayed

TABLES = (
    "nb201-cifar10-v1",
    "mlp-small-shifted-digits-v1",
    "recurrent-3-digits-rows-v1",
    "nb-macro-mnist5k-v1",
    "joint-small-shifted-digits-v1",
)
SEED, NUMBER = 5, 3


def searched(bench, num_trials: int, evaluate: Callable[[str], dict]) -> None:
    """Runs regularized evolution by texts: `evaluate` sends one and returns the answer."""
    key = jn.simulation.run_key(SEED, NUMBER)
    loop = jn.AskTell(jn.regularized_evolution, num_trials=num_trials, key=key, bench=bench)
    for _ in range(num_trials):
        answer = evaluate(bench.space.to_str(loop.ask().arch))
        loop.tell(np.nan if answer["score"] is None else answer["score"])


def command_of(table: str, folder: Path, num_trials: int, *options: str) -> list[str]:
    """Returns the command of a server."""
    own = ["--out", str(folder), "--trials", str(num_trials), "--seed", str(SEED), "--session", str(NUMBER)]
    return [sys.executable, "-m", "jaxnas", "serve", table, *own, *options]


def by_lines(bench, table: str, folder: Path, num_trials: int) -> None:
    """Searches over JSON lines."""
    command = command_of(table, folder, num_trials)
    with subprocess.Popen(command, stdin=-1, stdout=-1, stderr=subprocess.DEVNULL) as process:
        searched(bench, num_trials, lambda text: json.loads(ask(process, _request(text))))
        process.stdin.close()


def by_http(bench, table: str, folder: Path, num_trials: int) -> None:
    """Searches over HTTP."""
    with open(folder / "stderr.txt", "wb") as errors:
        process = subprocess.Popen(command_of(table, folder, num_trials, "--http", "0"), stderr=errors)
    port, token = url_and_token(folder)
    searched(bench, num_trials, lambda text: json.loads(post(port, token, _request(text), NUMBER)[1]))
    process.terminate()
    process.wait()


def by_mcp(bench, table: str, folder: Path, num_trials: int) -> None:
    """Searches over MCP, by the official client."""
    from mcp.client import Client
    from mcp.client.stdio import StdioServerParameters, stdio_client

    command = command_of(table, folder, num_trials, "--mcp")

    async def search() -> None:
        async with Client(stdio_client(StdioServerParameters(command=command[0], args=command[1:]))) as client:
            key = jn.simulation.run_key(SEED, NUMBER)
            loop = jn.AskTell(jn.regularized_evolution, num_trials=num_trials, key=key, bench=bench)
            for _ in range(num_trials):
                text = bench.space.to_str(loop.ask().arch)
                answer = (await client.call_tool("evaluate", {"text": text})).structured_content
                loop.tell(np.nan if answer["score"] is None else answer["score"])

    asyncio.run(search())


def _request(text: str) -> bytes:
    return json.dumps({"request": "evaluate", "text": text}).encode()


TRANSPORTS = {"lines": by_lines, "http": by_http, "mcp": by_mcp}


def main() -> None:
    """Searches each table over each transport, and prints whether regrets are equal."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=40)
    parser.add_argument("--transports", default=",".join(TRANSPORTS))
    options = parser.parse_args()
    found, seconds = [], []
    for table in TABLES:
        bench = jn.load(table)
        trials = jn.run(
            jn.regularized_evolution, bench, num_trials=options.trials, num_runs=1, first_run=NUMBER, seed=SEED
        )
        expected = jn.regret(trials, bench)
        for name in options.transports.split(","):
            before = _used()
            with tempfile.TemporaryDirectory() as folder:
                TRANSPORTS[name](bench, table, Path(folder), options.trials)
                session = replayed(Path(folder) / f"session-{NUMBER}.jsonl")
            equal = np.array_equal(jn.regret(session.trials(), bench), expected)
            found.append(equal)
            seconds.append(_used() - before)
            print(f"{table} {name}: equal {equal}, {seconds[-1]:.1f} s of processor", flush=True)
    print(json.dumps({"equal": sum(found), "all": len(found), "seconds": max(seconds)}))


def _used() -> float:
    """Returns the seconds of processor of servers that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
