"""The gate's pure steps, example by example, then as a state machine that Hypothesis drives against the promises."""

from __future__ import annotations

import datetime as dt
import heapq
import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from salescience_pipeline.catalog.providers import PROVIDERS, Quota
from salescience_pipeline.clients.errors import Blocked, CircuitOpen, QuotaExhausted
from salescience_pipeline.clients.gate import gate_rules
from salescience_pipeline.clients.gate_model import (
    Breaker,
    GateRule,
    GateState,
    Permit,
    Refusal,
    SymbolUse,
    Wait,
    window_bounds,
)
from salescience_pipeline.clients.gate_steps import admits, departed, due, postpone, report, reserve
from salescience_pipeline.clients.model import AnswerClass
from salescience_pipeline.settings import Settings

T0 = 1_800_000_000.0
RULE = GateRule("sec", 10.0)
COUNTS_AS_HEALTHY = (
    AnswerClass.OK,
    AnswerClass.UNCHANGED,
    AnswerClass.OK_EMPTY,
    AnswerClass.NOT_FOUND,
    AnswerClass.AUTH,
    AnswerClass.ENTITLEMENT,
    AnswerClass.CONTRACT,
)


def permit_of(
    state: GateState, rule_: GateRule, now: float, holder: str = "me", **kwargs: object
) -> tuple[GateState, Permit]:
    after, decision = reserve(state, rule_, now, holder=holder, **kwargs)  # type: ignore[arg-type]
    assert isinstance(decision, Permit)
    return after, decision


def refusal_of(state: GateState, rule_: GateRule, now: float) -> Refusal:
    after, decision = reserve(state, rule_, now, holder="other")
    assert isinstance(decision, Refusal)
    assert after == state
    return decision


def fail(state: GateState, rule_: GateRule, now: float, times: int) -> GateState:
    for number in range(times):
        state, permit = permit_of(state, rule_, now, f"f{number}")
        state = report(state, rule_, now, permit, AnswerClass.TRANSIENT)
    return state


@pytest.mark.parametrize("rate", [0.2, 1.0, 2.0, 7.5, 8.0, 10.0, 100.0])
def test_slots_keep_the_limit_with_room_for_tolerance_and_jitter(rate: float) -> None:
    rule_ = GateRule("sec", rate)
    over = rule_.spacing - rule_.tolerance
    assert over > rule_.window
    assert rule_.capacity / rule_.window <= rate
    assert rule_.window / rule_.spacing >= 0.95


def test_slots_follow_each_other_and_an_idle_gate_owes_nothing() -> None:
    state, first = permit_of(GateState(), RULE, T0)
    state, second = permit_of(state, RULE, T0)
    state, later = permit_of(state, RULE, T0 + 60)
    assert (first.at, later.at) == (T0, T0 + 60)
    assert second.at == pytest.approx(T0 + RULE.interval)


def test_a_request_can_count_for_several() -> None:
    state, _ = permit_of(GateState(), RULE, T0, cost=5)
    _, after = permit_of(state, RULE, T0)
    assert after.at == pytest.approx(T0 + 5 * RULE.interval)
    with pytest.raises(ValueError, match="cannot count as 6"):
        reserve(state, RULE, T0, holder="b", cost=6)


def test_nothing_is_reserved_for_who_would_not_wait() -> None:
    state, _ = permit_of(GateState(), RULE, T0)
    after, decision = reserve(state, RULE, T0, holder="b", horizon=0.05)
    assert decision == Wait(pytest.approx(T0 + RULE.interval), paused=False)
    assert after == state


def test_a_late_request_delays_only_the_one_a_spacing_behind_it() -> None:
    state, mine = permit_of(GateState(), RULE, T0)
    others = []
    for number in range(RULE.capacity):
        state, other = permit_of(state, RULE, T0, f"q{number}")
        others.append(other)
    state, moved = postpone(state, RULE, T0 + 0.03, mine)
    assert moved is not None
    assert moved.at == T0 + 0.03
    delays = [due(state, RULE, other) - other.at for other in others]
    assert delays == pytest.approx([0.0] * 9 + [0.03], abs=1e-5)
    state, again = postpone(state, RULE, others[-1].at, others[-1])
    assert again is not None
    assert again.at == pytest.approx(T0 + 0.03 + RULE.spacing)


def test_a_slot_reserved_after_the_delay_knows_of_it() -> None:
    state, mine = permit_of(GateState(), RULE, T0)
    state, _ = postpone(state, RULE, T0 + 0.03, mine)
    for number in range(RULE.capacity - 1):
        state, _other = permit_of(state, RULE, T0 + 0.04, f"q{number}")
    state, last = permit_of(state, RULE, T0 + 0.05)
    assert last.at == pytest.approx(T0 + 0.03 + RULE.spacing)
    # Long after, nobody remembers.
    state, much_later = permit_of(state, RULE, T0 + 60)
    assert (much_later.at, state.late) == (T0 + 60, ())


def test_a_request_held_up_on_its_way_out_delays_its_series_too() -> None:
    state, mine = permit_of(GateState(), RULE, T0)
    assert departed(state, RULE, T0 + RULE.tolerance / 2, mine) == state
    for number in range(RULE.capacity):
        state, other = permit_of(state, RULE, T0 + 0.05, f"q{number}")
    state = departed(state, RULE, T0 + 0.2, mine)
    assert due(state, RULE, other) == pytest.approx(T0 + 0.2 + RULE.spacing)


def test_who_is_late_by_almost_a_spacing_has_lost_the_slot() -> None:
    state, mine = permit_of(GateState(), RULE, T0)
    assert postpone(state, RULE, T0 + RULE.grace + 0.01, mine) == (state, None)


def test_threat_18_a_clock_set_back_does_not_stop_anybody() -> None:
    state, _ = permit_of(GateState(), RULE, T0 + 86_400)
    _, permit = permit_of(state, RULE, T0)
    assert permit.at <= T0 + RULE.window


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


def test_quotas_are_counted_per_calendar_window_and_refused_until_the_next() -> None:
    rule_ = GateRule("tiingo", 10.0, (Quota("hour", 3), Quota("day", 5)))
    midnight = dt.datetime(2026, 11, 20, tzinfo=dt.UTC).timestamp()
    state, now = GateState(), midnight + 22 * 3600
    for _ in range(3):
        state, _permit = permit_of(state, rule_, now)
    refused = refusal_of(state, rule_, now + 60)
    assert (refused.reason, refused.retry_at) == (QuotaExhausted, midnight + 23 * 3600)
    for _ in range(2):
        state, _permit = permit_of(state, rule_, midnight + 23 * 3600)
    assert refusal_of(state, rule_, midnight + 23 * 3600 + 1).retry_at == midnight + 86_400
    state, _permit = permit_of(state, rule_, midnight + 86_400)


def test_a_permit_taken_again_is_counted_once() -> None:
    rule_ = GateRule("tiingo", 10.0, (Quota("day", 5),))
    state, mine = permit_of(GateState(), rule_, T0)
    state, _ = permit_of(state, rule_, T0 + 0.2, replaces=mine)
    assert state.day_used == 1


def test_the_day_of_a_quota_begins_in_the_providers_zone() -> None:
    noon = dt.datetime(2026, 11, 1, 12, tzinfo=dt.UTC).timestamp()  # the day on which New York leaves summer time
    begin, end = window_bounds("day", noon, "America/New_York")
    assert (end - begin) / 3600 == 25
    begin, end = window_bounds("month", noon, "America/New_York")
    assert dt.datetime.fromtimestamp(begin, dt.UTC) == dt.datetime(2026, 11, 1, 4, tzinfo=dt.UTC)
    assert dt.datetime.fromtimestamp(end, dt.UTC) == dt.datetime(2026, 12, 1, 5, tzinfo=dt.UTC)


@example(3599.9999999, "hour", "UTC")
@example(86399.9999999, "day", "UTC")
@given(
    st.floats(0, 4e9), st.sampled_from(["minute", "hour", "day", "month"]), st.sampled_from(["UTC", "America/New_York"])
)
def test_a_window_contains_its_moment_and_ends_where_the_next_begins(at: float, window: str, zone: str) -> None:
    begin, end = window_bounds(window, at, zone)  # type: ignore[arg-type]
    assert begin <= at < end
    assert window_bounds(window, end, zone)[0] == end  # type: ignore[arg-type]


def test_the_symbols_of_a_month_are_an_allowance_too() -> None:
    rule_ = GateRule.of(PROVIDERS["tiingo"])
    full = SymbolUse(used=500, is_new=True)
    _, decision = reserve(GateState(), rule_, T0, holder="a", symbols=full)
    assert isinstance(decision, Refusal)
    assert decision.reason is QuotaExhausted
    permit_of(GateState(), rule_, T0, symbols=replace(full, is_new=False))


def test_a_quota_that_the_provider_announces_is_believed() -> None:
    state, permit = permit_of(GateState(), RULE, T0)
    told = report(state, RULE, T0, permit, AnswerClass.QUOTA_EXHAUSTED, retry_at=T0 + 900)
    assert refusal_of(told, RULE, T0 + 899).retry_at == T0 + 900
    rule_ = GateRule("tiingo", 10.0, (Quota("hour", 50), Quota("day", 1000)))
    untold = report(state, rule_, T0, permit, AnswerClass.QUOTA_EXHAUSTED)
    assert refusal_of(untold, rule_, T0 + 1).retry_at == window_bounds("hour", T0, "UTC")[1]


def test_rules_come_from_the_catalogue_and_the_settings() -> None:
    rules = gate_rules(Settings(_env_file=None, edgar_rate=5.0, edgar_block_seconds=3.0, tiingo_plan="power"))
    assert set(rules) == set(PROVIDERS)
    assert (rules["sec"].rate, rules["sec"].block_seconds) == (5.0, 3.0)
    assert rules["tiingo"].quotas == PROVIDERS["tiingo"].plan("power").quotas


def simulate(
    rule_: GateRule,
    chance: random.Random,
    *,
    callers: int,
    oversleep: Callable[[], float],
    deaths: float = 0.0,
    cost: int = 1,
    thinking: Sequence[float] = (0.0, 0.01, 0.5),
) -> list[float]:
    """Callers that always want to send, as ``Gate`` does it: look shortly before the slot, sleep, and be late at times.

    Returns the moments of sending, once for each request that one counts as.
    """
    state, sent, serial = GateState(), [], 0
    # (moment, tie breaker, what happens then, the permit at hand)
    queue: list[tuple[float, int, str, Permit | None]] = [(T0, caller, "ask", None) for caller in range(callers)]
    while len(sent) < 60 + 6 * rule_.capacity:
        now, caller, event, permit = heapq.heappop(queue)
        serial += 1
        if event == "ask":
            state, permit = permit_of(state, rule_, now, str(serial), cost=chance.randint(1, cost), replaces=permit)
        elif event == "look" or now - permit.at > rule_.tolerance:
            if event == "fire" or due(state, rule_, permit) > permit.at:
                state, moved = postpone(state, rule_, now, permit)
                if moved is None:
                    heapq.heappush(queue, (now, caller, "ask", permit))
                    continue
                permit = moved
        else:
            sent += [now] * permit.cost
            heapq.heappush(queue, (now + chance.choice(thinking), caller, "ask", None))
            continue
        if chance.random() < deaths:
            heapq.heappush(queue, (now + 1, caller, "ask", None))
        elif permit.at - now > 0.02 and event == "ask":
            heapq.heappush(queue, (permit.at - chance.uniform(0, 0.02), caller, "look", permit))
        else:
            # Who need not sleep cannot oversleep.
            wakes = permit.at + oversleep() if permit.at > now else now
            heapq.heappush(queue, (wakes, caller, "fire", permit))
    return sent


@given(
    seed=st.integers(0, 100_000),
    callers=st.sampled_from([1, 3, 9, 11, 40]),
    rate=st.sampled_from([0.5, 1.0, 4.0, 7.5, 10.0]),
    oversleep=st.sampled_from([0.0, 0.02, 0.3, 3.0]),
    deaths=st.sampled_from([0.0, 0.1]),
    cost=st.sampled_from([1, 2, 5]),
)
@settings(max_examples=200, deadline=None)
def test_busy_callers_that_oversleep_and_die_never_exceed_the_limit(
    seed: int, callers: int, rate: float, oversleep: float, deaths: float, cost: int
) -> None:
    chance, rule_ = random.Random(seed), GateRule("sec", rate)

    def late() -> float:
        return chance.choice([0.0, 0.0, rule_.tolerance, chance.uniform(0, oversleep)]) if oversleep else 0.0

    most = max(1, min(cost, rule_.capacity // 2))
    sent = simulate(rule_, chance, callers=callers, oversleep=late, deaths=deaths, cost=most)
    spans = [last - first for first, last in zip(sent, sent[rule_.capacity :], strict=False)]
    assert min(spans) > rule_.window


@pytest.mark.parametrize("callers", [2, 8, 24])
@pytest.mark.parametrize("mean", [0.0, 0.005, 0.020])
def test_a_machine_that_wakes_its_sleepers_late_still_uses_the_limit(callers: int, mean: float) -> None:
    chance = random.Random(7)
    late = (lambda: chance.expovariate(1 / mean)) if mean else (lambda: 0.0)
    sent = simulate(RULE, chance, callers=callers, oversleep=late, thinking=[0.03])
    used = (len(sent) - 1) / (sent[-1] - sent[0]) / RULE.rate
    assert used >= 0.95 - mean


@dataclass
class Holder:
    """A caller of the machine below: what it holds and, once sent, that it waits for the answer."""

    name: str
    permit: Permit | None = None
    sent: bool = False
    unused: Permit | None = None


@dataclass
class World:
    """Everything the promises are about: what was sent, and when."""

    sent: list[float] = field(default_factory=list)
    slots: list[float] = field(default_factory=list)
    probes: dict[str, Permit] = field(default_factory=dict)


class GateMachine(RuleBasedStateMachine):
    """Callers that sleep, oversleep, die, and get any answer at any time."""

    @initialize(rate=st.sampled_from([0.5, 1.0, 3.0, 8.0, 10.0]), quota=st.sampled_from([None, 7, 40]))
    def start(self, rate: float, quota: int | None) -> None:
        quotas = (Quota("minute", quota),) if quota else ()
        self.rule = GateRule("sec", rate, quotas, block_seconds=30.0, open_seconds=10.0, probe_lease=20.0)
        self.now, self.state, self.world = T0, GateState(), World()
        self.holders = [Holder(f"h{number}") for number in range(14)]
        self.made = 0

    @rule(seconds=st.one_of(st.floats(0, 0.2), st.floats(0, 3), st.floats(0, 40)))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule(number=st.integers(0, 13), horizon=st.sampled_from([0.0, 2.0, 600.0]))
    def somebody_asks(self, number: int, horizon: float) -> None:
        holder = self.holders[number]
        if holder.permit is not None:
            return
        self.made += 1
        name = holder.unused.holder if holder.unused else f"{holder.name}.{self.made}"
        before = self.state
        self.state, decision = reserve(
            before, self.rule, self.now, holder=name, horizon=horizon, replaces=holder.unused
        )
        if isinstance(decision, Permit):
            assert decision.at <= self.now + horizon + 1e-6
            assert decision.at >= max(self.now, before.paused_until)
            assert self.now >= max(before.blocked_until, before.quota_until)
            holder.permit, holder.unused = decision, None
        else:
            assert self.state == before
            moment = decision.until if isinstance(decision, Wait) else decision.retry_at
            assert moment > self.now, "a caller told to come back now would spin"

    @rule(number=st.integers(0, 13), late=st.one_of(st.just(0.0), st.floats(0, 0.3), st.floats(0, 2)))
    def somebody_wakes(self, number: int, late: float) -> None:
        holder = self.holders[number]
        if holder.permit is None or holder.sent:
            return
        self.now = max(self.now, holder.permit.at) + late
        if not admits(self.state, holder.permit, self.now):
            holder.permit, holder.unused = None, holder.permit
            return
        if self.now - holder.permit.at > self.rule.tolerance or due(self.state, self.rule, holder.permit) > self.now:
            self.state, moved = postpone(self.state, self.rule, self.now, holder.permit)
            if moved is None:
                holder.permit, holder.unused = None, holder.permit
                return
            holder.permit, self.now = moved, moved.at
        assert self.now >= self.state.blocked_until
        if holder.permit.probe and self.state.breaker is Breaker.HALF_OPEN:
            others = [one.at for one in self.world.probes.values()]
            assert all(self.now >= at + self.rule.probe_lease for at in others), "two probes at once"
            self.world.probes[holder.permit.holder] = holder.permit
        holder.sent = True
        self.world.sent.append(self.now)
        self.world.slots.append(holder.permit.at)

    @rule(
        number=st.integers(0, 13),
        outcome=st.sampled_from([AnswerClass.OK] * 4 + [AnswerClass.TRANSIENT] * 3 + list(AnswerClass) + [None]),
        told=st.one_of(st.none(), st.floats(-5, 60)),
    )
    def an_answer_comes(self, number: int, outcome: AnswerClass | None, told: float | None) -> None:
        holder = self.holders[number]
        if holder.permit is None or (not holder.sent and outcome is not None):
            return
        permit = holder.permit
        retry_at = None if told is None else self.now + told
        before = self.state
        self.state = report(before, self.rule, self.now, permit, outcome, retry_at=retry_at)
        assert self.state.blocked_until >= before.blocked_until
        self.world.probes.pop(permit.holder, None)
        holder.permit, holder.sent = None, False

    @rule(number=st.integers(0, 13))
    def somebody_dies(self, number: int) -> None:
        self.holders[number] = Holder(f"n{self.made}")

    @precondition(lambda self: hasattr(self, "rule"))
    @invariant()
    def never_over_the_limit_in_any_window(self) -> None:
        recent = sorted(self.world.sent)[-60:]
        reach = self.rule.capacity
        for first, last in zip(recent, recent[reach:], strict=False):
            assert last - first > self.rule.window, f"{reach + 1} requests in {last - first} s"

    @precondition(lambda self: hasattr(self, "rule"))
    @invariant()
    def never_over_a_quota(self) -> None:
        for quota in self.rule.quotas:
            per_minute: dict[float, int] = {}
            for moment in self.world.slots:
                minute = math.floor(moment / 60)
                per_minute[minute] = per_minute.get(minute, 0) + 1
            assert all(used <= quota.limit for used in per_minute.values())

    @precondition(lambda self: hasattr(self, "rule"))
    @invariant()
    def everybody_gets_through_in_the_end(self) -> None:
        """With a healthy provider and nobody else, a caller is served in bounded time, whatever happened before."""
        state, now = self.state, self.now
        for attempt in range(12):
            state, decision = reserve(state, self.rule, now, holder=f"end{attempt}")
            if isinstance(decision, Permit):
                state = report(state, self.rule, decision.at, decision, AnswerClass.OK)
                if state.breaker is Breaker.CLOSED:
                    return
                now = decision.at
            else:
                now = decision.until if isinstance(decision, Wait) else decision.retry_at
        # Half-open waits poll for at most one lease.
        assert state.breaker is Breaker.HALF_OPEN
        assert now <= max(state.probe_until, self.now) + 86_400


GateMachine.TestCase.settings = settings(max_examples=150, stateful_step_count=60, deadline=None)
TestGateMachine = GateMachine.TestCase
