"""The public names, one import each; `python tests/repository/test_public_names.py` sorts them."""

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
