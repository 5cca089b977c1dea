"""DARTS: choices as a mixture whose weights learn by gradient descent (Liu, Simonyan and Yang, ICLR 2019)."""

from jaxnas.search.one_shot.base import Method, check_equal_choices
from jaxnas.search.one_shot.hypergradients import first, unrolled
from jaxnas.search.one_shot.samplers import softmax_mixture
from jaxnas.search.one_shot.selection import most_probable
from jaxnas.spaces.base import Space

CITES = ("liu2019darts",)


def darts(space: Space) -> Method:
    """Returns DARTS of first order: alpha follows the loss at the weights as they are."""
    check_equal_choices(space, "a mixture")
    return Method("darts", softmax_mixture, most_probable, first)


def darts2(space: Space) -> Method:
    """Returns DARTS of second order: alpha follows the loss after one step of the weights."""
    check_equal_choices(space, "a mixture")
    return Method("darts2", softmax_mixture, most_probable, unrolled, passes=5.0)
