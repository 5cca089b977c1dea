"""The page of sessions: a single file that needs nothing else, made from its `summary.json`."""

from typing import Any

from jaxnas.analysis.statistics import LEVEL
from jaxnas.report import sentences, units
from jaxnas.report.bibliography import bibtex
from jaxnas.report.tables import csv_text
from jaxnas.report.templates import embedded, render


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
    """Returns what sessions found, in sentences: for plain and blinded ones, and the memory test."""
    metric, num_trials, lines = units.metric_of(summary), summary["rules"]["num_trials"], []
    for kind, group in summary["groups"].items():
        mean, low, high = (units.gap_text(group[f"regret_{end}"], metric) for end in ("mean", "ci_low", "ci_high"))
        text = (
            f"{kind.capitalize()} sessions ({group['num_sessions']}) of {num_trials:,} evaluations: test regret {mean}"
        )
        text += f" {units.gap_unit(metric)} (95 % interval {low} to {high})."
        for verdict, holds in (
            ("Better than", (True, True)),
            ("Worse than", (True, False)),
            ("Not separated from", None),
        ):
            found = {
                name: (each["p_holm"] <= LEVEL, each["effect_size"] > 0.5) for name, each in group["compared"].items()
            }
            names = [name for name, each in found.items() if (each == holds if holds else not each[0])]
            text += f" {verdict} {', '.join(names)}." if names else ""
        lines.append(text)
    if memory := summary["memory"]:
        low, high = (units.gap_text(memory[end], metric) for end in ("ci_low", "ci_high"))
        known = memory["p_value"] <= LEVEL and memory["difference"] < 0
        lines.append(
            f"Memory test over {memory['num_pairs']} pairs: plain less blinded regret is "
            f"{units.gap_with_unit(memory['difference'], metric, 3)} (95 % interval {low} to {high}), "
            f"{sentences.p_text(memory['p_value'])}: {'the' if known else 'no sign that the'} searcher knew the space."
        )
    return lines
