"""The error tree of HTTP out. Each message is one sentence without secrets; the cause is kept.

::

    ProviderError                 anything a provider, or the way to it, did not give us
    ├── Retryable                 the same request may succeed later
    │   ├── Transient             timeout, reset, 5xx, cut body, HTML where JSON is due
    │   ├── RateLimited           429 and its relatives; carries ``retry_at``
    │   ├── QuotaExhausted        a day's or month's allowance is spent; carries ``retry_at``
    │   ├── Blocked               the provider shuts us out; carries ``retry_at``; nobody may ask before
    │   └── CircuitOpen           our own breaker or pause refused the attempt; carries ``retry_at``
    └── Permanent                 the same request will fail again
        ├── AuthFailed            key missing, wrong or expired: nothing of this provider will work
        ├── NotEntitled           the key's plan does not hold this endpoint
        ├── Contract              a 2xx that does not have its documented shape
        ├── TooLarge              the body exceeds its cap
        └── NotConfigured         a setting is missing; nothing was sent
    NotArchived                   replay was asked for something the archive does not hold

``not_found`` and ``ok_empty`` are answers, not errors.
"""

from __future__ import annotations

import datetime as dt

from salescience_pipeline.clients.model import AnswerClass


class ProviderError(Exception):
    """Anything a provider, or the way to it, did not give us."""

    answer_class = AnswerClass.TRANSIENT

    def __init__(
        self,
        message: str,
        *,
        provider: str,
        endpoint: str = "",
        subject: str = "",
        request_id: str = "",
        status: int | None = None,
        attempts: int = 1,
    ) -> None:
        """Keep what a program may want to test; ``message`` must already be free of secrets."""
        super().__init__(message)
        self.provider, self.endpoint, self.subject = provider, endpoint, subject
        self.request_id, self.status, self.attempts = request_id, status, attempts


class Retryable(ProviderError):
    """The same request may succeed later, at ``retry_at`` at the earliest (None: now)."""

    def __init__(
        self,
        message: str,
        *,
        provider: str,
        retry_at: dt.datetime | None = None,
        endpoint: str = "",
        subject: str = "",
        request_id: str = "",
        status: int | None = None,
        attempts: int = 1,
    ) -> None:
        """Keep when it is worth asking again."""
        super().__init__(
            message,
            provider=provider,
            endpoint=endpoint,
            subject=subject,
            request_id=request_id,
            status=status,
            attempts=attempts,
        )
        self.retry_at = retry_at


class Transient(Retryable):
    """Timeout, reset, 5xx, cut body, HTML where JSON is due."""


class RateLimited(Retryable):
    """The provider says that we ask too fast."""

    answer_class = AnswerClass.RATE_LIMITED


class QuotaExhausted(Retryable):
    """An hour's, day's or month's allowance is spent: reschedule, never burn retries."""

    answer_class = AnswerClass.QUOTA_EXHAUSTED


class Blocked(Retryable):
    """The provider shuts us out for a while; every process must keep quiet until ``retry_at``."""

    answer_class = AnswerClass.BLOCKED


class CircuitOpen(Retryable):
    """Our own breaker or pause refused the attempt; nothing was sent."""


class Permanent(ProviderError):
    """The same request will fail again."""

    answer_class = AnswerClass.CONTRACT


class AuthFailed(Permanent):
    """The key is missing, wrong or expired: nothing of this provider will work."""

    answer_class = AnswerClass.AUTH


class NotEntitled(Permanent):
    """The key's plan does not hold this endpoint."""

    answer_class = AnswerClass.ENTITLEMENT


class Contract(Permanent):
    """A successful answer that does not have its documented shape."""


class TooLarge(Permanent):
    """The body exceeds its cap: a bomb, or not what was asked for."""


class NotConfigured(Permanent):
    """A setting is missing; nothing was sent."""

    answer_class = AnswerClass.AUTH


class NotArchived(LookupError):
    """Replay was asked for something that the archive does not hold."""
