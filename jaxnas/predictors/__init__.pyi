"""The public names, for type checkers. Written by `python tests/repository/test_public_names.py`."""

from jaxnas.catalog import predictor
from jaxnas.predictors.base import Aux
from jaxnas.predictors.base import Prediction
from jaxnas.predictors.base import Predictor

__all__ = [
    "Aux",
    "Prediction",
    "Predictor",
    "predictor",
]
