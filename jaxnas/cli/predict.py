"""`jaxnas predict`: how well predictors rank the architectures of a table."""

import argparse
import json
import math
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from jaxnas import __version__, catalog
from jaxnas.analysis.prediction import NUM_TRAIN, ceiling, evaluations, prediction_result
from jaxnas.analysis.predictor_inputs import Evidence, draw_sample, evidence_of
from jaxnas.benchmarks.tabular import TableBenchmark, load
from jaxnas.checks import is_installed
from jaxnas.cli.folders import writable
from jaxnas.files import replace_file
from jaxnas.predictors.base import TARGETS, Predictor, with_target
from jaxnas.progress import progress_bars
from jaxnas.report.figures.prediction import draw_by_cost, draw_by_training
from jaxnas.report.figures.style import save
from jaxnas.training.compilation import configure_compilation

NUM_TEST = 200
SHARE_FOR_TEST = 3
EXTRAS = {"xgb": "xgboost", "lgb": "lightgbm"}
"""Predictors that are evaluated with `all` only where their package is installed."""


def run(options: argparse.Namespace) -> int:
    """Evaluates predictors, prints a table and writes the result and figures. Returns the exit code."""
    configure_compilation()
    columns = [name for name in (options.columns or "").split(",") if name]
    bench = load(options.table, protocol=options.protocol, columns=columns)
    evidence = evidence_of(bench)
    predictors = predictors_of(options.predictors, bench)
    folder = writable(Path(options.out)) if options.out else None
    result = _result(options, bench, evidence, predictors)
    if folder:
        replace_file(folder / "prediction.json", json.dumps(result, indent=1, allow_nan=False).encode())
        for name, draw in (("training", draw_by_training), ("cost", draw_by_cost)):
            save(draw(result), folder / f"tau_by_{name}.svg")
    if options.json:
        print(json.dumps(result, allow_nan=False))
    else:
        _show(result)
    return 0


def predictors_of(names: str | None, bench: TableBenchmark, target: str | None = None) -> dict[str, Predictor]:
    """Returns predictors by name, as they are made for a table; None or `all` for all that can be used.

    Args:
        names: names of the catalog or `file.py:NAME`, with commas between.
        target: what is fitted; by default -log(1 - score) of proportions that are better where larger, else scores.
    """
    everything = [name for name in catalog.PREDICTORS if is_installed(EXTRAS.get(name, "numpy"))]
    listed = everything if names in (None, "all") else [name for name in str(names).split(",") if name]
    if not listed:
        raise ValueError(f"Expected predictors, got {names!r}.")
    proportion = bench.metric.unit == "proportion" and bench.metric.better > 0
    target = target or TARGETS[proportion]
    return {name: with_target(catalog.predictor(name)(bench.space), target) for name in listed}


def _result(
    options: argparse.Namespace, bench: TableBenchmark, evidence: Evidence, predictors: dict[str, Predictor]
) -> dict[str, Any]:
    num_groups = int(evidence.groups.max()) + 1
    num_test = options.test or min(NUM_TEST, num_groups // SHARE_FOR_TEST)
    sizes = options.train or [size for size in NUM_TRAIN if size + num_test <= num_groups]
    if not sizes:
        raise ValueError(f"Expected a table of more classes, got {bench.id} with {num_groups:,}.")
    for name, predictor in predictors.items():
        if options.predictors not in (None, "all") and not evidence.allows(predictor):
            needs = " and ".join(predictor.requires)
            raise ValueError(f"Expected a table with {needs} for {name}, got {bench.id} without.")
    samples = [
        draw_sample(evidence, max(sizes), num_test, seed=options.seed, repetition=number, isomorphs=options.isomorphs)
        for number in range(options.repetitions)
    ]
    with progress_bars() as bars:
        bar = bars.add_task("", total=len(predictors))
        found = evaluations(
            predictors,
            evidence,
            num_train=sizes,
            num_test=num_test,
            num_repetitions=options.repetitions,
            num_epochs=options.epochs or (),
            seed=options.seed,
            isomorphs=options.isomorphs,
            progress=lambda name: bars.update(bar, description=name, advance=1),
        )
    return {
        "table": bench.id,
        "content_hash": bench.content_hash,
        "protocol": bench.protocol,
        "version": __version__,
        "command": options.command_line,
        "seed": options.seed,
        "isomorphs": options.isomorphs,
        "num_test": num_test,
        "num_repetitions": options.repetitions,
        "columns": list(evidence.columns),
        "cost_unit": bench.cost_unit,
        "predictors": list(dict.fromkeys(each.predictor for each in found)),
        **prediction_result(found, ceiling(evidence, samples)),
    }


def _show(result: dict[str, Any]) -> None:
    console = Console(width=None if sys.stdout.isatty() else 160)
    shown = Table(title=f"{result['table']}: tau-b on {result['num_test']} others", title_justify="left")
    shown.add_column("predictor")
    for heading in ("trained", "epochs", "tau-b", "95 %", "in top fifth", "regret@10", "NLL", "calibration", "cost"):
        shown.add_column(heading, justify="right")
    for each in sorted(result["evaluations"], key=lambda row: (row["num_train"], -_mean(row["tau"]))):
        tau = each["tau"]
        shown.add_row(
            each["predictor"],
            str(each["num_train"]),
            str(each["num_epochs"] or ""),
            _text(tau, 3),
            f"{tau['ci_low']:.3f} to {tau['ci_high']:.3f}" if tau else "",
            _text(each["tau_top"], 3),
            _text(each["regret_10"], 4),
            _text(each["nll"], 2),
            _text(each["calibration_error"], 2),
            f"{each['cost']:,.0f}",
        )
    console.print(shown)
    for line in notes(result):
        console.print(line, style="dim", soft_wrap=True)


def notes(result: dict[str, Any]) -> list[str]:
    """Returns what a reader must know of a result, and what its tests separate."""
    drawn = "architectures, equal ones among them" if result["isomorphs"] else "architectures of different classes"
    lines = [
        f"Means over {result['num_repetitions']} draws of {drawn}; cost in "
        f"{result['cost_unit']}, of the architectures trained and of the curves read."
    ]
    if result["ceiling"]:
        lines.append(f"Ceiling: tau-b of one run with the mean of the others is {result['ceiling']['mean']:.3f}.")
    order = result["order"]
    others = zip(order["predictors"][1:], order["separated"], strict=True) if order["predictors"] else ()
    parts = [f" {'>' if apart else '~'} {name}" for name, apart in others]
    if order["predictors"]:
        text = order["predictors"][0] + "".join(parts)
        lines.append(f"By tau at {order['num_train']} trained (> separated at 5 %, Wilcoxon and Holm): {text}.")
    return lines


def _mean(interval: dict[str, float] | None) -> float:
    return interval["mean"] if interval else -math.inf


def _text(interval: dict[str, float] | None, digits: int) -> str:
    return f"{interval['mean']:.{digits}f}" if interval else ""
