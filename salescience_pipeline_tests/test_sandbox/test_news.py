"""The one stream of news and the one schedule of earnings that every provider tells from."""

from __future__ import annotations

import datetime as dt
import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from salescience_pipeline.fiction.companies import FIRST_FILING_DAY
from salescience_pipeline.fiction.news import NEWS_FROM
from salescience_pipeline.fiction.world import World
from salescience_pipeline.sandbox.app import Sandbox
from salescience_pipeline_tests.test_sandbox.calls import FINNHUB, finnhub_news, polygon_news, quarter_of_news
from salescience_pipeline_tests.test_sandbox.serving import DAY, TODAY

# -- the stream --------------------------------------------------------------------------------------------------------


def test_the_stream_is_the_same_for_everybody_who_asks_in_any_order():
    day = dt.date(2026, 11, 17)
    one, other = Sandbox(World(7, 12, DAY)), Sandbox(World(7, 12, DAY))
    other.news.day(dt.date(2026, 3, 3))
    assert one.news.day(day) == other.news.day(day)
    assert one.news.day(day) != Sandbox(World(8, 12, DAY)).news.day(day)


@given(st.dates(NEWS_FROM, dt.date(2026, 11, 19)))
@settings(max_examples=15, deadline=None)
def test_a_story_does_not_depend_on_how_many_companies_there_are_nor_on_today(day):
    small = Sandbox(World(7, 5, dt.date(2026, 11, 19)))
    large = Sandbox(World(7, 80, DAY))
    names = {company.ticker for company in small.world.companies}
    for company in small.world.companies:
        mine = {story.key: story for story in small.news.day(day, company)}
        theirs = {story.key: story for story in large.news.day(day, company) if set(story.tickers) <= names}
        assert mine == theirs


@given(st.dates(dt.date(2025, 1, 1), dt.date(2026, 11, 19)))
@settings(max_examples=20, deadline=None)
def test_ids_are_unique_and_rise_with_the_time_of_publication(day):
    stories = Sandbox(World(7, 400, DAY)).news.day(day)
    ids = [number for story in stories for number in story.finnhub]
    assert len(set(ids)) == len(ids)
    names = [name for story in stories for name in story.polygon]
    assert len(set(names)) == len(names)
    for before, after in itertools.pairwise(stories):
        if before.finnhub and after.finnhub and before.published < after.published:
            assert before.finnhub[0] < after.finnhub[0]


def test_the_news_of_a_company_are_its_part_of_the_market():
    news = Sandbox(World(7, 100, DAY)).news
    world = World(7, 100, DAY)
    for day in (dt.date(2026, 11, 16), dt.date(2026, 10, 29), dt.date(2026, 11, 15)):
        market = news.day(day)
        for company in world.all:
            assert news.day(day, company) == [story for story in market if company.ticker in story.tickers]


def test_most_stories_reach_one_provider_and_press_releases_reach_both(sandbox):
    ours, theirs = quarter_of_news(sandbox)
    titles, others = {row["headline"] for row in ours}, {row["title"] for row in theirs}
    assert titles & others
    assert titles - others
    assert others - titles
    releases = {row["title"]: row for row in theirs if row["author"] in {"Lanternwire", "Rainmark Newswire"}}
    assert set(releases) <= titles
    for row in ours:
        if row["headline"] in releases:
            other = releases[row["headline"]]
            same_time = dt.datetime.fromisoformat(other["published_utc"]).timestamp() == row["datetime"]
            assert not same_time or row["url"] != other["article_url"]


def test_results_come_as_a_press_release_at_the_hour_of_the_calendar(sandbox):
    calendar = sandbox.get("/finnhub/calendar/earnings?from=2026-10-01&to=2026-11-20", headers=FINNHUB.headers).json()[
        "earningsCalendar"
    ]
    assert {row["hour"] for row in calendar} == {"amc", "bmo"}
    for row in calendar:
        told = [
            article
            for article in polygon_news(sandbox, row["symbol"], row["date"], row["date"])
            if "Reports Results" in article["title"]
        ]
        (release,) = told
        at = dt.datetime.fromisoformat(release["published_utc"])
        assert at.astimezone(dt.timezone(dt.timedelta(hours=-5 if row["date"] >= "2026-11-01" else -4))).time() == (
            dt.time(16, 5) if row["hour"] == "amc" else dt.time(7)
        )
        assert f"Fiscal {row['year']}" in release["title"]
        assert f"Quarter {row['quarter']}" in release["title"]


def test_nothing_is_published_after_the_moment_that_is_looked_at(sandbox):
    listed = [company["ticker"] for company in sandbox.get("/_sandbox/world").json()["companies"]]
    ticker, whole = next((t, rows) for t in listed if (rows := finnhub_news(sandbox, t, TODAY, TODAY)))
    at = dt.datetime.fromtimestamp(whole[0]["datetime"], dt.UTC)
    earlier = [row for row in whole if row["datetime"] < whole[0]["datetime"]]
    for offset, expected in ((0, whole), (-1, earlier)):
        moment = (at + dt.timedelta(seconds=offset)).isoformat()
        assert sandbox.http.post("/_sandbox/world", json={"at": moment}).json()["at"] == moment
        assert finnhub_news(sandbox, ticker, TODAY, TODAY) == expected
    assert sandbox.http.post("/_sandbox/world", json={"at": None}).json()["at"] is None
    assert finnhub_news(sandbox, ticker, TODAY, TODAY) == whole


def test_a_given_date_is_over_and_the_date_of_the_clock_is_under_way():
    given = Sandbox(World(7, 3, DAY))
    assert given.moment().isoformat() == "2026-11-21T04:59:59+00:00"
    real = Sandbox(World(7, 3))
    before, moment, after = real.clock.now(), real.moment(), real.clock.now()
    assert before <= moment <= after or moment.date() < after.date(), "midnight in New York may pass meanwhile"


@pytest.mark.parametrize("moment", ["2026-11-19T12:00:00Z", "2026-11-20T12:00:00", "noon"])
def test_a_moment_outside_the_day_is_refused(sandbox, moment):
    assert sandbox.http.post("/_sandbox/world", json={"at": moment}).status_code == 400
    assert sandbox.get("/_sandbox/world").json()["at"] is None


def test_results_are_told_in_the_calendar_when_their_moment_has_come():
    sandbox = Sandbox(World(7, 12, dt.date(2026, 10, 29)))
    due = [
        a
        for a in sandbox.earnings.between(dt.date(2026, 10, 1), dt.date(2026, 11, 10))
        if a.date == sandbox.world.today
    ]
    days = sorted({a.date for a in sandbox.earnings.between(dt.date(2026, 10, 1), dt.date(2026, 11, 10))})
    sandbox = Sandbox(World(7, 12, days[0]))
    (announcement, *_) = sandbox.earnings.between(days[0], days[0])
    assert announcement.told
    moment = sandbox.earnings.moment(announcement.company, days[0])
    for seconds, told in ((-1, False), (0, True)):
        sandbox.set_moment((moment + dt.timedelta(seconds=seconds)).isoformat())
        (again, *_) = sandbox.earnings.between(days[0], days[0])
        assert again.told is told
    assert all(a.told for a in due)


def test_the_schedule_begins_with_the_filings_and_ends_with_the_listing():
    sandbox = Sandbox(World(7, 12, DAY))
    for company in sandbox.world.companies:
        dates = [a.date for a in sandbox.earnings.of(company)]
        assert dates == sorted(dates)
        assert min(dates) >= FIRST_FILING_DAY
        if company.delisted is not None:
            assert max(dates) <= company.delisted
        else:
            assert max(dates) > DAY
    assert sandbox.earnings.of(sandbox.world.etfs[0]) == []


# -- many companies ----------------------------------------------------------------------------------------------------


def test_five_thousand_companies_are_drawn_only_when_they_are_asked_for():
    sandbox = Sandbox(World(7, 5000, DAY))
    sandbox.load(["finnhub", "polygon", "alphavantage"])
    assert sandbox.world._months == {}
    assert sandbox.earnings._books == {}
    company = sandbox.world.companies[3000]
    assert any(sandbox.news.days(dt.date(2026, 1, 1), DAY, company, newest=True))
    assert sandbox.world._months == {}, "news need no prices"
    assert sandbox.earnings._books == {}, "nor accounts"
    assert sandbox.earnings.between(DAY, DAY + dt.timedelta(days=3))
    assert 0 < len(sandbox.earnings._books) < 400, "a calendar needs the accounts of those who report"
