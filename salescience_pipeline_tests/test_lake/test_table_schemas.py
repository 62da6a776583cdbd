"""Tables that were stored under an older catalogue, or under none: columns are added, contradictions left alone."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from deltalake import write_deltalake

from salescience_pipeline.catalog.tables import TABLES
from salescience_pipeline.lake import errors
from salescience_pipeline.lake.tables import SMALL_FILE_ROWS, Tables, Where
from salescience_pipeline_tests.test_lake.rows import PRICES, price, table


def old_table(tmp_path: Path, leave_out: str) -> Tables:
    """A table that was created when the catalogue did not have the column yet."""
    tables = Tables(tmp_path)
    names = [name for name in TABLES[PRICES].schema.names if name != leave_out]
    rows = table(PRICES, [price("OLD")]).select(names)
    write_deltalake(tables.uri(PRICES), rows)
    return tables


def test_a_new_nullable_column_is_added_and_older_files_show_null(tmp_path: Path) -> None:
    tables = old_table(tmp_path, "adj_volume")
    assert tables.schema_differences(PRICES) == []
    with duckdb.connect() as connection:
        connection.execute(tables.to_duckdb_view_sql(PRICES))
        assert connection.sql(f"select ticker, adj_volume from {PRICES}").fetchall() == [("OLD", None)]
        assert tables.read(PRICES)["adj_volume"].to_pylist() == [None]
        many = [price(f"N{n:05d}") | {"adj_volume": 5.0} for n in range(SMALL_FILE_ROWS)]
        tables.write(PRICES, table(PRICES, many[:1]))
        tables.write(PRICES, table(PRICES, many))
        assert tables.read(PRICES, Where(values={"ticker": ["N00000", "OLD"]}))["adj_volume"].to_pylist() == [5.0, None]
        connection.execute(tables.to_duckdb_view_sql(PRICES))
        found = connection.sql(f"select adj_volume, count(*) from {PRICES} group by 1 order by 2").fetchall()
        assert found == [(None, 1), (5.0, SMALL_FILE_ROWS)]


def test_files_with_and_without_a_new_column_are_read_together(tmp_path: Path) -> None:
    tables = Tables(tmp_path)
    names = [name for name in TABLES[PRICES].schema.names if name != "adj_volume"]
    old = [price(f"O{n:05d}") for n in range(SMALL_FILE_ROWS)]
    write_deltalake(tables.uri(PRICES), table(PRICES, old).select(names))
    tables.write(PRICES, table(PRICES, [price("NEW") | {"adj_volume": 5.0}]))
    snapshot = tables.delta(PRICES).snapshot()
    assert snapshot is not None
    assert len(snapshot.files) == 2
    with duckdb.connect() as connection:
        connection.execute(tables.to_duckdb_view_sql(PRICES))
        found = connection.sql(f"select adj_volume, count(*) from {PRICES} group by 1 order by 2").fetchall()
    assert found == [(5.0, 1), (None, SMALL_FILE_ROWS)]
    assert tables.read(PRICES)["adj_volume"].null_count == SMALL_FILE_ROWS


def test_a_stored_table_that_contradicts_the_catalogue_is_left_alone(tmp_path: Path) -> None:
    tables = old_table(tmp_path / "required", "currency")
    with pytest.raises(errors.SchemaConflict, match="currency"):
        tables.write(PRICES, table(PRICES, [price("A")]))
    assert "currency" in tables.schema_differences(PRICES)[0]
    tables = Tables(tmp_path / "extra")
    rows = table(PRICES, [price("A")])
    write_deltalake(tables.uri(PRICES), rows.append_column("surprise", pa.array([1])))
    with pytest.raises(errors.SchemaConflict, match="surprise"):
        tables.write(PRICES, rows)
    tables = Tables(tmp_path / "type")
    write_deltalake(tables.uri(PRICES), rows.set_column(5, "close", rows["close"].cast(pa.string())))
    with pytest.raises(errors.SchemaConflict, match="close"):
        tables.write(PRICES, rows)
