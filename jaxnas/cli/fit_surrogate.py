"""`jaxnas fit-surrogate`: a benchmark that a model of a table's scores answers for."""

import argparse
import json

from jaxnas.analysis.surrogates import fit_surrogate, lines_of
from jaxnas.training.compilation import configure_compilation


def run(options: argparse.Namespace) -> int:
    """Fits a surrogate, reports how it does on held-out classes, and writes it. Returns the exit code."""
    configure_compilation()
    found = fit_surrogate(
        options.table,
        predictor=options.predictor,
        space=options.space,
        fraction=options.fraction,
        protocol=options.protocol,
        runs=options.runs,
        table_id=options.id,
        seed=options.seed,
        out=options.out,
        command=options.command_line,
    )
    if options.json:
        print(json.dumps(found.report, allow_nan=False))
    else:
        for line in lines_of(found.report):
            print(line)
        print(f"Surrogate: {found.folder}")
    return 0
