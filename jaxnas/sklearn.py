"""Estimators of scikit-learn that search for their architecture when they are fitted."""

from jaxnas.search.estimators import NASClassifier, NASRegressor

__all__ = ["NASClassifier", "NASRegressor"]
