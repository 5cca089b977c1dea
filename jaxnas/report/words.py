"""What a comparison found, in words and in order. Every function takes the dictionary of `summary.json`."""

from typing import Any

from jaxnas.analysis.pairs import not_separated_from
from jaxnas.analysis.statistics import LEVEL
from jaxnas.report import units

CHECKPOINTS = (30, 100)


def ranked(result: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Returns the strategies of a result with their numbers, best mean rank first."""
    return sorted(result["strategies"].items(), key=lambda item: item[1]["mean_rank"])


def ranked_by_front(result: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Returns the strategies of a comparison by two objectives with their numbers, most hypervolume first."""
    found = result.get("fronts", {}).get("strategies", {})
    return sorted(found.items(), key=lambda item: -item[1]["hypervolume_mean"][-1])


def shown_points(result: dict[str, Any]) -> list[int]:
    """Returns the numbers of trials after which tables show the regret."""
    return sorted({point for point in CHECKPOINTS if point < result["num_trials"]} | {result["num_trials"]})


def verdicts(result: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Returns for each strategy how it compares with the one of the best mean rank, by the tests of `pairwise`.

    A verdict is `text` ("best", "not separated", "worse" or "better"), `p` (a text) and `separated`. Without tests
    there is none.
    """
    if not result.get("pairwise"):
        return {}
    best = ranked(result)[0][0]
    found = {best: {"text": "best", "p": "", "separated": False}}
    for pair in result["pairwise"]:
        if best in (pair["first"], pair["second"]):
            other = pair["second"] if pair["first"] == best else pair["first"]
            chance = pair["effect_size"] if pair["first"] == best else 1 - pair["effect_size"]
            found[other] = _verdict(pair["p_holm"], chance)
    return found


def _verdict(p_holm: float, chance: float) -> dict[str, Any]:
    separated = p_holm <= LEVEL
    text = ("worse" if chance > 0.5 else "better") if separated else "not separated"
    return {"text": text, "p": p_text(p_holm), "separated": separated}


def finding(result: dict[str, Any]) -> str:
    """Returns what a comparison found, in a sentence or two."""
    best, numbers = ranked(result)[0]
    metric = units.metric_of(result)
    mean, low, high = (units.gap_text(numbers[f"regret_{end}"][-1], metric) for end in ("mean", "ci_low", "ci_high"))
    text = (
        f"After {result['num_trials']} trials {best} has the best mean rank, with a test regret of "
        f"{f'{mean} {units.gap_unit(metric)}'.rstrip()} (95 % interval {low} to {high})."
    )
    near = not_separated_from(best, result.get("pairwise") or [])
    if near:
        text += f" Not separated from it at {_level()} (Holm): {', '.join(near)}."
    elif result.get("pairwise"):
        text += f" It is separated from every other strategy at {_level()} (Holm)."
    return text


def regret_text(result: dict[str, Any], name: str, position: int, by: str = "") -> str:
    """Returns a strategy's mean regret at a position of its curve, with its 95 % interval.

    The curve is over trials; with `by="_by_cost"`, over budgets.
    """
    numbers, metric = result["strategies"][name], units.metric_of(result)
    mean, low, high = (
        units.gap_text(numbers[f"regret_{end}{by}"][position], metric) for end in ("mean", "ci_low", "ci_high")
    )
    return f"{mean} [{low}, {high}]"


def final_text(result: dict[str, Any], name: str) -> str:
    """Returns the mean test score of what a strategy found, with its standard deviation over runs."""
    numbers, metric = result["strategies"][name], units.metric_of(result)
    spread = units.gap_text(numbers["final_test_std"], metric, digits=2)
    return f"{units.score_text(numbers['final_test_mean'], metric)} ± {spread}"


def separation_text(result: dict[str, Any]) -> str:
    """Returns one line: which strategies are not separated from the best one."""
    best = ranked(result)[0][0]
    near = not_separated_from(best, result["pairwise"])
    return f"Not separated from the best, {best}, at {_level()} (Holm): {', '.join(near) or 'none'}."


def decision_texts(result: dict[str, Any]) -> list[str]:
    """Returns lines that say after how many runs each pair was decided, of a comparison until pairs were decided."""
    level = result["sequential"]["level"]
    groups: dict[tuple[bool, int], list[str]] = {}
    for pair in result["pairwise"]:
        heading = (pair["p_holm"] > level, pair["num_runs"])
        groups.setdefault(heading, []).append(f"{pair['first']} - {pair['second']}")
    return [
        f"{'Not separated' if is_open else 'Separated'} after {num_runs} runs: {', '.join(pairs)}."
        for (is_open, num_runs), pairs in sorted(groups.items())
    ]


def p_text(value: float) -> str:
    """Returns a p-value as a text."""
    return f"p {p_number(value)}" if value < 0.001 else f"p = {p_number(value)}"


def p_number(value: float) -> str:
    """Returns a p-value as a cell of a table shows it."""
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def _level() -> str:
    return f"{units.percent(LEVEL):g} %"
