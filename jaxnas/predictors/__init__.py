"""Predictors: guessing a score without full training.

For example `jn.predictors.predictor("gp_wl")(space)`. Names load on first use.
"""

from jaxnas.catalog import lazy

NAMES = {
    "Aux": "predictors.base",
    "Prediction": "predictors.base",
    "Predictor": "predictors.base",
    "predictor": "catalog",
}
"""The public names, each with the module that holds it."""

__getattr__, __dir__ = lazy(__name__, NAMES)
