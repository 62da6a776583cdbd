"""Many requests at once: outcomes, follow-ups, fallbacks, retries that hold no thread, and an early end."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable

import pytest

from salescience_pipeline.clients import edgar_api
from salescience_pipeline.clients.errors import NotArchived, Transient
from salescience_pipeline.clients.model import Answer, PlannedRequest, Subject
from salescience_pipeline.clients.pool import Failed
from salescience_pipeline.identifiers import Cik
from salescience_pipeline_tests.test_clients.conftest import Rig
from salescience_pipeline_tests.test_clients.wire_server import Asked, Say

MakeRig = Callable[..., Rig]


def facts(number: int) -> PlannedRequest:
    cik = Cik.of(number)
    return edgar_api.company_facts(cik, Subject(f"T{number}", cik=cik))


def fine(asked: Asked, _before: int) -> Say:
    return Say(body=json.dumps({"cik": 1, "facts": {}, "path": asked.path}).encode())


def keys(outcomes: list[Answer | Failed]) -> list[str]:
    return [outcome.request.subject.key for outcome in outcomes]


def test_every_request_has_one_outcome_and_a_failure_loses_nobody_else(rig: MakeRig) -> None:
    def script(asked: Asked, before: int) -> Say:
        return Say(500, b"{}") if asked.path.endswith("0000000007.json") else fine(asked, before)

    one = rig(script)
    seen: list[str] = []
    outcomes = list(
        one.transport.send_all(
            map(facts, range(1, 31)), on_answer=lambda answer: seen.append(answer.request.subject.key)
        )
    )
    failed = [outcome for outcome in outcomes if isinstance(outcome, Failed)]
    assert sorted(keys(outcomes)) == sorted(f"T{number}" for number in range(1, 31))
    assert [type(outcome.error) for outcome in failed] == [Transient]
    assert sorted(seen) == sorted(set(keys(outcomes)) - {"T7"})
    assert len(one.server.asked) == len(one.store.attempts) == 32


def test_who_waits_for_a_retry_lets_others_go_ahead(rig: MakeRig) -> None:
    def script(asked: Asked, before: int) -> Say:
        late = asked.path.endswith("0000000001.json") and before == 0
        return Say(503, b"{}") if late else fine(asked, before)

    one = rig(script)
    outcomes = list(one.transport.send_all(map(facts, range(1, 6)), max_workers=1))
    assert keys(outcomes) == ["T2", "T3", "T4", "T5", "T1"]
    assert sum(one.clock.slept) == pytest.approx(1.0)


def test_forty_retries_cost_one_wait_and_not_forty(rig: MakeRig) -> None:
    def script(asked: Asked, before: int) -> Say:
        return Say(503, b"{}") if before == 0 else fine(asked, before)

    one = rig(script)
    outcomes = list(one.transport.send_all(map(facts, range(1, 41)), max_workers=2))
    assert not [outcome for outcome in outcomes if isinstance(outcome, Failed)]
    assert sum(one.clock.slept) <= 2.0
    assert len(one.server.asked) == 80


def test_follow_ups_and_fallbacks_join_the_queue(rig: MakeRig) -> None:
    def script(asked: Asked, before: int) -> Say:
        return Say(403, b"{}") if asked.path.endswith("0000000002.json") else fine(asked, before)

    def more(answer: Answer) -> tuple[PlannedRequest, ...]:
        return (facts(10), facts(11)) if answer.request.subject.key == "T1" else ()

    def instead(failed: Failed) -> tuple[PlannedRequest, ...]:
        return (facts(20),) if failed.request.subject.key == "T2" else ()

    one = rig(script)
    outcomes = list(one.transport.send_all([facts(1), facts(2)], follow_ups=more, fallbacks=instead))
    assert sorted(keys(outcomes)) == ["T1", "T10", "T11", "T20"]
    assert all(isinstance(outcome, Answer) for outcome in outcomes)


def test_a_slow_consumer_slows_the_sending(rig: MakeRig) -> None:
    one = rig(fine)
    outcomes = one.transport.send_all(map(facts, range(1, 1001)), max_workers=2)
    next(outcomes)
    outcomes.close()
    assert len(one.server.asked) <= 5
    assert len(one.server.asked) == len(one.store.attempts)


def test_replay_yields_what_is_missing_as_a_failure(rig: MakeRig) -> None:
    one = rig(fine)
    one.transport.send(facts(1))
    outcomes = list(one.another(mode="replay").send_all([facts(1), facts(2)]))
    assert {outcome.request.subject.key: type(outcome) for outcome in outcomes} == {"T1": Answer, "T2": Failed}
    (missing,) = [outcome for outcome in outcomes if isinstance(outcome, Failed)]
    assert isinstance(missing.error, NotArchived)
    assert len(one.server.asked) == 1


def test_requests_are_in_flight_together_but_no_more_than_allowed(rig: MakeRig) -> None:
    together = threading.Barrier(3)
    under_way, most, lock = 0, 0, threading.Lock()

    def script(asked: Asked, before: int) -> Say:
        nonlocal under_way, most
        with lock:
            under_way += 1
            most = max(most, under_way)
        together.wait(20)
        with lock:
            under_way -= 1
        return fine(asked, before)

    one = rig(script)
    assert len(list(one.transport.send_all(map(facts, range(1, 10)), max_workers=3))) == 9
    assert most == 3


def test_nothing_to_send_is_nothing(rig: MakeRig) -> None:
    assert list(rig(fine).transport.send_all([])) == []
