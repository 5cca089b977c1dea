"""Trials: all queries of runs, their observations, and the costs paid."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from jaxnas.strategies.base import Observation, Query


class Trials(NamedTuple):
    """All queries of runs and their observations, with leading axes [runs, T].

    `query.fidelity` is an index, 0 or more. `query.seed` is -1 if any run was asked for, `observation.seed` is the
    run that answered. `observation.cost` is the amount paid by the search: a repeated query of one architecture and
    seed pays only the amount not yet paid, unless its fidelity belongs to another training.
    """

    query: Query
    observation: Observation


def paid_costs(
    trials: Trials, price: np.ndarray, rows: np.ndarray | None = None, trainings: np.ndarray | None = None
) -> np.ndarray:
    """Returns the cost of each trial, float32[runs, T].

    The cost is the list price minus the amount already paid in the run for the same architecture, seed and training.

    Args:
        price: the list price of each trial, 0 or more, float32[runs, T].
        rows: the rows of the architectures, int64[runs, T]: equal ones are the same architecture. Without them
            architectures are compared decision by decision.
        trainings: a number for each fidelity, int[F]. Fidelities of one training, stopped at several epochs, have the
            same number. By default all fidelities belong to one training.
    """
    archs = np.asarray(trials.query.arch)
    seed, fidelity = np.asarray(trials.observation.seed), np.asarray(trials.query.fidelity)
    named = [seed - seed.min(), *(np.moveaxis(archs, -1, 0) if rows is None else [np.asarray(rows)])]
    if trainings is not None and len(set(np.asarray(trainings).tolist())) > 1:
        named.append(np.asarray(trainings)[fidelity])
    # Sorted together, repeated purchases in a run are adjacent, in the order of time.
    time_bits = (archs.shape[1] - 1).bit_length()
    numbers = _numbers_of(named, time_bits)
    numbers |= np.arange(archs.shape[1], dtype=numbers.dtype)
    numbers.sort(axis=1)
    again = np.zeros(numbers.shape, bool)
    np.less(numbers[:, 1:] ^ numbers[:, :-1], 1 << time_bits, out=again[:, 1:])
    # Most trials pay the list price: single purchases, and the first of several.
    costs = np.array(price, np.float32, order="C")
    several = again.copy()
    several[:, :-1] |= again[:, 1:]
    places = np.flatnonzero(several)
    order = numbers.reshape(-1)[places] & ((1 << time_bits) - 1)
    trial = places - places % archs.shape[1] + order
    listed = costs.reshape(-1)[trial]
    before = _largest_before(~again.reshape(-1)[places], listed)
    costs.reshape(-1)[trial] = np.maximum(listed.astype(np.float64) - before, 0)
    return costs


def paid_when_begun(
    trials: Trials, price: np.ndarray, begun: Sequence[int], trainings: np.ndarray | None = None
) -> np.ndarray:
    """Returns the cost of each trial of one run with several workers, float32[1, T].

    The cost is the list price minus the amount paid for the same architecture, seed and training by trials already
    reported when the trial was asked, as in `run_asynchronous`.

    Args:
        trials: in the order of their reports, leading axes [1, T].
        price: the list price of each trial, 0 or more, float32[1, T].
        begun: the number of trials already reported when each trial was asked.
        trainings: as in `paid_costs`.
    """
    archs, seeds = np.asarray(trials.query.arch)[0], np.asarray(trials.observation.seed)[0]
    fidelities = np.asarray(trials.query.fidelity)[0]
    training = np.zeros_like(fidelities) if trainings is None else np.asarray(trainings)[fidelities]
    paid: dict[tuple[bytes, int, int], list[tuple[int, float]]] = {}
    costs = np.array(price, np.float32)
    for place, count in enumerate(begun):
        before = paid.setdefault((archs[place].tobytes(), int(seeds[place]), int(training[place])), [])
        costs[0, place] -= min(costs[0, place], max((cost for told, cost in before if told < count), default=0))
        before.append((place, float(price[0, place])))
    return costs


def _largest_before(begins: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Returns the largest earlier value within each value's group, 0 for the first; `begins`, bool[N], marks starts.

    The bits of floats of 0 or more, read as integers below 2**31, are ordered like the floats. With 2**31 added for
    each group, every value of a group exceeds all values of earlier groups, so one running maximum serves all groups.
    """
    start = np.cumsum(begins, dtype=np.int64) << 31
    largest = np.maximum.accumulate(start + values.view(np.int32))
    before = np.concatenate([np.zeros(1, np.int64), largest])[: len(start)] - start
    return np.maximum(before, 0).astype(np.int32).view(np.float32)  # values below 0 begin a group


def _numbers_of(columns: list[np.ndarray], num_bits: int) -> np.ndarray:
    """Returns a number for each tuple of non-negative values, [runs, T], equal for equal tuples.

    Its lowest `num_bits` bits are 0. It is an int32 if that is large enough, which halves the sorting time.
    """
    widths = [int(column.max()) + 1 for column in columns]
    kind = np.int32 if math.prod(widths) << num_bits < 2**31 else np.int64
    code, size = np.zeros(columns[0].shape, kind), 1
    for column, width in zip(columns, widths, strict=True):
        if size > 2**62 // width:
            code, size = _renumbered(code)
        code, size = code * width + column.astype(kind, copy=False), size * width
    return (code if size <= 2 ** (62 - num_bits) else _renumbered(code)[0]) << num_bits


def _renumbered(code: np.ndarray) -> tuple[np.ndarray, int]:
    """Returns equal numbers as equal ones from 0, and how many there are."""
    different, numbers = np.unique(code, return_inverse=True)
    return numbers.reshape(code.shape), len(different)
