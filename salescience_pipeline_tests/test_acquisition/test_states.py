"""From what came of a subject to its completeness: every status, in both cuts."""

from __future__ import annotations

import datetime as dt

import pyarrow as pa
import pytest

from salescience_pipeline.acquisition.outcome import Acquired, Status
from salescience_pipeline.acquisition.states import failed_states, ready_states, refused_states
from salescience_pipeline.acquisition.writing import Ready
from salescience_pipeline.catalog.datasets import DATASETS
from salescience_pipeline.clients.edgar_api import company_facts, company_tickers, daily_index
from salescience_pipeline.clients.errors import Transient
from salescience_pipeline.clients.model import Answer, AnswerClass, Body, PlannedRequest, RawRef, Subject
from salescience_pipeline.clients.plan import Refusal, RequestPlan
from salescience_pipeline.clients.tiingo import eod_bulk, eod_range
from salescience_pipeline.identifiers import Accession, Cik, RequestId, Ticker
from salescience_pipeline.tidy.model import Tidied
from salescience_pipeline_tests.test_acquisition.runs import NEWEST, TIINGO_DAILY, TIINGO_HISTORY, WEEK, select

ONE, TWO = Ticker("ALDRN"), Ticker("CALDQ")
BODY = Body(b"[]")


def _answer(request: PlannedRequest, answer_class: AnswerClass) -> Answer:
    ref = RawRef(BODY.sha256, BODY.size)
    return Answer(request, answer_class, dt.datetime.now(dt.UTC), RequestId.new(), ref, BODY, 200)


def _ready(request: PlannedRequest, answer_class: AnswerClass, rows: list[tuple[str, dt.date]] = ()) -> Ready:  # type: ignore[assignment]
    table = pa.table(
        {
            "ticker": pa.array([ticker for ticker, _ in rows], pa.string()),
            "trade_date": pa.array([day for _, day in rows], pa.date32()),
        }
    )
    tidied = Tidied({"core_tiingo__eod_prices": table})
    return Ready(request.subject.key, tidied, (request,), (_answer(request, answer_class),))


def _told(dataset: str, dates: tuple[dt.date, ...], ready: Ready) -> dict[tuple[str, str], str]:
    states = ready_states(DATASETS[dataset], select(dataset, [ONE, TWO], dates), ready)
    assert {state.raw_sha256 for state in states} <= {BODY.sha256}
    return {(state.subject, state.partition): str(state.status) for state in states}


@pytest.mark.parametrize(
    ("answer_class", "days", "expected"),
    [
        (AnswerClass.OK, WEEK, ["complete"] * 5),
        (AnswerClass.OK, WEEK[:3], ["complete"] * 3 + ["empty"] * 2),
        (AnswerClass.OK_EMPTY, (), ["empty"] * 5),
        (AnswerClass.NOT_FOUND, (), ["not_found"] * 5),
        (AnswerClass.UNCHANGED, WEEK, ["complete"] * 5),
    ],
)
def test_a_ranged_answer_settles_each_of_its_days(
    answer_class: AnswerClass, days: tuple[dt.date, ...], expected: list[str]
) -> None:
    ready = _ready(eod_range(ONE, WEEK[0], WEEK[-1]), answer_class, [(ONE, day) for day in days])
    told = _told(TIINGO_DAILY, WEEK, ready)
    assert told == {(ONE, day.isoformat()): status for day, status in zip(WEEK, expected, strict=True)}


def test_a_ranged_answer_says_nothing_of_days_that_it_does_not_cover() -> None:
    ready = _ready(eod_range(ONE, WEEK[1], WEEK[2]), AnswerClass.OK, [(ONE, WEEK[1]), (ONE, WEEK[2])])
    assert set(_told(TIINGO_DAILY, WEEK, ready)) == {(ONE, WEEK[1].isoformat()), (ONE, WEEK[2].isoformat())}


def test_a_bulk_answer_leaves_open_whom_it_does_not_name() -> None:
    ready = _ready(eod_bulk(NEWEST), AnswerClass.OK, [(ONE, NEWEST)])
    newest = NEWEST.isoformat()
    assert _told(TIINGO_DAILY, (NEWEST,), ready) == {(ONE, newest): "complete", (TWO, newest): "missing"}


@pytest.mark.parametrize(
    ("answer_class", "rows", "status"),
    [
        (AnswerClass.OK, [(ONE, NEWEST)], "complete"),
        (AnswerClass.OK_EMPTY, [], "empty"),
        (AnswerClass.NOT_FOUND, [], "not_found"),
    ],
)
def test_a_history_has_one_state(answer_class: AnswerClass, rows: list[tuple[str, dt.date]], status: str) -> None:
    first = dt.date(2024, 1, 1)
    ready = _ready(eod_range(ONE, first, NEWEST), answer_class, rows)
    (state,) = ready_states(DATASETS[TIINGO_HISTORY], select(TIINGO_HISTORY, [ONE]), ready)
    assert (state.status, state.first_date, state.last_date, state.rows) == (status, first, NEWEST, len(rows))
    assert (state.reason is None) == (status == "complete")


def test_a_company_with_two_tickers_settles_both() -> None:
    request = company_facts(Cik("1"), Subject(ONE, ticker=ONE, cik=Cik("1"), details={"also": TWO}))
    assert set(_told("core_sec__facts", (), _ready(request, AnswerClass.OK_EMPTY))) == {(ONE, ONE), (TWO, TWO)}
    failed = failed_states(
        DATASETS["core_sec__facts"], select("core_sec__facts", [ONE, TWO]), [request], Transient("No.", provider="sec")
    )
    assert {(state.subject, state.status, state.reason) for state in failed} == {
        (ONE, "failed", "No."),
        (TWO, "failed", "No."),
    }


def test_a_document_lies_in_the_partition_of_its_ticker() -> None:
    accession = Accession("0000000001-26-000001")
    subject = Subject(accession, ticker=ONE, cik=Cik("1"), accession=accession)
    request = PlannedRequest("sec", "document", "www", "/a.htm", subject)
    assert set(_told("core_sec__documents", (), _ready(request, AnswerClass.OK_EMPTY))) == {(accession, ONE)}


def test_a_list_of_the_market_that_is_not_there_is_missing_and_not_unknown() -> None:
    told = _told("core_sec__company_tickers", (), _ready(company_tickers(), AnswerClass.NOT_FOUND))
    assert told == {("*", "*"): "missing"}


def test_an_index_without_our_companies_is_complete_and_one_of_a_holiday_empty() -> None:
    for answer_class, status in ((AnswerClass.OK, "complete"), (AnswerClass.OK_EMPTY, "empty")):
        ready = _ready(daily_index(NEWEST), answer_class)
        assert _told("core_sec__filings_daily", WEEK, ready) == {("*", NEWEST.isoformat()): status}


def test_what_the_plan_refused_is_recorded_where_it_belongs() -> None:
    def told(dataset: str, refusal: Refusal, *tickers: str) -> set[tuple[str, str, str]]:
        states = refused_states(DATASETS[dataset], select(dataset, tickers or [ONE, TWO], WEEK), [refusal])
        return {(state.partition, state.subject, state.status) for state in states}

    day = NEWEST.isoformat()
    early = Refusal(f"*|{day}", "missing", "Not out yet.")
    assert told(TIINGO_DAILY, early) == {(day, ONE, "missing"), (day, TWO, "missing")}
    assert told("core_sec__filings_daily", early) == {(day, "*", "missing")}
    assert told("core_sec__facts", Refusal(ONE, "not_found", "No CIK.")) == {(ONE, ONE, "not_found")}
    unnamed = Refusal("0000000001-26-000001", "missing", "SEC names no main document.")
    assert told("core_sec__documents", unnamed, ONE) == {(ONE, "0000000001-26-000001", "missing")}


def test_only_what_is_settled_is_complete() -> None:
    assert {status for status in Status if status.is_settled} == {Status.COMPLETE, Status.EMPTY, Status.NOT_FOUND}
    dataset = DATASETS[TIINGO_DAILY]
    acquired = Acquired(dataset, RequestPlan(dataset.name, "tiingo", (), 0, "Nothing."))
    assert acquired.is_complete
    for state in refused_states(dataset, select(TIINGO_DAILY, [ONE], WEEK), [Refusal(f"*|{NEWEST}", "missing", "No.")]):
        acquired.outcomes[state.partition, state.subject] = state
    assert not acquired.is_complete
