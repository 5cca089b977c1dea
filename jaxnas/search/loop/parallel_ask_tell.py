"""A strategy in a loop in which several queries wait for their answers at a time."""

from collections.abc import Callable

import jax
import numpy as np

from jaxnas.benchmarks.base import Benchmark
from jaxnas.simulation.ask_tell import (
    ask_compiled,
    ask_next,
    check_arguments,
    first_state,
    fold_in,
    split_run_key,
    tell_compiled,
    tell_next,
)
from jaxnas.simulation.checking import check_memory, strategy_of
from jaxnas.simulation.trials import Trials
from jaxnas.strategies.base import Observation, Query, Strategy


class ParallelAskTell:
    """A strategy in a loop: `ask` as often as there are workers, `tell` in the order in which answers come.

    The trajectory is the same as from `run_asynchronous` for the same key and the same order of answers.

    Args:
        strategy: one with `parallel=True`; also a factory, which is given the parts of the benchmark that it needs.
        num_trials: how many trials the strategy is to plan for.
        key: of the run, as `run_key` makes it.

    Attributes:
        space: the benchmark's.
        num_asked: how many trials have begun.
        running: the queries that were asked and are not yet observed, by their numbers in the order of asking.
        begun: for each observed trial, how many had been observed when it was asked.

    Raises ValueError on numbers out of range, or a strategy that has to observe each result before it is
    asked again.
    """

    def __init__(
        self, strategy: Strategy | Callable[..., Strategy], *, num_trials: int, key: jax.Array, bench: Benchmark
    ):
        self._strategy = strategy_of(strategy, bench)
        check_arguments(self._strategy, num_trials=num_trials)
        check_memory(self._strategy, num_trials)
        if not self._strategy.parallel:
            raise ValueError(f"Expected a strategy with parallel=True, got {self._strategy.name} without.")
        self.space = bench.space
        self._num_fidelities = len(bench.fidelities)
        init_key, self._keys = split_run_key(key)
        self._state = first_state(self._strategy, init_key, num_trials)
        self._history: list[Trials] = []
        self._told_before: dict[int, int] = {}
        self.num_asked = 0
        self.running: dict[int, Query] = {}
        self.begun: list[int] = []

    def ask(self) -> tuple[int, Query]:
        """Returns the number of the next trial and its query, as NumPy values."""
        ask = ask_compiled if self._strategy.jittable else ask_next
        number = self.num_asked
        self._state, query = ask(self._strategy, self._num_fidelities, self._state, number, self._keys)
        self.running[number] = jax.tree.map(lambda value: np.asarray(value, np.int32), query)
        self._told_before[number] = len(self._history)
        self.num_asked += 1
        return number, self.running[number]

    def query_key(self, number: int) -> jax.Array:
        """Returns the key that the benchmark's answer to the query of that trial may use."""
        return fold_in(self._keys.query, number)

    def tell(self, number: int, observation: Observation) -> None:
        """Takes the outcome of a running trial. Raises KeyError if no trial of that number runs."""
        query = self.running.pop(number)
        tell = tell_compiled if self._strategy.jittable else tell_next
        self._state = tell(self._strategy, self._state, number, query, observation)
        self._history.append(Trials(query, observation))
        self.begun.append(self._told_before.pop(number))

    def trials(self) -> Trials:
        """Returns the trials in the order in which they were observed, leading axis [T]."""
        return jax.tree.map(lambda *values: np.stack(values), *self._history)
