"""The public names, one import each; `python tests/repository/test_public_names.py` sorts them."""

from jaxnas.predictors.base import Aux
from jaxnas.predictors.base import Prediction
from jaxnas.predictors.base import Predictor
from jaxnas.predictors.named import predictor_named as predictor

__all__ = [
    "Aux",
    "Prediction",
    "Predictor",
    "predictor",
]
