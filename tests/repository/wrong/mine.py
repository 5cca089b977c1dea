"""What a new user may write, with one thing wrong in each."""

# ruff: noqa: N803, SIM103

import jax
import numpy as np

import jaxnas as jn

NUMBER = 3
GRID = jn.SearchSpace("grid", (jn.Decision("a", (1, 2, 3)), jn.Decision("b", (1, 2, 3))))
random = np.random.default_rng(0)
X, y = random.random((60, 8, 8), np.float32), np.arange(60) % 3
BENCH = jn.benchmarks.FunctionBenchmark(
    GRID, lambda arch: -arch.sum(), test_function=lambda archs: -archs.sum(-1), optimum=0, worst=-4
)


def strategy_without_argument():
    return jn.random_search(GRID)


def strategy_that_returns_a_number(space):
    return 3


def strategy_that_fails(space):
    return jn.random_search(space, pool_size=undefined_name)  # noqa: F821


def predictor_without_argument():
    return None


def predictor_that_returns_a_number(space):
    return 3


class PredictorClass:
    """As scikit-learn has them."""

    def fit(self, X, y):
        return self

    def predict(self, X):
        return X.sum(1)


predictor_object = PredictorClass()


def proxy_function(network, X, y):
    return 0.0


def space_function():
    return GRID


def task_without_return():
    pass


def valid_with_if(arch):
    if arch[0] > 1:
        return False
    return True


def valid_of_two_values(arch):
    return arch


KEY = jax.random.key(0)
