"""What lies in a table's files and who can read it: filters that skip files, their sizes, views, other readers, history."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from deltalake import DeltaTable

from salescience_pipeline.catalog.tables import TABLES
from salescience_pipeline.lake import errors
from salescience_pipeline.lake.tables import SMALL_FILE_ROWS, Slice, Tables, Where
from salescience_pipeline_tests.test_lake.rows import DAY, FACTS, FILINGS, NOW, PRICES, days, fact, price, table


@pytest.mark.parametrize(
    "where",
    [
        lambda: Where(values={"nothing": ["x"]}),
        lambda: Where(values={"ticker": [5]}),
        lambda: Where(values={"trade_date": ["2026-01-01"]}),
        lambda: Where(values={"trade_date": [NOW]}),
        lambda: Where(values={"ticker": "AAPL"}),
        lambda: Where(first=DAY),
        lambda: Where(date_column="ticker", first=DAY),
        lambda: Where(date_column="x; drop table", first=DAY),
    ],
)
def test_a_filter_that_cannot_be_is_refused(tmp_path: Path, where: Any) -> None:
    with pytest.raises(errors.BadFilter):
        Tables(tmp_path).read(PRICES, where())


@pytest.mark.parametrize("name", ["nothing", "core_sec__nothing", "../../etc", ""])
def test_a_table_that_the_catalogue_does_not_hold(tmp_path: Path, name: str) -> None:
    with pytest.raises(errors.UnknownTable):
        Tables(tmp_path).read(name)


def test_reading_filters_by_everything_and_sorts(tmp_path: Path) -> None:
    tables = Tables(tmp_path)
    assert tables.read(PRICES).num_rows == 0
    assert tables.read(PRICES, columns=["close"]).schema.names == ["close"]
    for ticker in ("C", "A", "B"):
        tables.write(PRICES, table(PRICES, [price(ticker, day) for day in days(10)[::-1]]))
    rows = tables.read(PRICES, columns=["trade_date", "ticker"])
    found = list(zip(rows["ticker"].to_pylist(), rows["trade_date"].to_pylist(), strict=True))
    assert found == [(ticker, day) for ticker in "ABC" for day in days(10)]
    some = tables.read(
        PRICES, Where(values={"ticker": ["A", "C", "Z"]}, date_column="trade_date", first=days(10)[3], last=days(10)[5])
    )
    assert set(zip(some["ticker"].to_pylist(), some["trade_date"].to_pylist(), strict=True)) == {
        (ticker, day) for ticker in "AC" for day in days(10)[3:6]
    }
    assert tables.read(PRICES, Where(values={"close": [11.0]})).num_rows == 0
    with pytest.raises(errors.BadFilter):
        tables.read(PRICES, columns=["nothing"])


def test_filters_skip_files_and_never_rows(tmp_path: Path) -> None:
    """Files are left out by their statistics: the answer must be the same as without them."""
    tables = Tables(tmp_path)
    size = SMALL_FILE_ROWS + 10
    for number in range(3):
        many = days(size, dt.date(1900 + 100 * number, 1, 1))
        tables.write(PRICES, table(PRICES, [price(f"T{number}", day) for day in many]))
    snapshot = tables.delta(PRICES).snapshot()
    assert snapshot is not None
    assert len(snapshot.files) == 3
    where = Where(values={"ticker": ["T1"]})
    assert len(snapshot.matching(where)) == 1
    assert tables.read(PRICES, where).num_rows == size
    day = days(size, dt.date(2000, 1, 1))[-1]
    assert tables.read(PRICES, Where(date_column="trade_date", first=day, last=day))["ticker"].to_pylist() == ["T1"]


def test_a_replaced_company_touches_no_other_companys_file(tmp_path: Path) -> None:
    tables = Tables(tmp_path)

    def company(cik: int, value: float) -> pa.Table:
        return table(FACTS, [fact(cik, f"C{number:06d}", None, value) for number in range(SMALL_FILE_ROWS + 1)])

    for cik in range(1, 5):
        tables.write(FACTS, company(cik, 1.0), Slice(values={"cik": [f"{cik:010d}"]}))
    before = set(tables.file_uris(FACTS))
    commit = tables.write(FACTS, company(3, 2.0), Slice(values={"cik": ["0000000003"]}))
    after = set(tables.file_uris(FACTS))
    assert commit.replaced == SMALL_FILE_ROWS + 1
    assert (len(before), len(after), len(before & after)) == (4, 4, 3)


def test_small_writes_leave_few_files(tmp_path: Path) -> None:
    tables = Tables(tmp_path)
    for day in days(30):
        tables.write(PRICES, table(PRICES, [price(f"T{n}", day) for n in range(5)]))
    assert len(tables.file_uris(PRICES)) == 1
    assert tables.row_count(PRICES) == 150


def test_a_file_has_a_bounded_number_of_rows(tmp_path: Path) -> None:
    tables = Tables(tmp_path)
    one = table(FACTS, [fact(1, "x", None, 1.0)])
    count = TABLES[FACTS].file_rows + 1
    codes = pa.array([f"{number:010d}" for number in range(1, count + 1)])
    rows = pa.table({name: one[name].take(pa.array([0] * count)) for name in one.schema.names}, schema=one.schema)
    tables.write(FACTS, rows.set_column(0, one.schema.field("cik"), codes))
    snapshot = tables.delta(FACTS).snapshot()
    assert snapshot is not None
    assert sorted(file.rows for file in snapshot.files) == [count // 2, count // 2 + 1]
    first, second = sorted(file.range_of("cik") for file in snapshot.files)  # type: ignore[type-var]
    assert first[1] < second[0]


def test_others_read_the_table_as_ordinary_delta_and_parquet(tmp_path: Path) -> None:
    tables = Tables(tmp_path)
    row = {
        "cik": "0000000001",
        "accession": "0000000001-26-000001",
        "form": "8-K",
        "base_form": "8-K",
        "is_amendment": False,
        "filing_date": DAY,
        "url": "https://www.sec.gov/x",
        "items": ["2.02", "9.01"],
        "accepted_at": NOW,
    }
    tables.write(FILINGS, table(FILINGS, [row]))
    foreign = pa.table(DeltaTable(tables.uri(FILINGS)).to_pyarrow_table())
    assert foreign.select(tables.read(FILINGS).schema.names).to_pylist() == tables.read(FILINGS).to_pylist()
    filtered = DeltaTable(tables.uri(FILINGS)).to_pyarrow_table(filters=[("filing_date", ">", DAY)])
    assert filtered.num_rows == 0
    with duckdb.connect() as connection:
        connection.execute(tables.to_duckdb_view_sql(FILINGS))
        assert connection.sql(f"select items, filing_date from {FILINGS}").fetchall() == [(["2.02", "9.01"], DAY)]


def test_views_have_the_catalogues_types_with_and_without_rows(tmp_path: Path) -> None:
    folder = tmp_path / "it's a [strange] *place?"
    tables = Tables(folder)
    with duckdb.connect() as connection:
        for name in TABLES:
            connection.execute(tables.to_duckdb_view_sql(name))
        empty = {name: connection.sql(f"describe {name}").fetchall() for name in TABLES}
        assert connection.sql(f"select count(*) from {PRICES}").fetchall() == [(0,)]
        tables.write(PRICES, table(PRICES, [price("A")]))
        tables.write(FACTS, table(FACTS, [fact(1, "Assets", None, 1.0)]))
        for name in TABLES:
            connection.execute(tables.to_duckdb_view_sql(name))
        assert {name: connection.sql(f"describe {name}").fetchall() for name in TABLES} == empty
        assert [row[0] for row in empty[PRICES]] == TABLES[PRICES].schema.names
        assert connection.sql(f"select count(*) from {PRICES}").fetchall() == [(1,)]
        connection.execute(tables.to_duckdb_view_sql(PRICES, "main.other"))
        tables.write(PRICES, table(PRICES, []), Slice())
        connection.execute(tables.to_duckdb_view_sql(PRICES))
        assert connection.sql(f"select count(*) from {PRICES}").fetchall() == [(0,)]
        # Nothing that was replaced is deleted: the older view still reads what it listed.
        assert connection.sql("select ticker from other").fetchall() == [("A",)]


def test_history_says_what_each_version_did(tmp_path: Path) -> None:
    tables = Tables(tmp_path)
    assert tables.history(PRICES) == []
    tables.write(PRICES, table(PRICES, [price("A"), price("B")]))
    tables.write(PRICES, table(PRICES, [price("B", close=11.0)]), Slice())
    newest, first, created = tables.history(PRICES)
    assert (newest.version, first.version, created.operation) == (2, 1, "CREATE TABLE")
    assert dict(newest.note) == {"mode": "replace", "rows": 1, "added": 0, "replaced": 1, "removed": 1}
    assert newest.at.tzinfo is not None
    assert [entry.version for entry in tables.history(PRICES, limit=1)] == [2]
