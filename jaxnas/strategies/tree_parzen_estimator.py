"""Bayesian optimization with Parzen estimators of good and of other architectures."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas import prng
from jaxnas.checks import checked_number, checked_sizes
from jaxnas.spaces.base import Space
from jaxnas.spaces.decisions import cardinalities, num_combinations
from jaxnas.strategies.base import Observation, Query, Strategy, factory_of_space, warn_of_short_run

CITES = ("bergstra2011algorithms", "akiba2019optuna")
MOST_RUNS = 300
"""The most runs in a comparison, which keeps it to seconds."""

MAX_GOOD = 25
NUM_RECENT = 25
MAX_ARCHITECTURES = 2**200
"""More of them, and products over the decisions leave float32."""
TOLERANCE = 1e-4
"""Logarithms of ratios that differ by less are equal; equal ones differ by less, however their sums are rounded."""


class ParzenState(NamedTuple):
    """The successful trials of the run in their order, and the best of them.

    Attributes:
        choices: their architectures, a column each, int32[D, T]; columns past `num_succeeded` mean nothing.
        best: the numbers of the best trials, the best first, ties in order of time, int32[MAX_GOOD].
        best_scores: the scores of `best`, padded with -inf, float32[MAX_GOOD].
        num_succeeded: the number of successful trials, int32[].
    """

    choices: jax.Array
    best: jax.Array
    best_scores: jax.Array
    num_succeeded: jax.Array


class Mixture(NamedTuple):
    """A mixture of one kernel around each of N architectures and of a uniform distribution, the prior.

    Attributes:
        choices: the architectures, a column each, int32[D, N].
        weights: of their kernels, float32[N], 0 for columns without one; the uniform part has the prior weight.
        smoothing: the unnormalized mass of each value in a kernel; the architecture's own value has 1 more, float32[].
    """

    choices: jax.Array
    weights: jax.Array
    smoothing: jax.Array


@factory_of_space
def tree_parzen_estimator(
    space: Space, *, num_startup: int = 10, num_candidates: int = 24, good_share: float = 0.1, prior_weight: float = 1.0
) -> Strategy:
    """Returns the tree-structured Parzen estimator (TPE): the candidate that is most typical of good architectures.

    Trials are uniform draws until `num_startup` succeeded. Then the best `good_share` of the trials, at most 25, are
    good. Candidates are drawn from a Parzen estimator of the good ones, and the one with the largest ratio of its
    density there to its density under the other trials is queried; among the others the oldest weigh least. Kernels
    are products over the decisions. Architectures can be queried again; failed trials do not count.

    Bergstra, Bardenet, Bengio and Kégl, "Algorithms for Hyper-Parameter Optimization", NeurIPS 2011; Bergstra, Yamins
    and Cox, "Making a Science of Model Search", ICML 2013. Kernels, weights and defaults follow the multivariate
    `TPESampler` of Optuna 5: Akiba, Sano, Yanase, Ohta and Koyama, KDD 2019; Watanabe, "Tree-Structured Parzen
    Estimator", 2023. Two things differ from Optuna: densities are float32 (of ratios within 1e-4 the first candidate
    wins), and scores that are not finite are failures.

    Rows of an enumerated space share no decisions, so little is learned over them. A query takes time in proportion to
    candidates times trials times decisions. Runs are computed one after another: side by side their kernels would
    leave the caches.

    Args:
        num_startup: successful trials at the start that are drawn uniformly.
        num_candidates: draws from the estimator of the good ones for each query.
        good_share: the share of the trials that are good, rounded up.
        prior_weight: the weight of the uniform part of the estimators and of their kernels.

    Raises ValueError on a space of more than 2**200 architectures.
    """
    known = checked_sizes({"num_startup": num_startup, "num_candidates": num_candidates})
    checked_number("good_share", good_share, above=0, at_most=1)
    checked_number("prior_weight", prior_weight, above=0)
    if num_combinations(space.decisions) > MAX_ARCHITECTURES:
        raise ValueError(f"Expected a space of at most 2**200 architectures, got {space.num_architectures:,}.")
    sizes = cardinalities(space.decisions)

    def init(key: jax.Array, num_trials: int) -> ParzenState:
        warn_of_short_run("tree_parzen_estimator", num_trials, num_startup + 1, "so that all are uniform draws")
        choices = jnp.zeros((len(sizes), num_trials), jnp.int32)
        best = jnp.zeros(MAX_GOOD, jnp.int32)
        return ParzenState(choices, best, jnp.full(MAX_GOOD, -jnp.inf), jnp.int32(0))

    def ask(state: ParzenState, t: jax.Array, key: jax.Array) -> Query:
        good, other = estimators(state, good_share, prior_weight)
        candidates = draw_candidates(jax.random.fold_in(key, 1), good, prior_weight, sizes, num_candidates)
        ratios = log_density(candidates, good, prior_weight, sizes) - log_density(
            candidates, other, prior_weight, sizes
        )
        promising = candidates[:, jnp.argmax(ratios > ratios.max() - TOLERANCE)]
        promising = space.repaired(jax.random.fold_in(key, 2), promising)
        return Query(jnp.where(state.num_succeeded < num_startup, space.sample(key), promising))

    def tell(state: ParzenState, t: jax.Array, query: Query, observation: Observation) -> ParzenState:
        succeeded = jnp.isfinite(observation.score)
        score = jnp.where(succeeded, observation.score, -jnp.inf)
        choices = state.choices.at[:, state.num_succeeded].set(query.arch)  # a failed trial's column is overwritten
        place, places = (state.best_scores >= score).sum(), np.arange(MAX_GOOD)

        def insert(values: jax.Array, value: jax.Array) -> jax.Array:
            return jnp.where(places < place, values, jnp.where(places == place, value, jnp.roll(values, 1)))

        best, best_scores = insert(state.best, state.num_succeeded), insert(state.best_scores, score)
        return ParzenState(choices, best, best_scores, state.num_succeeded + succeeded)

    hyperparameters = (*known, ("good_share", good_share), ("prior_weight", prior_weight))
    name = "tree_parzen_estimator"
    return Strategy(name, init, ask, tell, hyperparameters=hyperparameters, batched=False, padded=True)


def estimators(state: ParzenState, good_share: float, prior_weight: float) -> tuple[Mixture, Mixture]:
    """Returns the estimators of the good trials, N of MAX_GOOD, and of the others, N of all."""
    num_good = jnp.minimum(jnp.ceil(good_share * state.num_succeeded).astype(jnp.int32), MAX_GOOD)
    is_good = np.arange(MAX_GOOD) < num_good
    good = Mixture(state.choices[:, state.best], jnp.asarray(is_good, jnp.float32), prior_weight / (num_good + 1))

    numbers = np.arange(state.choices.shape[1])[:, None]
    good_numbers = jnp.where(is_good, state.best, len(numbers))
    is_other = (good_numbers != numbers).all(1) & (numbers[:, 0] < state.num_succeeded)
    places = jnp.asarray(numbers[:, 0] - (good_numbers < numbers).sum(1))
    num_other = state.num_succeeded - num_good
    weights = jnp.where(is_other, recency_weights(places, num_other), 0)
    return good, Mixture(state.choices, weights, prior_weight / (num_other + 1))


def recency_weights(places: jax.Array, number: jax.Array) -> jax.Array:
    """Returns the weights of the trials at these places of a `number` in all, the oldest at place 0, float32.

    The last 25 have 1; before them the weights rise in a line from 1 / number to 1.
    """
    lowest = 1 / jnp.maximum(number, 1)
    num_rising = number - NUM_RECENT
    rising = lowest + places * (1 - lowest) / jnp.maximum(num_rising - 1, 1)
    return jnp.where(places < num_rising, rising, 1)


def draw_candidates(key: jax.Array, mixture: Mixture, prior_weight: float, sizes: np.ndarray, number: int) -> jax.Array:
    """Returns draws from a mixture whose weights are 1 and then 0, a column each, int32[D, C].

    A kernel is the architecture's own value with probability 1 / (1 + size * smoothing), a uniform draw otherwise.
    """
    keys = jax.random.split(key, 3)
    num_kernels, shape = mixture.weights.sum(), (len(sizes), number)
    kernels = jnp.floor(jax.random.uniform(keys[0], (number,)) * (num_kernels + prior_weight))
    centers = mixture.choices[:, jnp.minimum(kernels, mixture.choices.shape[1] - 1).astype(jnp.int32)]
    is_own = jax.random.uniform(keys[1], shape) * (1 + sizes[:, None] * mixture.smoothing) < 1
    return jnp.where(is_own & (kernels < num_kernels), centers, prng.draw_index(keys[2], sizes[:, None], shape))


def log_density(candidates: jax.Array, mixture: Mixture, prior_weight: float, sizes: np.ndarray) -> jax.Array:
    """Returns the logarithms of a mixture's density at candidates int32[D, C], float32[C]."""
    # Up to a factor of the square root of the number of architectures, which keeps products within float32.
    root = np.sqrt(sizes)
    scale = root / (1 + sizes * mixture.smoothing)
    own, others = (1 + mixture.smoothing) * scale, mixture.smoothing * scale
    kernels = mixture.weights
    for decision in range(len(sizes)):  # one decision at a time: no array of all of them
        same = candidates[decision][:, None] == mixture.choices[decision]
        kernels = kernels * jnp.where(same, own[decision], others[decision])
    log_root = np.float32(np.log(root).sum())
    density = (kernels.sum(1) + prior_weight * np.exp(-log_root)) / (mixture.weights.sum() + prior_weight)
    return jnp.log(density) - log_root
