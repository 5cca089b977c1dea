"""SmoothDARTS: weights that do well for mixtures around the present one (Chen and Hsieh, ICML 2020)."""

from jaxnas.search.one_shot import perturbations
from jaxnas.search.one_shot.base import Method
from jaxnas.search.one_shot.darts import darts
from jaxnas.search.one_shot.samplers import linear
from jaxnas.spaces.base import Space

CITES = ("chen2020smoothdarts",)
FIRST = 0.03


def sdarts_random(space: Space, *, largest: float = 0.3) -> Method:
    """Returns SmoothDARTS with random perturbations: weights learn with noise up to a bound that grows to `largest`."""
    perturb = perturbations.random(linear(FIRST, largest))
    return darts(space)._replace(name="sdarts_random", perturb=perturb, hyperparameters=(("largest", largest),))


def sdarts_adversarial(space: Space, *, largest: float = 0.3) -> Method:
    """Returns SmoothDARTS with adversarial perturbations, those within the bound that raise the training loss most."""
    perturb = perturbations.adversarial(linear(FIRST, largest))
    known = (("largest", largest),)
    passes = 2.0 + perturbations.NUM_STEPS + 2 / 3  # seven gradients and two losses
    return darts(space)._replace(name="sdarts_adversarial", perturb=perturb, hyperparameters=known, passes=passes)
