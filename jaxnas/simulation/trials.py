"""Runs of strategies on benchmarks: compiled and batched where both allow it, in a Python loop otherwise, with the
same trajectories.
"""

from typing import NamedTuple

import numpy as np

from jaxnas.strategies.base import Observation, Query


class Trials(NamedTuple):
    """Everything that runs asked and were told, with leading axes [runs, T].

    `query.fidelity` is an index, 0 or more. `observation.cost` is what the run paid: repeated queries of one
    architecture and seed pay for the epochs that were not paid before.
    """

    query: Query
    observation: Observation


def paid_costs(trials: Trials, prices: np.ndarray) -> np.ndarray:
    """Returns what each trial cost, float32[runs, T].

    That is its price less what its run had paid before for the same architecture and seed.

    Args:
        prices: of each fidelity, float32[F].
    """
    archs, fidelity = np.asarray(trials.query.arch), np.asarray(trials.query.fidelity)
    num_runs, num_trials = fidelity.shape
    seed = np.asarray(trials.observation.seed, np.int64)
    runs = np.broadcast_to(np.arange(num_runs)[:, None], fidelity.shape)
    columns = [runs, seed - seed.min(), *np.moveaxis(archs.astype(np.int64), -1, 0)]
    bought = _numbers_of([column.reshape(-1) for column in columns])
    order = np.argsort(bought, kind="stable")
    price = np.asarray(prices, np.float64)[fidelity.reshape(-1)[order]]
    group = np.cumsum(np.diff(bought[order], prepend=0) != 0)
    base = group * (price.max() + 1)
    paid = np.maximum.accumulate(base + price)
    before = np.concatenate([[0.0], paid[:-1]]) - base
    costs = np.empty(price.shape, np.float32)
    costs[order] = np.maximum(price - np.maximum(before, 0), 0)
    return costs.reshape(num_runs, num_trials)


def _numbers_of(columns: list[np.ndarray]) -> np.ndarray:
    """Returns a number for each tuple of non-negative values, int64, equal where the tuples are."""
    code, size = np.zeros(len(columns[0]), np.int64), 1
    for column in columns:
        width = int(column.max()) + 1
        if size > 2**62 // width:
            _, code = np.unique(code, return_inverse=True)
            size = int(code.max()) + 1
        code, size = code * width + column, size * width
    return code
