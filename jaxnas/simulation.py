"""Runs of strategies on benchmarks: compiled and batched where both allow it, in a Python loop otherwise, with the
same trajectories.
"""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas import prng as random
from jaxnas.benchmark import price_list
from jaxnas.spaces.base import cardinalities
from jaxnas.strategies.base import Observation, Query, Strategy

MAX_RUNS_AT_ONCE = 1000


class Trials(NamedTuple):
    """Everything that runs asked and were told, with leading axes [runs, T].

    `query.fidelity` is an index, 0 or more. `observation.cost` is what the run paid: repeated queries of one
    architecture and seed pay for the epochs that were not paid before.
    """

    query: Query
    observation: Observation


class _Keys(NamedTuple):
    """The keys of one run; each trial folds its number into them."""

    ask: jax.Array
    query: jax.Array
    advance: jax.Array


def split_run_key(key: jax.Array) -> tuple[jax.Array, _Keys]:
    """Returns the key of `init`, and the keys of one run's trials."""
    init_key, *keys = jax.random.split(key, 4)
    return init_key, _Keys(*keys)


def ask_next(strategy: Strategy, num_fidelities: int, state, t, keys: _Keys):
    """Returns the state after `advance`, and the query with its fidelity resolved."""
    state = strategy.advance(state, t, jax.random.fold_in(keys.advance, t))
    query = strategy.ask(state, t, jax.random.fold_in(keys.ask, t))
    fidelity = jnp.asarray(query.fidelity, jnp.int32)
    fidelity = jnp.where(fidelity < 0, fidelity + num_fidelities, fidelity)
    return state, Query(jnp.asarray(query.arch, jnp.int32), fidelity)


@functools.partial(jax.jit, static_argnums=(0, 1))
def _simulate(
    strategy: Strategy, num_trials: int, query_function: Callable, prices: jax.Array, keys: jax.Array
) -> Trials:
    def run_one(key):
        init_key, run_keys = split_run_key(key)

        def step(state, t):
            state, query = ask_next(strategy, len(prices), state, t, run_keys)
            observation = query_function(query, jax.random.fold_in(run_keys.query, t))
            told = observation._replace(cost=None)  # follows from the fidelity; one array less to write in the loop
            return strategy.tell(state, t, query, observation), Trials(query, told)

        return jax.lax.scan(step, strategy.init(init_key, num_trials), jnp.arange(num_trials))[1]

    trials = jax.vmap(run_one)(keys) if strategy.batched else jax.lax.map(run_one, keys)
    return trials._replace(observation=trials.observation._replace(cost=prices[trials.query.fidelity]))


def simulate(strategy: Strategy, bench, num_trials: int, keys: jax.Array) -> Trials:
    """Returns the trials of one run for each key, compiled as one program, with the list prices as costs.

    The building block of `run`. The strategy and the benchmark must be jittable.
    """
    return _simulate(strategy, num_trials, bench.query, price_list(bench), keys)


def run_key(seed: int, number: int, prng: str = "hash") -> jax.Array:
    """Returns the key of run `number` of an experiment."""
    return jax.random.fold_in(random.make_key(seed, prng), number)


def run(
    strategy: Strategy,
    bench,
    *,
    num_trials: int = 300,
    num_runs: int = 1000,
    first_run: int = 0,
    seed: int = 0,
    prng: str = "hash",
    progress: Callable[[], None] | None = None,
) -> Trials:
    """Returns the trials of independent runs of a strategy on a benchmark, as NumPy arrays.

    Run i depends on `seed`, `prng` and i alone, not on how many runs there are.

    Args:
        first_run: the number of the first run; further runs of an experiment have the numbers after those made before.
        prng: `"hash"`, fast, or `"threefry"`.
        progress: called after each trial where the runs loop in Python.

    Raises:
        ValueError: on numbers out of range, an unknown prng, or a strategy of another space.
    """
    check_arguments(strategy, num_trials=num_trials, num_runs=num_runs)
    if first_run < 0:
        raise ValueError(f"Expected first_run of 0 or more, got {first_run}.")
    numbers = range(first_run, first_run + num_runs)
    if strategy.jittable and bench.jittable:
        trials = run_in_chunks(functools.partial(simulate, strategy, bench, num_trials), numbers, seed, prng)
    else:
        runs = [_run_loop(strategy, bench, num_trials, run_key(seed, number, prng), progress) for number in numbers]
        trials = jax.tree.map(lambda *values: np.stack(values), *runs)
    check_queries(trials.query, strategy, bench)
    return trials._replace(observation=trials.observation._replace(cost=paid_costs(trials, price_list(bench))))


def check_arguments(strategy, **counts: int) -> None:
    """Raises ValueError where there is no Strategy, or a count is below 1."""
    if not isinstance(strategy, Strategy):
        raise ValueError(f"Expected a Strategy, such as jn.random_search(space), got {type(strategy).__name__}.")
    for name, count in counts.items():
        if count < 1:
            raise ValueError(f"Expected {name} of 1 or more, got {count}.")


def check_queries(query: Query, strategy: Strategy, bench) -> None:
    """Raises ValueError where queries [runs, T] were of no architectures, or rows, of the benchmark's space, or of no
    fidelities of it; compiled code does not check.
    """
    archs, space, num_fidelities = query.arch, bench.space, len(bench.fidelities)
    sizes = cardinalities(space.decisions)
    sizes = sizes if archs.shape[-1] == len(sizes) else np.asarray([space.num_architectures])
    if (archs < 0).any() or (archs >= sizes).any():
        raise ValueError(
            f"Expected architectures of {space.name}, got others from {strategy.name}: made for another space?"
        )
    if (query.fidelity < 0).any() or (query.fidelity >= num_fidelities).any():
        raise ValueError(
            f"Expected one of {num_fidelities} fidelities, got another from {strategy.name}: made for others?"
        )


def run_in_chunks(simulate_keys: Callable, numbers: range, seed: int, prng: str):
    """Returns what `simulate_keys` returns for the keys of runs of these numbers, NumPy arrays [runs, ...].

    It is called for equal chunks of them, so that memory is bounded and there is one compilation.
    """
    num_chunks = -(-len(numbers) // MAX_RUNS_AT_ONCE)
    size = -(-len(numbers) // num_chunks)
    root = random.make_key(seed, prng)
    chunks = [jax.device_get(simulate_keys(_run_keys(root, start, size))) for start in numbers[::size]]
    return jax.tree.map(lambda *values: np.concatenate(values)[: len(numbers)], *chunks)


@functools.partial(jax.jit, static_argnums=2)
def _run_keys(root, start, size):
    return jax.vmap(jax.random.fold_in, (None, 0))(root, start + jnp.arange(size))


def _run_loop(strategy, bench, num_trials, key, progress) -> Trials:
    loop = AskTell(strategy, num_trials=num_trials, key=key, num_fidelities=len(bench.fidelities))
    for _ in range(num_trials):
        query = loop.ask()
        loop.tell(bench.query(query, loop.query_key()))
        if progress:
            progress()
    return loop.trials()


@functools.partial(jax.jit, static_argnums=(0, 1))
def _ask_compiled(strategy, num_fidelities, state, t, keys):
    return ask_next(strategy, num_fidelities, state, t, keys)


@functools.partial(jax.jit, static_argnums=0)
def _tell_compiled(strategy, state, t, query, observation):
    return strategy.tell(state, t, query, observation)


class AskTell:
    """A strategy in a loop of one's own: `ask`, evaluate, `tell`, in turn.

    The trajectory is that of `run` for the same key (`run_key(seed, number)`) and the same answers. It can be
    resumed by telling a new loop the answers of the old one again.

    Args:
        strategy: a Strategy.
        num_trials: how many trials the strategy is to plan for.
        key: of the run, as `run_key` makes it.
        num_fidelities: of the benchmark.
    """

    def __init__(self, strategy: Strategy, *, num_trials: int, key: jax.Array, num_fidelities: int = 1):
        check_arguments(strategy, num_trials=num_trials)
        self._strategy, self._num_fidelities = strategy, num_fidelities
        init_key, self._keys = split_run_key(key)
        self._state = strategy.init(init_key, num_trials)
        self._asked = None
        self._history = []

    @property
    def num_told(self) -> int:
        """Returns the number of finished trials."""
        return len(self._history)

    def ask(self) -> Query:
        """Returns the next query, as NumPy values; the same one until it is told."""
        if self._asked is None:
            ask = _ask_compiled if self._strategy.jittable else ask_next
            self._state, query = ask(self._strategy, self._num_fidelities, self._state, self.num_told, self._keys)
            self._asked = jax.tree.map(np.asarray, query)
        return self._asked

    def query_key(self) -> jax.Array:
        """Returns the key that the benchmark's answer to the current query may use."""
        return jax.random.fold_in(self._keys.query, self.num_told)

    def tell(self, observation: Observation | float) -> None:
        """Takes the outcome of the current query: an Observation, or a score (larger is better, NaN: failed).

        Raises ValueError before `ask`.
        """
        if self._asked is None:
            raise ValueError("Expected ask() before tell(), got tell() first.")
        if not isinstance(observation, Observation):
            observation = Observation(observation, 1, 0)
        score, cost, seed = observation
        observation = Observation(np.float32(score), np.float32(cost), np.int32(seed))
        tell = _tell_compiled if self._strategy.jittable else _tell_plain
        self._state = tell(self._strategy, self._state, self.num_told, self._asked, observation)
        self._history.append(Trials(self._asked, observation))
        self._asked = None

    def trials(self) -> Trials:
        """Returns the finished trials, leading axis [T]. Raises ValueError before the first."""
        if not self._history:
            raise ValueError("Expected at least one finished trial, got none.")
        return jax.tree.map(lambda *values: np.stack(values), *self._history)


def _tell_plain(strategy, state, t, query, observation):
    return strategy.tell(state, t, query, observation)


def compare(
    strategies: dict[str, Strategy],
    bench,
    *,
    num_trials: int = 300,
    num_runs: int = 1000,
    seed: int = 0,
    prng: str = "hash",
) -> dict[str, Trials]:
    """Returns the trials of each strategy on one benchmark, by the names given. Arguments as of `run`."""
    return {
        name: run(strategy, bench, num_trials=num_trials, num_runs=num_runs, seed=seed, prng=prng)
        for name, strategy in strategies.items()
    }


def paid_costs(trials: Trials, prices: np.ndarray) -> np.ndarray:
    """Returns what each trial cost, float32[runs, T].

    That is its price less what its run had paid before for the same architecture and seed.

    Args:
        prices: of each fidelity, float32[F].
    """
    archs, fidelity = np.asarray(trials.query.arch), np.asarray(trials.query.fidelity)
    num_runs, num_trials = fidelity.shape
    seed = np.asarray(trials.observation.seed, np.int64)
    runs = np.broadcast_to(np.arange(num_runs)[:, None], fidelity.shape)
    columns = [runs, seed - seed.min(), *np.moveaxis(archs.astype(np.int64), -1, 0)]
    bought = _numbers_of([column.reshape(-1) for column in columns])
    order = np.argsort(bought, kind="stable")
    price = np.asarray(prices, np.float64)[fidelity.reshape(-1)[order]]
    group = np.cumsum(np.diff(bought[order], prepend=0) != 0)
    base = group * (price.max() + 1)
    paid = np.maximum.accumulate(base + price)
    before = np.concatenate([[0.0], paid[:-1]]) - base
    costs = np.empty(price.shape, np.float32)
    costs[order] = np.maximum(price - np.maximum(before, 0), 0)
    return costs.reshape(num_runs, num_trials)


def _numbers_of(columns: list[np.ndarray]) -> np.ndarray:
    """Returns a number for each tuple of non-negative values, int64, equal where the tuples are."""
    code, size = np.zeros(len(columns[0]), np.int64), 1
    for column in columns:
        width = int(column.max()) + 1
        if size > 2**62 // width:
            _, code = np.unique(code, return_inverse=True)
            size = int(code.max()) + 1
        code, size = code * width + column, size * width
    return code
