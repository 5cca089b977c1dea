"""FairNAS: every choice is trained equally often (Chu, Zhang and Xu, ICCV 2021)."""

from jaxnas.search.one_shot.base import Method
from jaxnas.search.one_shot.rsps import rsps
from jaxnas.search.one_shot.samplers import latin_square
from jaxnas.search.one_shot.selection import NUM_CANDIDATES, best_of
from jaxnas.spaces.base import Space

CITES = ("chu2021fairnas",)


def fairnas(space: Space, *, num_candidates: int = NUM_CANDIDATES) -> Method:
    """Returns FairNAS with strict fairness: a step adds the gradients of as many paths as there are choices, each
    choice of each decision in one of them. The best of `num_candidates` random architectures is taken.
    """
    paths, known = latin_square(space), (("num_candidates", num_candidates),)
    return rsps(space)._replace(
        name="fairnas",
        paths=paths,
        select=best_of(num_candidates),
        passes=float(len(space.decisions[0].values)),
        hyperparameters=known,
    )
