"""Marts over a lake that a test fills row by row; their SQL runs as dbt compiles it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from salescience_pipeline.catalog.tables import TABLES
from salescience_pipeline.lake.tables import Tables, WriteMode

MODELS = Path(__file__).resolve().parents[2] / "dbt" / "models"


class Marts:
    """A lake to write to, and the marts over it as views."""

    def __init__(self, folder: Path) -> None:
        self.tables = Tables(folder)
        self.connection = duckdb.connect()
        self.connection.execute("set timezone = 'UTC'")

    def write(self, rows: dict[str, pa.Table]) -> None:
        """Rows that belong to nobody in particular."""
        for name, table in rows.items():
            shared = pa.nulls(table.num_rows, pa.string())
            at = table.schema.get_field_index("organization_id")
            self.tables.write(name, table.set_column(at, table.schema.field(at), shared), mode=WriteMode.UPSERT)

    def rows(self, mart: str) -> list[dict[str, Any]]:
        """The mart's rows, computed from what the lake holds now."""
        for name in TABLES:
            self.connection.execute(self.tables.to_duckdb_view_sql(name))
        for path in sorted((MODELS / "staging").glob("stg_*.sql")):
            self.connection.execute(f"create or replace view {path.stem} as {_compiled(path)}")
        found: list[dict[str, Any]] = (
            self.connection.sql(_compiled(MODELS / "marts" / f"{mart}.sql")).to_arrow_table().to_pylist()
        )
        return found


def _compiled(path: Path) -> str:
    sql = re.sub(r"\{\{ source\('lake', '(\w+)'\) \}\}", r"\1", path.read_text())
    return re.sub(r"\{\{ ref\('(\w+)'\) \}\}", r"\1", sql)
