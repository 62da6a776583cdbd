"""Yahoo's charts: the rules of providers.md 4, and the identities of recorded answers."""

from __future__ import annotations

import datetime as dt
import itertools
import json
from typing import Any

import pytest

from salescience_pipeline.clients.errors import Contract
from salescience_pipeline.clients.model import AnswerClass
from salescience_pipeline.tidy.prices import YAHOO_TABLE, yahoo_chart
from salescience_pipeline.tidy.yahoo_chart import without_noise
from salescience_pipeline_tests.test_tidy.samples import (
    LAST_SESSION,
    Sample,
    answer,
    chart,
    context,
    left,
    recorded,
    rows_of,
    session_open,
)

DAYS = ["2026-10-30", "2026-11-02", "2026-11-03"]
STAMPS = [session_open(day) for day in DAYS]

SAMPLES = [
    Sample("look-alike", json.dumps(chart(STAMPS, [10.0, None, 12.0], adjcloses=[9.5, None, 12.0])).encode()),
    Sample("look-alike without time stamps", json.dumps(chart(None, [])).encode()),
    *recorded("samples/yahoo/chart-*.json", "samples/yahoo/historical-via-chart-*.json"),
    # These lie in an envelope of the program that recorded them.
    *(
        Sample(f"{sample.name} in an envelope", json.dumps(json.loads(sample.body)["response"]["bodyJson"]).encode())
        for sample in recorded("providers/yahoo/chart-*.json")
    ),
]


def tidy(content: Any, **options: Any) -> tuple[list[dict[str, Any]], Any]:
    last_session = options.pop("last_session", LAST_SESSION)
    given = answer(content, "yahoo", **({"last_date": dt.date(2026, 11, 20)} | options))
    tidied = yahoo_chart([given], context(last_session=last_session))
    return rows_of(tidied, YAHOO_TABLE, [given]), tidied


@pytest.mark.corpus
@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_every_bar_is_what_a_plain_reading_finds_and_counts_reconcile(sample: Sample) -> None:
    from zoneinfo import ZoneInfo

    (result,) = json.loads(sample.body)["chart"]["result"]
    rows, tidied = tidy(sample.body, ticker=result["meta"]["symbol"])
    stamps = result.get("timestamp", [])
    quote = result["indicators"]["quote"][0]
    assert len(rows) + left(tidied) == len(quote.get("close", []))
    zone = ZoneInfo(result["meta"]["exchangeTimezoneName"])
    adjclose = result["indicators"].get("adjclose", [{}])[0].get("adjclose")
    splits = {event["date"]: event["numerator"] / event["denominator"] for event in
              result.get("events", {}).get("splits", {}).values()}  # fmt: skip
    by_date = {row["trade_date"]: row for row in rows}
    for index, stamp in enumerate(stamps):
        if quote["close"][index] is None:
            continue
        row = by_date[dt.datetime.fromtimestamp(stamp, zone).date()]
        later = 1.0
        for when, ratio in splits.items():
            later *= ratio if when > stamp + 36_000 else 1.0
        for name in ("open", "high", "low", "close"):
            assert row[name] == pytest.approx(quote[name][index] * later, rel=5e-6), name
        assert row["volume"] == round(quote["volume"][index] / later)
        assert row["adj_volume"] == quote["volume"][index]
        assert row["adj_close"] == pytest.approx(adjclose[index], rel=5e-6)
        assert row["adj_open"] == pytest.approx(
            quote["open"][index] * adjclose[index] / quote["close"][index], rel=1e-5
        )
        assert (row["currency"], row["adj_method"]) == (result["meta"]["currency"], "yahoo")


def test_the_trading_date_is_the_exchange_s_own_across_the_change_of_clocks() -> None:
    # 2026-10-30 opens at 13:30 UTC, 2026-11-02 at 14:30: a fixed offset would be right for one of them only.
    assert [stamp % 86_400 for stamp in STAMPS] == [48_600, 52_200, 52_200]
    rows, _ = tidy(chart(STAMPS, [1.0, 2.0, 3.0], adjcloses=[1.0, 2.0, 3.0]))
    assert [row["trade_date"].isoformat() for row in rows] == DAYS
    tokyo = {"exchangeTimezoneName": "Asia/Tokyo", "currency": "JPY"}
    midnight_utc = int(dt.datetime(2026, 11, 2, tzinfo=dt.UTC).timestamp())
    rows, _ = tidy(chart([midnight_utc - 3600], [5.0], meta=tokyo))
    assert rows[0]["trade_date"] == dt.date(2026, 11, 2)


def test_float32_noise_goes_and_cents_of_dear_shares_stay() -> None:
    assert without_noise(130.27999877929688) == 130.28
    assert without_noise(0.012345678) == 0.0123457
    assert without_noise(628930.5625) == 628930.56
    assert without_noise(97208.171875) == 97208.17
    assert without_noise(-37.630001068115234) == -37.63
    assert without_noise(0.0) == 0.0


SPLIT = {"splits": {"x": {"date": STAMPS[1], "numerator": 4, "denominator": 1, "splitRatio": "4:1"}}}


def test_prices_as_traded_are_rebuilt_with_the_splits_after_the_day() -> None:
    paid = {"dividends": {str(stamp): {"amount": 0.05, "date": stamp} for stamp in (STAMPS[0], STAMPS[1])}}
    rows, _ = tidy(
        chart(STAMPS, [25.0, 26.0, 27.0], adjcloses=[24.9, 25.95, 27.0], volumes=[400, 410, 420], events=SPLIT | paid)
    )
    assert [row["close"] for row in rows] == [100.0, 26.0, 27.0]
    assert [row["open"] for row in rows] == [98.0, 25.5, 26.5]
    assert [row["volume"] for row in rows] == [100, 410, 420]
    assert [row["adj_volume"] for row in rows] == [400.0, 410.0, 420.0]
    assert [row["split_factor"] for row in rows] == [1.0, 4.0, 1.0]
    # The dividend before the split was 0.20 on each old share; Yahoo shows it per new share.
    assert [row["div_cash"] for row in rows] == [0.2, 0.05, 0.0]
    assert [row["adj_close"] for row in rows] == [24.9, 25.95, 27.0]
    assert rows[0]["adj_high"] == pytest.approx(26 * 24.9 / 25, rel=1e-5)


def test_a_reverse_split_and_two_splits_multiply() -> None:
    events = {
        "splits": {
            "a": {"date": STAMPS[1], "numerator": 1, "denominator": 10},
            "b": {"date": STAMPS[2], "numerator": 3, "denominator": 2},
        }
    }
    rows, _ = tidy(chart(STAMPS, [15.0, 15.0, 15.0], volumes=[300, 300, 300], events=events))
    assert [row["close"] for row in rows] == [2.25, 22.5, 15.0]
    assert [row["volume"] for row in rows] == [2000, 200, 300]


def test_where_later_splits_may_hide_what_was_traded_is_unknown_and_not_guessed() -> None:
    paid = {"dividends": {"x": {"amount": 0.05, "date": STAMPS[1]}}}
    content = chart(STAMPS, [25.0, 26.0, 27.0], adjcloses=[24.9, 26.0, 27.0], events=paid)
    rows, _ = tidy(content, last_date=dt.date(2026, 11, 4))
    assert {row[name] for row in rows for name in ("open", "high", "low", "close", "volume")} == {None}
    assert [row["adj_close"] for row in rows] == [24.9, 26.0, 27.0]
    assert [row["div_cash"] for row in rows] == [0.0, None, 0.0]
    # The same bars, asked for up to the last session before the last trade.
    rows, _ = tidy(content, last_date=dt.date(2026, 11, 19))
    assert [row["close"] for row in rows] == [25.0, 26.0, 27.0]
    # Nothing is known of the window: the bars themselves do not reach the last trade.
    assert {row["close"] for row in tidy(content, last_date=None)[0]} == {None}
    content["chart"]["result"][0]["meta"]["range"] = "1y"
    assert [row["close"] for row in tidy(content, last_date=None)[0]] == [25.0, 26.0, 27.0]


def test_a_bar_without_a_price_is_counted_and_one_with_some_prices_stays() -> None:
    content = chart(STAMPS, [None, 26.0, None], adjcloses=[None, 26.0, None], volumes=[None, None, 5])
    content["chart"]["result"][0]["indicators"]["quote"][0]["open"][2] = 3.0
    rows, tidied = tidy(content)
    assert [(row["trade_date"].isoformat(), row["open"], row["close"], row["volume"]) for row in rows] == [
        (DAYS[1], 25.5, 26.0, None),
        (DAYS[2], 3.0, None, 5),
    ]
    assert [(entry.reason, entry.count) for entry in tidied.left_out] == [("the bar holds no price", 1)]


TODAY_OPEN = session_open("2026-11-20")
NOON = dt.datetime(2026, 11, 20, 17, tzinfo=dt.UTC)


def test_the_running_session_is_cut_by_the_calendar_and_on_replay_by_the_answer_itself() -> None:
    content = chart([session_open("2026-11-19"), TODAY_OPEN, TODAY_OPEN + 5000], [1.0, 2.0, 2.1])
    live, tidied = tidy(content, fetched_at=NOON, last_session=dt.date(2026, 11, 19))
    assert [row["trade_date"] for row in live] == [dt.date(2026, 11, 19)]
    assert left(tidied) == 2
    replayed, _ = tidy(content, fetched_at=NOON, last_session=dt.date(2027, 3, 1))
    assert replayed == live
    # After the close the same day is a bar like any other, and the live copy beside it a duplicate.
    closed, tidied = tidy(content)
    assert [row["close"] for row in closed] == [1.0, 2.0]
    assert [entry.reason for entry in tidied.left_out] == ["the answer holds two bars of that day"]


def test_after_the_close_but_before_prices_are_final_today_s_bar_waits() -> None:
    after_close = dt.datetime(2026, 11, 20, 21, 30, tzinfo=dt.UTC)
    rows, tidied = tidy(chart([TODAY_OPEN], [2.0]), fetched_at=after_close, last_session=dt.date(2026, 11, 19))
    assert (rows, left(tidied)) == ([], 1)
    # A market that trades on days when New York does not: yesterday's bar is final.
    saturday = session_open("2026-11-21")
    rows, _ = tidy(chart([saturday], [2.0]), fetched_at=dt.datetime(2026, 11, 22, 15, tzinfo=dt.UTC))
    assert [row["trade_date"] for row in rows] == [dt.date(2026, 11, 21)]


def test_no_time_stamps_mean_no_rows_and_no_error() -> None:
    assert tidy(chart(None, [])) == ([], yahoo_chart([], context()))
    odd = chart(STAMPS, [1.0, 2.0, 3.0])
    del odd["chart"]["result"][0]["timestamp"]
    rows, tidied = tidy(odd)
    assert (rows, left(tidied)) == ([], 3)


def test_without_an_adjusted_close_the_series_is_adjusted_for_splits_only() -> None:
    rows, _ = tidy(chart(STAMPS, [25.0, 26.0, 27.0], events=SPLIT))
    assert next((row["adj_close"], row["adj_open"], row["adj_method"]) for row in rows) == (25.0, 24.5, "split_only")


def test_minor_currencies_are_kept() -> None:
    rows, _ = tidy(chart(STAMPS, [1259.5, 1260, 1], meta={"currency": "GBp"}))
    assert {row["currency"] for row in rows} == {"GBp"}


def test_distributed_gains_are_cash_too_and_an_event_without_a_bar_is_told() -> None:
    events = {
        "dividends": {"a": {"amount": 0.1, "date": STAMPS[2]}, "b": {"amount": 0.1, "date": STAMPS[2] + 86_400}},
        "capitalGains": {"a": {"amount": 0.4, "date": STAMPS[2]}},
    }
    rows, tidied = tidy(chart(STAMPS, [1.0, 2.0, 3.0], events=events))
    assert rows[2]["div_cash"] == 0.5
    assert [entry.what for entry in tidied.left_out] == ["dividend of 2026-11-04"]


@pytest.mark.corpus
def test_yahoo_s_factor_before_an_ex_date_is_one_minus_dividend_by_the_close_before() -> None:
    made = chart(
        STAMPS,
        [100.0, 101.0, 102.0],
        adjcloses=[99.0, 99.99, 102.0],
        events={"dividends": {"x": {"amount": 1.01, "date": STAMPS[2]}}},
    )
    samples = [Sample("look-alike", json.dumps(made).encode())]
    samples += recorded("samples/yahoo/historical-via-chart-MSFT*.json", "samples/yahoo/chart-AAPL-2020-08-31*.json")
    for sample in samples:
        (result,) = json.loads(sample.body)["chart"]["result"]
        # As if the answer had been asked for up to the last trade, so that nothing is unknown.
        rows, _ = tidy(sample.body, ticker=result["meta"]["symbol"])
        factors = [row["adj_close"] / row["close"] for row in rows]
        steps = [before / after for before, after in itertools.pairwise(factors)]
        expected = [1 - after["div_cash"] / before["close"] for before, after in itertools.pairwise(rows)]
        assert any(row["div_cash"] for row in rows)
        assert steps == pytest.approx(expected, abs=8e-6), sample.name


@pytest.mark.corpus
def test_the_recorded_split_of_nvidia_is_undone_for_the_days_before_it() -> None:
    """The four-for-one of 2021-07-20.

    The ten-for-one of 2024 is outside the window: asked for as it was, the answer does not know the prices as traded.
    """
    for sample in recorded("samples/yahoo/historical-via-chart-NVDA-split*.json"):
        unknown, _ = tidy(sample.body, ticker="NVDA", last_date=dt.date(2022, 1, 30))
        assert {row["close"] for row in unknown} == {None}
        rows, _ = tidy(sample.body, ticker="NVDA")
        by_date = {row["trade_date"].isoformat(): row for row in rows}
        before, after = by_date["2021-07-19"], by_date["2021-07-20"]
        assert (before["split_factor"], after["split_factor"]) == (1.0, 4.0)
        assert before["close"] / after["close"] == pytest.approx(4 * 18.78 / 18.61, rel=1e-3)
        assert before["adj_volume"] / before["volume"] == pytest.approx(4, rel=1e-6)
    rows, _ = tidy(chart(STAMPS, [25.0, 25.5, 26.0], events=SPLIT))
    assert rows[0]["close"] / rows[1]["close"] == pytest.approx(4 * 25 / 25.5)


def _broken(**changes: Any) -> dict[str, Any]:
    content = chart(STAMPS, [1.0, 2.0, 3.0], adjcloses=[1.0, 2.0, 3.0])
    (result,) = content["chart"]["result"]
    for place, value in changes.items():
        *path, last = place.split("__")
        holder = result
        for step in path:
            holder = holder[int(step) if step.isdigit() else step]
        holder[last] = value
    return content


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"chart": {"result": None, "error": {"code": "Not Found"}}}, "result"),
        ({"finance": {"error": {"code": "Unauthorized"}}}, "chart"),
        ({"chart": {"result": [], "error": None}}, "0 results"),
        ([], "chart"),
        (_broken(indicators__quote__0__close=[1.0]), "'close' holds 1 values for 3"),
        (_broken(indicators__adjclose__0__adjclose=[1.0]), "'adjclose' holds 1"),
        (_broken(indicators__quote__0__volume="x"), "volume"),
        (_broken(indicators={}), "open"),
        (_broken(meta__exchangeTimezoneName="Mars/Olympus"), "time zone"),
        (_broken(meta__exchangeTimezoneName="../../etc/passwd"), "time zone"),
        (_broken(meta__exchangeTimezoneName=None), "exchangeTimezoneName"),
        (_broken(meta__symbol="OTHER"), "OTHER"),
        (_broken(meta__symbol="../x"), "symbol"),
        (_broken(meta__currency=None), "currency"),
        (_broken(meta__dataGranularity="1m"), "1m"),
        (_broken(timestamp=5), "timestamp"),
        (_broken(events=[1]), "events"),
        (_broken(events={"splits": {"x": {"date": STAMPS[1], "numerator": 0, "denominator": 1}}}), "ratio"),
        (_broken(events={"splits": {"x": {"numerator": 2, "denominator": 1}}}), "split"),
        (_broken(events={"splits": [1]}), "splits"),
        (_broken(events={"dividends": {"x": {"date": STAMPS[1], "amount": "much"}}}), "dividend"),
    ],
)
def test_another_shape_is_a_broken_contract_that_names_the_place(content: Any, message: str) -> None:
    with pytest.raises(Contract, match=message):
        tidy(content, ticker="WDGT")


@pytest.mark.parametrize("value", ["1.0", True, 1e300, 1e-300, [1.0]])
def test_a_broken_bar_is_left_out_and_the_others_stay(value: Any) -> None:
    rows, tidied = tidy(_broken(indicators__quote__0__close=[1.0, value, 3.0]))
    assert len(rows) == 2
    assert left(tidied) == 1


@pytest.mark.parametrize("stamp", [None, "x", 10**30, 1.5])
def test_a_bar_without_a_readable_time_is_left_out(stamp: Any) -> None:
    rows, tidied = tidy(_broken(timestamp=[STAMPS[0], stamp, STAMPS[2]]))
    assert (len(rows), left(tidied)) == (2, 1)


def test_an_answer_that_says_no_such_data_gives_no_rows() -> None:
    given = answer({"chart": {"result": None}}, "yahoo", answer_class=AnswerClass.OK_EMPTY)
    assert rows_of(yahoo_chart([given], context()), YAHOO_TABLE) == []
