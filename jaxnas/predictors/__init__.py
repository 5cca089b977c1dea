"""Predictors: guessing a score without full training.

For example `jn.predictors.predictor("gp_wl")(space)`. Names load on first use.
"""

from jaxnas.catalog import lazy

__getattr__, __dir__ = lazy(__name__, __file__)
