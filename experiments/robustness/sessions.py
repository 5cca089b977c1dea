"""Sessions against clients that send anything, servers that are killed, and clients at the same time.

Claim: of 10,000 malformed messages on each transport none leaves a traceback or a lost session; a session resumes from
its log after its server was killed, with the answers of an undisturbed one; two clients at once get the answers that
each would get alone.
Command: python experiments/robustness/sessions.py [--messages 10000] [--kills 20] [--transports lines,http,mcp]
Run time: about ten minutes on one core; `mcp` needs the package mcp.
Output: a line a check. Last line: a JSON object with the counts.
Page: docs/sessions.md, docs/robustness.md
"""

import argparse
import contextlib
import http.client
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import jaxnas as jn

TABLE = "recurrent-3-digits-rows-v1"
TEXT = "0.tanh-1.relu-2.tanh"
GOOD = {"request": "evaluate", "text": TEXT}
HANDSHAKE = {
    "jsonrpc": "2.0",
    "id": 0,
    "method": "initialize",
    "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}},
}
CALL = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "evaluate", "arguments": {"text": TEXT}}}


def malformed(draw: random.Random, good: bytes) -> bytes:
    """Returns a message that is none: random bytes, a damaged one, or JSON of another shape."""
    kind = draw.randrange(5)
    if kind == 0:
        found = draw.randbytes(draw.randrange(1, 200))
    elif kind == 1:
        at = draw.randrange(len(good))
        found = good[:at] + draw.randbytes(draw.randrange(4)) + good[at + draw.randrange(1, 9) :]
    elif kind == 2:
        found = json.dumps(_value(draw, 3)).encode()
    elif kind == 3:
        found = draw.choice([b"[" * 3000, b'{"a":' * 3000, b"9" * 5000, b"NaN", b'"\\ud800"', b"\xff\xfe{}", b"{}"])
    else:
        found = json.dumps({draw.choice(["request", "text", "id", "method", "x"]): _value(draw, 2)}).encode()
    return found.replace(b"\n", b" ").replace(b"\r", b" ") or b"?"


def _value(draw: random.Random, depth: int) -> object:
    kind = draw.randrange(7 if depth else 5)
    if kind == 5:
        return [_value(draw, depth - 1) for _ in range(draw.randrange(4))]
    if kind == 6:
        return {draw.choice(["request", "text", "tokens", "a"]): _value(draw, depth - 1) for _ in range(2)}
    return draw.choice([None, True, -1, 1e308, 2**70, "", "evaluate", "finish", TEXT[:9], "\x00", "é" * 30])


@contextlib.contextmanager
def serving(folder: Path, *options: str) -> Iterator[subprocess.Popen]:
    """Gives a process of `jaxnas serve`, whose standard error goes to a file in the folder; it is killed at the end."""
    command = [sys.executable, "-m", "jaxnas", "serve", TABLE, "--out", str(folder), "--trials", "5000", *options]
    with open(folder / "stderr.txt", "ab") as errors:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def ask(process: subprocess.Popen, message: bytes) -> bytes:
    """Returns the line that answers a line."""
    process.stdin.write(message + b"\n")
    process.stdin.flush()
    return process.stdout.readline()


def lines_attacked(folder: Path, messages: list[bytes]) -> dict[str, int]:
    """Returns the counts of answers to malformed lines, and whether the session goes on."""
    with serving(folder) as process:
        answers = [json.loads(ask(process, message)) for message in messages if message.strip()]
        goes_on = json.loads(ask(process, json.dumps(GOOD).encode())).get("text") == TEXT
    return {"answers": len(answers), "errors": sum("error" in each for each in answers), "lost": int(not goes_on)}


def url_and_token(folder: Path) -> tuple[str, str]:
    """Returns the port and the token that a server has printed, once it has."""
    for _ in range(600):
        found = re.search(r"http://127\.0\.0\.1:(\d+)/sessions/0 with the token (\S+);", _errors(folder))
        if found:
            return found[1], found[2]
        time.sleep(0.1)
    raise RuntimeError("The server did not start.")


def _errors(folder: Path) -> str:
    return (folder / "stderr.txt").read_text(errors="replace")


def post(port: str, token: str, body: bytes, number: int = 0) -> tuple[int, bytes]:
    """Returns the status and the body of the answer to a request."""
    connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=60)
    connection.request("POST", f"/sessions/{number}", body, {"Authorization": f"Bearer {token}"})
    answer = connection.getresponse()
    found = answer.status, answer.read()
    connection.close()
    return found


def http_attacked(folder: Path, messages: list[bytes]) -> dict[str, int]:
    """Returns the counts of answers to malformed bodies and to malformed requests, half of each."""
    import socket

    with serving(folder, "--http", "0") as _:
        port, token = url_and_token(folder)
        half = len(messages) // 2
        statuses = [post(port, token, message)[0] for message in messages[:half]]
        for message in messages[half:]:
            with socket.create_connection(("127.0.0.1", int(port)), timeout=60) as raw:
                raw.sendall(message + b"\r\n\r\n")
                raw.shutdown(socket.SHUT_WR)
                with contextlib.suppress(ConnectionError):
                    raw.recv(100)
        goes_on = json.loads(post(port, token, json.dumps(GOOD).encode())[1]).get("text") == TEXT
    errors = sum(status >= 400 for status in statuses)
    return {"answers": len(messages), "errors": errors + len(messages) - half, "lost": int(not goes_on)}


def mcp_attacked(folder: Path, messages: list[bytes]) -> dict[str, int]:
    """Returns the counts of malformed lines to an MCP server, and whether its session goes on."""
    with serving(folder, "--mcp") as process:
        ask(process, json.dumps(HANDSHAKE).encode())
        process.stdin.write(b'{"jsonrpc": "2.0", "method": "notifications/initialized"}\n')
        found: list[bytes] = []
        reader = threading.Thread(target=lambda: found.extend(iter(process.stdout.readline, b"")))
        reader.start()
        for message in messages:
            process.stdin.write(message + b"\n")
        last = {**CALL, "id": 424242}
        process.stdin.write(json.dumps(last).encode() + b"\n")
        process.stdin.flush()
        waited = time.monotonic()
        while not any(b"424242" in line for line in found[-50:]) and time.monotonic() - waited < 300:
            time.sleep(0.05)
        goes_on = any(b"424242" in line and TEXT.encode() in line for line in found)
        process.stdin.close()
        process.wait(30)
        reader.join()
    return {"answers": len(found), "errors": sum(b'"error"' in line for line in found), "lost": int(not goes_on)}


ATTACKS = {"lines": (lines_attacked, GOOD), "http": (http_attacked, GOOD), "mcp": (mcp_attacked, CALL)}


def killed(folder: Path, num_kills: int, draw: random.Random) -> dict[str, int]:
    """Returns the number of kills, and of answers that differ from those of an undisturbed session."""
    space = jn.space("recurrent-3")
    texts = [space.to_str(space.arch_at(draw.randrange(384))) for _ in range(3 * num_kills)]
    alone = jn.Session(TABLE, jn.sessions.Rules(num_trials=5000))
    expected = [alone.answer({"request": "evaluate", "text": text}) for text in texts]
    found: list[dict] = []
    for _ in range(num_kills):
        with serving(folder) as process:
            begun = json.loads(ask(process, b'{"request": "history"}'))["history"]
            if len(begun) > len(found):  # the answer to the last request was not read before the kill
                found.append({**expected[len(found)], "text": begun[-1]["text"], "score": begun[-1]["score"]})
            for text in texts[len(found) :][: draw.randrange(1, 4)]:
                found.append(json.loads(ask(process, json.dumps({"request": "evaluate", "text": text}).encode())))
            if len(found) < len(texts):
                process.stdin.write(json.dumps({"request": "evaluate", "text": texts[len(found)]}).encode() + b"\n")
                process.stdin.flush()
            time.sleep(draw.random() * 0.01)
            os.kill(process.pid, signal.SIGKILL)
    differing = sum(one != other for one, other in zip(found, expected, strict=False))
    (check,) = jn.sessions.verify_session(folder / "session-0.jsonl")
    return {"kills": num_kills, "answers": len(found), "differing": differing, "not_replayed": int(not check.passed)}


def at_once(folder: Path, num_requests: int, draw: random.Random) -> dict[str, int]:
    """Returns the number of answers to clients at the same time that differ from those of each alone."""
    space, numbers = jn.space("recurrent-3"), (1, 2, 3)
    texts = {
        number: [space.to_str(space.arch_at(draw.randrange(384))) for _ in range(num_requests)] for number in numbers
    }
    answers: dict[int, list[dict]] = {number: [] for number in numbers}
    with serving(folder, "--http", "0") as _:
        port, token = url_and_token(folder)

        def search(number: int) -> None:
            for text in texts[number]:
                body = json.dumps({"request": "evaluate", "text": text}).encode()
                answers[number].append(json.loads(post(port, token, body, number)[1]))

        threads = [threading.Thread(target=search, args=(number,)) for number in numbers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    differing = 0
    for number in numbers:
        alone = jn.Session(TABLE, jn.sessions.Rules(num_trials=5000), number=number)
        expected = [alone.answer({"request": "evaluate", "text": text}) for text in texts[number]]
        differing += sum(one != other for one, other in zip(answers[number], expected, strict=True))
    return {"clients": len(numbers), "answers": num_requests * len(numbers), "differing": differing}


def main() -> None:
    """Attacks each transport, kills servers and runs clients at once, and prints the counts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--messages", type=int, default=10_000)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--transports", default="lines,http,mcp")
    options = parser.parse_args()
    counts = {}
    for name in options.transports.split(","):
        attack, good = ATTACKS[name]
        draw = random.Random(0)
        messages = [malformed(draw, json.dumps(good).encode()) for _ in range(options.messages)]
        with tempfile.TemporaryDirectory() as folder:
            counts[name] = attack(Path(folder), messages) | {"tracebacks": _errors(Path(folder)).count("Traceback")}
        print(name, counts[name], flush=True)
    for name, check, number in (("killed", killed, options.kills), ("at once", at_once, 60)):
        with tempfile.TemporaryDirectory() as folder:
            counts[name] = check(Path(folder), number, random.Random(1))
            counts[name]["tracebacks"] = _errors(Path(folder)).count("Traceback")
        print(name, counts[name], flush=True)
    print(json.dumps(counts))


if __name__ == "__main__":
    main()
