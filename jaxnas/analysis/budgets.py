"""Costs and budgets: the incumbents at a given cost, and runs that end when a budget is spent.

One rule holds throughout: a budget pays for the trials whose costs, added up, it covers. Under a
table's protocol `published` the trial that crosses the budget still counts, as in the code of
NATS-Bench (Dong, Liu, Musial and Gabrys, IEEE Transactions on Pattern Analysis and Machine
Intelligence, 2022), whose searches go on while the budget is not spent.
"""

from typing import Any

import numpy as np

from jaxnas.benchmarks.base import Benchmark, table_of
from jaxnas.simulation.trials import Trials

CROSSING_PROTOCOLS = ("published",)
_SLACK = 1 + 1e-9  # for rounding of sums


def counts_crossing(bench: Benchmark) -> bool:
    """Returns whether the trial that crosses a budget counts on a benchmark."""
    return bench.protocol in CROSSING_PROTOCOLS


def at_budgets(
    values: np.ndarray,
    trials: Trials,
    budgets: np.ndarray,
    *,
    crossing: bool = False,
    reserved: np.ndarray | None = None,
) -> np.ndarray:
    """Returns values [runs, T] after the last trial that each budget pays for, float[runs, B].

    NaN if a budget pays for no trial. Budgets count the costs of trials; repeated queries are free (see `Trials`).

    Args:
        crossing: whether the trial that crosses the budget counts, too.
        reserved: the cost to keep back after each trial, float[runs, T], such as `Confirmed.costs`.
    """
    last = _last_paid(trials, np.asarray(budgets), crossing, reserved)
    return np.where(last < 0, np.nan, np.take_along_axis(values, np.maximum(last, 0), axis=1))


def within_budget(
    trials: Trials, budget: float, *, crossing: bool = False, reserved: np.ndarray | None = None
) -> Trials:
    """Returns trials that end when a budget is spent: later ones have failed and cost nothing.

    Arguments as of `at_budgets`.
    """
    last = _last_paid(trials, np.asarray([budget]), crossing, reserved)
    paid = np.arange(trials.observation.score.shape[1]) <= last
    score: Any = np.where(paid, trials.observation.score, np.float32(np.nan))
    cost: Any = np.where(paid, trials.observation.cost, np.float32(0))
    return trials._replace(observation=trials.observation._replace(score=score, cost=cost))


def _last_paid(trials: Trials, budgets: np.ndarray, crossing: bool, reserved: np.ndarray | None) -> np.ndarray:
    """Returns the last trial that each budget pays for in each run, int[runs, B], -1 for none."""
    spent = np.cumsum(np.asarray(trials.observation.cost, np.float64), axis=1)
    if reserved is not None:
        spent = spent + reserved
    # The reserved cost may shrink: a budget pays for the last trial that it covers, regardless of earlier ones.
    least = np.minimum.accumulate(spent[:, ::-1], axis=1)[:, ::-1]
    if crossing:
        first = np.stack([np.searchsorted(row, budgets / _SLACK, side="left") for row in least])
        return np.minimum(first, spent.shape[1] - 1)
    return np.stack([np.searchsorted(row, budgets * _SLACK, side="right") - 1 for row in least])


def num_trials_paid(trials: Trials) -> np.ndarray:
    """Returns the number of trials of each run until the last that succeeded or cost something, int[runs]."""
    done = ~np.isnan(trials.observation.score) | (np.asarray(trials.observation.cost) > 0)
    return np.where(done.any(1), done.shape[1] - done[:, ::-1].argmax(1), 0)


def full_price(bench: Benchmark) -> float:
    """Returns the price of a trial at the last fidelity, the mean over architectures."""
    last = np.asarray(bench.prices)[:, -1]
    return float(last[0] if len(last) == 1 else last[table_of(bench).class_of].mean(dtype=np.float64))


def equal_cost(trials: dict[str, Trials], bench: Benchmark) -> int | None:
    """Returns the number of full trials whose price every run of the strategies with lower fidelities has paid.

    None without such strategies, or if they paid for less than one.
    """
    last, price = len(bench.fidelities) - 1, full_price(bench)
    paid = [
        each.observation.cost.sum(1).min() for each in trials.values() if (np.asarray(each.query.fidelity) < last).any()
    ]
    if not paid or min(paid) < price:
        return None
    return int(min(paid) / price)
