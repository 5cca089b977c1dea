"""Architectures and training hyperparameters, searched together."""
