"""A strategy in your own loop, and the common parts of all runs: their keys, and one step of asking."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas import prng as random
from jaxnas.benchmarks.base import Benchmark
from jaxnas.simulation.checking import called, check_memory, check_same_state, checked_query, strategy_of
from jaxnas.simulation.trials import Trials
from jaxnas.strategies.base import Observation, Query, Strategy, is_any, is_last, observed

SHORTEST = 32
"""The length of the shortest state that is padded."""


class RunKeys(NamedTuple):
    """The keys of one run; each trial folds its number into them."""

    ask: jax.Array
    query: jax.Array
    advance: jax.Array


def split_run_key(key: jax.Array) -> tuple[jax.Array, RunKeys]:
    """Returns the key of `init`, and the keys of one run's trials."""
    init_key, *keys = jax.random.split(key, 4)
    return init_key, RunKeys(*keys)


fold_in = jax.jit(jax.random.fold_in, inline=True)  # which runs that loop in Python call one by one


def ask_next(strategy: Strategy, num_fidelities: int, state: Any, t: Any, keys: RunKeys) -> tuple[Any, Query]:
    """Returns the state after `advance`, and the query with its fidelity resolved; `t` is an int, traced or not.

    A query for any run keeps the Python int, and one at the last fidelity has a NumPy int: compiled runs then need no
    arrays of them.
    """
    before = state
    state = called(strategy, "advance", state, t, fold_in(keys.advance, t))
    check_same_state(strategy, "advance", before, state)
    query = checked_query(strategy, called(strategy, "ask", state, t, fold_in(keys.ask, t)))
    fidelity: Any = np.int32(num_fidelities - 1)
    if not is_last(query.fidelity):
        fidelity = jnp.asarray(query.fidelity, jnp.int32)
        fidelity = jnp.where(fidelity < 0, fidelity + num_fidelities, fidelity)
    seed = query.seed if is_any(query.seed) else jnp.asarray(query.seed, jnp.int32)
    return state, Query(jnp.asarray(query.arch, jnp.int32), fidelity, seed)


def tell_next(strategy: Strategy, state: Any, t: Any, query: Query, observation: Observation) -> Any:
    """Returns the state that knows the outcome of trial t."""
    told = called(strategy, "tell", state, t, query, observation)
    check_same_state(strategy, "tell", state, told)
    return told


def first_state(strategy: Strategy, key: jax.Array, num_trials: int) -> Any:
    """Returns the state of a loop in Python before its first trial, of as many trials as its programs are compiled for.

    Arrays that were made of Python's numbers are of a type that the first `tell` changes, and then all would be
    compiled again: they get theirs now.
    """
    state = called(strategy, "init", key, num_trials)  # which warns of a run that is too short
    if strategy.padded:
        state = called(strategy, "init", key, padded_length(num_trials))
    return jax.tree.map(lambda leaf: leaf.astype(leaf.dtype) if getattr(leaf, "weak_type", False) else leaf, state)


def padded_length(num_trials: int) -> int:
    """Returns the least power of two, from `SHORTEST` on, that is no smaller."""
    return max(SHORTEST, 1 << (int(num_trials) - 1).bit_length())


def run_key(seed: int, number: int, prng: str = "hash") -> jax.Array:
    """Returns the key of run `number` of an experiment."""
    return jax.random.fold_in(random.make_key(seed, prng), number)


def check_arguments(strategy: Strategy, **counts: int) -> None:
    """Raises ValueError if `strategy` is not a Strategy, or a count is not a whole number of 1 or more."""
    strategy_of(strategy, None)
    for name, count in counts.items():
        if not isinstance(count, int | np.integer) or count < 1:
            raise ValueError(f"Expected {name} of 1 or more, got {count}.")


ask_compiled = jax.jit(ask_next, static_argnums=(0, 1))
tell_compiled = jax.jit(tell_next, static_argnums=0)


class AskTell:
    """A strategy in your own loop: `ask`, evaluate, `tell`, in turn.

    The trajectory is the same as in `run` for the same key (`run_key(seed, number)`) and the same answers, except for
    rounding in strategies with `padded=True`. To resume it, replay the old loop's answers to a new loop with `tell`.

    Args:
        strategy: a Strategy; with `bench` also a factory, whose parameters are taken from the benchmark.
        num_trials: the number of trials that the strategy plans for.
        key: the key of the run, from `run_key`.
        num_fidelities: the number of fidelities of the benchmark.
        bench: the benchmark, instead of `num_fidelities`.

    Raises ValueError on numbers out of range, or no strategy.
    """

    def __init__(
        self,
        strategy: Strategy | Callable[..., Strategy],
        *,
        num_trials: int,
        key: jax.Array,
        num_fidelities: int = 1,
        bench: Benchmark | None = None,
    ):
        self._strategy = strategy_of(strategy, bench)
        check_arguments(self._strategy, num_trials=num_trials)
        check_memory(self._strategy, num_trials)
        self._num_fidelities = num_fidelities if bench is None else len(bench.fidelities)
        init_key, self._keys = split_run_key(key)
        self._state = first_state(self._strategy, init_key, num_trials)
        self._asked: Query | None = None
        self._history: list[Trials] = []

    @property
    def num_told(self) -> int:
        """Returns the number of finished trials."""
        return len(self._history)

    def ask(self) -> Query:
        """Returns the next query, as NumPy values; the same one until `tell` is called."""
        if self._asked is None:
            ask = ask_compiled if self._strategy.jittable else ask_next
            self._state, query = ask(self._strategy, self._num_fidelities, self._state, self.num_told, self._keys)
            self._asked = jax.tree.map(lambda value: np.asarray(value, np.int32), query)
        return self._asked

    def query_key(self) -> jax.Array:
        """Returns the key that the benchmark's answer to the current query may use."""
        return fold_in(self._keys.query, self.num_told)

    def tell(self, observation: Observation | float) -> None:
        """Takes the outcome of the current query: an Observation, or a score (larger is better, NaN: failed).

        Raises ValueError before `ask`.
        """
        if self._asked is None:
            raise ValueError("Expected ask() before tell(), got tell() first.")
        told = observed(*observation) if isinstance(observation, Observation) else observed(observation)
        tell = tell_compiled if self._strategy.jittable else tell_next
        self._state = tell(self._strategy, self._state, self.num_told, self._asked, told)
        self._history.append(Trials(self._asked, told))
        self._asked = None

    def trials(self) -> Trials:
        """Returns the finished trials, leading axis [T]. Raises ValueError before the first."""
        if not self._history:
            raise ValueError("Expected at least one finished trial, got none.")
        return jax.tree.map(lambda *values: np.stack(values), *self._history)
