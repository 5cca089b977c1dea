"""Strategies: pure functions that choose the next evaluation and receive its outcome."""

import functools
import inspect
import warnings
from collections.abc import Callable
from typing import Any, Concatenate, NamedTuple, ParamSpec, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas import catalog
from jaxnas.spaces.base import Space

LAST = -1
ANY = -1


class Query(NamedTuple):
    """A query of a strategy: an architecture int32[D], a fidelity int32[] and a run int32[].

    The fidelity is an index into the benchmark's fidelities (-1: the last). `seed` asks for one run of the
    architecture, by the `seed` of an earlier observation: at a higher fidelity that run continues and costs only the
    difference. -1: any run, drawn at random. Outside compiled programs all are NumPy values.
    """

    arch: jax.Array
    fidelity: jax.Array | int = LAST
    seed: jax.Array | int = ANY


class Observation(NamedTuple):
    """The answer to a query, all scalars: the validation `score`, its `cost`, the stored `seed` that answered.

    A larger score is better, NaN means failed. `cost` is the list price of the query. The amount that a run really
    pays, repeated queries taken into account, is in its `Trials`. Outside compiled programs all are NumPy values.
    """

    score: jax.Array
    cost: jax.Array
    seed: jax.Array


def observed(score: Any, cost: Any = 1, seed: Any = 0) -> Observation:
    """Returns an observation of NumPy values."""
    values: tuple[Any, ...] = np.float32(score), np.float32(cost), np.int32(seed)
    return Observation(*values)


Init = Callable[[jax.Array, int], Any]
"""`(key, num_trials) -> state`: any pytree of fixed shapes; `num_trials` is a Python int."""
Ask = Callable[[Any, Any, jax.Array], Query]
"""`(state, t, key) -> Query`; `t` counts the trials of the run from 0: int32[], a Python int in a loop."""
Tell = Callable[[Any, Any, Query, Observation], Any]
"""`(state, t, query, observation) -> state`."""
Advance = Callable[[Any, Any, jax.Array], Any]
"""`(state, t, key) -> state`, run before each `ask`: promotions, refits."""


def no_change(state: Any, t: jax.Array, key: jax.Array) -> Any:
    """Returns the state unchanged: the `advance` of a strategy that needs none."""
    return state


class Strategy(NamedTuple):
    """A search strategy: pure functions, made by a factory that closes over its hyperparameters.

    Attributes:
        name: its name in reports.
        init: `(key, num_trials) -> state`, any pytree of fixed shapes; `num_trials` is a Python int.
        ask: `(state, t, key) -> Query`; `t` counts the trials of the run, from 0.
        tell: `(state, t, query, observation) -> state`.
        advance: `(state, t, key) -> state`, run before each `ask`: promotions, refits.
        hyperparameters: pairs (name, value), for reports.
        jittable: whether the functions can be compiled; otherwise runs loop in Python.
        parallel: whether several queries may be asked before any result is reported.
        batched: whether many compiled runs are batched, in arrays with one more axis, rather than run one after
            another, which suits large states and refits.
        limit: the size function and the maximum that queries respect (see `jn.constrained`); reports then compare
            with the best architecture within the limit. None without a limit.
        most_given: the maximum number of leading trials that can be replaced by given architectures (see
            `jn.transfer.warm_started`); None: no limit.
        note: a remark of reports about it on this benchmark; usually empty.
        padded: whether the state of a longer run serves a shorter one, with the same queries except for rounding. A
            loop in Python then compiles one program for all lengths up to a power of two.
    """

    name: str
    init: Init
    ask: Ask
    tell: Tell
    advance: Advance = no_change
    hyperparameters: tuple[tuple[str, object], ...] = ()
    jittable: bool = True
    parallel: bool = False
    batched: bool = True
    limit: tuple[Callable[[jax.Array], jax.Array], float] | None = None
    most_given: int | None = None
    note: str = ""
    padded: bool = False


_Arguments = ParamSpec("_Arguments")


def factory_of_space(
    make: Callable[Concatenate[Space, _Arguments], Strategy],
) -> Callable[Concatenate[Space, _Arguments], Strategy]:
    """Returns a factory of strategies that refuses what is no space and makes equal strategies once.

    One strategy for equal arguments, so that JAX compiles it once.
    """
    remembered = functools.cache(make)

    @functools.wraps(make)
    def of_space(space: Space, *args: _Arguments.args, **kwargs: _Arguments.kwargs) -> Strategy:
        if not isinstance(space, Space):
            hint = "Pass its space. " if hasattr(space, "space") else ""
            raise ValueError(f"{hint}Expected a search space, such as bench.space, got {space!r:.40}.")
        return remembered(space, *args, **kwargs)  # type: ignore[arg-type]  # typeshed: all hashable

    return of_space


class Searchable(Protocol):
    """The part of a benchmark that `make` needs."""

    @property
    def space(self) -> Space:
        """Returns the search space."""
        ...

    @property
    def fidelities(self) -> tuple[float, ...]:
        """Returns the fidelities of queries, ascending."""
        ...

    def size(self, name: str) -> Callable[[jax.Array], jax.Array]:
        """Returns the function `arch -> float32` of an architecture's size."""
        ...


def warn_of_short_run(name: str, num_trials: int, needed: int, what: str) -> None:
    """Warns that the plan of a strategy does not fit a run of fewer trials than it needs."""
    if num_trials < needed:
        warnings.warn(f"{name}: {num_trials:,} trials are fewer than {needed:,}, {what}.", UserWarning, stacklevel=2)


def failed_as_worst(score: jax.Array) -> jax.Array:
    """Returns the score with -inf for NaN: a failed evaluation then never wins a comparison."""
    return jnp.where(jnp.isnan(score), -jnp.inf, score)


def look_up(values: jax.Array, position: jax.Array) -> jax.Array:
    """Returns values[position] without a check of the bounds, which would cost more than the look-up."""
    return values.at[position].get(mode="promise_in_bounds", wrap_negative_indices=False)


def is_any(seed: jax.Array | int) -> bool:
    """Returns whether a query asks for any run, which is known before its program runs."""
    return isinstance(seed, int) and seed < 0


def is_last(fidelity: jax.Array | int) -> bool:
    """Returns whether a query asks for the last fidelity, as by default, which is known before its program runs."""
    return isinstance(fidelity, int) and fidelity == LAST


def run_asked(seed: jax.Array | int, drawn: jax.Array) -> jax.Array:
    """Returns the run that a query asks for, int32[]: the one drawn at random if it asks for any run."""
    return drawn if is_any(seed) else jnp.where(jnp.asarray(seed) < 0, drawn, seed)


def best_of(scores: jax.Array, members: jax.Array) -> jax.Array:
    """Returns the member, one of int32[S], with the largest of the scores float32[P]; the first of equals."""
    return look_up(members, jnp.argmax(look_up(scores, members)))


def asks_for(factory: Callable[..., Strategy], name: str) -> bool:
    """Returns whether a factory of strategies has a parameter of that name."""
    return name in inspect.signature(factory).parameters


def make(factory: Callable[..., Strategy], bench: Searchable, size: str = "parameters") -> Strategy:
    """Returns the strategy that a factory makes for a benchmark, with the arguments that its parameters ask for.

    Every factory receives the space. A parameter `fidelities` receives the fidelities of the benchmark, a tuple, and a
    parameter `size` the function `bench.size(size)`.
    """
    offered = {"fidelities": lambda: bench.fidelities, "size": lambda: bench.size(size)}
    more = {name: offer() for name, offer in offered.items() if callable(factory) and asks_for(factory, name)}
    return catalog.made("strategy", Strategy, factory, bench.space, more)
