"""Jobs, chunks, heartbeats and idempotency in the database, on SQLite and on PostgreSQL."""

from __future__ import annotations

import datetime as dt
from concurrent.futures import ThreadPoolExecutor

import pytest

from salescience_pipeline.ledger import Ledger
from salescience_pipeline.ledger.dispatch import MAX_ATTEMPTS, Dispatch
from salescience_pipeline.ledger.job_model import (
    Content,
    IdempotencyConflict,
    NewJob,
    NotCancellable,
    NotRetryable,
    Once,
    Outcome,
    TooManyOpenJobs,
)
from salescience_pipeline.ledger.job_rules import JobStatus, SourceStatus
from salescience_pipeline.ledger.jobs import Jobs
from salescience_pipeline_tests.clocks import Clock
from salescience_pipeline_tests.test_gateway.conftest import ACME, OTHER, new_job, submit

_CONTENT = Content("a" * 64, "html", 10)


def _statuses(ledger: Ledger, job: NewJob) -> dict[str, str]:
    view = ledger.jobs.view(ACME, job.job_id)
    assert view is not None
    return {source.key: source.status.value for source in view.sources}


def _success(*keys: str) -> list[Outcome]:
    return [Outcome(key, SourceStatus.SUCCESS, _CONTENT) for key in keys]


def test_000_11_every_planned_source_is_pending_at_once_and_only_its_owner_sees_it(ledger: Ledger) -> None:
    job = new_job("AAPL", "MSFT")
    submit(ledger, job)
    assert list(_statuses(ledger, job)) == ["AAPL:SEC:0", "AAPL:Yahoo", "MSFT:SEC:0", "MSFT:Yahoo"]
    assert set(_statuses(ledger, job).values()) == {"pending"}
    assert ledger.jobs.view(OTHER, job.job_id) is None
    assert ledger.jobs.events(OTHER, job.job_id) == []
    assert ledger.jobs.listed(OTHER) == []
    assert not ledger.jobs.cancel(OTHER, job.job_id, actor="x", request_id="r")
    assert ledger.jobs.retry(OTHER, job.job_id, actor="x", request_id="r") is None


def test_000_12_chunks_hold_one_provider_and_25_tickers_at_most(ledger: Ledger) -> None:
    job = new_job(*(f"T{number}" for number in range(60)))
    submit(ledger, job)
    chunks = ledger.dispatch.pick(window=100)
    assert sorted((chunk.provider, len(chunk.tickers)) for chunk in chunks) == [
        ("sec", 10), ("sec", 25), ("sec", 25), ("yahoo", 10), ("yahoo", 25), ("yahoo", 25),
    ]  # fmt: skip
    assert len({chunk.run_key for chunk in chunks}) == 6
    assert ledger.dispatch.pick(window=100) == []


def test_000_12_a_chunk_that_no_run_claimed_is_sent_again_under_the_same_key(ledger: Ledger) -> None:
    clock = Clock()
    dispatch = Dispatch(ledger.engine, clock=clock)
    Jobs(ledger.engine, clock=clock).create(ACME, [new_job()], actor="test", max_open=9)
    first = dispatch.pick(window=1)
    clock.now += dt.timedelta(seconds=61)
    assert [chunk.run_key for chunk in dispatch.pick(window=1)] == [first[0].run_key]


def test_000_13_runs_write_progress_until_the_job_is_complete(ledger: Ledger) -> None:
    job = new_job()
    submit(ledger, job)
    for number in range(2):
        # The job's other chunk is small: it waits for the run of this one, or for its end.
        (chunk,) = ledger.dispatch.pick(window=8)
        claimed = ledger.dispatch.claim(chunk.run_key, f"run-{number}")
        assert claimed is not None
        assert claimed[1].status is JobStatus.PROCESSING
        key = f"AAPL:{'SEC:0' if chunk.provider == 'sec' else 'Yahoo'}"
        assert ledger.jobs.settle(ACME, job.job_id, f"run-{number}", _success(key)) == 1
        assert ledger.dispatch.finish(chunk.run_key, f"run-{number}")
    assert ledger.dispatch.pick(window=8) == []
    assert set(_statuses(ledger, job).values()) == {"success"}
    told = [(event.key, event.status) for event in ledger.jobs.events(ACME, job.job_id)]
    assert told[0] == (None, "pending")
    assert told[-1] == (None, "complete")
    assert ledger.jobs.events(ACME, job.job_id, after=10**6) == []


def test_000_04_a_placeholder_becomes_what_was_found(ledger: Ledger) -> None:
    job = new_job()
    submit(ledger, job)
    chunk = next(chunk for chunk in ledger.dispatch.pick(window=8) if chunk.provider == "sec")
    ledger.dispatch.claim(chunk.run_key, "run")
    found = [Outcome(f"AAPL:SEC:{n}", SourceStatus.SUCCESS, _CONTENT, ordinal=n) for n in range(3)]
    assert ledger.jobs.settle(ACME, job.job_id, "run", found, replaces="AAPL:SEC:0") == 3
    assert list(_statuses(ledger, job)) == ["AAPL:SEC:0", "AAPL:SEC:1", "AAPL:SEC:2", "AAPL:Yahoo"]
    assert ledger.jobs.settle(ACME, job.job_id, "run", found, replaces="AAPL:SEC:0") == 0


def test_003_08_a_dead_runs_chunk_goes_to_another_and_the_dead_cannot_write(ledger: Ledger) -> None:
    job = new_job()
    submit(ledger, job)
    chunk = ledger.dispatch.pick(window=1)[0]
    assert ledger.dispatch.claim(chunk.run_key, "zombie") is not None
    assert ledger.dispatch.claim(chunk.run_key, "second") is None
    ((held, beat),) = ledger.dispatch.open_chunks()
    assert beat is None
    assert ledger.dispatch.requeue(held, reason="It died.")
    assert not ledger.dispatch.requeue(held, reason="It died.")
    assert ledger.jobs.settle(ACME, job.job_id, "zombie", _success("AAPL:SEC:0", "AAPL:Yahoo")) == 0
    again = ledger.dispatch.pick(window=1)[0]
    assert (again.attempt, again.run_key != chunk.run_key) == (2, True)
    assert ledger.dispatch.claim(again.run_key, "heir") is not None
    assert not ledger.dispatch.finish(again.run_key, "zombie")


def test_003_08_three_dead_runs_fail_their_sources(ledger: Ledger) -> None:
    job = new_job()
    submit(ledger, job)
    for number in range(6):
        chunk = ledger.dispatch.pick(window=1)[0]
        ledger.dispatch.claim(chunk.run_key, f"run-{number}")
        assert ledger.dispatch.requeue(ledger.dispatch.open_chunks()[0][0], reason="It died.")
    assert ledger.dispatch.pick(window=1) == []
    view = ledger.jobs.view(ACME, job.job_id)
    assert view is not None
    assert view.status is JobStatus.FAILED
    assert {source.error for source in view.sources} == {"It died."}


def test_003_07_heartbeats_say_whether_the_run_is_still_wanted(ledger: Ledger) -> None:
    job = new_job()
    submit(ledger, job)
    chunk = ledger.dispatch.pick(window=1)[0]
    ledger.dispatch.claim(chunk.run_key, "run")
    told = {"worker_id": "host:1", "run_key": chunk.run_key, "jobs_processed": 2, "memory_usage": 5}
    assert ledger.dispatch.beat("run", **told)  # type: ignore[arg-type]
    beat = ledger.dispatch.open_chunks()[0][1]
    assert beat is not None
    assert (beat.worker_id, beat.jobs_processed, beat.memory_usage, beat.status) == ("host:1", 2, 5, "running")
    ledger.jobs.cancel(ACME, job.job_id, actor="test", request_id="r")
    assert not ledger.dispatch.beat("run", **told)  # type: ignore[arg-type]
    assert ledger.dispatch.forget_beats(older_than=dt.timedelta(minutes=1)) == 0
    assert ledger.dispatch.forget_beats(older_than=dt.timedelta()) == 1


def test_003_36_a_run_goes_on_with_its_job_first_and_leaves_its_place_when_another_wants_it(ledger: Ledger) -> None:
    first, second, theirs = new_job(), new_job("MSFT"), new_job()
    for job in (first, second):
        submit(ledger, job)
    chunk = ledger.dispatch.pick(window=1)[0]
    claimed = ledger.dispatch.claim(chunk.run_key, "run")
    assert claimed is not None
    done = claimed[0]
    ledger.dispatch.finish(done.run_key, "run")
    submit(ledger, theirs, OTHER)
    # What is left of its own job comes first, and to that it is entitled.
    sibling = ledger.dispatch.claim_next(done, "run", yielding=True)
    assert sibling is not None
    assert (sibling[0].job_id, {done.provider, sibling[0].provider}) == (first.job_id, {"sec", "yahoo"})
    ledger.dispatch.finish(sibling[0].run_key, "run")
    assert ledger.dispatch.claim_next(sibling[0], "run", yielding=True) is None
    (wanted,) = ledger.dispatch.pick(window=1, each=4)
    assert (wanted.organization_id, ledger.dispatch.claim(wanted.run_key, "run-2") is not None) == (OTHER, True)
    # The other has a place of its own by now.
    more = ledger.dispatch.claim_next(sibling[0], "run", yielding=True)
    assert more is not None
    assert (more[0].job_id, more[0].provider) == (second.job_id, sibling[0].provider)


def test_001_20_a_large_chunk_waits_for_no_other_of_its_job(ledger: Ledger) -> None:
    job = new_job(*(f"A{number}" for number in range(6)))
    submit(ledger, job)
    assert {chunk.provider for chunk in ledger.dispatch.pick(window=8)} == {"sec", "yahoo"}


def test_003_08_a_run_that_died_before_it_began_uses_up_no_attempt_but_its_key(ledger: Ledger) -> None:
    job = new_job()
    submit(ledger, job)
    keys = []
    for _ in range(MAX_ATTEMPTS + 2):
        (chunk,) = ledger.dispatch.pick(window=1)
        keys.append(chunk.run_key)
        assert (chunk.attempt, ledger.dispatch.requeue(chunk, reason="It never came up.")) == (1, True)
    assert len(set(keys)) == len(keys)
    for number in range(1, MAX_ATTEMPTS + 1):
        (chunk,) = ledger.dispatch.pick(window=1)
        keys.append(chunk.run_key)
        claimed = ledger.dispatch.claim(chunk.run_key, f"run-{number}")
        assert claimed is not None
        assert claimed[0].attempt == number
        assert ledger.dispatch.requeue(claimed[0], reason="It died.")
    statuses = _statuses(ledger, job)
    assert sorted(statuses.values()) == ["failed", "pending"]
    # Tried again by hand, it has all its attempts again, under keys that no run had.
    ledger.jobs.cancel(ACME, job.job_id, actor="t", request_id="r")
    assert ledger.jobs.retry(ACME, job.job_id, actor="t", request_id="r") == 2
    again = ledger.dispatch.pick(window=8)
    assert again
    assert not {chunk.run_key for chunk in again} & set(keys)
    assert {chunk.attempt for chunk in again} == {1}


def test_cancel_and_retry(ledger: Ledger) -> None:
    job = new_job()
    submit(ledger, job)
    with pytest.raises(NotRetryable, match="not over"):
        ledger.jobs.retry(ACME, job.job_id, actor="t", request_id="r")
    sec = next(chunk for chunk in ledger.dispatch.pick(window=8) if chunk.provider == "sec")
    ledger.dispatch.claim(sec.run_key, "run")
    ledger.jobs.settle(ACME, job.job_id, "run", _success("AAPL:SEC:0"))
    assert ledger.jobs.cancel(ACME, job.job_id, actor="t", request_id="r")
    assert _statuses(ledger, job) == {"AAPL:SEC:0": "success", "AAPL:Yahoo": "cancelled"}
    with pytest.raises(NotCancellable):
        ledger.jobs.cancel(ACME, job.job_id, actor="t", request_id="r")
    assert ledger.jobs.retry(ACME, job.job_id, actor="t", request_id="r") == 1
    assert _statuses(ledger, job) == {"AAPL:SEC:0": "success", "AAPL:Yahoo": "pending"}
    assert "yahoo" in {chunk.provider for chunk in ledger.dispatch.pick(window=8)}


def test_threat_14_fifty_equal_keys_at_once_make_one_job(ledger: Ledger) -> None:
    jobs = [new_job() for _ in range(50)]

    def one(job: NewJob) -> object:
        return submit(ledger, job, once=Once("key", "body", {"job_ids": [job.job_id]}))

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(one, jobs))
    made = [job.job_id for job, answer in zip(jobs, answers, strict=True) if answer is None]
    assert len(made) == 1
    assert [answer for answer in answers if answer is not None] == [{"job_ids": made}] * 49
    assert [row["job_id"] for row in ledger.jobs.listed(ACME)] == made
    with pytest.raises(IdempotencyConflict):
        submit(ledger, new_job(), once=Once("key", "other body", {}))
    assert submit(ledger, new_job(), OTHER, once=Once("key", "body", {})) is None


def test_an_idempotency_key_is_forgotten_after_a_day(ledger: Ledger) -> None:
    clock = Clock()
    jobs = Jobs(ledger.engine, clock=clock)
    once = Once("key", "body", {"n": 1})
    assert jobs.create(ACME, [new_job()], actor="t", max_open=9, once=once) is None
    clock.now += dt.timedelta(hours=23)
    assert jobs.create(ACME, [new_job()], actor="t", max_open=9, once=once) == {"n": 1}
    clock.now += dt.timedelta(hours=2)
    assert jobs.create(ACME, [new_job()], actor="t", max_open=9, once=once) is None


def test_threat_15_an_organisation_may_have_so_many_open_jobs(ledger: Ledger) -> None:
    for _ in range(3):
        ledger.jobs.create(ACME, [new_job()], actor="t", max_open=3)
    with pytest.raises(TooManyOpenJobs):
        ledger.jobs.create(ACME, [new_job()], actor="t", max_open=3)
    ledger.jobs.create(OTHER, [new_job()], actor="t", max_open=3)
    assert len(ledger.jobs.listed(ACME)) == 3
