"""Trials: everything that runs asked and were told, and what they paid for it."""

from typing import NamedTuple

import numpy as np

from jaxnas.strategies.base import Observation, Query


class Trials(NamedTuple):
    """Everything that runs asked and were told, with leading axes [runs, T].

    `query.fidelity` is an index, 0 or more. `query.seed` is -1 where any run was asked for, `observation.seed` is the
    run that answered. `observation.cost` is what the search paid: a repeated query of one architecture and seed pays
    only what was not paid before, unless its fidelity is of another training.
    """

    query: Query
    observation: Observation


def paid_costs(
    trials: Trials, price: np.ndarray, rows: np.ndarray | None = None, trainings: np.ndarray | None = None
) -> np.ndarray:
    """Returns what each trial cost, float32[runs, T].

    That is its price less what its run had paid before for the same architecture, seed and training.

    Args:
        price: the list price of each trial, 0 or more, float32[runs, T].
        rows: the rows of the architectures, int64[runs, T]: equal ones are the same architecture. Without them
            architectures are compared decision by decision.
        trainings: a number for each fidelity, int[F]; those of one training, stopped at several epochs, have the same
            one. Without them that holds of all.
    """
    archs = np.asarray(trials.query.arch)
    shape = archs.shape[:2]
    seed = np.asarray(trials.observation.seed, np.int64)
    runs = np.broadcast_to(np.arange(shape[0])[:, None], shape)
    named = [*np.moveaxis(archs.astype(np.int64), -1, 0)] if rows is None else [rows]
    if trainings is not None:
        named.append(np.asarray(trainings, np.int64)[np.asarray(trials.query.fidelity)])
    bought = _numbers_of([column.reshape(-1) for column in (runs, seed - seed.min(), *named)])
    order = np.argsort(bought, kind="stable")
    listed = np.asarray(price, np.float32).reshape(-1)[order]
    group = np.cumsum(np.diff(bought[order], prepend=0) != 0)
    before = _largest_before(group, listed)
    costs = np.empty(listed.shape, np.float32)
    costs[order] = np.maximum(listed.astype(np.float64) - before, 0)
    return costs.reshape(shape)


def _largest_before(group: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Returns the largest value before each one in its group, 0 for the first; groups are int64[n], ascending.

    The bits of floats of 0 or more, read as integers below 2**31, are ordered as the floats are. With 2**31 added for
    each group, every number of a group exceeds all of the groups before, so that one running maximum serves them all.
    """
    start = group << 31
    largest = np.maximum.accumulate(start + values.view(np.int32))
    before = np.concatenate([[0], largest[:-1]]) - start  # negative where a group begins
    return np.maximum(before, 0).astype(np.int32).view(np.float32)


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
