"""What a manifest must be, part by part: a table is data, and may come from anybody. Needs no more than Python."""

import math
import re
from collections.abc import Callable
from typing import Any

from jaxnas.checks import MAX_FILE_NAME, NUM_SEEDS, is_file_name

MAX_ROWS = 2**31 - 1
_MAX_TEXT = 10_000
_NAME = re.compile(rf"[^\x00-\x1f\x7f/\\.][^\x00-\x1f\x7f/\\]{{0,{MAX_FILE_NAME - 1}}}")

Check = Callable[[Any], str]
"""Returns what a value should be, and got; empty where it is that."""


def problem_of(manifest: dict) -> str:
    """Returns which part of a manifest is not what it should be; empty where each part is."""
    expected = dict(_EVERY)
    if manifest.get("kind", "scores") != "columns":
        expected |= _SCORES
    if manifest["schema_version"] != 1:
        expected |= _SCHEMA_2
    return _record(expected, _OPTIONAL)(manifest)


def _a(what: str, test: Callable[[Any], bool]) -> Check:
    return lambda value: "" if test(value) else f"{value!r:.40} where {what} should be"


def _whole(low: int, high: int) -> Check:
    test = lambda value: isinstance(value, int) and not isinstance(value, bool) and low <= value <= high  # noqa: E731
    return _a(f"a whole number from {low:,} to {high:,}", test)


def _list(of: Check, smallest: int = 0) -> Check:
    def check(value: Any) -> str:
        if not isinstance(value, list) or len(value) < smallest:
            return f"{value!r:.40} where a list of {smallest} or more should be"
        return next((problem for problem in map(of, value) if problem), "")

    return check


def _dict(of: Check) -> Check:
    def check(value: Any) -> str:
        if not isinstance(value, dict):
            return f"{value!r:.40} where names and values should be"
        return next((f"{found} at {name:.40}" for name, each in value.items() if (found := of(each))), "")

    return check


def _record(expected: dict[str, Check], optional: dict[str, Check] | None = None) -> Check:
    def check(value: Any) -> str:
        if not isinstance(value, dict):
            return f"{value!r:.40} where {', '.join(expected)} should be"
        if missing := [name for name in expected if name not in value]:
            return f"nothing for {missing[0]}"
        given = {name: each for name, each in {**(optional or {}), **expected}.items() if name in value}
        return next((f"{found} at {name}" for name, each in given.items() if (found := each(value[name]))), "")

    return check


def _either(*checks: Check) -> Check:
    return lambda value: "" if any(not check(value) for check in checks) else checks[0](value)


_TEXT = _a("text", lambda value: isinstance(value, str) and len(value) <= _MAX_TEXT)
_IDENTIFIER = _a(f"an id of at most {MAX_FILE_NAME} letters, digits, dots and dashes", is_file_name)
_PLAIN_NAME = _a(
    f"a name of at most {MAX_FILE_NAME} characters without slashes, that begins with no dot",
    lambda value: isinstance(value, str) and _NAME.fullmatch(value) is not None,
)
_DIGEST = _a("a SHA-256", lambda value: isinstance(value, str) and re.fullmatch("[0-9a-f]{64}", value) is not None)
_NOTHING = _a("null", lambda value: value is None)
_NUMBER = _a(
    "a finite number",
    lambda value: isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300,
)
_EPOCH = _a(
    "an epoch above 0",
    lambda value: isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 1e300,
)
_PRICE = _a("a price above 0", lambda value: not _EPOCH(value))
_SIGN = _a("1, -1 or 0", lambda value: value in (1, -1, 0) and not isinstance(value, float))
_SCALAR = _either(_TEXT, _NUMBER, _NOTHING, _a("true or false", lambda value: isinstance(value, bool)))
_FIDELITY = _either(_record({"name": _TEXT, "epoch": _EPOCH}, {"training": _TEXT, "price": _PRICE}), _EPOCH)
_DECISION = _record({"name": _TEXT, "values": _list(_TEXT, 1)})
_COLUMN = _record(
    {
        "axes": _list(_TEXT, 1),
        "shape": _a(
            "a shape of whole numbers",
            lambda value: (
                isinstance(value, list)
                and len(value) < 3
                and all(isinstance(size, int) and 0 <= size <= MAX_ROWS for size in value)
                and math.prod(value) <= MAX_ROWS
            ),
        ),
        "unit": _TEXT,
        "better": _SIGN,
    },
    {"denominator": _whole(1, 2**53), "runs": _TEXT, "fidelities": _list(_TEXT, 1)},
)
_TRAINING = _dict(_either(_SCALAR, _dict(_SCALAR)))
_PROTOCOL = _record({"told": _TEXT, "reported": _TEXT, "price": _TEXT}, {"fidelities": _list(_TEXT)})

_EVERY = {
    "id": _IDENTIFIER,
    "space": _record({"name": _PLAIN_NAME, "num_architectures": _whole(1, MAX_ROWS), "decisions": _list(_DECISION, 1)}),
    "fidelities": _list(_FIDELITY),
}
_SCORES = {
    "task": _record({"name": _PLAIN_NAME}, {"sha256": _either(_TEXT, _NOTHING)}),
    "metric": _record({"name": _TEXT, "unit": _TEXT}, {"better": _SIGN, "denominators": _dict(_whole(1, 2**53))}),
    "fidelities": _list(_FIDELITY, 1),
    "seeds": _list(_whole(0, NUM_SEEDS - 1), 1),
}
_SCHEMA_2 = {"columns": _dict(_COLUMN), "keys": _list(_TEXT)}
_OPTIONAL = {
    "kind": _a("scores or columns", lambda value: value in ("scores", "columns")),
    "protocols": _dict(_PROTOCOL),
    "training": _TRAINING,
    "trainings": _dict(_TRAINING),
    "plan": _TEXT,
    "versions": _dict(_TEXT),
    "machine": _dict(_either(_SCALAR, _list(_SCALAR))),
    "git_commit": _either(_TEXT, _NOTHING),
    "licence": _TEXT,
    "references": _dict(_record({"validation": _NUMBER, "test": _NUMBER, "num_parameters": _whole(0, 2**53)})),
    "content_hash": _DIGEST,
    "files": _dict(_DIGEST),
}
