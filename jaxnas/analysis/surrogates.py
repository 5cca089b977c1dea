"""Surrogates of tables: fitted, tested on held-out classes, and written with a card."""

import os
from pathlib import Path
from typing import Any, NamedTuple

from jaxnas import __version__
from jaxnas.analysis.surrogate_report import REGIONS, held_out_report, misses, region_reports, search_report
from jaxnas.benchmarks.surrogate import SurrogateBenchmark
from jaxnas.benchmarks.surrogate_files import check_replaceable, write
from jaxnas.benchmarks.surrogate_fitting import FittedSurrogate, fitted_surrogate
from jaxnas.benchmarks.tabular import TableBenchmark
from jaxnas.files import out_path, writable
from jaxnas.predictors.base import checked_learner
from jaxnas.predictors.named import predictor_named
from jaxnas.spaces.base import Space
from jaxnas.spaces.named import space_named
from jaxnas.tables.table import Table


class WrittenSurrogate(NamedTuple):
    """A surrogate, the report on how far it can be trusted, and the folder that holds both."""

    bench: SurrogateBenchmark
    report: dict[str, Any]
    folder: Path


def fit_surrogate(
    table: Table | str | os.PathLike,
    *,
    predictor: str = "gp_wl",
    space: Space | str | None = None,
    fraction: float = 1.0,
    protocol: str | None = None,
    runs: int = 200,
    table_id: str | None = None,
    seed: int = 0,
    out: str | os.PathLike | None = None,
    command: str = "",
) -> WrittenSurrogate:
    """Returns a surrogate of the space of a table, after testing and writing it.

    Args:
        table: a table, complete or partial, or its identifier or folder.
        predictor: the name of the predictor that teaches the network, or `file.py:NAME`.
        space: for the surrogate, or its name; by default the table's, whole if the table lists a part of it.
        fraction: of the trained classes, drawn at random, to fit to; the others test the surrogate.
        protocol: of the table.
        runs: searches on the surrogate and on a complete table for the report; 0 for none.
        table_id: the identifier of the surrogate; by default the table's with `surrogate` before the version.
        seed: of the fit, the classes and the searches.
        out: the folder; by default `jaxnas-out/fit-surrogate-<identifier>`.
        command: the command line to keep in the manifest.

    Raises ValueError on unknown names, fewer than 20 classes, or a protocol that asks several
    trainings.
    """
    table = table if isinstance(table, Table) else Table.read(table)
    space = space_named(space) if isinstance(space, str) else space
    factory = predictor_named(predictor)
    if space is not None:
        checked_learner(factory, space)
    fitted = fitted_surrogate(
        table,
        factory,
        name=predictor,
        space=space,
        fraction=fraction,
        protocol=protocol,
        table_id=table_id,
        seed=seed,
    )
    folder = writable(out_path(out, "fit-surrogate", fitted.bench.id))
    report = _report(fitted, table, protocol, runs, seed)
    manifest = fitted.bench.manifest | {"version": __version__, "command": command}
    check_replaceable(folder, manifest)
    write(folder, fitted.fit.surrogate, manifest, card_of(manifest, report), report)
    return WrittenSurrogate(fitted.bench, report, folder)


def _report(fitted: FittedSurrogate, table: Table, protocol: str | None, runs: int, seed: int) -> dict[str, Any]:
    report = held_out_report(fitted)
    whole = fitted.bench.space.num_architectures == table.num_architectures and table.trained.all()
    bench = TableBenchmark(table, protocol=protocol) if whole else None
    report["regions"] = region_reports(fitted, bench)
    if bench is not None and runs and len(fitted.left) > 0:
        report["searches"] = search_report(fitted.bench, bench, num_runs=runs, seed=seed)
    report["misses"] = misses(report)
    return report


def lines_of(report: dict[str, Any]) -> list[str]:
    """Returns a report in sentences."""
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
    for name, each in (report.get("regions") or {}).items():
        lines.append(
            f"On {each['classes']:,} {REGIONS[name]}: mean said less mean trained {each['bias']:+.4f}; "
            f"{100 * each['coverage_of_95']:.1f} % of runs within the 95 % interval."
        )
    for name, each in (report.get("searches") or {}).items():
        pairs = zip(each["trials"], each["surrogate"], each["table"], strict=True)
        texts = [f"{ours:.4f} and {theirs:.4f} at {trials}" for trials, ours, theirs in pairs]
        lines.append(f"Regret of {name} on the surrogate and on the table: {', '.join(texts)}.")
    return [*lines, *report["misses"]]


def card_of(manifest: dict[str, Any], report: dict[str, Any]) -> str:
    """Returns the card of a surrogate, Markdown."""
    size = manifest["space"]["num_architectures"]
    source = manifest["fitted_to"]
    text = "\n".join(f"* {line}" for line in lines_of(report))
    return f"""# {manifest["id"]}
A surrogate of {size:,} architectures of `{manifest["space"]["name"]}` on {manifest["task"]["name"]}: a small network
says the mean score of each, and a model of noise what a run of it scores. No score in it was trained for; it was fitted
to {source["classes"]:,} trained classes of `{source["table"]}`, by `{manifest["predictor"]}`.

{text}

Scores of architectures far from those that were trained, such as what a long search converges to, are the least
certain, and the interval (`SurrogateBenchmark.interval`) does not allow for that. Use a table where there is one.

Files: `surrogate.npz` (arrays), `manifest.json`, `report.json` (what is above, in numbers).
License: {manifest["licence"]}.
"""
