"""DrNAS: mixtures drawn from Dirichlet distributions (Chen, Wang, Cheng, Tang and Hsieh, ICLR 2021)."""

from jaxnas.search.one_shot.base import Method, SearchRecipe, check_equal_choices
from jaxnas.search.one_shot.hypergradients import first
from jaxnas.search.one_shot.regularizers import divergence_from_uniform
from jaxnas.search.one_shot.samplers import concentrations, dirichlet
from jaxnas.search.one_shot.selection import most_probable
from jaxnas.spaces.base import Space

CITES = ("chen2021drnas",)


def drnas(space: Space, *, divergence: float = 0.0) -> Method:
    """Returns DrNAS without its progressive schedule, as its figures on NAS-Bench-201 were made.

    Args:
        divergence: the weight of the divergence from the uniform distribution; 0: a decay of alpha instead.
    """
    check_equal_choices(space, "a mixture")
    return Method(
        "drnas",
        dirichlet,
        most_probable,
        first,
        probabilities=lambda alpha: concentrations(alpha) / concentrations(alpha).sum(-1, keepdims=True),
        regularize=divergence_from_uniform(divergence) if divergence else None,
        recipe=SearchRecipe(alpha_decay=0.0 if divergence else 1e-3),
        hyperparameters=(("divergence", divergence),),
    )
