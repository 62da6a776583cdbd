"""When a failed attempt is tried again, and how long to wait before: a pure rule over attempts and time.

A rule and not a loop, so that a waiting request occupies no thread: the transport keeps it on a list and lets others go
ahead. What does not belong here: sleeping, and which answers are failures (``classify``).
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from salescience_pipeline.clients.model import AnswerClass

RETRYABLE = frozenset({AnswerClass.TRANSIENT, AnswerClass.RATE_LIMITED})
"""Classes that another attempt may cure; a spent quota or a block burns no retries."""


@dataclass(frozen=True, slots=True)
class RetryRule:
    """Three attempts, one second doubling to thirty, a tenth of jitter, and an end to patience."""

    attempts: int = 3
    """Requests sent at most."""
    first_wait: float = 1.0
    """Seconds before the second attempt; each further wait is twice as long."""
    longest_wait: float = 30.0
    """Cap on a wait that we choose ourselves, in seconds."""
    jitter: float = 0.1
    """Share by which a wait may be longer, so that requests that failed together do not return together."""
    patience: float = 90.0
    """Seconds that one request may spend waiting in total, for its retries and for our own breaker to close."""

    def wait(
        self,
        answer_class: AnswerClass,
        *,
        sent: int,
        waited: float,
        now: dt.datetime,
        retry_at: dt.datetime | None,
        chance: float,
    ) -> float | None:
        """Seconds to wait before the next attempt; None when there should be none.

        Args:
            answer_class: What the last attempt came to.
            sent: Attempts so far, at least 1.
            waited: Seconds waited so far.
            now: The clock.
            retry_at: The moment that the provider named, which a shorter wait of ours never undercuts.
            chance: A random number in [0, 1), for the jitter.
        """
        if answer_class not in RETRYABLE or sent >= self.attempts:
            return None
        own = min(self.first_wait * 2.0 ** (sent - 1), self.longest_wait) * (1.0 + self.jitter * chance)
        told = (retry_at - now).total_seconds() if retry_at is not None else 0.0
        pause = max(own, told)
        return pause if waited + pause <= self.patience else None

    def sit_out(self, *, waited: float, now: dt.datetime, retry_at: dt.datetime | None) -> float | None:
        """Seconds to wait for our own breaker, which costs no attempt; None when it takes too long."""
        if retry_at is None:
            return None
        pause = max((retry_at - now).total_seconds(), 0.05)
        return pause if waited + pause <= self.patience else None
