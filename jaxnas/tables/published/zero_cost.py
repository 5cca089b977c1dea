"""Imports the zero-cost scores of NAS-Bench-Suite-Zero for the cells of NAS-Bench-201, as column packs."""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from jaxnas.spaces.cells.space import NB201
from jaxnas.tables.columns import Column
from jaxnas.tables.published.base import Progress, expected, json_of, only_file, sha256_of
from jaxnas.tables.published.cards import Imported, Publication, imported
from jaxnas.tables.table import column_pack

NAME = "suite-zero"
CITES = ("krishnakumar2022suitezero",)
FILES = ("zc_nasbench201.json",)
PUBLICATION = Publication(
    NAME,
    "NAS-Bench-Suite-Zero",
    "A. Krishnakumar, C. White, A. Zela, R. Tu, M. Safari and F. Hutter, NAS-Bench-Suite-Zero: Accelerating Research "
    "on Zero Cost Proxies, NeurIPS 2022 (Datasets and Benchmarks).",
    "Apache-2.0 licence",
    "https://github.com/automl/NASLib/tree/zerocost",
    "Krishnakumar, Arjun and White, Colin and Zela, Arber and Tu, Renbo and Safari, Mahmoud and Hutter, Frank",
    CITES,
)
OPERATIONS = ("skip_connect", "none", "nor_conv_3x3", "nor_conv_1x1", "avg_pool_3x3")
"""NASLib's order: Identity, Zero, ReLUConvBN3x3, ReLUConvBN1x1, and the pool, which it calls AvgPool1x1."""
EDGES = ((0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3))
"""NASLib's order; it counts nodes from 1."""
_OWN_EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
_SIZES = ("params", "flops")


def row_of(key: str) -> int:
    """Returns the row, in the space `nb201`, of an architecture as NASLib writes it: `(4, 0, 3, 1, 4, 3)`."""
    numbers = [int(number) for number in re.findall(r"\d+", key)]
    if not re.fullmatch(r"\((\d, ){5}\d\)", key) or max(numbers) >= len(OPERATIONS):
        raise ValueError(f"Expected six operations such as '(4, 0, 3, 1, 4, 3)', got {key[:60]!r}")
    of_edge = dict(zip(EDGES, numbers, strict=True))
    values = NB201.decisions[0].values
    row = 0
    for edge in _OWN_EDGES:
        row = row * len(values) + values.index(OPERATIONS[of_edge[edge]])
    return row


def read(path: Path, work: Path, progress: Progress) -> Iterator[Imported]:
    """Returns a column pack of NAS-Bench-Suite-Zero for each data set: `synflow`, `nwot`, ..., and seconds.

    `path` is `zc_nasbench201.json`, or a folder with it.
    """
    path = only_file(path, FILES, "NAS-Bench-Suite-Zero's scores on NAS-Bench-201")
    digest = {path.name: sha256_of(path)}
    found: dict[str, dict[str, np.ndarray]] = {}
    with expected(path, "NAS-Bench-Suite-Zero's scores by data set and architecture of NAS-Bench-201"):
        for data_set, by_key in json_of(path, progress).items():
            for key, scores in by_key.items():
                _collect(found.setdefault(data_set, {}), row_of(key), scores)
        if not found:
            raise ValueError("no scores")
    for data_set, values in found.items():
        name = f"nb201-zero-{re.sub(r'[^a-z0-9-]', '', data_set.lower())}"
        units = {each: "seconds" if each.startswith("seconds_") else "score" for each in values}
        columns = {each: Column(array, ("class",), units[each]) for each, array in values.items()}
        with expected(path, "scores with names such as synflow"):
            pack = column_pack(NB201, name, columns)
        count = int(np.isfinite(next(iter(values.values()))).sum())
        notes = [
            f"Scores without training of {count:,} of {NB201.num_architectures:,} architectures on {data_set}, and the "
            "seconds that each took (`seconds_...`). `zero_params` and `zero_flops` are the file's own counts."
        ]
        yield imported(pack, name, PUBLICATION, path, notes, digest)


def _collect(columns: dict[str, np.ndarray], row: int, scores: dict) -> None:
    for name, found in scores.items():
        if name == "id" or name.endswith("accuracy"):
            continue
        own = f"zero_{name}" if name in _SIZES else name
        for column, value in ((own, found["score"]), (f"seconds_{name}", found.get("time"))):
            if value is not None:
                columns.setdefault(column, np.full(NB201.num_architectures, np.nan, np.float32))[row] = value
