"""The manifest of a table: space, task, metric, fidelities, protocols; of both schemas.

Tables are data from anybody, so their shape is checked.
"""

import math
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from jaxnas.checks import MAX_FILE_NAME, NUM_SEEDS, is_file_name, unknown_name
from jaxnas.tables.records import FLAG, NULL, Kind, Names, Rows, check, is_number, one_of, whole
from jaxnas.tasks.metrics import ACCURACY, Metric

if TYPE_CHECKING:  # both would load JAX, which reading a table does without
    from jaxnas.spaces.base import Space
    from jaxnas.tasks.base import Task

SCHEMA_VERSION = 2
DEFAULT_PROTOCOL = "default"
EPOCHS = "epochs"
MAX_ROWS = 2**31 - 1
_MAX_TEXT = 10_000
_MAX_NUMBER = 1e300
_MAX_COUNT = 2**53
_PLAIN_NAME = re.compile(rf"[^\x00-\x1f\x7f/\\.][^\x00-\x1f\x7f/\\]{{0,{MAX_FILE_NAME - 1}}}")


class Fidelity(NamedTuple):
    """How far networks were trained: a name, the training (its schedule, `""` for the only one) and its epoch.

    `price`: the cost of training that far, in epochs of the table's last training; None: equal to the epoch.
    """

    name: str
    training: str
    epoch: float
    price: float | None = None

    @property
    def cost(self) -> float:
        """Returns the price in epochs, of the last training if their prices differ."""
        return self.epoch if self.price is None else self.price

    @property
    def unit(self) -> str:
        """Returns the unit of costs in a table whose last fidelity this is."""
        return EPOCHS if self.price is None else f"{EPOCHS} of {self.training}"

    def fields(self) -> dict:
        """Returns the fidelity as manifests hold it."""
        return {name: value for name, value in self._asdict().items() if value is not None}


class Protocol(NamedTuple):
    """The data of a table that a search observes, and the score that is reported.

    Attributes:
        told: the column whose scores answer queries.
        reported: the column of the final score, read by reports only.
        fidelities: positions on the fidelity axis of `told` that may be asked, in their order, the lowest first.
        price: `"epochs"`, or the column of the cost of a query.
    """

    told: str
    reported: str
    fidelities: tuple[int, ...]
    price: str


def base_manifest(
    space: "Space",
    task: "Task | str",
    fidelities: Sequence[float | Mapping],
    seeds: Sequence[int],
    metric: Metric | None = None,
) -> dict:
    """Returns the part of a manifest that every table of scores has.

    Args:
        fidelities: epochs, or `{"name": ..., "training": ..., "epoch": ...}`, perhaps with a `price`.
        metric: of the scores; None: the task's, accuracy if it is only a name.

    Raises ValueError if the epochs of a training do not ascend, or two fidelities have one name.
    """
    name, own = (task, ACCURACY) if isinstance(task, str) else (task.name, task.metric)
    return {
        "schema_version": SCHEMA_VERSION,
        "kind": "scores",
        "id": f"{space.name}-{name}",
        "space": space.description(),
        "task": {"name": name, "sha256": None if isinstance(task, str) else task.sha256},
        "metric": (metric or own)._asdict(),
        "fidelities": [fidelity.fields() for fidelity in _checked_fidelities(fidelities)],
        "seeds": [int(seed) for seed in seeds],
        "protocols": {DEFAULT_PROTOCOL: {"told": "validation", "reported": "test", "price": EPOCHS}},
    }


def fidelities_of(manifest: dict) -> tuple[Fidelity, ...]:
    """Returns the fidelities of a manifest."""
    return tuple(_fidelity(each) for each in manifest["fidelities"])


def better_of(manifest: dict) -> int:
    """Returns 1 if larger values of the metric are better, -1 if smaller ones are."""
    metric = manifest["metric"]
    return metric["better"] if "better" in metric else (1 if metric["higher_is_better"] else -1)


def protocol_of(manifest: dict, name: str | None, fidelities_of_column: Mapping[str, tuple[str, ...]]) -> Protocol:
    """Returns a protocol of a manifest by name, the default one for None.

    Args:
        fidelities_of_column: the names of each column's fidelities.

    Raises ValueError on another name, or if the table holds no scores.
    """
    protocols = _protocols(manifest)
    if not protocols:
        raise ValueError(f"Expected a table of scores, got {manifest['id']}, whose columns are for other tables.")
    if (name or DEFAULT_PROTOCOL) not in protocols:
        raise unknown_name("a protocol", name or DEFAULT_PROTOCOL, protocols)
    fields = protocols[name or DEFAULT_PROTOCOL]
    for column in (fields["told"], fields["reported"], *{fields["price"]} - {EPOCHS}):
        if column not in fidelities_of_column:
            raise unknown_name("a column", column, fidelities_of_column)
    known = fidelities_of_column[fields["told"]]
    asked = fields.get("fidelities") or known
    if unknown := [each for each in asked if each not in known]:
        raise unknown_name("a fidelity", unknown[0], known)
    positions = tuple(known.index(each) for each in asked)
    return Protocol(fields["told"], fields["reported"], positions, fields["price"])


def upgraded(manifest: dict) -> dict:
    """Returns a manifest as schema 2 has it; one of schema 2 is unchanged."""
    if manifest["schema_version"] == SCHEMA_VERSION:
        return manifest
    metric = manifest["metric"]
    return {
        **manifest,
        "schema_version": SCHEMA_VERSION,
        "kind": "scores",
        "metric": {"name": metric["name"], "unit": metric["unit"], "better": better_of(manifest)},
        "fidelities": [fidelity.fields() for fidelity in fidelities_of(manifest)],
        "protocols": _protocols(manifest),
    }


def _protocols(manifest: dict) -> dict[str, dict]:
    if manifest["schema_version"] == 1:
        return {DEFAULT_PROTOCOL: {"told": "validation", "reported": "test", "price": EPOCHS}}
    return manifest.get("protocols", {})


def _fidelity(given: float | Mapping) -> Fidelity:
    if isinstance(given, Mapping):
        return Fidelity(str(given["name"]), str(given.get("training", "")), given["epoch"], given.get("price"))
    return Fidelity(str(given), "", given)


def _checked_fidelities(given: Sequence[float | Mapping]) -> list[Fidelity]:
    try:
        found = [_fidelity(each.item() if hasattr(each, "item") else each) for each in given]
        ascending = all(
            first.epoch < second.epoch
            for position, second in enumerate(found)
            for first in found[:position]
            if first.training == second.training
        )
    except (KeyError, TypeError):
        raise ValueError(f"Expected fidelities that are epochs, or have a name and an epoch, got {given!r}.") from None
    if not found or not ascending:
        raise ValueError(f"Expected ascending fidelities, got {[fidelity.epoch for fidelity in found]}.")
    if len({fidelity.name for fidelity in found}) < len(found):
        raise ValueError(f"Expected fidelities of different names, got {[fidelity.name for fidelity in found]}.")
    return found


def baselines_of(manifest: dict) -> dict[str, dict[str, float]]:
    """Returns the scores of the baselines of a table by their names, `validation` and `test`, larger is better."""
    return {
        name: {split: better_of(manifest) * numbers[split] for split in ("validation", "test")}
        for name, numbers in manifest.get("references", {}).items()
    }


def keys_of(space: "Space") -> dict[str, np.ndarray]:
    """Returns the identifiers of a space's rows: `code`, mixed-radix numbers, unless rows are these themselves."""
    return {} if space.codes is None else {"code": space.codes}


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
