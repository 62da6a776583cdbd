"""A question in SQL about tables in memory, in a connection of its own.

What does not belong here: any question; and the published warehouse (``lake.warehouse``).
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa


def ask(sql: str, **tables: pa.Table) -> list[dict[str, Any]]:
    """The rows that ``sql`` finds in ``tables``, which it names by their keywords."""
    import duckdb  # noqa: PLC0415 - only a check needs it

    with duckdb.connect() as connection:
        for name, rows in tables.items():
            connection.register(name, rows)
        answer = connection.execute(sql)
        names = [column[0] for column in answer.description or ()]
        return [dict(zip(names, row, strict=True)) for row in answer.fetchall()]
