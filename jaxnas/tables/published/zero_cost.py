"""Imports the zero-cost scores of NAS-Bench-Suite-Zero for NAS-Bench-201 and TransNAS-Bench-101, as column packs."""

import functools
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from jaxnas.checks import unknown_name
from jaxnas.spaces.named import space_named
from jaxnas.tables.columns import Column
from jaxnas.tables.published.base import Progress, expected, json_of, only_file, sha256_of
from jaxnas.tables.published.cards import Imported, Publication, imported
from jaxnas.tables.published.transnas import SCORES
from jaxnas.tables.table import column_pack

NAME = "suite-zero"
CITES = ("krishnakumar2022suitezero",)
SPACES = {
    "zc_nasbench201.json": ("nb201", ("cifar10", "cifar100", "ImageNet16-120", "ninapro", "svhn", "scifar100")),
    "zc_transbench101_micro.json": ("transnas-micro", tuple(SCORES)),
    "zc_transbench101_macro.json": ("transnas-macro", tuple(SCORES)),
}
"""The space and the data sets of a file. Only its name says which: all write an architecture as six digits."""
FILES = tuple(SPACES)
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
_BY_TARGET = (0, 1, 3, 2, 4, 5)
"""Where the edges 0-1, 0-2, 1-2, 0-3, 1-3, 2-3 are in NASLib's order, which is by source."""
_SIZES = ("params", "flops")


def row_of(key: str, space: str = "nb201") -> int:
    """Returns the row, in a space of the catalog, of an architecture as NASLib writes it: `(4, 0, 3, 1, 4, 3)`.

    Digits of TransNAS-Bench-101 are as in its own strings.
    """
    digits = re.findall(r"\d", key)
    row = _rows(space).get(_text(space, digits)) if re.fullmatch(r"\((\d, ){5}\d\)", key) else None
    if row is None:
        raise ValueError(f"Expected six digits of {space} such as '(4, 0, 3, 1, 4, 3)', got {key[:60]!r}")
    return row


def _text(space: str, digits: list[str]) -> str:
    """Returns an architecture as its space writes it."""
    if space == "nb201":
        names = dict(zip("01234", OPERATIONS, strict=True))
        return "|{}~0|+|{}~0|{}~1|+|{}~0|{}~1|{}~2|".format(*(names.get(digits[place]) for place in _BY_TARGET))
    if space == "transnas-micro":
        return "64-41414-{}_{}{}_{}{}{}".format(*digits)
    return f"64-{''.join(digits).rstrip('0')}-basic"


@functools.cache
def _rows(name: str) -> dict[str, int]:
    """Returns the rows of a space's architectures by their strings."""
    space = space_named(name)
    archs = np.asarray(space.arch_at(np.arange(space.num_architectures)))
    return {space.to_str(arch): row for row, arch in enumerate(archs)}


def read(path: Path, work: Path, progress: Progress) -> Iterator[Imported]:
    """Returns a column pack of NAS-Bench-Suite-Zero for each data set: `synflow`, `nwot`, ..., and seconds.

    `path` is `zc_nasbench201.json`, `zc_transbench101_micro.json` or `zc_transbench101_macro.json`, by these names, or
    a folder with one of them.
    """
    path = only_file(path, FILES, "NAS-Bench-Suite-Zero's scores")
    if path.name not in SPACES:
        raise ValueError(f"Expected {' or '.join(FILES)}, names that say of which space the keys are, got {path}.")
    (name, data_sets), digest = SPACES[path.name], {path.name: sha256_of(path)}
    space = space_named(name)
    found: dict[str, dict[str, np.ndarray]] = {}
    with expected(path, f"NAS-Bench-Suite-Zero's scores by data set and architecture of {name}"):
        for data_set, by_key in json_of(path, progress).items():
            if data_set not in data_sets:
                raise unknown_name(f"a data set of {name}", data_set[:40], data_sets)
            for key, scores in by_key.items():
                _collect(found.setdefault(data_set, {}), row_of(key, name), scores, space.num_architectures)
        if not found:
            raise ValueError("no scores")
    for data_set, values in found.items():
        pack_id = f"{name}-zero-{data_set.lower()}".replace("_", "-")
        units = {each: "seconds" if each.startswith("seconds_") else "score" for each in values}
        columns = {each: Column(array, ("class",), units[each]) for each, array in values.items()}
        with expected(path, "scores with names such as synflow"):
            pack = column_pack(space, pack_id, columns)
        count = int(np.isfinite(next(iter(values.values()))).sum())
        notes = [
            f"Scores without training of {count:,} of {space.num_architectures:,} architectures on {data_set}, and the "
            "seconds that each took (`seconds_...`). `zero_params` and `zero_flops` are the file's own counts."
        ]
        yield imported(pack, pack_id, PUBLICATION, path, notes, digest)


def _collect(columns: dict[str, np.ndarray], row: int, scores: dict, num_rows: int) -> None:
    for name, found in scores.items():
        if name == "id" or name.endswith("accuracy"):
            continue
        own = f"zero_{name}" if name in _SIZES else name
        for column, value in ((own, found["score"]), (f"seconds_{name}", found.get("time"))):
            if value is not None:
                columns.setdefault(column, np.full(num_rows, np.nan, np.float32))[row] = value
