"""Column by column to an Arrow table in the catalogue's schema, with provenance.

What does not belong here: anything that knows a table's meaning.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pyarrow as pa

from salescience_pipeline.catalog.tables import PROVENANCE, TABLES
from salescience_pipeline.clients.model import Answer
from salescience_pipeline.tidy.model import TidyContext


class Rows:
    """The rows that one answer gives to one table; they share their provenance."""

    def __init__(self, table: str, answer: Answer, context: TidyContext) -> None:
        """Start with no row; ``table`` is a name of the catalogue."""
        self._table = TABLES[table]
        self._provenance: dict[str, Any] = {
            "source": answer.request.provider,
            "fetched_at": answer.fetched_at,
            "raw_sha256": answer.ref.sha256,
            "run_id": context.run_id,
            "organization_id": context.organization_id,
        }
        self.columns: dict[str, list[Any]] = {
            column.name: [] for column in self._table.columns if column.name not in PROVENANCE
        }

    def add(self, **values: Any) -> None:
        """Append a row; a column that is not named is null.

        Raises:
            KeyError: for a value that the table has no column for.
        """
        for name in values:
            if name not in self.columns:
                raise KeyError(f"The table {self._table.name} has no column '{name}'.")
        for name, column in self.columns.items():
            column.append(values.get(name))

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def table(self) -> pa.Table:
        """The rows as an Arrow table.

        Raises:
            ValueError: when a column that is never null holds a null: a mistake in a tidy function.
        """
        count = len(self)
        arrays = []
        for field in self._table.schema:
            if field.name in PROVENANCE:
                array = pa.repeat(pa.scalar(self._provenance[field.name], field.type), count)
            else:
                array = pa.array(self.columns[field.name], field.type)
            if array.null_count and not field.nullable:
                raise ValueError(f"The column '{field.name}' of {self._table.name} must not be null.")
            arrays.append(array)
        return pa.Table.from_arrays(arrays, schema=self._table.schema)


def joined(table: str, parts: Iterable[Rows]) -> pa.Table:
    """The rows of all ``parts`` as one table; an empty one when there are none."""
    tables = [part.table() for part in parts if len(part)]
    return pa.concat_tables(tables) if tables else TABLES[table].empty()
