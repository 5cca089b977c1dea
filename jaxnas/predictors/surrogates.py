"""Fitting a surrogate: a small network for the scores of a whole space, and models of noise and prices.

A predictor (the teacher) learns from the architectures that were trained. The network is trained on the teacher's
predictions for many more, because a query of it takes a microsecond.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas import prng
from jaxnas.predictors import networks
from jaxnas.predictors.base import SMALLEST_ERROR, Array, Aux, Factory, Predictor, checked_learner, compiled
from jaxnas.predictors.folds import cross_validated
from jaxnas.spaces import decisions
from jaxnas.spaces.base import Space
from jaxnas.spaces.cells.space import CellSpace

WIDTH = 64
NUM_TAUGHT = 8_192
NUM_STEPS = 4_000
MOST_COMPONENTS = 3
CHUNK = 512
SMALLEST_VARIANCE = 1e-8


class Trained(NamedTuple):
    """The data of n trained architectures, S runs of each.

    Attributes:
        archs: int32[n, D].
        groups: a number for each, equal for equal networks, int[n].
        scores: scores that searches observe, at F fidelities, larger is better, float64[n, S, F]; NaN if missing.
        reported: the mean reported score of each, float64[n].
        sizes: by name, float64[n] each.
        prices: the price of a query at each fidelity, float64[n, F].
    """

    archs: np.ndarray
    groups: np.ndarray
    scores: np.ndarray
    reported: np.ndarray
    sizes: dict[str, np.ndarray]
    prices: np.ndarray


class Surrogate(NamedTuple):
    """The arrays of a surrogate of F fidelities, in units of `Target`.

    Attributes:
        layers: of the network, from the inputs to C components.
        basis: float32[C, F + 1]: observed values at each fidelity, and the reported value last.
        center: the means of these values, float32[F + 1].
        noise: coefficients, at each fidelity, of the logarithm of the variance of a run: 1, u, u^2, float32[F, 3];
            u is the standardized observed value at the last fidelity.
        shared: the correlation of a run's noise at each fidelity with its noise at the last, float32[F].
        interval: likewise, for the variance of a run about its prediction, float32[3].
        standard: mean and deviation of the observed value at the last fidelity, for u, float32[2].
        lines: for each size and then for the logarithm of each price, float32[Z, I + 1], the intercept last.
    """

    layers: networks.Layers
    basis: Array
    center: Array
    noise: Array
    shared: Array
    interval: Array
    standard: Array
    lines: Array


class Target(NamedTuple):
    """The function of scores that is modeled, and its inverse: `(value, variance) -> mean score`."""

    forward: Callable[[np.ndarray], np.ndarray]
    backward: Callable[[Array, Array | float], jax.Array]


PROPORTION = Target(
    lambda score: -np.log(np.maximum(1 - score, SMALLEST_ERROR)),
    lambda value, variance: 1 - jnp.exp(-value + variance / 2),
)
PLAIN = Target(lambda score: score, lambda value, variance: jnp.asarray(value))


@functools.cache
def inputs_of(space: Space) -> Callable[[jax.Array], jax.Array]:
    """Returns the function of an architecture that gives the network's inputs: choices, one-hot, without dead edges."""
    return lambda arch: decisions.one_hot(live_choices(space, arch), space.plain.decisions)


def live_choices(space: Space, arch: jax.Array) -> jax.Array:
    """Returns the choices of an architecture, of a cell without its dead edges, int32[D]."""
    choices = space.choices(arch)
    return space.plain.pruned(choices) if isinstance(space.plain, CellSpace) else choices


class Fit(NamedTuple):
    """A surrogate, and the cross-validated predictions of its teacher for each architecture, float64[n]."""

    surrogate: Surrogate
    cross_validated: np.ndarray
    taught: float


def fit(space: Space, trained: Trained, factory: Factory, target: Target, *, seed: int = 0) -> Fit:
    """Returns a surrogate fitted to trained architectures.

    Means, components, noise and lines are fitted to the values of `target`. The interval is fitted to residuals of
    cross-validation and scaled to contain 95 % of them.

    Args:
        space: the space of the architectures and of queries; it may be the rows or a part of another one.
        factory: the factory of the teacher, a predictor that learns from features.
    """
    key = prng.make_key(seed, "hash")  # quicker to compile than threefry
    runs = target.forward(trained.scores)
    told = _mean_of_runs(runs)
    values = np.concatenate([told, target.forward(trained.reported)[:, None]], axis=1)
    center, basis, components = principal(values)
    predictor = compiled(checked_learner(factory, space))
    features = np.asarray(jax.jit(jax.vmap(predictor.encoding))(trained.archs))
    held_out = np.asarray(
        cross_validated(predictor, key, features, told[:, -1].astype(np.float32), Aux(), trained.groups).mean,
        np.float64,
    )
    archs = np.asarray(jax.jit(jax.vmap(space.sample))(jax.random.split(jax.random.fold_in(key, 1), NUM_TAUGHT)))
    archs = np.concatenate([archs, trained.archs])
    taught = np.stack([_taught(predictor, key, features, component, archs) for component in components.T], axis=1)
    inputs = np.asarray(jax.jit(jax.vmap(inputs_of(space)))(archs))
    layers = _student(jax.random.fold_in(key, 2), inputs, taught)
    said = np.asarray(networks.outputs(layers, inputs)) @ basis + center
    standard = np.asarray([told[:, -1].mean(), max(told[:, -1].std(), 1e-6)])
    noise, shared = noise_of(runs, told, standard)
    residuals = runs[..., -1] - held_out[:, None]
    interval = _scaled(residuals, held_out, log_variance(residuals, held_out, standard), standard)
    own = inputs[NUM_TAUGHT:]
    lines = [*trained.sizes.values(), *np.log(np.maximum(trained.prices, 1e-9)).T]
    found = Surrogate(
        layers, basis, center, noise, shared, interval, standard, np.stack([line_of(own, values) for values in lines])
    )
    surrogate: Surrogate = jax.tree.map(lambda values: jnp.asarray(values, jnp.float32), found)
    fidelity = float(np.corrcoef(said[:NUM_TAUGHT, -2], (taught @ basis + center)[:NUM_TAUGHT, -2])[0, 1])
    return Fit(surrogate, held_out, fidelity)


def _mean_of_runs(runs: np.ndarray) -> np.ndarray:
    known = ~np.isnan(runs)
    return np.where(known, runs, 0).sum(1) / np.maximum(known.sum(1), 1)


def principal(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns means [K], the first directions [C, K] and coordinates [n, C] of values [n, K], C of three or fewer."""
    center = values.mean(0)
    _, sizes, directions = np.linalg.svd(values - center, full_matrices=False)
    count = max(1, min(MOST_COMPONENTS, int((sizes > 1e-6 * sizes[0]).sum())))
    return center, directions[:count], (values - center) @ directions[:count].T


def _taught(predictor: Predictor, key: jax.Array, features: np.ndarray, y: np.ndarray, archs: np.ndarray) -> np.ndarray:
    """Returns the predictions for architectures after a fit to all, float32[N], in chunks of one program."""
    state = predictor.fit(key, features, y.astype(np.float32), Aux())
    encode = jax.jit(jax.vmap(predictor.encoding))
    found = []
    for start in range(0, len(archs), CHUNK):
        part = archs[start : start + CHUNK]
        padded = np.concatenate([part, np.repeat(part[:1], CHUNK - len(part), axis=0)])
        mean = predictor.predict(state, np.asarray(encode(padded)), Aux()).mean
        found.append(np.asarray(mean)[: len(part)])
    return np.concatenate(found)


@jax.jit
def _student(key: jax.Array, inputs: jax.Array, targets: jax.Array) -> networks.Layers:
    """Returns the layers of a network that reproduces the teacher's predictions `targets`, float32[N, C]."""
    width = jnp.maximum(targets.std(0), 1e-6)
    layers = networks.new_layers(key, [inputs.shape[1], WIDTH, WIDTH, targets.shape[1]])
    layers = networks.trained(
        jax.random.fold_in(key, 1),
        layers,
        lambda layers, rows: networks.outputs(layers, inputs[rows]),
        targets / width,
        jnp.ones(len(inputs), bool),
        num_steps=NUM_STEPS,
        batch_size=128,
        learning_rate=0.003,
    )
    weights, bias = layers[-1]
    return [*layers[:-1], (weights * width, bias * width)]


def noise_of(runs: np.ndarray, told: np.ndarray, standard: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the coefficients of the runs' variance [F, 3], and how runs' noise agrees with the last fidelity's [F].

    From architectures with two runs or more; without any, there is no noise.
    """
    count = (~np.isnan(runs)).sum(1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        residuals = np.where(count > 1, (runs - told[:, None]) * np.sqrt(count / (count - 1)), np.nan)
    num_fidelities = runs.shape[2]
    if np.isnan(residuals).all():
        return np.tile([np.log(SMALLEST_VARIANCE), 0, 0], (num_fidelities, 1)), np.ones(num_fidelities)
    noise = np.stack(
        [log_variance(residuals[..., position], told[:, -1], standard) for position in range(num_fidelities)]
    )
    last = residuals[..., -1]
    known = ~np.isnan(last)
    shared = [np.corrcoef(residuals[..., position][known], last[known])[0, 1] for position in range(num_fidelities)]
    return noise, np.clip(np.nan_to_num(shared, nan=1.0), -1, 1)


def log_variance(residuals: np.ndarray, values: np.ndarray, standard: np.ndarray) -> np.ndarray:
    """Returns the coefficients of 1, u and u^2 in the logarithm of the variance of residuals [n, S], most likely ones.

    By Fisher scoring for normal residuals with variance exp(X b): a regression of r^2 / v - 1, a few times.
    """
    u = np.broadcast_to(((values - standard[0]) / standard[1]).clip(-3, 3)[:, None], residuals.shape)
    known = ~np.isnan(residuals)
    design, squares = powers(u[known]), residuals[known] ** 2 + SMALLEST_VARIANCE
    found = np.asarray([np.log(squares.mean()), 0, 0])
    scale = np.linalg.inv(design.T @ design + 0.1 * np.eye(3))
    for _ in range(30):
        ratio = np.minimum(squares * np.exp(-design @ found), 25)
        found = found + 0.5 * scale @ (design.T @ (ratio - 1))
    return found


def powers(u: Any) -> Any:
    """Returns 1, u and u^2 on a last axis."""
    return np.stack([np.ones_like(u), u, u**2], axis=-1) if isinstance(u, np.ndarray) else jnp.stack([u**0, u, u**2])


def _scaled(residuals: np.ndarray, values: np.ndarray, found: np.ndarray, standard: np.ndarray) -> np.ndarray:
    """Returns coefficients whose 95 % interval holds 95 % of the residuals."""
    u = ((values - standard[0]) / standard[1]).clip(-3, 3)
    z = np.abs(residuals) * np.exp(-powers(u) @ found / 2)[:, None]
    factor = np.nanquantile(z, 0.95) / 1.959964
    return found + np.asarray([2 * np.log(factor), 0, 0])


def line_of(inputs: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Returns weights and intercept of a linear function, by ridge regression, float64[I + 1]."""
    known = np.isfinite(values)
    rows, found = inputs[known].astype(np.float64), np.asarray(values, np.float64)[known]
    if not len(rows):
        return np.full(inputs.shape[1] + 1, np.nan)
    mean = rows.mean(0)
    centered = rows - mean
    weights = np.linalg.solve(centered.T @ centered + 1e-3 * np.eye(rows.shape[1]), centered.T @ (found - found.mean()))
    return np.append(weights, found.mean() - mean @ weights)
