"""What `jaxnas compare` runs: strategies, numbers of runs, objectives; and the dictionary of results."""

import shlex
import sys
from collections.abc import Callable

from jaxnas import catalog
from jaxnas.benchmarks.base import Benchmark
from jaxnas.benchmarks.penalised import Objective, penalised
from jaxnas.simulation.run import run
from jaxnas.simulation.trials import Trials
from jaxnas.strategies.base import Strategy


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


SINGLE_OBJECTIVE = (
    "random_search",
    "local_search",
    "regularized_evolution",
    "genetic_algorithm",
    "simulated_annealing",
    "cross_entropy",
    "reinforce",
    "reward_weighted_sampling",
)
TWO_OBJECTIVES = ("random_search", "regularized_evolution", "multi_objective_evolution", "nsga2")
MOST_RUNS = {"gaussian_process": 300, "bananas": 100, "predictor_guided": 10, "bohb": 100, "tree_parzen_estimator": 300}
"""Most runs of the strategies that are too slow for a thousand in seconds."""
PROTOCOL = (
    "Strategies were told validation scores only, and the architecture of a run was chosen by them. "
    "It is reported by its test score, the mean over seeds after the last epoch, which no search was told."
)
"""By which split what was chosen and reported."""


def factories_of(text: str | None, objective: Objective) -> dict:
    """Returns the factories of a list of names, by name; of None, the default ones for an objective; of `all`, all.

    `all` leaves out strategies with two objectives where there is one. Raises ValueError on unknown or equal names.
    """
    from jaxnas.strategies.base import asks_for

    two = objective.size is not None and objective.weight is None
    if text == "all":
        every = {name: catalog.strategy(name) for name in catalog.STRATEGIES}
        return {name: factory for name, factory in every.items() if two or not asks_for(factory, "size")}
    names = list(TWO_OBJECTIVES if two else SINGLE_OBJECTIVE)
    if text is not None:
        names = [name for name in text.split(",") if name]
    if not names:
        raise ValueError("Expected strategies, got none.")
    factories = {name.rpartition(":")[2]: catalog.strategy(name) for name in names}
    if len(factories) < len(names):
        raise ValueError(f"Expected strategies of different names, got {text}.")
    return factories


def weighted(bench: Benchmark, objective: Objective) -> Benchmark:
    """Returns the benchmark, its scores less the weighted size where the objective has a weight."""
    if objective.weight is None or objective.size is None:
        return bench
    return penalised(bench, objective.weight, objective.size)


def num_runs_of(name: str, num_runs: int) -> int:
    """Returns how many runs a strategy gets where `num_runs` are asked for."""
    return min(num_runs, MOST_RUNS.get(name, num_runs))


def run_all(options, bench, strategies: dict, progress: Callable[[str, int], None]) -> tuple[dict, dict | None]:
    """Returns the `Trials` of each strategy, and what was decided of each pair, None without `--until-decided`.

    `progress` is called with a strategy and the number of runs just finished, with 0 before the first of them.
    """
    from jaxnas.simulation.run import run as run_strategy

    def run(name: str, start: int, stop: int):
        progress(name, 0)
        found = run_strategy(
            strategies[name],
            bench,
            num_trials=options.trials,
            num_runs=stop - start,
            first_run=start,
            seed=options.seed,
        )
        progress(name, stop - start)
        return found

    if options.until_decided:
        return _run_until_decided(options, bench, strategies, run)
    return {name: run(name, 0, num_runs_of(name, options.runs)) for name in strategies}, None


def _run_until_decided(options, bench, strategies: dict, run: Callable) -> tuple[dict, dict]:
    import jax
    import numpy as np

    from jaxnas.analysis.regret import regret
    from jaxnas.analysis.sequential import FIRST_LOOK, until_decided

    parts = {name: [] for name in strategies}

    def more_runs(name: str, start: int, stop: int) -> np.ndarray:
        stop = min(stop, num_runs_of(name, options.runs))
        # Parts of one size, so that each strategy is compiled once.
        new = [run(name, first, min(first + FIRST_LOOK, stop)) for first in range(start, stop, FIRST_LOOK)]
        parts[name] += new
        return np.concatenate([np.empty(0), *(regret(part, bench)[:, -1] for part in new)])

    decisions = until_decided(more_runs, list(strategies), num_runs=options.runs)
    return {
        name: jax.tree.map(lambda *values: np.concatenate(values), *each) for name, each in parts.items()
    }, decisions


def _with_decisions(pairs: list[dict], decisions: dict) -> list[dict]:
    """Returns the pairs with p values that hold although runs were added until they were small."""
    return [pair | decisions[pair["first"], pair["second"]]._asdict() for pair in pairs]


def decision_texts(result: dict) -> list[str]:
    """Returns lines that say after how many runs each pair was decided, of a dictionary of `summary.json`."""
    level, groups = result["sequential"]["level"], {}
    for pair in result["pairwise"]:
        heading = (pair["p_holm"] > level, pair["num_runs"])
        groups.setdefault(heading, []).append(f"{pair['first']} - {pair['second']}")
    return [
        f"{'Not separated' if open_still else 'Separated'} after {num_runs} runs: {', '.join(pairs)}."
        for (open_still, num_runs), pairs in sorted(groups.items())
    ]


def result_of(
    options, objective: Objective, bench, strategies: dict, trials: dict, decisions: dict | None = None
) -> dict:
    """Returns the dictionary of `summary.json`."""
    from jaxnas.analysis.best import best_cells
    from jaxnas.analysis.landscape import landscape
    from jaxnas.analysis.results import summarize, summarize_fronts
    from jaxnas.analysis.sequential import look_numbers
    from jaxnas.analysis.statistics import LEVEL
    from jaxnas.tables.build.provenance import versions

    numbers = summarize(trials, bench)
    for name, strategy in strategies.items():
        numbers["strategies"][name]["hyperparameters"] = dict(strategy.hyperparameters)
        numbers["strategies"][name]["num_runs"] = len(trials[name].observation.score)
    result = {
        "benchmark": bench.id,
        "content_hash": bench.content_hash,
        "space": bench.space.name,
        "objective": objective.text,
        "protocol": PROTOCOL,
        "num_runs": options.runs,
        "num_trials": options.trials,
        "seed": options.seed,
        "prng": "hash",
        "versions": versions(),
        "command": shlex.join(["jaxnas", *sys.argv[1:]]),
        **numbers,
    }
    if decisions is not None:
        result["pairwise"] = _with_decisions(result["pairwise"], decisions)
        result["sequential"] = {"level": LEVEL, "looks": look_numbers(options.runs)}
    if objective.size is not None and objective.weight is None:
        result["fronts"] = summarize_fronts(trials, bench, objective.size)
    elif bench.table is not None:
        result["landscape"] = landscape(bench)
    if bench.table is not None and hasattr(bench.space, "graph"):
        result["cells"] = best_cells(trials, bench)
    return result
