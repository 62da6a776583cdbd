"""Time in tests: clocks that stand still until the test moves them or somebody sleeps by them, and waiting for the real one."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable
from typing import Any


class Clock:
    """A moment in UTC; called, it tells ``now``."""

    def __init__(self, now: dt.datetime = dt.datetime(2026, 6, 15, 12, tzinfo=dt.UTC)) -> None:
        self.now = now
        self.slept: list[float] = []

    def __call__(self) -> dt.datetime:
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let the time pass, and note how much."""
        self.slept.append(seconds)
        self.now += dt.timedelta(seconds=seconds)


class Seconds:
    """The same as a number of seconds."""

    def __init__(self, now: float) -> None:
        self.now = now
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let the time pass, and note how much; nobody sleeps backwards."""
        assert seconds >= 0
        self.slept.append(seconds)
        self.now += seconds


def until(
    found: Callable[[], Any], what: str = "what the test waits for", *, patience: float = 120.0, every: float = 0.05
) -> Any:
    """Ask until ``found`` gives something, and give that: for what only real time brings. Both times in seconds."""
    ends = time.monotonic() + patience
    while time.monotonic() < ends:
        if value := found():
            return value
        time.sleep(every)
    raise AssertionError(f"in {patience:.0f} s there was no {what}")
