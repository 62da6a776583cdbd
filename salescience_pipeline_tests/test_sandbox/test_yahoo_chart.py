"""Yahoo's charts as emulated: shapes and errors against recorded answers, figures against the market and the measured rules."""

from __future__ import annotations

import datetime as dt
import json
import struct
from zoneinfo import ZoneInfo

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from salescience_pipeline.fiction import nyse
from salescience_pipeline.fiction.world import World
from salescience_pipeline.sandbox import app
from salescience_pipeline.sandbox.yahoo_chart import ChartError, Charts, noisy, split_event, stamp
from salescience_pipeline_tests.test_sandbox import lookalikes
from salescience_pipeline_tests.test_sandbox.calls import CHART
from salescience_pipeline_tests.test_sandbox.serving import LAST, TODAY, WORLD
from salescience_pipeline_tests.test_sandbox.witness import differences, recorded

NEW_YORK = ZoneInfo("America/New_York")


def result_of(response: httpx.Response) -> dict:
    assert response.status_code == 200, response.text
    return response.json()["chart"]["result"][0]


# -- charts: shape -----------------------------------------------------------------------------------------------------


WITNESSES = [
    (
        "providers/yahoo/chart-AAPL-2020-01-01-to-2020-01-03.json",
        lookalikes.CHART,
        "ALDRN?period1=1577836800&period2=1578009600&interval=1d&events=div|split",
    ),
    (
        "samples/yahoo/historical-via-chart-NVDA-split-2021-02-01-to-2022-01-31.csv.json",
        lookalikes.CHART_WITH_SPLIT,
        "ALDRN?period1=1598832000&period2=1604707200&interval=1d&events=div%7Csplit",
    ),
    (
        "samples/yahoo/historical-via-chart-MSFT-dividends-2021-02-01-to-2022-01-31.csv.json",
        lookalikes.CHART_WITH_DIVIDEND,
        "CALDQ?period1=1612137600&period2=1643587200&interval=1d&events=div,splits",
    ),
    (
        "samples/yahoo/chart-AAPL-2025-02-01-to-2025-02-02-includePrePost-false-interval-1m.json",
        lookalikes.CHART_INTRADAY_EMPTY,
        "ALDRN?period1=1738368000&period2=1738454400&interval=1m&includePrePost=false",
    ),
]


@pytest.mark.corpus
@pytest.mark.parametrize(("path", "lookalike", "request_path"), WITNESSES, ids=[w[0].split("/")[-1] for w in WITNESSES])
def test_a_chart_has_the_keys_and_types_of_the_recorded_one(sandbox, path, lookalike, request_path):
    theirs = recorded(path)
    ours = sandbox.get(f"{CHART}/{request_path}")
    body, recorded_body = ours.json(), theirs["body"] if theirs else lookalike
    for one in (body, recorded_body):  # events are keyed by their stamp
        for kind in one["chart"]["result"][0].get("events", {}).values():
            first = next(iter(kind))
            kind["stamp"] = kind.pop(first)
            for key in [key for key in kind if key != "stamp"]:
                del kind[key]
    assert differences(body, recorded_body) == []
    if theirs and theirs["headers"]:
        for name in ("content-type", "cache-control", "vary", "x-frame-options"):
            assert ours.headers[name] == theirs["headers"][name]


@pytest.mark.corpus
@pytest.mark.parametrize(
    ("path", "lookalike", "request_path", "status"),
    [
        (
            "samples/yahoo/error_404_delisted.json",
            '{"code":"Not Found","description":"No data found, symbol may be delisted"}',
            "NOBODY?range=1d",
            404,
        ),
        (
            "samples/yahoo/error_400_before_first_trade.json",
            '{"code":"Bad Request","description":"Data doesn\'t exist for startDate = 1565740800, endDate = 1596067200"}',
            "TORVA?period1=1265740800&period2=1296067200",
            400,
        ),
    ],
)
def test_an_error_of_the_chart_has_the_recorded_body(sandbox, path, lookalike, request_path, status):
    ours = sandbox.get(f"{CHART}/{request_path}")
    theirs = recorded(path)
    expected = theirs["body"] if theirs else {"chart": {"result": None, "error": json.loads(lookalike)}}
    if status == 400:
        expected["chart"]["error"]["description"] = (
            expected["chart"]["error"]["description"]
            .replace("1565740800", "1265740800")
            .replace("1596067200", "1296067200")
        )
    assert ours.status_code == status
    assert ours.json() == expected
    assert ours.headers["cache-control"] == "max-age=0, private"


@pytest.mark.parametrize("query", ["interval=7d", "range=7d", "range=forever", "interval=1D"])
def test_a_bad_interval_or_range_is_422(sandbox, query):
    refused = sandbox.get(f"{CHART}/ALDRN?{query}")
    assert refused.status_code == 422
    assert refused.json()["chart"]["error"]["code"] == "Unprocessable Entity"


@pytest.mark.parametrize("query", ["period1=9&period2=x", "period1=1700000000&period2=1600000000"])
def test_a_window_that_makes_no_sense_is_400(sandbox, query):
    assert sandbox.get(f"{CHART}/ALDRN?{query}").status_code == 400


@pytest.mark.parametrize("symbol", ["BRNWD.B", "OAKMR", "ALDRN.L", "%5EGSPC", "..%2Fx"])
def test_symbols_that_yahoo_does_not_know_are_404(sandbox, symbol):
    assert sandbox.get(f"{CHART}/{symbol}?range=1d").status_code == 404


def test_a_class_is_spelt_with_a_dash_in_any_case(sandbox):
    assert result_of(sandbox.get(f"{CHART}/brnwd-b?range=5d"))["meta"]["symbol"] == "BRNWD-B"


def test_a_window_without_sessions_has_no_stamps(sandbox):
    saturday = int(dt.datetime(2026, 11, 14, tzinfo=dt.UTC).timestamp())
    result = result_of(sandbox.get(f"{CHART}/ALDRN?period1={saturday}&period2={saturday + 86400}"))
    assert "timestamp" not in result
    assert result["indicators"]["quote"] == [{}]


def test_an_unknown_path_is_404_json(sandbox):
    assert sandbox.get("/yahoo/v6/finance/quote").json()["finance"]["error"]["code"] == "Not Found"


# -- charts: figures ---------------------------------------------------------------------------------------------------


def charts(world: World = WORLD) -> Charts:
    return Charts(app.Sandbox(world))


def rows(body: dict) -> list[tuple]:
    result = body["chart"]["result"][0]
    if "timestamp" not in result:
        return []
    block = result["indicators"]["quote"][0]
    columns = [block[name] for name in ("open", "high", "low", "close", "volume")]
    return list(zip(result["timestamp"], *columns, result["indicators"]["adjclose"][0]["adjclose"], strict=True))


@given(
    st.sampled_from([c.ticker for c in WORLD.all if WORLD.delisted(c) is None]),
    st.dates(dt.date(2014, 6, 1), dt.date(2026, 11, 19)),
    st.integers(1, 500),
)
@settings(max_examples=40, deadline=None)
def test_a_chart_is_the_worlds_bars_split_adjusted_with_float32_noise(ticker, first, length):
    last = first + dt.timedelta(days=length)
    symbol = ticker.replace(".", "-")
    query = {"period1": str(stamp(first, 0)), "period2": str(stamp(last, 0))}
    bars = WORLD.bars(ticker, first, last - dt.timedelta(days=1))
    if last <= WORLD.first_date(WORLD.company(ticker)):
        with pytest.raises(ChartError, match="Data doesn't exist"):
            charts().answer(symbol, query)
        return
    got = rows(charts().answer(symbol, query))
    assert [dt.datetime.fromtimestamp(row[0], NEW_YORK).date() for row in got] == [bar.date for bar in bars]
    later = [(day, factor) for day, factor in WORLD.splits(ticker).items()]
    for row, bar in zip(got, bars, strict=True):
        factor = 1.0
        for day, split in later:
            factor *= split if day > bar.date else 1.0
        assert dt.datetime.fromtimestamp(row[0], NEW_YORK).time() == dt.time(9, 30)
        assert row[1:5] == tuple(noisy(value / factor) for value in (bar.open, bar.high, bar.low, bar.close))
        assert row[5] == round(bar.volume * factor)


def test_noise_is_that_of_a_32_bit_float():
    assert noisy(130.28) == 130.27999877929688
    assert struct.unpack("<f", struct.pack("<f", noisy(1.1)))[0] == noisy(1.1)


@given(st.sampled_from([t for t in WORLD.watchlist if WORLD.dividends(t)]))
@settings(max_examples=10, deadline=None)
def test_adjclose_steps_by_one_minus_dividend_over_previous_close(ticker):
    body = charts().answer(ticker.replace(".", "-"), {"range": "max", "events": "div"})
    table = {dt.datetime.fromtimestamp(row[0], NEW_YORK).date(): row for row in rows(body)}
    events = body["chart"]["result"][0]["events"]["dividends"]
    assert {int(key) for key in events} == {event["date"] for event in events.values()}
    for event in events.values():
        day = dt.datetime.fromtimestamp(event["date"], NEW_YORK).date()
        before = table[nyse.previous_session(day)]
        step = (before[6] / before[4]) / (table[day][6] / table[day][4])
        assert step == pytest.approx(1 - event["amount"] / before[4], abs=5e-7)
    assert rows(body)[-1][4] == rows(body)[-1][6]


def test_stamps_follow_summer_time_within_one_answer(sandbox):
    result = result_of(sandbox.get(f"{CHART}/ALDRN?period1={stamp(dt.date(2026, 10, 28), 0)}&range="))
    hours = {dt.datetime.fromtimestamp(at, dt.UTC).hour for at in result["timestamp"]}
    assert hours == {13, 14}


def test_events_come_only_when_asked_for_and_only_inside_the_window(sandbox):
    window = f"period1={stamp(dt.date(2020, 8, 1), 0)}&period2={stamp(dt.date(2020, 9, 30), 0)}"
    assert "events" not in result_of(sandbox.get(f"{CHART}/ALDRN?{window}"))
    assert "events" not in result_of(sandbox.get(f"{CHART}/ALDRN?{window}&events=div"))
    assert result_of(sandbox.get(f"{CHART}/ALDRN?{window}&events=splits"))["events"]["splits"]
    assert "events" not in result_of(sandbox.get(f"{CHART}/ALDRN?range=1mo&events=div,splits,capitalGains"))


@pytest.mark.parametrize(("factor", "ratio"), [(4.0, "4:1"), (0.1, "1:10"), (1.5, "3:2")])
def test_a_split_is_told_as_a_ratio(factor, ratio):
    event = split_event(1, factor)
    assert event["splitRatio"] == ratio
    assert event["numerator"] / event["denominator"] == pytest.approx(factor)


@pytest.mark.parametrize(("interval", "most"), [("1wk", 54), ("1mo", 13), ("3mo", 5)])
def test_longer_bars_are_made_of_the_daily_ones(sandbox, interval, most):
    daily = rows(sandbox.get(f"{CHART}/CALDQ?range=1y").json())
    longer = rows(sandbox.get(f"{CHART}/CALDQ?range=1y&interval={interval}").json())
    assert most - 2 <= len(longer) <= most
    assert sum(row[5] for row in longer) == sum(row[5] for row in daily)
    assert max(row[2] for row in longer) == max(row[2] for row in daily)
    assert (longer[0][1], longer[-1][4]) == (daily[0][1], daily[-1][4])
    assert {dt.datetime.fromtimestamp(row[0], NEW_YORK).time() for row in longer} == {dt.time(0)}


@pytest.mark.parametrize(("name", "count"), [("1d", 1), ("5d", 5), ("max", 2989)])
def test_ranges_end_with_the_last_session(sandbox, name, count):
    got = rows(sandbox.get(f"{CHART}/ALDRN?range={name}").json())
    assert len(got) == count
    assert dt.datetime.fromtimestamp(got[-1][0], NEW_YORK).date().isoformat() == LAST


def test_null_rows_and_a_running_session_on_demand(sandbox):
    sandbox.http.post("/_sandbox/switches", json={"yahoo": {"null_rows": ["2026-11-17"], "live_row": True}})
    got = rows(sandbox.get(f"{CHART}/ALDRN?range=5d").json())
    assert [row[1:] == (None,) * 6 for row in got] == [False, False, True, False, False, False]
    live = dt.datetime.fromtimestamp(got[-1][0], NEW_YORK)
    assert live.date().isoformat() == TODAY
    assert live.time() != dt.time(9, 30)
