"""Column packs: tables of columns without scores, which are joined to tables of the same space."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from jaxnas.tables import arrays
from jaxnas.tables.columns import Column
from jaxnas.tables.manifest import SCHEMA_VERSION, keys_of
from jaxnas.tables.table import Table

if TYPE_CHECKING:
    from jaxnas.spaces.base import Space


def column_pack(space: "Space", name: str, columns: Mapping[str, Column | tuple[ArrayLike, str]]) -> Table:
    """Returns a table of columns without scores, to be joined to tables of the same space (`Table.joined`).

    Args:
        space: a search space; row `i` of every array belongs to `space.arch_at(i)`.
        name: the identifier.
        columns: values [A] with their unit by name, or a `Column`.
    """
    manifest = {
        "schema_version": SCHEMA_VERSION,
        "kind": "columns",
        "id": name,
        "space": space.description(),
        "fidelities": [],
    }
    rows = np.arange(space.num_architectures, dtype=np.int32)
    found = {each: arrays.column_of(each, given, len(rows)) for each, given in columns.items()}
    return Table(manifest, keys_of(space), rows, found, rows)
