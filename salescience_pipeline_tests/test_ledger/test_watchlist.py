"""The watchlist on both databases: idempotent, with history, and nothing written when one ticker is bad."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import pytest

from salescience_pipeline.catalog.scopes import Scope
from salescience_pipeline.identifiers import InvalidIdentifier
from salescience_pipeline.ledger import Ledger
from salescience_pipeline.ledger.errors import LedgerError
from salescience_pipeline.ledger.watchlist import Watchlist
from salescience_pipeline_tests.clocks import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock(dt.datetime(2026, 3, 10, 15, 0, tzinfo=dt.UTC))


@pytest.fixture
def watchlist(ledger: Ledger, clock: Clock) -> Iterator[Watchlist]:
    return Watchlist(ledger.engine, clock=clock)


def test_adding_is_idempotent_and_says_what_was_new(watchlist: Watchlist) -> None:
    assert watchlist.add(Scope.ENTIRE_WATCHLIST, ["msft", "AAPL"]) == ("MSFT", "AAPL")
    assert watchlist.add(Scope.ENTIRE_WATCHLIST, ["AAPL", "KO", "KO"]) == ("KO",)
    assert watchlist.tickers(Scope.ENTIRE_WATCHLIST) == ("AAPL", "KO", "MSFT")


@pytest.mark.parametrize("bad", ["../../x", "a|b", "A" * 300, "", "AAPL\n; drop table watchlist"])
def test_a_bad_ticker_is_refused_before_anything_is_written(watchlist: Watchlist, bad: str) -> None:
    with pytest.raises(InvalidIdentifier):
        watchlist.add(Scope.ENTIRE_WATCHLIST, ["AAPL", bad])
    assert watchlist.entries(past=True) == ()


def test_history_answers_for_any_day(watchlist: Watchlist, clock: Clock) -> None:
    watchlist.add(Scope.INDICES, ["SPY"])
    clock.now = dt.datetime(2026, 3, 20, 15, 0, tzinfo=dt.UTC)
    assert watchlist.remove(Scope.INDICES, ["SPY", "QQQ"], by="ann") == ("SPY",)
    assert watchlist.remove(Scope.INDICES, ["SPY"]) == ()
    clock.now = dt.datetime(2026, 4, 1, 15, 0, tzinfo=dt.UTC)
    watchlist.add(Scope.INDICES, ["SPY"])

    days = {9: (), 10: ("SPY",), 19: ("SPY",), 20: (), 31: ()}
    assert {day: watchlist.tickers(Scope.INDICES, on=dt.date(2026, 3, day)) for day in days} == days
    assert watchlist.tickers(Scope.INDICES, on=dt.date(2026, 4, 1)) == watchlist.tickers(Scope.INDICES) == ("SPY",)
    first, second = watchlist.entries(Scope.INDICES, past=True)
    assert (first.removed_by, first.valid_to) == ("ann", dt.datetime(2026, 3, 20, 15, 0, tzinfo=dt.UTC))
    assert (second.valid_from, second.valid_to) == (clock.now, None)


def test_a_day_ends_at_the_exchange_not_in_greenwich(watchlist: Watchlist, clock: Clock) -> None:
    clock.now = dt.datetime(2026, 3, 11, 2, 0, tzinfo=dt.UTC)  # 22:00 on the 10th in New York
    watchlist.add(Scope.INDICES, ["SPY"])
    assert watchlist.tickers(Scope.INDICES, on=dt.date(2026, 3, 10)) == ("SPY",)


def test_since_dates_an_entry_back(watchlist: Watchlist) -> None:
    watchlist.add(Scope.ACTIVE_SYMBOLS, ["AAPL"], since=dt.date(2024, 1, 1))
    assert watchlist.tickers(Scope.ACTIVE_SYMBOLS, on=dt.date(2024, 1, 1)) == ("AAPL",)
    assert watchlist.tickers(Scope.ACTIVE_SYMBOLS, on=dt.date(2023, 12, 31)) == ()


def test_the_entire_watchlist_holds_the_active_symbols_too(watchlist: Watchlist) -> None:
    watchlist.add("entire_watchlist", ["AAPL"])
    watchlist.add("ACTIVE_SYMBOLS", ["AAPL", "KO"])
    assert watchlist.tickers(Scope.ENTIRE_WATCHLIST) == ("AAPL", "KO")
    assert watchlist.tickers(Scope.NONE) == ()


def test_organisations_do_not_see_each_other(watchlist: Watchlist) -> None:
    watchlist.add(Scope.INDICES, ["SPY"], organization="acme")
    watchlist.add(Scope.INDICES, ["QQQ"], organization="beta")
    watchlist.add(Scope.INDICES, ["IWM"])
    assert watchlist.add(Scope.INDICES, ["SPY"], organization="acme") == ()
    assert watchlist.tickers(Scope.INDICES, organization="acme") == ("SPY",)
    assert watchlist.tickers(Scope.INDICES) == ("IWM",)
    assert watchlist.remove(Scope.INDICES, ["QQQ"], organization="acme") == ()


def test_scopes_that_cannot_hold_tickers_are_refused(watchlist: Watchlist) -> None:
    with pytest.raises(LedgerError, match="whole market"):
        watchlist.add(Scope.NONE, ["AAPL"])
    with pytest.raises(LedgerError, match="There is no scope 'everything'"):
        watchlist.tickers("everything")


def test_seeding_fills_once_and_respects_what_was_removed(watchlist: Watchlist) -> None:
    lists = {Scope.ENTIRE_WATCHLIST: ["AAPL", "KO"], Scope.INDICES: ["SPY"]}
    assert watchlist.seed(lists) == ("AAPL", "KO", "SPY")
    watchlist.remove(Scope.INDICES, ["SPY"])
    assert watchlist.seed(lists) == ()
    assert watchlist.tickers(Scope.INDICES) == ()


def test_ten_thousand_tickers_fit_into_one_call(watchlist: Watchlist) -> None:
    names = [f"T{number}" for number in range(10_000)]
    assert len(watchlist.add(Scope.ENTIRE_WATCHLIST, names)) == 10_000
    assert len(watchlist.remove(Scope.ENTIRE_WATCHLIST, names)) == 10_000
