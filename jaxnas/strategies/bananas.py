"""BANANAS: Bayesian optimization with an ensemble of small neural networks on encoded architectures."""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaxnas import prng
from jaxnas.checks import checked_function, checked_number, checked_size, checked_sizes
from jaxnas.predictors import networks
from jaxnas.predictors.base import Aux, Factory, Predictor, checked_learner, standardized
from jaxnas.spaces.base import Space
from jaxnas.spaces.encodings import Encoding
from jaxnas.strategies.base import Observation, Query, Strategy, factory_of_space, failed_as_worst, warn_of_short_run
from jaxnas.strategies.parts.draws import mutants
from jaxnas.strategies.parts.visited import seen

CITES = ("white2021bananas",)
MOST_RUNS = 100
"""The most runs in a comparison, which keeps it to seconds."""

NUM_LAYERS = 3
MINIBATCH_SIZE = 32


class EnsembleState(NamedTuple):
    """All trials of the run, and the queue of architectures to ask until the next refit.

    Trials are architectures int32[T, D] and scores float32[T], -inf if failed or still to come; the queue is
    int32[Q, D].
    """

    archs: jax.Array
    scores: jax.Array
    queue: jax.Array


Model = Callable[[jax.Array, EnsembleState, jax.Array, jax.Array], tuple[jax.Array, jax.Array]]
"""`(key, state, t, archs) -> means and deviations` of the scores of candidates, float32[C] each."""


@factory_of_space
def bananas(
    space: Space,
    *,
    num_startup: int = 10,
    refit_every: int = 10,
    num_candidates: int = 100,
    num_parents: int = 5,
    num_networks: int = 5,
    width: int = 20,
    num_steps: int = 100,
    learning_rate: float = 0.01,
    encoding: Encoding | None = None,
    predictor: Factory | None = None,
) -> Strategy:
    """Returns BANANAS: an ensemble of networks predicts scores, and Thompson samples of it choose among mutants.

    The first `num_startup` trials are uniform draws. Then, every `refit_every` trials, new networks are trained on all
    successful trials, candidates are made from the best architectures by one or two mutations, and those with the
    largest Thompson samples are asked next: independent draws from normal distributions with the mean and deviation of
    the ensemble. None is asked twice while there are other candidates; random draws fill up.

    White, Neiswanger and Savani, "BANANAS: Bayesian Optimization with Neural Architectures for Neural Architecture
    Search", AAAI 2021. Unlike there, networks have 3 hidden layers rather than 10 and train for a fixed number of steps
    on minibatches of 32, the loss is the absolute error of standardized scores, and paths are not truncated.

    Args:
        num_startup: random trials at the start.
        refit_every: trials between two refits.
        num_candidates: mutants among which the queries until the next refit are chosen.
        num_parents: how many of the best architectures are mutated.
        num_networks: networks of the ensemble.
        width: units of each hidden layer.
        num_steps: training steps, by Adam, at each refit.
        learning_rate: of these steps.
        encoding: a function of an architecture that returns its features float32[F], see `jaxnas.spaces.encodings`; by
            default `space.features` (paths in a cell space, one-hot choices in others), or the predictor's own.
        predictor: instead of the ensemble, a factory of predictors that can be compiled and need features only, such as
            `jn.predictors.predictor("gp_wl")`.
    """
    learner = None if predictor is None else checked_learner(predictor, space, jittable=True)
    sizes = checked_sizes(
        {
            "num_startup": num_startup,
            "refit_every": refit_every,
            "num_candidates": num_candidates,
            "num_parents": num_parents,
            "num_networks": num_networks,
            "width": width,
            "num_steps": num_steps,
        }
    )
    checked_size("num_candidates", num_candidates, refit_every)
    checked_number("learning_rate", learning_rate, above=0)
    own = space.features if learner is None else learner.encoding
    encode = jax.vmap(own if encoding is None else checked_function("encoding", encoding))
    if learner is None:
        fit = functools.partial(fitted, optax.adam(learning_rate), num_steps, width)
        model = functools.partial(_of_ensemble, fit, num_networks, encode)
    else:
        model = functools.partial(_of_predictor, learner, encode)
    choose = functools.partial(_chosen, space, model, num_candidates, num_parents)

    def init(key: jax.Array, num_trials: int) -> EnsembleState:
        warn_of_short_run("bananas", num_trials, num_startup + 1, "so that all are uniform draws")
        archs = jnp.zeros((num_trials, len(space.decisions)), jnp.int32)
        return EnsembleState(archs, jnp.full(num_trials, -jnp.inf), archs[: min(refit_every, num_trials)])

    def advance(state: EnsembleState, t: jax.Array, key: jax.Array) -> EnsembleState:
        refits = (t >= num_startup) & ((t - num_startup) % refit_every == 0)
        return state._replace(queue=jax.lax.cond(refits, choose, lambda state, t, key: state.queue, state, t, key))

    def ask(state: EnsembleState, t: jax.Array, key: jax.Array) -> Query:
        queued = state.queue[(t - num_startup) % refit_every % len(state.queue)]
        return Query(jnp.where(t < num_startup, space.sample(key), queued))

    def tell(state: EnsembleState, t: jax.Array, query: Query, observation: Observation) -> EnsembleState:
        archs, score = state.archs.at[t].set(query.arch), failed_as_worst(observation.score)
        return state._replace(archs=archs, scores=state.scores.at[t].set(score))

    others = (("learning_rate", learning_rate), ("encoding", encoding), ("predictor", learner and learner.name))
    return Strategy("bananas", init, ask, tell, advance, (*sizes, *others), batched=False)


def _chosen(
    space: Space,
    model: Model,
    num_candidates: int,
    num_parents: int,
    state: EnsembleState,
    t: jax.Array,
    key: jax.Array,
) -> jax.Array:
    """Returns the next queue: the candidates of the largest Thompson samples that were not asked yet, int32[Q, D]."""
    candidate_key, fit_key, sample_key, fill_key = jax.random.split(key, 4)
    archs = mutants(candidate_key, space, state.archs, state.scores, num_candidates, num_parents)
    means, deviations = model(fit_key, state, t, archs)
    samples = means + deviations * jax.random.normal(sample_key, (num_candidates,))
    samples = jnp.where(seen(archs, state.archs, t), -jnp.inf, samples)
    samples, best = jax.lax.top_k(samples, len(state.queue))
    fill = jax.vmap(space.sample)(jax.random.split(fill_key, len(state.queue)))
    return jnp.where((samples > -jnp.inf)[:, None], archs[best], fill)


def _of_predictor(
    learner: Predictor, encode: Encoding, key: jax.Array, state: EnsembleState, t: jax.Array, archs: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Returns means and deviations of candidates by a predictor."""
    known = jnp.where(state.scores > -jnp.inf, state.scores, jnp.nan)
    found = learner.fit(key, encode(state.archs), known, Aux())
    mean, deviation = map(jnp.asarray, learner.predict(found, encode(archs), Aux()))
    return jnp.where(jnp.isnan(mean), -jnp.inf, mean), jnp.nan_to_num(deviation)


def _of_ensemble(
    fit: Callable[..., networks.Layers],
    num_networks: int,
    encode: Encoding,
    key: jax.Array,
    state: EnsembleState,
    t: jax.Array,
    archs: jax.Array,
) -> tuple[jax.Array, jax.Array]:
    """Returns means and deviations of candidates over networks that are trained on the trials."""
    fit_keys = jax.random.split(key, num_networks)
    layers = jax.vmap(fit, (0, None, None, None))(fit_keys, encode(state.archs), state.scores, t)
    predictions = jax.vmap(networks.outputs, (0, None))(layers, encode(archs))[..., 0]
    return predictions.mean(0), predictions.std(0)


def fitted(
    optimizer: optax.GradientTransformation,
    num_steps: int,
    width: int,
    key: jax.Array,
    features: jax.Array,
    scores: jax.Array,
    t: jax.Array,
) -> networks.Layers:
    """Returns a network that is trained on the successful ones of the first t trials."""
    init_key, batch_key = jax.random.split(key)
    layers = networks.new_layers(init_key, [features.shape[1], *[width] * NUM_LAYERS, 1])
    targets, succeeded, _ = standardized(scores)

    def loss(layers: networks.Layers, rows: jax.Array) -> jax.Array:
        errors = jnp.abs(networks.outputs(layers, features[rows])[:, 0] - targets[rows])
        return jnp.where(succeeded[rows], errors, 0).mean()

    return networks.descended(optimizer, loss, layers, prng.draw_index(batch_key, t, (num_steps, MINIBATCH_SIZE)))
