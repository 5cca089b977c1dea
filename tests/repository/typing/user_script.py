"""What a user writes, with the types that an editor should show. A type checker reads it and a test runs it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, assert_type

import jax
import numpy as np

import jaxnas as jn
from jaxnas.report.comparison import Comparison
from jaxnas.search.result import SearchResult

assert_type(jn.load("nb201-mnist5k-v1"), jn.TableBenchmark | Any)
bench = jn.TableBenchmark(jn.Table.read("nb201-mnist5k-v1"))
assert_type(bench.held_out, jn.benchmarks.HeldOut)
assert_type(bench.space, jn.Space)
assert_type(bench.metric, jn.tasks.Metric)
assert_type(bench.fidelities, tuple[float, ...])
assert_type(bench.held_out.optimum, float | None)
assert_type(bench.sizes("parameters", np.zeros((1, 6), int)), np.ndarray)


def first_only(space: jn.Space) -> jn.Strategy:
    """Returns a strategy that queries one architecture again and again."""

    def init(key: jax.Array, num_trials: int) -> tuple[()]:
        return ()

    def ask(state: tuple[()], t: jax.Array, key: jax.Array) -> jn.Query:
        return jn.Query(space.arch_at(0))

    def tell(state: tuple[()], t: jax.Array, query: jn.Query, observation: jn.simulation.Observation) -> tuple[()]:
        return state

    return jn.Strategy("first_only", init, ask, tell)


evolution = jn.regularized_evolution(bench.space, population_size=20)
assert_type(evolution, jn.Strategy)
assert_type(jn.strategy("random_search"), Callable[..., jn.Strategy])

comparison = jn.compare({"evolution": evolution, "first_only": first_only}, bench, num_trials=10, num_runs=5)
assert_type(comparison, Comparison)
assert_type(comparison.trials, dict[str, jn.simulation.Trials])
assert_type(comparison.trials["evolution"].query, jn.Query)


def report(folder: str) -> None:
    """Writes the page."""
    assert_type(comparison.write(folder), Path)


trials = jn.run(evolution, jn.penalized(bench, 1e-6, "parameters"), num_trials=10, num_runs=5)
assert_type(trials, jn.simulation.Trials)
assert_type(jn.regret(trials, bench), np.ndarray)
assert_type(jn.analysis.incumbents(trials), np.ndarray)
assert_type(jn.analysis.confirmed(trials, bench, (2, 1)), jn.analysis.Confirmed)
assert_type(jn.analysis.optimum(bench), jn.analysis.Optimum)
assert_type(jn.AskTell(evolution, num_trials=10, key=jn.simulation.run_key(0, 0)).ask(), jn.Query)

cells = jn.CellSpace(3, ("none", "skip_connect", "nor_conv_3x3"), name="cells")
assert_type(cells.to_str(cells.arch_at(3)), str)
assert_type(jn.MLPSpace(max_layers=2).decisions, tuple[jn.Decision, ...])
assert_type(jn.spaces.ListedSpace(cells, [0, 3, 5]).space, jn.Space)

digits = jn.task("digits")
assert_type(digits, jn.tasks.Task)
trainer = jn.Trainer(cells, digits, num_epochs=1)
assert_type(trainer.space, jn.CellSpace)
assert_type(trainer.size(cells.arch_at(3)), jn.kinds.Size)


def search() -> None:
    """Searches, which takes a while."""
    best = jn.NAS(cells, digits).search(num_trials=20)
    assert_type(best, SearchResult)
    assert_type(best.train(), jn.FittedModel)
