"""The table of trainings that were done here. Needs NumPy only."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike

from jaxnas.tables.columns import UNITS, Column, missing_value, run_count_name, run_counts, unsigned
from jaxnas.tables.manifest import fidelities_of
from jaxnas.tables.table import Table


def table_of_curves(
    manifest: dict,
    class_of: np.ndarray,
    representatives: np.ndarray,
    sizes: Mapping[str, ArrayLike],
    curves: Mapping[str, np.ndarray],
    trained: np.ndarray,
    num_examples: Mapping[str, int],
    keys: dict[str, np.ndarray] | None = None,
) -> Table:
    """Returns the table of trainings.

    Args:
        class_of, representatives, keys: see `Table`.
        sizes: `num_parameters` and `num_flops` of each class.
        curves: the arrays of a `Curves` by name, with an axis of classes first; an array with fewer epochs than
            the manifest has the last ones. Of a split they are counts, integers, or values of the metric.
        trained: which classes were trained, bool[G]; the others are missing, and their `curves` are ignored.
        num_examples: the examples of each split, behind its counts.
    """
    columns = {name: Column(np.asarray(each, np.int64), ("class",), UNITS[name]) for name, each in sizes.items()}
    epochs = [fidelity.name for fidelity in fidelities_of(manifest)]
    for name, values in curves.items():
        axes = ("class", "run", "fidelity")[: values.ndim]
        counts = name in num_examples and values.dtype.kind in "iu"
        stored = unsigned(values) if counts else values.astype(np.float32)
        stored[~trained] = missing_value(stored.dtype)
        known_at = tuple(epochs[-values.shape[2] :]) if values.ndim == 3 and values.shape[2] < len(epochs) else None
        metric = manifest["metric"]
        if counts:
            if (known := values[trained]).size and not 0 <= known.min() <= known.max() <= num_examples[name]:
                wrong = f"{known.min():,} to {known.max():,}"
                raise ValueError(f"Expected counts of {name} from 0 to {num_examples[name]:,}, got {wrong}.")
            columns[name] = Column(
                stored, axes, "count", metric["better"], int(num_examples[name]), fidelities=known_at
            )
        elif name in num_examples:
            columns[name] = Column(stored, axes, metric["unit"], metric["better"], fidelities=known_at)
        else:
            columns[name] = Column(stored, axes, UNITS[name], -1 if name == "loss" else 0)
    if not trained.all():
        columns[run_count_name(None)] = run_counts(trained * columns["validation"].values.shape[1], None)
    return Table(manifest, keys or {}, class_of.astype(np.int32), columns, representatives.astype(np.int32))
