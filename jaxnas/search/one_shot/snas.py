"""SNAS: choices as relaxed random variables (Xie, Zheng, Liu and Lin, ICLR 2019)."""

from jaxnas.search.one_shot.base import Method, check_equal_choices
from jaxnas.search.one_shot.hypergradients import first
from jaxnas.search.one_shot.samplers import gumbel_soft, linear
from jaxnas.search.one_shot.selection import most_probable
from jaxnas.spaces.base import Space

CITES = ("xie2019snas",)


def snas(space: Space, *, temperatures: tuple[float, float] = (10.0, 1.0)) -> Method:
    """Returns SNAS: a mixture drawn by a Gumbel softmax whose temperature falls, without its cost of resources.

    The paper trains weights and alpha on the same data; here alpha has its own half, as other methods do.
    """
    check_equal_choices(space, "a mixture")
    known = (("temperatures", temperatures),)
    return Method("snas", gumbel_soft(linear(*temperatures)), most_probable, first, hyperparameters=known)
