"""Tables: every score of a search space on a task. Needs NumPy, and PyArrow to read and write."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from jaxnas.checks import first_line, unknown_name
from jaxnas.notebook import fact_table
from jaxnas.tables import arrays, cache, format
from jaxnas.tables.columns import Column, at_fidelities, check_column, check_name, means_of, run_count_name, scores_of
from jaxnas.tables.manifest import (
    DEFAULT_PROTOCOL,
    EPOCHS,
    SCHEMA_VERSION,
    Fidelity,
    Protocol,
    base_manifest,
    better_of,
    fidelities_of,
    keys_of,
    protocol_of,
    upgraded,
)
from jaxnas.tables.shipped import find
from jaxnas.tasks.metrics import Metric

if TYPE_CHECKING:
    from jaxnas.spaces.base import Space
    from jaxnas.tasks.base import Task

_HASHES = ("content_hash", "files", "manifest_hash")


@dataclass(frozen=True, eq=False)
class Table:
    """The data on the architectures of a search space: columns over G classes of A architectures.

    A class is a set of architectures that are one network; only its representative is trained. Classes are numbered
    in the order of their representatives' rows.

    Attributes:
        manifest: the metadata: space, task, metric, fidelities, protocols, training, versions (see `write`).
        keys: the identifiers of a row of the space, by name, [A]; empty if the row is a mixed-radix number.
        class_of: the number of each row's class, int32[A]; if None is given, every row is its own class.
        columns: named arrays over classes, and some also over runs and fidelities.
        representatives: for each class the row of the architecture that stands for it, int32[G]; by default the first.
    """

    manifest: dict
    keys: dict[str, np.ndarray]
    class_of: np.ndarray
    columns: dict[str, Column]
    representatives: np.ndarray = field(default_factory=lambda: np.empty(0, np.int32))

    def __post_init__(self) -> None:
        if self.class_of is None:
            object.__setattr__(self, "class_of", np.arange(self.manifest["space"]["num_architectures"], dtype=np.int32))
        if not len(self.representatives):
            _, first = np.unique(self.class_of, return_index=True)
            object.__setattr__(self, "representatives", first.astype(np.int32))
        if (self.class_of[self.representatives] != np.arange(len(self.representatives))).any() or (
            np.diff(self.representatives) <= 0
        ).any():
            raise ValueError("Expected classes numbered by the rows of their representatives, got another order.")
        fidelities = [fidelity.name for fidelity in fidelities_of(self.manifest)]
        for name, column in self.columns.items():
            check_column(name, column, len(self.representatives), fidelities)
        for name, values in self.keys.items():
            check_name(name, self.columns)
            if values.shape != self.class_of.shape or values.dtype.kind not in "iu":
                raise ValueError(f"Expected the key {name} to be integers [{len(self.class_of)}], got {values!r:.40}.")

    def _check_protocols(self) -> None:
        for name in self.protocols:
            self.prices(self.protocol(name))
            if self.metric.better not in (1, -1):
                raise ValueError(f"Expected a metric with better 1 or -1, got {self.metric}.")

    @property
    def id(self) -> str:
        """Returns the table's identifier, `<space>-<task>-v<N>`."""
        return self.manifest["id"]

    @property
    def num_architectures(self) -> int:
        """Returns A."""
        return len(self.class_of)

    @property
    def num_seeds(self) -> int:
        """Returns S, the largest number of runs of a class in the observed column of the default protocol."""
        return self.columns[self.protocol().told].by_run.shape[1]

    @property
    def fidelities(self) -> list[float]:
        """Returns the epochs that may be asked in the default protocol; with several trainings, of the last one."""
        protocol = self.protocol()
        known = self.column_fidelities(protocol.told)
        return [known[position].cost for position in protocol.fidelities]

    @property
    def metric(self) -> Metric:
        """Returns the metric of scores, after counts are divided."""
        metric = self.manifest["metric"]
        return Metric(metric["name"], metric["unit"], better_of(self.manifest))

    @property
    def protocols(self) -> tuple[str, ...]:
        """Returns the names of the table's protocols."""
        return tuple(upgraded(self.manifest).get("protocols", {}))

    def protocol(self, name: str | None = None) -> Protocol:
        """Returns the observed and the reported column, by the protocol's name; the default one for None.

        Raises ValueError on an unknown name, or if the table is a pack of columns.
        """
        known = {column: tuple(each.name for each in self.column_fidelities(column)) for column in self.columns}
        return protocol_of(self.manifest, name, known)

    def column(self, name: str) -> Column:
        """Returns the column of a name. Raises ValueError if there is none."""
        if name not in self.columns:
            raise unknown_name(f"a column of {self.id}", name, self.columns)
        return self.columns[name]

    def column_fidelities(self, name: str) -> tuple[Fidelity, ...]:
        """Returns the fidelities of a column: those on its axis, or the last one."""
        column, known = self.column(name), fidelities_of(self.manifest)
        if column.fidelities is not None:
            by_name = {fidelity.name: fidelity for fidelity in known}
            return tuple(by_name[name] for name in column.fidelities)
        return known if "fidelity" in column.axes else known[-1:]

    def scores(self, name: str, fidelities: Sequence[int] | None = None) -> np.ndarray:
        """Returns the values of a column, float32[G, S, F], counts divided: `metric`'s values, its sign unchanged.

        NaN if a run is missing or failed. An axis that the column lacks has length 1. `fidelities` are positions on
        its axis of fidelities, by default all.
        """
        column, loss = self.column(name), self._loss_of(name)
        if fidelities is not None:
            loss = None if loss is None else at_fidelities(loss, fidelities)
            column = at_fidelities(column, fidelities)
        return scores_of(column, self.num_runs(name), loss)

    def means(self, name: str) -> np.ndarray:
        """Returns the means of `scores` over the runs that have one, float32[G, F]; NaN if none has."""
        return means_of(self.column(name), self.num_runs(name), self._loss_of(name))

    def _loss_of(self, name: str) -> Column | None:
        """Returns the training loss of the runs of a column at the column's fidelities, None if unknown."""
        column, loss = self.columns[name], self.columns.get("loss")
        if loss is None or loss.runs != column.runs or loss.by_run.shape[:2] != column.by_run.shape[:2]:
            return None
        known, asked = self.column_fidelities("loss"), self.column_fidelities(name)
        return at_fidelities(loss, [known.index(each) for each in asked]) if set(asked) <= set(known) else None

    def num_runs(self, name: str) -> np.ndarray:
        """Returns how many runs, the first ones, each class has in a column, int[G]."""
        column = self.column(name)
        if (counts := self.columns.get(run_count_name(column.runs))) is not None and "run" in column.axes:
            return counts.values
        return np.full(len(self.representatives), column.by_run.shape[1])

    def succeeded(self) -> np.ndarray:
        """Returns whether each run has a score in the observed column of the default protocol, bool[G, S, F]."""
        return ~np.isnan(self.scores(self.protocol().told))

    @property
    def trained(self) -> np.ndarray:
        """Returns which classes have a run in the observed column of the default protocol, bool[G]."""
        return self.num_runs(self.protocol().told) > 0

    @property
    def size_names(self) -> tuple[str, ...]:
        """Returns the names of columns with one value for each class: `"parameters"`, `"flops"`, latencies, ..."""
        return tuple(name.removeprefix("num_") for name, column in self.columns.items() if column.is_size)

    def sizes(self, name: str) -> np.ndarray:
        """Returns the values of a size for each class, [G], in the type in which they are stored.

        They are means over initializations if there are several, NaN if one is NaN.

        Raises ValueError on a name that is not in `size_names`.
        """
        if name not in self.size_names:
            raise unknown_name(f"a size of {self.id}", name, self.size_names)
        values = self.columns[name if name in self.columns else f"num_{name}"].values
        return values if values.ndim == 1 else values.mean(1, dtype=np.float64).astype(np.float32)

    def size_unit(self, name: str) -> str:
        """Returns the unit of a size, such as "seconds"; empty of a number of something and of a proxy."""
        unit = self.columns[name if name in self.columns else f"num_{name}"].unit
        return "" if unit in ("parameters", "multiply-accumulates", "count", "score") else unit

    def prices(self, protocol: Protocol) -> np.ndarray:
        """Returns the cost of a query at the fidelities of a protocol: float32[1, F] for epochs, else float32[G, F]."""
        if protocol.price == EPOCHS:
            known = self.column_fidelities(protocol.told)
            return np.asarray([[known[position].cost for position in protocol.fidelities]], np.float32)
        prices = self.means(protocol.price)
        if "fidelity" not in self.columns[protocol.price].axes:
            return np.repeat(prices, len(protocol.fidelities), axis=1)
        priced, told = (self.column_fidelities(name) for name in (protocol.price, protocol.told))
        asked = [told[position] for position in protocol.fidelities]
        if unknown := [fidelity.name for fidelity in asked if fidelity not in priced]:
            raise unknown_name(f"a fidelity of {protocol.price}", unknown[0], [fidelity.name for fidelity in priced])
        return prices[:, [priced.index(fidelity) for fidelity in asked]]

    def cost_unit(self, protocol: Protocol) -> str:
        """Returns the unit of `prices`."""
        return self.column(protocol.price).unit if protocol.price != EPOCHS else fidelities_of(self.manifest)[-1].unit

    def _repr_html_(self) -> str:
        """Returns what a notebook shows: of what the scores are, how many there are, and by what they are cited."""
        manifest, scored = self.manifest, "protocols" in self.manifest or "metric" in self.manifest
        facts = {
            "space": f"{manifest['space']['name']}, {self.num_architectures:,} architectures",
            "different networks": f"{len(self.representatives):,}",
            "task": manifest.get("task", {}).get("name"),
            "metric": self.metric.name if scored else None,
            "runs of each": self.num_seeds if scored else None,
            "columns": ", ".join(self.columns),
            "license": manifest.get("licence"),
            "content hash": manifest.get("content_hash"),
        }
        return fact_table(self.id, facts)

    @property
    def validation(self) -> np.ndarray:
        """Returns the stored column `validation`, [G, S, F]: counts are integers."""
        return self.column("validation").values

    @property
    def test(self) -> np.ndarray:
        """Returns the stored column `test`, [G, S, F]: counts are integers."""
        return self.column("test").values

    def with_columns(self, columns: Mapping[str, Column | tuple[ArrayLike, str]]) -> "Table":
        """Returns the table with further columns, or with columns of the same name replaced, and without hashes.

        Each is a Column, or values by class, [G] or [G, F], with their unit.
        """
        added = {name: arrays.column_of(name, each, len(self.representatives)) for name, each in columns.items()}
        manifest = {key: value for key, value in self.manifest.items() if key not in _HASHES}
        return replace(self, manifest=manifest, columns=self.columns | added)

    def joined(self, pack: "Table") -> "Table":
        """Returns the table with the columns of a pack, joined by row; its hashes still cover the table alone.

        Raises ValueError if the pack is of another space, or has a column of a name that the table has.
        """
        space = self.manifest["space"]
        if pack.manifest["space"] != space:
            raise ValueError(f"Expected columns for the space {space['name']}, got {pack.id} of other architectures.")
        classes = pack.class_of[self.representatives]
        columns = {}
        for name, column in pack.columns.items():
            own = run_count_name(pack.id) if name == run_count_name(None) else name
            columns[own] = column._replace(values=column.values[classes], runs=column.runs or pack.id)
        taken = {name.removeprefix("num_") for name in self.columns}  # as `sizes` knows them
        if both := sorted(name for name in columns if name.removeprefix("num_") in taken):
            raise ValueError(f"Expected columns that {self.id} lacks, got {', '.join(both)} of {pack.id} again.")
        record = {"id": pack.id, "content_hash": pack.manifest.get("content_hash")}
        manifest = self.manifest | {"joined": [*self.manifest.get("joined", []), record]}
        return replace(self, manifest=manifest, columns=self.columns | columns)

    @staticmethod
    def read(source: str | os.PathLike, *, verify: bool = False) -> "Table":
        """Returns the table of an identifier, or of a folder, after checking its hashes.

        The arrays of a large table are kept in the cache folder, and its files are checked again only if
        they have changed since, or with `verify`.

        Raises ValueError if there is no such table, or a file is missing, unreadable or does not match the manifest.
        """
        folder = find(source)
        manifest = format.read_manifest(folder)
        contents = None if verify else cache.kept_contents(folder, manifest)
        if contents is not None:
            return Table(manifest, contents.keys, contents.class_of, contents.columns, contents.representatives)
        if problems := format.check_files(folder):
            raise ValueError(problems[0])
        contents = format.read_contents(folder, manifest)
        try:
            table = Table(manifest, contents.keys, contents.class_of, contents.columns, contents.representatives)
            table._check_protocols()
            if content_hash(table) != manifest["content_hash"]:
                raise ValueError("arrays of another content_hash")
        except format.UNREADABLE as error:
            raise ValueError(f"Expected {folder} to hold what its manifest says, got: {first_line(error)}.") from None
        cache.keep(folder, manifest, contents)
        return table

    @staticmethod
    def from_arrays(
        space: "Space",
        task: "Task | str",
        validation: ArrayLike | Column,
        test: ArrayLike | Column,
        fidelities: Sequence[float | Mapping],
        num_examples: int | Mapping[str, int] | None = None,
        *,
        columns: Mapping[str, Column | tuple[ArrayLike, str]] | None = None,
        protocols: Mapping[str, Mapping] | None = None,
        metric: Metric | None = None,
        nan: str = "failed",
    ) -> "Table":
        """Returns a table of your scores, every architecture a class.

        Args:
            space: a search space; row `i` of every array belongs to `space.arch_at(i)`.
            task: a Task, or a name.
            validation, test: [A, S, F]; floats are metric values, integers are counts of correct examples. A `Column`
                if the two are of different trainings, or not at every fidelity.
            fidelities: the epochs of the F columns, ascending; with several schedules, a dictionary of
                `name`, `training` and `epoch` each.
            num_examples: the examples behind counts, one number or one for each split,
                `{"validation": n, "test": m}`.
            columns: further data, by name: values [A] or [A, F] with their unit, such as
                `{"seconds": (times, "seconds")}`, or a `Column`.
            protocols: the observed and the reported columns, by name; a part that is omitted is taken from
                `"default"`: `{"told": "validation", "reported": "test", "price": "epochs"}`, at all fidelities.
            metric: of the scores; None: the task's, accuracy if it is only a name.
            nan: the meaning of NaN: `"failed"`, a training that failed (and a query may meet it), or `"missing"`, a run
                that was not done (and no query meets it); an infinite value is then a failed training.

        Raises ValueError if the arguments do not fit together.
        """
        manifest = base_manifest(space, task, fidelities, (), metric)
        size = space.num_architectures
        given = {"validation": validation, "test": test}
        found = arrays.score_columns(given, (size, len(fidelities)), num_examples, manifest["metric"])
        found |= {name: arrays.column_of(name, each, size) for name, each in (columns or {}).items()}
        found = arrays.runs_first(found, nan)
        default = manifest["protocols"][DEFAULT_PROTOCOL]
        manifest["protocols"] |= {name: {**default, **each} for name, each in (protocols or {}).items()}
        manifest["seeds"] = list(range(found["validation"].by_run.shape[1]))
        rows = np.arange(size, dtype=np.int32)
        table = Table(manifest, keys_of(space), rows, found, rows)
        table._check_protocols()
        return table


def column_pack(space: "Space", name: str, columns: Mapping[str, Column | tuple[ArrayLike, str]]) -> Table:
    """Returns a table of columns without scores, to be joined to tables of the same space (`Table.joined`).

    Args:
        space: a search space; row `i` of every array belongs to `space.arch_at(i)`.
        columns: values [A] with their unit by name, or a `Column`.
    """
    manifest = {
        "schema_version": SCHEMA_VERSION,
        "kind": "columns",
        "id": name,
        "space": space.description(),
        "fidelities": [],
    }
    rows = np.arange(space.num_architectures, dtype=np.int32)
    found = {each: arrays.column_of(each, given, len(rows)) for each, given in columns.items()}
    return Table(manifest, keys_of(space), rows, found, rows)


def write(table: Table, folder: str | os.PathLike, card: str) -> Table:
    """Writes a table with its manifest and card into a folder, and returns it with the manifest completed by hashes.

    Files are written in schema 2. The manifest holds:

    * `schema_version`, `id`, `kind`: `"scores"`, or `"columns"` for a pack that is joined to other tables;
    * `space`: name, number of rows, decisions with the names of their values; `keys`: the columns that identify rows
      which are no mixed-radix number;
    * `task`: name and SHA-256 of its arrays; `metric`: name, unit, and better, 1 or -1;
    * `fidelities`: for each its name, its training (`""` for the only schedule) and its epoch; `seeds` of the runs;
    * `columns`: for each its axes, shape without the classes, unit, better, and if it has them denominator, set of
      runs, names of its fidelities (see `Column`);
    * `protocols`: for each its `told` and `reported` columns, price, and names of fidelities unless all may be asked;
    * further keys of a build: training configuration, plan, versions, machine, commit, license;
    * `content_hash` over the arrays, not over the file; `files`, the SHA-256 of each other file; `manifest_hash`.
    """
    contents = format.Contents(table.keys, table.class_of, table.representatives, table.columns)
    return replace(table, manifest=format.write_files(folder, upgraded(table.manifest), contents, card))


def content_hash(table: Table) -> str:
    """Returns the SHA-256 of a table's arrays, regardless of the layout of the file, by the rule of its schema."""
    contents = format.Contents(table.keys, table.class_of, table.representatives, table.columns)
    return format.content_hash(table.manifest["schema_version"], contents)
