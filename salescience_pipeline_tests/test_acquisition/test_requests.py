"""The real loop over the real sandbox: as many requests as planned, never one twice, and the same rows whatever the way."""

from __future__ import annotations

import datetime as dt

import pytest

from salescience_pipeline.acquisition.acquire import acquire, plan, watching
from salescience_pipeline.acquisition.outcome import Acquired
from salescience_pipeline.acquisition.sandbox_process import Sandbox
from salescience_pipeline.acquisition.services import SelectionError, Services
from salescience_pipeline.catalog.datasets import DATASETS
from salescience_pipeline_tests.test_acquisition.runs import (
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
    fault,
    requests_seen,
    run,
    select,
    statuses,
)


def test_each_dataset_sends_its_minimum_and_the_second_run_nothing(services: Services, sandbox: Sandbox) -> None:
    for selection in everything():
        before = requests_seen(sandbox)
        planned, _ = plan(services, selection)
        assert requests_seen(sandbox) == before, "a plan sends nothing"
        acquired = run(services, selection, "first")
        assert acquired.is_complete, acquired.sentence()
        assert len(planned.requests) == planned.minimum == acquired.planned
        session = 2 if selection.dataset == "core_yahoo__company_profiles" else 0  # cookie and crumb
        assert requests_seen(sandbox) - before == acquired.sent == planned.minimum + session
    first, seen = contents(services), requests_seen(sandbox)
    versions = {table: services.tables.version(table) for table in first}
    for selection in everything():
        again = run(services, selection, "second")
        assert (again.planned, again.sent, again.rows) == (0, 0, 0), again.plan
        assert "nothing to ask for" in again.sentence()
    assert requests_seen(sandbox) == seen
    assert {table: services.tables.version(table) for table in first} == versions
    # Asked for once more on purpose: only provenance may change.
    for selection in everything():
        forced = select(selection.dataset, selection.tickers, selection.dates, n_years=1, force=True)
        run(services, forced, "third")
    assert requests_seen(sandbox) > seen
    assert contents(services) == first


def test_the_newest_session_is_one_call_for_all(services: Services, sandbox: Sandbox) -> None:
    acquired = run(services, select(TIINGO_DAILY, dates=[NEWEST]))
    assert acquired.sent == requests_seen(sandbox) == 1
    assert statuses(acquired) == {(ticker, NEWEST.isoformat()): "complete" for ticker in PLAIN}
    assert services.tables.row_count(TIINGO) == len(PLAIN)


def test_older_days_are_one_ranged_call_per_ticker(services: Services) -> None:
    acquired = run(services, select(TIINGO_DAILY, dates=WEEK))
    assert acquired.sent == acquired.plan.minimum == len(PLAIN)
    assert services.tables.row_count(TIINGO) == len(PLAIN) * len(WEEK)


def test_days_and_history_come_to_the_same_rows(services: Services) -> None:
    for day in WEEK:
        run(services, select(TIINGO_DAILY, dates=[day]))
    by_days = content(services, TIINGO)
    run(services, select(TIINGO_HISTORY))
    whole = content(services, TIINGO)
    day_at = services.tables.read(TIINGO).column_names.index("trade_date")
    assert [row for row in whole if row[day_at] in WEEK] == by_days


def test_a_history_spares_its_days_and_days_extend_a_history(services: Services, sandbox: Sandbox) -> None:
    run(services, select(TIINGO_HISTORY))
    seen = requests_seen(sandbox)
    assert run(services, select(TIINGO_DAILY, dates=WEEK)).sent == 0
    assert requests_seen(sandbox) == seen


@pytest.mark.parametrize(("kind", "value"), [("split", 2.0), ("dividend", 0.5)])
def test_a_corporate_action_pulls_the_history_of_that_ticker_only(
    services: Services, sandbox: Sandbox, kind: str, value: float
) -> None:
    hit, *others = PLAIN
    run(services, select(TIINGO_DAILY, dates=WEEK[:-1]))
    before = {row[0]: row for row in content(services, TIINGO)}
    event(sandbox, kind, hit, NEWEST, value)
    acquired = run(services, select(TIINGO_DAILY, dates=[NEWEST]))
    assert acquired.sent == 2, "the bulk call, and the history of one ticker"
    assert acquired.minimum == acquired.planned == 2, "the answer proved that no fewer would do"
    assert statuses(acquired) == {(ticker, NEWEST.isoformat()): "complete" for ticker in PLAIN}
    rows = services.tables.read(TIINGO).to_pylist()
    per_ticker = {ticker: [row for row in rows if row["ticker"] == ticker] for ticker in PLAIN}
    assert len(per_ticker[hit]) > 500, "from the first day that we keep"
    assert {len(per_ticker[ticker]) for ticker in others} == {len(WEEK)}
    # One basis of adjustment in the whole series: the factor between raw and adjusted changes on the day only.
    factors = [round(row["close"] / row["adj_close"], 6) for row in per_ticker[hit]]
    assert factors[-1] == 1.0
    assert factors[-2] != 1.0
    assert len(set(factors[-len(WEEK) : -1])) == 1
    assert before


def test_a_list_without_a_ticker_that_is_complete_leaves_it_complete(services: Services) -> None:
    run(services, select(TIINGO_DAILY, PLAIN[:1], [NEWEST]))
    acquired = run(services, select(TIINGO_DAILY, dates=[NEWEST]))
    assert acquired.sent == 1, "the list of those two that were missing"
    assert set(statuses(acquired)) == {(ticker, NEWEST.isoformat()) for ticker in PLAIN[1:]}
    states = services.ledger.completeness.states(TIINGO_DAILY)
    assert {state.status for state in states} == {"complete"}


def test_an_action_after_the_days_of_a_backfill_still_leaves_one_basis(services: Services, sandbox: Sandbox) -> None:
    """A day stored long ago, a split since that nobody saw, and days in between that are asked for late."""
    hit = PLAIN[0]
    old = dt.date(2026, 3, 2)
    run(services, select(TIINGO_DAILY, [hit], [old]))
    event(sandbox, "split", hit, dt.date(2026, 5, 4), 2.0)
    later = [old + dt.timedelta(days=back) for back in (1, 2, 3)]
    acquired = run(services, select(TIINGO_DAILY, [hit], later))
    assert acquired.sent == acquired.planned == acquired.plan.minimum == 1
    rows = services.tables.read(TIINGO).to_pylist()
    assert {(row["trade_date"] < dt.date(2026, 5, 4), round(row["close"] / row["adj_close"], 6)) for row in rows} == {
        (True, 2.0),
        (False, 1.0),
    }
    assert rows[0]["trade_date"] == old


def test_a_recycled_ticker_keeps_the_prices_of_its_former_company(services: Services, sandbox: Sandbox) -> None:
    run(services, select(TIINGO_HISTORY, ["OAKMR"]))
    before = content(services, TIINGO)
    assert before
    event(sandbox, "recycled_ticker", "OAKMR", dt.date(2026, 5, 4), 20.0)
    run(services, select(TIINGO_HISTORY, ["OAKMR"], force=True))
    after = content(services, TIINGO)
    assert set(map(repr, before)) < set(map(repr, after)), "not one of them changed or went"
    gone = [row["trade_date"] for row in services.tables.read(TIINGO).to_pylist()]
    assert {day for day in gone if day >= dt.date(2026, 1, 1)} == set(services.sessions(dt.date(2026, 5, 4), NEWEST))


def test_a_day_before_the_listing_is_a_sentence_and_no_request(services: Services, sandbox: Sandbox) -> None:
    """Before anything is known the provider is asked; afterwards nobody is."""
    young, before = "OAKMR", [dt.date(2026, 1, 5), dt.date(2026, 1, 6)]
    event(sandbox, "recycled_ticker", young, dt.date(2026, 5, 4), 20.0)
    first = run(services, select(TIINGO_DAILY, [young], before[:1]))
    assert (first.sent, set(statuses(first).values())) == (1, {"empty"})
    run(services, select(TIINGO_HISTORY, [young]))
    stored, seen = content(services, TIINGO), requests_seen(sandbox)
    later = run(services, select(TIINGO_DAILY, [young], before))
    assert requests_seen(sandbox) == seen
    assert [refusal.reason for refusal in later.plan.refused] == [
        f"The prices of OAKMR begin on 2026-05-04; {day} lies before its listing." for day in before
    ]
    assert set(statuses(later).values()) == {"empty"}
    assert content(services, TIINGO) == stored


def test_without_the_bulk_endpoint_each_ticker_is_asked_for(services: Services, sandbox: Sandbox) -> None:
    refusal = '{"detail": "You do not have permission to access the bulk EOD endpoint"}'
    answer = {"status": 403, "content_type": "application/json", "body": refusal}
    fault(sandbox, "status", r"/tiingo/daily/prices", params=answer)
    acquired = run(services, select(TIINGO_DAILY, dates=[NEWEST]))
    assert not acquired.failures, acquired.failures
    assert acquired.sent == 1 + len(PLAIN)
    assert acquired.minimum == len(PLAIN), "who had known would not have tried"
    assert set(statuses(acquired).values()) == {"complete"}
    assert services.tables.row_count(TIINGO) == len(PLAIN)


def test_the_daily_index_never_makes_a_filing_poorer(services: Services) -> None:
    names = ("ALDRN", "BRNWD.B", "CALDQ", "DOVEK", "FENWK", "IRNVL")
    run(services, select("core_sec__company_tickers", ()))
    run(services, select("core_sec__filings_history", names, n_years=1))
    rich = content(services, "core_sec__filings")
    rows = services.tables.read("core_sec__filings").to_pylist()
    assert all(row["primary_document"] for row in rows)
    days = sorted({row["filing_date"] for row in rows})[-3:]
    index = run(services, select("core_sec__filings_daily", names, days))
    assert index.sent == len(days)
    assert index.rows > 0, "the index names filings that are known"
    assert content(services, "core_sec__filings") == rich


def test_the_history_enriches_what_the_daily_index_brought(services: Services) -> None:
    names = ("ALDRN", "BRNWD.B", "CALDQ", "DOVEK", "FENWK", "IRNVL")
    run(services, select("core_sec__company_tickers", ()))
    days = [NEWEST - dt.timedelta(days=back) for back in range(60)]
    run(services, select("core_sec__filings_daily", names, days))
    poor = services.tables.read("core_sec__filings").to_pylist()
    assert poor
    assert {row["primary_document"] for row in poor} == {None}
    followed = services.ledger.watchlist.add("entire_watchlist", names)
    assert services.tickers_with_unread_filings()
    run(services, select("core_sec__filings_history", followed, n_years=1))
    assert services.tickers_with_unread_filings() == ()
    known = {row["accession"]: row for row in services.tables.read("core_sec__filings").to_pylist()}
    assert all(known[row["accession"]]["primary_document"] for row in poor)


def test_a_day_without_trading_costs_one_look_and_a_settled_one_none(services: Services) -> None:
    saturday = NEWEST + dt.timedelta(days=1)
    acquired = run(services, select(TIINGO_DAILY, dates=[saturday]))
    assert (acquired.sent, acquired.failures) == (0, [])
    past = run(services, select(TIINGO_DAILY, dates=[saturday - dt.timedelta(days=7)]))
    assert (past.sent, set(statuses(past).values())) == (0, {"empty"})
    assert past.plan.refused[0].reason == "There is no trading on 2026-06-06 (a weekend)."
    assert run(services, select("core_sec__filings_daily", dates=[saturday])).sent == 0


@pytest.mark.parametrize(
    ("selection", "sentence"),
    [
        (select(TIINGO_DAILY, dates=[dt.date(2026, 6, 16)]), "2026-06-16 lies in the future; today is 2026-06-15."),
        (select(TIINGO_DAILY, (), [NEWEST]), "needs at least one ticker"),
        (select(TIINGO_DAILY), "needs at least one date"),
        (select(TIINGO_HISTORY, ()), "needs at least one ticker"),
        (select("core_nobody__nothing"), "There is no dataset 'core_nobody__nothing'"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_happens(
    services: Services, sandbox: Sandbox, selection: object, sentence: str
) -> None:
    for act in (plan, lambda rooms, wanted: acquire(rooms, wanted, run_id="run")):
        with pytest.raises(SelectionError, match=sentence.replace(".", r"\.")):
            act(services, selection)
    assert requests_seen(sandbox) == 0
    assert not services.tables.exists(TIINGO)


def test_whoever_watches_is_told_of_each_answer_and_of_the_end(services: Services) -> None:
    class Notes:
        def __init__(self) -> None:
            self.steps: list[tuple[str, int, int, str]] = []
            self.ends: list[Acquired] = []

        def progress(self, dataset: str, done: int, planned: int, subject: str) -> None:
            self.steps.append((dataset, done, planned, subject))

        def result(self, acquired: Acquired) -> None:
            self.ends.append(acquired)

    notes = Notes()
    with watching(notes):
        acquired = run(services, select(TIINGO_HISTORY))
    run(services, select("core_sec__company_tickers", ()))
    assert notes.ends == [acquired]
    assert [step[1:3] for step in notes.steps] == [(1, 3), (2, 3), (3, 3)]
    assert {step[3] for step in notes.steps} == set(PLAIN)


def test_every_dataset_names_a_recipe_and_a_tidy_function_that_exist() -> None:
    from salescience_pipeline.acquisition.acquire import recipe_of, tidy_of

    for dataset in DATASETS.values():
        assert callable(tidy_of(dataset))
        assert callable(recipe_of(dataset).plan)
