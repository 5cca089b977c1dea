"""The table explorer: one page, which works offline, on which every class of a table is a point."""

import base64
import gzip
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxnas import __version__
from jaxnas.analysis.explanation.explain import MOST_CLASSES, explained_by_table
from jaxnas.benchmarks.tabular import TableBenchmark, space_of
from jaxnas.checks import printable
from jaxnas.files import out_path, replace_file, writable
from jaxnas.report import units
from jaxnas.report.bibliography import bibtex
from jaxnas.report.drawings import explained
from jaxnas.report.result_folder import is_plain
from jaxnas.report.sentences import readable
from jaxnas.report.templates import embedded, render
from jaxnas.spaces.base import Space, num_combinations, radix_weights
from jaxnas.spaces.enumerated import neighbor_table
from jaxnas.tables.columns import Column
from jaxnas.tables.manifest import baselines_of
from jaxnas.tables.table import Table

MAX_CURVE_BYTES = 2_000_000
"""Curves of more bytes than this are thinned to fewer epochs, so that the page stays small."""


def explore(table: Table | str | os.PathLike, *, out: str | os.PathLike | None = None, command: str = "") -> Path:
    """Returns the path of a page to explore a whole table with, after writing it.

    Args:
        table: a table, or its identifier or folder.
        out: the file; by default `jaxnas-out/explore-<identifier>.html`.
        command: the command line to show on the page.

    Raises ValueError if there is no such table, or the page cannot be written there.
    """
    table = table if isinstance(table, Table) else Table.read(table)
    if not out and not is_plain(table.id):  # the identifier is data, and never a path
        raise ValueError(f"Expected a file to write for a table whose identifier cannot name one, got {table.id!r}.")
    path = out_path(out, "explore", f"{table.id}.html")
    writable(path.parent)
    if path.is_dir():
        raise ValueError(f"Expected a file to write, got the folder {path}.")
    return write_explorer(table, space_of(table), path, command)


def write_explorer(table: Table, space: Space, path: str | os.PathLike, command: str = "") -> Path:
    """Returns the path of the explorer of a table, after writing it, whole or not at all.

    Classes that were not trained are not drawn. The page shows the command line that made it.
    """
    arrays = arrays_of(table, space)
    layout, data = packed(arrays)
    facts = {**facts_of(table, space), "arrays": layout}
    cited: dict[str, Any] = {"benchmark": table.id, "space": space.name, "strategies": ()}
    cited |= {"versions": {"jaxnas": __version__}}
    cited |= {"content_hash": table.manifest.get("content_hash"), "source": table.manifest.get("source", {})}
    explanation = explanation_of(table, space)
    html = render(
        "explorer/explorer.html",
        table.metric,
        explanation=explanation,
        explained=explained(explanation, space.name),
        baselines=baselines_of(table.manifest),
        facts=facts,
        embedded_facts=embedded(facts),
        data=data,
        manifest=table.manifest,
        command=command,
        version=__version__,
        bibtex=bibtex([cited]),
    )
    path = Path(path)
    replace_file(path, html.encode())
    return path


def explanation_of(table: Table, space: Space) -> dict[str, Any] | None:
    """Returns why the best class of a table is good, with motifs; None of partial tables and of very large ones."""
    told = table.means(table.protocol().told)[:, table.protocol().fidelities[-1]]
    if not table.trained.all() or len(told) > MOST_CLASSES or not np.isfinite(told).any():
        return None
    bench = TableBenchmark(table, space=space)
    rows = np.asarray(table.representatives, np.int64)
    best = int(rows[np.nanargmax(bench.validation_scores(rows[:, None]))])
    return explained_by_table(bench, best, with_motifs=True)


def facts_of(table: Table, space: Space) -> dict[str, Any]:
    """Returns the data for the script besides the arrays: the space, the metric, the epochs, as JSON values."""
    fidelities, told = table.fidelities, table.protocol().told
    return {
        "id": table.id,
        "space": table.manifest["space"]["name"],
        "decisions": table.manifest["space"]["decisions"],
        "units": units.for_scripts(table.metric, table.cost_unit(table.protocol())),
        "denominators": {split: column.denominator for split, column in _splits(table).items()},
        "num_runs": {split: column.by_run.shape[1] for split, column in _splits(table).items()},
        "seeds": table.manifest.get("seeds") or list(range(table.column(told).by_run.shape[1])),
        "sizes": list(table.size_names),
        "size_units": {name: table.size_unit(name) for name in table.size_names},
        "varying": [name for name in table.size_names if len(np.unique(table.sizes(name))) > 1],
        "fidelities": [fidelities[position] for position in _shown_fidelities(table)],
        "fidelity_names": _fidelity_names(table),
        "num_fidelities": len(fidelities),
        "num_architectures": table.num_architectures,
        "num_classes": len(table.representatives),
        "num_trained": int(table.trained.sum()),
        "cell": space.cell,
        "graph": None if space.cell else _graph_facts(space),
    }


def _graph_facts(space: Space) -> dict[str, Any]:
    """Returns the data that the script needs to draw the graphs of architectures."""
    num_vertices = space.drawn(space.arch_at(0))[0].size
    names = [printable(name) for name in space.label_names]
    return {"names": names, "num_vertices": num_vertices, "note": space.drawing_note}


def _splits(table: Table) -> dict[str, Column]:
    """Returns the observed and the reported column of the default protocol."""
    protocol = table.protocol()
    return {"validation": table.column(protocol.told), "test": table.column(protocol.reported)}


def arrays_of(table: Table, space: Space) -> dict[str, np.ndarray]:
    """Returns the arrays of the page by name.

    `validation` [G, S, F'], the observed scores of the default protocol; `test` [G, S], its reported ones
    at the last epoch; `choices` [A, D], and `texts`, how the architectures are written, lines of UTF-8;
    `class_of` [A] and `representatives` [G] if classes have several members; each size [G];
    `decoded`, lines of JSON, if architectures are not decoded to the values of the decisions;
    `neighbors` [A, K] and `degrees` [A] if neighbors are not all changes of one decision. If
    architectures are no cells: `labels` [A, V] of the vertices of the graph that is drawn, 1 more
    than their numbers, and `edges`, the bits of its matrix above the diagonal, row by row.
    """
    protocol = table.protocol()
    archs = np.asarray(jax.vmap(space.arch_at)(np.arange(space.num_architectures)))
    arrays = {
        "validation": _stored(table, protocol.told, [protocol.fidelities[each] for each in _shown_fidelities(table)]),
        "test": _stored(table, protocol.reported, [-1]),
        "choices": archs.astype(np.uint8 if archs.max(initial=0) < 256 else np.uint16),
        "texts": _lines(space.to_str(arch) for arch in archs),
    }
    if len(table.representatives) < table.num_architectures:
        arrays |= {"class_of": _smallest(table.class_of), "representatives": _smallest(table.representatives)}
    for name in table.size_names:
        sizes = table.sizes(name)
        arrays[name] = _smallest(sizes) if np.issubdtype(sizes.dtype, np.integer) else sizes.astype(np.float32)
    if space.cell is None:
        labels, edges = (np.asarray(each) for each in jax.jit(jax.vmap(space.drawn))(archs))
        above = np.triu_indices(labels.shape[1], 1)
        arrays |= {"labels": _smallest(labels + 1), "edges": np.packbits(edges[:, *above], axis=1)}
    rows, degrees = neighbor_table(space)
    if not _are_single_changes(rows, degrees, space):
        arrays |= {"neighbors": _smallest(rows), "degrees": _smallest(degrees)}
    decoded = [{str(name): readable(each) for name, each in space.decode(arch).items()} for arch in archs]
    if decoded != [_values(space, arch) for arch in archs]:
        arrays["decoded"] = _lines(json.dumps(each) for each in decoded)
    return arrays


def packed(arrays: dict[str, np.ndarray]) -> tuple[list[dict], str]:
    """Returns the position of each array in the bytes (name, type, offset, length) and the bytes, gzip in base64.

    Numbers are little-endian; each array begins at a multiple of eight bytes.
    """
    layout, parts, offset = [], [], 0
    for name, array in arrays.items():
        data = np.ascontiguousarray(array, array.dtype.newbyteorder("<")).tobytes()
        layout.append({"name": name, "type": array.dtype.name, "offset": offset, "length": array.size})
        padding = -len(data) % 8
        parts += [data, bytes(padding)]
        offset += len(data) + padding
    return layout, base64.b64encode(gzip.compress(b"".join(parts), 6, mtime=0)).decode()


def _shown_fidelities(table: Table) -> list[int]:
    """Returns the positions of the epochs whose scores go into the page: all, or evenly spaced ones with the last."""
    told, num_fidelities = _splits(table)["validation"], len(table.fidelities)
    bytes_of_epoch = told.by_run[..., 0].size * (4 if told.denominator is None else 2)
    num_shown = max(2, min(num_fidelities, MAX_CURVE_BYTES // bytes_of_epoch))
    return np.unique(np.linspace(0, num_fidelities - 1, num_shown).round().astype(int)).tolist()


def _fidelity_names(table: Table) -> list[str] | None:
    """Returns the names of the fidelities whose scores go into the page; None for the epochs of one training."""
    protocol = table.protocol()
    known = table.column_fidelities(protocol.told)
    asked = [known[position] for position in protocol.fidelities]
    if len({each.training for each in asked}) == 1:
        return None
    return [asked[position].name for position in _shown_fidelities(table)]


def _stored(table: Table, name: str, positions: list[int]) -> np.ndarray:
    """Returns the counts or metric values of a column as the table has them, [G, S, len(positions)].

    If there is none: the type's largest integer, or NaN.
    """
    column, scores = table.column(name), table.scores(name)[:, :, positions]
    if column.denominator is None:
        return scores
    counts, there = column.by_run[:, :, positions], np.isfinite(scores)
    kind = np.uint16 if counts.max(initial=0, where=there) < np.iinfo(np.uint16).max else np.uint32
    return np.where(there, counts, np.iinfo(kind).max).astype(kind)


def _smallest(values: np.ndarray) -> np.ndarray:
    """Returns whole numbers in the smallest type that the script reads them from."""
    largest = values.max(initial=0)
    kind = next((kind for kind in (np.uint16, np.uint32) if largest <= np.iinfo(kind).max), np.float64)
    return values.astype(kind)


def _lines(texts: Iterable[str]) -> np.ndarray:
    return np.frombuffer("\n".join(texts).encode(), np.uint8)


def _values(space: Space, arch: np.ndarray) -> dict[str, str]:
    """Returns the value of each decision, as strings."""
    return {each.name: str(each.values[choice]) for each, choice in zip(space.decisions, arch, strict=True)}


def _are_single_changes(rows: np.ndarray, degrees: np.ndarray, space: Space) -> bool:
    """Returns whether every architecture's neighbors are all those that differ in one decision."""
    if space.num_architectures != num_combinations(space.decisions):
        return False
    weights = radix_weights(space.decisions)
    sizes = [len(decision.values) for decision in space.decisions]
    if (degrees != sum(size - 1 for size in sizes)).any():
        return False
    own, expected = np.arange(len(rows))[:, None], []
    for weight, size in zip(weights, sizes, strict=True):
        choice = own // weight % size
        expected.append(own + ((choice + np.arange(1, size)) % size - choice) * weight)
    return np.array_equal(np.sort(rows, 1), np.sort(np.concatenate(expected, 1), 1))
