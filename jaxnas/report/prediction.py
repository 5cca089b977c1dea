"""How well predictors rank the architectures of a table: the result as JSON values, and figures."""

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from jaxnas import __version__, catalog
from jaxnas.analysis.prediction import NUM_TRAIN, ceiling, evaluations, prediction_result
from jaxnas.analysis.predictor_inputs import Evidence, draw_sample, evidence_of
from jaxnas.benchmarks.tabular import TableBenchmark
from jaxnas.checks import is_installed
from jaxnas.files import replace_file, writable
from jaxnas.predictors.base import TARGETS, Factory, Predictor, with_target
from jaxnas.predictors.named import predictor_named
from jaxnas.report.figures.prediction import draw_by_cost, draw_by_training
from jaxnas.report.figures.style import save
from jaxnas.tables.table import Table

NUM_TEST = 200
SHARE_FOR_TEST = 3
EXTRAS = {"xgb": "xgboost", "lgb": "lightgbm"}
"""Predictors that are evaluated with `all` only where their package is installed."""


def predict(
    table: TableBenchmark | str | os.PathLike,
    predictors: str | None = None,
    *,
    protocol: str | None = None,
    columns: Sequence[str | os.PathLike] = (),
    train: Sequence[int] = (),
    test: int | None = None,
    epochs: Sequence[int] = (),
    isomorphs: bool = False,
    repetitions: int = 10,
    seed: int = 0,
    out: str | os.PathLike | None = None,
    command: str = "",
    progress: Callable[[str], None] = lambda name: None,
) -> dict[str, Any]:
    """Returns how well predictors rank the architectures of a table, as JSON values.

    Args:
        table: a benchmark, or the identifier or folder of a table.
        predictors: names of the catalog or `file.py:NAME`, with commas between; None or `all` for all that fit.
        protocol, columns: as of `jn.load`, of a table that is given by name.
        train: numbers of training architectures; by default 10, 30, 100 and 300.
        test: how many test architectures; by default 200, or a third of the classes.
        epochs: how many epochs of a curve are read; by default half of them.
        isomorphs: whether equal networks may be on both sides, as in most papers.
        repetitions: draws of both.
        seed: of the draws.
        out: a folder for the result and figures; None: nothing is written.
        command: the command line to keep in the result.
        progress: called with the name of each predictor when it is evaluated.

    Raises ValueError on unknown names, a table of too few classes, or a predictor that needs data
    that the table lacks.
    """
    factories = _factories(predictors)
    if not isinstance(table, TableBenchmark):
        packs = [Table.read(each) for each in columns]
        table = TableBenchmark(Table.read(table), protocol=protocol, columns=packs)
    bench = table
    evidence = evidence_of(bench)
    # If larger proportions are better -log(1 - score) is fitted, else scores.
    target = TARGETS[bench.metric.unit == "proportion" and bench.metric.better > 0]
    made = {name: catalog.made("predictor", Predictor, each, bench.space) for name, each in factories.items()}
    made = {name: with_target(predictor, target) for name, predictor in made.items()}
    if predictors not in (None, "all"):
        _check_evidence(made, evidence, bench)
    num_groups = int(evidence.groups.max()) + 1
    num_test = test or min(NUM_TEST, num_groups // SHARE_FOR_TEST)
    sizes = train or [size for size in NUM_TRAIN if size + num_test <= num_groups]
    if not sizes:
        raise ValueError(f"Expected a table of more classes, got {bench.id} with {num_groups:,}.")
    folder = writable(Path(out)) if out else None
    draw: dict[str, Any] = {"seed": seed, "isomorphs": isomorphs}
    samples = [draw_sample(evidence, max(sizes), num_test, repetition=number, **draw) for number in range(repetitions)]
    counts: dict[str, Any] = {"num_test": num_test, "num_repetitions": repetitions}
    found = evaluations(made, evidence, num_train=sizes, num_epochs=epochs, progress=progress, **counts, **draw)
    result = {
        "table": bench.id,
        "content_hash": bench.content_hash,
        "protocol": bench.protocol,
        "version": __version__,
        "command": command,
        **draw,
        **counts,
        "columns": list(evidence.columns),
        "cost_unit": bench.cost_unit,
        "predictors": list(dict.fromkeys(each.predictor for each in found)),
        **prediction_result(found, ceiling(evidence, samples)),
    }
    if folder:
        _write(result, folder)
    return result


def _write(result: dict[str, Any], folder: Path) -> None:
    replace_file(folder / "prediction.json", json.dumps(result, indent=1, allow_nan=False).encode())
    for name, draw in (("training", draw_by_training), ("cost", draw_by_cost)):
        save(draw(result), folder / f"tau_by_{name}.svg")


def _check_evidence(predictors: dict[str, Predictor], evidence: Evidence, bench: TableBenchmark) -> None:
    for name, predictor in predictors.items():
        if not evidence.allows(predictor):
            needs = " and ".join(predictor.requires)
            raise ValueError(f"Expected a table with {needs} for {name}, got {bench.id} without.")


def _factories(names: str | None) -> dict[str, Factory]:
    """Returns factories of predictors by name: names as of `predict`; None or `all` for all that can be used."""
    if names in (None, "all"):
        listed = [name for name in catalog.PREDICTORS if is_installed(EXTRAS.get(name, "numpy"))]
    else:
        listed = [name for name in names.split(",") if name] if isinstance(names, str) else [names]
    if not listed:
        raise ValueError(f"Expected predictors, got {names!r}.")
    return {name: predictor_named(name) for name in listed}


def notes(result: dict[str, Any]) -> list[str]:
    """Returns the caveats of a result, and the differences that its tests separate."""
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
