"""Submissions that are committed together: each gets its own answer, and nobody is answered before the commit."""

from __future__ import annotations

from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from salescience_pipeline.identifiers import OrganizationId
from salescience_pipeline.ledger import Ledger
from salescience_pipeline.ledger.checkpointing import Checkpointer
from salescience_pipeline.ledger.engine import LOG_PAGES
from salescience_pipeline.ledger.errors import LedgerError
from salescience_pipeline.ledger.group_commit import GroupCommit
from salescience_pipeline.ledger.job_model import Creation, IdempotencyConflict, Once, TooManyOpenJobs
from salescience_pipeline_tests.test_gateway.conftest import ACME, OTHER, new_job


def _creation(organization: OrganizationId = ACME, *, most: int = 100, once: Once | None = None) -> Creation:
    return Creation(organization, [new_job()], "test", most, once)


def _is_there(ledger: Ledger, creation: Creation) -> bool:
    return all(ledger.jobs.view(creation.organization, job.job_id) is not None for job in creation.jobs)


def test_000_11_each_of_those_written_together_gets_its_own_answer(ledger: Ledger) -> None:
    first = _creation(once=Once("key", "a" * 64, {"job_ids": ["first"]}))
    replay = _creation(once=Once("key", "a" * 64, {"job_ids": ["second"]}))
    clash = _creation(once=Once("key", "b" * 64, {}))
    theirs = _creation(OTHER, once=Once("key", "b" * 64, {}))
    too_many = _creation(most=1)
    said = ledger.jobs.create_together([first, theirs, replay, too_many, clash])
    assert said[:3] == [None, None, {"job_ids": ["first"]}]
    assert isinstance(said[3], TooManyOpenJobs)
    assert isinstance(said[4], IdempotencyConflict)
    made = [_is_there(ledger, creation) for creation in (first, theirs, replay, too_many, clash)]
    assert made == [True, True, False, False, False]
    # A refusal for too many open jobs uses up no key.
    refused = Once("later", "c" * 64, {})
    assert isinstance(ledger.jobs.create_together([_creation(most=1, once=refused)])[0], TooManyOpenJobs)
    assert ledger.jobs.create_together([_creation(once=refused)]) == [None]
    assert [verdict.reason for verdict in ledger.audit.verify()] == [None, None]


def test_000_17_two_writers_with_the_same_organisations_wait_for_each_other_in_one_order(ledger: Ledger) -> None:
    """Each batch holds many organisations, in opposite orders: two gateways on one database."""
    names = [OrganizationId(f"org-{number}") for number in range(8)]
    key = Once("same", "a" * 64, {"job_ids": ["x"]})
    writers = [GroupCommit(ledger.jobs), GroupCommit(ledger.jobs)]
    asked: list[tuple[Creation, Future[Any]]] = []
    for turn in range(6):
        for writer, order in zip(writers, (names, names[::-1]), strict=True):
            for name in order:
                creation = _creation(name, once=key if turn == 0 else None)
                asked.append((creation, writer.create(creation)))
    for creation, made in asked:
        answer = made.result(timeout=60)
        assert _is_there(ledger, creation) is (answer is None)
    for writer in writers:
        writer.close()
    # Of the two first ones of each organisation, under one key, one is the other's replay.
    assert sum(made.result() is not None for _, made in asked) == len(names)
    verdicts = ledger.audit.verify()
    assert {verdict.organization_id: verdict.entries for verdict in verdicts} == dict.fromkeys(names, 11)
    assert all(verdict.reason is None for verdict in verdicts)


def test_what_the_database_refuses_costs_nobody_else_anything(ledger: Ledger) -> None:
    writer = GroupCommit(ledger.jobs)
    taken = _creation()
    assert writer.create(taken).result(timeout=60) is None
    good, again, other = _creation(), taken, _creation(OTHER)
    futures = [writer.create(creation) for creation in (good, again, other)]
    assert futures[0].result(timeout=60) is None
    assert futures[2].result(timeout=60) is None
    assert "IntegrityError" in type(futures[1].exception(timeout=60)).__name__
    writer.close()
    with pytest.raises(LedgerError, match="closed"):
        writer.create(_creation(most=10_000))


def test_the_log_is_moved_beside_the_writers(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    with Ledger.open(f"sqlite:///{path}") as ledger:
        checkpoints = Checkpointer(ledger.engine, every=0.01)
        checkpoints.start()
        before = path.stat().st_size
        made = []
        # Far less than what makes a commit move the log: it is the thread that does it.
        while path.stat().st_size == before:
            made.append(_creation(most=10_000))
            ledger.jobs.create_together(made[-1:])
        checkpoints.stop()
        assert checkpoints.move() > 0
        assert all(_is_there(ledger, creation) for creation in made)
        assert len(made) < LOG_PAGES
