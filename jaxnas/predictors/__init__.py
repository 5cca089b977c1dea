"""Predictors: guessing a score without full training."""
