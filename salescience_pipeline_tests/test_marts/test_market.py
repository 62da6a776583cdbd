"""What the marts of news, quotes, earnings and metrics say of rows whose story is known; their SQL runs as dbt compiles it."""

from __future__ import annotations

import datetime as dt
from typing import Any

from salescience_pipeline.tidy.earnings import CALENDAR_TABLE, finnhub_calendar
from salescience_pipeline.tidy.metrics import METRICS_TABLE, finnhub_metrics
from salescience_pipeline.tidy.news import finnhub_company_news, polygon_news
from salescience_pipeline.tidy.quotes import QUOTES_TABLE, finnhub_quotes
from salescience_pipeline_tests.test_marts.over_rows import Marts
from salescience_pipeline_tests.test_tidy.market_samples import CALENDAR, COMPANY_NEWS, MARKET_NEWS, METRICS, QUOTE
from salescience_pipeline_tests.test_tidy.samples import FETCHED, answer, context

DAY = dt.timedelta(days=1)


def finnhub(body: Any, at: dt.datetime = FETCHED, ticker: str | None = "WDGT") -> Any:
    return answer(body, "finnhub", ticker=ticker, fetched_at=at, key=ticker or "*")


def test_an_article_is_one_row_across_ids_polls_and_providers(marts: Marts) -> None:
    later = FETCHED + dt.timedelta(hours=2)
    marts.write(finnhub_company_news([finnhub(COMPANY_NEWS)], context()).tables)
    marts.write(finnhub_company_news([finnhub(COMPANY_NEWS, later)], context()).tables)
    marts.write(finnhub_company_news([finnhub(COMPANY_NEWS, later, "COGS")], context()).tables)
    (row,) = marts.rows("mart_news__articles")
    assert (row["sources"], row["copies"], row["text_source"]) == ("finnhub", 2, "finnhub")
    marts.write(polygon_news([answer(MARKET_NEWS, "polygon", key="*", fetched_at=later)], context()).tables)
    (row,) = marts.rows("mart_news__articles")
    assert (row["sources"], row["copies"], row["text_source"]) == ("finnhub+polygon", 3, "polygon")
    assert row["tickers"] == ["BRK.B", "COGS", "GEAR", "GEAR-PB", "WDGT"]
    assert (row["positive_for"], row["negative_for"]) == (["WDGT"], ["GEAR"])
    assert row["first_seen_at"] == FETCHED
    other = [COMPANY_NEWS[0] | {"id": 7, "headline": "Something else"}]
    marts.write(finnhub_company_news([finnhub(other)], context()).tables)
    assert len(marts.rows("mart_news__articles")) == 2


def test_the_newest_quote_is_that_of_the_newest_trade(marts: Marts) -> None:
    old = QUOTE | {"t": QUOTE["t"] - 3600, "c": 99.0}
    for body, at in (
        (QUOTE, FETCHED),
        (old, FETCHED + dt.timedelta(hours=1)),
        (QUOTE, FETCHED + dt.timedelta(hours=2)),
    ):
        marts.write(finnhub_quotes([finnhub(body, at)], context()).tables)
    (row,) = marts.rows("mart_quotes__latest")
    assert (row["price"], row["polled_at"]) == (26.5, FETCHED)
    assert marts.tables.row_count(QUOTES_TABLE) == 2


def test_a_report_that_moved_is_one_row_with_its_story(marts: Marts) -> None:
    upcoming = CALENDAR["earningsCalendar"][1] | {"symbol": "WDGT"}
    readings = [
        (upcoming, FETCHED),
        (upcoming | {"date": "2026-11-26"}, FETCHED + DAY),
        (upcoming | {"date": "2026-11-25"}, FETCHED + 2 * DAY),
        (upcoming | {"date": "2026-11-25", "epsActual": 0.75, "revenueActual": 10}, FETCHED + 6 * DAY),
    ]
    for report, at in readings:
        marts.write(finnhub_calendar([finnhub({"earningsCalendar": [report]}, at, None)], context()).tables)
    (row,) = marts.rows("mart_earnings__calendar")
    assert (row["quarter"], row["report_date"], row["first_report_date"]) == (
        "2026Q4",
        dt.date(2026, 11, 25),
        dt.date(2026, 11, 24),
    )
    assert (row["times_moved"], row["readings"], row["is_reported"], row["eps_surprise"]) == (2, 4, True, 0.25)
    assert marts.tables.row_count(CALENDAR_TABLE) == 4, "every reading is kept"


def test_reports_without_a_quarter_stand_for_themselves(marts: Marts) -> None:
    report = CALENDAR["earningsCalendar"][1] | {"quarter": None, "year": None}
    body = {"earningsCalendar": [report, report | {"date": "2027-02-24"}]}
    marts.write(finnhub_calendar([finnhub(body, ticker=None)], context()).tables)
    assert [row["quarter"] for row in marts.rows("mart_earnings__calendar")] == ["2026-11-24", "2027-02-24"]


def test_metrics_are_in_whole_dollars_and_shares_as_last_read(marts: Marts) -> None:
    marts.write(finnhub_metrics([finnhub(METRICS)], context()).tables)
    corrected = METRICS | {"metric": METRICS["metric"] | {"epsAnnual": 2.25, "beta": 1.2}}
    marts.write(finnhub_metrics([finnhub(corrected, FETCHED + 7 * DAY)], context()).tables)
    rows = marts.rows("mart_fundamentals__metrics")
    by_name: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        by_name.setdefault(row["metric"], []).append(row)
    (value,) = {
        (row["value"], row["unit"], row["source_value"], row["source_unit"]) for row in by_name["marketCapitalization"]
    }
    assert value == (1_234_500_000.0, "usd", 1234.5, "usd_m")
    assert {row["value"] for row in by_name["10DayAverageTradingVolume"]} == {1_250_000.0}
    assert [row["value"] for row in by_name["epsAnnual"]] == [2.25], "one period, its newest reading"
    assert sorted(row["value"] for row in by_name["beta"]) == [1.1, 1.2], "a moment is read again and again"
    assert len(by_name["series.eps"]) == 2
    assert marts.tables.row_count(METRICS_TABLE) > len(rows) - 1
