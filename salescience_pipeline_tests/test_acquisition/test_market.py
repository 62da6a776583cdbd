"""Quotes, news, fundamentals and indicators from the sandbox to the lake: requests, completeness, late and copied news."""

from __future__ import annotations

import datetime as dt

import pytest

from salescience_pipeline.acquisition.acquire import plan
from salescience_pipeline.acquisition.sandbox_process import Sandbox
from salescience_pipeline.acquisition.services import SelectionError, Services
from salescience_pipeline.catalog.market_datasets import MARKET_DATASETS
from salescience_pipeline.catalog.tables import TABLES
from salescience_pipeline.lake.tables import WriteMode
from salescience_pipeline.tidy.model import TidyContext
from salescience_pipeline.tidy.news import finnhub_company_news
from salescience_pipeline_tests.test_acquisition.runs import (
    MONDAY,
    PLAIN,
    contents,
    fault,
    requests_seen,
    run,
    select,
    statuses,
)
from salescience_pipeline_tests.test_tidy.market_samples import COMPANY_NEWS
from salescience_pipeline_tests.test_tidy.samples import FETCHED, answer, context

QUOTES, NEWS, POLYGON = "core_finnhub__quotes", "core_finnhub__news_articles", "core_polygon__news_articles"
CALENDAR, METRICS = "core_finnhub__earnings_calendar", "core_finnhub__fundamental_metrics"
AUDIT = "core_alphavantage__technical_indicators"
LONG_WEEKEND = tuple(MONDAY - dt.timedelta(days=back) for back in range(3, -1, -1))


def dates(name: str) -> tuple[dt.date, ...]:
    row = next(row for row in MARKET_DATASETS if row.name == name)
    return () if row.cut == "ticker" else (MONDAY,) if name == QUOTES else LONG_WEEKEND


@pytest.mark.parametrize("name", [str(row.name) for row in MARKET_DATASETS])
def test_the_first_run_asks_the_minimum_and_the_second_nothing(services: Services, sandbox: Sandbox, name: str) -> None:
    chosen = select(name, PLAIN, dates(name))
    first = run(services, chosen)
    assert first.is_complete, first.failures
    assert requests_seen(sandbox) == first.sent == first.planned == first.plan.minimum > 0
    assert first.rows > 0
    for table in {table for row in MARKET_DATASETS if row.name == name for table in row.outputs.values()}:
        assert not services.tables.duplicate_keys(table)
        assert not services.tables.schema_differences(table)
    before = contents(services)
    second = run(services, chosen)
    assert (second.planned, second.sent) == (0, 0)
    assert contents(services) == before
    forced = run(services, select(name, PLAIN, dates(name), force=True))
    # Alpha Vantage's day has 25.
    assert forced.sent == (25 - first.sent if name == AUDIT else first.sent)
    assert contents(services) == before, "only provenance may change"


def test_completeness_is_told_per_ticker_and_day_or_per_day(services: Services) -> None:
    news = statuses(run(services, select(NEWS, PLAIN, LONG_WEEKEND)))
    assert set(news) == {(str(ticker), day.isoformat()) for ticker in PLAIN for day in LONG_WEEKEND}
    assert set(news.values()) <= {"complete", "empty"}
    market = statuses(run(services, select(POLYGON, (), LONG_WEEKEND)))
    assert market == {("*", day.isoformat()): "complete" for day in LONG_WEEKEND}
    audit = run(services, select(AUDIT, PLAIN[:1]))
    assert {(state.partition, state.subject.split(":")[0]) for state in audit.states} == {("ALDRN", "ALDRN")}


def test_the_active_tickers_reuse_what_the_watchlist_fetched(services: Services, sandbox: Sandbox) -> None:
    run(services, select(NEWS, PLAIN, (MONDAY,)))
    seen = requests_seen(sandbox)
    assert run(services, select(NEWS, PLAIN[:1], (MONDAY,))).sent == 0
    more = run(services, select(NEWS, (*PLAIN[:1], "DOVEK"), (MONDAY,)))
    assert (more.sent, requests_seen(sandbox)) == (1, seen + 1)


def test_one_window_of_the_market_serves_every_scope(services: Services, sandbox: Sandbox) -> None:
    assert run(services, select(POLYGON, (), (MONDAY,))).sent == 1
    for tickers in (PLAIN, PLAIN[:1]):
        assert run(services, select(POLYGON, tickers, (MONDAY,))).sent == 0
    assert requests_seen(sandbox) == 1


def test_the_calendar_decides_whose_fundamentals_are_asked_for(services: Services, sandbox: Sandbox) -> None:
    run(services, select(METRICS, PLAIN))
    assert plan(services, select(METRICS, PLAIN))[0].requests == ()
    run(services, select(CALENDAR, (), (MONDAY,)))
    rows = services.tables.read(CALENDAR).to_pylist()
    # A look before yesterday's report: the result is newer than what is stored.
    reported = {row["ticker"] for row in rows if row["report_date"] < MONDAY}
    sandbox.post("/_sandbox/reset", {})
    _, known = plan(services, select(METRICS, sorted({*reported, *PLAIN})))
    assert set(known.reports) == reported & ({*reported, *map(str, PLAIN)})
    assert all(day < MONDAY for day in known.reports.values())


def test_an_article_about_two_tickers_is_one_row_with_both(services: Services) -> None:
    run(services, select(NEWS, (*PLAIN, "DOVEK"), [MONDAY - dt.timedelta(days=back) for back in range(40)]))
    articles = services.tables.read(NEWS)
    about = services.tables.read("core_finnhub__news_tickers").to_pylist()
    assert articles.num_rows == len({row["article_id"] for row in about})
    assert len(about) > articles.num_rows, "the sandbox has articles about several tickers"


def test_a_correction_replaces_the_text_and_keeps_when_it_was_first_seen(services: Services) -> None:
    later = FETCHED + dt.timedelta(hours=5)
    texts = ("It is larger.", "It is even larger.", "It is even larger.")
    commits = []
    for number, text in enumerate(texts):
        body = [COMPANY_NEWS[0] | {"summary": text}]
        at = FETCHED if number == 0 else later + dt.timedelta(hours=number)
        made: TidyContext = context()
        tidied = finnhub_company_news([answer(body, "finnhub", ticker="WDGT", fetched_at=at)], made)
        commits.append(services.tables.write(NEWS, tidied.tables[NEWS], mode=WriteMode.UPSERT))
    (row,) = services.tables.read(NEWS).to_pylist()
    assert (row["summary"], row["first_seen_at"]) == ("It is even larger.", FETCHED)
    assert row["fetched_at"] == later + dt.timedelta(hours=1)
    assert [commit.unchanged for commit in commits] == [False, False, True], "the same text again changes nothing"
    assert TABLES[NEWS].keep_first == ("first_seen_at",)


def test_one_ticker_s_failure_loses_nobody_else_s_news(services: Services, sandbox: Sandbox) -> None:
    fault(sandbox, "status", "symbol=ALDRN", "finnhub", params={"status": 500})
    failed = run(services, select(NEWS, PLAIN, (MONDAY,)))
    assert [failure.subject for failure in failed.failures] == ["ALDRN"]
    found = statuses(failed)
    assert found["ALDRN", MONDAY.isoformat()] == "failed"
    assert found["CALDQ", MONDAY.isoformat()] in {"complete", "empty"}
    sandbox.post("/_sandbox/reset", {})
    again = run(services, select(NEWS, PLAIN, (MONDAY,)))
    assert (again.sent, again.is_complete) == (1, True)


def test_the_pages_that_came_are_kept_when_another_fails(services: Services, sandbox: Sandbox) -> None:
    year_and_a_half = [MONDAY - dt.timedelta(days=back) for back in range(500)]
    chosen = select(NEWS, PLAIN[:1], year_and_a_half)
    _, newer = plan(services, chosen)[0].requests
    fault(sandbox, "status", f"from={dict(newer.params)['from']}", "finnhub", params={"status": 500})
    failed = run(services, chosen)
    assert [failure.subject for failure in failed.failures] == ["ALDRN"]
    kept = services.tables.read(NEWS).num_rows
    assert kept > 0
    assert set(statuses(failed).values()) == {"failed"}, "which day is whole is not known"
    sandbox.post("/_sandbox/reset", {})
    again = run(services, chosen)
    assert again.is_complete
    # Two ranges, and the older part of each that was so long that it may have been cut.
    assert again.sent == again.planned >= 2
    assert services.tables.read(NEWS).num_rows > kept


def test_a_symbol_that_nobody_knows_is_empty_and_the_others_stand(services: Services) -> None:
    found = statuses(run(services, select(QUOTES, ("NOPE", "ALDRN"), (MONDAY,))))
    assert found == {("NOPE", MONDAY.isoformat()): "empty", ("ALDRN", MONDAY.isoformat()): "complete"}


def test_bad_input_is_a_sentence_and_nothing_is_sent(services: Services, sandbox: Sandbox) -> None:
    tomorrow = MONDAY + dt.timedelta(days=1)
    for chosen in (
        select(NEWS, (), (MONDAY,)),
        select(POLYGON, (), ()),
        select(POLYGON, (), (tomorrow,)),
        select(AUDIT, ()),
    ):
        with pytest.raises(SelectionError):
            run(services, chosen)
    past = run(services, select(QUOTES, PLAIN, (MONDAY - dt.timedelta(days=3),)))
    assert set(statuses(past).values()) == {"missing"}
    assert requests_seen(sandbox) == 0


def test_the_auditor_stops_at_the_allowance_of_the_day_and_goes_on_where_it_stopped(
    services: Services, sandbox: Sandbox
) -> None:
    tickers = (*PLAIN, "DOVEK", "FENWK", "QUILN")
    first = run(services, select(AUDIT, tickers))
    assert (first.sent, first.plan.minimum, first.is_complete) == (25, 25, True)
    second = run(services, select(AUDIT, tickers))
    assert second.sent == 0
    assert second.plan.why.endswith("5 of 5 wait for another day, as today's allowance is used up.")
    assert requests_seen(sandbox) == 25
    replayed = run(services, select(AUDIT, tickers[:5], force=True), "replay", mode="replay")
    assert (replayed.sent, replayed.from_archive) == (0, 25), "the archive has no allowance"


def test_replay_rebuilds_the_rows_without_a_request(services: Services, sandbox: Sandbox) -> None:
    for name in (NEWS, POLYGON, METRICS):
        run(services, select(name, PLAIN, dates(name)))
    before, seen = contents(services), requests_seen(sandbox)
    for name in (NEWS, POLYGON, METRICS):
        replayed = run(services, select(name, PLAIN, dates(name), force=True), "replay", mode="replay")
        assert (replayed.sent, replayed.from_archive) == (0, replayed.planned)
    assert (contents(services), requests_seen(sandbox)) == (before, seen)
