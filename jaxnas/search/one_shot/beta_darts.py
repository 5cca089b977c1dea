"""beta-DARTS: DARTS with a decay of the probabilities (Ye, Li, Li, Chen, Fan and Ouyang, CVPR 2022)."""

from jaxnas.search.one_shot.base import Method
from jaxnas.search.one_shot.darts import darts
from jaxnas.search.one_shot.regularizers import beta_decay
from jaxnas.spaces.base import Space

CITES = ("ye2022betadarts",)


def beta_darts(space: Space, *, largest: float = 50.0) -> Method:
    """Returns DARTS of first order with beta-decay, whose weight grows from 0 to `largest`."""
    known = (("largest", largest),)
    return darts(space)._replace(name="beta_darts", regularize=beta_decay(largest), hyperparameters=known)
