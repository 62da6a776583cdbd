"""Tables accept what the catalogue allows and nothing else, change only what differs, and lose nothing to company."""

from __future__ import annotations

import datetime as dt
import os
import time
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from deltalake import DeltaTable
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from salescience_pipeline.catalog.tables import PROVENANCE, TABLES
from salescience_pipeline.lake import errors
from salescience_pipeline.lake.delta import CHECKPOINT_EVERY
from salescience_pipeline.lake.tables import SMALL_FILE_ROWS, Slice, Tables, Where, WriteMode
from salescience_pipeline_tests.test_lake.rows import (
    COMPANIES,
    DAY,
    FACTS,
    FILINGS,
    NOW,
    PRICES,
    days,
    fact,
    finish,
    price,
    start,
    table,
)

TICKERS, DAYS = ("A", "B", "C"), days(4)


def closes(tables: Tables) -> dict[tuple[str, dt.date], float | None]:
    """What is stored, in the form that a model of it has."""
    rows = tables.read(PRICES).to_pylist()
    found = {(row["ticker"], row["trade_date"]): row["close"] for row in rows}
    assert len(found) == len(rows)
    return found


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


def test_a_slice_needs_columns_that_are_never_null_and_the_mode_replace(tmp_path: Path) -> None:
    tables, rows = Tables(tmp_path), table(PRICES, [price("A")])
    with pytest.raises(errors.BadFilter, match="close"):
        tables.write(PRICES, rows, Slice(values={"close": [10.0]}))
    with pytest.raises(errors.BadFilter):
        tables.write(PRICES, rows, Slice(), WriteMode.UPSERT)
    with pytest.raises(errors.BadFilter):
        tables.write(PRICES, rows, mode=WriteMode.REPLACE)


@pytest.mark.parametrize("name", ["nothing", "core_sec__nothing", "../../etc", ""])
def test_a_table_that_the_catalogue_does_not_hold(tmp_path: Path, name: str) -> None:
    with pytest.raises(errors.UnknownTable):
        Tables(tmp_path).read(name)


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


def old_table(tmp_path: Path, leave_out: str, monthly: bool = False) -> Tables:
    """A table that was created when the catalogue did not have the column yet."""
    tables = Tables(tmp_path)
    names = [name for name in TABLES[PRICES].schema.names if name != leave_out]
    rows = table(PRICES, [price("OLD")]).select(names)
    from deltalake import write_deltalake

    write_deltalake(tables.uri(PRICES), rows, partition_by=["currency"] if monthly else None)
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
    from deltalake import write_deltalake

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
    from deltalake import write_deltalake

    tables = Tables(tmp_path / "extra")
    rows = table(PRICES, [price("A")])
    write_deltalake(tables.uri(PRICES), rows.append_column("surprise", pa.array([1])))
    with pytest.raises(errors.SchemaConflict, match="surprise"):
        tables.write(PRICES, rows)
    tables = Tables(tmp_path / "type")
    write_deltalake(tables.uri(PRICES), rows.set_column(5, "close", rows["close"].cast(pa.string())))
    with pytest.raises(errors.SchemaConflict, match="close"):
        tables.write(PRICES, rows)


def test_duplicate_keys_made_by_others_are_found(tmp_path: Path) -> None:
    tables = Tables(tmp_path)
    rows = table(PRICES, [price("A"), price("B")])
    tables.write(PRICES, rows)
    assert tables.duplicate_keys(PRICES) == []
    from deltalake import write_deltalake

    write_deltalake(tables.uri(PRICES), rows.slice(1), mode="append")
    assert tables.duplicate_keys(PRICES) == [{"source": "test", "ticker": "B", "trade_date": DAY}]
    assert tables.duplicate_keys(PRICES, where=Where(values={"ticker": ["A"]})) == []
    assert len(tables.duplicate_keys(PRICES, where=Where(values={"ticker": ["B"]}))) == 1


def test_a_foreign_commit_in_between_is_noticed_and_the_write_computed_again(tmp_path: Path) -> None:
    """A writer that does not know our lock commits while we prepare: the key must stay unique all the same."""
    from deltalake import write_deltalake

    class Interrupted(Tables):
        interruptions = 0

        def _attempt(self, delta: Any, *rest: Any) -> Any:
            if self.interruptions:
                self.interruptions -= 1
                commit = delta.commit

                def late(*arguments: Any, **options: Any) -> int:
                    delta.commit = commit
                    write_deltalake(self.uri(PRICES), table(PRICES, [price(f"F{self.interruptions}")]), mode="append")
                    return int(commit(*arguments, **options))

                delta.commit = late
            return super()._attempt(delta, *rest)

    waits: list[float] = []
    tables = Interrupted(tmp_path, sleep=waits.append)
    tables.write(PRICES, table(PRICES, [price("A")]))
    tables.interruptions = 3
    assert tables.write(PRICES, table(PRICES, [price("B"), price("F0")])).added == 1
    assert closes(tables).keys() == {(ticker, DAY) for ticker in ("A", "B", "F0", "F1", "F2")}
    assert len(waits) == 3
    assert all(0 <= wait <= 1 for wait in waits)
    on_disk = {path.name for path in Path(tables.uri(PRICES)).glob("*.parquet")}
    tables.interruptions = 10**6
    with pytest.raises(errors.WriteConflict, match=PRICES):
        tables.write(PRICES, table(PRICES, [price("C")]))
    left = {path.name for path in Path(tables.uri(PRICES)).glob("*.parquet")} - on_disk
    assert left
    assert all(name.startswith("part-00000-") for name in left), "only the foreign writer's files are new"


def test_a_commit_whose_end_failed_keeps_its_files(tmp_path: Path) -> None:
    """The entry of the log is there although an error was raised: deleting the files would break the table."""

    class Ambiguous(DeltaTable):
        def create_write_transaction(self, *arguments: Any, **options: Any) -> None:
            super().create_write_transaction(*arguments, **options)
            raise OSError("disk trouble after the commit (os error 28)")

    tables = Tables(tmp_path)
    tables.write(PRICES, table(PRICES, [price("A")]))
    tables.delta(PRICES)._opened = Ambiguous(tables.uri(PRICES))
    assert tables.write(PRICES, table(PRICES, [price("B")])).added == 1
    assert Tables(tmp_path).read(PRICES)["ticker"].to_pylist() == ["A", "B"]


def test_the_log_is_shortened_while_it_grows(tmp_path: Path) -> None:
    tables = Tables(tmp_path)
    for number in range(CHECKPOINT_EVERY + 2):
        tables.write(PRICES, table(PRICES, [price("A", close=float(number))]))
    assert len(list(Path(tables.uri(PRICES)).glob("_delta_log/*.checkpoint.parquet"))) == 1
    assert Tables(tmp_path).read(PRICES)["close"].to_pylist() == [CHECKPOINT_EVERY + 1.0]


def test_four_processes_write_one_table_while_one_reads(tmp_path: Path) -> None:
    tables = Tables(tmp_path)
    tickers = [f"S{number}" for number in range(10)]
    tables.write(PRICES, table(PRICES, [price(ticker, close=1000.0) for ticker in tickers]))
    writers = [start("write_days", tmp_path, f"W{number}", 15) for number in range(2)]
    writers += [start("write_shared", tmp_path, number, 15) for number in (1, 2)]
    while any(writer.poll() is None for writer in writers):
        shared = tables.read(PRICES, Where(values={"ticker": tickers}))
        assert shared.num_rows == 10
        assert len(set(shared["close"].to_pylist())) == 1
        with duckdb.connect() as connection:
            connection.execute(tables.to_duckdb_view_sql(PRICES))
            query = f"select count(*), count(distinct close) from {PRICES} where ticker like 'S%'"
            assert connection.sql(query).fetchall() == [(10, 1)]
    for writer in writers:
        finish(writer)
    assert tables.row_count(PRICES) == 2 * 15 + 10
    assert tables.duplicate_keys(PRICES) == []


def test_two_processes_that_insert_the_same_keys_leave_each_once(tmp_path: Path) -> None:
    for writer in [start("upsert_same", tmp_path, 8) for _ in range(3)]:
        finish(writer)
    tables = Tables(tmp_path)
    assert tables.row_count(PRICES) == 8 * 20
    assert tables.duplicate_keys(PRICES) == []


def test_what_was_acknowledged_survives_kill_nine(tmp_path: Path) -> None:
    acknowledged: set[tuple[str, dt.date]] = set()
    for kill in range(8):
        writer = start("write_days", tmp_path, f"K{kill}", 10_000)
        assert writer.stdout is not None
        lines = [writer.stdout.readline() for _ in range(1 + kill)]
        time.sleep(0.003 * kill)
        writer.kill()
        lines += writer.communicate()[0].splitlines()
        acknowledged |= {(f"K{kill}", dt.date.fromisoformat(line.strip())) for line in lines}
    tables = Tables(tmp_path)
    stored = closes(tables)
    assert acknowledged <= stored.keys()
    assert len(stored) <= len(acknowledged) + 8
    assert tables.duplicate_keys(PRICES) == []
    assert all(Path(uri).exists() for uri in tables.file_uris(PRICES))
    tables.write(PRICES, table(PRICES, [price("AFTER")]))


@pytest.mark.parametrize("limit", [100, 3_000, 30_000])
def test_a_full_disk_is_an_error_and_nothing_is_visible(tmp_path: Path, limit: int) -> None:
    assert finish(start("write_limited", tmp_path, limit, 2_000)).split() == ["StorageFull"]
    tables = Tables(tmp_path)
    assert tables.read(PRICES)["ticker"].to_pylist() == ["BEFORE"]
    assert {str(path) for path in Path(tables.uri(PRICES)).glob("*.parquet")} == set(tables.file_uris(PRICES))
    tables.write(PRICES, table(PRICES, [price("AFTER")]))
    assert tables.row_count(PRICES) == 2


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
