"""Tables whose fidelities are of several trainings: put together of plain tables, and taken apart. Needs NumPy only."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from jaxnas.checks import unknown_name
from jaxnas.tables.columns import RUN_COUNT_UNIT, Column, is_missing, missing_value
from jaxnas.tables.manifest import DEFAULT_PROTOCOL, Fidelity, fidelities_of
from jaxnas.tables.table import Table

_OF_A_WHOLE = ("trainings", "references", "content_hash", "files", "manifest_hash")


def joined_trainings(manifest: dict, tables: Mapping[str, Table]) -> Table:
    """Returns the table of all fidelities of plain tables of the same classes and seeds, one for each training.

    Columns with an axis of fidelities are put side by side. Of the others, a column of the last
    training keeps its name, and columns of the training NAME are called `column@NAME`: sizes of one
    value a class become columns with an axis of that one fidelity, so a table has each size once.

    Args:
        manifest: its `fidelities` cover all trainings, in the order of `tables`.
        tables: by the name of the training; the last one is the one that reports read.

    Raises ValueError if counts of the trainings are of different numbers of examples.
    """
    known = fidelities_of(manifest)
    named = {name: [each.name for each in known if each.training == name] for name in tables}
    *others, last = tables
    columns: dict[str, Column] = {}
    for column_name, column in tables[last].columns.items():
        if "fidelity" in column.axes:
            parts = {name: table.columns[column_name] for name, table in tables.items()}
            columns[column_name] = _side_by_side(column_name, parts, named)
            continue
        columns[column_name] = column
        for name in others if column.unit != RUN_COUNT_UNIT else ():
            own = tables[name].columns[column_name]
            if own.axes == ("class",):
                last_epoch = (named[name][-1],)
                own = own._replace(values=own.values[:, None], axes=("class", "fidelity"), fidelities=last_epoch)
            columns[f"{column_name}@{name}"] = own
    return replace(tables[last], manifest=manifest, columns=columns)


def _side_by_side(column_name: str, parts: Mapping[str, Column], named: Mapping[str, list[str]]) -> Column:
    """Returns one column of the columns of all trainings, whose last axis has the fidelities of each in turn."""
    if len({part.denominator for part in parts.values()}) > 1:
        found = " and ".join(f"{part.denominator:,}" for part in parts.values())
        raise ValueError(f"Expected trainings with counts of {column_name} of as many examples, got {found}.")
    kind = np.result_type(*(part.values for part in parts.values()))
    values, fidelities = [], []
    for name, part in parts.items():
        missing = is_missing(part.values)
        values.append(np.where(missing, missing_value(kind) or 0, part.values).astype(kind))
        fidelities += named[name][-part.values.shape[-1] :]
    every = sum(map(len, named.values())) == len(fidelities)
    first = next(iter(parts.values()))
    return first._replace(values=np.concatenate(values, -1), fidelities=None if every else tuple(fidelities))


def plain_table(table: Table, name: str) -> Table:
    """Returns the table of one training of a table of several: the one that a build of this training alone makes.

    Its fidelities are called by their epochs, and it has no hashes.

    Raises ValueError if the table has no training of that name.
    """
    trainings = table.manifest.get("trainings", {})
    if name not in trainings:
        raise unknown_name(f"a training of {table.id}", name, trainings)
    own = {each.name: each for each in fidelities_of(table.manifest) if each.training == name}
    epochs = {each: str(fidelity.epoch) for each, fidelity in own.items()}
    manifest = {key: value for key, value in table.manifest.items() if key not in _OF_A_WHOLE}
    manifest["fidelities"] = [Fidelity(epochs[each], "", own[each].epoch).fields() for each in own]
    default = {key: value for key, value in manifest["protocols"][DEFAULT_PROTOCOL].items() if key != "fidelities"}
    manifest["protocols"] = {DEFAULT_PROTOCOL: default}
    manifest["training"] = trainings[name]
    columns = {}
    for column_name, column in _columns_of(table, name).items():
        if "fidelity" in column.axes:
            asked = table.column_fidelities(column_name)
            kept = [position for position, each in enumerate(asked) if each.training == name]
            names = tuple(epochs[asked[position].name] for position in kept)
            column = column._replace(
                values=column.values[..., kept], fidelities=None if len(kept) == len(own) else names
            )
        if "@" in column_name and column.axes == ("class", "fidelity"):  # a size
            column = column._replace(values=column.values[:, 0], axes=("class",), fidelities=None)
        columns[column_name.partition("@")[0]] = column
    return replace(table, manifest=manifest, columns=columns)


def _columns_of(table: Table, name: str) -> dict[str, Column]:
    """Returns the columns of a training: its own, shared ones, and how many runs a class has."""
    others = set(table.manifest["trainings"]) - {name}
    is_last = fidelities_of(table.manifest)[-1].training == name
    found = {}
    for column_name, column in table.columns.items():
        of = column_name.partition("@")[2]
        own = of == name or (is_last and of not in others) or column.unit == RUN_COUNT_UNIT
        if own or ("fidelity" in column.axes and not of):
            found[column_name] = column
    return found


def trainings_that_failed(table: Table) -> int:
    """Returns how many trainings of a table that a build made have no score at their end."""
    last = {fidelity.training: place for place, fidelity in enumerate(table.column_fidelities(table.protocol().told))}
    return int((~table.succeeded()[table.trained][:, :, list(last.values())]).sum())
