"""Benchmarks by name: tables and surrogates that ship, or in folders."""

import os
from collections.abc import Sequence
from typing import Any

from jaxnas.benchmarks.surrogate import SurrogateBenchmark
from jaxnas.benchmarks.surrogate_files import is_surrogate
from jaxnas.benchmarks.tabular import TableBenchmark
from jaxnas.spaces.base import Space
from jaxnas.tables.table import Table


def load(
    source: str | os.PathLike,
    *,
    noise: str = "seed",
    space: Space | None = None,
    protocol: str | None = None,
    columns: Sequence[str | os.PathLike] = (),
) -> TableBenchmark | Any:
    """Returns the benchmark of a table or a surrogate, given by an identifier that ships with jaxnas or by a folder.

    Arguments are as for `TableBenchmark`; `columns` are given as `source` is. A surrogate has its own noise, no
    protocols and no columns. To a type checker the result is a `TableBenchmark`, or may be a `SurrogateBenchmark`.

    Raises ValueError if there is no such table or surrogate, or if a surrogate is given other arguments than a space.
    """
    if not is_surrogate(source):
        packs = tuple(Table.read(each) for each in columns)
        return TableBenchmark(Table.read(source), noise=noise, space=space, protocol=protocol, columns=packs)
    if protocol or columns or noise != "seed":
        raise ValueError(f"Expected no noise, protocol or columns with a surrogate, got some for {os.fspath(source)}.")
    return SurrogateBenchmark.read(source, space=space)
