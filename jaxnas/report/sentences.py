"""The results of a comparison, in words and in order. Every function takes the dictionary of `summary.json`."""

from typing import Any

from jaxnas.analysis.pairs import not_separated_from
from jaxnas.analysis.statistics import LEVEL
from jaxnas.report import units
from jaxnas.tasks.metrics import Metric

CHECKPOINTS = (30, 100)
_LEVEL = f"{units.percent(LEVEL):g} %"


def readable(value: Any) -> str:
    """Returns a value of `Space.decode` as text: `"2, 4"` of a list, `"heads 2, hidden 64; heads 4, ..."` of dicts."""
    if isinstance(value, dict):
        return ", ".join(f"{name} {readable(each)}" for name, each in value.items())
    if isinstance(value, list | tuple):
        return ("; " if any(isinstance(each, dict) for each in value) else ", ").join(map(readable, value))
    return str(value)


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

    A verdict is `text` ("best", "not separated", "worse" or "better"), `p` (a string) and `separated`. Without tests
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
    """Returns the result of a comparison, in a sentence or two."""
    best, numbers = ranked(result)[0]
    compared = compared_by(result)
    mean, low, high = (_compared_text(result, numbers, end) for end in ("mean", "ci_low", "ci_high"))
    measure, when = _measure_and_when(compared, result)
    text = (
        f"{when[0].upper()}{when[1:]} {best} has the best mean rank, with {measure} of {mean} (95 % interval {low} to "
    )
    text += f"{high})."
    near = not_separated_from(best, result.get("pairwise") or [])
    if near:
        text += f" Not separated from it at {_LEVEL} (Holm): {', '.join(near)}."
    elif result.get("pairwise"):
        text += f" It is separated from every other strategy at {_LEVEL} (Holm)."
    return text


def compared_by(result: dict[str, Any]) -> dict[str, str]:
    """Returns the measure of the comparison: the keys `measure`, `at` and `text` (see `Measure`)."""
    plain = {"measure": "regret", "at": "trials", "text": f"regret after {result['num_trials']} trials"}
    return result.get("compared_by", plain)


def overall_finding(results: list[dict[str, Any]]) -> str:
    """Returns the result of a comparison on several tables, in a few sentences; empty for a single strategy."""
    overall = results[0]["overall"]
    ranks = dict(zip(overall["strategies"], overall["average_rank"], strict=True))
    if len(ranks) < 2:
        return ""
    first = min(ranks.values())
    best = [name for name, rank in ranks.items() if rank == first]
    over = f"Over {len(results)} tables"
    lines = [f"{over} {' and '.join(best)} {'has' if len(best) == 1 else 'share'} the best average rank, {first:.2f}."]
    firsts = {name: sum(one[n] == min(one) for one in overall["mean_ranks"]) for n, name in enumerate(ranks)}
    counts = sorted(((number, name) for name, number in firsts.items() if number), reverse=True)
    lines.append(
        f"Lowest mean {measures_text(results)}: {', '.join(f'{name} on {number}' for number, name in counts)}."
    )
    return " ".join([*lines, _tested_text(overall, ranks, best[0])])


def measures_text(results: list[dict[str, Any]]) -> str:
    """Returns the measure of a comparison on several tables, such as "regret after 100 trials"."""
    return " or ".join(dict.fromkeys(compared_by(result)["text"] for result in results))


def _tested_text(overall: dict[str, Any], ranks: dict[str, float], best: str) -> str:
    """Returns which strategies a test over tables separates from the best one, or why there is none."""
    p_value, difference = overall["friedman_p_value"], overall["critical_difference"]
    if p_value is None:
        return overall.get("note", "")
    if p_value > LEVEL:
        return f"Friedman's test does not separate the strategies ({p_text(p_value)})."
    near = [name for name, rank in ranks.items() if name != best and rank - ranks[best] < difference]
    if not near:
        return f"Every other strategy is separated from it at {_LEVEL} (Nemenyi)."
    return f"Not separated from it at {_LEVEL} (Nemenyi): {', '.join(near)}."


def _measure_and_when(compared: dict[str, str], result: dict[str, Any]) -> tuple[str, str]:
    names = {"regret": "a test regret", "missing_hypervolume": "a missing hypervolume", "igd_plus": "an IGD+"}
    starts = {"regret": "regret ", "missing_hypervolume": "missing hypervolume ", "igd_plus": "IGD+ "}
    return names[compared["measure"]], compared["text"].removeprefix(starts[compared["measure"]])


def compared_mean(numbers: dict[str, Any]) -> float:
    """Returns the mean of the measure of the comparison; the last regret in results of version 0.1."""
    return numbers.get("compared_mean", numbers["regret_mean"][-1])


def _compared_text(result: dict[str, Any], numbers: dict[str, Any], end: str) -> str:
    value = numbers.get(f"compared_{end}", numbers[f"regret_{end}"][-1])
    text = difference_text(result, value)
    unit = difference_unit(result)
    return f"{text} {unit}".rstrip() if end == "mean" else text


def difference_text(result: dict[str, Any], value: float, measure: str | None = None) -> str:
    """Returns a value of the measure of the comparison, or a difference of two, in its unit."""
    measure = measure or compared_by(result)["measure"]
    if measure == "regret":
        return units.gap_text(value, units.metric_of(result))
    return units.percent_text(value) if measure == "missing_hypervolume" else f"{value:.4f}"


def difference_unit(result: dict[str, Any], measure: str | None = None) -> str:
    """Returns the unit of `difference_text`; empty if it has none."""
    measure = measure or compared_by(result)["measure"]
    if measure == "regret":
        return units.gap_unit(units.metric_of(result))
    return "%" if measure == "missing_hypervolume" else ""


def optimum_text(result: dict[str, Any]) -> str:
    """Returns the definition of regret in this result and the uncertainty of the optimum, in a sentence or two."""
    best, metric = result.get("optimum"), units.metric_of(result)
    if best is None:
        return ""
    text = result["regret_definition"]
    if best["method"] != "crossfit":
        return text
    value = f"{units.score_text(best['value'], metric)} {units.unit(metric)}".rstrip()
    error = f"{units.gap_text(best['standard_error'], metric, 2)} {units.gap_unit(metric)}".rstrip()
    return (
        f"{text} The best is {value}, with a standard error of {error}: all regrets may be off by that, their "
        "differences are not."
    )


def length_text(result: dict[str, Any]) -> str:
    """Returns how long runs were: a number of trials, or a budget."""
    limit = result.get("budget_limit")
    if limit is None:
        return f"of {result['num_trials']} trials"
    return f"for {limit['amount']:,.10g} {limit['unit']}"


def option_texts(result: dict[str, Any]) -> list[str]:
    """Returns lines on selection, on single strategies, and on a budget, confirmations and a limit, as there are."""
    lines = [text] if (text := selection_text(result)) else []
    lines += note_texts(result)
    if limit := result.get("budget_limit"):
        counts = "counts" if limit["counts_crossing_trial"] else "does not count"
        amount = f"{limit['amount']:,.10g} {limit['unit']}"
        lines.append(f"Runs end when {amount} are spent; the trial that crosses the budget {counts}.")
    if confirm := result.get("confirm"):
        costs = [numbers["confirmation_cost_mean"] for numbers in result["strategies"].values()]
        lines.append(
            f"A run returns the best of its {confirm['candidates']} best architectures by the mean of {confirm['runs']}"
            f" further runs each, which cost {min(costs):,.4g} to {max(costs):,.4g} {result['cost_unit']} on average."
        )
    if within := result.get("limit"):
        unit = within.get("unit", "")  # pages of earlier versions have none
        lines.append(
            f"Strategies ask for architectures with {within['size']} of at most {within['maximum']:,.10g}"
            f"{unit and ' ' + unit}; regret is measured from the best of these."
        )
    if sources := result.get("sources"):
        lines.append(_sources_text(sources))
    if baselines := result.get("references"):
        lines.append(baselines_text(baselines, units.metric_of(result)))
    return lines


def selection_text(result: dict[str, Any]) -> str:
    """Returns how well validation chooses by test, in a sentence or two; empty if unknown."""
    found, metric = result.get("selection"), units.metric_of(result)
    if not found:
        return ""
    floor = units.gap_with_unit(found["floor"], metric)
    text = f"The architecture that is best by validation has a test regret of {floor}, the floor for a perfect search."
    if found["top_spearman"] is not None:
        text += f" Within the top 5 % by validation ({found['num_top']:,} classes), the rank correlation (Spearman) of "
        text += f"validation with test is {found['top_spearman']:.2f}."
    return text


def note_texts(result: dict[str, Any]) -> list[str]:
    """Returns the notes on strategies, each once with all strategies that have it."""
    notes: dict[str, list[str]] = {}
    for name, numbers in result.get("strategies", {}).items():
        if note := numbers.get("note"):
            notes.setdefault(note, []).append(name)
    return [f"{', '.join(names)}: {note}." for note, names in notes.items()]


def baselines_text(baselines: dict[str, dict[str, float]], metric: Metric) -> str:
    """Returns the test scores of networks of the literature, best first."""
    ordered = sorted(baselines.items(), key=lambda item: -item[1]["test"])
    named = [f"{name} {units.with_unit(each['test'], metric)}" for name, each in ordered]
    return f"Baselines, trained as the table's networks are: {', '.join(named)} (mean test {metric.name})."


def _sources_text(sources: list[dict[str, Any]]) -> str:
    """Returns the sources that strategies were given, and how those rank the architectures of this table."""
    named = [
        each["id"] + ("" if each["spearman"] is None else f" (rank correlation {each['spearman']:.2f})")
        for each in sources
    ]
    return (
        f"Sources: {', '.join(named)}. Strategies named warm_, prior_ and rank_weighted, and sources_best, know what "
        "searches on these are told; all others start cold. The correlation, of what is told here and there over all "
        "architectures, is for the reader: no strategy saw it."
    )


def explanation_texts(explanation: dict[str, Any], metric: Metric) -> list[str]:
    """Returns sentences that explain why an architecture is good and how sure that is, of the key `explanation`."""
    best, reference = (explanation[name] for name in ("architecture", "reference"))
    difference = units.gap_with_unit(abs(best["score"] - reference["score"]), metric)
    than = "better" if best["score"] >= reference["score"] else "worse"
    by = (
        "by the mean scores of the table"
        if explanation["exact"]
        else ("by a Gaussian process fitted to the trials, which can be wrong where few were tried")
    )
    lines = [f"The architecture is {difference} {than} than the reference, an architecture of median score, {by}."]
    lines += _worth_texts(explanation, metric) + _otherwise_texts(explanation, metric)
    rival = explanation.get("runner_up")
    if rival is not None and rival["chance"] is not None:
        lines.append(
            f"The chance that the runner-up is truly better is {units.percent_text(rival['chance'], 0)} %, by "
            + ("the spread of single runs." if explanation["exact"] else "the evaluations after the search.")
        )
    return lines


def _worth_texts(explanation: dict[str, Any], metric: Metric) -> list[str]:
    """Returns which decisions are worth most, and how many are worth more than twice their error."""
    worth = [each for each in explanation["values"] or () if each["before"] != each["after"]]
    if not worth:
        return []
    first = max(worth, key=lambda each: each["value"])
    sure = [each for each in worth if each["standard_error"] is not None]
    sure = [each for each in sure if abs(each["value"]) > 2 * each["standard_error"]]
    text = (
        f"Worth most is {first['after']} rather than {first['before']} for {first['decision']}: "
        f"{units.gap_with_unit(first['value'], metric)}."
    )
    if not sure and not explanation["exact"]:
        return [
            f"{text} But none of the {len(worth)} differing decisions is worth more than two standard errors: which of "
            "them helps, these trials do not say."
        ]
    return [f"{text} {len(sure)} of {len(worth)} differing decisions are worth more than two standard errors."]


def _otherwise_texts(explanation: dict[str, Any], metric: Metric) -> list[str]:
    """Returns sentences on the smaller alternative, and on the smallest change that costs a point."""
    lines = []
    among = "" if explanation["exact"] else " Only what was tried is looked at."
    if half := explanation["half"]:
        lines.append(
            f"With {units.percent_text(half['size_ratio'], 0)} % of its parameters, the smaller one loses less than a "
            f"standard error ({_changed_text(half)})."
        )
    elif within := explanation["within_half"]:
        lines.append(
            f"Nothing of at most half its parameters loses less than a standard error; the best of these, the smaller "
            f"one, differs by {units.change_text(within['difference'], metric)} "
            f"{units.points(metric)}.".replace(" .", ".")
        )
    if loss := explanation["loss"]:
        lines.append(
            f"The smallest change that costs a point or more: {_changed_text(loss)}, by which it loses "
            f"{units.gap_with_unit(abs(loss['difference']), metric)}.{among}"
        )
    return lines


def _changed_text(found: dict[str, Any]) -> str:
    shown = [f"{each['decision']} from {each['before']} to {each['after']}" for each in found["changes"]]
    return "; ".join(shown) or "the same decisions"


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
    """Returns the mean test score of a strategy's final architectures, with its standard deviation over runs."""
    numbers, metric = result["strategies"][name], units.metric_of(result)
    spread = units.gap_text(numbers["final_test_std"], metric, digits=2)
    return f"{units.score_text(numbers['final_test_mean'], metric)} ± {spread}"


def separation_text(result: dict[str, Any]) -> str:
    """Returns one line: which strategies are not separated from the best one."""
    best = ranked(result)[0][0]
    near = not_separated_from(best, result["pairwise"])
    return f"Not separated from the best, {best}, at {_LEVEL} (Holm): {', '.join(near) or 'none'}."


def decision_texts(result: dict[str, Any]) -> list[str]:
    """Returns lines with the number of runs that decided each pair, of a comparison until pairs were decided."""
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
    """Returns a p-value as a string."""
    return f"p {p_number(value)}" if value < 0.001 else f"p = {p_number(value)}"


def p_number(value: float) -> str:
    """Returns a p-value as a cell of a table shows it."""
    return "< 0.001" if value < 0.001 else f"{value:.3f}"
