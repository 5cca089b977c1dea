"""The public names, for type checkers. Written by `python tests/repository/test_public_names.py`."""

from jaxnas.catalog import predictor as predictor
from jaxnas.predictors.base import Aux as Aux
from jaxnas.predictors.base import Prediction as Prediction
from jaxnas.predictors.base import Predictor as Predictor
