"""Bayesian linear regression on features."""

import functools

from jaxnas.checks import checked_function
from jaxnas.predictors.base import Predictor
from jaxnas.predictors.gaussian import Kernel, process
from jaxnas.spaces.base import Space
from jaxnas.spaces.encodings import Encoding, one_hot

CITES = ("mackay1992bayesian",)
RATIOS = (0.3, 1.0, 3.0, 10.0, 30.0)
"""Of the prior variance of a mean feature to that of the intercept."""

LINEAR = Kernel(
    lambda one, other: (one @ other.T)[None] / one.shape[-1],
    lambda parts, ratio: (1 + ratio * parts[0]) / (1 + ratio),
)
"""The covariance of linear functions, by the ratio of the features' prior variance to the intercept's."""


@functools.cache
def blr(space: Space, *, encoding: Encoding | None = None) -> Predictor:
    """Returns Bayesian linear regression, with prior and noise of largest evidence.

    MacKay, "Bayesian Interpolation", Neural Computation 1992, over a grid. Computed as the Gaussian process with the
    kernel of linear functions, which is the same and costs the cube of the number of scores, not of features.

    Args:
        encoding: of architectures; `one_hot` by default.
    """
    encode = one_hot(space) if encoding is None else checked_function("encoding", encoding)
    return Predictor("blr", encode, *process(LINEAR, RATIOS), hyperparameters=(("encoding", encoding),))
