"""The pure steps of the gate: rate limit, pause, breaker, block and quotas of one provider, as functions of state and time.

:func:`reserve`, :func:`admits` and :func:`report` map a :class:`GateState` and a time to a new state; ``gate`` applies
them to a row that all processes share.

The limit is kept by *reservation* (the generic cell rate algorithm with absolute slots): every caller takes the next
free slot in one atomic step and sleeps until then, so the order is fair and nobody polls. Slots lie
``(1 + margin) / rate`` apart and a request leaves at most ``tolerance`` after its slot, so that ``rate + 1`` requests
always take longer than a second; what the margin leaves over the tolerance absorbs the jitter of the network, because
the provider counts arrivals, not departures. Who wakes later than that gives the time back: see :func:`reserve`.

The breaker opens after consecutive failures and lets one probe through at a time, over all processes. A rate limit is
not a failure and never opens it. A block (the provider shuts us out) opens it for the whole block and is never probed.

What does not belong here: clocks, sleeping, databases.
"""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from salescience_pipeline.catalog.providers import Provider, Quota, Window
from salescience_pipeline.clients.errors import Blocked, CircuitOpen, QuotaExhausted, Retryable
from salescience_pipeline.clients.model import AnswerClass

MAX_QUEUE = 600.0
"""Seconds ahead that a slot may be reserved at most; a row that is further ahead comes from a clock set back."""
PROBE_POLL = 0.5
"""Seconds after which a caller may ask again while somebody else's probe is under way."""
_DAY = 86_400.0
_HEALTHY = frozenset(AnswerClass) - {
    AnswerClass.TRANSIENT,
    AnswerClass.RATE_LIMITED,
    AnswerClass.QUOTA_EXHAUSTED,
    AnswerClass.BLOCKED,
}
"""Answers that show the provider at work; a refused key is our fault, not its failure."""


class Breaker(StrEnum):
    """The state of a provider's circuit breaker."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclass(frozen=True, slots=True)
class GateRule:
    """How fast and how stubbornly one provider may be asked (numbers: reference/features.md 3.1, design.md 6)."""

    provider: str
    rate: float
    """Requests per second over all processes."""
    quotas: tuple[Quota, ...] = ()
    timezone: str = "UTC"
    """Zone in which an hour, a day and a month begin."""
    block_seconds: float = 600.0
    margin: float = 0.03
    """Share by which slots lie further apart than the limit demands; the best use is ``1 / (1 + margin)``."""
    failure_threshold: int = 3
    """Consecutive failures that open the breaker."""
    open_seconds: float = 60.0
    success_threshold: int = 2
    """Consecutive good probes that close it."""
    probe_lease: float = 45.0
    """Seconds after which a probe counts as lost; longer than a request may take in total (30 s)."""

    @property
    def capacity(self) -> int:
        """Requests that may fall into one :attr:`window`: the whole part of the rate, at least one."""
        return max(1, math.floor(self.rate))

    @property
    def window(self) -> float:
        """The sliding window in which the limit must hold, in seconds: one second, longer below one per second."""
        return max(1.0, 1.0 / self.rate)

    @property
    def interval(self) -> float:
        """Seconds between two slots."""
        return self.window * (1.0 + self.margin) / self.capacity

    @property
    def tolerance(self) -> float:
        """Seconds that a request may leave after its slot: a quarter of the margin, the rest is the network's."""
        return min(0.010, self.window * self.margin / 4)

    @property
    def symbol_limit(self) -> int | None:
        """Distinct symbols that may be asked for in one month, if the plan limits them."""
        return next((quota.limit for quota in self.quotas if quota.counts == "symbols"), None)

    @classmethod
    def of(
        cls,
        provider: Provider,
        *,
        plan: str | None = None,
        rate: float | None = None,
        block_seconds: float | None = None,
    ) -> GateRule:
        """The rule that follows from a catalogue row; ``rate`` and ``block_seconds`` override it.

        Raises:
            KeyError: when the provider has no such plan.
        """
        chosen = provider.plan(plan)
        return cls(
            provider=provider.id,
            rate=rate if rate is not None else chosen.rate,
            quotas=chosen.quotas,
            timezone=provider.timezone,
            block_seconds=block_seconds if block_seconds is not None else provider.block_seconds,
        )


@dataclass(frozen=True, slots=True)
class GateState:
    """One provider's shared row; all times in seconds since the epoch, 0 for "never"."""

    tat: float = 0.0
    """The next free slot (in the algorithm's literature: theoretical arrival time)."""
    paused_until: float = 0.0
    """Nobody sends before: the provider said that we ask too fast."""
    throttled: int = 0
    """Rate-limit answers in a row, each to a request sent after the pause before it."""
    blocked_until: float = 0.0
    """Nobody sends, and nobody probes, before: the provider shut us out."""
    quota_until: float = 0.0
    """The provider itself said that an allowance is spent until then."""
    breaker: Breaker = Breaker.CLOSED
    failures: int = 0
    """Consecutive failures while closed."""
    successes: int = 0
    """Consecutive good probes while half open."""
    changed_at: float = 0.0
    """When the breaker last changed; what was sent before says nothing about the time since."""
    open_until: float = 0.0
    open_count: int = 0
    """How often the breaker has opened, for people."""
    probe_holder: str = ""
    probe_until: float = 0.0
    minute_start: float = 0.0
    minute_used: int = 0
    hour_start: float = 0.0
    hour_used: int = 0
    day_start: float = 0.0
    day_used: int = 0
    month_start: float = 0.0
    month_used: int = 0


@dataclass(frozen=True, slots=True)
class Permit:
    """Leave to send one request at ``at``; ``probe`` says that the breaker waits for its outcome."""

    at: float
    holder: str
    probe: bool = False
    cost: int = 1


@dataclass(frozen=True, slots=True)
class Wait:
    """No slot before ``until``, later than the caller is willing to wait; nothing was reserved."""

    until: float
    paused: bool
    """Whether the provider's own pause is the reason (else: the queue is that long)."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Nothing may be sent before ``retry_at``; ``reason`` names the error class."""

    reason: type[Retryable]
    retry_at: float
    detail: str


Decision = Permit | Wait | Refusal


@dataclass(frozen=True, slots=True)
class SymbolUse:
    """What the month's symbol allowance needs to know: symbols used, and whether this one would be a new one."""

    used: int
    is_new: bool


def window_bounds(window: Window, at: float, timezone: str) -> tuple[float, float]:
    """Begin and end of the calendar ``window`` around ``at`` in ``timezone``, in epoch seconds (begin <= at < end)."""
    if window == "minute":
        begin = math.floor(at / 60.0) * 60.0
        return begin, begin + 60.0
    zone = ZoneInfo(timezone)
    local = dt.datetime.fromtimestamp(at, zone)
    if window == "hour":
        # Arithmetic in epoch seconds, so that the hour repeated in autumn is two hours, not one.
        begin = math.floor(at) - local.minute * 60.0 - local.second
        return begin, begin + 3600.0
    first = local.date() if window == "day" else local.date().replace(day=1)
    after = first + dt.timedelta(days=1) if window == "day" else (first + dt.timedelta(days=32)).replace(day=1)
    midnight = dt.time()
    return (
        dt.datetime.combine(first, midnight, zone).timestamp(),
        dt.datetime.combine(after, midnight, zone).timestamp(),
    )


def reserve(
    state: GateState,
    rule: GateRule,
    now: float,
    *,
    holder: str,
    cost: int = 1,
    horizon: float = MAX_QUEUE,
    symbols: SymbolUse | None = None,
    replaces: Permit | None = None,
) -> tuple[GateState, Decision]:
    """Take the next slot, or say why not; without a permit the state comes back as it was.

    A permit whose holder woke too late is handed in as ``replaces``. While fewer than a window's worth of slots were
    given out behind it, it may be used at once if all later slots move back by the delay: that costs the delay, not a
    whole slot, and the request ``capacity`` places behind still keeps its distance. Otherwise it goes to the end.

    Args:
        state: The row.
        rule: The provider's rule.
        now: The time, in epoch seconds.
        holder: Unique name of the caller's permit.
        cost: How many requests this one counts as.
        horizon: Seconds that the caller would wait for its slot, at most :data:`MAX_QUEUE`.
        symbols: The symbol allowance's figures, where the plan has one.
        replaces: A permit that was not used.
    """
    current = _without_clock_jumps(state, rule, now)
    refusal = _refusal(current, rule, now, replaces)
    if refusal is not None:
        return state, refusal
    earliest = max(now, current.paused_until)
    span = rule.interval * cost
    late = now - replaces.at if replaces is not None else 0.0
    window_of_slots = rule.interval * rule.capacity
    if (
        replaces is not None
        and earliest == now
        and 0.0 <= late < window_of_slots
        and current.tat - replaces.at <= window_of_slots
    ):
        slot, tat = now, current.tat + late
    else:
        slot = max(current.tat, earliest)
        tat = slot + span
    if slot - now > min(horizon, MAX_QUEUE):
        return state, Wait(slot, paused=current.paused_until > now)
    counted = _count(current, rule, slot, cost=cost, symbols=symbols, replaces=replaces)
    if isinstance(counted, Refusal):
        return state, counted
    if counted.breaker is Breaker.CLOSED:
        return replace(counted, tat=tat), Permit(slot, holder, cost=cost)
    # The step from open to half open is taken only together with the probe that justifies it.
    half_open = counted.breaker is Breaker.HALF_OPEN
    granted = replace(
        counted,
        tat=tat,
        breaker=Breaker.HALF_OPEN,
        successes=counted.successes if half_open else 0,
        changed_at=counted.changed_at if half_open else now,
        probe_holder=holder,
        probe_until=slot + rule.probe_lease,
    )
    return granted, Permit(slot, holder, probe=True, cost=cost)


def admits(state: GateState, permit: Permit, now: float) -> bool:
    """Whether a permit reserved earlier may still be used: a block, a pause or an open breaker came first."""
    if now < max(state.blocked_until, state.quota_until) or permit.at < state.paused_until:
        return False
    if state.breaker is Breaker.CLOSED:
        return True
    return state.breaker is Breaker.HALF_OPEN and state.probe_holder == permit.holder


def report(
    state: GateState,
    rule: GateRule,
    now: float,
    permit: Permit,
    outcome: AnswerClass | None,
    *,
    retry_at: float | None = None,
) -> GateState:
    """What an answer teaches: the new state.

    Args:
        state: The row.
        rule: The provider's rule.
        now: The time, in epoch seconds.
        permit: The permit under which the request was sent.
        outcome: The answer's class; None when nothing was sent after all.
        retry_at: When the provider says we may come back, in epoch seconds; believed for a day at most.
    """
    probed = state.breaker is Breaker.HALF_OPEN and state.probe_holder == permit.holder
    if probed:
        state = replace(state, probe_holder="", probe_until=0.0)
    if outcome is None:
        return state
    if outcome in (AnswerClass.BLOCKED, AnswerClass.QUOTA_EXHAUSTED, AnswerClass.RATE_LIMITED):
        told = min(retry_at, now + _DAY) if retry_at is not None else 0.0
        return _turned_away(state, rule, now, permit, outcome=outcome, told=told)
    healthy = outcome in _HEALTHY
    if healthy and state.throttled and permit.at >= state.paused_until:
        state = replace(state, throttled=0)
    if probed:
        return _after_probe(state, rule, now, healthy)
    if state.breaker is not Breaker.CLOSED or permit.at < state.changed_at:
        return state
    failures = 0 if healthy else state.failures + 1
    if failures >= rule.failure_threshold:
        return _opened(replace(state, failures=failures), now, now + rule.open_seconds)
    return replace(state, failures=failures)


def _turned_away(
    state: GateState, rule: GateRule, now: float, permit: Permit, *, outcome: AnswerClass, told: float
) -> GateState:
    """The provider is well and does not want us: nobody asks before a time; only a block opens the breaker."""
    if outcome is AnswerClass.BLOCKED:
        until = max(state.blocked_until, told, now + rule.block_seconds)
        return replace(_opened(state, now, until), blocked_until=until)
    if outcome is AnswerClass.QUOTA_EXHAUSTED:
        return replace(state, quota_until=max(state.quota_until, told or _shortest_window_end(rule, now)))
    # Requests in flight together are refused together; only one sent after the last pause is a new complaint.
    throttled = state.throttled + (1 if permit.at >= state.paused_until else 0)
    until = told if told > now else now + min(60.0, 2.0 ** max(throttled - 1, 0))
    return replace(state, throttled=throttled, paused_until=max(state.paused_until, until))


def _opened(state: GateState, now: float, until: float) -> GateState:
    """The breaker open until ``until``, any probe forgotten; extending an open one counts as no new opening."""
    again = state.breaker is Breaker.OPEN
    return replace(
        state,
        breaker=Breaker.OPEN,
        successes=0,
        changed_at=now,
        open_until=max(state.open_until, until) if again else until,
        open_count=state.open_count + (0 if again else 1),
        probe_holder="",
        probe_until=0.0,
    )


def _after_probe(state: GateState, rule: GateRule, now: float, healthy: bool) -> GateState:
    if not healthy:
        return _opened(state, now, now + rule.open_seconds)
    successes = state.successes + 1
    if successes < rule.success_threshold:
        return replace(state, successes=successes)
    return replace(state, breaker=Breaker.CLOSED, failures=0, successes=0, changed_at=now, open_until=0.0)


def _refusal(state: GateState, rule: GateRule, now: float, replaces: Permit | None) -> Refusal | None:
    """Why nobody may send now, if that is so."""
    if now < state.blocked_until:
        return Refusal(Blocked, state.blocked_until, "has shut us out")
    if now < state.quota_until:
        return Refusal(QuotaExhausted, state.quota_until, "says that the allowance of the plan is spent")
    if state.breaker is Breaker.OPEN and now < state.open_until:
        return Refusal(CircuitOpen, state.open_until, f"failed {rule.failure_threshold} times in a row")
    taken = state.breaker is Breaker.HALF_OPEN and state.probe_holder and now < state.probe_until
    if taken and (replaces is None or replaces.holder != state.probe_holder):
        return Refusal(CircuitOpen, min(state.probe_until, now + PROBE_POLL), "is being probed after failures")
    return None


def _count(
    state: GateState, rule: GateRule, slot: float, *, cost: int, symbols: SymbolUse | None, replaces: Permit | None
) -> GateState | Refusal:
    """Book ``cost`` on every calendar window of the slot; a permit that is replaced was booked before."""
    changes: dict[str, Any] = {}
    for quota in rule.quotas:
        begin, end = window_bounds(quota.window, slot, rule.timezone)
        if quota.counts == "symbols":
            if symbols is not None and symbols.is_new and symbols.used >= quota.limit:
                return Refusal(QuotaExhausted, end, f"allows {quota.limit} different symbols a {quota.window}")
            continue
        stored: float = getattr(state, f"{quota.window}_start")
        used: int = getattr(state, f"{quota.window}_used") if stored >= begin else 0
        # A window ahead of ours means that the clock was set back: keep counting in it rather than start anew.
        begin = max(begin, stored)
        if replaces is None or replaces.at < begin:
            used += cost
        if used > quota.limit:
            return Refusal(QuotaExhausted, end, f"allows {quota.limit} requests a {quota.window}")
        changes |= {f"{quota.window}_start": begin, f"{quota.window}_used": used}
    return replace(state, **changes) if changes else state


def _shortest_window_end(rule: GateRule, now: float) -> float:
    """When the next allowance begins if the provider does not say; midnight without a known quota."""
    windows: list[Window] = [quota.window for quota in rule.quotas if quota.counts == "requests"]
    return min(window_bounds(window, now, rule.timezone)[1] for window in windows or ["day"])


def _without_clock_jumps(state: GateState, rule: GateRule, now: float) -> GateState:
    """Repair what only a clock set back can explain, else everybody would wait for the old time to return."""
    changes: dict[str, Any] = {}
    if state.tat - now > 2 * MAX_QUEUE:
        changes["tat"] = now + rule.window
    if state.breaker is Breaker.OPEN and now >= state.blocked_until and state.open_until - now > rule.open_seconds:
        changes["open_until"] = now + rule.open_seconds
    if state.probe_until - now > MAX_QUEUE + rule.probe_lease:
        changes["probe_until"] = now
    return replace(state, **changes) if changes else state
