"""One bad ticker never loses the others: they are stored, it is named with its reason, and the next run asks for it alone."""

from __future__ import annotations

import pytest

from salescience_pipeline.acquisition.outcome import Acquired, Failure, summary_of
from salescience_pipeline.acquisition.sandbox_process import Sandbox
from salescience_pipeline.acquisition.services import Services
from salescience_pipeline.identifiers import Ticker
from salescience_pipeline_tests.test_acquisition.runs import (
    NEWEST,
    PLAIN,
    TIINGO,
    TIINGO_DAILY,
    TIINGO_HISTORY,
    WEEK,
    content,
    event,
    fault,
    run,
    select,
    slow_down,
    statuses,
)

BAD, *GOOD = PLAIN
UNKNOWN, DELISTED = Ticker("ZZZZZ"), Ticker("OAKMR")


def _break(sandbox: Sandbox, kind: str, **params: object) -> None:
    """Spoil every answer about BAD; the others come a little later, so that no breaker takes it for an outage."""
    fault(sandbox, kind, f"/{BAD}", params=params)
    slow_down(sandbox, "/(BRNWD|CALDQ)")


def _mend(sandbox: Sandbox) -> None:
    sandbox.post("/_sandbox/reset", {"only": ["faults", "stats"]})


@pytest.mark.parametrize(
    ("kind", "params", "error_class", "sent"),
    [("status", {"status": 503}, "transient", 3), ("html", {}, "transient", 3), ("not_json", {}, "transient", 3),
     ("status", {"status": 400, "body": '{"detail": "Error: no."}', "content_type": "application/json"}, "contract", 1)],
)  # fmt: skip
def test_the_others_are_stored_and_the_retry_asks_only_for_what_is_missing(
    services: Services, sandbox: Sandbox, kind: str, params: dict[str, object], error_class: str, sent: int
) -> None:
    _break(sandbox, kind, **params)
    acquired = run(services, select(TIINGO_HISTORY), "first")
    assert [(failure.subject, failure.error_class) for failure in acquired.failures] == [(BAD, error_class)]
    assert acquired.failures[0].is_retryable == (error_class == "transient")
    assert statuses(acquired) == {(BAD, BAD): "failed", **{(ticker, ticker): "complete" for ticker in GOOD}}
    assert acquired.open_partitions() == {BAD}
    assert acquired.sent == sent + len(GOOD)
    assert {row["ticker"] for row in services.tables.read(TIINGO).to_pylist()} == set(GOOD)
    _mend(sandbox)
    again = run(services, select(TIINGO_HISTORY), "second")
    assert again.is_complete
    assert again.sent == 1
    assert again.plan.fresh == tuple(GOOD)
    assert {row["ticker"] for row in services.tables.read(TIINGO).to_pylist()} == set(PLAIN)


def test_a_ranged_call_that_fails_leaves_each_of_its_days_open(services: Services, sandbox: Sandbox) -> None:
    _break(sandbox, "status", status=400, body='{"detail": "Error: no."}', content_type="application/json")
    acquired = run(services, select(TIINGO_DAILY, dates=WEEK))
    days = {day.isoformat() for day in WEEK}
    assert acquired.open_partitions() == days
    found = statuses(acquired)
    assert {found[BAD, day] for day in days} == {"failed"}
    assert {found[ticker, day] for ticker in GOOD for day in days} == {"complete"}
    _mend(sandbox)
    assert run(services, select(TIINGO_DAILY, dates=WEEK)).sent == 1


def test_unknown_and_delisted_tickers_are_settled_and_not_asked_for_again(services: Services) -> None:
    names = (UNKNOWN, DELISTED, *GOOD)
    acquired = run(services, select(TIINGO_DAILY, names, WEEK))
    assert acquired.failures == []
    found = statuses(acquired)
    newest = NEWEST.isoformat()
    assert found[UNKNOWN, newest] == "not_found"
    assert found[DELISTED, newest] == "empty"
    assert {found[ticker, newest] for ticker in GOOD} == {"complete"}
    assert run(services, select(TIINGO_DAILY, names, WEEK)).sent == 0


def test_after_the_bulk_call_only_the_tickers_own_answer_counts(services: Services) -> None:
    names = (UNKNOWN, DELISTED, *GOOD)
    acquired = run(services, select(TIINGO_DAILY, names, [NEWEST]))
    newest = NEWEST.isoformat()
    assert acquired.sent == 3, "the bulk call, and one for each ticker that it does not hold"
    assert statuses(acquired) == {
        (UNKNOWN, newest): "not_found",
        (DELISTED, newest): "empty",
        **{(ticker, newest): "complete" for ticker in GOOD},
    }
    assert acquired.is_complete
    assert run(services, select(TIINGO_DAILY, names, [NEWEST])).sent == 0


def test_a_delisted_ticker_keeps_its_history(services: Services) -> None:
    acquired = run(services, select(TIINGO_HISTORY, [DELISTED, UNKNOWN]))
    assert statuses(acquired) == {(DELISTED, DELISTED): "complete", (UNKNOWN, UNKNOWN): "not_found"}
    assert services.tables.row_count(TIINGO) > 20
    assert run(services, select(TIINGO_HISTORY, [DELISTED, UNKNOWN])).sent == 0


def test_a_ticker_without_a_company_is_recorded_and_costs_nothing(services: Services) -> None:
    run(services, select("core_sec__company_tickers", ()))
    for dataset in ("core_sec__filings_history", "core_sec__facts"):
        acquired = run(services, select(dataset, [UNKNOWN, BAD], n_years=1))
        assert acquired.sent == 1
        assert statuses(acquired) == {(UNKNOWN, UNKNOWN): "not_found", (BAD, BAD): "complete"}


def test_a_failed_re_pull_leaves_the_ticker_open_until_its_series_is_on_one_basis(
    services: Services, sandbox: Sandbox
) -> None:
    run(services, select(TIINGO_DAILY, dates=WEEK[:-1]))
    event(sandbox, "split", BAD, NEWEST, 2.0)
    fault(sandbox, "status", f"/{BAD}", params={"status": 400, "content_type": "application/json", "body": "{}"})
    acquired = run(services, select(TIINGO_DAILY, dates=[NEWEST]))
    assert statuses(acquired)[BAD, NEWEST.isoformat()] == "failed"
    _mend(sandbox)
    again = run(services, select(TIINGO_DAILY, dates=[NEWEST]))
    assert again.is_complete
    own = [row for row in services.tables.read(TIINGO).to_pylist() if row["ticker"] == BAD]
    factors = [round(row["close"] / row["adj_close"], 6) for row in own[-len(WEEK) :]]
    assert factors == [2.0] * (len(WEEK) - 1) + [1.0]


def test_a_wrong_key_fails_once_and_not_for_each_ticker(services: Services, sandbox: Sandbox) -> None:
    refusal = {"status": 401, "content_type": "application/json", "body": '{"detail": "Invalid token."}'}
    fault(sandbox, "status", "/tiingo/", params=refusal)
    many = [f"T{number}" for number in range(60)]
    acquired = run(services, select(TIINGO_HISTORY, many))
    assert len(acquired.failures) == len(many)
    assert {failure.error_class for failure in acquired.failures} == {"auth"}
    assert acquired.sent <= 2 * services.settings.threads, "those under way when the first refusal came"
    assert not services.tables.exists(TIINGO)


def _filings_stored(services: Services) -> set[str]:
    return set(services.tables.read("core_sec__documents", columns=["accession"])["accession"].to_pylist())


def test_documents_fail_one_by_one_and_are_fetched_once_for_ever(services: Services, sandbox: Sandbox) -> None:
    run(services, select("core_sec__company_tickers", ()))
    run(services, select("core_sec__filings_history", GOOD, n_years=1))
    wanted = select("core_sec__documents", GOOD, n_years=1, forms=("10-K", "10-Q"))
    rows = services.tables.read("core_sec__filings").to_pylist()
    name = max((row["filing_date"], row["primary_document"]) for row in rows if row["form"] == "10-Q")[1]
    fault(sandbox, "status", name, provider="edgar", params={"status": 400})
    first = run(services, wanted, "first")
    assert len(first.failures) == 1
    assert first.open_partitions() <= set(GOOD), "a document's partition is its company's ticker"
    stored = _filings_stored(services)
    assert len(stored) == first.planned - 1
    _mend(sandbox)
    second = run(services, wanted, "second")
    assert (second.sent, second.is_complete) == (1, True)
    assert len(_filings_stored(services)) == len(stored) + 1
    forced = run(services, select(wanted.dataset, GOOD, n_years=1, forms=wanted.forms, force=True), "third")
    assert forced.sent == 0, "what was filed never changes"


def test_one_day_of_an_index_that_fails_does_not_lose_the_other_days(services: Services, sandbox: Sandbox) -> None:
    run(services, select("core_sec__company_tickers", ()))
    fault(sandbox, "status", "form.20260611", provider="edgar", params={"status": 400})
    days = [day.isoformat() for day in WEEK]
    acquired = run(services, select("core_sec__filings_daily", dates=WEEK))
    assert statuses(acquired) == {("*", day): "failed" if day == "2026-06-11" else "complete" for day in days}
    assert acquired.open_partitions() == {"2026-06-11"}
    _mend(sandbox)
    assert run(services, select("core_sec__filings_daily", dates=WEEK)).sent == 1


def test_a_run_that_dies_between_rows_and_record_costs_a_request_and_no_row(services: Services) -> None:
    run(services, select(TIINGO_HISTORY, GOOD))
    rows = content(services, TIINGO)
    # As if the process had been killed after the commit and before the record.
    with services.ledger.engine.begin() as connection:
        connection.exec_driver_sql("delete from completeness")
    again = run(services, select(TIINGO_HISTORY, GOOD))
    assert again.sent == len(GOOD)
    assert content(services, TIINGO) == rows


def test_the_sentence_names_the_first_failures_only() -> None:
    failures = [Failure(f"T{n}", f"T{n}", "transient", "it broke", is_retryable=True) for n in range(7)]
    assert summary_of(failures) == (
        "7 failed: T0: it broke; T1: it broke; T2: it broke; T3: it broke; T4: it broke and 2 more"
    )


def test_what_became_of_a_subject_is_told_once(services: Services) -> None:
    acquired: Acquired = run(services, select(TIINGO_DAILY, (DELISTED, *GOOD), [NEWEST]))
    assert sum(acquired.counts.values()) == len(acquired.states) == 1 + len(GOOD)
