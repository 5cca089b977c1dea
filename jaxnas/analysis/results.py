"""The dictionary of `summary.json`: results of strategies on a benchmark."""

from typing import Any, NamedTuple

import numpy as np

from jaxnas.analysis.best import best_cells
from jaxnas.analysis.budgets import at_budgets, counts_crossing, equal_cost, full_price, num_trials_paid
from jaxnas.analysis.explanation.explain import MOST_CLASSES, explained_by_table
from jaxnas.analysis.fronts import Fronts, over_trials, summarize_fronts
from jaxnas.analysis.incumbent import incumbent_scores
from jaxnas.analysis.landscape import landscape
from jaxnas.analysis.measures import Measure, end_of, front_measures, regret_measures, trials_paid
from jaxnas.analysis.optima import Limit, Optimum, limit_name, optimum
from jaxnas.analysis.pairs import Decision, interval_level, look_numbers, pairwise
from jaxnas.analysis.regret import Found, found_by
from jaxnas.analysis.selection import Selection, selection
from jaxnas.analysis.statistics import LEVEL, mean_interval, mean_ranks, probability_best
from jaxnas.benchmarks.base import Benchmark
from jaxnas.benchmarks.penalized import Objective, second_size
from jaxnas.provenance import versions
from jaxnas.simulation.trials import Trials
from jaxnas.strategies.base import Strategy
from jaxnas.tables.manifest import baselines_of

MOST_BUDGETS = 300
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
    """How strategies were compared.

    Attributes:
        num_trials, num_runs, seed, prng, objective: as of `compare`.
        command: the command line that ran it, empty if a script did.
        optimum_from: the reference of regrets, as of `regret`.
        budget: the maximum cost of a run; None if runs end after `num_trials`.
        confirm: (m, k) as of `confirmed`, or None.
        limit: the size and the maximum that strategies keep to, or None.
        sources: the source tables of a comparison of transfer, see `described_sources`.
        equal_cost: the number of full trainings at whose cost strategies are compared if some train
            less; None if it is the cost that all have paid.
    """

    num_trials: int = 300
    num_runs: int = 1000
    seed: int = 0
    prng: str = "hash"
    objective: Objective = Objective("accuracy")
    command: str = ""
    optimum_from: str = "crossfit"
    budget: float | None = None
    confirm: tuple[int, int] | None = None
    limit: Limit | None = None
    sources: tuple[dict[str, Any], ...] = ()
    equal_cost: int | None = None


def result_of(
    trials: dict[str, Trials],
    strategies: dict[str, Strategy],
    bench: Benchmark,
    settings: Settings,
    decisions: dict[tuple[str, str], Decision] | None = None,
) -> dict[str, Any]:
    """Returns the dictionary of `summary.json` for the trials of strategies on a benchmark.

    `decisions` holds the decision on each pair if runs were added until pairs were decided; None otherwise.
    """
    level = 0.95 if decisions is None else interval_level(settings.num_runs)
    result = _provenance(trials, bench, settings) | summarize(trials, bench, settings, level)
    same = same_queries(trials)
    for name, strategy in strategies.items():
        num_runs = len(trials[name].observation.score)
        note = strategy.note or (f"asked the same as {same[name]} in all runs" if name in same else "")
        described = {"hyperparameters": dict(strategy.hyperparameters), "note": note}
        result["strategies"][name] |= described | {"num_runs": num_runs}
    if decisions is not None:
        # p values that hold although runs were added until they were small
        pairs = [pair | decisions[pair["first"], pair["second"]]._asdict() for pair in result["pairwise"]]
        looks = {"level": LEVEL, "looks": look_numbers(settings.num_runs), "interval_level": level}
        result |= {"pairwise": pairs, "sequential": looks}
    if "fronts" not in result and bench.table is not None:
        result["landscape"] = landscape(bench)
    if bench.table is not None:
        result["cells"] = best_cells(trials, bench, settings.confirm)
        if len(bench.table.representatives) <= MOST_CLASSES:
            result["explanation"] = explained_by_table(bench, result["cells"][0]["row"])
    return result


def same_queries(trials: dict[str, Trials]) -> dict[str, str]:
    """Returns, for strategies that asked the same in all runs as an earlier one did, the name of that one."""
    found: dict[str, str] = {}
    names = list(trials)
    for number, name in enumerate(names):
        own = trials[name].query
        for earlier in names[:number]:
            other = trials[earlier].query
            if np.array_equal(own.arch, other.arch) and np.array_equal(own.fidelity, other.fidelity):
                found[name] = earlier
                break
    return found


def _provenance(trials: dict[str, Trials], bench: Benchmark, settings: Settings) -> dict[str, Any]:
    num_runs, num_trials = np.max([each.observation.score.shape for each in trials.values()], axis=0).tolist()
    manifest = {} if bench.table is None else bench.table.manifest
    lines_to_beat, warning = baselines_of(manifest) if manifest else {}, manifest.get("warning")
    optional = {
        "content_hash": bench.content_hash,
        "source": manifest.get("source"),  # the authors of a published table, and its citation
        "references": lines_to_beat or None,
    }
    return {
        "benchmark": bench.id,
        **{name: value for name, value in optional.items() if value is not None},
        "space": bench.space.name,
        "objective": settings.objective.text,
        "metric": bench.metric._asdict(),
        "cost_unit": bench.cost_unit,
        # a published table may show searches the score that is reported
        "protocol": PROTOCOL if warning is None else warning,
        **({} if warning is None else {"warning": warning}),
        "num_runs": num_runs,
        "num_trials": num_trials,
        "seed": settings.seed,
        "prng": settings.prng,
        "versions": versions(),
        "command": settings.command,
        **_options(bench, settings),
    }


def _options(bench: Benchmark, settings: Settings) -> dict[str, Any]:
    """Returns the requests beyond a plain comparison: a budget, confirmations, a limit."""
    found: dict[str, Any] = {}
    if settings.budget is not None:
        found["budget_limit"] = {
            "amount": settings.budget,
            "unit": bench.cost_unit,
            "counts_crossing_trial": counts_crossing(bench),
        }
    if settings.confirm is not None:
        found["confirm"] = dict(zip(("candidates", "runs"), settings.confirm, strict=True))
    if settings.limit is not None:
        name = limit_name(settings.limit, bench)
        unit = bench.table.size_unit(name) if bench.table is not None and name in bench.table.size_names else ""
        found["limit"] = {"size": name, "maximum": settings.limit[1], "unit": unit}
    if settings.sources:
        found["sources"] = list(settings.sources)
    return found


def regret_definition(best: Optimum) -> str:
    """Returns the sentence that defines regrets from an optimum, with the reason if it is not estimated."""
    sentence = REGRET_DEFINITIONS[best.method]
    if not best.note:
        return sentence
    return f"{sentence} Luck of runs could not be left out: {best.note}."


def summarize(
    trials: dict[str, Trials], bench: Benchmark, settings: Settings | None = None, level: float = 0.95
) -> dict[str, Any]:
    """Returns the numbers of `summary.json`: budgets, and the results of each strategy.

    `optimum` is the reference of regrets, see `Optimum`, and `regret_definition` a sentence that states
    it. `selection` measures how well validation chooses by test (see `Selection`), None without a
    table. For each strategy there are regret curves with 95 % intervals, the area under them (the mean
    regret over trials) and final scores. `compared_by` names the measure of the comparison (see
    `regret_measures` and `front_measures`): `compared_mean` with its interval, `mean_rank`,
    `probability_best` and the tests of pairs (see `pairwise`) are of this measure. `secondary` holds
    the tests by further measures. By two objectives there are `fronts`, see `summarize_fronts`.

    Budgets are in the benchmark's unit of cost: the price of 1, 2, ..., T trials at the last
    fidelity, or equal parts of the budget that runs had. `equal_cost` is the number of trials at
    the last fidelity whose price every run of the strategies with lower fidelities has paid; curves
    over cost can be compared up to there. None without such strategies. `level` is the level of the
    intervals of differences.
    """
    settings = settings or Settings()
    num_trials = _num_trials(trials)
    cost = settings.equal_cost or (equal_cost(trials, bench) if settings.budget is None else None)
    numbers = _numbers(trials, bench, settings, cost)
    chosen = None if bench.table is None else selection(bench, numbers.best, settings.limit)
    if numbers.fronts is None:
        ranks = mean_ranks(numbers.regrets)
    else:
        at_points = mean_ranks(numbers.fronts.missing)
        ranks = {name: over_trials(each, numbers.fronts.points, num_trials) for name, each in at_points.items()}
    strategies = {
        name: _summarize_one(each, numbers.found[name], numbers.regrets[name], numbers.by_cost[name], bench, chosen)
        | {"mean_rank_over_trials": ranks[name].tolist()}
        for name, each in trials.items()
    }
    compared, *others = numbers.measures
    return {
        "regret_definition": regret_definition(numbers.best),
        "optimum": numbers.best._asdict(),
        "selection": None if chosen is None else chosen._asdict(),
        "budget": numbers.budgets.tolist(),
        "equal_cost": cost,
        "compared_by": compared.described(),
        "strategies": _with_comparison(strategies, compared),
        "pairwise": pairwise(compared.values, level=level),
        "secondary": [each.described() | {"pairwise": pairwise(each.values, level=level)} for each in others],
        **({} if numbers.fronts is None else {"fronts": numbers.fronts.summary}),
    }


def compared_values(trials: Trials, bench: Benchmark, settings: Settings, cost: int | None) -> np.ndarray:
    """Returns the measure of comparison of one strategy's runs, float[runs], at an equal cost if there is one."""
    return _numbers({"": trials}, bench, settings, cost).measures[0].values[""]


class _Numbers(NamedTuple):
    best: Optimum
    found: dict[str, Found]
    regrets: dict[str, np.ndarray]
    budgets: np.ndarray
    by_cost: dict[str, np.ndarray]
    fronts: Fronts | None
    measures: list[Measure]


def _numbers(trials: dict[str, Trials], bench: Benchmark, settings: Settings, cost: int | None) -> _Numbers:
    best = optimum(bench, optimum_from=settings.optimum_from, limit=settings.limit)
    found = {name: found_by(each, bench, settings.confirm, settings.optimum_from) for name, each in trials.items()}
    regrets = {name: best.value - each.scores for name, each in found.items()}
    num_trials = _num_trials(trials)
    budgets, crossing = _budgets(num_trials, bench, settings), counts_crossing(bench)
    by_cost = {
        name: at_budgets(regrets[name], trials[name], budgets, crossing=crossing, reserved=each.reserved)
        for name, each in found.items()
    }
    fronts = _fronts(trials, bench, settings, cost)
    end = end_of(num_trials, settings.budget, bench.cost_unit)
    if fronts is not None:
        measures = front_measures(fronts, cost, end)
    elif cost is None:
        measures = regret_measures(regrets, None, cost, end)
    else:
        at_cost = {name: _present(each[:, cost - 1], bench, best) for name, each in by_cost.items()}
        measures = regret_measures(regrets, at_cost, cost, end)
    return _Numbers(best, found, regrets, budgets, by_cost, fronts, measures)


def _num_trials(trials: dict[str, Trials]) -> int:
    return next(iter(trials.values())).observation.score.shape[1]


def _budgets(num_trials: int, bench: Benchmark, settings: Settings) -> np.ndarray:
    if settings.budget is None:
        return np.arange(1, num_trials + 1) * full_price(bench)
    number = min(num_trials, MOST_BUDGETS)
    return np.arange(1, number + 1) * settings.budget / number


def _fronts(trials: dict[str, Trials], bench: Benchmark, settings: Settings, cost: int | None) -> Fronts | None:
    size = second_size(settings.objective)
    if size is None:
        return None
    paid = None if cost is None else {name: trials_paid(each, bench, cost) for name, each in trials.items()}
    log = settings.objective.log
    return summarize_fronts(trials, bench, size, log=log, optimum_from=settings.optimum_from, paid=paid)


def _present(regrets: np.ndarray, bench: Benchmark, best: Optimum) -> np.ndarray:
    """Returns regrets, with the worst architecture's regret if a cost pays for no trial."""
    worst = bench.held_out.worst
    return regrets if worst is None else np.where(np.isnan(regrets), best.value - worst, regrets)


def _with_comparison(strategies: dict[str, dict[str, Any]], measure: Measure) -> dict[str, dict[str, Any]]:
    """Returns the numbers of strategies, with the numbers of the measure that they are compared by."""
    ranks, chances = mean_ranks(measure.values), probability_best(measure.values)
    return {
        name: numbers
        | _scalars("compared", values)
        | {"compared_se": float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else None}
        | {"mean_rank": float(ranks[name]), "probability_best": chances[name]}
        for (name, numbers), values in zip(strategies.items(), measure.values.values(), strict=True)
    }


def _summarize_one(
    trials: Trials, found: Found, regrets: np.ndarray, by_cost: np.ndarray, bench: Benchmark, chosen: Selection | None
) -> dict[str, Any]:
    low, high = mean_interval(regrets)
    low_by_cost, high_by_cost = mean_interval(by_cost)
    final_test = found.scores[:, -1]
    final_validation = incumbent_scores(trials, bench, "validation", found.best)[:, -1]
    optional = {} if found.reserved is None else {"confirmation_cost_mean": float(found.reserved[:, -1].mean())}
    if chosen is not None:
        optional |= _scalars("validation_regret", chosen.best_validation - final_validation)
    return {
        "regret_mean": regrets.mean(0).tolist(),
        "regret_ci_low": low.tolist(),
        "regret_ci_high": high.tolist(),
        **_scalars("regret_area", regrets.mean(1)),
        "regret_quantiles": np.quantile(regrets[:, -1], QUANTILES).tolist(),
        "regret_mean_by_cost": _listed(by_cost.mean(0)),
        "regret_ci_low_by_cost": _listed(low_by_cost),
        "regret_ci_high_by_cost": _listed(high_by_cost),
        "final_test_mean": float(final_test.mean()),
        "final_test_std": float(final_test.std()),
        "final_validation_mean": float(final_validation.mean()),
        "num_trials_mean": float(num_trials_paid(trials).mean()),
        **optional,
    }


def _scalars(name: str, values: np.ndarray) -> dict[str, float]:
    """Returns the mean over runs of values [runs] and the ends of its interval, by name."""
    low, high = mean_interval(values[:, None])
    return {f"{name}_mean": float(values.mean()), f"{name}_ci_low": float(low[0]), f"{name}_ci_high": float(high[0])}


def _listed(values: np.ndarray) -> list[float | None]:
    """Returns values as JSON holds them, None for NaN: a budget that does not pay for the first trial of every run."""
    return [None if np.isnan(value) else value for value in values.tolist()]
