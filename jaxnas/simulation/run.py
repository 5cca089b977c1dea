"""Runs of strategies on benchmarks: compiled and batched if both are jittable, otherwise in a Python loop with the
same trajectories.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas import prng as random
from jaxnas.benchmarks.base import Benchmark, trainings_of
from jaxnas.benchmarks.rows import rows_of
from jaxnas.simulation.ask_tell import AskTell, ask_next, check_arguments, run_key, split_run_key, tell_next
from jaxnas.simulation.checking import called, check_memory, strategy_of
from jaxnas.simulation.trials import Trials, paid_costs
from jaxnas.spaces.base import has_rows
from jaxnas.spaces.decisions import cardinalities
from jaxnas.spaces.enumerated import are_valid
from jaxnas.strategies.base import ANY, Observation, Query, Strategy, is_any
from jaxnas.training.compilation import quickly_compiled

MAX_RUNS_AT_ONCE = 1000
MAX_RUN_NUMBER = 2**31


def _simulated(
    strategy: Strategy,
    num_trials: int,
    query_function: Callable[[Query, jax.Array], Observation],
    prices: jax.Array,
    keys: jax.Array,
) -> Trials:
    by_fidelity = len(prices) == 1  # costs then follow from the fidelity: one array less to write in the loop

    def run_one(key: jax.Array) -> Trials:
        init_key, run_keys = split_run_key(key)

        def step(state: Any, t: jax.Array) -> tuple[Any, Trials]:
            state, query = ask_next(strategy, prices.shape[-1], state, t, run_keys)
            observation = query_function(query, jax.random.fold_in(run_keys.query, t))
            cost: Any = None if by_fidelity else observation.cost
            seed: Any = None if is_any(query.seed) else query.seed
            fidelity: Any = None if isinstance(query.fidelity, np.integer) else query.fidelity
            trial = Trials(query._replace(fidelity=fidelity, seed=seed), observation._replace(cost=cost))
            return tell_next(strategy, state, t, query, observation), trial

        return jax.lax.scan(step, called(strategy, "init", init_key, num_trials), jnp.arange(num_trials))[1]

    trials = jax.vmap(run_one)(keys) if strategy.batched else jax.lax.map(run_one, keys)
    query, observation = trials
    shape = observation.score.shape
    if query.fidelity is None:  # always the last
        query = query._replace(fidelity=jnp.full(shape, prices.shape[-1] - 1, jnp.int32))
    if query.seed is None:
        query = query._replace(seed=jnp.full(shape, ANY, jnp.int32))
    if by_fidelity:
        observation = observation._replace(cost=prices[0, query.fidelity])
    return Trials(query, observation)


_simulate = jax.jit(_simulated, static_argnums=(0, 1))


@functools.cache
def _simulate_batched() -> Callable[..., Trials]:
    """Returns `_simulate` for strategies of which many runs are one batch; not before XLA can be asked."""
    return jax.jit(_simulated, static_argnums=(0, 1), compiler_options=quickly_compiled())


def simulate(strategy: Strategy, bench: Benchmark, num_trials: int, keys: jax.Array) -> Trials:
    """Returns the trials of one run for each key, compiled as one program, with the list prices as costs.

    The building block of `run`. The strategy and the benchmark must be jittable.
    """
    # JAX takes the options of a compiler at the outermost call only.
    is_outermost = not isinstance(keys, jax.core.Tracer)
    compiled = _simulate_batched() if strategy.batched and is_outermost else _simulate
    return compiled(strategy, num_trials, bench.query, bench.prices, keys)


def run(
    strategy: Strategy | Callable[..., Strategy],
    bench: Benchmark,
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
        strategy: a Strategy, or a factory such as `jn.random_search`, whose parameters are taken from the benchmark.
        first_run: the number of the first run; to extend an experiment, start after the last run made before.
        prng: `"hash"`, fast, or `"threefry"`.
        progress: called after each trial if the runs loop in Python.

    Raises ValueError on numbers out of range, an unknown prng, or a strategy of another space.
    """
    strategy = strategy_of(strategy, bench)
    check_arguments(strategy, num_trials=num_trials, num_runs=num_runs)
    if first_run < 0 or first_run + num_runs > MAX_RUN_NUMBER:
        raise ValueError(f"Expected runs of numbers from 0 to below {MAX_RUN_NUMBER:,}, got the first {first_run:,}.")
    check_memory(strategy, num_trials, num_runs, len(bench.space.decisions))
    numbers = range(first_run, first_run + num_runs)
    if strategy.jittable and bench.jittable:
        trials = run_in_chunks(functools.partial(simulate, strategy, bench, num_trials), numbers, seed, prng)
    else:
        runs = [_run_loop(strategy, bench, num_trials, run_key(seed, number, prng), progress) for number in numbers]
        trials = jax.tree.map(lambda *values: np.stack(values), *runs)
    check_queries(trials, strategy, bench)
    rows = rows_of(bench.space, trials.query.arch) if has_rows(bench.space) else None
    cost = paid_costs(trials, trials.observation.cost, rows, trainings_of(bench))
    return trials._replace(observation=trials.observation._replace(cost=cost))


def check_queries(trials: Trials, strategy: Strategy, bench: Benchmark) -> None:
    """Raises ValueError if queries [runs, T] have architectures or rows outside the benchmark's space, fidelities out
    of range, or runs that do not exist; compiled code does not check.
    """
    query, answered = trials.query, np.asarray(trials.observation.seed)
    archs, space, num_fidelities = np.asarray(query.arch), bench.space, len(bench.fidelities)
    fidelity = np.asarray(query.fidelity)
    sizes = cardinalities(space.decisions)
    width = archs.shape[-1]
    are_rows = width == 1 != len(sizes)
    sizes = np.asarray([space.num_architectures]) if are_rows else sizes
    if width not in (1, len(sizes)) or (archs < 0).any() or (archs >= sizes).any():
        raise ValueError(
            f"Expected architectures of {space.name}, got others from {strategy.name}: made for another space?"
        )
    if not are_rows and space.constrained and not are_valid(space, archs.reshape(-1, archs.shape[-1])).all():
        raise ValueError(f"Expected valid architectures of {space.name}, got others from {strategy.name}.")
    if (fidelity < 0).any() or (fidelity >= num_fidelities).any():
        raise ValueError(
            f"Expected one of {num_fidelities} fidelities, got another from {strategy.name}: made for others?"
        )
    asked = np.asarray(query.seed)
    if ((asked >= 0) & (asked != answered)).any():
        raise ValueError(f"Expected stored runs of {bench.id}, got a query of another seed from {strategy.name}.")


def run_in_chunks(simulate_keys: Callable[[jax.Array], Any], numbers: range, seed: int, prng: str) -> Any:
    """Returns the results of `simulate_keys` for the keys of runs with these numbers, NumPy arrays [runs, ...].

    It is called for chunks of equal size, which bounds memory and compiles once.
    """
    num_chunks = -(-len(numbers) // MAX_RUNS_AT_ONCE)
    size = -(-len(numbers) // num_chunks)
    root = random.make_key(seed, prng)
    chunks = [jax.device_get(simulate_keys(_run_keys(root, start, size))) for start in numbers[::size]]
    return jax.tree.map(lambda *values: np.concatenate(values)[: len(numbers)], *chunks)


@functools.partial(jax.jit, static_argnums=2)
def _run_keys(root: jax.Array, start: int, size: int) -> jax.Array:
    return jax.vmap(jax.random.fold_in, (None, 0))(root, start + jnp.arange(size))


@jax.jit
def answered(query_function: Callable[[Query, jax.Array], Observation], query: Query, key: jax.Array) -> Observation:
    """Returns the answer of a benchmark's query function, by one compiled program for each kind of benchmark."""
    return query_function(query, key)


def _run_loop(
    strategy: Strategy, bench: Benchmark, num_trials: int, key: jax.Array, progress: Callable[[], None] | None
) -> Trials:
    loop = AskTell(strategy, num_trials=num_trials, key=key, num_fidelities=len(bench.fidelities))
    answer = functools.partial(answered, bench.query) if bench.jittable else bench.query
    for _ in range(num_trials):
        query = loop.ask()
        loop.tell(answer(query, loop.query_key()))
        if progress:
            progress()
    return loop.trials()
