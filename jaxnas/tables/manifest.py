"""What a manifest says of a table: space, task, metric, fidelities, protocols; of both schemas."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from jaxnas.checks import unknown_name
from jaxnas.tasks.metrics import ACCURACY, Metric

if TYPE_CHECKING:  # both would load JAX, which reading a table does without
    from jaxnas.spaces.base import Space
    from jaxnas.tasks.base import Task

SCHEMA_VERSION = 2
DEFAULT_PROTOCOL = "default"
EPOCHS = "epochs"


class Fidelity(NamedTuple):
    """How far networks were trained: a name, the training (its schedule, `""` for the only one) and its epoch.

    `price`: what training that far costs, in epochs of the table's last training; None: as much as the epoch says.
    """

    name: str
    training: str
    epoch: float
    price: float | None = None

    @property
    def cost(self) -> float:
        """Returns the price in epochs, of the last training where there are several of unequal price."""
        return self.epoch if self.price is None else self.price

    @property
    def unit(self) -> str:
        """Returns the unit of costs in a table whose last fidelity this is."""
        return EPOCHS if self.price is None else f"{EPOCHS} of {self.training}"

    def fields(self) -> dict:
        """Returns the fidelity as manifests hold it."""
        return {name: value for name, value in self._asdict().items() if value is not None}


class Protocol(NamedTuple):
    """What a search on a table is told, and what is reported of it.

    Attributes:
        told: the column whose scores answer queries.
        reported: the column of the final score, read by reports only.
        fidelities: positions on the fidelity axis of `told` that may be asked, in their order, the lowest first.
        price: `"epochs"`, or the column of what a query costs.
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
        space, task: what the scores are of.
        fidelities: epochs, or `{"name": ..., "training": ..., "epoch": ...}`, perhaps with a `price`, where there are
            several trainings.
        seeds: of the runs.
        metric: of the scores; None: that of the task, accuracy where it is only a name.

    Raises:
        ValueError: where the epochs of a training do not ascend, or two fidelities have one name.
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
    """Returns 1 where larger values of the metric are better, -1 where smaller ones are."""
    metric = manifest["metric"]
    return metric["better"] if "better" in metric else (1 if metric["higher_is_better"] else -1)


def protocol_of(manifest: dict, name: str | None, fidelities_of_column: Mapping[str, tuple[str, ...]]) -> Protocol:
    """Returns a protocol of a manifest by name, the default one for None.

    Args:
        fidelities_of_column: the names of each column's fidelities.

    Raises:
        ValueError: on another name, or where the table holds no scores.
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
    """Returns a manifest as schema 2 has it; one of schema 2 as it is."""
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
    """Returns what identifies the rows of a space: `code`, mixed-radix numbers, unless rows are these themselves."""
    return {} if space.codes is None else {"code": space.codes}
