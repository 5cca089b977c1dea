"""Runs with several workers on a virtual clock, on which a query lasts as long as it costs."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas.benchmarks.base import Benchmark, trainings_of
from jaxnas.benchmarks.rows import RowFunction, row_function
from jaxnas.simulation.ask_tell import ask_next, check_arguments, run_key, split_run_key, tell_next
from jaxnas.simulation.checking import called, check_memory, strategy_of
from jaxnas.simulation.run import check_queries, run_in_chunks
from jaxnas.simulation.trials import Trials
from jaxnas.spaces.base import has_rows
from jaxnas.strategies.base import Observation, Query, Strategy

QueryFunction = Callable[[Query, jax.Array], Observation]
TrainingFunction = Callable[[Query], jax.Array]


class AsynchronousTrials(NamedTuple):
    """Trials of runs with several workers, in the order in which they finished; leading axes [runs, T].

    Attributes:
        trials: as returned by `run`; the cost of a trial is both the amount it paid and its duration.
        number: the place of each trial in the order in which they were queried, int[runs, T].
        start, finish: the times of query and of report, float32[runs, T], in the benchmark's unit of cost.
    """

    trials: Trials
    number: np.ndarray
    start: np.ndarray
    finish: np.ndarray


class _Clock(NamedTuple):
    """The trials of a run in the order in which they are queried, axis [T], and when they start and finish.

    `training`: the row of the architecture, or the architecture if there are no rows, and then the number of the
    training that the fidelity belongs to, int32[2] or int32[D + 1]. `price`: the list price of the query. `running`:
    queried and not reported yet. `told`: reported to the strategy.
    """

    trials: Trials
    training: jax.Array
    price: jax.Array
    start: jax.Array
    finish: jax.Array
    running: jax.Array
    told: jax.Array


def run_asynchronous(
    strategy: Strategy | Callable[..., Strategy],
    bench: Benchmark,
    *,
    num_workers: int,
    num_trials: int = 300,
    num_runs: int = 1000,
    seed: int = 0,
    prng: str = "hash",
) -> AsynchronousTrials:
    """Returns the trials of independent runs in which several workers evaluate queries, in order of completion.

    A worker that becomes free reports its result and at once asks the next query, without waiting for the others. A
    query lasts as long as it costs: its list price less what finished trials of its run have paid for the same
    architecture, seed and training. Of trials that finish together, the one queried first is reported first. With one
    worker the trials are the same as in `run`. A run depends on `seed`, `prng` and its number alone. Time is simulated:
    answers come from the benchmark at once.

    Args:
        strategy: one with `parallel=True`, or its factory.
        num_workers: the number of queries that run at the same time.
        num_trials, num_runs, seed, prng: as in `run`.

    Raises ValueError on a strategy without `parallel=True`, and as `run` does.
    """
    strategy = strategy_of(strategy, bench)
    check_arguments(strategy, num_workers=num_workers, num_trials=num_trials, num_runs=num_runs)
    check_memory(strategy, num_trials, num_runs, len(bench.space.decisions))
    if not strategy.parallel:
        raise ValueError(
            f"Expected a strategy with parallel=True, such as asynchronous_halving, got {strategy.name} without."
        )
    row_of = row_function(bench.space) if has_rows(bench.space) else None
    training_of = jax.tree_util.Partial(_training_of, row_of, jnp.asarray(trainings_of(bench), jnp.int32))
    arguments = (strategy, num_workers, num_trials, len(bench.fidelities), bench.query, training_of)
    if strategy.jittable and bench.jittable:
        clock = run_in_chunks(functools.partial(_simulate, *arguments), range(num_runs), seed, prng)
    else:
        clocks = [_run_one(_for_loop, *arguments, run_key(seed, number, prng)) for number in range(num_runs)]
        clock = jax.tree.map(lambda *values: np.stack(values), *clocks)
    check_queries(clock.trials, strategy, bench)
    return _in_order_of_completion(clock)


@functools.partial(jax.jit, static_argnums=(0, 1, 2, 3))
def _simulate(
    strategy: Strategy,
    num_workers: int,
    num_trials: int,
    num_fidelities: int,
    query_function: QueryFunction,
    training_of: TrainingFunction,
    keys: jax.Array,
) -> _Clock:
    arguments = (strategy, num_workers, num_trials, num_fidelities, query_function, training_of)
    run_one = functools.partial(_run_one, _scan, *arguments)
    return jax.vmap(run_one)(keys) if strategy.batched else jax.lax.map(run_one, keys)


def _scan(step: Callable[..., tuple], carry: tuple, numbers: range) -> tuple:
    return jax.lax.scan(lambda carry, t: (step(*carry, t), None), carry, jnp.asarray(numbers, jnp.int32))[0]


def _for_loop(step: Callable[..., tuple], carry: tuple, numbers: range) -> tuple:
    for t in numbers:
        carry = step(*carry, t)
    return carry


def _run_one(
    loop: Callable[..., tuple],
    strategy: Strategy,
    num_workers: int,
    num_trials: int,
    num_fidelities: int,
    query_function: QueryFunction,
    training_of: TrainingFunction,
    key: jax.Array,
) -> _Clock:
    init_key, keys = split_run_key(key)

    def begin(state: Any, clock: _Clock | None, t: Any, now: Any = 0.0) -> tuple[Any, _Clock]:
        state, query = ask_next(strategy, num_fidelities, state, t, keys)
        answer = query_function(query, jax.random.fold_in(keys.query, t))
        price = jnp.asarray(answer.cost)
        training = training_of(query)
        clock = _no_trials(Trials(query, answer), training, num_trials) if clock is None else clock
        cost = jnp.maximum(price - _paid_before(clock, training, answer.seed), 0)
        states: tuple[Any, ...] = (True, False)
        row = _Clock(Trials(query, answer._replace(cost=cost)), training, price, now, now + cost, *states)
        return state, jax.tree.map(lambda values, value: values.at[t].set(value), clock, row)

    def tell_and_begin(state: Any, clock: _Clock, t: jax.Array) -> tuple[Any, _Clock]:
        first = jnp.argmin(jnp.where(clock.running, clock.finish, jnp.inf))  # of equal times the first queried
        query, answer = jax.tree.map(lambda values: values[first], clock.trials)
        state = tell_next(strategy, state, first, query, answer._replace(cost=clock.price[first]))
        running, told = clock.running.at[first].set(False), clock.told.at[first].set(True)
        return begin(state, clock._replace(running=running, told=told), t, clock.finish[first])

    carry = begin(called(strategy, "init", init_key, num_trials), None, 0)
    carry = loop(begin, carry, range(1, min(num_workers, num_trials)))
    return loop(tell_and_begin, carry, range(num_workers, num_trials))[1]


def _training_of(row_of: RowFunction | None, trainings: jax.Array, query: Query) -> jax.Array:
    """Returns an identifier, equal for queries that one training can answer, given that their seeds are equal, too."""
    arch = query.arch if row_of is None else row_of(query.arch)[None]
    return jnp.append(arch, trainings[query.fidelity])


def _no_trials(one: Trials, training: jax.Array, num_trials: int) -> _Clock:
    """Returns the clock before the first trial, with room for trials like one."""
    trials, trainings = jax.tree.map(
        lambda value: jnp.zeros((num_trials, *jnp.shape(value)), jnp.asarray(value).dtype), (one, training)
    )
    times, neither = jnp.zeros(num_trials), jnp.zeros(num_trials, bool)
    return _Clock(trials, trainings, times, times, times, neither, neither)


def _paid_before(clock: _Clock, training: jax.Array, seed: jax.Array) -> jax.Array:
    """Returns the amount that reported trials have paid for an architecture and a seed, float32[]."""
    same = (clock.training == training).all(-1) & (clock.trials.observation.seed == seed)
    return jnp.where(same & clock.told, clock.price, 0).max()


def _in_order_of_completion(clock: _Clock) -> AsynchronousTrials:
    order = np.argsort(clock.finish, axis=1, kind="stable")  # of equal times the first queried

    def ordered(values: Any) -> np.ndarray:
        return np.take_along_axis(values, order.reshape(*order.shape, *[1] * (values.ndim - 2)), axis=1)

    return AsynchronousTrials(jax.tree.map(ordered, clock.trials), order, ordered(clock.start), ordered(clock.finish))
