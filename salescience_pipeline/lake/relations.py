"""The lake's tables as SQL relations for DuckDB: explicit file lists, typed also when there is nothing.

What does not belong here: connections. The text is made of catalogue names and of paths that are quoted here.
"""

from __future__ import annotations

import re

import pyarrow as pa

from salescience_pipeline.catalog.tables import Table
from salescience_pipeline.lake.snapshot import Snapshot


def duckdb_type(kind: pa.DataType) -> str:
    """DuckDB's name of an Arrow type.

    Raises:
        KeyError: for a type that Delta tables do not have.
    """
    if pa.types.is_list(kind):
        return f"{duckdb_type(kind.value_type)}[]"
    if pa.types.is_struct(kind):
        fields = (kind.field(at) for at in range(kind.num_fields))
        return f"STRUCT({', '.join(f'{quoted(field.name)} {duckdb_type(field.type)}' for field in fields)})"
    return _TYPES[kind]


_TYPES = {
    pa.string(): "VARCHAR",
    pa.binary(): "BLOB",
    pa.bool_(): "BOOLEAN",
    pa.int8(): "TINYINT",
    pa.int16(): "SMALLINT",
    pa.int32(): "INTEGER",
    pa.int64(): "BIGINT",
    pa.float32(): "FLOAT",
    pa.float64(): "DOUBLE",
    pa.date32(): "DATE",
    pa.timestamp("us", tz="UTC"): "TIMESTAMP WITH TIME ZONE",
}


def empty_relation(table: Table) -> str:
    """A query of no rows with the table's columns and types."""
    columns = ", ".join(_null(field) for field in table.schema)
    return f"select {columns} where false"


def parquet_relation(table: Table, snapshot: Snapshot) -> str:
    """A query over the live files of ``snapshot``, which must have some; columns that no file has are typed nulls."""
    columns = ", ".join(
        quoted(field.name) if field.name in snapshot.some_columns else _null(field) for field in table.schema
    )
    files = ", ".join(literal_path(uri) for uri in snapshot.uris())
    # Reading by name opens every file before the query starts, so it is asked for only when files differ.
    by_name = ", union_by_name = true" if snapshot.full_columns != snapshot.some_columns else ""
    return f"select {columns} from read_parquet([{files}], hive_partitioning = false{by_name})"  # noqa: S608 - quoted


def literal_path(path: str) -> str:
    """A path as an SQL literal that DuckDB takes for exactly this file, whatever characters the path has."""
    exact = re.sub(r"[\[*?]", lambda found: f"[{found.group()}]", path)
    return "'" + exact.replace("'", "''") + "'"


def quoted(name: str) -> str:
    """A name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def _null(field: pa.Field) -> str:
    return f"cast(null as {duckdb_type(field.type)}) as {quoted(field.name)}"
