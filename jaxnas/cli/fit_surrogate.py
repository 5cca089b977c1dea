"""`jaxnas fit-surrogate`: a benchmark that a model of a table's scores answers for."""

import argparse
import json
from pathlib import Path
from typing import Any

from jaxnas import __version__, catalog
from jaxnas.analysis.surrogate_report import held_out_report, misses, search_report
from jaxnas.benchmarks.surrogate_files import write
from jaxnas.benchmarks.surrogate_fitting import FittedSurrogate, fit_surrogate
from jaxnas.benchmarks.tabular import TableBenchmark
from jaxnas.cli.folders import writable
from jaxnas.predictors.base import checked_learner
from jaxnas.tables.table import Table
from jaxnas.training.compilation import configure_compilation


def run(options: argparse.Namespace) -> int:
    """Fits a surrogate, reports how it does on what was left, and writes it. Returns the exit code."""
    configure_compilation()
    table = Table.read(options.table)
    space = catalog.space(options.space) if options.space else None
    factory = catalog.predictor(options.predictor)
    if space is not None:
        checked_learner(factory, space)
    fitted = fit_surrogate(
        table,
        factory,
        name=options.predictor,
        space=space,
        fraction=options.fraction,
        protocol=options.protocol,
        table_id=options.id,
        seed=options.seed,
    )
    folder = writable(Path(options.out or f"jaxnas-surrogates/{fitted.bench.id}"))
    report = held_out_report(fitted)
    complete = len(fitted.left) > 0 and bool(table.trained.all())
    if complete and options.runs:
        bench = TableBenchmark(table, protocol=options.protocol)
        report["searches"] = search_report(fitted.bench, bench, num_runs=options.runs, seed=options.seed)
    report["misses"] = misses(report)
    manifest = fitted.bench.manifest | {"version": __version__, "command": options.command_line}
    write(folder, fitted.fit.surrogate, manifest, card_of(fitted, report), report)
    if options.json:
        print(json.dumps(report, allow_nan=False))
    else:
        for line in lines_of(report):
            print(line)
        print(f"Surrogate: {folder}")
    return 0


def lines_of(report: dict[str, Any]) -> list[str]:
    """Returns what a report says, in sentences."""
    lines = [
        f"Fitted to {report['classes_fitted']:,} classes; tau-b of the predictor by cross-validation "
        f"{report['teacher_tau_cross_validated']:.3f}; the network's correlation with it "
        f"{report['correlation_of_network_with_teacher']:.3f}."
    ]
    if not report["left"] and (single := report["fitted"]["tau_of_a_run_with_the_others"]) is not None:
        lines.append(f"A run of these classes has tau-b {single:.3f} with the mean of its other runs.")
    if left := report["left"]:
        parts = [f"tau-b {left['tau']:.3f}"]
        if left["tau_of_a_run_with_the_others"] is not None:
            parts.append(f"where a run has {left['tau_of_a_run_with_the_others']:.3f} with the others' mean")
        parts.append(f"{100 * left['coverage_of_95']:.1f} % of runs within the 95 % interval")
        lines.append(f"On {report['classes_left']:,} classes that were left: {', '.join(parts)}.")
    for name, each in (report.get("searches") or {}).items():
        pairs = zip(each["trials"], each["surrogate"], each["table"], strict=True)
        texts = [f"{ours:.4f} and {theirs:.4f} at {trials}" for trials, ours, theirs in pairs]
        lines.append(f"Regret of {name} on the surrogate and on the table: {', '.join(texts)}.")
    return [*lines, *report["misses"]]


def card_of(fitted: FittedSurrogate, report: dict[str, Any]) -> str:
    """Returns the card of a surrogate, Markdown."""
    manifest = fitted.bench.manifest
    size = manifest["space"]["num_architectures"]
    source = manifest["fitted_to"]
    text = "\n".join(f"* {line}" for line in lines_of(report))
    return f"""# {manifest["id"]}
A surrogate of {size:,} architectures of `{manifest["space"]["name"]}` on {manifest["task"]["name"]}: a small network
says the mean score of each, and a model of noise what a run of it scores. No score in it was trained for; it was fitted
to {source["classes"]:,} trained classes of `{source["table"]}`, by `{manifest["predictor"]}`.

{text}

Scores of architectures far from those that were trained, such as what a long search converges to, are the least
certain: `SurrogateBenchmark.interval` says within what a real run is expected. Use a table where there is one.

Files: `surrogate.npz` (arrays), `manifest.json`, `report.json` (what is above, in numbers).
License: {manifest["licence"]}.
"""
