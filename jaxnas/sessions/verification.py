"""Logs of sessions, replayed without the searcher."""

import os
from pathlib import Path

from jaxnas.benchmarks.base import Benchmark
from jaxnas.benchmarks.loading import load
from jaxnas.checks import first_line
from jaxnas.search.loop.chained_lines import read_whole
from jaxnas.sessions.dialogue import Rules
from jaxnas.sessions.session import FORMAT, Session
from jaxnas.tables.building.verification import Check
from jaxnas.tables.shipped import SURROGATES, shipped_ids


def is_log(path: str | os.PathLike) -> bool:
    """Returns whether a path is a file that begins as the log of a session does."""
    if not Path(path).is_file():
        return False
    with open(path, "rb") as file:
        return file.read(200).startswith(f'{{"format": "{FORMAT}"'.encode())


def verify_session(log: str | os.PathLike, bench: Benchmark | str | os.PathLike | None = None) -> list[Check]:
    """Returns the check of a session's log: all answers have to be the same when its requests are asked again.

    `bench` is the benchmark, or its folder, if it does not ship with jaxnas.
    """
    try:
        session = replayed(log, bench)
    except (ValueError, OSError) as error:
        return [Check(False, first_line(error))]
    numbers = ", ".join(f"{value:,} {name[4:]}" for name, value in session.counts.items())
    state = "finished" if session.is_finished else "not finished"
    return [Check(True, f"{Path(log).name}: every answer is the same again; {numbers}; {state}.")]


def replayed(log: str | os.PathLike, bench: Benchmark | str | os.PathLike | None = None) -> Session:
    """Returns the session of a log, in memory. Raises ValueError if the log is damaged or an answer differs."""
    lines = read_whole(Path(log), "session")
    header, name = lines[0], str(lines[0].get("benchmark"))
    if bench is None and name not in (*shipped_ids(), *shipped_ids(SURROGATES)):
        raise ValueError(f"Name the table of {log} by its folder: {name[:60]!r} does not ship with jaxnas.")
    try:
        rules = Rules(*(header[part] for part in Rules.__dataclass_fields__))
        found = load(name, protocol=header["protocol"]) if bench is None else bench
        session = Session(found, rules, **{part: header[part] for part in ("seed", "number", "blind")})
    except (KeyError, TypeError) as error:
        raise ValueError(f"Expected {log} to begin as a session does, got {first_line(error)}.") from error
    session.replay(lines, str(log))
    return session
