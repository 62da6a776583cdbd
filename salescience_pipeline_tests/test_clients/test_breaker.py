"""What answers do to the gate: breaker and probes, pauses after a rate limit, blocks."""

from __future__ import annotations

import pytest

from salescience_pipeline.clients.errors import Blocked, CircuitOpen
from salescience_pipeline.clients.gate_model import Breaker, GateRule, GateState
from salescience_pipeline.clients.gate_steps import admits, report
from salescience_pipeline.clients.model import AnswerClass
from salescience_pipeline_tests.test_clients.gates import RULE, T0, permit_of, refusal_of

COUNTS_AS_HEALTHY = (
    AnswerClass.OK,
    AnswerClass.UNCHANGED,
    AnswerClass.OK_EMPTY,
    AnswerClass.NOT_FOUND,
    AnswerClass.AUTH,
    AnswerClass.ENTITLEMENT,
    AnswerClass.CONTRACT,
)


def fail(state: GateState, rule_: GateRule, now: float, times: int) -> GateState:
    for number in range(times):
        state, permit = permit_of(state, rule_, now, f"f{number}")
        state = report(state, rule_, now, permit, AnswerClass.TRANSIENT)
    return state


def test_three_failures_in_a_row_open_and_two_good_probes_close() -> None:
    state = fail(GateState(), RULE, T0, 2)
    state, permit = permit_of(state, RULE, T0)
    state = report(state, RULE, T0, permit, AnswerClass.OK)
    state = fail(state, RULE, T0, 3)
    assert (state.breaker, state.open_count) == (Breaker.OPEN, 1)
    refused = refusal_of(state, RULE, T0 + 59.9)
    assert (refused.reason, refused.retry_at) == (CircuitOpen, T0 + 60)

    state, probe = permit_of(state, RULE, T0 + 60)
    assert probe.probe
    assert refusal_of(state, RULE, T0 + 61).reason is CircuitOpen
    state = report(state, RULE, T0 + 61, probe, AnswerClass.OK)
    assert state.breaker is Breaker.HALF_OPEN
    state, probe = permit_of(state, RULE, T0 + 61)
    state = report(state, RULE, T0 + 62, probe, AnswerClass.NOT_FOUND)
    assert state.breaker is Breaker.CLOSED
    state, permit = permit_of(state, RULE, T0 + 62)
    assert not permit.probe


def test_a_failed_probe_opens_again_for_the_whole_time() -> None:
    state = fail(GateState(), RULE, T0, 3)
    state, probe = permit_of(state, RULE, T0 + 60)
    state = report(state, RULE, T0 + 65, probe, AnswerClass.TRANSIENT)
    assert refusal_of(state, RULE, T0 + 124).retry_at == T0 + 125


def test_a_lost_probe_frees_its_place_when_its_lease_ends() -> None:
    state = fail(GateState(), RULE, T0, 3)
    state, lost = permit_of(state, RULE, T0 + 60, "killed")
    assert refusal_of(state, RULE, T0 + 60 + RULE.probe_lease - 1).reason is CircuitOpen
    state, probe = permit_of(state, RULE, T0 + 60 + RULE.probe_lease + 1, "next")
    assert probe.probe
    # The lost one comes back after all: the probe under way must not be disturbed.
    assert report(state, RULE, T0 + 110, lost, AnswerClass.OK) == state


def test_an_unused_permit_gives_the_probe_back() -> None:
    state = fail(GateState(), RULE, T0, 3)
    state, probe = permit_of(state, RULE, T0 + 60)
    state = report(state, RULE, T0 + 60, probe, None)
    state, again = permit_of(state, RULE, T0 + 60, "next")
    assert again.probe


def test_answers_to_requests_sent_before_the_breaker_closed_say_nothing_about_now() -> None:
    state, old = permit_of(GateState(), RULE, T0)
    state = fail(state, RULE, T0, 3)
    for second in (60, 61):
        state, probe = permit_of(state, RULE, T0 + second)
        state = report(state, RULE, T0 + second, probe, AnswerClass.OK)
    assert report(state, RULE, T0 + 62, old, AnswerClass.TRANSIENT).failures == 0


@pytest.mark.parametrize("outcome", [AnswerClass.RATE_LIMITED, AnswerClass.QUOTA_EXHAUSTED, *COUNTS_AS_HEALTHY])
def test_only_failures_open_the_breaker(outcome: AnswerClass) -> None:
    state, now = GateState(), T0
    for _ in range(20):
        now = max(now, state.paused_until, state.quota_until) + 1
        state, permit = permit_of(state, RULE, now)
        state = report(state, RULE, now, permit, outcome)
    assert state.breaker is Breaker.CLOSED
    assert state.failures == 0


def test_a_rate_limit_between_failures_does_not_reset_their_count() -> None:
    state = fail(GateState(), RULE, T0, 2)
    state, permit = permit_of(state, RULE, T0)
    state = report(state, RULE, T0, permit, AnswerClass.RATE_LIMITED, retry_at=T0 + 1)
    assert fail(state, RULE, T0 + 2, 1).breaker is Breaker.OPEN


def test_retry_after_pauses_everybody_and_no_slot_lies_inside() -> None:
    state, early = permit_of(GateState(), RULE, T0)
    state, waiting = permit_of(state, RULE, T0)
    state = report(state, RULE, T0, early, AnswerClass.RATE_LIMITED, retry_at=T0 + 7)
    assert not admits(state, waiting, waiting.at)
    state, again = permit_of(state, RULE, waiting.at, waiting.holder, replaces=waiting)
    assert again.at == T0 + 7
    assert admits(state, again, again.at)


def test_without_retry_after_the_pause_doubles_until_an_answer_is_good() -> None:
    state, now, pauses = GateState(), T0, []
    for _ in range(8):
        state, permit = permit_of(state, RULE, now)
        state, in_flight = permit_of(state, RULE, now)
        for answered in (permit, in_flight):
            state = report(state, RULE, now, answered, AnswerClass.RATE_LIMITED)
        pauses.append(state.paused_until - now)
        now = state.paused_until + 1
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60]
    state, permit = permit_of(state, RULE, now)
    assert report(state, RULE, now, permit, AnswerClass.OK).throttled == 0


def test_a_block_stops_everybody_is_never_probed_and_grows_when_it_is_shown_again() -> None:
    state, first = permit_of(GateState(), RULE, T0)
    state, in_flight = permit_of(state, RULE, T0, "b")
    state, waiting = permit_of(state, RULE, T0, "c")
    state = report(state, RULE, T0, first, AnswerClass.BLOCKED)
    assert not admits(state, waiting, waiting.at)
    refused = refusal_of(state, RULE, T0 + 599)
    assert (refused.reason, refused.retry_at) == (Blocked, T0 + 600)
    state = report(state, RULE, T0 + 1, in_flight, AnswerClass.BLOCKED)
    assert refusal_of(state, RULE, T0 + 600.5).retry_at == T0 + 601
    assert state.open_count == 1
    # An answer that was on its way does not lift it.
    assert report(state, RULE, T0 + 2, waiting, AnswerClass.OK) == state
    state, probe = permit_of(state, RULE, T0 + 601)
    assert probe.probe
    state = report(state, RULE, T0 + 602, probe, AnswerClass.BLOCKED)
    assert refusal_of(state, RULE, T0 + 1201).reason is Blocked
