"""Random search with parameter sharing (Li and Talwalkar, UAI 2019)."""

from jaxnas.search.one_shot.base import Method
from jaxnas.search.one_shot.samplers import uniform_path
from jaxnas.search.one_shot.selection import NUM_CANDIDATES, best_of
from jaxnas.spaces.base import Space

CITES = ("li2019random",)


def rsps(space: Space, *, num_candidates: int = NUM_CANDIDATES) -> Method:
    """Returns random search with parameter sharing: random paths are trained, and the best of `num_candidates` random
    architectures by the supernet is taken.
    """
    known = (("num_candidates", num_candidates),)
    return Method("rsps", uniform_path(space), best_of(num_candidates), passes=1.0, hyperparameters=known)
