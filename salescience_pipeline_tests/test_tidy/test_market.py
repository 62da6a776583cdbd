"""Quotes, metrics, earnings, profiles and indicators: units, periods, and what is left out."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest

from salescience_pipeline.catalog.indicators import INDICATORS
from salescience_pipeline.clients.errors import Contract
from salescience_pipeline.tidy.earnings import CALENDAR_TABLE, SURPRISES_TABLE, finnhub_calendar, finnhub_surprises
from salescience_pipeline.tidy.indicators import INDICATORS_TABLE, alphavantage_indicators
from salescience_pipeline.tidy.metrics import METRICS_TABLE, finnhub_metrics, period_type_of, unit_of
from salescience_pipeline.tidy.model import Tidied
from salescience_pipeline.tidy.prices import alphavantage_daily
from salescience_pipeline.tidy.profiles import PROFILES_TABLE, finnhub_profile
from salescience_pipeline.tidy.quotes import QUOTES_TABLE, finnhub_quotes
from salescience_pipeline_tests.test_tidy.market_samples import (
    CALENDAR,
    INDICATOR_DETAILS,
    MACD,
    METRICS,
    QUOTE,
    SURPRISES,
    WIDGETS,
)
from salescience_pipeline_tests.test_tidy.samples import FETCHED, answer, context, recorded, rows_of

TODAY = dt.date(2026, 11, 20)


def tidied(function: Any, body: Any, provider: str = "finnhub", *, ticker: str = "WDGT", **more: Any) -> Tidied:
    return function([answer(body, provider, ticker=ticker, **more)], context())


def indicator(body: Any, name: str = "MACD", interval: str = "daily", ticker: str = "WDGT") -> Tidied:
    details = INDICATOR_DETAILS | {
        "indicator": name, "params_key": INDICATORS[name].params_key, "interval": interval
    }  # fmt: skip
    return tidied(alphavantage_indicators, body, "alphavantage", ticker=ticker, details=details)


# -- quotes -------------------------------------------------------------------------------------------------------------
def test_a_quote_is_told_by_the_moment_of_its_trade() -> None:
    (row,) = rows_of(tidied(finnhub_quotes, QUOTE), QUOTES_TABLE)
    assert row["quote_ts"] == dt.datetime(2026, 11, 20, 21, tzinfo=dt.UTC)
    assert (row["trade_date"], row["polled_at"]) == (TODAY, FETCHED)
    assert (row["price"], row["change"], row["change_pct"], row["prev_close"]) == (26.5, -0.5, -1.85, 27.0)
    assert (row["day_open"], row["day_high"], row["day_low"]) == (27.0, 27.4, 26.1)


def test_two_polls_of_one_trade_are_one_row_of_the_later_one() -> None:
    later = FETCHED + dt.timedelta(minutes=5)
    answers = [answer(QUOTE, "finnhub", ticker="WDGT", fetched_at=at) for at in (FETCHED, later)]
    both = finnhub_quotes(answers, context())
    (row,) = rows_of(both, QUOTES_TABLE)
    assert row["polled_at"] == later
    assert [item.reason for item in both.left_out] == ["a later answer tells of the same trade"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"t": 0}, "t is missing"),
        ({"c": 0}, "c is not positive"),
        ({"c": "26"}, "c is '26' and no number"),
        ({"d": "x"}, "d is 'x' and no number"),
    ],
)
def test_a_quote_without_trade_or_price_is_left_out(change: dict[str, Any], reason: str) -> None:
    result = tidied(finnhub_quotes, QUOTE | change)
    assert rows_of(result, QUOTES_TABLE) == []
    assert [item.reason for item in result.left_out] == [reason]


def test_change_may_be_unknown() -> None:
    (row,) = rows_of(tidied(finnhub_quotes, QUOTE | {"d": None, "dp": None}), QUOTES_TABLE)
    assert (row["change"], row["change_pct"]) == (None, None)


# -- metrics ------------------------------------------------------------------------------------------------------------
def test_metrics_say_what_they_cover_when_it_ended_and_in_which_unit() -> None:
    result = tidied(finnhub_metrics, METRICS)
    found = {row["metric"]: row for row in rows_of(result, METRICS_TABLE) if not row["metric"].startswith("series.")}
    told = {name: (row["period_type"], row["period_end"], row["unit"]) for name, row in found.items()}
    assert told == {
        "10DayAverageTradingVolume": ("point", TODAY, "shares_m"),
        "52WeekHigh": ("point", TODAY, "usd"),
        "52WeekHighDate": ("point", TODAY, "date"),
        "52WeekPriceReturnDaily": ("point", TODAY, "pct"),
        "dividendIndicatedAnnual": ("point", TODAY, "usd"),
        "epsAnnual": ("annual", dt.date(2025, 12, 31), "usd"),
        "epsTTM": ("ttm", dt.date(2026, 9, 30), "usd"),
        "marketCapitalization": ("point", TODAY, "usd_m"),
        "netProfitMarginTTM": ("ttm", dt.date(2026, 9, 30), "pct"),
        "currentRatioQuarterly": ("quarterly", dt.date(2026, 9, 30), "ratio"),
        "roaRfy": ("annual", dt.date(2025, 12, 31), "pct"),
        "revenueGrowth5Y": ("point", TODAY, "pct"),
        "beta": ("point", TODAY, "ratio"),
    }
    assert (found["52WeekHighDate"]["value"], found["52WeekHighDate"]["value_text"]) == (None, "2026-05-22")
    assert all(row["as_of_date"] == TODAY for row in found.values())
    assert {item.reason for item in result.left_out} == {"it holds no value", "v is missing"}


def test_a_time_series_holds_for_its_periods_and_keeps_its_own_name_and_unit() -> None:
    rows = [row for row in rows_of(tidied(finnhub_metrics, METRICS), METRICS_TABLE) if row["metric"][:7] == "series."]
    assert {(row["metric"], row["period_type"], str(row["period_end"]), row["value"], row["unit"]) for row in rows} == {
        ("series.eps", "annual", "2025-12-31", 2.0, "usd"),
        ("series.eps", "annual", "2024-12-31", 1.5, "usd"),
        ("series.netMargin", "annual", "2025-12-31", 0.25, "ratio"),
        ("series.bookValue", "annual", "2025-12-31", 500.0, "usd_m"),
        ("series.currentRatio", "quarterly", "2026-09-30", 1.5, "ratio"),
        ("series.roaTTM", "ttm", "2026-06-30", 0.09, "ratio"),
    }
    assert all(row["as_of_date"] == row["period_end"] for row in rows)


def test_two_readings_of_a_series_are_the_same_rows_and_of_a_moment_two() -> None:
    later = FETCHED + dt.timedelta(days=7)
    answers = [answer(METRICS, "finnhub", ticker="WDGT", fetched_at=at) for at in (FETCHED, later)]
    rows = rows_of(finnhub_metrics(answers, context()), METRICS_TABLE)
    count = {name: sum(row["metric"] == name for row in rows) for name in ("beta", "series.eps", "epsAnnual")}
    assert count == {"beta": 2, "series.eps": 2, "epsAnnual": 2}


@pytest.mark.parametrize(
    ("name", "period_type", "unit"),
    [
        ("epsGrowthTTMYoy", "ttm", "pct"),
        ("epsGrowthQuarterlyYoy", "quarterly", "pct"),
        ("bookValuePerShareQuarterly", "quarterly", "usd"),
        ("bookValueShareGrowth5Y", "point", "pct"),
        ("cashFlowPerShareTTM", "ttm", "usd"),
        ("pcfShareTTM", "ttm", "ratio"),
        ("currentEv/freeCashFlowAnnual", "annual", "ratio"),
        ("dividendYieldIndicatedAnnual", "point", "pct"),
        ("dividendPerShareTTM", "ttm", "usd"),
        ("enterpriseValue", "point", "usd_m"),
        ("netIncomeEmployeeAnnual", "annual", "usd_m"),
        ("payoutRatioTTM", "ttm", "pct"),
        ("priceRelativeToS&P50052Week", "point", "pct"),
        ("roi5Y", "point", "pct"),
        ("roeTTM", "ttm", "pct"),
        ("totalDebt/totalEquityQuarterly", "quarterly", "ratio"),
        ("series.roe", "point", "ratio"),
        ("series.fcfPerShareTTM", "ttm", "usd"),
        ("series.ev", "point", "usd_m"),
    ],
)
def test_names_decide(name: str, period_type: str, unit: str) -> None:
    assert (period_type_of(name), unit_of(name)) == (period_type, unit)


@pytest.mark.corpus
def test_recorded_metrics_agree_with_their_own_series() -> None:
    """Each yearly and quarterly figure that has a series is its newest value: the rule of periods is read off, not guessed."""
    compared = 0
    for sample in recorded("providers/finnhub/metric-*.json"):
        rows = rows_of(tidied(finnhub_metrics, sample.body, ticker="AAPL"), METRICS_TABLE)
        series = {(row["metric"], row["period_type"], row["period_end"]): row["value"] for row in rows}
        for row in rows:
            name = row["metric"].removesuffix("Annual").removesuffix("Quarterly")
            same = series.get((f"series.{name}", row["period_type"], row["period_end"]))
            if same is not None and row["unit"] in {"ratio", "usd"} and not name.startswith(("pe", "ps", "ev", "pb")):
                assert row["value"] == pytest.approx(same, rel=1e-4), row["metric"]
                compared += 1
        assert compared >= 10
        held = json.loads(sample.body)
        points = sum(len(points) for kind in held["series"].values() for points in kind.values())
        result = tidied(finnhub_metrics, sample.body, ticker="AAPL")
        assert len(rows) + sum(item.count for item in result.left_out) == len(held["metric"]) + points
    assert tidied(finnhub_metrics, METRICS).left_out


# -- earnings -----------------------------------------------------------------------------------------------------------
def test_surprises_are_by_calendar_quarter_and_the_calendar_by_fiscal_one() -> None:
    first, second = rows_of(tidied(finnhub_surprises, SURPRISES), SURPRISES_TABLE)
    assert (first["period_end"], first["src_year"], first["src_quarter"]) == (dt.date(2025, 12, 31), 2025, 4)
    assert (first["eps_actual"], first["surprise_pct"], first["report_date"]) == (1.25, 25.0, None)
    assert (second["eps_actual"], second["eps_estimate"]) == (None, 1.1)
    report, _ = rows_of(tidied(finnhub_calendar, CALENDAR, key="*"), CALENDAR_TABLE)
    # The same report: the last quarter of the calendar, the first of the company's year.
    assert (report["fiscal_year"], report["fiscal_quarter"], report["report_date"]) == (2026, 1, dt.date(2026, 1, 28))
    assert (report["revenue_actual"], report["hour"]) == (125_000_000.0, "amc")


def test_the_calendar_is_the_market_s_as_of_the_day_of_reading() -> None:
    rows = rows_of(tidied(finnhub_calendar, CALENDAR, key="*"), CALENDAR_TABLE)
    assert [(row["ticker"], row["as_of_date"], row["hour"]) for row in rows] == [
        ("WDGT", TODAY, "amc"),
        ("BRK.B", TODAY, None),
    ]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"symbol": None}, "symbol is missing"),
        ({"symbol": "../../x"}, "symbol is '../../x' and no ticker"),
        ({"date": "soon"}, "date is 'soon' and no date"),
        ({"quarter": 5}, "quarter is 5 and not within 1 to 4"),
        ({"year": 10**6}, "year is 1000000 and not within 1900 to 2200"),
    ],
)
def test_a_broken_report_is_left_out(change: dict[str, Any], reason: str) -> None:
    body = {"earningsCalendar": [CALENDAR["earningsCalendar"][0] | change, CALENDAR["earningsCalendar"][1]]}
    result = tidied(finnhub_calendar, body, key="*")
    assert [row["ticker"] for row in rows_of(result, CALENDAR_TABLE)] == ["BRK.B"]
    assert [item.reason for item in result.left_out] == [reason]


def test_earnings_of_another_company_and_a_quarter_told_twice_are_left_out() -> None:
    other = tidied(finnhub_surprises, [SURPRISES[0] | {"symbol": "GEAR"}])
    assert [item.reason for item in other.left_out] == ["it is about 'GEAR'"]
    twice = tidied(finnhub_surprises, [SURPRISES[0], SURPRISES[0]])
    assert len(rows_of(twice, SURPRISES_TABLE)) == 1
    assert len(twice.left_out) == 1


@pytest.mark.corpus
def test_recorded_earnings_come_through() -> None:
    for sample in recorded("providers/finnhub/calendar*.json", "samples/finnhub/calendar_earnings*.json"):
        result = tidied(finnhub_calendar, sample.body, key="*")
        held = len(json.loads(sample.body)["earningsCalendar"])
        assert len(rows_of(result, CALENDAR_TABLE)) + len(result.left_out) == held > 0, sample.name
    for sample in recorded("samples/finnhub/stock_earnings*.json"):
        assert len(rows_of(tidied(finnhub_surprises, sample.body, ticker="AAPL"), SURPRISES_TABLE)) == 3
    assert len(rows_of(tidied(finnhub_surprises, SURPRISES), SURPRISES_TABLE)) == 2


# -- profiles -----------------------------------------------------------------------------------------------------------
def test_a_profile_writes_millions_out() -> None:
    (row,) = rows_of(tidied(finnhub_profile, WIDGETS), PROFILES_TABLE)
    assert (row["market_cap"], row["shares_outstanding"]) == (4_535_700_000.0, 14_687_360_000.0)
    assert (row["ipo_date"], row["industry"], row["sector"]) == (dt.date(1980, 12, 12), "Machinery", None)
    assert (row["as_of_date"], row["currency"]) == (TODAY, "USD")


@pytest.mark.corpus
def test_recorded_profiles_come_through() -> None:
    for sample in recorded("providers/finnhub/profile-*.json", "samples/finnhub/stock_profile2*.json"):
        (row,) = rows_of(tidied(finnhub_profile, sample.body, ticker="AAPL"), PROFILES_TABLE)
        assert row["name"] == "Apple Inc", sample.name
        assert row["market_cap"] > 10**12, sample.name
    with pytest.raises(Contract):
        tidied(finnhub_profile, {"ticker": "WDGT"})


# -- indicators ---------------------------------------------------------------------------------------------------------
def test_each_line_of_an_indicator_is_a_row() -> None:
    rows = rows_of(indicator(MACD), INDICATORS_TABLE)
    assert {(str(row["ts_date"]), row["series"], row["value"]) for row in rows} == {
        ("2026-11-20", "MACD", 1.25),
        ("2026-11-20", "MACD_Signal", 1.0),
        ("2026-11-20", "MACD_Hist", 0.25),
        ("2026-11-19", "MACD", -1.5),
        ("2026-11-19", "MACD_Signal", 0.5),
        ("2026-11-19", "MACD_Hist", -2.0),
    }
    assert {row["params_key"] for row in rows} == {"fastperiod=12;slowperiod=26;signalperiod=9;series=close"}


def test_csv_says_the_same() -> None:
    text = "time,MACD,MACD_Hist,MACD_Signal\n2026-11-20,1.2500,0.2500,1.0000\n2026-11-19,-1.5,-2.0,0.5\n"
    told = [[(row["ts_date"], row["series"], row["value"]) for row in rows_of(indicator(body), INDICATORS_TABLE)]
            for body in (text, MACD)]  # fmt: skip
    assert told[0] == told[1]


@pytest.mark.parametrize("lines", [{"MACD": "None"}, {"MACD": ""}, {"MACD": 1.5}, {}])
def test_a_line_without_a_number_in_text_is_left_out(lines: dict[str, Any]) -> None:
    body = MACD | {"Technical Analysis: MACD": {"2026-11-20": {"MACD_Signal": "1", "MACD_Hist": "1"} | lines}}
    result = indicator(body)
    assert {row["series"] for row in rows_of(result, INDICATORS_TABLE)} == {"MACD_Signal", "MACD_Hist"}
    assert len(result.left_out) == 1


@pytest.mark.parametrize(
    ("key", "value"), [("1: Symbol", "GEAR"), ("4: Interval", "15min"), ("1: Symbol", "../x"), ("4: Interval", None)]
)
def test_an_answer_about_something_else_is_refused(key: str, value: Any) -> None:
    with pytest.raises(Contract):
        indicator(MACD | {"Meta Data": MACD["Meta Data"] | {key: value}})


def test_bars_shorter_than_a_day_are_refused() -> None:
    with pytest.raises(Contract, match="15min"):
        indicator(MACD, interval="15min")


@pytest.mark.corpus
def test_recorded_indicators_come_through_whole() -> None:
    for name in INDICATORS:
        for sample in recorded(f"providers/alphavantage/{name}_*.csv"):
            result = indicator(sample.body, name, "weekly", "IBM")
            held = len(sample.body.decode().split()) - 1 if name != "BBANDS" else sample.body.count(b"\n") - 1
            assert len(rows_of(result, INDICATORS_TABLE)) == held * len(INDICATORS[name].series), sample.name
            assert not result.left_out, sample.name
    for sample in recorded("providers/alphavantage/macd_short.json"):
        assert len(rows_of(indicator(sample.body, "MACD", "monthly", "GOOGL"), INDICATORS_TABLE)) == 6
    for sample in recorded("samples/alphavantage/bbands_shape.json"):
        assert len(rows_of(indicator(sample.body, "BBANDS", "daily", "IBM"), INDICATORS_TABLE)) == 6
    for sample in recorded("samples/alphavantage/mock_technical_indicator.json"):
        with pytest.raises(Contract):
            indicator(sample.body, "SMA", "15min", "MSFT")
    assert rows_of(indicator(MACD), INDICATORS_TABLE)


# -- Alpha Vantage's daily prices ---------------------------------------------------------------------------------------
def _daily(*bars: tuple[str, dict[str, str]], symbol: str = "WDGT") -> dict[str, Any]:
    return {"Meta Data": {"1. Information": "Daily Prices", "2. Symbol": symbol}, "Time Series (Daily)": dict(bars)}


def _bar(close: object, volume: object = "1200") -> dict[str, Any]:
    return {"1. open": "10.0", "2. high": "11.5", "3. low": "9.5", "4. close": close, "5. volume": volume}


def test_daily_prices_are_rows_as_traded() -> None:
    made = tidied(
        alphavantage_daily, _daily(("2026-11-19", _bar("11.25")), ("2026-11-18", _bar("10.5"))), "alphavantage"
    )
    rows = rows_of(made, "core_alphavantage__eod_prices")
    assert [(row["trade_date"], row["close"], row["high"], row["volume"]) for row in rows] == [
        (dt.date(2026, 11, 19), 11.25, 11.5, 1200),
        (dt.date(2026, 11, 18), 10.5, 11.5, 1200),
    ]
    text = "timestamp,open,high,low,close,volume\n2026-11-19,10.0,11.5,9.5,11.25,1200\n2026-11-18,10.0,11.5,9.5,10.5,1200\n"
    csv_rows = rows_of(tidied(alphavantage_daily, text.encode(), "alphavantage"), "core_alphavantage__eod_prices")
    assert [row["close"] for row in csv_rows] == [11.25, 10.5], "CSV says the same"


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (_daily(("2026-11-19", _bar("11")), symbol="OTHER"), "is about OTHER"),
        ({"Meta Data": {"2. Symbol": "WDGT"}}, r"'Time Series \(Daily\)' is missing"),
        (_daily(("2026-11-19", {"1. open": "10.0"})), "The field 'high' is missing in every record"),
        (b"time,SMA\n2026-11-19,1\n", "no CSV of a daily series"),
    ],
)
def test_what_is_no_daily_series_is_refused(body: Any, sentence: str) -> None:
    with pytest.raises(Contract, match=sentence):
        tidied(alphavantage_daily, body, "alphavantage")


def test_a_bad_day_is_left_out_and_told() -> None:
    bars = (
        ("2026-11-19", _bar("11")),
        ("2026-11-18", _bar("x")),
        ("soon", _bar("11")),
        ("2026-11-17", _bar("11", None)),
    )
    made = tidied(alphavantage_daily, _daily(*bars), "alphavantage")
    assert [row["trade_date"].day for row in rows_of(made, "core_alphavantage__eod_prices")] == [19, 17]
    assert [one.unreadable for one in made.left_out] == [True, True]


@pytest.mark.corpus
def test_recorded_daily_prices_come_through() -> None:
    samples = list(
        recorded("providers/alphavantage/TIME_SERIES_DAILY*.csv", "samples/alphavantage/time_series_daily*.json")
    )
    for sample in samples:
        made = tidied(alphavantage_daily, sample.body, "alphavantage", ticker="IBM")
        assert rows_of(made, "core_alphavantage__eod_prices"), sample
        assert not made.left_out
