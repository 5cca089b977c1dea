"""Asynchronous successive halving."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas.checks import checked_flag, checked_size
from jaxnas.spaces.base import Space
from jaxnas.strategies.base import ANY, Observation, Query, Strategy, factory_of_space, failed_as_worst
from jaxnas.strategies.parts.rungs import RANDOM_SEARCH, checked_fidelities, choose_rungs, one_rung_note

CITES = ("li2020system",)

NOBODY = -1


class AsynchronousState(NamedTuple):
    """All trials of the run, and the kind of the next one.

    Trials are architectures int32[T, D], scores float32[T] (-inf if failed), rungs int32[T] (-1 before a trial is
    reported), ranks on their rungs int32[T] (0 the best), seeds that answered int32[T], and whether they were promoted,
    bool[T]. The next trial promotes the trial `parent`, int32[] (-1: a new architecture), to a rung, int32[].
    """

    archs: jax.Array
    scores: jax.Array
    rungs: jax.Array
    ranks: jax.Array
    seeds: jax.Array
    promoted: jax.Array
    parent: jax.Array
    rung: jax.Array


@factory_of_space
def asynchronous_halving(
    space: Space, *, fidelities: tuple[float, ...], reduction: int = 3, resume: bool = True
) -> Strategy:
    """Returns asynchronous successive halving (ASHA): any architecture among the best of its rung so far is promoted.

    On a rung with n finished trials the best floor(n / `reduction`) may be promoted to the next. Each new trial
    promotes the best trial not promoted yet, on the highest rung that has one; otherwise it is a uniform draw on the
    lowest rung. Failed trials count for n and are never promoted; ties favor the earlier trial. Several trials may be
    asked before any is reported; they do not count until then. Li, Jamieson, Rostamizadeh, Gonina, Ben-tzur, Hardt,
    Recht and Talwalkar, "A System for Massively Parallel Hyperparameter Tuning", MLSys 2020.

    Arguments and rungs are the same as in `successive_halving`.
    """
    rungs = choose_rungs(checked_fidelities(fidelities), checked_size("reduction", reduction, smallest=2))
    top = len(rungs) - 1

    def init(key: jax.Array, num_trials: int) -> AsynchronousState:
        none, zeros = jnp.full(num_trials, NOBODY), jnp.zeros(num_trials, jnp.int32)
        archs = jnp.zeros((num_trials, len(space.decisions)), jnp.int32)
        scores, promoted = jnp.full(num_trials, -jnp.inf), jnp.zeros(num_trials, bool)
        return AsynchronousState(archs, scores, none, zeros, zeros, promoted, jnp.int32(NOBODY), jnp.int32(0))

    def advance(state: AsynchronousState, t: jax.Array, key: jax.Array) -> AsynchronousState:
        quotas = sum((state.rungs == rung) * ((state.rungs == rung).sum() // reduction) for rung in range(len(rungs)))
        promotable = (state.ranks < quotas) & ~state.promoted & (state.scores > -jnp.inf)
        promotable &= (state.rungs >= 0) & (state.rungs < top)
        size = len(state.scores)
        urgency = jnp.where(promotable, state.rungs * size + size - state.ranks, 0)
        best = jnp.argmax(urgency).astype(jnp.int32)
        found = urgency[best] > 0
        promoted = state.promoted.at[best].set(state.promoted[best] | found)
        rung = jnp.where(found, state.rungs[best] + 1, 0)
        return state._replace(promoted=promoted, parent=jnp.where(found, best, NOBODY), rung=rung)

    def ask(state: AsynchronousState, t: jax.Array, key: jax.Array) -> Query:
        arch = jnp.where(state.parent == NOBODY, space.sample(key), state.archs[state.parent])
        seed = jnp.where(state.parent == NOBODY, ANY, state.seeds[state.parent]) if resume else ANY
        return Query(arch, jnp.asarray(rungs, jnp.int32)[state.rung], seed)

    def tell(state: AsynchronousState, t: jax.Array, query: Query, observation: Observation) -> AsynchronousState:
        score = failed_as_worst(observation.score)
        rung = (np.asarray(rungs) < query.fidelity).sum()  # not the state's, which may be of a later query
        on_rung = state.rungs == rung
        earlier = np.arange(len(state.scores)) < t
        better = (state.scores > score) | ((state.scores == score) & earlier)
        ranks = (state.ranks + (on_rung & ~better)).at[t].set((on_rung & better).sum())
        archs, scores = state.archs.at[t].set(query.arch), state.scores.at[t].set(score)
        told = state._replace(archs=archs, scores=scores, ranks=ranks)
        return told._replace(rungs=state.rungs.at[t].set(rung), seeds=state.seeds.at[t].set(observation.seed))

    hyperparameters = (("reduction", reduction), ("resume", checked_flag("resume", resume)))
    return Strategy(
        "asynchronous_halving",
        init,
        ask,
        tell,
        advance,
        hyperparameters,
        parallel=True,
        most_given=reduction,  # then the best of them may be promoted
        note=one_rung_note("asynchronous_halving", rungs, RANDOM_SEARCH),
    )
