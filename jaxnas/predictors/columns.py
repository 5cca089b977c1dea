"""Predictors that read columns of a table or a pack: proxies, sizes, scores of a supernet; alone or with features."""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxnas.predictors.base import Array, Aux, Prediction, Predictor, checked_encoding, no_features, standardized
from jaxnas.predictors.gaussian import LENGTHS, RBF, GaussianState, process
from jaxnas.spaces.base import Space
from jaxnas.spaces.encodings import Encoding

CITES = ("white2021powerful",)


class ColumnState(NamedTuple):
    """The position of the column, and 1 or -1, all int32[]."""

    position: jax.Array
    direction: jax.Array


class RankedState(NamedTuple):
    """The sorted values of each input among the training architectures, float32[n, C], and the fit to their ranks."""

    ordered: jax.Array
    process: GaussianState


@functools.cache
def column(space: Space) -> Predictor:
    """Returns the value of the column that agrees best with the training scores by rank. It ranks only."""

    def fit(key: jax.Array, features: Array, y: Array, aux: Aux) -> ColumnState:
        values = jnp.asarray(aux.columns)
        agreement = jax.vmap(rank_agreement, (1, None))(values, jnp.asarray(y))
        chosen = jnp.argmax(jnp.abs(agreement))
        return ColumnState(chosen, jnp.where(agreement[chosen] < 0, -1, 1))

    def predict(state: ColumnState, features: Array, aux: Aux) -> Prediction:
        values = state.direction * jnp.asarray(aux.columns)[:, state.position]
        return Prediction(values, jnp.full_like(values, jnp.nan))

    return Predictor("column", no_features(space), fit, predict, ("columns",), ranks_only=True)


@functools.cache
def column_gp(space: Space) -> Predictor:
    """Returns a Gaussian process on all columns, each by its rank among the training architectures.

    Proxies as features of a model: White, Zela, Ru, Liu and Hutter, "How Powerful are Performance Predictors in Neural
    Architecture Search?", NeurIPS 2021.
    """
    return _on_ranks("column_gp", no_features(space), lambda aux: aux.columns, ("columns",), with_features=False)


@functools.cache
def omni(space: Space, *, encoding: Encoding | None = None) -> Predictor:
    """Returns a Gaussian process on features, all known columns, and the last values of the known curves.

    The combination of White, Zela, Ru, Liu and Hutter, "How Powerful are Performance Predictors in Neural Architecture
    Search?", NeurIPS 2021 (OMNI), with a Gaussian process for its natural gradient boosting.
    """
    return _on_ranks("omni", checked_encoding(space, encoding), _all_known, (), with_features=True)


def _all_known(aux: Aux) -> Array | None:
    parts = [aux.columns, *(each[:, -1:] for each in (aux.curves, aux.losses) if each is not None)]
    known = [jnp.asarray(each) for each in parts if each is not None]
    return jnp.concatenate(known, axis=1) if known else None


def _on_ranks(
    name: str,
    encoding: Encoding,
    chosen: Callable[[Aux], Array | None],
    requires: tuple[str, ...],
    *,
    with_features: bool,
) -> Predictor:
    """Returns a Gaussian process on the ranks of some inputs and, with `with_features`, also on features."""
    fit_process, predict_process = process(RBF, LENGTHS)

    def inputs(features: Array, values: Array | None, ordered: jax.Array) -> jax.Array:
        parts = [jnp.asarray(features)] if with_features else []
        if values is not None:
            ranks = jax.vmap(share_below, (1, 1), 1)(ordered, jnp.asarray(values))
            parts.append(2 * ranks)
        return jnp.concatenate(parts, axis=1)

    def fit(key: jax.Array, features: Array, y: Array, aux: Aux) -> RankedState:
        values = chosen(aux)
        known = jnp.isfinite(jnp.asarray(y))[:, None]
        ordered = jnp.zeros((len(y), 0)) if values is None else jnp.sort(jnp.where(known, values, jnp.nan), axis=0)
        return RankedState(ordered, fit_process(key, inputs(features, values, ordered), y, aux))

    def predict(state: RankedState, features: Array, aux: Aux) -> Prediction:
        return predict_process(state.process, inputs(features, chosen(aux), state.ordered), aux)

    return Predictor(name, encoding, fit, predict, requires)


def share_below(ordered: jax.Array, values: jax.Array) -> jax.Array:
    """Returns the share of sorted numbers below each value, ties counted half; NaN of NaN. Sorted NaNs do not count."""
    count = jnp.maximum(jnp.isfinite(ordered).sum(), 1)
    filled = jnp.where(jnp.isnan(ordered), jnp.inf, ordered)
    below, upto = (jnp.searchsorted(filled, values, side=side) for side in ("left", "right"))
    return jnp.where(jnp.isnan(values), jnp.nan, jnp.minimum((below + upto) / (2 * count), 1))


def rank_agreement(values: jax.Array, y: jax.Array) -> jax.Array:
    """Returns the rank correlation (Spearman, 1904) of the values known on both sides, times their share of scores."""
    known = jnp.isfinite(values) & jnp.isfinite(y)
    first, second = (
        standardized(jnp.where(known, share_below(jnp.sort(jnp.where(known, each, jnp.nan)), each), jnp.nan))[0]
        for each in (values, y)
    )
    return (first * second).sum() / jnp.maximum(jnp.isfinite(y).sum(), 1)
