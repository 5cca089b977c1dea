"""The best architectures of a table, drawn, and how often searches ended on them."""

import numpy as np

from jaxnas.analysis.confirmation import confirmed
from jaxnas.analysis.incumbent import NONE_YET, incumbents
from jaxnas.benchmarks.base import Benchmark, table_of
from jaxnas.benchmarks.tabular import classes_of
from jaxnas.simulation.trials import Trials

NUM_CELLS = 6
NETWORK_SIZES = ("parameters", "flops")


def best_cells(trials: dict[str, Trials], bench: Benchmark, confirm: tuple[int, int] | None = None) -> list[dict]:
    """Returns the best classes of a table, best first, as the key `cells` of `summary.json`.

    They are the best by mean validation score at the last fidelity. For each: `architecture`
    (string of the class's representative), `row`, `validation` and `test` (means over all runs),
    `parameters` and `flops` if the table has them, `drawing` (SVG), and `found_by`, the share of
    the runs of each strategy whose last incumbent is of the class: the confirmed one, with
    `confirm` as of `confirmed`.
    """
    representatives = table_of(bench).representatives.astype(np.int64)
    validation = bench.validation_scores(representatives[:, None])
    ended = {name: _final_classes(each, bench, confirm) for name, each in trials.items()}
    best = np.argsort(-np.where(np.isnan(validation), -np.inf, validation), kind="stable")[:NUM_CELLS]
    return [
        _describe(bench, number, float(validation[number]))
        | {"found_by": {name: float((classes == number).mean()) for name, classes in ended.items()}}
        for number in best
    ]


def _final_classes(trials: Trials, bench: Benchmark, confirm: tuple[int, int] | None) -> np.ndarray:
    """Returns the class of the incumbent after the last trial of each run, int[runs]; -1 if there is none."""
    best = incumbents(trials) if confirm is None else confirmed(trials, bench, confirm).numbers
    last = best[:, -1]
    archs = np.asarray(trials.query.arch)[np.arange(len(last)), np.maximum(last, 0)]
    return np.where(last == NONE_YET, NONE_YET, classes_of(bench, archs))


def _describe(bench: Benchmark, number: int, validation: float) -> dict:
    space = bench.space
    row = int(table_of(bench).representatives[number])
    arch = np.asarray(space.arch_at(row))
    sizes = {name: int(bench.sizes(name, np.asarray([row]))) for name in NETWORK_SIZES if name in bench.size_names}
    return {
        "architecture": space.to_str(arch),
        "row": row,
        "validation": validation,
        "test": float(bench.held_out.scores(np.asarray([row]))),
        **sizes,
        "drawing": space.drawing(arch),
    }
