"""A benchmark as a function of named values, for optimizers of other libraries, which records its trials."""

from collections.abc import Mapping, Sequence
from typing import Any, final

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas.benchmarks.base import Benchmark, trainings_of
from jaxnas.benchmarks.rows import rows_of
from jaxnas.simulation.ask_tell import fold_in, run_key, split_run_key
from jaxnas.simulation.run import answered
from jaxnas.simulation.trials import Trials, paid_costs
from jaxnas.spaces.base import has_rows
from jaxnas.spaces.decisions import encode
from jaxnas.strategies.base import ANY, Observation, Query


@final
class Objective:
    """A function from values, or their names, by the names of the decisions to a validation score.

    Larger is better; NaN means that the training failed. Every call is one trial at the last fidelity. In a constrained
    space, values that are no architecture are repaired as in strategies, and the trial holds the repaired architecture.

    Args:
        bench: the benchmark; `bench.space.decisions` are the parameters.
        seed: of the run, from which the answers of the benchmark are drawn. Runs with different seeds are independent.
    """

    def __init__(self, bench: Benchmark, seed: int = 0):
        self._bench = bench
        _, self._keys = split_run_key(run_key(seed, 0))
        self._history: list[tuple[np.ndarray, Observation]] = []

    def __call__(self, values: Mapping[str, Any]) -> float:
        """Returns the score of one more trial. Raises ValueError on unknown or missing names or values."""
        bench, number = self._bench, len(self._history)
        key = fold_in(self._keys.query, number)
        arch = encode(values, bench.space.decisions)
        if bench.space.constrained:
            arch = np.asarray(bench.space.repaired(fold_in(self._keys.ask, number), jnp.asarray(arch)), np.int32)
        last: Any = np.int32(len(bench.fidelities) - 1)
        query = Query(jnp.asarray(arch), last)
        observation = answered(bench.query, query, key) if bench.jittable else bench.query(query, key)
        self._history.append((arch, jax.tree.map(np.asarray, observation)))
        return float(observation.score)

    def trials(self) -> Trials:
        """Returns the trials as one run, with leading axes [1, T]. Raises ValueError before the first."""
        if not self._history:
            raise ValueError("Expected at least one trial, got none.")
        archs, observations = zip(*self._history, strict=True)
        shape = (1, len(archs))
        last = np.full(shape, len(self._bench.fidelities) - 1, np.int32)
        asked: tuple[Any, ...] = np.stack(archs)[None], last, np.full(shape, ANY, np.int32)
        observation = jax.tree.map(lambda *each: np.stack(each)[None], *observations)
        trials = Trials(Query(*asked), observation)
        rows = rows_of(self._bench.space, trials.query.arch) if has_rows(self._bench.space) else None
        cost = paid_costs(trials, observation.cost, rows, trainings_of(self._bench))
        return trials._replace(observation=observation._replace(cost=cost))


def objective(bench: Benchmark, seed: int = 0) -> Objective:
    """Returns a benchmark as a function `{"decision": value} -> score` that records its trials.

    For optimizers of other libraries: call it with the values that they suggest, then pass `trials()` to `jn.regret`.
    A larger score is better. docs/guides/moving.md shows it with Optuna.

    Raises ValueError on a seed out of range.
    """
    return Objective(bench, seed)


def joined(runs: Sequence[Trials]) -> Trials:
    """Returns the trials of several runs of equal length as one, with leading axes [runs, T].

    Raises ValueError on no runs, or on runs of different lengths.
    """
    lengths = sorted({each.query.arch.shape[1] for each in runs})
    if len(lengths) != 1:
        raise ValueError(f"Expected runs of equal numbers of trials, got {lengths or 'none'}.")
    return jax.tree.map(lambda *each: np.concatenate(each), *runs)
