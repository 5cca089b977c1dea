"""What a `summary.json` must be like for a page to be made of it, so that a damaged one is refused in one line.

Checks are those of `jaxnas.report.schema_checks`. Keys that are not named here are taken as they are; no page reads
them.
"""

from typing import Any

from jaxnas.report.schema_checks import Sizes
from jaxnas.report.schema_checks import anything as _anything
from jaxnas.report.schema_checks import count as _count
from jaxnas.report.schema_checks import fields as _fields
from jaxnas.report.schema_checks import flag as _flag
from jaxnas.report.schema_checks import listed as _listed
from jaxnas.report.schema_checks import mapped as _mapped
from jaxnas.report.schema_checks import maybe as _maybe
from jaxnas.report.schema_checks import metric as _metric
from jaxnas.report.schema_checks import number as _number
from jaxnas.report.schema_checks import one_of as _one_of
from jaxnas.report.schema_checks import refuse as _refuse
from jaxnas.report.schema_checks import share as _share
from jaxnas.report.schema_checks import text as _text
from jaxnas.report.schema_checks import versions as _versions
from jaxnas.report.schema_checks import words as _words
from jaxnas.report.schema_explanation import EXPLANATION, SOURCES


def checked(result: Any) -> dict[str, Any]:
    """Returns the dictionary of a `summary.json`, once it is as pages need it. Raises ValueError otherwise."""
    _fields({"num_trials": _count(1)})(result, "", {})
    _RESULT(result, "", {"num_trials": result["num_trials"], "pair": 2})
    _check_names(result)
    return result


def checked_search(summary: Any) -> dict[str, Any]:
    """Returns the dictionary of the `summary.json` of a search, once it is as its page needs it, as `checked` does."""
    _SEARCH(summary, "", {})
    if summary["best"] >= len(summary["trials"]) or summary["trials"][summary["best"]]["score"] is None:
        raise _refuse("best", "the number of a trial with a score", summary["best"])
    keys = [_SIZES & set(each) for each in summary["trials"]]
    if any(each != keys[0] for each in keys):
        raise ValueError("expected the same sizes of all trials")
    return summary


_over_trials = _listed(_number, "num_trials")
_over_budgets = _listed(_maybe(_number), "budget")
_INTERVAL_ENDS = ("mean", "ci_low", "ci_high")
_AREAS = {f"regret_area_{end}" for end in _INTERVAL_ENDS}
_COMPARED = {f"compared_{end}" for end in _INTERVAL_ENDS}
_IN_TABLES = {
    *_AREAS,
    *_COMPARED,
    "confirmation_cost_mean",
    *(f"regret_{end}_by_cost" for end in _INTERVAL_ENDS),
    "probability_best",
    "regret_quantiles",
}
"""What tables show of all strategies or of none."""
_STRATEGY = _fields(
    {
        **{f"regret_{end}": _over_trials for end in _INTERVAL_ENDS},
        "regret_mean_by_cost": _over_budgets,
        **dict.fromkeys(("final_test_mean", "final_test_std", "final_validation_mean", "mean_rank"), _number),
    },
    {
        **{f"regret_{end}_by_cost": _over_budgets for end in _INTERVAL_ENDS},
        **{f"regret_area_{end}": _number for end in _INTERVAL_ENDS},
        "mean_rank_over_trials": _over_trials,
        "probability_best": _number,
        "regret_quantiles": _listed(_number, "quantiles", least=2),
        **{f"compared_{end}": _number for end in _INTERVAL_ENDS},
        "confirmation_cost_mean": _number,
        "hyperparameters": _mapped(_anything),
        "num_runs": _count(),
    },
)
_PAIR_PARTS = _fields(
    {
        **dict.fromkeys(("first", "second", "test"), _text),
        **dict.fromkeys(("p_value", "p_holm", "effect_size"), _number),
        **{f"difference_{end}": _maybe(_number) for end in _INTERVAL_ENDS},
        "num_runs_for_power_80": _maybe(_count()),
    },
    {
        "num_runs": _count(),
        **{f"num_runs_for_power_80_{end}": _maybe(_count()) for end in ("ci_low", "ci_high")},
    },
)


def _pair(value: Any, where: str, sizes: Sizes) -> None:
    _PAIR_PARTS(value, where, sizes)
    for low, high in [(f"{name}_ci_low", f"{name}_ci_high") for name in ("difference", "num_runs_for_power_80")]:
        if (low in value) != (high in value):
            raise ValueError(f"expected both ends of an interval, got one of {where.lstrip('.')}.{low}")
    if (value["difference_ci_low"] is None) != (value["difference_ci_high"] is None):
        raise _refuse(f"{where}.difference_ci_low", "null where the other end is", value["difference_ci_low"])


_MEASURE = {"measure": _one_of("regret", "missing_hypervolume", "igd_plus"), "at": _words, "text": _words}
_point = _listed(_number, "pair")
_FRONTS = _fields(
    {
        "size": _text,
        "points": _listed(_count(1), "points", least=1),
        "true": _listed(_point, least=1),
        "strategies": _mapped(
            _fields(
                {
                    **{f"hypervolume_{end}": _listed(_number, "points") for end in _INTERVAL_ENDS},
                    "distance_mean": _listed(_number, "points"),
                    "front": _listed(_point),
                },
                {"attainment": _mapped(_listed(_point), _share)},
            ),
            least=1,
        ),
    },
    {"log_size": _flag, "reference": _fields(dict.fromkeys(("size", "score", "margin"), _number))},
)
_SCORES = _fields(
    {
        "edges": _listed(_number, "bins", least=2, longer_by=1),
        "counts": _listed(_count(), "bins"),
        "quantiles": _mapped(_number, _share),
    },
    own="bins",
)
_OPTIMUM = _fields(
    {
        **{"architecture": _text, "row": _count(), "basin_share": _number},
        **dict.fromkeys(("validation", "test"), _maybe(_number)),
    }
)
_VALUE = _fields({"value": _anything, "mean": _number})
_DECISION = _fields({"name": _text, "share": _number, "values": _listed(_VALUE, least=1)})
_LANDSCAPE = _fields(
    {"num_architectures": _count(), "num_classes": _count(), "split": _text, "fidelity": _anything},
    {
        "scores": _fields({"validation": _SCORES, "test": _SCORES}),
        "optima": _fields(
            {"num_local": _count(), "num_global_found_by": _number},
            {"num_without_better_neighbor": _count(), "best": _listed(_OPTIMUM)},
        ),
        "fitness_distance": _fields(
            {
                "correlation": _maybe(_number),
                "distances": _listed(_number, "distances", least=1),
                "means": _listed(_number, "distances"),
                "counts": _listed(_count(), "distances"),
            }
        ),
        "autocorrelation": _fields(
            {
                "lags": _listed(_number, "lags", least=1),
                "values": _listed(_maybe(_number), "lags"),
                "correlation_length": _maybe(_number),
            }
        ),
        "neutrality": _fields({"share_equal_class": _number, "share_within_noise": _maybe(_number)}),
        "noise": _maybe(
            _fields(dict.fromkeys(("seed_std", "architecture_std", "intraclass_correlation"), _maybe(_number)))
        ),
        "fidelities": _maybe(
            _fields(
                {
                    "values": _listed(_number, "fidelities", least=1),
                    "spearman_with_last": _listed(_maybe(_number), "fidelities"),
                }
            )
        ),
        "sizes": _maybe(_mapped(_maybe(_number))),
        "effects": _maybe(
            _fields(
                {
                    "decisions": _listed(_DECISION, least=1),
                    "interactions": _listed(_fields({"first": _text, "second": _text, "share": _number})),
                    "higher_order_share": _maybe(_number),
                }
            )
        ),
    },
)
_CELL = _fields(
    {"architecture": _text, "row": _count(), "validation": _number, "test": _number, "found_by": _mapped(_number)},
    {"parameters": _number, "flops": _number, "drawing": _text},
)
_OVERALL = _fields(
    {
        "benchmarks": _listed(_text, "benchmarks", least=1),
        "strategies": _listed(_text, "ranked", least=1),
        "mean_ranks": _listed(_listed(_number, "ranked"), "benchmarks"),
        "average_rank": _listed(_number, "ranked"),
        "groups": _listed(_listed(_text, least=1)),
        **dict.fromkeys(("friedman_statistic", "friedman_p_value", "critical_difference"), _maybe(_number)),
    },
    {"level": _number, "note": _maybe(_text)},
)
_RESULT = _fields(
    {
        "benchmark": _text,
        "num_runs": _count(1),
        "strategies": _mapped(_STRATEGY, least=1),
        "budget": _listed(_number, "budget", least=1),
        "seed": _count(),
    },
    {
        **dict.fromkeys(("content_hash", "space", "objective", "protocol", "prng", "command", "cost_unit"), _text),
        "metric": _metric,
        "versions": _versions,
        "equal_cost": _maybe(_count(1)),
        "pairwise": _listed(_pair),
        "sequential": _fields({"level": _number}, {"interval_level": _number}),
        "compared_by": _fields(_MEASURE),
        "secondary": _listed(_fields({**_MEASURE, "pairwise": _listed(_pair)})),
        "regret_definition": _words,
        "optimum": _fields({"value": _number, "standard_error": _maybe(_number), "method": _text}),
        "budget_limit": _fields({"amount": _number, "unit": _text, "counts_crossing_trial": _anything}),
        "confirm": _fields(dict.fromkeys(("candidates", "runs"), _count(1))),
        "limit": _fields({"size": _text, "maximum": _number}),
        "sources": SOURCES,
        "references": _mapped(_fields({"validation": _number, "test": _number}), least=1),
        "explanation": EXPLANATION,
        "fronts": _FRONTS,
        "landscape": _LANDSCAPE,
        "cells": _listed(_CELL),
        "overall": _OVERALL,
    },
)


_SIZES = {"parameters", "flops"}
_TRIAL = _fields(
    {"architecture": _text, "score": _maybe(_number), "measured": _maybe(_number), "cost": _number, "failure": _text},
    dict.fromkeys(_SIZES, _count()),
)
_FINALIST = _fields(
    {"trial": _count(), "architecture": _text, "score": _number, "fresh": _listed(_maybe(_number), least=1)}
)
_TRAINING = _fields(
    {"train": _listed(_maybe(_number), "epochs", least=1), "scores": _mapped(_number)},
    {"test": _listed(_maybe(_number), "epochs")},
)
_SEARCH = _fields(
    {
        "kind": _one_of("search"),
        **dict.fromkeys(("space", "task", "task_hash", "strategy", "objective", "cost_unit"), _text),
        **dict.fromkeys(("command", "stopped", "drawing"), _text),
        "metric": _metric,
        "num_epochs": _count(1),
        "seed": _count(),
        "versions": _versions,
        "hyperparameters": _mapped(_anything),
        "decisions": _mapped(_anything),
        "findings": _listed(_text),
        "best": _count(),
        "trials": _listed(_TRIAL, least=1),
        "finalists": _listed(_FINALIST),
        "optimism": _maybe(_number),
        "training": _maybe(_TRAINING),
    },
    {"explanation": EXPLANATION},
)


def _check_names(result: dict[str, Any]) -> None:
    """Checks what no part can check alone: that parts speak of strategies and decisions that there are."""
    strategies = set(result["strategies"])
    keys = [_IN_TABLES & set(each) for each in result["strategies"].values()]
    if any(each != keys[0] for each in keys) or any(
        keys[0] & part not in (set(), part) for part in (_AREAS, _COMPARED)
    ):
        raise ValueError("expected numbers of the same kinds for all strategies")
    for pair in [pair for part in (result, *result.get("secondary", ())) for pair in part.get("pairwise", ())]:
        _one_of(*strategies)(pair["first"], "pairwise.first", {})
        _one_of(*strategies)(pair["second"], "pairwise.second", {})
    for name in result.get("fronts", {}).get("strategies", ()):
        _one_of(*strategies)(name, "fronts.strategies", {})
    if "optimum" in result and "regret_definition" not in result:
        raise ValueError("expected regret_definition, got a file without it")
    if "sequential" in result and any("num_runs" not in pair for pair in result.get("pairwise", ())):
        raise ValueError("expected num_runs of every pair, got a file without it")
    optima = result.get("landscape", {}).get("optima", {})
    if ("best" in optima) != ("num_without_better_neighbor" in optima):
        raise ValueError("expected the best local optima with their number, got one without the other")
    over_all = result.get("overall", {"groups": [], "strategies": []})
    for name in [name for group in over_all["groups"] for name in group]:
        _one_of(*over_all["strategies"])(name, "overall.groups", {})
    if (result.get("equal_cost") or 0) > len(result["budget"]):
        raise _refuse("equal_cost", f"at most {len(result['budget'])}", result["equal_cost"])
    effects = result.get("landscape", {}).get("effects") or {"decisions": [], "interactions": []}
    names = [decision["name"] for decision in effects["decisions"]]
    for each in effects["interactions"]:
        _one_of(*names)(each["first"], "landscape.effects.interactions", {})
        _one_of(*names)(each["second"], "landscape.effects.interactions", {})
