"""Checks of strategies, with errors that explain the mistake: some that cost nothing if the functions are compiled
anyway, and `check_strategy`, which looks closer.
"""

import random
import re
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas.benchmarks.base import Benchmark
from jaxnas.spaces.decisions import cardinalities
from jaxnas.strategies.base import Observation, Query, Strategy, make

MOST_BYTES = 4 << 30
"""The largest size of the results of a call, and of the states of its runs."""
SMALLEST_TRIAL = 24
"""Bytes of a trial without its architecture."""
MAX_TRIALS = 2**31 - 1


def strategy_of(strategy: Strategy | Callable[..., Strategy], bench: Benchmark | None) -> Strategy:
    """Returns a strategy, or the one that a factory makes for a benchmark.

    Raises ValueError on anything else.
    """
    if isinstance(bench, str):
        raise ValueError(f"Load it first: jn.load({bench!r}). Expected a benchmark, got its name.")
    if isinstance(strategy, Strategy):
        return strategy
    if callable(strategy) and bench is not None:
        return make(strategy, bench)
    raise ValueError(f"Expected a Strategy, such as jn.random_search(space), got {type(strategy).__name__}.")


def called(strategy: Strategy, name: str, *arguments: Any) -> Any:
    """Returns the result of a function of a strategy.

    Raises ValueError if the strategy is jittable and the function branches in Python on traced values, or draws random
    numbers from NumPy or Python, which a compiled run would draw only once.
    """
    function = getattr(strategy, name)
    if not strategy.jittable:
        return function(*arguments)
    before = _random_states()
    try:
        result = function(*arguments)
    except jax.errors.JAXTypeError as error:
        line = re.search(r"The error occurred while tracing the function .*", str(error))
        raise ValueError(
            f"Expected {name} of {strategy.name} to leave traced values to JAX, got Python's `if`, `while`, `int` or a "
            f"NumPy function on one: use jnp.where or jax.lax.cond, or say jittable=False. {line[0] if line else ''}"
        ) from error
    if _random_states() != before:
        raise ValueError(
            f"Expected {name} of {strategy.name} to draw by its key, got random numbers of NumPy or Python, which a "
            "compiled run draws only once: use jax.random, or say jittable=False."
        )
    return result


def _random_states() -> tuple:
    _, numbers, position, *rest = np.random.get_state()
    return hash(np.asarray(numbers).tobytes()), position, tuple(rest), hash(random.getstate())


def checked_query(strategy: Strategy, query: Any) -> Query:
    """Returns a query with an architecture of whole numbers. Raises ValueError on anything else."""
    if not isinstance(query, Query):
        shape = getattr(query, "shape", None)
        got = type(query).__name__ if shape is None else f"an array of shape {list(shape)}, a bare architecture"
        raise ValueError(f"Expected ask of {strategy.name} to return a Query, such as jn.Query(arch), got {got}.")
    for field, value in zip(Query._fields, query, strict=True):
        kind = getattr(value, "dtype", None)
        kind = np.asarray(value).dtype if kind is None and not isinstance(value, dict) else kind
        if kind is None or not jnp.issubdtype(kind, np.integer):
            raise ValueError(
                f"Expected ask of {strategy.name} to return a Query of whole numbers, got {field} of "
                f"{kind or 'a dict'}."
            )
    return query


def check_same_state(strategy: Strategy, name: str, before: Any, after: Any) -> None:
    """Raises ValueError if a function of a strategy returns a state with a different structure, shape or dtype."""
    if not strategy.jittable:
        return
    structure: Any = jax.tree.structure(before)
    other: Any = jax.tree.structure(after)
    if structure != other:
        raise ValueError(
            f"Expected {name} of {strategy.name} to return a state of the structure that it was given, {structure}, "
            f"got {other}."
        )
    for (path, one), two in zip(jax.tree_util.tree_leaves_with_path(before), jax.tree.leaves(after), strict=True):
        if (jnp.shape(one), jnp.result_type(one)) != (jnp.shape(two), jnp.result_type(two)):
            one_text, two_text = (f"{jnp.result_type(each)}{list(jnp.shape(each))}" for each in (one, two))
            place = jax.tree_util.keystr(path)
            raise ValueError(
                f"Expected {name} of {strategy.name} to return a state of fixed shapes and dtypes, {one_text} in state"
                f"{place}, got {two_text}."
            )


def check_memory(strategy: Strategy, num_trials: int, num_runs: int = 1, num_decisions: int = 1) -> None:
    """Raises ValueError if the trials of a call, or the states of its runs, need more than `MOST_BYTES`."""
    size = SMALLEST_TRIAL + 4 * num_decisions
    most = min(MOST_BYTES // (size * num_runs), MAX_TRIALS)
    if num_trials > most:
        raise ValueError(
            f"Expected num_trials of at most {most:,} in {num_runs:,} runs, whose results take up {MOST_BYTES >> 30} "
            f"GiB, got {num_trials:,}."
        )
    if not strategy.jittable:
        return
    state = jax.eval_shape(lambda key: called(strategy, "init", key, num_trials), jax.random.key(0))
    taken = sum(each.size * each.dtype.itemsize for each in jax.tree.leaves(state) if hasattr(each.dtype, "itemsize"))
    at_once = min(num_runs, 1000) if strategy.batched else 1
    if taken * at_once > MOST_BYTES:
        raise ValueError(
            f"Expected num_trials for which the states of {at_once:,} runs of {strategy.name} take up "
            f"{MOST_BYTES >> 30} GiB at most, got {num_trials:,}, for which they take up {taken * at_once >> 30:,} GiB."
        )


def check_strategy(strategy: Strategy | Callable[..., Strategy], bench: Benchmark, *, num_trials: int = 100) -> None:
    """Checks that a strategy meets the requirements of runs, without evaluating anything.

    Runs make the same checks except the last two, which look closer: whether a function does the same each time it is
    called in Python, and whether the architectures of the first trial belong to the space.

    Raises ValueError if a requirement is not met. The message names the strategy, the function and the remedy.
    """
    strategy = strategy_of(strategy, bench)
    check_memory(strategy, num_trials)
    if not strategy.jittable:
        state = called(strategy, "init", jax.random.key(0), num_trials)
        state = called(strategy, "advance", state, 0, jax.random.key(1))
        _check_choices(strategy, bench, [checked_query(strategy, called(strategy, "ask", state, 0, jax.random.key(2)))])
        return
    key, t = jax.random.key(0), jnp.int32(0)
    observation = Observation(jnp.float32(0.5), jnp.float32(1), jnp.int32(0))
    state = _traced(strategy, "init", lambda key: called(strategy, "init", key, num_trials), key)
    advanced = _traced(strategy, "advance", lambda *given: called(strategy, "advance", *given), state, t, key)
    check_same_state(strategy, "advance", state, advanced)

    def ask(state: Any, t: jax.Array, key: jax.Array) -> Query:
        query = checked_query(strategy, called(strategy, "ask", state, t, key))
        return jax.tree.map(lambda value: jnp.asarray(value, jnp.int32), query)

    query = _traced(strategy, "ask", ask, state, t, key)
    told = _traced(strategy, "tell", lambda *given: called(strategy, "tell", *given), state, t, query, observation)
    check_same_state(strategy, "tell", state, told)

    def first(key: jax.Array) -> Query:
        state = strategy.advance(strategy.init(key, num_trials), 0, key)
        return ask(state, t, key)

    keys = jax.random.split(jax.random.key(0), 8)
    _check_choices(strategy, bench, [jax.device_get(jax.jit(first)(key)) for key in keys])


def _traced(strategy: Strategy, name: str, function: Callable[..., Any], *arguments: Any) -> Any:
    """Returns the shapes of a function's results. Raises ValueError if two traces differ."""
    (one, shapes), (other, _) = (
        jax.make_jaxpr(lambda *given: function(*given), return_shape=True)(*arguments) for _ in range(2)
    )
    same = _text(one) == _text(other) and len(one.consts) == len(other.consts)
    if not same or not all(map(_equal, one.consts, other.consts)):
        raise ValueError(
            f"Expected {name} of {strategy.name} to be a pure function, got another computation for equal arguments: "
            "does it draw random numbers of NumPy or Python, or change something outside of it?"
        )
    return shapes


def _text(program: Any) -> str:
    return re.sub(r"0x[0-9a-f]+", "", str(program.jaxpr))


def _equal(one: Any, other: Any) -> bool:
    if hasattr(one, "dtype") and jax.dtypes.issubdtype(one.dtype, jax.dtypes.prng_key):
        one, other = jax.random.key_data(one), jax.random.key_data(other)
    return np.array_equal(one, other, equal_nan=np.asarray(one).dtype.kind == "f")


def _check_choices(strategy: Strategy, bench: Benchmark, queries: list[Query]) -> None:
    """Raises ValueError if architectures or fidelities are not the benchmark's."""
    sizes = cardinalities(bench.space.decisions)
    for query in queries:
        arch, fidelity = np.asarray(query.arch), int(query.fidelity)
        limits = np.asarray([bench.space.num_architectures]) if arch.shape == (1,) != sizes.shape else sizes
        if arch.shape != limits.shape:
            raise ValueError(
                f"Expected ask of {strategy.name} to return an architecture of {len(sizes)} choices, got shape "
                f"{list(arch.shape)}."
            )
        if (arch < 0).any() or (arch >= limits).any():
            raise ValueError(
                f"Expected ask of {strategy.name} to return choices below {limits.tolist()}, got {arch.tolist()}."
            )
        if not -1 <= fidelity < len(bench.fidelities):
            raise ValueError(
                f"Expected ask of {strategy.name} to return one of {len(bench.fidelities)} fidelities, got {fidelity}."
            )
