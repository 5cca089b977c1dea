"""The shape of the `summary.json` of a comparison, so that a damaged one is refused in one line.

Keys that no page reads are not checked. Summaries of searches always have a checksum instead.
"""

from typing import Any

from jaxnas.tables.records import (
    ANYTHING,
    FLAG,
    NULL,
    NUMBER,
    SHARE,
    TEXT,
    WORDS,
    Kind,
    Names,
    Rows,
    Shape,
    check,
    is_text,
    misfit,
    one_of,
    whole,
)


def checked(result: Any) -> dict[str, Any]:
    """Returns the dictionary of a `summary.json`, once it is as pages need it. Raises ValueError otherwise."""
    check(result, {"num_trials": whole(1)})
    check(result, _RESULT, sizes={"num_trials": result["num_trials"], "pair": 2})
    for each in _PARTS_TOGETHER:
        each(result)
    return result


def _interval(name: str, shape: Shape) -> dict[str, Shape]:
    """Returns the shapes of a mean and of the ends of its interval, by a name with a place for each."""
    stem, mark = name.removesuffix("?"), "?" if name.endswith("?") else ""
    return {stem.format(end) + mark: shape for end in _ENDS}


def _each(shape: Shape, *names: str) -> dict[str, Shape]:
    return dict.fromkeys(names, shape)


_ENDS = ("mean", "ci_low", "ci_high")
_COUNT, _COUNT_FROM_1 = whole(), whole(1)
_MAYBE = (NUMBER, NULL)
_METRIC = {"name": WORDS, "unit": TEXT, "better": one_of(1, -1)}
_VERSIONS = Kind(
    "versions of packages, jaxnas among them,",
    lambda value: isinstance(value, dict) and "jaxnas" in value and all(map(is_text, [*value, *value.values()])),
)
_OVER_TRIALS = Rows(NUMBER, "num_trials")
_OVER_BUDGETS = Rows(_MAYBE, "budget")

# Why an architecture is good

_NAMED = {"architecture": TEXT, "score": NUMBER}
_CHANGE = _each(TEXT, "decision", "before", "after")
_OTHER = {"architecture": TEXT, "changes": [_CHANGE], "difference": NUMBER, "standard_error": _MAYBE}
_SMALLER = ({**_OTHER, "size_ratio": NUMBER}, NULL)
_MOTIF = {
    "name": TEXT,
    **_each(NUMBER, "share", "effect", "low", "high", "stability"),
    "insertion": ({**_each(NUMBER, "effect", "low", "high"), "num_contexts": _COUNT_FROM_1}, NULL),
}
EXPLANATION: Shape = (
    {
        "exact": FLAG,
        "architecture": _NAMED,
        "reference": _NAMED,
        "path": [{"changes": [_CHANGE], "gain": NUMBER, "standard_error": _MAYBE, "score": NUMBER}],
        "values": (Rows({**_CHANGE, "value": NUMBER, "standard_error": _MAYBE}, "decisions"), NULL),
        "importance": Rows({"decision": TEXT, "share": NUMBER}, "decisions", least=1),
        "half": _SMALLER,
        "within_half": _SMALLER,
        "loss": ({**_OTHER, "at_least": NUMBER}, NULL),
        "runner_up?": ({**_NAMED, "chance": _MAYBE}, NULL),
        "motifs?": [_MOTIF],
    },
    NULL,
)

# A comparison

_STRATEGY = {
    **_interval("regret_{}", _OVER_TRIALS),
    **_each(NUMBER, "final_test_mean", "final_test_std", "final_validation_mean", "mean_rank"),
    "regret_mean_by_cost": _OVER_BUDGETS,
    **_interval("regret_{}_by_cost?", _OVER_BUDGETS),
    **_interval("regret_area_{}?", NUMBER),
    **_interval("compared_{}?", NUMBER),
    "mean_rank_over_trials?": _OVER_TRIALS,
    "probability_best?": NUMBER,
    "regret_quantiles?": Rows(NUMBER, least=2),
    "confirmation_cost_mean?": NUMBER,
    "hyperparameters?": Names(ANYTHING),
    "num_runs?": _COUNT,
}
_PAIR = {
    **_each(TEXT, "first", "second", "test"),
    **_each(NUMBER, "p_value", "p_holm", "effect_size"),
    **_interval("difference_{}", _MAYBE),
    **_each((_COUNT, NULL), "num_runs_for_power_80", "num_runs_for_power_80_ci_low?", "num_runs_for_power_80_ci_high?"),
    "num_runs?": _COUNT,
}
_MEASURE = {"measure": one_of("regret", "missing_hypervolume", "igd_plus"), "at": WORDS, "text": WORDS}
_POINT = Rows(NUMBER, "pair")
_FRONTS = {
    "size": TEXT,
    "points": Rows(_COUNT_FROM_1, "points", least=1),
    "true": Rows(_POINT, least=1),
    "strategies": Names(
        {
            **_interval("hypervolume_{}", Rows(NUMBER, "points")),
            "distance_mean": Rows(NUMBER, "points"),
            "front": [_POINT],
            "attainment?": Names([_POINT], SHARE),
        },
        least=1,
    ),
    "log_size?": FLAG,
    "reference?": _each(NUMBER, "size", "score", "margin"),
}
_SCORES = {
    "edges": Rows(NUMBER, "bins", least=2, longer_by=1),
    "counts": Rows(_COUNT, "bins"),
    "quantiles": Names(NUMBER, SHARE),
}
_OPTIMUM = {"architecture": TEXT, "row": _COUNT, "basin_share": NUMBER, **_each(_MAYBE, "validation", "test")}
_DECISION = {"name": TEXT, "share": NUMBER, "values": Rows({"value": ANYTHING, "mean": NUMBER}, least=1)}
_LANDSCAPE = {
    "num_architectures": _COUNT,
    "num_classes": _COUNT,
    "split": TEXT,
    "fidelity": ANYTHING,
    "scores?": _each(_SCORES, "validation", "test"),
    "optima?": {
        "num_local": _COUNT,
        "num_global_found_by": NUMBER,
        "num_without_better_neighbor?": _COUNT,
        "best?": [_OPTIMUM],
    },
    "fitness_distance?": {
        "correlation": _MAYBE,
        "distances": Rows(NUMBER, "distances", least=1),
        "means": Rows(NUMBER, "distances"),
        "counts": Rows(_COUNT, "distances"),
    },
    "autocorrelation?": {
        "lags": Rows(NUMBER, "lags", least=1),
        "values": Rows(_MAYBE, "lags"),
        "correlation_length": _MAYBE,
    },
    "neutrality?": {"share_equal_class": NUMBER, "share_within_noise": _MAYBE},
    "noise?": (_each(_MAYBE, "seed_std", "architecture_std", "intraclass_correlation"), NULL),
    "fidelities?": (
        {"values": Rows(NUMBER, "fidelities", least=1), "spearman_with_last": Rows(_MAYBE, "fidelities")},
        NULL,
    ),
    "sizes?": (Names(_MAYBE), NULL),
    "effects?": (
        {
            "decisions": Rows(_DECISION, least=1),
            "interactions": [{"first": TEXT, "second": TEXT, "share": NUMBER}],
            "higher_order_share": _MAYBE,
        },
        NULL,
    ),
}
_CELL = {
    "architecture": TEXT,
    "row": _COUNT,
    "found_by": Names(NUMBER),
    **_each(NUMBER, "validation", "test", "parameters?", "flops?"),
    "drawing?": TEXT,
}
_OVERALL = {
    "benchmarks": Rows(TEXT, "benchmarks", least=1),
    "strategies": Rows(TEXT, "ranked", least=1),
    "mean_ranks": Rows(Rows(NUMBER, "ranked"), "benchmarks"),
    "average_rank": Rows(NUMBER, "ranked"),
    "groups": [Rows(TEXT, least=1)],
    **_each(_MAYBE, "friedman_statistic", "friedman_p_value", "critical_difference"),
    "level?": NUMBER,
    "note?": (TEXT, NULL),
}
_RESULT = {
    "benchmark": TEXT,
    "num_runs": _COUNT_FROM_1,
    "budget": Rows(NUMBER, "budget", least=1),
    "strategies": Names(_STRATEGY, least=1),
    "seed": _COUNT,
    **_each(TEXT, "content_hash?", "space?", "objective?", "protocol?", "prng?", "command?", "cost_unit?"),
    "metric?": _METRIC,
    "versions?": _VERSIONS,
    "equal_cost?": (_COUNT_FROM_1, NULL),
    "pairwise?": [_PAIR],
    "sequential?": {"level": NUMBER, "interval_level?": NUMBER},
    "compared_by?": _MEASURE,
    "secondary?": [{**_MEASURE, "pairwise": [_PAIR]}],
    "regret_definition?": WORDS,
    "optimum?": {"value": NUMBER, "standard_error": _MAYBE, "method": TEXT},
    "budget_limit?": {"amount": NUMBER, "unit": TEXT, "counts_crossing_trial": ANYTHING},
    "confirm?": _each(_COUNT_FROM_1, "candidates", "runs"),
    "limit?": {"size": TEXT, "maximum": NUMBER},
    "sources?": Rows({"id": TEXT, "spearman": _MAYBE}, least=1),
    "references?": Names({"validation": NUMBER, "test": NUMBER}, least=1),
    "explanation?": EXPLANATION,
    "fronts?": _FRONTS,
    "landscape?": _LANDSCAPE,
    "cells?": [_CELL],
    "overall?": _OVERALL,
}

# Parts that fit only together

_AREAS, _COMPARED = ({f"{name}_{end}" for end in _ENDS} for name in ("regret_area", "compared"))
_IN_TABLES = {
    *_AREAS,
    *_COMPARED,
    *(f"regret_{end}_by_cost" for end in _ENDS),
    *("confirmation_cost_mean", "probability_best", "regret_quantiles"),
}
"""What tables show of all strategies or of none."""


def _check_member(name: str, known: Any, where: str) -> None:
    check(name, one_of(*known), where)


def _check_strategies(result: dict[str, Any]) -> None:
    """Checks that strategies have the same numbers, and that other parts are of known strategies."""
    strategies = result["strategies"]
    first, *others = [_IN_TABLES & set(numbers) for numbers in strategies.values()]
    if any(each != first for each in others) or any(first & part not in (set(), part) for part in (_AREAS, _COMPARED)):
        raise ValueError("numbers of a part of the strategies, or a mean without its interval")
    for pair in _pairs(result):
        _check_member(pair["first"], strategies, "pairwise.first")
        _check_member(pair["second"], strategies, "pairwise.second")
    for name in result.get("fronts", {}).get("strategies", ()):
        _check_member(name, strategies, "fronts.strategies")
    if (result.get("equal_cost") or 0) > len(result["budget"]):
        raise misfit(result["equal_cost"], f"at most {len(result['budget'])}", "equal_cost")


def _pairs(result: dict[str, Any]) -> list[dict[str, Any]]:
    return [pair for part in (result, *result.get("secondary", ())) for pair in part.get("pairwise", ())]


def _check_pairs(result: dict[str, Any]) -> None:
    """Checks that intervals of pairs have both ends."""
    for pair in _pairs(result):
        ends = [f"num_runs_for_power_80_{end}" in pair for end in ("ci_low", "ci_high")]
        ends += [pair[f"difference_{end}"] is None for end in ("ci_low", "ci_high")]
        if ends[0] != ends[1] or ends[2] != ends[3]:
            raise ValueError("one end of an interval without the other in pairwise")
        if "sequential" in result and "num_runs" not in pair:
            raise ValueError("nothing for num_runs of a pair")


def _check_definitions(result: dict[str, Any]) -> None:
    """Checks that a part is not without the one that explains it."""
    if "optimum" in result and "regret_definition" not in result:
        raise ValueError("nothing for regret_definition")
    optima = result.get("landscape", {}).get("optima", {})
    if ("best" in optima) != ("num_without_better_neighbor" in optima):
        raise ValueError("the best local optima without their number, or the number alone")


def _check_names(result: dict[str, Any]) -> None:
    """Checks that groups and interactions are of strategies and decisions that there are."""
    overall = result.get("overall", {"groups": [], "strategies": []})
    for name in [name for group in overall["groups"] for name in group]:
        _check_member(name, overall["strategies"], "overall.groups")
    effects = result.get("landscape", {}).get("effects") or {"decisions": [], "interactions": []}
    names = [decision["name"] for decision in effects["decisions"]]
    for each in effects["interactions"]:
        _check_member(each["first"], names, "landscape.effects.interactions")
        _check_member(each["second"], names, "landscape.effects.interactions")


_PARTS_TOGETHER = (_check_strategies, _check_pairs, _check_definitions, _check_names)
