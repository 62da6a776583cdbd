"""Tables accept what the catalogue allows and nothing else, and change only what differs."""

from __future__ import annotations

import datetime as dt
import os
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from deltalake import DeltaTable, Schema
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from salescience_pipeline.catalog.tables import PROVENANCE, TABLES
from salescience_pipeline.lake import errors
from salescience_pipeline.lake.tables import Slice, Tables, Where, WriteMode
from salescience_pipeline_tests.test_lake.rows import (
    COMPANIES,
    DAY,
    FACTS,
    FILINGS,
    NOW,
    PRICES,
    closes,
    days,
    fact,
    price,
    table,
)

TICKERS, DAYS = ("A", "B", "C"), days(4)


keys = st.tuples(st.sampled_from(TICKERS), st.sampled_from(DAYS))
contents = st.dictionaries(keys, st.sampled_from([1.0, 2.0, None, float("inf")]), max_size=6)
operations = st.one_of(
    st.tuples(st.just("upsert"), contents),
    st.tuples(st.just("insert_only"), contents),
    st.tuples(st.just("replace tickers"), contents),
    st.tuples(st.just("replace days"), contents),
    st.tuples(st.just("replace all"), contents),
)


@given(st.lists(operations, min_size=1, max_size=7))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_sequence_of_writes_leaves_what_a_dictionary_would_hold(tmp_path: Path, writes: list[Any]) -> None:
    tables = Tables(tmp_path / os.urandom(8).hex())
    model: dict[tuple[str, dt.date], float | None] = {}
    for kind, content in writes:
        rows = table(PRICES, [price(ticker, day, close) for (ticker, day), close in content.items()])
        before = dict(model)
        if kind == "upsert":
            commit = tables.write(PRICES, rows)
            model |= content
        elif kind == "insert_only":
            commit = tables.write(PRICES, rows, mode="insert_only")
            model = content | model
        else:
            if kind == "replace tickers":
                tickers = tuple({ticker for ticker, _ in content}) or ("A",)
                covers = Slice(values={"ticker": tickers})
                inside = [key for key in model if key[0] in tickers]
            elif kind == "replace days":
                first, last = (min(day for _, day in content), max(day for _, day in content)) if content else DAYS[:2]
                covers = Slice(date_column="trade_date", first=first, last=last)
                inside = [key for key in model if first <= key[1] <= last]
            else:
                covers, inside = Slice(), list(model)
            commit = tables.write(PRICES, rows, covers)
            for key in inside:
                del model[key]
            model |= content
        assert closes(tables) == model
        assert commit.unchanged == (model == before)
        assert commit.added == len(model.keys() - before.keys())
        assert commit.removed == len(before.keys() - model.keys())
        assert commit.replaced == sum(before[key] != model[key] for key in before.keys() & model.keys())
        assert tables.row_count(PRICES) == len(model)


def test_the_same_again_makes_no_commit_and_keeps_the_first_provenance(tmp_path: Path) -> None:
    tables = Tables(tmp_path)
    one = [price("A", close=float("nan")), price("B", close=None)]
    first = tables.write(PRICES, table(PRICES, one, run_id="first"), Slice(values={"trade_date": [DAY]}))
    for covers in (Slice(values={"trade_date": [DAY]}), Slice(), None):
        again = tables.write(PRICES, table(PRICES, one[::-1], run_id="second"), covers)
        assert (again.unchanged, again.version, again.bytes) == (True, first.version, 0)
    assert tables.read(PRICES)["run_id"].to_pylist() == ["first", "first"]
    assert tables.version(PRICES) == first.version
    changed = tables.write(PRICES, table(PRICES, [price("A", close=7.0), one[1]], run_id="third"))
    assert (changed.replaced, changed.added, changed.removed) == (1, 0, 0)
    assert tables.read(PRICES)["run_id"].to_pylist() == ["third", "first"]


def test_a_history_that_gained_a_day_costs_a_row(tmp_path: Path) -> None:
    tables = Tables(tmp_path)
    history = [price("A", day) for day in days(300)]
    whole = tables.write(PRICES, table(PRICES, history), Slice(values={"ticker": ["A"]}))
    more = tables.write(PRICES, table(PRICES, [*history, price("A", DAY)]), Slice(values={"ticker": ["A"]}))
    assert (more.added, more.replaced, more.removed) == (1, 0, 0)
    assert more.rows == whole.rows + 1


@pytest.mark.parametrize(
    ("change", "error", "column"),
    [
        (lambda rows: rows.drop_columns(["close"]), errors.MissingColumn, "close"),
        (lambda rows: rows.append_column("surprise", pa.array(["x"] * 2)), errors.UnknownColumn, "surprise"),
        (lambda rows: rows.append_column("close", rows["close"]), errors.UnknownColumn, "close"),
        (lambda rows: rows.set_column(5, "close", rows["close"].cast(pa.float32())), errors.WrongType, "close"),
        (lambda rows: rows.set_column(0, "ticker", pa.nulls(2, pa.string())), errors.NullInRequired, "ticker"),
        (lambda rows: pa.concat_tables([rows, rows.slice(1)]), errors.DuplicateKey, "ticker"),
    ],
)
def test_rows_that_the_catalogue_forbids_are_named_and_not_written(
    tmp_path: Path, change: Any, error: type[errors.BadRows], column: str
) -> None:
    tables = Tables(tmp_path)
    good = table(PRICES, [price("A"), price("B")])
    names = good.schema.names
    assert (names[0], names[5]) == ("ticker", "close")
    with pytest.raises(error, match=column) as caught:
        tables.write(PRICES, change(good))
    assert column in caught.value.columns
    assert str(caught.value).startswith(PRICES)
    assert not tables.exists(PRICES)
    assert not list(tmp_path.rglob("*.parquet"))


def test_the_order_of_columns_does_not_matter(tmp_path: Path) -> None:
    tables = Tables(tmp_path)
    rows = table(PRICES, [price("A")])
    tables.write(PRICES, rows.select(rows.schema.names[::-1]))
    assert tables.read(PRICES).equals(rows)
    assert tables.read(PRICES).schema.equals(TABLES[PRICES].schema, check_metadata=True)


def test_a_duplicate_key_is_shown(tmp_path: Path) -> None:
    with pytest.raises(errors.DuplicateKey, match=r"ticker='B', trade_date=datetime.date\(2026, 11, 19\)"):
        Tables(tmp_path).write(PRICES, table(PRICES, [price("A"), price("B"), price("B", close=2.0)]))


def test_rows_outside_their_slice_are_refused(tmp_path: Path) -> None:
    tables = Tables(tmp_path)
    rows = table(PRICES, [price("A"), price("B")])
    for covers in (
        Slice(values={"ticker": ["A"]}),
        Slice(values={"ticker": []}),
        Slice(date_column="trade_date", last=DAY - dt.timedelta(days=1)),
    ):
        with pytest.raises(errors.OutsideSlice):
            tables.write(PRICES, rows, covers)
    assert not tables.exists(PRICES)


def test_a_slice_needs_columns_that_are_never_null_and_the_mode_replace(tmp_path: Path) -> None:
    tables, rows = Tables(tmp_path), table(PRICES, [price("A")])
    with pytest.raises(errors.BadFilter, match="close"):
        tables.write(PRICES, rows, Slice(values={"close": [10.0]}))
    with pytest.raises(errors.BadFilter):
        tables.write(PRICES, rows, Slice(), WriteMode.UPSERT)
    with pytest.raises(errors.BadFilter):
        tables.write(PRICES, rows, mode=WriteMode.REPLACE)


def test_equal_slices_are_equal_and_hash_alike() -> None:
    one = Slice(values={"ticker": ["A", "B"], "source": ["x"]}, date_column="trade_date", first=DAY)
    other = Slice(values={"source": ("x",), "ticker": ("A", "B", "A")}, date_column="trade_date", first=DAY)
    assert one == other
    assert len({one, other, Slice(values={"ticker": ["A"]})}) == 2


def test_null_is_a_value_in_a_key_that_allows_it(tmp_path: Path) -> None:
    tables = Tables(tmp_path)
    rows = [fact(1, "Assets", None, 5.0), fact(1, "Revenues", days(1)[0], 6.0), fact(1, "Revenues", None, 7.0)]
    assert tables.write(FACTS, table(FACTS, rows)).added == 3
    assert tables.write(FACTS, table(FACTS, rows)).unchanged
    assert tables.write(FACTS, table(FACTS, [fact(1, "Assets", None, 8.0)])).replaced == 1
    assert tables.write(FACTS, table(FACTS, [fact(1, "Assets", None, 9.0)]), mode="insert_only").unchanged
    with pytest.raises(errors.DuplicateKey):
        tables.write(FACTS, table(FACTS, [rows[0], rows[0]]))
    instants = tables.read(FACTS, Where(values={"period_start": [None]}), ["concept", "value"])
    assert instants.to_pylist() == [{"concept": "Assets", "value": 8.0}, {"concept": "Revenues", "value": 7.0}]
    gone = tables.write(FACTS, table(FACTS, []), Slice(values={"period_start": [None]}))
    assert (gone.removed, tables.row_count(FACTS)) == (2, 1)


def test_lists_are_compared_and_kept(tmp_path: Path) -> None:
    tables = Tables(tmp_path)
    row = {"cik": "0000000001", "name": "One", "tickers": ["A", None], "exchanges": None, "former_names": []}
    tables.write(COMPANIES, table(COMPANIES, [row]))
    assert tables.write(COMPANIES, table(COMPANIES, [row])).unchanged
    assert tables.write(COMPANIES, table(COMPANIES, [row | {"tickers": ["A", "B"]}])).replaced == 1
    (stored,) = tables.read(COMPANIES).to_pylist()
    assert (stored["tickers"], stored["exchanges"], stored["former_names"]) == (["A", "B"], None, [])


def test_a_link_once_known_is_not_forgotten(tmp_path: Path) -> None:
    tables = Tables(tmp_path)
    row = {
        "cik": "0000000001",
        "accession": "0000000001-26-000002",
        "form": "10-K/A",
        "base_form": "10-K",
        "is_amendment": True,
        "filing_date": DAY,
        "url": "https://www.sec.gov/Archives/1",
    }
    original, other = "0000000001-26-000001", "0000000001-25-000009"
    for told, expected in ((None, None), (original, original), (None, original), (other, other)):
        commit = tables.write(FILINGS, table(FILINGS, [row | {"amends_accession": told}]))
        assert tables.read(FILINGS)["amends_accession"].to_pylist() == [expected]
    assert tables.write(FILINGS, table(FILINGS, [row])).unchanged
    assert not commit.unchanged


def test_provenance_alone_is_never_a_difference(tmp_path: Path) -> None:
    tables = Tables(tmp_path)
    tables.write(FACTS, table(FACTS, [fact(1, "Assets", None, 5.0)]))
    other = table(FACTS, [fact(1, "Assets", None, 5.0) | dict.fromkeys(("raw_sha256", "run_id", "source"), "else")])
    assert {"raw_sha256", "run_id", "source"} < set(PROVENANCE)
    assert tables.write(FACTS, other, Slice(values={"cik": ["0000000001"]})).unchanged


def any_value(kind: pa.DataType, number: int) -> Any:
    """A value of a column's type."""
    if pa.types.is_list(kind):
        return [any_value(kind.value_type, number), None]
    if pa.types.is_timestamp(kind):
        return NOW + dt.timedelta(microseconds=number)
    if pa.types.is_date(kind):
        return DAY + dt.timedelta(days=number)
    if pa.types.is_boolean(kind):
        return bool(number % 2)
    return str(number) if pa.types.is_string(kind) else number


@pytest.mark.parametrize("name", sorted(TABLES))
def test_every_table_of_the_catalogue_can_be_written_filtered_and_read(tmp_path: Path, name: str) -> None:
    tables, row_of = Tables(tmp_path), TABLES[name]
    rows = [
        {
            field.name: None if field.nullable and number == 0 else any_value(field.type, number)
            for field in row_of.schema
        }
        for number in range(3)
    ]
    content = pa.Table.from_pylist(rows, schema=row_of.schema)
    assert tables.write(name, content).added == 3
    assert tables.write(name, content).unchanged
    assert tables.write(name, content, Slice()).unchanged
    assert tables.schema_differences(name) == []
    key = row_of.key[-1]
    for row in rows:
        found = tables.read(name, Where(values={column: [row[column]] for column in row_of.key}))
        assert found.to_pylist() == [row]
    assert pa.table(DeltaTable(tables.uri(name)).to_pyarrow_table()).num_rows == 3
    with duckdb.connect() as connection:
        connection.execute(tables.to_duckdb_view_sql(name))
        connection.execute("set TimeZone = 'UTC'")
        assert connection.sql(f"select count(*), count(distinct {key}) from {name}").fetchall() == [(3, 3)]
        described = connection.sql(f"describe {name}").fetchall()
        connection.execute(Tables(tmp_path / "empty").to_duckdb_view_sql(name))
        assert connection.sql(f"describe {name}").fetchall() == described


@pytest.mark.parametrize("made", ["by this version", "when a log told of 32 columns"])
def test_the_last_column_of_a_wide_table_reaches_the_warehouse(tmp_path: Path, made: str) -> None:
    name = "core_sec__insider_transactions"
    wide = TABLES[name]
    assert len(wide.schema) > 32
    tables = Tables(tmp_path)
    if made != "by this version":
        DeltaTable.create(tables.uri(name), schema=Schema.from_arrow(wide.schema))
    row = {field.name: None if field.nullable else _some(field.type) for field in wide.schema}
    row["organization_id"] = "0" * 32
    tables.write(name, pa.Table.from_pylist([row], wide.schema))
    with duckdb.connect() as connection:
        connection.execute(tables.to_duckdb_view_sql(name))
        found = connection.execute(f"select organization_id from {name}").fetchall()
    assert found == [("0" * 32,)]


def _some(kind: pa.DataType) -> object:
    if pa.types.is_date(kind) or pa.types.is_timestamp(kind):
        return DAY if pa.types.is_date(kind) else NOW
    return 1 if pa.types.is_integer(kind) else False if pa.types.is_boolean(kind) else "1"
