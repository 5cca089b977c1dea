"""How far a surrogate can be trusted: what it says of architectures that were left, and how searches fare on it."""

from typing import Any

import numpy as np

from jaxnas.analysis.prediction import kendall
from jaxnas.analysis.predictor_inputs import drawn_runs
from jaxnas.analysis.regret import regret
from jaxnas.analysis.statistics import mean_known
from jaxnas.benchmarks.base import Benchmark
from jaxnas.benchmarks.surrogate_fitting import FittedSurrogate
from jaxnas.predictors.surrogates import Trained
from jaxnas.simulation.run import run
from jaxnas.strategies.named import strategy_named

STRATEGIES = ("random_search", "regularized_evolution", "local_search")
CHECKPOINTS = (30, 100, 300)
NUM_RUNS = 200
COVERAGE = (0.92, 0.98)
"""Within which the coverage of the 95 % interval should be."""
MOST_STANDARD_ERRORS = 2


def held_out_report(fitted: FittedSurrogate) -> dict[str, Any]:
    """Returns ranks and coverage, as JSON values, of the classes that were left, and by cross-validation."""
    told = mean_known(fitted.trained.scores[..., -1])
    return {
        "classes_fitted": len(fitted.used),
        "classes_left": len(fitted.left),
        "teacher_tau_cross_validated": kendall(fitted.fit.cross_validated, told),
        "correlation_of_network_with_teacher": fitted.fit.taught,
        "left": _agreement(fitted, fitted.rest) if len(fitted.left) else None,
        "fitted": _agreement(fitted, fitted.trained),
    }


def _agreement(fitted: FittedSurrogate, trained: Trained) -> dict[str, Any]:
    """Returns how means and intervals agree with the scores of trained architectures."""
    bench, scores = fitted.bench, trained.scores[..., -1]
    said = bench.validation_scores(trained.archs)
    low, high = bench.interval(trained.archs)
    known = ~np.isnan(scores)
    within = (scores >= low[:, None]) & (scores <= high[:, None])
    run_drawn = drawn_runs(known, np.random.default_rng(0))
    single = np.take_along_axis(scores, run_drawn[:, None], 1)[:, 0]
    others = mean_known(np.where(np.arange(scores.shape[1]) == run_drawn[:, None], np.nan, scores))
    found = {
        "tau": kendall(said.astype(float), mean_known(scores)),
        "tau_of_reported": kendall(bench.held_out.scores(trained.archs).astype(float), trained.reported),
        "tau_of_a_run_with_the_others": kendall(single, others),
        "coverage_of_95": float(within[known].mean()),
        "mean_error": float((said - mean_known(scores)).mean()),
    }
    return {name: None if np.isnan(value) else value for name, value in found.items()}


def search_report(surrogate: Benchmark, bench: Benchmark, *, num_runs: int = NUM_RUNS, seed: int = 0) -> dict[str, Any]:
    """Returns regrets of three strategies on a surrogate and on the table, and how many standard errors they differ.

    Regret is the true optimum of each less the reported mean of the best so far.
    """
    found: dict[str, Any] = {}
    for name in STRATEGIES:
        rows = {}
        for which, each in (("surrogate", surrogate), ("table", bench)):
            trials = run(strategy_named(name), each, num_trials=CHECKPOINTS[-1], num_runs=num_runs, seed=seed)
            rows[which] = regret(trials, each)[:, [number - 1 for number in CHECKPOINTS]]
        means = {which: values.mean(0) for which, values in rows.items()}
        errors = np.sqrt(sum(values.var(0, ddof=1) / len(values) for values in rows.values()))
        apart = np.abs(means["surrogate"] - means["table"]) / np.maximum(errors, 1e-12)
        found[name] = {
            "trials": list(CHECKPOINTS),
            **{which: [float(value) for value in values] for which, values in means.items()},
            "standard_errors_apart": [float(value) for value in apart],
            "within": [bool(value <= MOST_STANDARD_ERRORS) for value in apart],
        }
    return found


def misses(report: dict[str, Any]) -> list[str]:
    """Returns in words where a report misses what is asked of a surrogate."""
    found = []
    if report["left"] and not COVERAGE[0] <= report["left"]["coverage_of_95"] <= COVERAGE[1]:
        found.append(
            f"The 95 % interval holds {100 * report['left']['coverage_of_95']:.1f} % of the runs that were left."
        )
    for name, each in (report.get("searches") or {}).items():
        far = [str(trials) for trials, within in zip(each["trials"], each["within"], strict=True) if not within]
        if far:
            found.append(
                f"Regret of {name} differs from the table's by more than 2 standard errors at {', '.join(far)}."
            )
    return found
