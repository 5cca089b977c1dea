"""The runs of a comparison: a number of trials each, or as many as a budget pays for, or until pairs are decided."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import jax
import numpy as np

from jaxnas.analysis.budgets import counts_crossing, equal_cost, full_price, num_trials_paid, within_budget
from jaxnas.analysis.confirmation import confirmed
from jaxnas.analysis.pairs import FIRST_LOOK, Decision
from jaxnas.analysis.pairs import until_decided as decide
from jaxnas.analysis.results import Settings, compared_values
from jaxnas.benchmarks.base import Benchmark
from jaxnas.simulation.run import run
from jaxnas.simulation.trials import Trials
from jaxnas.strategies.base import Strategy

MOST_BYTES = 8 * 2**30
BYTES_OF_ANALYSIS = 64
"""What the analysis takes for each trial of a strategy, beyond the trial itself."""
MOST_DOUBLINGS = 4
SIDE_BY_SIDE = 2
"""Compiled strategies that run at a time: most of the time XLA compiles, in one thread each."""


def check_memory(bench: Benchmark, num_strategies: int, num_runs: int, num_trials: int) -> None:
    """Raises ValueError if the trials of a comparison would not fit into memory."""
    if num_runs < 1 or num_trials < 1:
        return  # refused by `run`
    bytes_of_trial = 4 * (len(bench.space.decisions) + 5) + BYTES_OF_ANALYSIS
    most = MOST_BYTES // (bytes_of_trial * num_strategies)
    if num_runs * num_trials > most:
        shown = f"{num_runs:,} runs of {num_trials:,} trials"
        raise ValueError(
            f"Expected at most {most:,} trials of a strategy, which take {MOST_BYTES // 2**30} GiB of memory for "
            f"{num_strategies} of them, got {shown}."
        )


def runner(
    strategies: dict[str, Strategy],
    bench: Benchmark,
    settings: Settings,
    total: int,
    progress: Callable[[str, int, int], None] | None,
) -> Callable[..., Trials]:
    """Returns the function `(name, first run, one after the last, number of trials) -> Trials` of a strategy."""
    done = 0
    lock = threading.Lock()

    def report(name: str, num_more: int) -> None:
        nonlocal done
        with lock:
            done += num_more
            if progress is not None:
                progress(name, done, total)

    def run_some(name: str, start: int, stop: int, num_trials: int = settings.num_trials) -> Trials:
        report(name, 0)
        found = run(
            strategies[name],
            bench,
            num_trials=num_trials,
            num_runs=stop - start,
            first_run=start,
            seed=settings.seed,
            prng=settings.prng,
        )
        report(name, stop - start)
        return found

    return run_some


def run_each(
    run_some: Callable[..., Trials], strategies: dict[str, Strategy], bench: Benchmark, limits: dict[str, int]
) -> dict[str, Trials]:
    """Returns the trials of strategies, each with as many runs as its limit.

    Compiled ones run `SIDE_BY_SIDE`, the slow ones first; meanwhile those that loop in Python, which may share state,
    run one after another.
    """
    compiled = [name for name, strategy in strategies.items() if strategy.jittable and bench.jittable]
    pool = ThreadPoolExecutor(SIDE_BY_SIDE)
    try:
        slow_first = sorted(compiled, key=lambda name: strategies[name].batched)
        futures = {name: pool.submit(run_some, name, 0, limits[name]) for name in slow_first}
        looped = {name: run_some(name, 0, limits[name]) for name in strategies if name not in futures}
        found = looped | {name: future.result() for name, future in futures.items()}
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
    return {name: found[name] for name in strategies}


def first_guess(budget: float, bench: Benchmark) -> int:
    """Returns a number of trials that full trainings probably spend a budget with."""
    return max(int(np.ceil(1.25 * budget / max(full_price(bench), 1e-12))), 2)


def run_within_budget(
    run_some: Callable[..., Trials], bench: Benchmark, limits: dict[str, int], settings: Settings
) -> dict[str, Trials]:
    """Returns the trials of strategies that end when a budget is spent, all equally long.

    A strategy is run with twice as many trials until every run has spent the budget, or 16 times as many as full
    trainings need: repeated queries are free.
    """
    assert settings.budget is not None
    found = {}
    for name, num_runs in limits.items():
        num_trials = settings.num_trials
        trials = run_some(name, 0, num_runs, num_trials)
        for _ in range(MOST_DOUBLINGS):
            if trials.observation.cost.sum(1, dtype=np.float64).min() >= settings.budget:
                break
            num_trials *= 2
            check_memory(bench, len(limits), num_runs, num_trials)
            trials = run_some(name, 0, num_runs, num_trials)
        reserved = None if settings.confirm is None else confirmed(trials, bench, settings.confirm).costs
        found[name] = within_budget(trials, settings.budget, crossing=counts_crossing(bench), reserved=reserved)
    longest = max(int(num_trials_paid(each).max(initial=1)) for each in found.values())
    return {name: _of_length(each, longest) for name, each in found.items()}


def _of_length(trials: Trials, num_trials: int) -> Trials:
    """Returns trials cut to a number, or with the last one repeated, failed and at no cost."""
    missing = max(num_trials - trials.observation.score.shape[1], 0)

    def resized(values: np.ndarray) -> np.ndarray:
        values = np.asarray(values)[:, :num_trials]
        return np.concatenate([values, np.repeat(values[:, -1:], missing, axis=1)], axis=1)

    sized = jax.tree.map(resized, trials)
    if not missing:
        return sized
    score, cost = (values.copy() for values in (sized.observation.score, sized.observation.cost))
    score[:, -missing:], cost[:, -missing:] = np.nan, 0
    return sized._replace(observation=sized.observation._replace(score=score, cost=cost))


def run_until_decided(
    run_some: Callable[..., Trials], bench: Benchmark, limits: dict[str, int], settings: Settings
) -> tuple[dict[str, Trials], dict[tuple[str, str], Decision], int | None]:
    """Returns the trials of strategies, the decision on each pair, and the equal cost at which, None without.

    The cost is the one that every first run of the strategies with lower fidelities has paid, so it does not change
    while runs are added.
    """
    parts: dict[str, list[Trials]] = {
        name: [run_some(name, 0, min(FIRST_LOOK, num_runs))] for name, num_runs in limits.items()
    }
    cost = equal_cost({name: each[0] for name, each in parts.items()}, bench)

    def more_runs(name: str, start: int, stop: int) -> np.ndarray:
        stop = min(stop, limits[name])
        if start:
            # Parts of one size, so each strategy is compiled once.
            new = [run_some(name, first, min(first + FIRST_LOOK, stop)) for first in range(start, stop, FIRST_LOOK)]
            parts[name] += new
        else:
            new = parts[name]
        return np.concatenate([np.empty(0), *(compared_values(part, bench, settings, cost) for part in new)])

    decisions = decide(more_runs, list(limits), num_runs=settings.num_runs)
    trials = {name: jax.tree.map(lambda *values: np.concatenate(values), *each) for name, each in parts.items()}
    return trials, decisions, cost
