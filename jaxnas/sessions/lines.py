"""A session over JSON lines: a request a line, and an answer a line."""

import json
from collections.abc import Callable
from typing import IO, Any

MAX_LINE = 200_000


def serve_lines(answer: Callable[[object], dict[str, Any]], requests: IO[bytes], answers: IO[bytes]) -> None:
    """Answers the requests of a file, by a function such as `Session.answer`, until it ends or nobody reads."""
    while line := requests.readline(MAX_LINE):
        if not line.strip():
            continue
        try:
            answers.write(json.dumps(answer(request_of(line)), allow_nan=False).encode() + b"\n")
            answers.flush()
        except BrokenPipeError:
            return


def request_of(line: bytes) -> object:
    """Returns the request in some bytes: JSON, or a string, which is no request."""
    try:
        return json.loads(line, parse_constant=str)
    except (ValueError, RecursionError):
        return line[:60].decode(errors="replace")
