"""How many requests an organisation may make in a minute: spent here, taken from the database in blocks.

What does not belong here: the count over all gateways (``ledger.request_limits``).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from salescience_pipeline.gateway.problems import Problem
from salescience_pipeline.identifiers import OrganizationId

if TYPE_CHECKING:
    from salescience_pipeline.ledger.request_limits import RequestLimits

_BLOCKS = 20
"""Blocks of a minute's requests: with few gateways most of what is taken is spent, and a request costs no transaction."""


class Rates:
    """What this process may still let through, by organisation; safe for threads."""

    def __init__(
        self, limits: Callable[[], RequestLimits], default: int, *, clock: Callable[[], float] = time.time
    ) -> None:
        """Nothing is taken before the first request.

        Args:
            limits: The counts in the database, opened when first needed.
            default: Requests in a minute of an organisation that has no limit of its own.
            clock: Seconds since the epoch.
        """
        self._limits, self._default, self._clock = limits, default, clock
        self._lock, self._taking = threading.Lock(), threading.Lock()
        self._left: dict[OrganizationId, tuple[int, int]] = {}

    def spend(self, organization: OrganizationId) -> bool:
        """Whether the request may go on at once; else :meth:`take` has to ask the database."""
        minute = int(self._clock() // 60)
        with self._lock:
            held, left = self._left.get(organization, (0, 0))
            if held < minute or left < 1:
                return False
            self._left[organization] = (held, left - 1)
            return True

    def take(self, organization: OrganizationId, limit: int | None) -> None:
        """Let one request go on, after taking the next block if need be.

        Raises:
            Problem: 429 when the minute's requests are used up.
        """
        most = self._default if limit is None else limit
        with self._taking:
            if self.spend(organization):
                return
            now = self._clock()
            minute = int(now // 60)
            with self._lock:
                held, left = self._left.get(organization, (0, 0))
            # Once it is known that nothing is left, nobody asks again before the next minute.
            if held < minute or left >= 0:
                block = max(most // _BLOCKS, 1)
                held, got = self._limits().take(organization, minute, limit=most, block=block)
                left = got - 1
            with self._lock:
                if len(self._left) > 10_000:
                    self._left.clear()
                self._left[organization] = (held, left)
            if left < 0:
                raise Problem(
                    429, "rate_limited", f"An organization may make {most} requests in a minute; wait for the next one.",
                    headers={"Retry-After": str(max(int((held + 1) * 60 - now) + 1, 1))},
                )  # fmt: skip
