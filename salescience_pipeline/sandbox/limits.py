"""Rate limits and quotas as the providers enforce them: a pure state machine over two clocks that the caller supplies.

By default nothing is enforced. What does not belong here: the wording of a refusal (each provider's module has its own).
"""

from __future__ import annotations

import datetime as dt
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any


class Clock:
    """The sandbox's time; it can be put forward, so that a quota's end need not be waited for."""

    def __init__(self) -> None:
        self.offset = 0.0

    def monotonic(self) -> float:
        """Seconds that never go back."""
        return time.monotonic() + self.offset

    def now(self) -> dt.datetime:
        """The current moment in UTC."""
        return dt.datetime.now(dt.UTC) + dt.timedelta(seconds=self.offset)

    def advance(self, seconds: float) -> None:
        """Put the clock forward.

        Raises:
            ValueError: for a negative number.
        """
        if seconds < 0:
            raise ValueError("The clock only goes forward.")
        self.offset += seconds


@dataclass(frozen=True, slots=True)
class Limit:
    """What one account may do; ``None`` leaves a window without a limit.

    Seconds and minutes slide; hours, days and months are those of the UTC calendar. With ``block_seconds`` the first
    request beyond ``per_second`` shuts the account out for that long, and each one asked meanwhile starts the time anew.
    """

    per_second: int | None = None
    per_minute: int | None = None
    per_hour: int | None = None
    per_day: int | None = None
    symbols_per_month: int | None = None
    block_seconds: float | None = None

    @classmethod
    def of(cls, values: Mapping[str, Any], base: Limit | None = None) -> Limit:
        """Read a limit from JSON, on top of ``base``.

        Raises:
            ValueError: for a name that is not a limit or a value that is not a number.
        """
        known = {item.name for item in fields(cls)}
        for name, value in values.items():
            if name not in known:
                raise ValueError(f"{name!r} is not a limit: use one of {', '.join(sorted(known))}.")
            if value is not None and (isinstance(value, bool) or not isinstance(value, int | float) or value < 0):
                raise ValueError(f"The limit {name} must be a number, not {value!r}.")
        return replace(base or cls(), **values)


@dataclass(slots=True)
class _Usage:
    recent: deque[float] = field(default_factory=deque)
    blocked_until: float = float("-inf")
    counts: dict[str, tuple[str, int]] = field(default_factory=dict)
    month: str = ""
    symbols: set[str] = field(default_factory=set)


class Limits:
    """The limits in force and what each account has used."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._limits: dict[str, Limit] = {}
        self._usage: dict[tuple[str, str], _Usage] = {}

    def set(self, provider: str, limit: Limit | None) -> None:
        """Put a provider's limit in force, or lift it with ``None``."""
        if limit is None:
            self._limits.pop(provider, None)
        else:
            self._limits[provider] = limit

    def reset(self) -> None:
        """Forget all use and every block; the limits stay."""
        self._usage.clear()

    def report(self) -> dict[str, dict[str, Any]]:
        """The limits in force as JSON types."""
        return {
            name: {item.name: getattr(limit, item.name) for item in fields(limit)}
            for name, limit in sorted(self._limits.items())
        }

    def check(self, provider: str, account: str, symbol: str | None) -> str | None:
        """Count one request; the name of the window that refuses it, or ``None``.

        Names: ``block``, ``second``, ``minute``, ``hour``, ``day``, ``symbols``. A refused request uses up nothing.
        """
        limit = self._limits.get(provider)
        if limit is None:
            return None
        usage = self._usage.setdefault((provider, account), _Usage())
        at, now = self._clock.monotonic(), self._clock.now()
        refused = self._sliding(limit, usage, at)
        if refused is None:
            refused = self._calendar(limit, usage, now, symbol)
        if refused is None:
            usage.recent.append(at)
        return refused

    @staticmethod
    def _sliding(limit: Limit, usage: _Usage, at: float) -> str | None:
        if at < usage.blocked_until and limit.block_seconds is not None:
            usage.blocked_until = at + limit.block_seconds
            return "block"
        while usage.recent and usage.recent[0] <= at - 60.0:
            usage.recent.popleft()
        if limit.per_second is not None and sum(1 for t in usage.recent if t > at - 1.0) >= limit.per_second:
            if limit.block_seconds is None:
                return "second"
            usage.blocked_until = at + limit.block_seconds
            return "block"
        if limit.per_minute is not None and len(usage.recent) >= limit.per_minute:
            return "minute"
        return None

    @staticmethod
    def _calendar(limit: Limit, usage: _Usage, now: dt.datetime, symbol: str | None) -> str | None:
        windows = {"hour": (limit.per_hour, f"{now:%Y-%m-%dT%H}"), "day": (limit.per_day, f"{now:%Y-%m-%d}")}
        for name, (most, window) in windows.items():
            current, used = usage.counts.get(name, (window, 0))
            if most is not None and current == window and used >= most:
                return name
        if limit.symbols_per_month is not None and symbol is not None:
            month = f"{now:%Y-%m}"
            if usage.month != month:
                usage.month, usage.symbols = month, set()
            if symbol not in usage.symbols and len(usage.symbols) >= limit.symbols_per_month:
                return "symbols"
            usage.symbols.add(symbol)
        for name, (_, window) in windows.items():
            current, used = usage.counts.get(name, (window, 0))
            usage.counts[name] = (window, used + 1 if current == window else 1)
        return None
