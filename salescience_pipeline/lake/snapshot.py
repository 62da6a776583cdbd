"""What the log of a Delta table says without opening a data file: the live files, their bounds, and the stored schema.

What does not belong here: reading rows and committing (``delta``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
from deltalake import DeltaTable

from salescience_pipeline.catalog.tables import Table
from salescience_pipeline.lake.errors import SchemaConflict
from salescience_pipeline.lake.selection import Where


@dataclass(frozen=True, eq=False)
class DataFile:
    """One live file and what the log says about it."""

    path: str
    size: int
    rows: int
    bounds: Mapping[str, tuple[Any, Any]]
    nulls: Mapping[str, int]

    def range_of(self, column: str) -> tuple[Any, Any] | None:
        """Smallest and largest value of ``column``; None when the log does not say."""
        return self.bounds.get(column)

    def may_hold_null(self, column: str) -> bool:
        """Whether ``column`` may hold a null: yes, unless the log says that it holds none."""
        return self.nulls.get(column, self.rows) > 0


@dataclass(frozen=True)
class Snapshot:
    """A table as of one version."""

    folder: Path
    version: int
    files: tuple[DataFile, ...]
    schema: pa.Schema

    @property
    def rows(self) -> int:
        """Rows of the table."""
        return sum(file.rows for file in self.files)

    def uris(self) -> list[str]:
        """Absolute paths of the live files."""
        return [str(self.folder / file.path) for file in self.files]

    def matching(self, where: Where) -> list[DataFile]:
        """The files that may hold matching rows."""
        return [file for file in self.files if where.may_match(file)]

    @cached_property
    def full_columns(self) -> frozenset[str]:
        """The columns that every file has; a column added later is missing from the older files."""
        return frozenset(name for name in self.schema.names if all(name in file.nulls for file in self.files))

    @cached_property
    def some_columns(self) -> frozenset[str]:
        """The columns that at least one file has."""
        return frozenset(name for name in self.schema.names if any(name in file.nulls for file in self.files))


def new_columns(table: Table, stored: pa.Schema) -> list[pa.Field]:
    """The catalogue's columns that ``stored`` lacks.

    Raises:
        SchemaConflict: when one of them is required, when a stored column has another type than the catalogue says, or
            when the catalogue does not hold it.
    """
    for field in stored:
        if field.name not in table.schema.names:
            raise SchemaConflict(f"{table.name} is stored with the column {field.name}, which its catalogue row lacks.")
        wanted = table.schema.field(field.name).type
        if _plain(field.type) != _plain(wanted):
            raise SchemaConflict(
                f"{table.name} is stored with {field.name} as {field.type}; the catalogue says {wanted}."
            )
    added = [field for field in table.schema if field.name not in stored.names]
    if required := [field.name for field in added if not field.nullable]:
        message = f"{table.name} is stored without {', '.join(required)}, which its catalogue row requires."
        raise SchemaConflict(message)
    return added


def _plain(kind: pa.DataType) -> str:
    """A spelling in which equal types are equal: Delta has its own name for the item of a list."""
    return f"list<{kind.value_type}>" if pa.types.is_list(kind) else str(kind)


def data_files(opened: DeltaTable) -> Iterable[DataFile]:
    """The live files of an opened table, with the bounds that the log holds."""
    actions = pa.table(opened.get_add_actions(flatten=True))
    names = actions.schema.names
    columns = {name: actions[name].to_pylist() for name in names}
    for at in range(actions.num_rows):
        bounds = {
            name[4:]: (columns[name][at], columns[f"max.{name[4:]}"][at])
            for name in names
            if name.startswith("min.") and columns[name][at] is not None and columns[f"max.{name[4:]}"][at] is not None
        }
        nulls = {
            name[11:]: columns[name][at]
            for name in names
            if name.startswith("null_count.") and columns[name][at] is not None
        }
        yield DataFile(
            unquote(columns["path"][at]), columns["size_bytes"][at], columns["num_records"][at], bounds, nulls
        )
