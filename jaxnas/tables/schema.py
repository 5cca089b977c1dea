"""The shape of a manifest: tables are data from anybody. Needs no more than Python."""

import math
import re
from typing import Any

from jaxnas.checks import MAX_FILE_NAME, NUM_SEEDS, is_file_name
from jaxnas.tables.records import FLAG, NULL, Kind, Names, Rows, check, is_number, one_of, whole

MAX_ROWS = 2**31 - 1
_MAX_TEXT = 10_000
_MAX_NUMBER = 1e300
_MAX_COUNT = 2**53
_PLAIN_NAME = re.compile(rf"[^\x00-\x1f\x7f/\\.][^\x00-\x1f\x7f/\\]{{0,{MAX_FILE_NAME - 1}}}")


def check_manifest(manifest: dict) -> None:
    """Raises ValueError if a part of a manifest is not as it should be."""
    shape = dict(_EVERY)
    if manifest.get("kind", "scores") != "columns":
        shape |= _SCORES
    if manifest["schema_version"] != 1:
        shape |= _SCHEMA_2
    check(manifest, shape)


def _is_shape(value: Any) -> bool:
    """Returns whether a value is the shape of a column without its classes."""
    if not isinstance(value, list) or len(value) > 2:
        return False
    return all(isinstance(size, int) and 0 <= size <= MAX_ROWS for size in value) and math.prod(value) <= MAX_ROWS


_TEXT = Kind("text", lambda value: isinstance(value, str) and len(value) <= _MAX_TEXT)
_IDENTIFIER = Kind(f"an id of at most {MAX_FILE_NAME} letters, digits, dots and dashes", is_file_name)
_NAME = Kind(
    f"a name of at most {MAX_FILE_NAME} characters without slashes, that begins with no dot",
    lambda value: isinstance(value, str) and _PLAIN_NAME.fullmatch(value) is not None,
)
_DIGEST = Kind("a SHA-256", lambda value: isinstance(value, str) and re.fullmatch("[0-9a-f]{64}", value) is not None)
_NUMBER = Kind("a finite number", lambda value: is_number(value, _MAX_NUMBER))
_POSITIVE = Kind("a number above 0", lambda value: is_number(value, _MAX_NUMBER) and value > 0)
_SIGN = one_of(1, -1, 0)
_SCALAR = (_TEXT, _NUMBER, NULL, FLAG)
_TRAINING = Names((*_SCALAR, Names(_SCALAR)))
_FIDELITY = ({"name": _TEXT, "epoch": _POSITIVE, "training?": _TEXT, "price?": _POSITIVE}, _POSITIVE)
_COLUMN = {
    "axes": Rows(_TEXT, least=1),
    "shape": Kind("a shape of whole numbers", _is_shape),
    "unit": _TEXT,
    "better": _SIGN,
    "denominator?": whole(1, _MAX_COUNT),
    "runs?": _TEXT,
    "fidelities?": Rows(_TEXT, least=1),
}
_EVERY = {
    "id": _IDENTIFIER,
    "space": {
        "name": _NAME,
        "num_architectures": whole(1, MAX_ROWS),
        "decisions": Rows({"name": _TEXT, "values": Rows(_TEXT, least=1)}, least=1),
    },
    "fidelities": [_FIDELITY],
    "kind?": one_of("scores", "columns"),
    "protocols?": Names({"told": _TEXT, "reported": _TEXT, "price": _TEXT, "fidelities?": [_TEXT]}),
    "training?": _TRAINING,
    "trainings?": Names(_TRAINING),
    "plan?": _TEXT,
    "versions?": Names(_TEXT),
    "machine?": Names((*_SCALAR, [_SCALAR])),
    "git_commit?": (_TEXT, NULL),
    "licence?": _TEXT,
    "references?": Names({"validation": _NUMBER, "test": _NUMBER, "num_parameters": whole(0, _MAX_COUNT)}),
    "content_hash?": _DIGEST,
    "files?": Names(_DIGEST),
}
_SCORES = {
    "task": {"name": _NAME, "sha256?": (_TEXT, NULL)},
    "metric": {"name": _TEXT, "unit": _TEXT, "better?": _SIGN, "denominators?": Names(whole(1, _MAX_COUNT))},
    "fidelities": Rows(_FIDELITY, least=1),
    "seeds": Rows(whole(0, NUM_SEEDS - 1), least=1),
}
_SCHEMA_2 = {"columns": Names(_COLUMN), "keys": [_TEXT]}
