"""What a table of the lake is: its columns, its key, how it is cut, and the Arrow schema that follows.

What does not belong here: the tables themselves (``tables``, ``market_tables``).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import pyarrow as pa

from salescience_pipeline.catalog.columns import COLUMNS, Column
from salescience_pipeline.identifiers import TableName

PROVENANCE: tuple[str, ...] = ("source", "fetched_at", "raw_sha256", "run_id", "organization_id")
"""Columns that say where a row came from; on every table, and left out when two rows are compared."""

_NULLABLE_PROVENANCE = frozenset({"organization_id"})


@dataclass(frozen=True)
class Table:
    """One table of the lake.

    ``key`` columns identify a row and are never null, but for those in ``nullable_key``, in which null is one value
    more. ``required`` names further columns that are never null.
    ``partition_year_of`` names the date column along which the table grows, ``sort_by`` the order inside a file and between
    files, ``file_rows`` the most rows of one file: what is read and written again when a row in it changes. Columns in
    ``keep_first`` keep their first value when a row is written again, those in ``keep_known`` a value that the new row
    does not know.
    """

    name: TableName
    title: str
    description: str
    column_names: tuple[str, ...]
    key: tuple[str, ...]
    group: str
    required: tuple[str, ...] = ()
    nullable_key: tuple[str, ...] = ()
    partition_year_of: str | None = None
    sort_by: tuple[str, ...] = ()
    file_rows: int = 524_288
    keep_first: tuple[str, ...] = ()
    keep_known: tuple[str, ...] = ()
    schema_version: int = 1

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """The columns in order, provenance last."""
        own = [name for name in self.column_names if name not in PROVENANCE]
        return tuple(COLUMNS[name] for name in (*own, *PROVENANCE))

    @cached_property
    def schema(self) -> pa.Schema:
        """The Arrow schema; nullability, meaning and unit stand in it."""
        fields = []
        for column in self.columns:
            nullable = not self.is_required(column.name)
            note = {"meaning": column.meaning} | ({"unit": column.unit} if column.unit else {})
            fields.append(pa.field(column.name, column.type, nullable, note))
        return pa.schema(fields)

    def is_required(self, column: str) -> bool:
        """Whether ``column`` is never null in this table."""
        if column in PROVENANCE:
            return column not in _NULLABLE_PROVENANCE
        return (column in self.key and column not in self.nullable_key) or column in self.required

    def empty(self) -> pa.Table:
        """A table of no rows with this schema."""
        return self.schema.empty_table()
