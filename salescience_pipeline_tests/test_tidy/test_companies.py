"""SEC's list of tickers over time, and Yahoo's profiles."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pytest

from salescience_pipeline.catalog.symbols import to_canonical
from salescience_pipeline.catalog.tables import TABLES
from salescience_pipeline.clients.errors import Contract
from salescience_pipeline.tidy.companies import (
    PROFILES_TABLE,
    TICKERS_TABLE,
    merge_company_tickers,
    sec_company_tickers,
    yahoo_profile,
)
from salescience_pipeline_tests.test_tidy.samples import Sample, answer, context, left, recorded, rows_of

FIELDS = ["cik", "name", "ticker", "exchange"]
WITH_EXCHANGE = {
    "fields": FIELDS,
    "data": [[9000001, "Example Widgets Inc.", "WDGT", "NYSE"], [9000001, "Example Widgets Inc.", "WDGT-B", None]],
}
WITHOUT_EXCHANGE = {"0": {"cik_str": 9000001, "ticker": "WDGT", "title": "Example Widgets Inc."}}

SAMPLES = [
    Sample("look-alike with exchanges", json.dumps(WITH_EXCHANGE).encode()),
    Sample("look-alike without", json.dumps(WITHOUT_EXCHANGE).encode()),
    *recorded("corpus/tickers/*.json", "samples/sec/company_tickers.json.gz"),
]


@pytest.mark.corpus
@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_every_listed_pair_becomes_a_row_seen_on_the_day_of_the_copy(sample: Sample) -> None:
    content = json.loads(sample.body)
    if "data" in content:
        plain = [(to_canonical("sec", t), f"{c:010d}", n, e) for c, n, t, e in content["data"]]
    else:
        plain = [(to_canonical("sec", r["ticker"]), f"{r['cik_str']:010d}", r["title"], None) for r in content.values()]
    given = answer(sample.body, key="*")
    tidied = sec_company_tickers([given], context())
    rows = rows_of(tidied, TICKERS_TABLE, [given])
    assert len(rows) + left(tidied) == len(plain)
    assert {(row["ticker"], row["cik"], row["name"], row["exchange"]) for row in rows} == set(plain)
    day = dt.date(2026, 11, 20)
    assert {(row["first_seen_on"], row["last_seen_on"], row["is_current"]) for row in rows} == {(day, day, True)}


def listing(*pairs: tuple[str, int]) -> dict[str, Any]:
    return {"fields": FIELDS, "data": [[cik, f"Company {cik}", ticker, "NYSE"] for ticker, cik in pairs]}


def on(day: int) -> dt.datetime:
    return dt.datetime(2026, 11, day, 15, tzinfo=dt.UTC)


def write(stored: pa.Table, rows: pa.Table) -> pa.Table:
    """What the lake does with the rows: an upsert by key."""
    merged = {(row["ticker"], row["cik"], row["first_seen_on"]): row for row in stored.to_pylist()}
    merged |= {(row["ticker"], row["cik"], row["first_seen_on"]): row for row in rows.to_pylist()}
    return pa.Table.from_pylist(list(merged.values()), TABLES[TICKERS_TABLE].schema)


def follow(copies: Mapping[int, dict[str, Any]], stored: pa.Table | None = None) -> pa.Table:
    """The table after one run per copy, in the given order."""
    stored = TABLES[TICKERS_TABLE].empty() if stored is None else stored
    for day, copy in copies.items():
        given = answer(copy, key="*", fetched_at=on(day))
        tidied = sec_company_tickers([given], context(stored={TICKERS_TABLE: stored}))
        stored = write(stored, tidied.tables[TICKERS_TABLE])
    return stored


def told(table: pa.Table) -> list[tuple[str, str, int, int, bool]]:
    return sorted(
        (row["ticker"], row["cik"][-1], row["first_seen_on"].day, row["last_seen_on"].day, row["is_current"])
        for row in table.to_pylist()
    )


def test_successive_copies_tell_since_when_and_until_when_a_ticker_was_whose() -> None:
    stored = follow(
        {
            2: listing(("AAA", 1), ("BBB", 2)),
            3: listing(("AAA", 1), ("BBB", 2)),
            5: listing(("AAA", 3), ("BBB", 2)),  # AAA changes hands
            6: listing(("AAA", 3)),  # BBB goes
            9: listing(("AAA", 3), ("BBB", 2)),  # and comes back
        }
    )
    assert told(stored) == [
        ("AAA", "1", 2, 3, False),
        ("AAA", "3", 5, 9, True),
        ("BBB", "2", 2, 5, False),
        ("BBB", "2", 9, 9, True),
    ]


def test_the_same_copy_twice_changes_nothing_and_an_older_one_tells_nothing() -> None:
    stored = follow({2: listing(("AAA", 1)), 5: listing(("AAA", 3))})
    assert told(follow({5: listing(("AAA", 3))}, stored)) == told(stored)
    assert told(follow({3: listing(("ZZZ", 9))}, stored)) == told(stored)


def test_several_copies_in_one_call_fold_like_one_call_each() -> None:
    copies = {2: listing(("AAA", 1)), 5: listing(("AAA", 3)), 6: listing(("AAA", 3), ("CCC", 4))}
    answers = [answer(copy, key="*", fetched_at=on(day)) for day, copy in reversed(copies.items())]
    tidied = sec_company_tickers(answers, context())
    rows_of(tidied, TICKERS_TABLE, answers)
    assert told(tidied.tables[TICKERS_TABLE]) == told(follow(copies))


def test_an_empty_copy_is_never_taken_for_the_end_of_every_company() -> None:
    stored = follow({2: listing(("AAA", 1))})
    assert merge_company_tickers(stored, TABLES[TICKERS_TABLE].empty()).num_rows == 0


def test_the_day_of_a_copy_is_new_york_s() -> None:
    late = answer(listing(("AAA", 1)), fetched_at=dt.datetime(2026, 11, 21, 3, tzinfo=dt.UTC))
    (row,) = rows_of(sec_company_tickers([late], context()), TICKERS_TABLE)
    assert row["first_seen_on"] == dt.date(2026, 11, 20)


@pytest.mark.parametrize(
    "record",
    [
        [0, "Zero", "ZRO", None],
        [True, "Yes", "YES", None],
        [10**10, "Long", "LNG", None],
        [-1, "Minus", "MIN", None],
        [1, "Path", "../../x", None],
        [1, "None", None, None],
        [1, 7, "NUM", None],
        [1, "Short", "SHRT"],
        "AAA",
        [9000001, "Twice", "WDGT", "NYSE"],
    ],
)
def test_a_broken_record_is_left_out_and_the_others_stay(record: Any) -> None:
    content = {"fields": FIELDS, "data": [*WITH_EXCHANGE["data"], record]}
    tidied = sec_company_tickers([answer(content)], context())
    assert [row["ticker"] for row in rows_of(tidied, TICKERS_TABLE)] == ["WDGT", "WDGT.B"]
    assert left(tidied) == 1


@pytest.mark.parametrize(
    "content",
    [
        [],
        "x",
        {"fields": ["cik", "name"], "data": []},
        {"fields": FIELDS},
        {"data": []},
        {"fields": FIELDS, "data": {}},
        {"0": {"cik": 1, "ticker": "A"}},
    ],
)
def test_what_is_no_list_of_tickers_is_a_broken_contract(content: Any) -> None:
    with pytest.raises(Contract):
        sec_company_tickers([answer(content)], context())


def summary(**modules: Any) -> dict[str, Any]:
    return {"quoteSummary": {"result": [modules], "error": None}}


WHOLE = summary(
    assetProfile={"country": "United States", "industry": "Tools", "sector": "Industrials"},
    price={
        "longName": "Example Widgets Inc.",
        "exchangeName": "NYSE",
        "currency": "USD",
        "marketCap": {"raw": 5_000_000, "fmt": "5M"},
    },
    defaultKeyStatistics={"sharesOutstanding": 100_000},
)


def test_a_profile_is_read_from_its_modules_and_dated_in_new_york() -> None:
    given = answer(WHOLE, "yahoo", ticker="WDGT", fetched_at=dt.datetime(2026, 11, 21, 3, tzinfo=dt.UTC), key="WDGT")
    (row,) = rows_of(yahoo_profile([given], context(ciks={"WDGT": "9000001"})), PROFILES_TABLE, [given])
    assert {name: row[name] for name in TABLES[PROFILES_TABLE].column_names} == {
        "ticker": "WDGT",
        "as_of_date": dt.date(2026, 11, 20),
        "name": "Example Widgets Inc.",
        "exchange": "NYSE",
        "currency": "USD",
        "country": "United States",
        "ipo_date": None,
        "industry": "Tools",
        "sector": "Industrials",
        "market_cap": 5_000_000.0,
        "shares_outstanding": 100_000.0,
        "cik": "0009000001",
    }


@pytest.mark.corpus
def test_recorded_profiles_hold_what_a_plain_reading_finds() -> None:
    samples = [Sample("look-alike", json.dumps(WHOLE).encode()), *recorded("samples/yahoo/quoteSummary-*-AAPL.json")]
    for sample in samples:
        (modules,) = json.loads(sample.body)["quoteSummary"]["result"]
        tidied = yahoo_profile([answer(sample.body, "yahoo", ticker="AAPL")], context())
        rows = rows_of(tidied, PROFILES_TABLE)
        assert len(rows) + left(tidied) == 1
        known = {"assetProfile", "price", "defaultKeyStatistics", "summaryDetail"} & set(modules)
        assert bool(rows) == bool(known), sample.name
        if "sharesOutstanding" in modules.get("defaultKeyStatistics", {}):
            assert rows[0]["shares_outstanding"] == modules["defaultKeyStatistics"]["sharesOutstanding"]
        if "sector" in modules.get("assetProfile", {}):
            assert rows[0]["sector"] == modules["assetProfile"]["sector"]


def test_two_profiles_of_one_day_are_one_row_from_the_later_and_broken_ones_are_left_out() -> None:
    early = answer(WHOLE, "yahoo", ticker="WDGT", fetched_at=on(20))
    later = answer(summary(price={"longName": "New Name"}), "yahoo", ticker="WDGT", fetched_at=on(20).replace(hour=16))
    tidied = yahoo_profile([early, later], context())
    assert [row["name"] for row in rows_of(tidied, PROFILES_TABLE)] == ["New Name"]
    assert left(tidied) == 1
    odd = yahoo_profile([answer(summary(price={"marketCap": "much"}), "yahoo", ticker="WDGT")], context())
    assert (odd.tables[PROFILES_TABLE].num_rows, left(odd)) == (0, 1)
    none = yahoo_profile([answer({"quoteSummary": {"result": [], "error": None}}, "yahoo", ticker="WDGT")], context())
    assert (none.tables[PROFILES_TABLE].num_rows, left(none)) == (0, 1)


@pytest.mark.parametrize(
    "content", [{}, [], {"quoteSummary": []}, {"quoteSummary": {"result": None}}, {"quoteSummary": {"result": [1]}}]
)
def test_what_is_no_profile_is_a_broken_contract(content: Any) -> None:
    with pytest.raises(Contract):
        yahoo_profile([answer(content, "yahoo", ticker="WDGT")], context())
    with pytest.raises(Contract, match="which ticker"):
        yahoo_profile([answer(WHOLE, "yahoo")], context())
