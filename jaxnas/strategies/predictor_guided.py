"""Search guided by a predictor: any regressor with the methods of scikit-learn."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas.checks import checked_function, checked_size, checked_sizes
from jaxnas.predictors.base import Aux, Factory, Predictor, checked_learner, compiled
from jaxnas.predictors.regressors import Regressor
from jaxnas.spaces.base import Space
from jaxnas.spaces.encodings import Encoding, one_hot
from jaxnas.strategies.base import Observation, Query, Strategy, factory_of_space, warn_of_short_run
from jaxnas.strategies.parts.draws import mutants
from jaxnas.strategies.parts.visited import seen

CITES = ("wen2020neural",)
MOST_RUNS = 10
"""The most runs in a comparison, which keeps it to seconds."""

NUM_PARENTS = 5
NUM_TREES = 30


class PredictorState(NamedTuple):
    """All trials of the run, int32[T, D] and float32[T] (-inf: failed or to come), and the next queries, int32[Q, D].

    NumPy arrays, never changed in place.
    """

    archs: np.ndarray
    scores: np.ndarray
    queue: np.ndarray


@factory_of_space
def predictor_guided(
    space: Space,
    *,
    regressor_factory: Callable[[], Regressor] | None = None,
    num_startup: int = 20,
    num_candidates: int = 200,
    refit_every: int = 10,
    encoding: Encoding | None = None,
    predictor: Factory | None = None,
) -> Strategy:
    """Returns search by a predictor: of many candidates, those with the largest predicted scores are asked.

    The first `num_startup` trials are uniform draws. Then, every `refit_every` trials, a new regressor is fitted to all
    successful trials and the best predicted candidates are asked next. Half of the candidates are uniform draws, half
    are mutants of the five best architectures, of one or two edits. None is asked twice while there are others; random
    draws fill up. Runs loop in Python. Wen, Liu, Chen, Li, Bender and Kindermans, "Neural Predictor for Neural
    Architecture Search", ECCV 2020, fit once and draw uniformly; refits and mutants are from model-based search.

    Args:
        regressor_factory: returns a new regressor with `fit(X, y)` and `predict(X)`, such as a class of scikit-learn; a
            `random_state` of None is set from the key of the run. By default scikit-learn's `RandomForestRegressor` of
            30 trees; with its own 100, searches take three times as long.
        num_startup: random trials at the start.
        num_candidates: architectures among which the queries until the next refit are chosen.
        refit_every: trials between two refits.
        encoding: a function of an architecture that returns its features float32[F], see `jaxnas.spaces.encodings`; by
            default the predictor's own, or `one_hot`.
        predictor: instead of a regressor, a factory of predictors that need features only, such as
            `jn.predictors.predictor("gp_wl")`.
    """
    if predictor is not None and regressor_factory is not None:
        raise ValueError("Expected a regressor_factory or a predictor, got both.")
    learner = None if predictor is None else compiled(checked_learner(predictor, space))
    factory = checked_function("regressor_factory", _random_forest if regressor_factory is None else regressor_factory)
    sizes = {"num_startup": num_startup, "num_candidates": num_candidates, "refit_every": refit_every}
    known = checked_sizes(sizes)
    checked_size("num_candidates", num_candidates, refit_every)
    own = one_hot(space) if learner is None else learner.encoding
    encode = own if encoding is None else checked_function("encoding", encoding)
    predicted = (
        functools.partial(_by_regressor, factory) if learner is None else functools.partial(_by_learner, learner)
    )
    sample = jax.jit(space.sample)
    prepare = jax.jit(functools.partial(_refit, space, jax.vmap(encode), num_candidates))

    def init(key: jax.Array, num_trials: int) -> PredictorState:
        warn_of_short_run("predictor_guided", num_trials, num_startup + 1, "so that all are uniform draws")
        archs = np.zeros((num_trials, len(space.decisions)), np.int32)
        return PredictorState(archs, np.full(num_trials, -np.inf, np.float32), archs[: min(refit_every, num_trials)])

    def advance(state: PredictorState, t: jax.Array, key: jax.Array) -> PredictorState:
        if t < num_startup or (t - num_startup) % refit_every:
            return state
        refit = _Refit(*map(np.asarray, prepare(key, state, t)))
        any_succeeded = np.isfinite(state.scores).any()
        predictions = predicted(state.scores, refit) if any_succeeded else np.zeros(len(refit.candidates))
        best = np.argsort(np.where(refit.new, -predictions, np.inf), kind="stable")[: len(state.queue)]
        return state._replace(queue=np.where(refit.new[best, None], refit.candidates[best], refit.fill))

    def ask(state: PredictorState, t: jax.Array, key: jax.Array) -> Query:
        queued = (t - num_startup) % refit_every
        arch: Any = np.asarray(sample(key)) if t < num_startup else state.queue[queued]
        return Query(arch)

    def tell(state: PredictorState, t: jax.Array, query: Query, observation: Observation) -> PredictorState:
        archs, scores = state.archs.copy(), state.scores.copy()
        archs[t] = query.arch
        scores[t] = observation.score if np.isfinite(observation.score) else -np.inf
        return state._replace(archs=archs, scores=scores)

    others = (("encoding", encoding), ("predictor", learner and learner.name))
    hyperparameters = (("regressor_factory", regressor_factory), *known, *others)
    return Strategy("predictor_guided", init, ask, tell, advance, hyperparameters, jittable=False)


class _Refit(NamedTuple):
    """The inputs of a refit, in one call of a compiled program.

    Candidates int32[C, D], which of them are new bool[C] (not among the trials, no repeats) and their features [C, F];
    the features of the trials [T, F]; draws at random int32[Q, D]; the seed of the regressor.
    """

    candidates: np.ndarray
    new: np.ndarray
    features: np.ndarray
    told: np.ndarray
    fill: np.ndarray
    seed: np.ndarray


def _refit(space: Space, encode: Callable, number: int, key: jax.Array, state: PredictorState, t: jax.Array) -> tuple:
    """Returns the fields of `_Refit` for the first t trials of a run."""
    draw_key, mutant_key = jax.random.split(key)
    archs, scores, num_mutants = jnp.asarray(state.archs), jnp.asarray(state.scores), number // 2
    drawn = jax.vmap(space.sample)(jax.random.split(draw_key, number - num_mutants))
    mutated = mutants(mutant_key, space, archs, scores, num_mutants, NUM_PARENTS)
    candidates = jnp.concatenate([mutated, drawn])
    fill = jax.vmap(space.sample)(jax.random.split(jax.random.fold_in(key, 2), len(state.queue)))
    seed = jax.random.bits(jax.random.fold_in(key, 1), (), jnp.uint32)
    return candidates, ~seen(candidates, archs, t), encode(candidates), encode(archs), fill, seed


def _by_learner(learner: Predictor, scores: np.ndarray, refit: _Refit) -> np.ndarray:
    """Returns the scores of candidates by a predictor fitted to the trials of these scores, float[C]."""
    y = np.where(np.isfinite(scores), scores, np.float32(np.nan))
    state = learner.fit(jax.random.key(int(refit.seed)), refit.told, y, Aux())
    mean = learner.predict(state, refit.features, Aux()).mean
    return np.nan_to_num(np.asarray(mean), nan=-np.inf)


def _by_regressor(factory: Callable[[], Regressor], scores: np.ndarray, refit: _Refit) -> np.ndarray:
    """Returns the scores of candidates by a new regressor, float[C]."""
    regressor, succeeded = _seeded(factory(), int(refit.seed)), np.isfinite(scores)
    regressor.fit(refit.told[succeeded], scores[succeeded])
    return np.asarray(regressor.predict(refit.features)).reshape(len(refit.candidates))


def _random_forest() -> Regressor:
    from sklearn.ensemble import RandomForestRegressor

    return RandomForestRegressor(n_estimators=NUM_TREES)


def _seeded(regressor: Any, seed: int) -> Regressor:
    """Returns the regressor, with its `random_state` set if it has one that is None."""
    parameters = regressor.get_params() if hasattr(regressor, "get_params") else {}
    return regressor.set_params(random_state=seed) if parameters.get("random_state", seed) is None else regressor
