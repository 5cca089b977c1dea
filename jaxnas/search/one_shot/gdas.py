"""GDAS: one choice a decision in each step, with the gradient of a relaxed one (Dong and Yang, CVPR 2019)."""

from jaxnas.search.one_shot.base import Method, check_equal_choices
from jaxnas.search.one_shot.hypergradients import first
from jaxnas.search.one_shot.samplers import gumbel_hard, linear
from jaxnas.search.one_shot.selection import most_probable
from jaxnas.spaces.base import Space

CITES = ("dong2019gdas",)


def gdas(space: Space, *, rule: str = "selected", temperatures: tuple[float, float] = (10.0, 0.1)) -> Method:
    """Returns GDAS: one operation an edge runs, drawn by a Gumbel softmax whose temperature falls.

    Args:
        rule: what the gradient has for choices that are not taken: `"selected"`, `"reference"` as the authors' program,
            or `"full"`, for which all run; see `jaxnas.search.one_shot.samplers.gumbel_hard`.
        temperatures: the first and the last.
    """
    check_equal_choices(space, "a Gumbel softmax")
    known = (("rule", rule), ("temperatures", temperatures))
    return Method("gdas", gumbel_hard(rule, linear(*temperatures)), most_probable, first, hyperparameters=known)


def gdas_reference(space: Space) -> Method:
    """Returns GDAS with the gradient of the authors' program."""
    return gdas(space, rule="reference")._replace(name="gdas_reference")


def gdas_full(space: Space) -> Method:
    """Returns GDAS with the usual straight-through gradient, for which all operations run."""
    return gdas(space, rule="full")._replace(name="gdas_full")
