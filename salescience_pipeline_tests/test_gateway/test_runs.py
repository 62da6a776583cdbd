"""From rows to runs inside one process: the sensor's requests, the run's work against the sandbox, and the reaper."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from typing import Any

import dagster as dg
import pytest

from salescience_pipeline.acquisition import kept_answers
from salescience_pipeline.acquisition.acquire import acquire
from salescience_pipeline.acquisition.sandbox_process import Sandbox
from salescience_pipeline.acquisition.services import Services
from salescience_pipeline.acquisition.submissions import collect, is_fresh
from salescience_pipeline.clients.plan import Selection
from salescience_pipeline.gateway.planning import Company, job_sources
from salescience_pipeline.identifiers import Cik, Ticker
from salescience_pipeline.lake.results import Results
from salescience_pipeline.ledger.dispatch import HEARTBEAT_SECONDS, Beat
from salescience_pipeline.ledger.job_model import NewJob, PlannedSource
from salescience_pipeline.ledger.job_rules import JobStatus
from salescience_pipeline.orchestration.resources import ServicesResource
from salescience_pipeline.orchestration.submission_runs import Heartbeat
from salescience_pipeline.orchestration.submissions import RUN_KEY_TAG, reap, submission, submissions
from salescience_pipeline_tests.test_gateway.conftest import ACME, OTHER, new_job, submit


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    """An instance that is gone after the test."""
    with dg.DagsterInstance.ephemeral() as made:
        yield made


def _tick(instance: dg.DagsterInstance, overrides: dict[str, str]) -> list[dg.RunRequest]:
    resources = {"services": ServicesResource(overrides=overrides)}
    with dg.build_sensor_context(instance=instance, resources=resources) as context:
        answer = submissions(context)
    return list(answer.run_requests or []) if isinstance(answer, dg.SensorResult) else []


def _launched(instance: dg.DagsterInstance, overrides: dict[str, str], status: dg.DagsterRunStatus) -> tuple[Any, Any]:
    """The first request of the sensor's next tick, and its run in ``status``."""
    request = _tick(instance, overrides)[0]
    run = instance.create_run_for_job(submission, run_config=request.run_config, tags=dict(request.tags), status=status)
    return request, run


def _run(instance: dg.DagsterInstance, overrides: dict[str, str], request: dg.RunRequest) -> dg.ExecuteInProcessResult:
    return submission.execute_in_process(
        instance=instance, run_config=request.run_config, tags=dict(request.tags), raise_on_error=False,
        resources={"services": ServicesResource(overrides=overrides)},
    )  # fmt: skip


def _job(sandbox: Sandbox, *tickers: str, form: str = "10-K", n_years: int = 2) -> NewJob:
    annual = form == "10-K"
    sources = []
    for ticker in tickers:
        places: list[int | None] = list(range(n_years)) if annual else [None]
        sources += [
            PlannedSource(f"{ticker}:SEC" + ("" if place is None else f":{place}"), "sec", ticker, place)
            for place in places
        ]
        sources.append(PlannedSource(f"{ticker}:Yahoo", "yahoo", ticker))
    made = new_job()
    return NewJob(
        made.job_id,
        "submit",
        "submit",
        {"n_years": n_years, "form_type": form},
        sources,
        "request-1",
        user_id="user-123",
    )


def _tickers(sandbox: Sandbox, count: int) -> list[str]:
    return list(sandbox.get("/_sandbox/world")["watchlist"][:count])


def _work_off(instance: dg.DagsterInstance, overrides: dict[str, str]) -> list[dg.ExecuteInProcessResult]:
    return [_run(instance, overrides, request) for request in _tick(instance, overrides)]


def test_000_13_a_submission_is_fetched_stored_and_answered(
    instance: dg.DagsterInstance, sandbox: Sandbox, services: Services, overrides: dict[str, str]
) -> None:
    tickers = _tickers(sandbox, 2)
    job = _job(sandbox, *tickers)
    submit(services.ledger, job)
    results = _work_off(instance, overrides)
    # A small job is one run's, whatever the providers.
    assert [result.success for result in results] == [True]
    view = services.ledger.jobs.view(ACME, job.job_id)
    assert view is not None
    assert view.status is JobStatus.COMPLETE, [(source.key, source.status, source.error) for source in view.sources]
    for source in view.sources:
        assert source.content is not None
        if source.provider == "sec":
            assert source.content.kind == "html"
            assert source.details["ticker"] == source.ticker
        else:
            stored = b"".join(Results(services.settings.lake_dir).pieces(source.content.sha256))
            assert len(stored) == source.content.size
    newest, older = (source.details["filing_date"] for source in view.sources[:2])
    assert newest > older
    # What was fetched for one is there for the next: nothing would be requested.
    assert is_fresh(services, "sec", [Ticker(ticker) for ticker in tickers], 2, "10-K")
    assert is_fresh(services, "yahoo", [Ticker(ticker) for ticker in tickers], 2, "10-K")
    assert not is_fresh(services, "sec", [Ticker("ZZZZ")], 2, "10-K")
    _judge_kept_answers(services, [Ticker(ticker) for ticker in tickers])


def _judge_kept_answers(services: Services, tickers: list[Ticker]) -> None:
    """The run has kept what it read; that holds for each ticker until something is written for it."""
    results = Results(services.settings.lake_dir)
    for provider in ("sec", "yahoo"):
        kept, _ = kept_answers.find(services, provider, tickers, 2, "10-K")
        assert kept == collect(services, results, provider, tickers, 2, "10-K")
        assert kept_answers.find(services, provider, tickers, 3, "10-K") == (None, True)
        assert kept_answers.find(services, provider, [Ticker("ZZZZ")], 2, "10-K") == (None, False)
    first, second = tickers
    acquire(services, Selection(dataset="core_yahoo__eod_prices", tickers=(first,), force=True), run_id="again")
    assert kept_answers.find(services, "yahoo", [first], 2, "10-K") == (None, True)
    assert kept_answers.find(services, "yahoo", [second], 2, "10-K")[0] is not None
    assert kept_answers.find(services, "sec", [first], 2, "10-K")[0] is not None
    read = kept_answers.read(services, results, "yahoo", [first], 2, "10-K")
    assert read is not None
    assert kept_answers.find(services, "yahoo", [first], 2, "10-K")[0] == read


def test_000_04_the_count_of_other_forms_is_known_when_the_index_was_read(
    instance: dg.DagsterInstance, sandbox: Sandbox, services: Services, overrides: dict[str, str]
) -> None:
    (ticker,) = _tickers(sandbox, 1)
    job = _job(sandbox, ticker, form="8-K", n_years=1)
    submit(services.ledger, job)
    _work_off(instance, overrides)
    view = services.ledger.jobs.view(ACME, job.job_id)
    assert view is not None
    keys = [source.key for source in view.sources if source.provider == "sec"]
    assert keys == [f"{ticker}:SEC:{place}" for place in range(len(keys))]
    assert len(keys) > 1


def test_000_03_a_company_is_fetched_by_its_cik_alone(
    instance: dg.DagsterInstance, sandbox: Sandbox, services: Services, overrides: dict[str, str]
) -> None:
    """It is never looked up in the list of tickers, so one that has none is fetched as well."""
    cik = Cik.of(sandbox.get("/_sandbox/world")["companies"][0]["cik"])
    (source,) = job_sources([Company(None, cik)], n_years=1, form="10-K")
    job = NewJob(str(uuid.uuid4()), "submit", "submit", {"n_years": 1, "form_type": "10-K"}, [source], "request-1")
    submit(services.ledger, job)
    assert [result.success for result in _work_off(instance, overrides)] == [True]
    view = services.ledger.jobs.view(ACME, job.job_id)
    assert view is not None
    assert [(one.key, one.status.value, one.details["cik"]) for one in view.sources] == [
        (f"{cik}:SEC:0", "success", cik)
    ]


def test_001_20_an_unknown_company_fails_alone_and_names_itself(
    instance: dg.DagsterInstance, sandbox: Sandbox, services: Services, overrides: dict[str, str]
) -> None:
    (ticker,) = _tickers(sandbox, 1)
    job = _job(sandbox, ticker, "QQQQZ", n_years=1)
    submit(services.ledger, job)
    results = _work_off(instance, overrides)
    assert [result.success for result in results] == [False]
    view = services.ledger.jobs.view(ACME, job.job_id)
    assert view is not None
    assert view.status is JobStatus.PARTIAL
    assert {source.key: source.status.value for source in view.sources} == {
        f"{ticker}:SEC:0": "success", f"{ticker}:Yahoo": "success", "QQQQZ:SEC:0": "failed", "QQQQZ:Yahoo": "failed",
    }  # fmt: skip
    assert all("QQQQZ" in (source.error or "") for source in view.sources if source.ticker == "QQQQZ")


def test_000_16_and_003_04_the_run_carries_who_asked_and_as_which_request(
    instance: dg.DagsterInstance, services: Services, overrides: dict[str, str]
) -> None:
    job = new_job()
    submit(services.ledger, job)
    first = _tick(instance, overrides)[0]
    assert first.tags["salescience/user"] == "user-123"
    assert first.tags["salescience/request_id"] == "request-1"
    assert first.tags["salescience/organization"] == "acme"
    assert first.run_key == first.tags[RUN_KEY_TAG]
    assert _tick(instance, overrides) == []


def test_003_08_the_chunk_of_a_run_that_ended_is_taken_back(
    instance: dg.DagsterInstance, services: Services, overrides: dict[str, str]
) -> None:
    job = new_job()
    submit(services.ledger, job)
    request, run = _launched(instance, overrides, dg.DagsterRunStatus.STARTED)
    assert reap(instance, services.ledger) == 0
    assert services.ledger.dispatch.claim(str(request.run_key), run.run_id) is not None
    # A process number that no process can have: what a killed worker leaves behind.
    import socket

    services.ledger.dispatch.beat(
        run.run_id, worker_id=f"{socket.gethostname()}:{2**22 + 1}", run_key=str(request.run_key), jobs_processed=0,
        memory_usage=1,
    )  # fmt: skip
    assert reap(instance, services.ledger) == 1
    stored = instance.get_run_by_id(run.run_id)
    assert stored is not None
    assert stored.status is dg.DagsterRunStatus.FAILURE
    again = _tick(instance, overrides)
    assert [item.run_key for item in again] == [str(request.run_key)[:-1] + "2"]


def test_003_07_a_run_says_that_it_lives_and_hears_when_it_is_not_wanted(services: Services) -> None:
    job = new_job()
    submit(services.ledger, job)
    (chunk,) = services.ledger.dispatch.pick(window=1)
    services.ledger.dispatch.claim(chunk.run_key, "run-1")

    def beat() -> Beat:
        ((_, found),) = services.ledger.dispatch.open_chunks()
        assert found is not None
        return found

    assert HEARTBEAT_SECONDS == 10.0
    with Heartbeat(services.ledger, "run-1", chunk.run_key, every=0.02) as heart:
        first = beat()
        assert first.worker_id.endswith(f":{os.getpid()}")
        assert first.memory_usage > 1_000_000
        heart.done = 3
        while beat().jobs_processed != 3:
            assert heart.wanted
        assert beat().at > first.at
        services.ledger.jobs.cancel(ACME, job.job_id, actor="t", request_id="request-1")
        while heart.wanted:
            assert beat().status == "running"


def test_000_22_a_run_that_was_cancelled_while_it_waited_never_starts(
    instance: dg.DagsterInstance, services: Services, overrides: dict[str, str]
) -> None:
    job = new_job()
    submit(services.ledger, job)
    request, run = _launched(instance, overrides, dg.DagsterRunStatus.NOT_STARTED)
    assert services.ledger.jobs.cancel(ACME, job.job_id, actor="t", request_id="request-1")
    assert reap(instance, services.ledger) == 0
    stored = instance.get_run_by_id(run.run_id)
    assert stored is not None
    assert stored.status is dg.DagsterRunStatus.CANCELED
    assert services.ledger.dispatch.open_chunks() == []
    assert services.ledger.dispatch.claim(str(request.run_key), run.run_id) is None


def test_000_12_one_run_works_off_the_small_jobs_of_its_organisation(
    instance: dg.DagsterInstance, sandbox: Sandbox, services: Services, overrides: dict[str, str]
) -> None:
    jobs = [_job(sandbox, ticker, n_years=1) for ticker in _tickers(sandbox, 4)]
    for job in jobs:
        submit(services.ledger, job)
    theirs = _job(sandbox, *_tickers(sandbox, 1), n_years=1)
    submit(services.ledger, theirs, OTHER)
    (first,) = [request for request in _tick(instance, overrides) if request.run_key == f"{jobs[0].job_id}:sec:0:1"]
    assert _run(instance, overrides, first).success
    # What the sensor had sent already is left to its own runs; what waited was taken along, but nobody else's.
    sent = {chunk.run_key for chunk, _ in services.ledger.dispatch.open_chunks()}
    for job in (*jobs, theirs):
        view = services.ledger.jobs.view(ACME if job is not theirs else OTHER, job.job_id)
        assert view is not None
        status = next(source.status.value for source in view.sources if source.provider == "sec")
        was_sent = f"{job.job_id}:sec:0:1" in sent
        assert status == ("pending" if was_sent or job is theirs else "success"), (job.job_id, sent)
