"""A day on which something goes wrong at a provider: what is seen, what is stored, and that the day ends complete.

The jobs run by their schedules at the real limits of the free plans, under a simulated clock; the sandbox counts. After the
fault nothing may be asked for that the plan does not need.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pytest

from salescience_pipeline.acquisition import quality
from salescience_pipeline.acquisition.acquire import plan
from salescience_pipeline.acquisition.repair import find_holes
from salescience_pipeline.acquisition.sandbox_process import Sandbox
from salescience_pipeline.acquisition.services import Services
from salescience_pipeline.catalog.datasets import DATASETS
from salescience_pipeline.catalog.jobs import JOBS
from salescience_pipeline.lake.tables import Where
from salescience_pipeline.orchestration.failures import is_worth_a_retry
from salescience_pipeline.settings import Settings
from salescience_pipeline_tests.test_acquisition.life import DAY, Clock, Life, Ran, at, incomplete, sent
from salescience_pipeline_tests.test_acquisition.runs import (
    NEWEST,
    TIINGO,
    TIINGO_DAILY,
    TIINGO_HISTORY,
    content,
    contents,
    event,
    fault,
    requests_seen,
    run,
    select,
    statuses,
)

FOLLOWED, ACTIVE, INDICES = ["ALDRN", "BRNWD.B", "CALDQ", "FENWK"], ["ALDRN", "CALDQ"], ["FIXLG", "FIXMK"]
NEWS, CALENDAR = "core_finnhub__news_articles", "core_finnhub__earnings_calendar"
METRICS = "core_finnhub__fundamental_metrics"


@pytest.fixture
def life(sandbox: Sandbox, tmp_path: Path) -> Iterator[Life]:
    """The jobs over lists that overlap, from four in the morning on."""
    clock = Clock(at("04:00"))
    settings = Settings(home=tmp_path, sandbox_url=sandbox.url, threads=1)
    with Services(settings, clock=clock.now, sleep=clock.sleep) as services:
        for scope, tickers in zip(
            ("entire_watchlist", "active_symbols", "indices"), (FOLLOWED, ACTIVE, INDICES), strict=True
        ):
            services.ledger.watchlist.add(scope, tickers)
        yield Life(services, sandbox, clock)


def _providers(ran: list[Ran]) -> set[str]:
    return {one.acquired.dataset.provider for one in ran}


def _exactly_as_planned(ran: list[Ran]) -> None:
    assert incomplete(ran) == {}
    for one in ran:
        assert one.acquired.sent == one.acquired.planned, one.acquired.sentence()


@pytest.mark.parametrize(
    ("provider", "begin", "broken", "mended", "end", "seen"),
    [
        ("finnhub", "10:00", "10:25", "11:25", "12:15", {"finnhub-company-news-portfolio"}),
        ("polygon", "10:00", "10:25", "11:25", "12:15", {"polygon-news-market"}),
        ("tiingo", "17:30", "17:30", "18:30", "20:30", {"tiingo-daily-prices", "tiingo-daily-prices-indices"}),
        ("alphavantage", "19:00", "19:00", "20:00", "20:30", {"alpha-vantage-technical-indicators"}),
    ],
)
def test_an_outage_of_an_hour_costs_its_own_jobs_that_hour_and_nothing_else(
    life: Life, sandbox: Sandbox, provider: str, begin: str, broken: str, mended: str, end: str, seen: set[str]
) -> None:
    _exactly_as_planned(life.live(begin, broken))
    before = contents(life.services)
    fault(sandbox, "status", "", provider, params={"status": 503})
    during = life.live(broken, mended)
    failed = [one for one in during if one.acquired.failures]
    assert seen <= {one.job for one in failed}
    assert _providers(failed) == {provider}
    _exactly_as_planned([one for one in during if one not in failed])
    for one in failed:
        first = one.acquired.failures[0].message
        assert "status 503" in first or "failed 3 times in a row; nothing is sent before" in first
        assert is_worth_a_retry(one.acquired.failures)
        assert one.acquired.sent <= 4, "three tries, then the breaker; a probe now and then"
    tables = {table for row in DATASETS.values() if row.provider == provider for table in row.outputs.values()}
    assert {table: content(life.services, table) for table in tables} == {table: before[table] for table in tables}

    sandbox.post("/_sandbox/reset", {"only": ["faults", "stats"]})
    after = life.live(mended, end)
    life.look_at(at("22:45"))
    after += life.repair()
    assert provider in _providers(after)
    _exactly_as_planned(after)
    assert requests_seen(sandbox) == sent(after)
    assert find_holes(life.services) == []


def test_a_day_s_quota_that_is_spent_at_noon_costs_one_request_and_the_evening_brings_the_prices(
    life: Life, sandbox: Sandbox
) -> None:
    life.look_at(at("12:00"))
    fault(sandbox, "limit", "", "tiingo", params={"window": "day"})
    first, second = [one for one in life.live("17:30", "18:00") if one.job.startswith("tiingo")]
    assert "says that the allowance of the plan is spent" in first.acquired.failures[0].message
    # Tiingo's day ends at midnight UTC, which is 20:00 in New York.
    assert first.acquired.failures[0].retry_at == at("20:00")
    assert "nothing is sent before 2026-06-16 00:00:00 UTC" in second.acquired.failures[0].message
    assert (first.acquired.sent, second.acquired.sent) == (1, 0)
    assert not is_worth_a_retry([*first.acquired.failures, *second.acquired.failures]), "no retry is burned"
    assert life.services.tables.row_count(TIINGO) == 0

    sandbox.post("/_sandbox/reset", {"only": ["faults"]})
    evening = [one for one in life.live("19:59", "20:30") if one.job.startswith("tiingo")]
    _exactly_as_planned(evening)
    assert [one.acquired.sent for one in evening] == [1, 1]
    assert life.services.tables.row_count(TIINGO) == len(FOLLOWED) + len(INDICES)


def test_the_auditor_goes_on_the_next_day_where_the_quota_stopped_it(life: Life, sandbox: Sandbox) -> None:
    fault(sandbox, "limit", "RSI|MACD|BBANDS", "alphavantage", params={"window": "day"})
    (stopped,) = life.tick("alpha-vantage-technical-indicators", 0, at("19:30"))
    found = statuses(stopped.acquired)
    done = [pair for pair, status in found.items() if status == "complete"]
    assert 0 < len(done) == stopped.acquired.sent - 1 < len(found) == 20
    assert not is_worth_a_retry(stopped.acquired.failures)
    assert life.repair() == [], "nothing can be asked for before the day is over"

    sandbox.post("/_sandbox/reset", {"only": ["faults", "stats"]})
    (following,) = life.tick("alpha-vantage-technical-indicators", 0, at("19:30", DAY + dt.timedelta(days=1)))
    _exactly_as_planned([following])
    asked = {one.subject for one in following.acquired.states}
    assert {subject for (subject, _), status in found.items() if status != "complete"} <= asked
    assert requests_seen(sandbox) == following.acquired.sent == 20


@pytest.mark.parametrize(
    ("provider", "job"), [("finnhub", "finnhub-quote-portfolio"), ("polygon", "polygon-news-market")]
)
def test_a_minute_s_limit_is_waited_out_within_the_run(life: Life, sandbox: Sandbox, provider: str, job: str) -> None:
    fault(sandbox, "limit", "", provider, params={"window": "minute"}, times=1)
    (ran,) = life.tick(job, 0, at("12:00"))
    assert incomplete([ran]) == {}
    assert ran.acquired.sent == ran.acquired.planned + 1 == requests_seen(sandbox)
    assert life.clock.now() > at("12:00")


def test_a_report_that_is_put_off_is_asked_for_on_its_new_day_only(life: Life, sandbox: Sandbox) -> None:
    """The calendar as it was read on Monday, moved, and read again on Tuesday."""
    life.look_at(at("05:30"))
    run(life.services, select(CALENDAR, (), (DAY,)))
    row = min(
        (row for row in life.services.tables.read(CALENDAR).to_pylist() if row["report_date"] > DAY),
        key=lambda row: (row["report_date"], row["ticker"]),
    )
    ticker, due = row["ticker"], row["report_date"]
    later = due + dt.timedelta(days=5)
    run(life.services, select(METRICS, (ticker,)))
    body = {"kind": "moved_earnings", "ticker": ticker, "date": due.isoformat(), "value": later.isoformat()}
    sandbox.post("/_sandbox/world", {"events": [body]})
    life.look_at(at("17:00"))
    run(life.services, select(CALENDAR, (), (DAY,), force=True))

    readings = Where(values={"ticker": [ticker]})
    kept = {one["report_date"] for one in life.services.tables.read(CALENDAR, readings).to_pylist()}
    assert {due, later} <= kept, "both readings are stored"

    def asked_on(day: dt.date) -> int:
        clock = Clock(at("05:30", day))
        with Services(life.services.settings, clock=clock.now) as services:
            # A week after the last look everybody is asked for; what counts here is the report.
            _, known = plan(services, select(METRICS, (ticker,)))
            return int(known.reports.get(ticker) == day - dt.timedelta(days=1))

    assert asked_on(due + dt.timedelta(days=1)) == 0, "the day on which it was to report"
    assert asked_on(later + dt.timedelta(days=1)) == 1


def test_late_news_are_found_and_a_copy_is_one_story(life: Life, sandbox: Sandbox) -> None:
    life.live("05:30", "06:05")
    before = {row["article_id"]: row for row in life.services.tables.read(NEWS).to_pylist()}
    ticker, yesterday = "ALDRN", (DAY - dt.timedelta(days=1)).isoformat()
    written = next(row for row in before.values() if row["published_at"].date() < DAY)
    sandbox.post(
        "/_sandbox/world",
        {
            "events": [
                {"kind": "late_news", "ticker": ticker, "date": yesterday, "value": "Told a day late"},
                {"kind": "duplicate_news", "ticker": ticker, "date": str(written["published_at"].date())},
            ]
        },
    )
    sandbox.post("/_sandbox/reset", {"only": ["stats"]})
    ran = [one for one in life.live("07:00", "07:15") if one.job == "finnhub-company-news-portfolio"]
    _exactly_as_planned(ran)
    assert sent(ran) == len(ACTIVE), "no request more than on any other hour"

    rows = {row["article_id"]: row for row in life.services.tables.read(NEWS).to_pylist()}
    new = [row for key, row in rows.items() if key not in before]
    late = [row for row in new if row["title"] == "Told a day late"]
    assert {row["published_date_et"] for row in late} <= {DAY - dt.timedelta(days=1), DAY - dt.timedelta(days=2)}
    assert all(row["first_seen_at"] > at("07:00") for row in late), "the moment at which it could be known"
    assert len({row["fingerprint"] for row in late}) == 1
    copies = [row for row in new if row["title"] != "Told a day late"]
    stories = {row["fingerprint"] for row in before.values()}
    assert all(row["fingerprint"] in stories for row in copies), "a copy belongs to the story that is there"
    assert {key: row["first_seen_at"] for key, row in before.items()} == {
        key: rows[key]["first_seen_at"] for key in before
    }


def test_a_split_rewrites_the_adjusted_series_of_its_ticker_and_no_raw_price(life: Life, sandbox: Sandbox) -> None:
    life.look_at(at("05:00"))
    run(life.services, select(TIINGO_HISTORY, FOLLOWED))
    before = {(row["ticker"], row["trade_date"]): row for row in life.services.tables.read(TIINGO).to_pylist()}
    event(sandbox, "split", "CALDQ", DAY, 4.0)
    sandbox.post("/_sandbox/reset", {"only": ["stats"]})
    (quote,) = (one for one in life.tick("finnhub-quote-portfolio", 0, at("10:00")))
    _exactly_as_planned([quote])
    evening = [one for one in life.live("17:30", "18:00") if one.job == "tiingo-daily-prices"]
    _exactly_as_planned(evening)
    assert sent(evening) == 2, "the list of all, and the whole series of the one that split"
    rows = {(row["ticker"], row["trade_date"]): row for row in life.services.tables.read(TIINGO).to_pylist()}
    assert rows["CALDQ", DAY]["split_factor"] == 4.0
    for key, row in before.items():
        assert rows[key]["close"] == row["close"], "what was paid does not change"
        by = 4.0 if key[0] == "CALDQ" else 1.0
        assert rows[key]["adj_close"] == pytest.approx(row["adj_close"] / by, rel=1e-9)
    price = next(
        row for row in life.services.tables.read("core_finnhub__quotes").to_pylist() if row["ticker"] == "CALDQ"
    )
    assert price["price"] == pytest.approx(before["CALDQ", NEWEST]["close"] / 4, rel=0.2)
    assert quality.outliers(life.services) == [], "an adjusted series has no leap"


@pytest.mark.parametrize(
    ("provider", "field", "job", "moment"),
    [
        ("tiingo", "adjClose", "tiingo-daily-prices", "17:45"),
        ("tiingo", "volume", "tiingo-daily-prices", "17:45"),
        ("finnhub", "pc", "finnhub-quote-portfolio", "10:00"),
        ("finnhub", "headline", "finnhub-company-news-portfolio", "10:10"),
        ("finnhub", "url", "finnhub-company-news-portfolio", "10:10"),
        ("polygon", "results", "polygon-news-market", "10:00"),
        ("polygon", "tickers", "polygon-news-market", "10:00"),
        ("alphavantage", "Technical Analysis: SMA", "alpha-vantage-technical-indicators", "19:30"),
    ],
)
def test_a_renamed_field_names_itself_and_nothing_is_stored_or_lost(
    life: Life, sandbox: Sandbox, provider: str, field: str, job: str, moment: str
) -> None:
    life.look_at(at("08:00"))
    name = JOBS[job].datasets[0]
    good = run(life.services, select(name, ACTIVE if DATASETS[name].cut == "ticker" else FOLLOWED, _days(name)))
    assert good.is_complete
    before = contents(life.services)
    change = {"kind": "renamed_field", "provider": provider, "endpoint": "*", "field": field, "value": "somethingElse"}
    sandbox.post("/_sandbox/world", {"events": [change]})
    life.clock.reach(at(moment, DAY + dt.timedelta(days=1)) if provider == "alphavantage" else at(moment))
    broken = life.tick(job, 0, life.clock.now())
    failures = [failure for one in broken for failure in one.acquired.failures]
    assert failures
    for failure in failures:
        assert failure.error_class == "contract"
        assert f"'{field}'" in failure.message
    assert not is_worth_a_retry(failures)
    kept = contents(life.services)
    assert all(set(map(repr, rows)) <= set(map(repr, kept[table])) for table, rows in before.items()), "none is lost"

    sandbox.post("/_sandbox/reset", {"only": ["events", "stats"]})
    life.look_at(life.clock.now() + dt.timedelta(hours=1))
    mended = life.repair() or life.tick(job, 0, life.clock.now())
    _exactly_as_planned(mended)
    assert find_holes(life.services) == []


def _days(name: str) -> tuple[dt.date, ...]:
    if DATASETS[name].cut == "ticker":
        return ()
    return (NEWEST,) if name == TIINGO_DAILY else (DAY,)


def test_a_delisted_ticker_is_told_of_and_its_past_stays(life: Life, sandbox: Sandbox) -> None:
    life.look_at(at("05:00"))
    run(life.services, select(TIINGO_HISTORY, FOLLOWED))
    before = content(life.services, TIINGO)
    event(sandbox, "delisting", "CALDQ", NEWEST, 0.0)
    sandbox.post("/_sandbox/reset", {"only": ["stats"]})
    evening = [one for one in life.live("17:30", "18:00") if one.job == "tiingo-daily-prices"]
    _exactly_as_planned(evening)
    assert sent(evening) == 2, "the list of all, and the provider's own word on the one that it lacks"
    assert statuses(evening[0].acquired)["CALDQ", DAY.isoformat()] == "empty"
    assert set(before) <= set(content(life.services, TIINGO))
    (late,) = quality.stale(life.services)
    assert late.subject == "CALDQ"
    assert "The newest price is of 2026-06-12" in late.sentence
    assert find_holes(life.services) == []


def test_one_that_is_gone_is_asked_for_no_more_and_comes_back_when_it_trades_again(
    life: Life, sandbox: Sandbox
) -> None:
    """OAKMR left the exchange two years ago; at last it is the ticker of another company."""
    services, gone = life.services, "OAKMR"
    services.ledger.watchlist.add("entire_watchlist", [gone])
    run(services, select(TIINGO_DAILY, [gone], [dt.date(2026, 6, day) for day in (10, 11, 12)]))
    sandbox.post("/_sandbox/reset", {"only": ["stats"]})
    for number, moment in ((0, "17:45"), (1, "20:15")):
        (evening,) = life.tick("tiingo-daily-prices", number, at(moment))
        _exactly_as_planned([evening])
        assert sent([evening]) == 1, "the list of all"
        (told,) = (state for state in evening.acquired.states if state.subject == gone)
        assert (told.status, told.last_date) == ("empty", NEWEST)
        assert "OAKMR is taken for gone: there is no price of it any more." in str(told.reason)
    assert requests_seen(sandbox) == 2
    assert find_holes(services) == [], "nor does the repair ask"

    event(sandbox, "recycled_ticker", gone, DAY, 20.0)
    (back,) = life.tick("tiingo-daily-prices", 1, at("20:15"))
    _exactly_as_planned([back])
    assert sent([back]) == 2, "the list, and the whole series of the one that is back"
    assert statuses(back.acquired)[gone, DAY.isoformat()] == "complete"
    rows = services.tables.read(TIINGO, Where(values={"ticker": [gone]})).to_pylist()
    assert [row["trade_date"] for row in rows] == [DAY]


def test_days_that_nobody_asked_for_after_the_last_known_one_are_holes(life: Life, sandbox: Sandbox) -> None:
    """The daemon was away for three sessions; one of the tickers is not followed any more."""
    days = [dt.date(2026, 6, day) for day in (9, 10, 11, 12)]
    services = life.services
    run(services, select(TIINGO_HISTORY, ("FENWK",), start=days[0]))
    run(services, select(TIINGO_DAILY, FOLLOWED, days[:1]))
    run(services, select(TIINGO_DAILY, ("DOVEK",), days[:1]))
    run(services, select("core_finnhub__earnings_calendar", (), days[:1]))
    sandbox.post("/_sandbox/reset", {"only": ["stats"]})
    found = {hole.selection.dataset: hole for hole in find_holes(services)}
    assert set(found) == {TIINGO_DAILY, CALENDAR}
    prices = found[TIINGO_DAILY]
    assert set(prices.selection.tickers) == set(FOLLOWED) - {"FENWK"}
    assert prices.selection.dates == tuple(days[1:])
    # Its schedule asks from Tuesday to Saturday: Sunday is none of its days.
    assert found[CALENDAR].selection.dates == (*days[1:], days[-1] + dt.timedelta(days=1))
    _exactly_as_planned(life.repair())
    assert requests_seen(sandbox) == len(FOLLOWED) - 1 + 1
    assert find_holes(services) == []


def test_prices_that_are_late_are_missing_until_they_are_there(life: Life, sandbox: Sandbox) -> None:
    """The list of all still holds Friday at 17:45: nothing of it is taken for Monday."""
    life.look_at(at("05:00"))
    run(life.services, select(TIINGO_HISTORY, FOLLOWED))
    before = content(life.services, TIINGO)
    life.clock.reach(at("17:45"))
    sandbox.post("/_sandbox/world", {"at": at("17:29").isoformat()})
    chosen = select(TIINGO_DAILY, FOLLOWED, (DAY,))
    early = run(life.services, chosen)
    assert set(statuses(early).values()) == {"missing"}
    assert [one.reason for one in early.left_out] == ["the list is of 2026-06-12 and of no later day"]
    assert content(life.services, TIINGO) == before
    assert early.sent == 1
    evening = [one for one in life.live("20:00", "20:17") if one.job == "tiingo-daily-prices"]
    _exactly_as_planned(evening)
    assert len(content(life.services, TIINGO)) == len(before) + len(FOLLOWED)
