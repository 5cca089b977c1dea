"""How far a surrogate can be trusted: its predictions for held-out architectures, and how searches fare on it."""

from typing import Any

import numpy as np

from jaxnas.analysis.prediction import kendall
from jaxnas.analysis.predictor_inputs import drawn_runs
from jaxnas.analysis.regret import regret
from jaxnas.analysis.statistics import finite, mean_known
from jaxnas.benchmarks.base import Benchmark
from jaxnas.benchmarks.surrogate import Z_95, target_of
from jaxnas.benchmarks.surrogate_fitting import FittedSurrogate, local_optima
from jaxnas.benchmarks.tabular import TableBenchmark, classes_of
from jaxnas.predictors.surrogates import Trained, powers
from jaxnas.simulation.run import run
from jaxnas.strategies.named import strategy_named

STRATEGIES = ("random_search", "regularized_evolution", "local_search")
CHECKPOINTS = (30, 100, 300)
NUM_RUNS = 200
COVERAGE = (0.92, 0.98)
"""Within which the coverage of the 95 % interval should be."""
MOST_STANDARD_ERRORS = 2
NUM_CLIMBED = 20
REGIONS = {
    "random": "random architectures",
    "upper_tenth": "architectures of the tenth that it says is best",
    "climbed": "architectures that climbing on it ends at",
}


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
    region = region_report(said, *bench.interval(trained.archs), scores)
    run_drawn = drawn_runs(~np.isnan(scores), np.random.default_rng(0))
    single = np.take_along_axis(scores, run_drawn[:, None], 1)[:, 0]
    others = mean_known(np.where(np.arange(scores.shape[1]) == run_drawn[:, None], np.nan, scores))
    found = {
        "tau": kendall(said.astype(float), mean_known(scores)),
        "tau_of_reported": kendall(bench.held_out.scores(trained.archs).astype(float), trained.reported),
        "tau_of_a_run_with_the_others": kendall(single, others),
        "coverage_of_95": region["coverage_of_95"],
        "mean_error": region["bias"],
    }
    return {name: None if np.isnan(value) else value for name, value in found.items()}


def region_report(said: np.ndarray, low: np.ndarray, high: np.ndarray, scores: np.ndarray) -> dict[str, Any]:
    """Returns the bias of predictions for n architectures, its standard error, and the coverage of the 95 % interval.

    Of scores [n, S] of their trainings: the bias is positive if predictions exceed the scores of trainings.
    """
    errors = said - mean_known(scores)
    within = (scores >= low[:, None]) & (scores <= high[:, None])
    return {
        "classes": len(errors),
        "bias": float(np.nanmean(errors)),
        "standard_error": finite(np.nanstd(errors, ddof=1) / np.sqrt(len(errors))) if len(errors) > 1 else None,
        "coverage_of_95": float(within[~np.isnan(scores)].mean()),
    }


def region_reports(fitted: FittedSurrogate, table: TableBenchmark | None) -> dict[str, Any]:
    """Returns the reports of `REGIONS`: of held-out classes, without any by cross-validation of the predictor.

    Architectures that climbing ends at are looked up in the complete table; without one that region is omitted.
    """
    rest = fitted.rest if len(fitted.left) else fitted.trained
    mean, low, high = _said(fitted, rest.archs) if len(fitted.left) else _cross_validated(fitted)
    best = np.argsort(-mean, kind="stable")[: max(len(mean) // 10, 2)]
    scores = rest.scores[..., -1]
    found = {
        "random": region_report(mean, low, high, scores),
        "upper_tenth": region_report(mean[best], low[best], high[best], scores[best]),
    }
    if table is not None:
        archs = local_optima(fitted.bench, NUM_CLIMBED)
        known = np.full((len(table.table.representatives), scores.shape[1]), np.nan)
        known[fitted.used], known[fitted.left] = fitted.trained.scores[..., -1], fitted.rest.scores[..., -1]
        found["climbed"] = region_report(*_said(fitted, archs), known[classes_of(table, archs)])
    return {name: each for name, each in found.items() if np.isfinite(each["bias"])}


def _said(fitted: FittedSurrogate, archs: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return fitted.bench.validation_scores(archs), *fitted.bench.interval(archs)


def _cross_validated(fitted: FittedSurrogate) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns means and intervals of the predictor for classes that it did not see."""
    values, model = fitted.fit.cross_validated, fitted.fit.surrogate
    backward = target_of(fitted.bench.manifest["target"]).backward
    standard = powers(np.clip((values - np.asarray(model.standard[0])) / np.asarray(model.standard[1]), -3, 3))
    variance, half = np.exp(standard @ model.noise[-1]), Z_95 * np.exp(standard @ model.interval / 2)
    low, high = backward(values - half, 0), backward(values + half, 0)
    return np.asarray(backward(values, variance)), np.asarray(low), np.asarray(high)


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
    """Returns in words the requirements of a surrogate that a report does not meet."""
    found = []
    if report["left"] and not COVERAGE[0] <= report["left"]["coverage_of_95"] <= COVERAGE[1]:
        found.append(
            f"The 95 % interval holds {100 * report['left']['coverage_of_95']:.1f} % of the runs that were left."
        )
    for name, each in (report.get("regions") or {}).items():
        if each["standard_error"] and abs(each["bias"]) > MOST_STANDARD_ERRORS * each["standard_error"]:
            way = "more" if each["bias"] > 0 else "less"
            found.append(
                f"On {each['classes']:,} {REGIONS[name]} it says {abs(each['bias']):.4f} {way} than trainings score, "
                f"with a standard error of {each['standard_error']:.4f}."
            )
    for name, each in (report.get("searches") or {}).items():
        far = [str(trials) for trials, within in zip(each["trials"], each["within"], strict=True) if not within]
        if far:
            found.append(
                f"Regret of {name} differs from the table's by more than 2 standard errors at {', '.join(far)}."
            )
    return found
