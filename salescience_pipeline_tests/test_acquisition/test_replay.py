"""Every table can be made again from the archive alone: the same rows, and not one request."""

from __future__ import annotations

import datetime as dt
import shutil
import sqlite3
from pathlib import Path

import pytest

from salescience_pipeline.acquisition.replay import span_of
from salescience_pipeline.acquisition.sandbox_process import Sandbox
from salescience_pipeline.acquisition.services import Services
from salescience_pipeline.catalog.datasets import DATASETS, Cut
from salescience_pipeline.clients.tiingo import eod_bulk, eod_range
from salescience_pipeline.clients.yahoo import chart
from salescience_pipeline.identifiers import Ticker
from salescience_pipeline.settings import Settings
from salescience_pipeline_tests.test_acquisition.runs import (
    MONDAY,
    NEWEST,
    PLAIN,
    TIINGO,
    TIINGO_DAILY,
    TIINGO_HISTORY,
    WEEK,
    content,
    contents,
    event,
    everything,
    requests_seen,
    run,
    select,
    statuses,
)

ONE = Ticker("ALDRN")


def _empty_tables(services: Services) -> None:
    """As if the tables had been lost, or their schema had changed; archive and ledger stay."""
    for dataset in DATASETS.values():
        for table in dataset.outputs.values():
            shutil.rmtree(services.tables.uri(table), ignore_errors=True)


def _without_network(overrides: dict[str, str]) -> Services:
    """The same home, with an address at which nobody answers."""
    return Services.open(Settings(**{**overrides, "sandbox_url": "http://127.0.0.1:9"}))


def test_filings_and_prices_come_back_as_they_were(
    services: Services, overrides: dict[str, str], sandbox: Sandbox
) -> None:
    spine = [
        selection for selection in everything() if DATASETS[selection.dataset].provider in ("sec", "tiingo", "yahoo")
    ]
    for selection in spine:
        run(services, selection)
    before, seen = contents(services), requests_seen(sandbox)
    _empty_tables(services)
    with _without_network(overrides) as offline:
        for selection in spine:
            acquired = run(offline, selection, "replayed", mode="replay")
            assert acquired.failures == [], selection.dataset
            assert acquired.sent == 0
            assert acquired.from_archive >= 1
        assert contents(offline) == before
        # And once more over what is there: nothing but provenance changes.
        for selection in spine:
            run(offline, selection, "again", mode="replay")
        assert contents(offline) == before
    assert requests_seen(sandbox) == seen


def test_days_that_came_by_every_way_come_back(services: Services, overrides: dict[str, str], sandbox: Sandbox) -> None:
    """A range, the list of the evening, a re-pull after a split, and a ticker that the list does not hold."""
    names = (*PLAIN, "OAKMR", "ZZZZZ")
    run(services, select(TIINGO_DAILY, names, WEEK[:-2]))
    run(services, select(TIINGO_DAILY, names, WEEK[-2:-1]))
    event(sandbox, "split", ONE, NEWEST, 2.0)
    live = run(services, select(TIINGO_DAILY, names, [NEWEST]))
    before = [row for row in services.tables.read(TIINGO).to_pylist() if row["trade_date"] in WEEK]
    _empty_tables(services)
    with _without_network(overrides) as offline:
        replayed = run(offline, select(TIINGO_DAILY, names, WEEK), mode="replay")
        assert replayed.failures == []
        after = offline.tables.read(TIINGO).to_pylist()
        figures = [{name: row[name] for name in ("ticker", "trade_date", "close", "adj_close")} for row in after]
        assert figures == [{name: row[name] for name in figures[0]} for row in before]
        newest = {key: status for key, status in statuses(replayed).items() if key[1] == NEWEST.isoformat()}
        assert newest == statuses(live)
    own = [row for row in after if row["ticker"] == ONE]
    assert [round(row["close"] / row["adj_close"], 6) for row in own] == [2.0, 2.0, 2.0, 2.0, 1.0]


GROWING = [name for name, row in DATASETS.items() if row.grows]


def _days(name: str) -> tuple[dt.date, ...]:
    if DATASETS[name].cut is not Cut.DATE:
        return ()
    return (MONDAY,) if DATASETS[name].is_snapshot else (*WEEK[-1:], NEWEST + dt.timedelta(days=1), MONDAY)


@pytest.mark.parametrize("name", GROWING)
def test_what_grew_over_many_answers_comes_back_from_all_of_them(
    services: Services, overrides: dict[str, str], sandbox: Sandbox, name: str
) -> None:
    """Windows that began where an earlier one ended, their pages, polls, and readings of other tickers."""
    days = _days(name)
    first = run(services, select(name, PLAIN[:2], days[:1]))
    second = run(services, select(name, PLAIN, days, force=True))
    assert first.is_complete
    assert second.is_complete
    before, seen, told = contents(services), requests_seen(sandbox), statuses(second)
    _empty_tables(services)
    with _without_network(overrides) as offline:
        replayed = run(offline, select(name, PLAIN, days), "replayed", mode="replay")
        assert replayed.failures == []
        assert (replayed.sent, replayed.from_archive) == (0, replayed.planned)
        assert replayed.from_archive >= 2
        assert contents(offline) == before
        assert statuses(replayed) == told
        run(offline, select(name, PLAIN, days), "again", mode="replay")
        assert contents(offline) == before
    assert requests_seen(sandbox) == seen


def test_a_window_whose_next_page_nobody_kept_settles_no_day(services: Services, overrides: dict[str, str]) -> None:
    """The window of some months has several pages; the archive lost one of them."""
    name = "core_polygon__news_articles"
    days = [MONDAY - dt.timedelta(days=back) for back in range(200)]
    assert run(services, select(name, (), days)).sent > 1
    before = content(services, name)
    _empty_tables(services)
    with sqlite3.connect(services.archive.audit.path) as audit:
        audit.execute("update answers set complete = 0 where seq = (select max(seq) from answers)")
    with _without_network(overrides) as offline:
        replayed = run(offline, select(name, (), days), mode="replay")
        assert {failure.error_class for failure in replayed.failures} == {"NotArchived"}
        assert 0 < len(replayed.open_partitions()) < len(days), "the days of that window; the others are whole"
        kept = content(offline, name)
        assert kept
        assert set(map(repr, kept)) < set(map(repr, before)), "the rows of the pages that are there"


def test_one_ticker_is_found_in_the_list_of_all(services: Services, overrides: dict[str, str]) -> None:
    run(services, select(TIINGO_DAILY, dates=[NEWEST]))
    before = [row for row in content(services, TIINGO) if row[0] == ONE]
    _empty_tables(services)
    with _without_network(overrides) as offline:
        assert run(offline, select(TIINGO_DAILY, [ONE], [NEWEST]), mode="replay").failures == []
        assert content(offline, TIINGO) == before


def test_a_later_day_finds_the_history_of_an_earlier_one(services: Services, overrides: dict[str, str]) -> None:
    """The address of a history ends with the day on which it was asked for; a replay comes later."""
    run(services, select(TIINGO_HISTORY))
    run(services, select("core_yahoo__eod_prices"))
    before = contents(services)
    _empty_tables(services)
    later = {**overrides, "today": "2026-09-01"}
    with _without_network(later) as offline:
        for dataset in (TIINGO_HISTORY, "core_yahoo__eod_prices"):
            replayed = run(offline, select(dataset), mode="replay")
            assert replayed.failures == []
            assert {state.last_date for state in replayed.states} <= {NEWEST, dt.date(2026, 6, 15)}
        assert contents(offline) == before


def test_what_was_never_asked_for_is_named(services: Services, overrides: dict[str, str]) -> None:
    run(services, select(TIINGO_DAILY, PLAIN[:1], WEEK[:2]))
    with _without_network(overrides) as offline:
        acquired = run(offline, select(TIINGO_DAILY, PLAIN[:2], WEEK[:2]), mode="replay")
        assert {(failure.subject, failure.error_class) for failure in acquired.failures} == {(PLAIN[1], "NotArchived")}
        assert acquired.open_partitions() == {day.isoformat() for day in WEEK[:2]}
        facts = run(offline, select("core_sec__company_tickers", ()), mode="replay")
        assert [failure.error_class for failure in facts.failures] == ["NotArchived"]


@pytest.mark.parametrize(
    ("request_", "span"),
    [
        (eod_range(ONE, WEEK[0], WEEK[3]), (WEEK[0], WEEK[3])),
        (chart(ONE, WEEK[0], WEEK[3]), (WEEK[0], WEEK[3])),
        (eod_bulk(NEWEST, PLAIN), None),
    ],
)
def test_the_days_of_an_address_are_read_off_it(request_: object, span: object) -> None:
    assert span_of(request_) == span  # type: ignore[arg-type]


def test_a_replay_starts_no_sandbox(tmp_path: Path) -> None:
    with Services.open(Settings(home=tmp_path, today="2026-06-15")) as services:
        assert run(services, select(TIINGO_HISTORY), mode="replay").failures
    assert not (tmp_path / "fictional" / "sandbox.json").exists()
