"""Drawing architectures to ask: from independent distributions, by mutation of the best, and the best of several by a
score that costs nothing, such as a zero-cost proxy.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas.checks import checked_function, checked_size
from jaxnas.spaces.base import Space
from jaxnas.spaces.decisions import cardinalities
from jaxnas.strategies.base import failed_as_worst

MAX_EDITS = 2
Prefilter = Callable[[jax.Array], jax.Array]
"""`arch int32[D] -> float32`: the larger the better, such as `bench.size("nwot")`; NaN is worse than all others."""
POOL_SIZE = 10


def uniform_marginals(space: Space) -> jax.Array:
    """Returns the same probability for all values of each decision, float32[D, V], 0 beyond a decision's own."""
    sizes = cardinalities(space.decisions)[:, None]
    return jnp.asarray((np.arange(sizes.max()) < sizes) / sizes, jnp.float32)


def draw_choices(key: jax.Array, marginals: jax.Array, space: Space) -> jax.Array:
    """Returns an architecture int32[D] whose decisions are drawn independently, with one random word each.

    Args:
        marginals: the probabilities of each decision's values up to a factor, float32[D, V], 0 beyond its own.
    """
    cumulative = jnp.cumsum(marginals, axis=1)
    thresholds = jax.random.uniform(key, (len(marginals),)) * cumulative[:, -1]
    choices = (cumulative <= thresholds[:, None]).sum(1, dtype=jnp.int32)
    return jnp.minimum(choices, cardinalities(space.decisions) - 1)  # against rounding


def mutants(
    key: jax.Array, space: Space, archs: jax.Array, scores: jax.Array, number: int, num_parents: int
) -> jax.Array:
    """Returns mutants of the best architectures, int32[number, D], of one or two edits each.

    They are mutants of random architectures while no trial has succeeded.

    Args:
        archs, scores: the trials so far, int32[T, D] and float32[T]; -inf for failed or to come.
    """
    key, sample_key = jax.random.split(key)
    best_scores, best = jax.lax.top_k(scores, min(num_parents, len(scores)))
    num_found = jnp.maximum((best_scores > -jnp.inf).sum(), 1)
    parents = archs[best[jnp.arange(number) % num_found]]
    drawn = jax.vmap(space.sample)(jax.random.split(sample_key, number))
    mutated = jnp.where(best_scores[0] > -jnp.inf, parents, drawn)
    for edit, edit_key in enumerate(jax.random.split(key, MAX_EDITS)):
        edited = jax.vmap(space.mutate)(jax.random.split(edit_key, number), mutated)
        mutated = jnp.where((jnp.arange(number) // num_found % MAX_EDITS >= edit)[:, None], edited, mutated)
    return mutated


def checked_prefilter(prefilter: Prefilter | None, pool_size: int) -> tuple[tuple[str, object], ...]:
    """Returns the hyperparameters to report, a prefilter by its name. Raises ValueError on wrong ones."""
    checked_size("pool_size", pool_size)
    name = None
    if prefilter is not None:
        name = getattr(checked_function("prefilter", prefilter), "__name__", type(prefilter).__name__)
    return ("prefilter", name), ("pool_size", pool_size)


def best_drawn(
    key: jax.Array, draw: Callable[[jax.Array], jax.Array], prefilter: Prefilter, pool_size: int
) -> jax.Array:
    """Returns the best by a prefilter of architectures that `draw(key) -> arch` gives; the first of equals."""
    archs = jax.vmap(draw)(jax.random.split(key, pool_size))
    return archs[jnp.argmax(failed_as_worst(jax.vmap(prefilter)(archs)))]
