"""Predictors that read the curve of a training that was stopped, and fit nothing."""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp

from jaxnas.predictors.base import Array, Aux, Prediction, Predictor, no_features
from jaxnas.spaces.base import Space

CITES = ("ru2021speedy",)


@functools.cache
def last_value(space: Space) -> Predictor:
    """Returns the score after the last epoch that was trained."""
    return _read("last_value", space, ("curves",), lambda aux: jnp.asarray(aux.curves)[:, -1])


@functools.cache
def best_value(space: Space) -> Predictor:
    """Returns the best score after any epoch that was trained."""
    return _read("best_value", space, ("curves",), lambda aux: jnp.asarray(aux.curves).max(-1))


@functools.cache
def sotl(space: Space) -> Predictor:
    """Returns the sum of the training losses of all epochs, negated: how fast a network trains.

    Ru, Lyle, Schut, Fil, van der Wilk and Gal, "Speedy Performance Estimation for Neural Architecture Search",
    NeurIPS 2021 (training speed estimation). It ranks only.
    """
    return _read("sotl", space, ("losses",), lambda aux: -jnp.asarray(aux.losses).sum(-1))


@functools.cache
def sotl_e(space: Space) -> Predictor:
    """Returns the training loss of the last epoch, negated: TSE-E of the paper of `sotl`, with one epoch."""
    return _read("sotl_e", space, ("losses",), lambda aux: -jnp.asarray(aux.losses)[:, -1])


def _read(name: str, space: Space, requires: tuple[str, ...], value: Callable[[Aux], Array]) -> Predictor:
    def fit(key: jax.Array, features: Array, y: Array, aux: Aux) -> tuple[()]:
        return ()

    def predict(state: tuple[()], features: Array, aux: Aux) -> Prediction:
        mean = jnp.asarray(value(aux), jnp.float32)
        mean = jnp.where(jnp.isfinite(mean), mean, jnp.nan)
        return Prediction(mean, jnp.full_like(mean, jnp.nan))

    return Predictor(name, no_features(space), fit, predict, requires, learns=False)
