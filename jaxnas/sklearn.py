"""Estimators of scikit-learn that search for their architecture when they are fitted."""

from jaxnas.search.classifier import NASClassifier
from jaxnas.search.regressor import NASRegressor

__all__ = ["NASClassifier", "NASRegressor"]
