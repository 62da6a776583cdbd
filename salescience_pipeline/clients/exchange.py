"""What one attempt is made of: the leave to send, the wire, what came of it, and a request between two attempts.

Values and protocols only. What does not belong here: doing any of it (``courier``, ``transport``).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from salescience_pipeline.clients import tracing
from salescience_pipeline.clients.classify import Verdict
from salescience_pipeline.clients.model import AnswerClass, Body, PlannedRequest, Stored
from salescience_pipeline.identifiers import RequestId


class Leave(Protocol):
    """What is needed of the gate; ``clients.gate.Gate`` is the real one."""

    def acquire(
        self, provider: str, cost: int = 1, *, symbol: str | None = None, organization: str | None = None
    ) -> Any:
        """Wait for the next slot and return a permit; ``organization`` is whose share of the day it comes from.

        Raises:
            Retryable: CircuitOpen, RateLimited, Blocked or QuotaExhausted, when there is none.
        """
        ...

    def sent(self, provider: str, permit: Any) -> None:
        """Say that the request's bytes have left; whoever comes next keeps its distance from that moment."""
        ...

    def report(
        self, provider: str, permit: Any, outcome: AnswerClass | None, retry_at: dt.datetime | None = None
    ) -> None:
        """Say how the request went; None gives the permit back unused."""
        ...


@dataclass(frozen=True, slots=True)
class Received:
    """What came of one exchange over the wire, judged."""

    verdict: Verdict
    started_at: dt.datetime
    elapsed_ms: float
    status: int | None = None
    """None when no answer came."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Those worth keeping, redacted."""
    body: Body | None = None
    """The body if it is whole, or whatever came with an error; None for a success that was cut."""
    cookies: Mapping[str, str] = field(default_factory=dict, repr=False)
    too_big: bool = False
    cause: Exception | None = None
    """The exception behind a failure, if its text is free of secrets."""


class Wire(Protocol):
    """Sends one request and judges what comes back; never raises for anything that a network or a provider can do."""

    def exchange(
        self,
        request: PlannedRequest,
        headers: Mapping[str, str],
        params: tuple[tuple[str, str], ...],
        *,
        on_sent: Callable[[], None],
    ) -> Received:
        """Send ``request`` with these further headers and parameters; ``on_sent`` is called when its bytes have left."""
        ...


@dataclass(slots=True)
class Pending:
    """A request on its way, between two attempts."""

    request: PlannedRequest
    request_id: RequestId
    private_headers: Mapping[str, str] | None = field(default=None, repr=False)
    """Set for a session's own requests, whose answers are used and never stored."""
    sent: int = 0
    waited: float = 0.0
    renewed: bool = False
    stored: Stored | None = None
    """The archived answer that a conditional request is about."""
    archive_asked: bool = False


@dataclass(frozen=True, slots=True)
class Wait:
    """The next attempt is due at ``due``."""

    due: dt.datetime


def traced_exchange(
    wire: Wire,
    pending: Pending,
    headers: Mapping[str, str],
    params: tuple[tuple[str, str], ...],
    *,
    on_sent: Callable[[], None],
) -> Received:
    """Send ``pending`` over ``wire``, inside a span of its request's trace where somebody traces."""
    request = pending.request
    with tracing.span(
        f"{request.method} {request.provider} {request.endpoint}", str(pending.request_id), kind="client",
        http_request_method=request.method, url_full=request.canonical_url, http_request_resend__count=pending.sent - 1,
    ) as said:  # fmt: skip
        received = wire.exchange(request, headers, params, on_sent=on_sent)
        said.say(http_response_status__code=received.status, salescience_answer=received.verdict.answer_class.value)
    return received
