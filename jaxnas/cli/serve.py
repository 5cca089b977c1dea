"""`jaxnas serve`: a table for a searcher from outside, over JSON lines, HTTP or MCP."""

import argparse
import sys

from jaxnas.benchmarks.loading import load
from jaxnas.files import out_path, writable
from jaxnas.sessions.dialogue import Rules
from jaxnas.sessions.http_server import SessionServer
from jaxnas.sessions.lines import serve_lines
from jaxnas.sessions.mcp_server import mcp_server
from jaxnas.sessions.session import Session
from jaxnas.training.compilation import configure_compilation


def run(options: argparse.Namespace) -> int:
    """Serves sessions until the client ends them. Returns the exit code."""
    if options.token is not None and len(options.token) < 8:
        raise ValueError(f"Expected --token of at least 8 characters, got {len(options.token)}.")
    configure_compilation()
    bench = load(options.table)
    rules = Rules(options.trials, options.invalid, options.repeats)
    folder = writable(out_path(options.out, "serve", bench.id))
    blind = "" if options.blind is None else f"-blind-{options.blind}"

    def make_session(number: int) -> Session:
        log = folder / f"session-{number}{blind}.jsonl"
        return Session(bench, rules, seed=options.seed, number=number, blind=options.blind, log=log)

    if options.http is not None:
        with SessionServer(make_session, port=options.http, host=options.host, token=options.token) as server:
            _note(f"{server.url}/sessions/0 with the token {server.token}; logs in {folder}")
            server.serve_forever()
    session = make_session(options.session)
    _note(f"Log: {folder}/session-{options.session}{blind}.jsonl")
    if options.mcp:
        mcp_server(session.answer).run("stdio")
    else:
        serve_lines(session.answer, sys.stdin.buffer, sys.stdout.buffer)
    session.close()
    return 0


def _note(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
