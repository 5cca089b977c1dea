"""The dictionary of `summary.json`: what runs of strategies on a benchmark show."""

from typing import Any, NamedTuple

import numpy as np

from jaxnas.analysis import fronts
from jaxnas.analysis.best import best_cells
from jaxnas.analysis.incumbents import incumbent_scores
from jaxnas.analysis.landscape import landscape
from jaxnas.analysis.optimum import Optimum, optimum
from jaxnas.analysis.pairs import pairwise
from jaxnas.analysis.regret import at_budgets, reported_scores
from jaxnas.analysis.sequential import Decision, look_numbers
from jaxnas.analysis.statistics import LEVEL, bootstrap_interval, mean_ranks, probability_best
from jaxnas.benchmarks.base import Benchmark, table_of
from jaxnas.benchmarks.penalised import Objective
from jaxnas.simulation.trials import Trials
from jaxnas.strategies.base import Strategy
from jaxnas.tables.build.provenance import versions

NUM_FRONTS = 24
QUANTILES = np.linspace(0, 1, 21)
"""The shares of runs at which `regret_quantiles` gives the final regret: its smallest, then those of every 5 %."""
PROTOCOL = (
    "Strategies saw validation scores only, and each run's architecture was selected by them. "
    "Regret uses its test score at the reported fidelity, which no search saw."
)
"""By which split architectures were selected and reported."""
REGRET_DEFINITIONS = {
    "crossfit": "Regret is the best expected test score of the table, estimated by cross-fitting over its runs, less "
    "the mean test score of the architecture that was found over the runs that its search was not told.",
    "maximum": "Regret is the largest mean test score of the table less that of the architecture that was found, both "
    "over all runs.",
    "known": "Regret is the known optimum of the test score less the test score of the architecture that was found.",
}
"""What regret means, in a sentence, by the method of the optimum (see `Optimum`)."""


class Settings(NamedTuple):
    """How strategies were compared. `command` is the command line that did it, empty where a script did."""

    num_trials: int = 300
    num_runs: int = 1000
    seed: int = 0
    prng: str = "hash"
    objective: Objective = Objective("accuracy")
    command: str = ""
    reference: str = "crossfit"


def result_of(
    trials: dict[str, Trials],
    strategies: dict[str, Strategy],
    bench: Benchmark,
    settings: Settings,
    decisions: dict[tuple[str, str], Decision] | None = None,
) -> dict[str, Any]:
    """Returns the dictionary of `summary.json` for the trials of strategies on a benchmark.

    `decisions` say what was decided of each pair where runs were added until pairs were decided; None elsewhere.
    """
    result = _provenance(bench, settings) | summarize(trials, bench, settings.reference)
    for name, strategy in strategies.items():
        num_runs = len(trials[name].observation.score)
        result["strategies"][name] |= {"hyperparameters": dict(strategy.hyperparameters), "num_runs": num_runs}
    if decisions is not None:
        # p values that hold although runs were added until they were small
        pairs = [pair | decisions[pair["first"], pair["second"]]._asdict() for pair in result["pairwise"]]
        result |= {"pairwise": pairs, "sequential": {"level": LEVEL, "looks": look_numbers(settings.num_runs)}}
    size = second_size(settings.objective)
    if size is not None:
        result["fronts"] = summarize_fronts(trials, bench, size)
    elif bench.table is not None:
        result["landscape"] = landscape(bench)
    if bench.table is not None:
        result["cells"] = best_cells(trials, bench)
    return result


def second_size(objective: Objective) -> str | None:
    """Returns the size that is a second objective, None where there is one objective."""
    return objective.size if objective.weight is None else None


def _source(bench: Benchmark) -> dict[str, Any]:
    """Returns where the numbers of a published table come from: its authors and what to cite."""
    source = None if bench.table is None else bench.table.manifest.get("source")
    return {} if source is None else {"source": source}


def _warning(bench: Benchmark) -> dict[str, Any]:
    """Returns what a reader must be warned of: a published table that tells searches what is reported."""
    warning = None if bench.table is None else bench.table.manifest.get("warning")
    return {} if warning is None else {"warning": warning}


def _provenance(bench: Benchmark, settings: Settings) -> dict[str, Any]:
    return {
        "benchmark": bench.id,
        **({} if bench.content_hash is None else {"content_hash": bench.content_hash}),
        **_source(bench),
        "space": bench.space.name,
        "objective": settings.objective.text,
        "metric": bench.metric._asdict(),
        "cost_unit": bench.cost_unit,
        "protocol": _warning(bench).get("warning", PROTOCOL),
        **_warning(bench),
        "num_runs": settings.num_runs,
        "num_trials": settings.num_trials,
        "seed": settings.seed,
        "prng": settings.prng,
        "versions": versions(),
        "command": settings.command,
    }


def _full_price(bench: Benchmark) -> float:
    """Returns the price of a trial at the last fidelity, the mean over architectures."""
    last = np.asarray(bench.prices)[:, -1]
    return float(last[0] if len(last) == 1 else last[table_of(bench).class_of].mean(dtype=np.float64))


def regret_definition(best: Optimum) -> str:
    """Returns the sentence that says what regrets from an optimum mean, and why they are not estimated otherwise."""
    sentence = REGRET_DEFINITIONS[best.method]
    if not best.note:
        return sentence
    return f"{sentence} Luck of runs could not be left out: {best.note}."


def summarize(trials: dict[str, Trials], bench: Benchmark, reference: str = "crossfit") -> dict[str, Any]:
    """Returns the numbers of `summary.json`: budgets, and what each strategy reached.

    `optimum` is what regrets are measured from, see `Optimum`, and `regret_definition` a sentence that says so.

    For each strategy these are regret curves with 95 % intervals, the area under them (the mean regret over trials),
    final scores, mean rank and chance to be the best; for each pair the tests of their final regrets (see `pairwise`).
    Budgets are in the benchmark's unit of cost: the price of 1, 2, ..., T trials at the last fidelity. `equal_cost` is
    the number of trials at the last fidelity whose price every run of the strategies with lower fidelities has paid;
    curves over cost can be compared up to there. None without such strategies.
    """
    num_trials = next(iter(trials.values())).observation.score.shape[1]
    budgets = np.arange(1, num_trials + 1) * _full_price(bench)
    best = optimum(bench, reference=reference)
    scores = {name: reported_scores(each, bench, reference=reference) for name, each in trials.items()}
    regrets = {name: best.value - values for name, values in scores.items()}
    final = {name: values[:, -1] for name, values in regrets.items()}
    ranks, chances = mean_ranks(regrets), probability_best(final)
    strategies = {}
    for name, each in trials.items():
        strategies[name] = _summarize_one(each, scores[name], regrets[name], bench, budgets) | {
            "mean_rank": float(ranks[name][-1]),
            "mean_rank_over_trials": ranks[name].tolist(),
            "probability_best": chances[name],
        }
    return {
        "regret_definition": regret_definition(best),
        "optimum": best._asdict(),
        "budget": budgets.tolist(),
        "equal_cost": _equal_cost(trials, bench),
        "strategies": strategies,
        "pairwise": pairwise(final),
    }


def _equal_cost(trials: dict[str, Trials], bench: Benchmark) -> int | None:
    last, price = len(bench.fidelities) - 1, _full_price(bench)
    paid = [
        each.observation.cost.sum(1).min() for each in trials.values() if (np.asarray(each.query.fidelity) < last).any()
    ]
    if not paid or min(paid) < price:
        return None
    return int(min(paid) / price)


def _summarize_one(
    trials: Trials, scores: np.ndarray, regrets: np.ndarray, bench: Benchmark, budgets: np.ndarray
) -> dict[str, Any]:
    low, high = bootstrap_interval(regrets)
    areas = regrets.mean(1, dtype=np.float64)
    area_low, area_high = bootstrap_interval(areas[:, None])
    by_cost = at_budgets(regrets, trials, budgets)
    low_by_cost, high_by_cost = bootstrap_interval(by_cost)
    final_test = scores[:, -1]
    final_validation = incumbent_scores(trials, bench, "validation")[:, -1]
    return {
        "regret_mean": regrets.mean(0).tolist(),
        "regret_ci_low": low.tolist(),
        "regret_ci_high": high.tolist(),
        "regret_area_mean": float(areas.mean()),
        "regret_area_ci_low": float(area_low[0]),
        "regret_area_ci_high": float(area_high[0]),
        "regret_quantiles": np.quantile(regrets[:, -1].astype(np.float64), QUANTILES).tolist(),
        "regret_mean_by_cost": _listed(by_cost.mean(0)),
        "regret_ci_low_by_cost": _listed(low_by_cost),
        "regret_ci_high_by_cost": _listed(high_by_cost),
        "final_test_mean": float(final_test.mean()),
        "final_test_std": float(final_test.std()),
        "final_validation_mean": float(final_validation.mean()),
    }


def _listed(values: np.ndarray) -> list[float | None]:
    """Returns values as JSON holds them, None for NaN: a budget that does not pay for the first trial of every run."""
    return [None if np.isnan(value) else value for value in values.tolist()]


def summarize_fronts(trials: dict[str, Trials], bench: Benchmark, size: str) -> dict[str, Any]:
    """Returns the numbers of a comparison by two objectives, score and size, for `summary.json`.

    `points`: numbers of trials after which fronts were measured. `true`: the front of the benchmark, pairs (size, mean
    test score). For each strategy: `hypervolume_mean` relative to the true front's with its 95 % interval, and
    `distance_mean`, the IGD+, at the points; `front`: that of the run with the median hypervolume.
    """
    num_trials = next(iter(trials.values())).observation.score.shape[1]
    points = np.unique(np.geomspace(1, num_trials, NUM_FRONTS).round().astype(int))
    true = fronts.true_front(bench, size)[:, None]
    found = {}
    for name, each in trials.items():
        volumes, distances = fronts.front_quality(each, bench, size, points)
        low, high = bootstrap_interval(volumes)
        median = np.argsort(volumes[:, -1])[len(volumes) // 2]
        found[name] = {
            "hypervolume_mean": volumes.mean(0).tolist(),
            "hypervolume_ci_low": low.tolist(),
            "hypervolume_ci_high": high.tolist(),
            "distance_mean": distances.mean(0).tolist(),
            "front": _front_of_run(each, median, bench, size),
        }
    true_pairs = np.stack([bench.sizes(size, true), bench.held_out.scores(true)], axis=1)
    return {"size": size, "points": points.tolist(), "true": true_pairs.tolist(), "strategies": found}


def _front_of_run(trials: Trials, run: int, bench: Benchmark, size: str) -> list[list[float]]:
    archs, scores = np.asarray(trials.query.arch)[run], np.asarray(trials.observation.score)[run]
    sizes, test = bench.sizes(size, archs), bench.held_out.scores(archs)
    chosen = np.flatnonzero(fronts.on_front(scores, sizes))
    chosen = chosen[np.argsort(sizes[chosen])]
    return np.stack([sizes[chosen], test[chosen]], axis=1).tolist()
