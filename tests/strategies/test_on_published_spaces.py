"""Every strategy on spaces of published benchmarks, and of each kind of network, asks for architectures only.

The scores are a function of the architecture, so that no table is needed; runs are short and few. Each pair of a
strategy and a space is a compilation, which is what these tests cost: a second each. In rows all spaces are alike, so
that one strategy runs on those of graphs, whose rows are classes.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.samples import make_strategy

import jaxnas as jn
from jaxnas import catalog
from jaxnas.spaces.named import space_named

SPACES = ("nb101", "transnas-macro", "darts")
PLAIN = ("nats-sss", "transformer-tiny", "recurrent", "hierarchical-cell", "nb-macro", "joint-small", "mlp-small")
QUICK = {
    "bananas": {"num_startup": 6, "refit_every": 5, "num_candidates": 10, "num_steps": 5, "num_networks": 2},
    "gaussian_process": {"num_candidates": 30, "num_startup": 6},
    "predictor_guided": {"num_startup": 6, "refit_every": 6, "num_candidates": 12},
    "cross_entropy": {"batch_size": 5},
    "genetic_algorithm": {"population_size": 5},
    "nsga2": {"population_size": 5},
    "regularized_evolution": {"population_size": 5, "sample_size": 2},
    "multi_objective_evolution": {"population_size": 5, "sample_size": 2},
    "tree_parzen_estimator": {"num_startup": 5},
    "reward_weighted_sampling": {"num_initial": 5},
    "successive_halving": {"num_initial": 5},
}
"""Hyperparameters with which a strategy is past its random trials early."""
WRITE_DECISIONS = ("genetic_algorithm", "nsga2", "cross_entropy", "reinforce", "tree_parzen_estimator", "bohb")
"""Strategies that write each decision by itself, and repair."""
IN_ROWS = ("regularized_evolution",)
NUM_RUNS, NUM_TRIALS = 2, 14


def score(arch: jax.Array) -> jax.Array:
    return -jnp.abs(arch - 1).sum().astype(jnp.float32)


@functools.cache
def bench_of(name: str) -> jn.benchmarks.FunctionBenchmark:
    return jn.benchmarks.FunctionBenchmark(space_named(name), score)


CASES = [(name, SPACES[number % len(SPACES)], False) for number, name in enumerate(WRITE_DECISIONS)]
OTHERS = tuple(name for name in catalog.STRATEGIES if name not in WRITE_DECISIONS)
CASES += [(name, SPACES[number % len(SPACES)], False) for number, name in enumerate(OTHERS)]
CASES += [(name, space_name, False) for name, space_name in zip(WRITE_DECISIONS + OTHERS[2:], PLAIN, strict=False)]
CASES += [(name, "nb-graph", True) for name in IN_ROWS]
REST = [(name, space_name, False) for space_name in SPACES for name in WRITE_DECISIONS]
CASES += [pytest.param(*case, marks=pytest.mark.nightly) for case in REST if case not in CASES]


@pytest.mark.parametrize(("name", "space_name", "rows"), CASES)
def test_a_strategy_asks_for_architectures_only(name, space_name, rows):
    bench = bench_of(space_name)
    space = bench.space.enumerated() if rows else bench.space
    strategy = make_strategy(name, space, fidelities=bench.fidelities, **QUICK.get(name, {}))
    trials = jn.run(strategy, bench, num_trials=NUM_TRIALS, num_runs=NUM_RUNS)
    archs = trials.query.arch
    assert archs.shape == (NUM_RUNS, NUM_TRIALS, len(space.decisions))
    if rows:
        assert archs.min() >= 0
        assert archs.max() < space.num_architectures
    else:
        assert are_valid(space_name, archs)


def are_valid(space_name: str, archs: np.ndarray) -> bool:
    return bool(_valid(space_name)(archs.reshape(-1, archs.shape[-1])).all())


@functools.cache
def _valid(space_name: str):
    return jax.jit(jax.vmap(space_named(space_name).valid))
