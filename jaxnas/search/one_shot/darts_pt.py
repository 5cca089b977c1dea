"""DARTS-PT: DARTS whose architecture is taken by what removals do (Wang, Cheng, Chen, Tang and Hsieh, ICLR 2021)."""

from jaxnas.search.one_shot.base import Method
from jaxnas.search.one_shot.darts import darts
from jaxnas.search.one_shot.selection import by_perturbation
from jaxnas.spaces.base import Space

CITES = ("wang2021dartspt",)


def darts_pt(space: Space, *, tuning: float = 0.05) -> Method:
    """Returns DARTS of first order that ends with the choices whose removal hurts most; see
    `jaxnas.search.one_shot.selection.by_perturbation`.
    """
    return darts(space)._replace(name="darts_pt", select=by_perturbation(tuning), hyperparameters=(("tuning", tuning),))
