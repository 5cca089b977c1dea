"""Brackets of successive halving: the choice of rungs among the fidelities, and the role of each trial of a run."""

import functools
import itertools
import math
import warnings
from collections.abc import Callable, Iterable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas.checks import checked_flag
from jaxnas.spaces.base import Space
from jaxnas.strategies.base import ANY, Observation, Query, Strategy, failed_as_worst, warn_of_short_run

Brackets = tuple[tuple[int, ...], ...]
"""For each bracket the number of trials on each of its rungs; its last rung is the last of all."""
RANDOM_SEARCH = "equal to random search"


class Plan(NamedTuple):
    """The role of each trial of a run, NumPy arrays [T]; it depends on no score.

    Attributes:
        rung: its rung, 0 the lowest.
        place: its place on that rung, 0 the first.
        source: the number of the bracket's trials on the rung before; 0 on its first rung, whose trials are new.
    """

    rung: np.ndarray
    place: np.ndarray
    source: np.ndarray


class BracketState(NamedTuple):
    """All trials of the run, and which of them were promoted to the current rung.

    Trials are architectures int32[T, D], scores float32[T], -inf if failed, and the seeds that answered int32[T];
    the promoted, best first, are numbers of trials int32[K].
    """

    archs: jax.Array
    scores: jax.Array
    seeds: jax.Array
    promoted: jax.Array


def checked_fidelities(fidelities: Iterable[float]) -> tuple[float, ...]:
    """Returns the fidelities of a benchmark, ascending positive numbers. Raises ValueError on anything else."""
    try:
        values = tuple(fidelities)
        fits = len(values) > 0 and all(0 < value < math.inf for value in values)
        fits = fits and all(value < later for value, later in itertools.pairwise(values))
    except TypeError:
        fits = False
    if not fits:
        raise ValueError(f"Expected fidelities of ascending positive numbers, such as (1, 3, 9), got {fidelities!r}.")
    return values


def choose_rungs(fidelities: tuple[float, ...], reduction: int) -> tuple[int, ...]:
    """Returns the fidelities that are rungs, as indices, ascending, the last fidelity among them.

    The rung below another is the largest fidelity of at most 1 / `reduction` of it. With reduction 3, 6 epochs give the
    rungs 2 and 6, and 10 epochs give 1, 3 and 10.
    """
    rungs = [len(fidelities) - 1]
    while smaller := [index for index in range(rungs[0]) if fidelities[index] * reduction <= fidelities[rungs[0]]]:
        rungs.insert(0, smaller[-1])
    return tuple(rungs)


def one_rung_note(name: str, rungs: tuple[int, ...], same_as: str) -> str:
    """Returns a note, and warns, that a strategy with only one rung reduces to `same_as`; empty with more rungs."""
    if len(rungs) > 1:
        return ""
    note = f"no fidelity is low enough for a second rung, so it is {same_as}"
    warnings.warn(f"{name}: {note}.", UserWarning, stacklevel=4)
    return note


def halved(size: int, num_rungs: int, reduction: int) -> tuple[int, ...]:
    """Returns the numbers of trials on the rungs of a bracket that starts with `size`, at least one on each."""
    return tuple(max(1, size // reduction**number) for number in range(num_rungs))


def hyperband_brackets(num_rungs: int, reduction: int) -> Brackets:
    """Returns Hyperband's brackets, the one with the most rungs first."""
    return tuple(
        halved(-(-num_rungs * reduction ** (length - 1) // length), length, reduction)
        for length in range(num_rungs, 0, -1)
    )


@functools.cache
def plan_trials(brackets: Brackets, num_trials: int) -> Plan:
    """Returns the plan of a run that goes through the brackets again and again."""
    num_rungs = max(len(sizes) for sizes in brackets)
    cycle = [
        (num_rungs - len(sizes) + number, place, sizes[number - 1] if number else 0)
        for sizes in brackets
        for number, size in enumerate(sizes)
        for place in range(size)
    ]
    return Plan(*(np.resize(np.asarray(column, np.int32), num_trials) for column in zip(*cycle, strict=True)))


def synchronous_strategy(
    name: str,
    space: Space,
    rungs: tuple[int, ...],
    brackets: Brackets,
    draw: Callable[[BracketState, jax.Array, jax.Array], jax.Array],
    hyperparameters: tuple[tuple[str, object], ...],
    resume: bool,
    one_rung: str = RANDOM_SEARCH,
) -> Strategy:
    """Returns a strategy that goes through brackets: when a rung is complete, its best are promoted to the next.

    Failed trials are promoted only if fewer trials succeeded than are promoted; ties favor the earlier trial.

    Args:
        rungs: the fidelity of each rung, an index.
        draw: `(state, t, key) -> int32[D]`, the architecture of a new trial.
        resume: whether a promoted architecture continues its run, or is asked for any run.
        one_rung: the strategy that this one reduces to if there is one rung.
    """
    largest_source = max(max(sizes) for sizes in brackets)
    num_promoted = max((size for sizes in brackets for size in sizes[1:]), default=1)

    def init(key: jax.Array, num_trials: int) -> BracketState:
        needed = sum(brackets[0][:-1]) + 1
        warn_of_short_run(name, num_trials, needed, "so that its first bracket reaches no last fidelity")
        archs = jnp.zeros((num_trials, len(space.decisions)), jnp.int32)
        seeds, promoted = jnp.full(num_trials, ANY, jnp.int32), jnp.zeros(num_promoted, jnp.int32)
        return BracketState(archs, jnp.full(num_trials, -jnp.inf), seeds, promoted)

    def plan_at(state: BracketState, t: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
        rung, place, source = plan_trials(brackets, len(state.scores))
        return jnp.asarray(rung)[t], jnp.asarray(place)[t], jnp.asarray(source)[t]

    def advance(state: BracketState, t: jax.Array, key: jax.Array) -> BracketState:
        _, place, source = plan_at(state, t)

        def promote(state: BracketState) -> jax.Array:
            places = np.arange(largest_source)
            scores = state.scores.at[t - source + places].get(mode="fill", fill_value=-jnp.inf)
            best = jax.lax.top_k(jnp.where(places < source, scores, -jnp.inf), num_promoted)[1]
            return t - source + best.astype(jnp.int32)

        promoted = jax.lax.cond((place == 0) & (source > 0), promote, lambda state: state.promoted, state)
        return state._replace(promoted=promoted)

    def ask(state: BracketState, t: jax.Array, key: jax.Array) -> Query:
        rung, place, source = plan_at(state, t)
        parent = state.promoted[jnp.minimum(place, num_promoted - 1)]
        arch = jax.lax.cond(source == 0, lambda state: draw(state, t, key), lambda state: state.archs[parent], state)
        seed = jnp.where(source == 0, ANY, state.seeds[parent]) if resume else ANY
        return Query(arch, jnp.asarray(rungs, jnp.int32)[rung], seed)

    def tell(state: BracketState, t: jax.Array, query: Query, observation: Observation) -> BracketState:
        score = failed_as_worst(observation.score)
        archs, scores = state.archs.at[t].set(query.arch), state.scores.at[t].set(score)
        return state._replace(archs=archs, scores=scores, seeds=state.seeds.at[t].set(observation.seed))

    hyperparameters = (*hyperparameters, ("resume", checked_flag("resume", resume)))
    note = one_rung_note(name, rungs, one_rung)
    return Strategy(name, init, ask, tell, advance, hyperparameters, most_given=brackets[0][0], note=note)
