"""The catalogue, enforced: rows that a table forbids are named before anything is written.

What does not belong here: repairing. A tidy function that makes a wrong row is wrong.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from salescience_pipeline.catalog.tables import TABLES, Table
from salescience_pipeline.lake.errors import (
    BadFilter,
    DuplicateKey,
    MissingColumn,
    NullInRequired,
    OutsideSlice,
    UnknownColumn,
    UnknownTable,
    WrongType,
)
from salescience_pipeline.lake.keys import first_duplicate
from salescience_pipeline.lake.selection import Slice


def known_table(name: str) -> Table:
    """The catalogue's row of that table.

    Raises:
        UnknownTable: when the catalogue does not hold it.
    """
    table = TABLES.get(name)
    if table is None:
        raise UnknownTable(f"The catalogue has no table {name[:80]!r}; it has {', '.join(sorted(TABLES))}.")
    return table


def checked(table: Table, rows: pa.Table) -> pa.Table:
    """``rows`` with the catalogue's columns in the catalogue's order.

    Args:
        table: The catalogue's row.
        rows: Any number of rows; the order of the columns does not matter, their types must be exact.

    Raises:
        MissingColumn: when a column is not there.
        UnknownColumn: when a column is not in the catalogue.
        WrongType: when a column has another type.
        NullInRequired: when a required column holds a null.
        DuplicateKey: when two rows have the same key.
    """
    names, wanted = rows.schema.names, table.schema.names
    if absent := tuple(name for name in wanted if name not in names):
        raise MissingColumn(table.name, f"the column {_list(absent)} is missing.", absent)
    if extra := tuple(dict.fromkeys(name for name in names if name not in wanted or names.count(name) > 1)):
        raise UnknownColumn(table.name, f"the column {_list(extra)} is not in the catalogue, or is there twice.", extra)
    rows = rows.select(wanted)
    for field in table.schema:
        actual = rows.schema.field(field.name).type
        if not actual.equals(field.type):
            message = f"the column {field.name} is {actual} and must be {field.type}."
            raise WrongType(table.name, message, (field.name,))
        if not field.nullable and rows[field.name].null_count:
            raise NullInRequired(table.name, f"the column {field.name} holds a null and must not.", (field.name,))
    if (row := first_duplicate(rows, table.key)) is not None:
        shown = ", ".join(f"{name}={rows[name][row].as_py()!r}" for name in table.key)
        raise DuplicateKey(table.name, f"two rows have the key {shown}.", table.key)
    return pa.Table.from_arrays(rows.columns, schema=table.schema)


def check_covers(table: Table, rows: pa.Table, covers: Slice) -> None:
    """Refuse a slice that could not say which stored rows it replaces, and rows outside it.

    Raises:
        BadFilter: when the slice has a condition on a column that may be null and is not part of the key.
        OutsideSlice: when a row lies outside.
    """
    covers.check(table)
    for column in covers.columns:
        if column not in table.key and not table.is_required(column):
            raise BadFilter(f"{table.name} cannot be replaced by {column}, which is neither in the key nor required.")
    matches = covers.mask(rows)
    inside = rows.num_rows if matches is None else pc.sum(matches).as_py() or 0
    if inside < rows.num_rows:
        message = f"{rows.num_rows - inside} of {rows.num_rows} rows lie outside the slice that the write covers."
        raise OutsideSlice(table.name, message, covers.columns)


def _list(names: tuple[str, ...]) -> str:
    return ", ".join(name[:80] for name in names[:10])
