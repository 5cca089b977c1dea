"""The data of a table that predictors may be given, and its split into training and test architectures."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import jax
import numpy as np

from jaxnas.analysis.statistics import mean_known
from jaxnas.benchmarks.tabular import TableBenchmark
from jaxnas.predictors.base import Aux, Predictor
from jaxnas.spaces.base import Space
from jaxnas.spaces.encodings import Encoding
from jaxnas.tables.table import Table

PROXY = "score"
"""The unit of the columns of packs of proxies."""
NO_COLUMNS = ("seconds", "training_seconds", "validation_seconds")
"""What a training tells only once it is done: no size."""


class Sample(NamedTuple):
    """The architectures of one repetition: n for training, then m for the test.

    Attributes:
        rows: positions in the evidence, int[n + m]; each of another group of equal networks.
        runs: the run of each whose score and curve are seen, int[n + m].
        num_train: n.
        labels: the scores of these runs of the training architectures, float32[n].
        truth: the means over runs of the test architectures, float64[m]; if the curve is of a run
            of these, without that run.
        single, others: the score of the run that is seen of the test architectures and the mean of
            the other runs, float64[m]; NaN if there is a single run.
        chosen_by, judged_by: the means of two halves of the other runs, float64[m]: of the best by
            the first, the second does not know how they were chosen.
    """

    rows: np.ndarray
    runs: np.ndarray
    num_train: int
    labels: np.ndarray
    truth: np.ndarray
    single: np.ndarray
    others: np.ndarray
    chosen_by: np.ndarray
    judged_by: np.ndarray


@dataclass(frozen=True, eq=False)
class Evidence:
    """The data of a table on G architectures, one a class.

    Attributes:
        archs: int32[G, D].
        groups: a number for each, equal for equal networks, int[G].
        scores: the observed score of each run at the last fidelity, larger is better,
            float64[G, S]; NaN if there is none or it failed.
        curves: the scores after E epochs of the same runs, or of others (`own_curves` is then
            False), float32[G, R, E]; None if there are none.
        losses: training losses of the same, float32[G, R, E] or None.
        epochs: of the curves, and last the one of `scores`, float32[E + 1].
        prices: of a training to its end, float64[G], and of each epoch of a curve, float64[G, E].
        columns: values by name, float32[G] each.
        cost_unit: of the prices.
    """

    space: Space
    archs: np.ndarray
    groups: np.ndarray
    scores: np.ndarray
    curves: np.ndarray | None
    losses: np.ndarray | None
    own_curves: bool
    epochs: np.ndarray
    prices: np.ndarray
    curve_prices: np.ndarray
    columns: dict[str, np.ndarray]
    cost_unit: str

    @property
    def most_epochs(self) -> int:
        """Returns how many epochs of a curve may be read before the last one; 0 without curves."""
        if self.curves is None:
            return 0
        return self.curves.shape[2] - (1 if self.own_curves else 0)

    def allows(self, predictor: Predictor) -> bool:
        """Returns whether the table has the data that a predictor requires."""
        known = {"curves": self.most_epochs > 0, "epochs": self.most_epochs > 0}
        known |= {"losses": self.losses is not None and self.most_epochs > 0, "columns": bool(self.columns)}
        return all(known[part] for part in predictor.requires)

    def features(self, encoding: Encoding, samples: Sequence[Sample]) -> np.ndarray:
        """Returns the features of the architectures of samples, float32[R, n + m, F]."""
        rows, where = np.unique(np.stack([sample.rows for sample in samples]), return_inverse=True)
        return encoded(encoding, self.archs[rows])[where.reshape(len(samples), -1)]

    def aux(self, sample: Sample, part: slice, num_epochs: int) -> Aux:
        """Returns the other data on a part of a sample; curves of the runs that are seen, if any are read."""
        rows, runs = sample.rows[part], sample.runs[part]
        columns = np.stack([each[rows] for each in self.columns.values()], 1) if self.columns else None
        if not num_epochs or self.curves is None:
            return Aux(columns=columns)
        runs = runs if self.own_curves else np.zeros_like(runs)
        curves = self.curves[rows, runs, :num_epochs]
        losses = None if self.losses is None else self.losses[rows, runs, :num_epochs]
        epochs = np.append(self.epochs[:num_epochs], self.epochs[-1]).astype(np.float32)
        return Aux(curves, losses, np.tile(epochs, (len(rows), 1)), columns)

    def cost(self, sample: Sample, num_train: int, num_epochs: int) -> float:
        """Returns the cost of training `num_train` architectures, and of reading epochs of the others' curves."""
        train, test = sample.rows[:num_train], sample.rows[sample.num_train :]
        read = self.curve_prices[test, num_epochs - 1].sum() if num_epochs else 0
        return float(self.prices[train].sum() + read)


def evidence_of(bench: TableBenchmark) -> Evidence:
    """Returns the data of a table, with the packs joined to it, on its architectures.

    Curves are the fidelities of the observed scores, from the last training if there are several;
    if there is a single one, another protocol's observed score of fewer epochs, such as the 12
    epochs of NAS-Bench-201. Sizes and proxies are columns, seconds are not.
    """
    table = bench.table
    told = table.protocol(bench.protocol)
    sign = bench.metric.better
    scores = sign * table.scores(told.told).astype(np.float64)
    known, prices = table.column_fidelities(told.told), np.asarray(table.prices(told), np.float64)
    positions = list(told.fidelities)
    of_last = [number for number, each in enumerate(positions) if known[each].training == known[positions[-1]].training]
    if len(of_last) > 1:  # curves go on in one training only
        positions, prices = [positions[number] for number in of_last], prices[:, of_last]
    archs = np.asarray(jax.vmap(bench.space.arch_at)(np.asarray(table.representatives)))
    curves: np.ndarray | None = scores[..., positions].astype(np.float32)
    losses, own = None, len(positions) > 1
    epochs, curve_prices = [known[each].epoch for each in positions], prices
    if own:
        losses = _losses(bench, told.told, positions)
    else:
        curves, epochs, curve_prices = _shorter(bench, epochs[-1])
    return Evidence(
        bench.space,
        archs,
        groups_of(bench.space, archs),
        scores[..., positions[-1]],
        curves,
        losses,
        own,
        np.asarray([*epochs, epochs[-1]] if own else epochs, np.float32),
        np.broadcast_to(prices[:, -1], len(archs)),
        np.broadcast_to(curve_prices, (len(archs), curve_prices.shape[1])),
        columns_of(table),
        bench.cost_unit,
    )


def columns_of(table: Table) -> dict[str, np.ndarray]:
    """Returns the columns for predictors, float32[G] each: sizes, and means of proxies' initializations."""
    found = {name: np.asarray(table.sizes(name), np.float32) for name in table.size_names if name not in NO_COLUMNS}
    proxies = [name for name, each in table.columns.items() if each.unit == PROXY and each.axes == ("class", "run")]
    return found | {name: table.means(name)[:, 0] for name in proxies}


def _losses(bench: TableBenchmark, told: str, positions: list[int]) -> np.ndarray | None:
    table = bench.table
    if "loss" not in table.columns or table.columns["loss"].by_run.shape != table.column(told).by_run.shape:
        return None
    return table.columns["loss"].by_run[..., positions].astype(np.float32)


def _shorter(bench: TableBenchmark, last: float) -> tuple[np.ndarray | None, list[float], np.ndarray]:
    """Returns curves, epochs with `last` at the end, and prices of a protocol that observes scores of fewer epochs."""
    table = bench.table
    for name in table.manifest.get("protocols", {}):
        other = table.protocol(name)
        epochs = [table.column_fidelities(other.told)[each].epoch for each in other.fidelities]
        if epochs[-1] < last and table.cost_unit(other) == bench.cost_unit:
            curves = bench.metric.better * table.scores(other.told, other.fidelities)
            return curves, [*epochs, last], np.asarray(table.prices(other), np.float64)
    return None, [last], np.zeros((1, 1))


def groups_of(space: Space, archs: np.ndarray) -> np.ndarray:
    """Returns a number for each architecture of int32[G, D], equal if `space` has them in one class."""
    canonical = np.asarray(jax.jit(jax.vmap(space.canonical))(archs))
    return np.unique(canonical, axis=0, return_inverse=True)[1].reshape(-1)


def encoded(encoding: Encoding, archs: np.ndarray) -> np.ndarray:
    """Returns the features of architectures int32[n, D], float32[n, F]."""
    return np.asarray(jax.jit(jax.vmap(encoding))(archs))


def draw_sample(
    evidence: Evidence, num_train: int, num_test: int, *, seed: int, repetition: int, isomorphs: bool = False
) -> Sample:
    """Returns the architectures, runs and scores of one repetition.

    Rows are drawn at random, and rows of a group that has been drawn before are omitted. The first
    are for the test: they are the same for any number of training architectures. With `isomorphs`
    none is omitted, so equal networks may be on both sides, as in the protocols of most papers.
    Raises ValueError if there are too few groups.
    """
    random = np.random.default_rng((seed, repetition))
    rows = random.permutation(np.flatnonzero(np.isfinite(evidence.scores).any(1)))
    if not isomorphs:
        rows = rows[np.sort(np.unique(evidence.groups[rows], return_index=True)[1])]
    if len(rows) < num_train + num_test:
        raise ValueError(
            f"Expected {num_train + num_test:,} classes or more for {num_train:,} training and {num_test:,} test "
            f"architectures, got {len(rows):,}."
        )
    rows = np.concatenate([rows[num_test : num_test + num_train], rows[:num_test]])
    scores = evidence.scores[rows]
    runs = drawn_runs(np.isfinite(scores), random)
    seen = np.take_along_axis(scores, runs[:, None], 1)[:, 0]
    hidden = np.where(np.arange(scores.shape[1]) == runs[:, None], np.nan, scores)
    others, halves = mean_known(hidden), _halves(hidden)
    truth = np.where(np.isnan(others), seen, others) if evidence.own_curves else mean_known(scores)
    test = slice(num_train, None)
    return Sample(
        rows,
        runs,
        num_train,
        seen[:num_train].astype(np.float32),
        truth[test],
        seen[test],
        others[test],
        *(half[test] for half in halves),
    )


def drawn_runs(there: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Returns a run of each architecture, drawn among those that there are, bool[n, S] -> int[n]."""
    return np.where(there, random.uniform(size=there.shape), -1).argmax(1)


def _halves(hidden: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the means of every other one of the runs that are known, and of the rest, float64[n] each."""
    order = np.cumsum(~np.isnan(hidden), axis=1)
    first = mean_known(np.where(order % 2 == 1, hidden, np.nan))
    return first, mean_known(np.where(order % 2 == 0, hidden, np.nan))
