"""Tiingo's end-of-day answers: the rules of providers.md 5, and a second reading of every recorded answer."""

from __future__ import annotations

import csv
import datetime as dt
import itertools
import json

import pytest

from salescience_pipeline.clients.errors import Contract, TooLarge
from salescience_pipeline.clients.model import AnswerClass
from salescience_pipeline.tidy.prices import TIINGO_TABLE, tiingo_eod
from salescience_pipeline_tests.test_tidy.samples import Sample, answer, context, left, recorded, rows_of, tiingo_row

CSV = (
    "date,close,high,low,open,volume,adjClose,adjHigh,adjLow,adjOpen,adjVolume,divCash,splitFactor\n"
    "2026-11-19,100.1234567890123,101.5,99,100,123456789012,50.0617283945,50.75,49.5,50.0,246913578024,0.0,1.0\n"
    "2026-11-20,51,52,50,51.5,10,51,52,50,51.5,10,0.25,2.0\n"
)

SAMPLES = [
    Sample("look-alike json", json.dumps([tiingo_row("2026-11-19", 10.5), tiingo_row("2026-11-20", 11.25)]).encode()),
    Sample("look-alike csv", CSV.encode()),
    *recorded(
        "samples/tiingo/prices_*.json",
        "samples/tiingo/ticker_price.json",
        "samples/tiingo/ticker_price_with_date_csv.csv",
        "samples/tiingo/ticker_price_pandas_*",
        "samples/tiingo/ticker_price_weekly.json",
        "providers/tiingo/GOOGL_prices_*",
    ),
]


@pytest.mark.corpus
@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_every_field_of_every_row_is_what_a_plain_reading_finds(sample: Sample) -> None:
    text = sample.body.decode()
    plain = json.loads(text) if text[0] == "[" else list(csv.DictReader(text.splitlines()))
    given = answer(sample.body, "tiingo", ticker="GOOGL")
    tidied = tiingo_eod([given], context())
    rows = rows_of(tidied, TIINGO_TABLE, [given])
    assert len(rows) + left(tidied) == len(plain) == len(rows)
    for row, record in zip(rows, plain, strict=True):
        assert row["ticker"] == "GOOGL"
        assert row["trade_date"].isoformat() == record["date"][:10]
        assert row["volume"] == int(record["volume"])
        for column, field in [
            ("open", "open"),
            ("high", "high"),
            ("low", "low"),
            ("close", "close"),
            ("adj_open", "adjOpen"),
            ("adj_high", "adjHigh"),
            ("adj_low", "adjLow"),
            ("adj_close", "adjClose"),
            ("adj_volume", "adjVolume"),
            ("div_cash", "divCash"),
            ("split_factor", "splitFactor"),
        ]:
            assert row[column] == float(record[field]), field
        assert (row["adj_method"], row["currency"]) == ("crsp", "USD")


@pytest.mark.corpus
def test_the_adjusted_series_is_a_chain_of_one_over_one_plus_dividend_by_close() -> None:
    made = [
        tiingo_row("2026-11-18", 99.0, adjClose=99.0 / 1.01),
        tiingo_row("2026-11-19", 100.0, divCash=1.0),
        tiingo_row("2026-11-20", 101.0),
    ]
    samples = [Sample("look-alike", json.dumps(made).encode()), *recorded("samples/tiingo/prices_*.json")]
    for sample in samples:
        rows = rows_of(tiingo_eod([answer(sample.body, "tiingo", ticker="AAPL")], context()), TIINGO_TABLE)
        factors = [row["adj_close"] / row["close"] for row in rows]
        chain = [before / after for before, after in itertools.pairwise(factors)]
        expected = [1 / (1 + row["div_cash"] / row["close"]) / row["split_factor"] for row in rows[1:]]
        assert any(row["div_cash"] for row in rows), sample.name
        assert chain == pytest.approx(expected, rel=1e-9), sample.name


@pytest.mark.parametrize("suffix", ["T00:00:00.000Z", "T00:00:00+00:00", ""])
def test_the_date_is_cut_and_never_converted(suffix: str) -> None:
    given = answer([tiingo_row("2026-11-20", 1.0, date=f"2026-11-20{suffix}")], "tiingo", ticker="WDGT")
    assert [row["trade_date"] for row in rows_of(tiingo_eod([given], context()), TIINGO_TABLE)] == [
        dt.date(2026, 11, 20)
    ]


def test_of_the_whole_market_only_the_selected_tickers_become_rows_and_the_others_are_not_left_out() -> None:
    market = [
        tiingo_row("2026-11-20", 1.0, ticker="wdgt"),
        tiingo_row("2026-11-20", 2.0, ticker="BRK-B"),
        tiingo_row("2026-11-20", 3.0, ticker="OTHER"),
        tiingo_row("2026-11-20", 4.0, ticker="../../x"),
    ]
    tidied = tiingo_eod([answer(market, "tiingo", key="*")], context(["WDGT", "BRK.B", "GONE"]))
    assert [(row["ticker"], row["close"]) for row in rows_of(tidied, TIINGO_TABLE)] == [("BRK.B", 2.0), ("WDGT", 1.0)]
    assert tidied.left_out == ()


def test_a_ticker_s_own_answer_wins_over_the_whole_market_and_the_other_row_is_counted() -> None:
    market = answer([tiingo_row("2026-11-20", 1.0, ticker="WDGT")], "tiingo", key="*")
    early = dt.datetime(2026, 11, 20, 20, tzinfo=dt.UTC)
    own = answer([tiingo_row("2026-11-20", 2.0)], "tiingo", ticker="WDGT", fetched_at=early)
    tidied = tiingo_eod([market, own], context(["WDGT"]))
    (row,) = rows_of(tidied, TIINGO_TABLE, [market, own])
    assert (row["close"], row["raw_sha256"], left(tidied)) == (2.0, own.ref.sha256, 1)


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        ({"date": "20.11.2026"}, "date"),
        ({"date": None}, "date"),
        ({"date": "2026-11-20X"}, "date"),
        ({"date": "2026-02-30"}, "date"),
        ({"close": "1,2"}, "close"),
        ({"close": True}, "close"),
        ({"close": None, "adjClose": None}, "close"),
        ({"close": 10**400}, "close"),
        ({"volume": 1.5}, "volume"),
        ({"volume": 2**63}, "volume"),
        ({"divCash": None}, "divCash"),
        ({"splitFactor": 0.0}, "splitFactor"),
    ],
)
def test_a_broken_row_is_left_out_with_its_reason_and_the_good_ones_stay(
    broken: dict[str, object], reason: str
) -> None:
    given = answer([tiingo_row("2026-11-19", 1.0), tiingo_row("2026-11-20", 1.0, **broken)], "tiingo", ticker="WDGT")
    tidied = tiingo_eod([given], context())
    rows = rows_of(tidied, TIINGO_TABLE)
    assert rows[0]["trade_date"] == dt.date(2026, 11, 19)
    assert len(rows) + left(tidied) == 2
    assert reason in tidied.left_out[0].reason


def test_an_unknown_price_is_null_and_a_record_that_is_no_object_is_left_out() -> None:
    given = answer([tiingo_row("2026-11-20", 1.0, open=None, volume=None), 7], "tiingo", ticker="WDGT")
    tidied = tiingo_eod([given], context())
    (row,) = rows_of(tidied, TIINGO_TABLE)
    assert (row["open"], row["volume"], left(tidied)) == (None, None, 1)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("You have run over your 500 symbol look up for this month.", "neither"),
        ('{"detail":"Error: Ticker \'X\' not found"}', "no list"),
        ("", "neither"),
        ("<html>", "neither"),
        ("[1, 2", "not JSON"),
        ("[NaN]", "not JSON"),
        ('["\\ud800"]', "not JSON"),
        (b"\xff\xfe[", "UTF-8"),
        ("[" * 100_000, "not JSON"),
        ('[{"date":"2026-11-20","volume":5}]', "'open'"),
        ("date,close\n2026-11-20,5\n", "'open'"),
    ],
)
def test_what_is_no_list_of_prices_is_a_broken_contract(body: str | bytes, message: str) -> None:
    with pytest.raises(Contract, match=message) as caught:
        tiingo_eod([answer(body, "tiingo", ticker="WDGT", endpoint="eod")], context())
    assert (caught.value.provider, caught.value.endpoint, caught.value.subject) == ("tiingo", "eod", "WDGT")


def test_csv_lines_of_another_length_are_left_out() -> None:
    tidied = tiingo_eod([answer(CSV + "2026-11-21,1,2\n\n", "tiingo", ticker="WDGT")], context())
    assert len(rows_of(tidied, TIINGO_TABLE)) == 2
    assert [entry.what for entry in tidied.left_out] == ["line 4"]


def test_empty_and_not_found_give_no_row_and_a_body_above_its_cap_is_refused() -> None:
    empty = answer("[]", "tiingo", ticker="WDGT")
    missing = answer('{"detail":"x"}', "tiingo", ticker="WDGT", answer_class=AnswerClass.NOT_FOUND)
    tidied = tiingo_eod([empty, missing], context())
    assert rows_of(tidied, TIINGO_TABLE) == []
    assert tidied.left_out == ()
    assert rows_of(tiingo_eod([], context()), TIINGO_TABLE) == []
    with pytest.raises(TooLarge):
        tiingo_eod([answer("[]" + " " * 100, "tiingo", ticker="WDGT", max_bytes=50)], context())
