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
    named = [*np.moveaxis(archs.astype(np.int64), -1, 0)] if rows is None else [rows]
    if trainings is not None:
        named.append(np.asarray(trainings, np.int64)[np.asarray(trials.query.fidelity)])
    times = np.broadcast_to(np.arange(shape[1]), shape)
    # Sorted together, what was bought several times in a run stands side by side, in the order of time.
    listed = np.sort(_numbers_of([seed - seed.min(), *named, times]), axis=1)
    bought, order = np.divmod(listed, shape[1])
    price = np.take_along_axis(np.asarray(price, np.float32), order, axis=1)
    costs = np.empty(shape, np.float32)
    paid = np.maximum(price.astype(np.float64) - _largest_before(bought, price), 0)
    np.put_along_axis(costs, order, paid.astype(np.float32), axis=1)
    return costs


def _largest_before(bought: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Returns the largest value before each one of the same number, 0 for the first; numbers ascend, [runs, T].

    The bits of floats of 0 or more, read as integers below 2**31, are ordered as the floats are. With 2**31 added for
    each number, every value of one exceeds all of those before, so that one running maximum serves them all.
    """
    start = np.cumsum(np.diff(bought, axis=1, prepend=-1) != 0, axis=1) << 31
    largest = np.maximum.accumulate(start + values.view(np.int32), axis=1)
    before = np.concatenate([np.zeros((len(start), 1), np.int64), largest[:, :-1]], axis=1) - start
    return np.maximum(before, 0).astype(np.int32).view(np.float32)  # what is below 0 begins a number


def _numbers_of(columns: list[np.ndarray]) -> np.ndarray:
    """Returns a number for each tuple of non-negative values, int64[runs, T], equal where the tuples are.

    The last value counts as digits do: numbers are in the order of the tuples' other values, and then in its own.
    """
    code, size = np.zeros(columns[0].shape, np.int64), 1
    for column in columns:
        width = int(column.max()) + 1
        if size > 2**62 // width:
            code = np.unique(code, return_inverse=True)[1].reshape(code.shape)
            size = int(code.max()) + 1
        code, size = code * width + column, size * width
    return code
