"""The pure steps of the gate: rate limit, pause, breaker, block and quotas of one provider, as functions of state and time.

:func:`reserve`, :func:`admits` and :func:`report` map a :class:`GateState` and a time to a new state; ``gate`` applies
them to a row that all processes share.

The limit is kept by *reservation* (the generic cell rate algorithm with absolute, numbered slots): every caller takes the
next free slot in one atomic step and sleeps until then, so the order is fair and nobody polls. With ``k`` requests
allowed in a window, slots lie ``window * (1 + margin) / k`` apart. Nobody sends before the slot, and who is late says so
in the row *before* sending; slot ``n`` then waits until a whole spacing of ``k`` slots after what slot ``n - k`` really
did. Of any ``k + 1`` requests two have numbers that are equal modulo ``k``, so any ``k + 1`` requests take longer than
the window. A delay costs its own series only, a ``k``-th of what moving all slots would cost. What the margin leaves
over the tolerance absorbs the jitter of the network, because the provider counts arrivals, not departures.

The breaker opens after consecutive failures and lets one probe through at a time, over all processes. A rate limit is
not a failure and never opens it. A block (the provider shuts us out) opens it for the whole block and is never probed.

What does not belong here: clocks, sleeping, databases.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from salescience_pipeline.catalog.providers import Window
from salescience_pipeline.clients.errors import Blocked, CircuitOpen, QuotaExhausted
from salescience_pipeline.clients.gate_model import (
    Breaker,
    Decision,
    GateRule,
    GateState,
    Permit,
    Refusal,
    SymbolUse,
    Wait,
    window_bounds,
)
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

    Args:
        state: The row.
        rule: The provider's rule.
        now: The time, in epoch seconds.
        holder: Unique name of the caller's permit.
        cost: How many requests this one counts as, at most half the rate: it takes so many slots and uses the last.
        horizon: Seconds that the caller would wait for its slot, at most :data:`MAX_QUEUE`.
        symbols: The symbol allowance's figures, where the plan has one.
        replaces: A permit that was not used; the quotas have counted it already.

    Raises:
        ValueError: when ``cost`` is too high to be kept evenly.
    """
    if not 1 <= cost <= max(1, rule.capacity // 2):
        raise ValueError(f"A request to {rule.provider} cannot count as {cost} at {rule.rate:g} requests a second.")
    current = _without_clock_jumps(state, rule, now)
    refusal = _refusal(current, rule, now, replaces)
    if refusal is not None:
        return state, refusal
    slot = max(current.tat, now, current.paused_until)
    permit = Permit(slot + (cost - 1) * rule.interval, holder, seq=current.seq, slot=slot, cost=cost)
    permit = replace(permit, at=due(current, rule, permit))
    if permit.at - slot > rule.grace:
        slot = permit.at - (cost - 1) * rule.interval
        permit = replace(permit, slot=slot)
    if permit.at - now > min(horizon, MAX_QUEUE):
        return state, Wait(permit.at, paused=current.paused_until > now)
    counted = _count(current, rule, permit, symbols=symbols, replaces=replaces)
    if isinstance(counted, Refusal):
        return state, counted
    taken = replace(
        counted,
        tat=slot + cost * rule.interval,
        seq=permit.seq + cost,
        late=_late(counted, rule, permit, now),
    )
    if taken.breaker is Breaker.CLOSED:
        return taken, permit
    # The step from open to half open is taken only together with the probe that justifies it.
    half_open = taken.breaker is Breaker.HALF_OPEN
    probing = replace(
        taken,
        breaker=Breaker.HALF_OPEN,
        successes=taken.successes if half_open else 0,
        changed_at=taken.changed_at if half_open else now,
        probe_holder=holder,
        probe_until=permit.at + rule.probe_lease,
    )
    return probing, replace(permit, probe=True)


def due(state: GateState, rule: GateRule, permit: Permit) -> float:
    """When the permit may be used: at ``at``, or later if the request a spacing before it was late."""
    numbers = range(permit.seq - rule.capacity, permit.seq - rule.capacity + permit.cost)
    return max([permit.at, *(moment + rule.spacing for number, moment in state.late if number in numbers)])


def postpone(state: GateState, rule: GateRule, now: float, permit: Permit) -> tuple[GateState, Permit | None]:
    """Use a permit later than it says, from ``now`` on; None when its slot is over and a new one must be taken."""
    moved = replace(permit, at=max(now, due(state, rule, permit)))
    counted_elsewhere = any(
        window_bounds(quota.window, moved.at, rule.timezone) != window_bounds(quota.window, permit.at, rule.timezone)
        for quota in rule.quotas
    )
    if counted_elsewhere or moved.at - moved.slot > rule.grace:
        return state, None
    return replace(state, late=_late(state, rule, moved, now)), moved


def departed(state: GateState, rule: GateRule, now: float, permit: Permit) -> GateState:
    """What the row must know when a request has left at ``now``: a new connection or a busy machine held it up."""
    if now - permit.at <= rule.tolerance:
        return state
    return replace(state, late=_late(state, rule, replace(permit, at=now), now))


def _late(state: GateState, rule: GateRule, permit: Permit, now: float) -> tuple[tuple[int, float], ...]:
    """The late requests with those of ``permit``, without the ones that no longer hold anybody up."""
    mine = range(permit.seq, permit.seq + permit.cost)
    kept = [(n, at) for n, at in state.late if n not in mine and at + 2 * rule.spacing > now]
    late = [(n, permit.at) for n in mine if permit.at > permit.slot + (n - permit.seq) * rule.interval]
    return (*kept, *late)


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
    state: GateState, rule: GateRule, permit: Permit, *, symbols: SymbolUse | None, replaces: Permit | None
) -> GateState | Refusal:
    """Book the permit on every calendar window of its time; one that it replaces was booked before."""
    changes: dict[str, Any] = {}
    for quota in rule.quotas:
        begin, end = window_bounds(quota.window, permit.at, rule.timezone)
        if quota.counts == "symbols":
            if symbols is not None and symbols.is_new and symbols.used >= quota.limit:
                return Refusal(QuotaExhausted, end, f"allows {quota.limit} different symbols per {quota.window}")
            continue
        stored: float = getattr(state, f"{quota.window}_start")
        used: int = getattr(state, f"{quota.window}_used") if stored >= begin else 0
        # A window ahead of ours means that the clock was set back: keep counting in it rather than start anew.
        begin = max(begin, stored)
        if replaces is None or replaces.at < begin:
            used += permit.cost
        if used > quota.limit:
            return Refusal(QuotaExhausted, end, f"allows {quota.limit} requests per {quota.window}")
        changes |= {f"{quota.window}_start": begin, f"{quota.window}_used": used}
    return replace(state, **changes) if changes else state


def allowance(state: GateState, rule: GateRule, now: float) -> int | None:
    """Requests that the quotas of the rule still allow at ``now``; None when it has none.

    What is limited by distinct symbols is not counted: it depends on whom is asked for.
    """
    left: list[int] = []
    for quota in rule.quotas:
        if quota.counts == "requests":
            begin, _ = window_bounds(quota.window, now, rule.timezone)
            stored: float = getattr(state, f"{quota.window}_start")
            left.append(quota.limit - (getattr(state, f"{quota.window}_used") if stored >= begin else 0))
    if not left:
        return None
    return 0 if now < state.quota_until else max(min(left), 0)


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
