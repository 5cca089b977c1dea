"""What a user writes, with the types that an editor should show. A type checker reads it and a test runs it."""

from collections.abc import Callable
from typing import assert_type

import numpy as np

import jaxnas as jn

bench = jn.load("nb201-mnist5k-v1")
assert_type(bench, jn.TableBenchmark)
assert_type(bench.table, jn.Table)
assert_type(bench.fidelities, tuple[float, ...])

strategy = jn.regularized_evolution(bench.space, population_size=20)
assert_type(strategy, jn.Strategy)
assert_type(jn.strategy("random_search"), Callable[..., jn.Strategy])

trials = jn.run(strategy, bench, num_trials=10, num_runs=5)
assert_type(trials, jn.Trials)
assert_type(trials.query, jn.Query)
assert_type(jn.regret(trials, bench), np.ndarray)
assert_type(jn.incumbents(trials), np.ndarray)

search = jn.AskTell(strategy, key=jn.run_key(0, 0), num_trials=10)
assert_type(search.ask(), jn.Query)

cells = jn.CellSpace(3, ("none", "skip_connect", "nor_conv_3x3"), name="cells")
perceptrons = jn.MLPSpace(max_layers=2)
assert_type(cells.to_str(cells.arch_at(3)), str)
assert_type(perceptrons.decisions, tuple[jn.Decision, ...])
assert_type(jn.task("digits"), jn.Task)
