"""The sandwich rule: the largest network of a step teaches the smallest and random ones (Yu and Huang, ICCV 2019)."""

from collections.abc import Sequence

import numpy as np

from jaxnas.checks import checked_size
from jaxnas.search.one_shot import samplers
from jaxnas.search.one_shot.base import Method
from jaxnas.search.one_shot.rsps import rsps
from jaxnas.search.one_shot.selection import NUM_CANDIDATES, best_of
from jaxnas.spaces.base import Space

CITES = ("yu2019universally",)


def sandwich(space: Space, *, num_random: int = 2, num_candidates: int = NUM_CANDIDATES) -> Method:
    """Returns the sandwich rule, for spaces of sizes: a step adds the gradients of the largest network, of the smallest
    and of `num_random` others, and all but the largest learn its outputs. The best of `num_candidates` random
    architectures is taken.

    Raises ValueError on a space without sizes, decisions whose values are ascending whole numbers.
    """
    checked_size("num_random", num_random, 0)
    smallest: np.ndarray = np.zeros(len(space.decisions), np.int32)
    last = [len(decision.values) - 1 if _is_size(decision.values) else 0 for decision in space.decisions]
    if not any(last):
        raise ValueError(f"Expected a space of sizes for the sandwich rule, such as an MLPSpace, got {space.name}.")
    return rsps(space)._replace(
        name="sandwich",
        paths=samplers.sandwich(space, smallest, np.asarray(last, np.int32), num_random),
        distils=True,
        select=best_of(num_candidates),
        passes=float(2 + num_random),
        hyperparameters=(("num_random", num_random), ("num_candidates", num_candidates)),
    )


def _is_size(values: Sequence) -> bool:
    return all(isinstance(value, int | np.integer) for value in values) and list(values) == sorted(set(values))
