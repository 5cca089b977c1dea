"""BOHB: Hyperband whose new architectures come from a ratio of densities."""

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from jaxnas import prng
from jaxnas.checks import checked_number, checked_size
from jaxnas.spaces.base import Space
from jaxnas.spaces.decisions import cardinalities
from jaxnas.strategies.base import Strategy, factory_of_space
from jaxnas.strategies.parts.rungs import (
    BracketState,
    Plan,
    checked_fidelities,
    choose_rungs,
    hyperband_brackets,
    plan_trials,
    synchronous_strategy,
)

CITES = ("falkner2018bohb",)
MOST_RUNS = 100
"""The most runs in a comparison, which keeps it to seconds."""


@factory_of_space
def bohb(
    space: Space,
    *,
    fidelities: tuple[float, ...],
    reduction: int = 3,
    random_share: float = 1 / 3,
    good_share: float = 0.15,
    num_candidates: int = 64,
    resume: bool = True,
) -> Strategy:
    """Returns BOHB: Hyperband whose new architectures are likely among the good ones so far and unlikely among the bad.

    A model is fitted to all trials of the highest rung that has D + 3 of them, for D decisions: one kernel density of
    the best `good_share` of those trials and one of the others, each of at least D + 1 trials, so they may overlap. Of
    candidates drawn from the first, the one with the largest ratio of the densities is queried. Failed trials are
    never good. Falkner, Klein and Hutter, "BOHB: Robust and Efficient Hyperparameter Optimization at Scale", ICML 2018,
    with its defaults.

    Kernels are products over the categorical decisions: a kernel keeps each value of its trial, or with probability w
    draws it again (Aitchison and Aitken, Biometrika 1976). Here w is n ** (-1 / (4 + D)) for n trials, Scott's rate
    alone; the authors' code multiplies it by the standard deviation of the values' numbers, which has no meaning for
    categories.

    Args:
        fidelities, reduction, resume: as in `hyperband`.
        random_share: the share of new architectures that are uniform draws even though there is a model.
        good_share: the share of trials that are good ones.
        num_candidates: candidates for a new architecture.
    """
    rungs = choose_rungs(checked_fidelities(fidelities), checked_size("reduction", reduction, smallest=2))
    checked_number("random_share", random_share, at_least=0, at_most=1)
    checked_number("good_share", good_share, above=0, at_most=1)
    checked_size("num_candidates", num_candidates)
    brackets = hyperband_brackets(len(rungs), reduction)
    fewest = len(space.decisions) + 1

    def draw(state: BracketState, t: jax.Array, key: jax.Array) -> jax.Array:
        plan = plan_trials(brackets, len(state.scores))
        highest, sizes = _modeled(plan, fewest + 2)
        rung, size = jnp.asarray(highest)[t], jnp.asarray(sizes)[t]
        keys = [jax.random.fold_in(key, number) for number in range(3)]

        def from_model(state: BracketState) -> jax.Array:
            on_rung = (jnp.asarray(plan.rung) == rung) & (np.arange(len(state.scores)) < t)
            order = jnp.argsort(jnp.where(on_rung, -state.scores, jnp.nan))  # failed ones last, then those not on it
            order = order[: sizes.max()]
            archs, scores = state.archs[order], state.scores[order]
            num_good = jnp.maximum(fewest, jnp.floor(good_share * size).astype(jnp.int32))
            numbers = jnp.arange(len(order))
            good = (numbers < num_good) & (scores > -jnp.inf)
            bad = (numbers >= size - jnp.maximum(fewest, size - num_good)) & (numbers < size)
            candidates = draw_candidates(keys[0], archs, good.sum(), num_candidates, space)
            ratio = log_density(candidates, archs, good, space) - log_density(candidates, archs, bad, space)
            promising = space.repaired(jax.random.fold_in(key, 3), candidates[jnp.argmax(ratio)])
            return jnp.where(good.any(), promising, space.sample(keys[1]))

        uniform = (rung < 0) | (jax.random.uniform(keys[2]) < random_share)
        return jax.lax.cond(uniform, lambda state: space.sample(keys[1]), from_model, state)

    hyperparameters = (
        ("reduction", reduction),
        ("random_share", random_share),
        ("good_share", good_share),
        ("num_candidates", num_candidates),
    )
    model_only = "its density model alone"
    strategy = synchronous_strategy("bohb", space, rungs, brackets, draw, hyperparameters, resume, model_only)
    return strategy._replace(batched=False)


def _modeled(plan: Plan, fewest: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns for each trial the highest rung with at least `fewest` earlier trials (-1: none), and how many it has."""
    on_rung = plan.rung[:, None] == np.arange(plan.rung.max() + 1)
    before = np.cumsum(on_rung, axis=0) - on_rung
    enough = before >= fewest
    rung = np.where(enough, np.arange(enough.shape[1]), -1).max(1)
    return rung.astype(np.int32), before[np.arange(len(rung)), np.maximum(rung, 0)].astype(np.int32)


def _redraw_chance(count: jax.Array, space: Space) -> jax.Array:
    """Returns how likely a kernel redraws a value, float32[], with `count` kernels."""
    return jnp.maximum(count, 1).astype(jnp.float32) ** (-1 / (4 + len(space.decisions)))


def draw_candidates(key: jax.Array, archs: jax.Array, count: jax.Array, num_candidates: int, space: Space) -> jax.Array:
    """Returns draws from the kernel density of the first `count` of architectures [T, D]: int32[num_candidates, D]."""
    keys = [jax.random.fold_in(key, number) for number in range(3)]
    centers = archs[prng.draw_index(keys[0], count, (num_candidates,))]
    redrawn = jax.random.uniform(keys[1], centers.shape) < _redraw_chance(count, space)
    return jnp.where(redrawn, prng.draw_index(keys[2], cardinalities(space.decisions), centers.shape), centers)


def log_density(candidates: jax.Array, archs: jax.Array, members: ArrayLike, space: Space) -> jax.Array:
    """Returns the logarithm of the kernel density of members of a list at candidates int32[C, D]: float32[C].

    Args:
        archs: the list, int32[T, D].
        members: which of it count, bool[T].
    """
    count = jnp.sum(members)
    chance = _redraw_chance(count, space)
    other = jnp.log(chance / cardinalities(space.decisions))
    same = jnp.log(1 - chance + chance / cardinalities(space.decisions))
    kernels = sum(
        jnp.where(candidates[:, position, None] == archs[:, position], same[position], other[position])
        for position in range(archs.shape[1])
    )
    return jax.nn.logsumexp(kernels, axis=1, b=members) - jnp.log(count)
