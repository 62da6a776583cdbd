"""The values of the gate: the rule of a provider, its shared state, and what a caller is told.

What does not belong here: the steps from one state to the next (``gate_steps``) and everything that sleeps or stores.
"""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass
from enum import StrEnum
from zoneinfo import ZoneInfo

from salescience_pipeline.catalog.providers import Provider, Quota, Window
from salescience_pipeline.clients.errors import Retryable


class Breaker(StrEnum):
    """The state of a provider's circuit breaker."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclass(frozen=True, slots=True)
class GateRule:
    """How fast and how stubbornly one provider may be asked."""

    provider: str
    rate: float
    """Requests per second over all processes."""
    quotas: tuple[Quota, ...] = ()
    timezone: str = "UTC"
    """Zone in which an hour, a day and a month begin."""
    block_seconds: float = 600.0
    margin: float = 0.035
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
    def spacing(self) -> float:
        """Seconds between a slot and the one :attr:`capacity` places behind it."""
        return self.window * (1.0 + self.margin)

    @property
    def interval(self) -> float:
        """Seconds between two slots."""
        return self.spacing / self.capacity

    @property
    def tolerance(self) -> float:
        """Seconds that a request may be late without saying so: a seventh of the margin, the rest is the network's."""
        return min(0.010, self.window * self.margin / 7)

    @property
    def grace(self) -> float:
        """Seconds after which a slot is lost: it must have spoken before the one a spacing behind it looks."""
        return 0.9 * self.spacing

    @property
    def symbol_limit(self) -> int | None:
        """Distinct symbols that may be asked for in one month, if the plan limits them."""
        return next((quota.limit for quota in self.quotas if quota.counts == "symbols"), None)

    @property
    def day_limit(self) -> int | None:
        """Requests that may be made in one day, if the plan limits them."""
        days = (quota for quota in self.quotas if quota.counts == "requests" and quota.window == "day")
        return next((quota.limit for quota in days), None)

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
    seq: int = 0
    """Number of the next free slot."""
    late: tuple[tuple[int, float], ...] = ()
    """(slot number, moment of sending) of the last window's requests that were later than their slots."""
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
    seq: int = 0
    """Number of the (first) slot."""
    slot: float = 0.0
    """Time of the (first) slot; ``at`` is later when the request was delayed or counts for several."""
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
    # Whole seconds, because a conversion that rounds up to the next one would name the next window.
    local = dt.datetime.fromtimestamp(math.floor(at), zone)
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
