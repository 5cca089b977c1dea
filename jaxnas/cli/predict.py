"""`jaxnas predict`: how well predictors rank the architectures of a table."""

import argparse
import json
import math
import sys
from typing import Any

from rich.console import Console
from rich.table import Table

from jaxnas.cli.shared_options import names_in
from jaxnas.progress import progress_bars
from jaxnas.report.prediction import notes, predict
from jaxnas.training.compilation import configure_compilation


def run(options: argparse.Namespace) -> int:
    """Evaluates predictors, prints a table and writes the result and figures. Returns the exit code."""
    configure_compilation()
    with progress_bars() as bars:
        bar = bars.add_task("", total=None)
        result = predict(
            options.table,
            options.predictors,
            protocol=options.protocol,
            columns=names_in(options.columns),
            train=options.train or (),
            test=options.test,
            epochs=options.epochs or (),
            isomorphs=options.isomorphs,
            repetitions=options.repetitions,
            seed=options.seed,
            out=options.out,
            command=options.command_line,
            progress=lambda name: bars.update(bar, description=name),
        )
    if options.json:
        print(json.dumps(result, allow_nan=False))
    else:
        _show(result)
    return 0


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


def _mean(interval: dict[str, float] | None) -> float:
    return interval["mean"] if interval else -math.inf


def _text(interval: dict[str, float] | None, digits: int) -> str:
    return f"{interval['mean']:.{digits}f}" if interval else ""
