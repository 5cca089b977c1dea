"""The parts of the `summary.json` of a comparison that every page is made of, for errors that name the faulty part.

All other parts are unchecked: if no page can be made of them, that is the error.
"""

from typing import Any

from jaxnas.tables.records import NULL, NUMBER, TEXT, WORDS, Kind, Names, Rows, check, is_text, one_of, whole

_MAYBE = (NUMBER, NULL)
_METRIC = {"name": WORDS, "unit": TEXT, "better": one_of(1, -1)}
_VERSIONS = Kind(
    "versions of packages, jaxnas among them,",
    lambda value: isinstance(value, dict) and "jaxnas" in value and all(map(is_text, [*value, *value.values()])),
)
_STRATEGY = {
    **dict.fromkeys(("regret_mean", "regret_ci_low", "regret_ci_high"), Rows(NUMBER, "num_trials")),
    **dict.fromkeys(("final_test_mean", "final_test_std", "final_validation_mean", "mean_rank"), NUMBER),
    "regret_mean_by_cost": Rows(_MAYBE, "budget"),
    **dict.fromkeys((f"validation_regret_{end}?" for end in ("mean", "ci_low", "ci_high")), NUMBER),
    "compared_mean?": NUMBER,
    "compared_se?": _MAYBE,
    "note?": TEXT,
}
_SELECTION = {"best_validation": NUMBER, "floor": NUMBER, "top_spearman": _MAYBE, "num_top": whole()}
_PAIR = {"first": TEXT, "second": TEXT, "p_value": NUMBER, "p_holm": NUMBER, "effect_size": NUMBER}
_OVERALL = {"benchmarks": Rows(TEXT, least=1), "strategies": Rows(TEXT, least=1)}
_RESULT = {
    "benchmark": TEXT,
    "num_runs": whole(1),
    "num_trials": whole(1),
    "budget": Rows(NUMBER, "budget", least=1),
    "strategies": Names(_STRATEGY, least=1),
    "seed": whole(),
    "metric?": _METRIC,
    "versions?": _VERSIONS,
    "pairwise?": [_PAIR],
    "overall?": _OVERALL,
    "selection?": (_SELECTION, NULL),
    **dict.fromkeys(("content_hash?", "space?", "objective?", "protocol?", "prng?", "command?", "cost_unit?"), TEXT),
}


def checked(result: Any) -> dict[str, Any]:
    """Returns the dictionary of a `summary.json`, if its main parts are well-formed. Raises ValueError otherwise."""
    check(result, {"num_trials": whole(1)})
    check(result, _RESULT, sizes={"num_trials": result["num_trials"]})
    return result
