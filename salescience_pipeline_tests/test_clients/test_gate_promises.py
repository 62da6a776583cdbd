"""The gate's promises under any course of things: a simulation of busy callers, and a state machine that Hypothesis drives."""

from __future__ import annotations

import heapq
import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from salescience_pipeline.catalog.providers import Quota
from salescience_pipeline.clients.gate_model import Breaker, GateRule, GateState, Permit, Wait
from salescience_pipeline.clients.gate_steps import admits, due, postpone, report, reserve
from salescience_pipeline.clients.model import AnswerClass
from salescience_pipeline_tests.test_clients.gates import RULE, T0, permit_of


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
