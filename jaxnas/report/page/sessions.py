"""The page of sessions: a single file that needs nothing else, made from its `summary.json`."""

from typing import Any

from jaxnas.analysis.statistics import LEVEL
from jaxnas.report import sentences, units
from jaxnas.report.bibliography import bibtex
from jaxnas.report.tables import csv_text
from jaxnas.report.templates import embedded, render
from jaxnas.tasks.metrics import Metric


def sessions_text(summary: dict[str, Any]) -> str:
    """Returns the page of sessions as HTML, of the dictionary of their `summary.json`."""
    return render(
        "page/sessions.html",
        units.metric_of(summary),
        result=summary,
        ranked=sorted(summary["strategies"].items(), key=lambda item: item[1]["regret_mean"]),
        findings=findings(summary),
        data=embedded({"csv": {"sessions": csv_text(summary["sessions"])}}),
        bibtex=bibtex([summary]),
    )


def findings(summary: dict[str, Any]) -> list[str]:
    """Returns the results of sessions, in sentences: for plain and blinded ones, and the memory test."""
    metric, lines = units.metric_of(summary), []
    for kind, group in summary["groups"].items():
        verdicts: dict[str, list[str]] = {"Better than": [], "Worse than": [], "Not separated from": []}
        for name, each in group["compared"].items():
            known = "Better than" if each["effect_size"] > 0.5 else "Worse than"
            verdicts[known if each["p_holm"] <= LEVEL else "Not separated from"].append(name)
        all_names = f"any of the {len(group['compared'])} strategies"
        shown = " ".join(
            f"{verdict} {all_names if len(names) == len(group['compared']) else ', '.join(names)}."
            for verdict, names in verdicts.items()
            if names
        )
        text = f"{kind.capitalize()} sessions ({group['num_sessions']}): test regret"
        lines.append(f"{text} {_interval(group, 'regret_', metric)}. {shown}")
    if memory := summary["memory"]:
        knew = memory["p_value"] <= LEVEL and memory["difference"] < 0
        lines.append(
            f"Memory test over {memory['num_pairs']} pairs: plain less blinded regret is "
            f"{_interval(memory, '', metric)}, {sentences.p_text(memory['p_value'])}: "
            f"{'a sign' if knew else 'no sign'} that the searcher knew the space."
        )
    return lines


def _interval(numbers: dict[str, Any], start: str, metric: Metric) -> str:
    mean = numbers[f"{start}mean" if start else "difference"]
    low, high = (units.gap_text(numbers[f"{start}ci_{end}"], metric) for end in ("low", "high"))
    return f"{units.gap_with_unit(mean, metric, 3)} (95 % interval {low} to {high})"
