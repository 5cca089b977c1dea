"""The page of sessions: a single file that needs nothing else, made from its `summary.json`."""

from typing import Any

from jaxnas.analysis.statistics import LEVEL
from jaxnas.report import sentences, units
from jaxnas.report.bibliography import bibtex
from jaxnas.report.tables import csv_text
from jaxnas.report.templates import embedded, render


def sessions_text(summary: dict[str, Any]) -> str:
    """Returns the page of sessions as HTML, of the dictionary of their `summary.json`."""
    metric = units.metric_of(summary)
    return render(
        "page/sessions.html",
        metric,
        result=summary,
        ranked=sorted(summary["strategies"].items(), key=lambda item: item[1]["regret_mean"]),
        findings=findings(summary),
        level=LEVEL,
        data=embedded({"csv": {"sessions": csv_text(summary["sessions"])}}),
        bibtex=bibtex([summary]),
    )


def findings(summary: dict[str, Any]) -> list[str]:
    """Returns what sessions found, in sentences: for plain and blinded ones, and the memory test."""
    metric = units.metric_of(summary)
    lines = [_finding(kind, group, summary) for kind, group in summary["groups"].items()]
    if memory := summary["memory"]:
        low, high = (units.gap_text(memory[end], metric) for end in ("ci_low", "ci_high"))
        known = memory["p_value"] <= LEVEL and memory["difference"] < 0
        lines.append(
            f"Memory test over {memory['num_pairs']} pairs: plain less blinded regret is "
            f"{units.gap_with_unit(memory['difference'], metric, 3)} (95 % interval {low} to {high}), "
            f"{sentences.p_text(memory['p_value'])}: "
            + ("the searcher knew the space." if known else "no sign that the searcher knew the space.")
        )
    return lines


def _finding(kind: str, group: dict[str, Any], summary: dict[str, Any]) -> str:
    metric, number = units.metric_of(summary), group["num_sessions"]
    mean, low, high = (units.gap_text(group[f"regret_{end}"], metric) for end in ("mean", "ci_low", "ci_high"))
    text = f"{number} {kind} session{'s' if number > 1 else ''} of {summary['rules']['num_trials']:,} evaluations: "
    text += f"test regret {mean} {units.gap_unit(metric)}".rstrip()
    text += f" (95 % interval {low} to {high})." if number > 1 else "; one session has no interval."
    better, worse, open_ = [], [], []
    for name, each in group["compared"].items():
        part = open_ if each["p_holm"] > LEVEL else better if each["effect_size"] > 0.5 else worse
        part.append(name)
    for names, verdict in ((better, "Better than"), (worse, "Worse than"), (open_, "Not separated from")):
        text += f" {verdict} {', '.join(names)}." if names else ""
    return text
