"""How scores are shown: their sign, percent and digits, put on here and nowhere else.

Inside the program a score has its stored unit (accuracy is a proportion) and larger is better; if a
smaller value of the metric is better, the score is its negative.
"""

from typing import Any, TypeVar

import numpy as np

from jaxnas.tasks.metrics import ACCURACY, Metric

Values = TypeVar("Values", float, np.ndarray)
"""A number, or an array of them."""

SIZE_LABELS = {"parameters": "parameters", "flops": "FLOPs (multiply-accumulates for one example)"}
_TRAININGS = ("epochs", "seconds", "hours")


def metric_of(result: dict[str, Any]) -> Metric:
    """Returns the metric of a `summary.json` dictionary: accuracy if it names none, as in version 0.1."""
    return Metric(*(result["metric"][part] for part in Metric._fields)) if "metric" in result else ACCURACY


def percent(share: Values) -> Values:
    """Returns a share (of runs, of a variance, of a hypervolume) in percent."""
    return 100 * share


def shown(score: Values, metric: Metric) -> Values:
    """Returns scores, or signed differences of scores, as readers know the metric: proportions in percent."""
    return metric.better * gap(score, metric)


def gap(value: Values, metric: Metric) -> Values:
    """Returns regrets, standard deviations and other sizes of differences: of proportions in percentage points."""
    return percent(value) if metric.unit == "proportion" else value


def quantiles(found: dict[str, float], metric: Metric) -> list[tuple[float, float]]:
    """Returns the quantiles of the metric, (share, score), ascending, from the quantiles of scores by their shares."""
    pairs = [(float(share), score) for share, score in found.items()]
    return pairs if metric.better > 0 else [(round(1 - share, 9), score) for share, score in reversed(pairs)]


def unit(metric: Metric) -> str:
    """Returns the unit that scores are shown in, such as "%"; empty if the metric has none."""
    return "%" if _is_percent(metric) else metric.unit


def gap_unit(metric: Metric) -> str:
    """Returns the unit that differences of scores are shown in, such as "percentage points"."""
    return "percentage points" if _is_percent(metric) else metric.unit


def points(metric: Metric) -> str:
    """Returns the unit of differences of scores in short, for tables: "points" of a percentage."""
    return "points" if _is_percent(metric) else metric.unit


def labeled(what: str, unit_name: str) -> str:
    """Returns the label of an axis or a column: the quantity, and the unit in brackets."""
    return f"{what} ({unit_name})" if unit_name else what


def percent_text(share: float | None, digits: int = 2) -> str:
    """Returns a share in percent as a string, without the sign; empty for none."""
    return "" if share is None else f"{percent(share):.{digits}f}"


def score_text(score: float | None, metric: Metric, digits: int = 2) -> str:
    """Returns a score as a string without its unit; `digits` after the point of a percentage. Empty for none."""
    return "" if score is None else _text(shown(score, metric), metric, digits)


def gap_text(value: float | None, metric: Metric, digits: int = 3) -> str:
    """Returns a regret or another size of a difference as a string without its unit. Empty for none."""
    return "" if value is None else _text(gap(value, metric), metric, digits)


def change_text(difference: float, metric: Metric, digits: int = 2) -> str:
    """Returns a signed difference of scores as a string with its sign, without its unit."""
    return _text(shown(difference, metric), metric, digits, "+")


def rounded(value: float, metric: Metric) -> float:
    """Returns a score or a regret, in its shown unit, as a number without the digits that nobody reads."""
    return round(value, 3) if _is_percent(metric) else float(f"{value:.5g}")


def with_unit(score: float, metric: Metric, digits: int = 2) -> str:
    """Returns a score as a string with its unit, such as "93.51 %"."""
    return f"{score_text(score, metric, digits)} {unit(metric)}".rstrip()


def gap_with_unit(value: float, metric: Metric, digits: int = 2) -> str:
    """Returns a regret or another size of a difference as a string with its unit, such as "0.35 percentage points"."""
    return f"{gap_text(value, metric, digits)} {gap_unit(metric)}".rstrip()


def size_label(fronts: dict[str, Any]) -> str:
    """Returns the label of the axis of sizes: a size that is not above zero is a proxy, negated to be small."""
    name, positive = fronts["size"], min(size for size, _ in fronts["true"]) > 0
    return labeled(SIZE_LABELS.get(name, name) if positive else f"{name}, negated", fronts.get("unit", ""))


def paid(cost_unit: str) -> str:
    """Returns the label of an axis of costs: "epochs of training paid for"."""
    return f"{cost_unit} of training paid for" if cost_unit in _TRAININGS else f"{cost_unit} paid for"


def fidelity(cost_unit: str) -> str:
    """Returns the unit of a benchmark's fidelities: epochs, or if trainings cost unequally the epochs of one."""
    return cost_unit if cost_unit.startswith("epochs") else "epochs"


def for_scripts(metric: Metric, cost_unit: str) -> dict[str, Any]:
    """Returns the settings with which scripts of pages show scores: factors, units and names, as JSON values."""
    return {
        "metric": metric.name,
        "better": metric.better,
        "score": shown(1, metric),
        "gap": gap(1, metric),
        "unit": unit(metric),
        "gap_unit": gap_unit(metric),
        "is_percent": _is_percent(metric),
        "cost": cost_unit,
        "fidelity": fidelity(cost_unit),
        "paid": paid(cost_unit),
    }


def _is_percent(metric: Metric) -> bool:
    return metric.unit in ("proportion", "percent")


def _text(value: float, metric: Metric, digits: int, sign: str = "") -> str:
    # Two digits before the point are usual of percentages; other units get as many significant digits.
    return f"{value:{sign}.{digits}f}" if _is_percent(metric) else f"{value:{sign}.{digits + 2}g}"
