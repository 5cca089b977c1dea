"""Choosing what to ask among several draws by a score that costs nothing, such as a zero-cost proxy."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from jaxnas.checks import checked_function, checked_size
from jaxnas.strategies.base import failed_as_worst

Prefilter = Callable[[jax.Array], jax.Array]
"""`arch int32[D] -> float32`: the larger the better, such as `bench.size("nwot")`; NaN is worse than all others."""
POOL_SIZE = 10


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
