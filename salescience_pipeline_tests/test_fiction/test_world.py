"""The fictional market: its calendar is the exchange's, its prices depend on seed, ticker and day and on nothing else."""

from __future__ import annotations

import datetime as dt
import itertools
import math
import os
import subprocess
import sys
import warnings

import exchange_calendars
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from salescience_pipeline.fiction import nyse
from salescience_pipeline.fiction.adjust import Adjustment, Chain
from salescience_pipeline.fiction.world import PriceEvent, World
from salescience_pipeline_tests.test_sandbox.serving import DAY, WORLD

TICKERS = st.sampled_from([company.ticker for company in WORLD.all])
DAYS = st.dates(dt.date(2015, 1, 1), dt.date(2026, 12, 31))
FEW = settings(max_examples=40, deadline=None)


# -- calendar ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def xnys() -> dict[str, list[dt.date]]:
    """Sessions and half days as an independent package has them."""
    with warnings.catch_warnings():
        # The package is behind its own dependency; how it computes is not ours to keep free of warnings.
        warnings.simplefilter("ignore")
        calendar = exchange_calendars.get_calendar("XNYS", start="2000-01-01", end="2026-12-31")
        return {
            "sessions": [day.date() for day in calendar.sessions],
            "half days": [day.date() for day in calendar.early_closes],
        }


def test_sessions_are_those_of_an_independent_calendar(xnys):
    assert nyse.sessions(dt.date(2000, 1, 1), dt.date(2026, 12, 31)) == xnys["sessions"]


def test_half_days_are_those_of_an_independent_calendar(xnys):
    ours = [day for day in nyse.sessions(dt.date(2000, 1, 1), dt.date(2026, 12, 31)) if nyse.is_half_day(day)]
    assert ours == xnys["half days"]


@pytest.mark.parametrize(
    ("day", "what"),
    [
        (dt.date(2024, 3, 29), "Good Friday"),
        (dt.date(2021, 12, 24), "Christmas on a Saturday is kept on Friday"),
        (dt.date(2023, 1, 2), "New Year on a Sunday is kept on Monday"),
        (dt.date(2022, 6, 20), "the first Juneteenth, a Sunday"),
        (dt.date(2026, 7, 3), "Independence Day on a Saturday"),
        (dt.date(2012, 10, 29), "hurricane"),
    ],
)
def test_a_holiday_is_no_session(day, what):
    assert not nyse.is_session(day), what


def test_a_saturday_new_year_is_not_made_up_for():
    assert nyse.is_session(dt.date(2021, 12, 31))


@given(DAYS)
@FEW
def test_previous_and_next_session_have_no_session_between(day):
    before, after = nyse.previous_session(day), nyse.next_session(day)
    assert before < day <= after
    assert nyse.sessions(before, after) == sorted({before, after})


def test_an_empty_range_has_no_sessions():
    assert nyse.sessions(dt.date(2026, 1, 5), dt.date(2026, 1, 2)) == []


# -- who exists -------------------------------------------------------------------------------------------------------


def test_the_default_market_has_what_a_pipeline_must_cope_with():
    assert len(WORLD.companies) == 12
    assert len(WORLD.watchlist) == 10
    assert len(WORLD.indices) == 3
    assert any("." in ticker for ticker in WORLD.watchlist)
    assert [c.ticker for c in WORLD.companies if WORLD.delisted(c)] == ["OAKMR"]
    assert "OAKMR" not in WORLD.watchlist
    assert sum(bool(WORLD.splits(ticker)) for ticker in WORLD.watchlist) >= 1
    payers = [ticker for ticker in WORLD.watchlist if WORLD.dividends(ticker)]
    assert len(payers) >= 4
    assert any(company.former_names for company in WORLD.companies)
    assert set(WORLD.active) < set(WORLD.watchlist)


def test_everything_that_carries_text_says_that_it_is_invented():
    for company in World(7, 60, DAY).all:
        assert "(fictional)" in company.name
        assert "(fictional)" in company.description


@pytest.mark.parametrize("count", [1, 12, 13, 500])
def test_a_larger_market_begins_with_the_smaller_one(count):
    small, large = World(7, count, DAY), World(7, 600, DAY)
    assert large.companies[:count] == small.companies
    assert len({company.ticker for company in large.all}) == len(large.all)
    assert len({company.cik for company in large.all}) == len(large.all)


@pytest.mark.parametrize("count", [0, -1, 30_001])
def test_an_impossible_number_of_companies_is_refused(count):
    with pytest.raises(ValueError, match="1 to 30000"):
        World(7, count, DAY)


def test_a_company_is_found_by_any_spelling_and_by_cik():
    company = WORLD.company("BRNWD.B")
    assert company is not None
    assert company is WORLD.company("brnwd-b")
    assert company is WORLD.by_cik(company.cik)
    assert WORLD.company("NOBODY") is None
    assert WORLD.by_cik(1) is None


# -- prices -----------------------------------------------------------------------------------------------------------


@given(TICKERS, DAYS, DAYS)
@FEW
def test_a_bar_depends_on_seed_ticker_and_day_only(ticker, day, today):
    """Neither a later today, nor more companies, nor what was asked before changes a bar."""
    ours = WORLD.bars(ticker, day, day)
    other = World(7, 40, max(today, DAY))
    other.bars(ticker, day - dt.timedelta(days=400), day - dt.timedelta(days=300))
    if day < DAY:
        assert other.bars(ticker, day, day) == ours


def test_the_market_of_a_seed_is_the_same_for_ever():
    """Pinned: a change here changes every figure that somebody may have written down."""
    bar = WORLD.bars("ALDRN", dt.date(2020, 8, 31), dt.date(2020, 8, 31))[0]
    assert (bar.open, bar.high, bar.low, bar.close, bar.volume) == (31.28, 31.49, 31.21, 31.43, 2_780_299)
    assert [company.ticker for company in World(7, 14, DAY).companies[12:]] == ["ZZAAN", "ZZAAO"]


@pytest.mark.parametrize("hash_seed", ["0", "1"])
def test_the_market_does_not_depend_on_the_process(hash_seed):
    code = (
        "import datetime as dt; from salescience_pipeline.fiction.world import World;"
        "w = World(7, 14, dt.date(2026, 11, 20));"
        "print([w.bars(c.ticker, dt.date(2024, 2, 1), dt.date(2024, 2, 9)) for c in w.all], w.companies)"
    )
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    world = World(7, 14, DAY)
    span = (dt.date(2024, 2, 1), dt.date(2024, 2, 9))
    assert done.stdout.strip() == f"{[world.bars(c.ticker, *span) for c in world.all]} {world.companies}"


def test_another_seed_is_another_market():
    span = (dt.date(2020, 1, 1), dt.date(2020, 3, 1))
    assert World(8, 12, DAY).bars("ALDRN", *span) != WORLD.bars("ALDRN", *span)


@given(TICKERS, DAYS, DAYS)
@FEW
def test_a_range_is_the_sum_of_its_days_and_keeps_to_sessions(ticker, first, last):
    bars = WORLD.bars(ticker, first, last)
    days = [bar.date for bar in bars]
    company = WORLD.company(ticker)
    begin, end = max(first, WORLD.first_date(company)), min(last, WORLD.last_date(company))
    assert days == nyse.sessions(begin, end)
    middle = first + (last - first) / 2
    assert bars == WORLD.bars(ticker, first, middle) + WORLD.bars(ticker, middle + dt.timedelta(days=1), last)


@given(TICKERS, st.integers(2015, 2026))
@FEW
def test_a_bar_is_possible(ticker, year):
    for bar in WORLD.bars(ticker, dt.date(year, 1, 1), dt.date(year, 12, 31)):
        assert 0 < bar.low <= min(bar.open, bar.close)
        assert bar.high >= max(bar.open, bar.close)
        assert bar.volume > 0
        assert bar.close == round(bar.close, 2)


def test_bars_end_before_today_unless_its_session_is_over():
    assert WORLD.last_session == dt.date(2026, 11, 19)
    assert WORLD.bars("ALDRN", DAY, DAY) == []
    closed = World(7, 12, DAY, today_closed=True)
    assert [bar.date for bar in closed.bars("ALDRN", DAY, DAY)] == [DAY]
    assert World(7, 12, dt.date(2026, 11, 22)).last_session == DAY


def test_a_delisted_company_has_no_bar_after_its_last_session():
    company = WORLD.company("OAKMR")
    assert WORLD.bars("OAKMR", company.delisted, DAY)[-1].date == company.delisted
    assert World(7, 12, dt.date(2024, 1, 5)).delisted(company) is None


def test_a_split_divides_the_price_as_traded_and_multiplies_the_shares():
    day = dt.date(2020, 8, 31)
    before, after = WORLD.bars("ALDRN", dt.date(2020, 8, 28), day)
    assert after.split_factor == 4.0
    assert before.close / after.open == pytest.approx(4.0, rel=0.1)
    shares = WORLD.shares_on("ALDRN", before.date)
    assert WORLD.shares_on("ALDRN", day) == 4 * shares


def test_dividends_are_quarterly_and_sit_on_their_ex_dates():
    days = list(WORLD.dividends("CALDQ").items())
    assert len(days) > 40
    assert all(85 <= (b - a).days <= 98 for (a, _), (b, _) in itertools.pairwise(days))
    for day, cash in days:
        assert WORLD.bars("CALDQ", day, day)[0].div_cash == cash > 0
    coming = WORLD.upcoming_dividend("CALDQ")
    assert coming is not None
    assert coming[0] > WORLD.last_session
    assert WORLD.upcoming_dividend("ALDRN") is None


# -- events by hand ---------------------------------------------------------------------------------------------------


def test_an_added_split_changes_prices_from_its_day_on_only():
    world = World(7, 12, DAY)
    day = dt.date(2026, 10, 15)
    span = (dt.date(2026, 10, 1), dt.date(2026, 10, 30))
    plain = world.bars("DOVEK", *span)
    world.add_event(PriceEvent("split", "DOVEK", day, 2.0))
    for old, new in zip(plain, world.bars("DOVEK", *span), strict=True):
        if old.date < day:
            assert new == old
        else:
            assert new.close == pytest.approx(old.close / 2, abs=0.006)
            assert new.split_factor == (2.0 if old.date == day else 1.0)
    world.clear_events()
    assert world.bars("DOVEK", *span) == plain


def test_an_added_dividend_and_a_delisting_show():
    world = World(7, 12, DAY)
    day = dt.date(2026, 11, 18)
    world.add_event(PriceEvent("dividend", "aldrn", day, 0.5))
    assert world.bars("ALDRN", day, day)[0].div_cash == 0.5
    world.add_event(PriceEvent("delisting", "ALDRN", day))
    assert world.bars("ALDRN", day, DAY)[-1].date == day
    assert "ALDRN" not in world.watchlist


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (PriceEvent("merger", "ALDRN", DAY, 1.0), "not an event"),
        (PriceEvent("split", "NOBODY", DAY, 2.0), "not a security"),
        (PriceEvent("split", "ALDRN", dt.date(2026, 11, 21), 2.0), "not a trading day"),
        (PriceEvent("split", "ALDRN", DAY, 0.0), "positive"),
        (PriceEvent("dividend", "ALDRN", DAY, math.inf), "positive"),
    ],
)
def test_an_event_that_makes_no_sense_is_refused(event, reason):
    world = World(7, 12, DAY)
    with pytest.raises(ValueError, match=reason):
        world.add_event(event)
    assert world.events == ()


# -- adjustment -------------------------------------------------------------------------------------------------------


@given(st.dictionaries(DAYS, st.floats(0.1, 10), max_size=6), DAYS)
@FEW
def test_a_chain_is_the_product_of_what_lies_ahead(factors, day):
    expected = math.prod(factor for when, factor in factors.items() if when > day)
    assert Chain(factors).after(day) == pytest.approx(expected)


def test_adjustment_follows_the_measured_rules_around_one_dividend():
    adjustment = Adjustment(WORLD, "CALDQ")
    day, cash = list(WORLD.dividends("CALDQ").items())[-1]
    before = nyse.previous_session(day)
    close, close_before = WORLD.close_on("CALDQ", day), WORLD.close_on("CALDQ", before)
    assert adjustment.crsp.after(before) / adjustment.crsp.after(day) == pytest.approx(
        1 / (1 + cash / close), abs=1e-12
    )
    assert adjustment.yahoo.after(before) / adjustment.yahoo.after(day) == pytest.approx(1 - cash / close_before)


def test_a_dividend_on_the_day_of_a_split_is_counted_in_the_new_shares():
    world = World(7, 12, DAY)
    day = dt.date(2026, 11, 18)
    world.add_event(PriceEvent("split", "ALDRN", day, 5.0))
    world.add_event(PriceEvent("dividend", "ALDRN", day, 0.5))
    before = nyse.previous_session(day)
    adjustment = Adjustment(world, "ALDRN")
    assert adjustment.yahoo.after(before) == pytest.approx(1 - 0.5 / (world.close_on("ALDRN", before) / 5))
    assert adjustment.splits.after(before) == 5.0


@given(TICKERS, DAYS, DAYS)
@FEW
def test_an_adjustment_of_recent_days_equals_the_whole_one(ticker, since, day):
    whole, recent = Adjustment(WORLD, ticker), Adjustment(WORLD, ticker, since)
    if day >= since:
        assert recent.crsp.after(day) == pytest.approx(whole.crsp.after(day), rel=1e-12)
        assert recent.yahoo.after(day) == pytest.approx(whole.yahoo.after(day), rel=1e-12)
        assert recent.splits.after(day) == whole.splits.after(day)
