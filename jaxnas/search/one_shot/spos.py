"""SPOS: random paths, and an evolution on the supernet (Guo et al., "Single Path One-Shot", ECCV 2020)."""

from jaxnas.search.one_shot.base import Method
from jaxnas.search.one_shot.rsps import rsps
from jaxnas.search.one_shot.selection import NUM_CANDIDATES, evolved
from jaxnas.spaces.base import Space

CITES = ("guo2020spos",)


def spos(space: Space, *, num_candidates: int = NUM_CANDIDATES) -> Method:
    """Returns SPOS: random paths are trained, and regularized evolution on the supernet's scores takes one."""
    known = (("num_candidates", num_candidates),)
    return rsps(space)._replace(name="spos", select=evolved(num_candidates), hyperparameters=known)
