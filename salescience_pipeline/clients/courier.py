"""One request from the archive look-up to its answer, as a machine that is stepped from outside.

A step makes one attempt at most and says what comes next: an answer, an error, or the moment of the next attempt. Nobody
sleeps in here but the gate, so one thread can send and a thousand requests can wait. What does not belong here: sockets
(``transport``), threads (``pool``), what a provider's answers mean (its ``classify``).
"""

from __future__ import annotations

import datetime as dt
import logging
import threading
from collections.abc import Callable, Mapping
from typing import Any

from salescience_pipeline.catalog.providers import PROVIDERS
from salescience_pipeline.clients import registry
from salescience_pipeline.clients.classify import Extras, Session, SessionReply
from salescience_pipeline.clients.errors import (
    AuthFailed,
    Blocked,
    CircuitOpen,
    Contract,
    NotArchived,
    NotConfigured,
    NotEntitled,
    ProviderError,
    QuotaExhausted,
    RateLimited,
    Retryable,
    TooLarge,
    Transient,
)
from salescience_pipeline.clients.exchange import Leave, Pending, Received, Wait, Wire, traced_exchange
from salescience_pipeline.clients.model import (
    Answer,
    AnswerClass,
    AnswerStore,
    Attempt,
    Body,
    PlannedRequest,
    RawRef,
    Stored,
)
from salescience_pipeline.clients.redact import Redactor
from salescience_pipeline.clients.retry import RetryRule
from salescience_pipeline.clients.validators import HEADERS as VALIDATORS
from salescience_pipeline.clients.validators import conditions
from salescience_pipeline.identifiers import RequestId

log = logging.getLogger(__name__)

_ERRORS: dict[AnswerClass, type[ProviderError]] = {
    AnswerClass.TRANSIENT: Transient,
    AnswerClass.RATE_LIMITED: RateLimited,
    AnswerClass.QUOTA_EXHAUSTED: QuotaExhausted,
    AnswerClass.BLOCKED: Blocked,
    AnswerClass.AUTH: AuthFailed,
    AnswerClass.ENTITLEMENT: NotEntitled,
    AnswerClass.CONTRACT: Contract,
}


class Courier:
    """Carries requests of all providers; safe for threads."""

    def __init__(
        self,
        wire: Wire,
        gate: Leave,
        store: AnswerStore,
        redactor: Redactor,
        credentials: Mapping[str, str],
        *,
        run_id: str,
        organization_id: str | None,
        replay: bool,
        clock: Callable[[], dt.datetime],
        sleep: Callable[[float], None],
        chance: Callable[[], float],
        retry: RetryRule,
        request_id: RequestId | None = None,
        on_behalf_of: str | None = None,
    ) -> None:
        """Arguments as in :class:`~salescience_pipeline.clients.transport.Transport`."""
        self._wire, self._gate, self._store, self._redactor = wire, gate, store, redactor
        self._run_id, self._organization_id, self._request_id = run_id, organization_id, request_id
        self.clock, self.sleep, self._chance, self._retry = clock, sleep, chance, retry
        self._credentials, self._replay, self._payer = credentials, replay, on_behalf_of
        self._lock, self._sessions = threading.Lock(), dict[str, Session]()
        self._halted: dict[tuple[str, str], ProviderError] = {}

    def begin(self, request: PlannedRequest, private: Mapping[str, str] | None = None) -> Pending:
        """A request about to be sent, with the id that follows it everywhere: that of whoever it is sent for."""
        return Pending(request, self._request_id or RequestId.new(), private_headers=private)

    def step(self, pending: Pending) -> Answer | Wait | ProviderError | NotArchived:
        """Answer from the archive or make one attempt, and say what comes next; an error is returned, not raised.

        Raises:
            Exception: what is not about a provider: a failure of the archive, a bug.
        """
        request = pending.request
        try:
            archived = self._from_archive(pending)
            if archived is not None:
                return archived
            self._check(request)
            session = self._session(request)
            extras = session.open(self._ask_for_session) if session is not None else None
            received, ref = self._attempt(pending, extras)
        except (ProviderError, NotArchived) as error:
            return self._after_refusal(pending, error)
        answer_class = received.verdict.answer_class
        if answer_class is AnswerClass.UNCHANGED:
            return self._unchanged(pending)
        if answer_class.is_success:
            return self._answer(pending, received, ref)
        if answer_class is AnswerClass.AUTH and session is not None and extras is not None and not pending.renewed:
            # A crumb may simply be old: it is renewed once, and only once.
            session.drop(extras)
            pending.renewed = True
            return Wait(self.clock())
        return self._after_failure(pending, received)

    def finish(self, pending: Pending) -> Answer:
        """Step ``pending`` to its end, sleeping in between.

        Raises:
            ProviderError: when the provider did not answer the question.
            NotArchived: in replay, when the archive has no answer.
        """
        while True:
            step = self.step(pending)
            if isinstance(step, Answer):
                return step
            if not isinstance(step, Wait):
                raise step
            self.sleep(max((step.due - self.clock()).total_seconds(), 0.0))

    # Before the attempt.

    def _from_archive(self, pending: Pending) -> Answer | None:
        """The answer that needs no request; otherwise remembers what a conditional request needs."""
        request = pending.request
        if pending.archive_asked or not (request.immutable or request.conditional or self._replay):
            return None
        pending.archive_asked = True
        stored = self._store.latest(request)
        if self._replay:
            body = None if stored is None else self._sound_body(request, stored)
            if stored is None or body is None:
                raise NotArchived(f"The archive holds no sound answer to {self._name(request)}.")
            return _replayed(request, stored, body)
        if stored is None or stored.answer_class is not AnswerClass.OK:
            return None
        if request.immutable:
            body = self._sound_body(request, stored)
            return None if body is None else _replayed(request, stored, body)
        if stored.headers.keys() & VALIDATORS:
            pending.stored = stored
        return None

    def _sound_body(self, request: PlannedRequest, stored: Stored) -> Body | None:
        """The archived body; None when it is damaged, which shows in that the store offers it no more."""
        try:
            return self._store.open(stored.ref)
        except Exception:  # which errors mean damage is the store's to know
            if self._store.latest(request) == stored:
                raise
            log.warning("The archived answer to %s is damaged and is fetched again.", self._name(request))
            return None

    def _check(self, request: PlannedRequest) -> None:
        """Refuse before anything is sent: a setting is missing, or the provider has refused us for good."""
        for endpoint in ("", request.endpoint):
            halted = self._halted.get((request.provider, endpoint))
            if halted is not None:
                raise type(halted)(str(halted), **self._about(self.begin(request)))
        if registry.dialect(request.provider).needs_credential and request.provider not in self._credentials:
            row = PROVIDERS[request.provider]
            message = f"{row.title} needs {row.settings_hint}."
            raise NotConfigured(message, **self._about(self.begin(request)))

    def _session(self, request: PlannedRequest) -> Session | None:
        make = registry.dialect(request.provider).new_session
        if make is None:
            return None
        with self._lock:
            session = self._sessions.setdefault(request.provider, make())
        return session if session.applies_to(request) else None

    def _ask_for_session(self, request: PlannedRequest, headers: Mapping[str, str]) -> SessionReply:
        """A session's own request: through the gate, with retries, archived without its body."""
        pending = self.begin(request, headers)
        while True:
            try:
                received, _ = self._attempt(pending, None)
            except ProviderError as error:
                step = self._after_refusal(pending, error)
            else:
                if received.verdict.answer_class is AnswerClass.OK and received.body is not None:
                    text = received.body.read()[:4096].decode("utf-8", "replace").strip()
                    for secret in (*received.cookies.values(), text if request.expect == "text" else ""):
                        self._redactor.add(secret)
                    return SessionReply(received.status or 0, received.cookies, text)
                step = self._after_failure(pending, received)
            if not isinstance(step, Wait):
                raise step
            self.sleep(max((step.due - self.clock()).total_seconds(), 0.0))

    # The attempt.

    def _attempt(self, pending: Pending, extras: Extras | None) -> tuple[Received, RawRef]:
        """Gate, wire, archive, gate: every attempt that was sent is archived and reported, whatever came of it.

        Raises:
            Retryable: when the gate refuses; then nothing was sent.
        """
        request = pending.request
        headers = {"X-Request-ID": str(pending.request_id), **self._headers(pending, extras)}
        permit = self._gate.acquire(request.provider, 1, symbol=request.subject.ticker, organization=self._payer)
        outcome: AnswerClass | None = None
        retry_at = None
        try:
            pending.sent += 1
            # A connection may have had to be opened first: the queue keeps its distance from what really left.
            received = traced_exchange(
                self._wire, pending, headers, registry.params(request, self._credentials, extras),
                on_sent=lambda: self._gate.sent(request.provider, permit),
            )  # fmt: skip
            verdict = received.verdict
            outcome = AnswerClass.OK if verdict.healthy else verdict.answer_class
            retry_at = None if verdict.healthy else verdict.retry_at
            ref = self._store.put(self._record(pending, received), self._run_id, self._organization_id)
        finally:
            # Also when the archive fails: a probe's permit must come back.
            self._gate.report(request.provider, permit, outcome, retry_at)
        return received, ref

    def _headers(self, pending: Pending, extras: Extras | None) -> dict[str, str]:
        request = pending.request
        credential = None if request.address else self._credentials.get(request.provider)
        headers = dict(registry.dialect(request.provider).headers(credential))
        headers |= pending.private_headers or {}
        headers |= extras.headers if extras is not None else {}
        if pending.stored is not None:
            headers |= conditions(pending.stored)
        return headers

    def _record(self, pending: Pending, received: Received) -> Attempt:
        answer_class = received.verdict.answer_class
        private = pending.private_headers is not None
        failed = not answer_class.is_success
        return Attempt(
            request_id=pending.request_id,
            request=pending.request,
            answer_class=answer_class,
            attempt=pending.sent,
            started_at=received.started_at,
            elapsed_ms=received.elapsed_ms,
            status=received.status,
            headers=received.headers,
            body=None if private else received.body,
            error=self._sentence(pending, received) if failed else None,
            complete=not failed and not private and received.body is not None,
        )

    # After the attempt.

    def _answer(self, pending: Pending, received: Received, ref: RawRef) -> Answer:
        assert received.body is not None
        return Answer(
            request=pending.request,
            answer_class=received.verdict.answer_class,
            fetched_at=received.started_at + dt.timedelta(milliseconds=received.elapsed_ms),
            request_id=pending.request_id,
            ref=ref,
            body=received.body,
            status=received.status or 0,
            headers=received.headers,
            attempts=pending.sent,
        )

    def _unchanged(self, pending: Pending) -> Answer | Wait:
        """The archived answer, which the provider says is still current."""
        stored = pending.stored
        assert stored is not None
        body = self._sound_body(pending.request, stored)
        if body is None:
            # The validators were about bytes that we no longer have: ask for all of it.
            pending.stored = None
            return Wait(self.clock())
        return Answer(
            request=pending.request,
            answer_class=AnswerClass.UNCHANGED,
            fetched_at=stored.fetched_at,
            request_id=pending.request_id,
            ref=stored.ref,
            body=body,
            status=304,
            headers=stored.headers,
            attempts=pending.sent,
        )

    def _after_refusal(
        self, pending: Pending, error: ProviderError | NotArchived
    ) -> Wait | ProviderError | NotArchived:
        """Our own breaker is sat out for a while; any other refusal is the outcome."""
        if not isinstance(error, ProviderError):
            return error
        if isinstance(error, CircuitOpen):
            now = self.clock()
            pause = self._retry.sit_out(waited=pending.waited, now=now, retry_at=error.retry_at)
            if pause is not None:
                pending.waited += pause
                return Wait(now + dt.timedelta(seconds=pause))
        if isinstance(error, Retryable):
            about = self._about(pending)
            return type(error)(str(error), retry_at=error.retry_at, **about)
        return error

    def _after_failure(self, pending: Pending, received: Received) -> Wait | ProviderError:
        now, verdict = self.clock(), received.verdict
        if received.status == 304:
            # The provider contradicts itself about the version: ask without conditions.
            pending.stored = None
        pause = self._retry.wait(
            verdict.answer_class,
            sent=pending.sent,
            waited=pending.waited,
            now=now,
            retry_at=verdict.retry_at,
            chance=self._chance(),
        )
        if pause is not None:
            about = {"request_id": str(pending.request_id)}
            log.info("%s Next attempt in %.1f s.", self._sentence(pending, received), pause, extra=about)
            pending.waited += pause
            return Wait(now + dt.timedelta(seconds=pause))
        error = self._error(pending, received)
        self._halt(pending, error)
        return error

    def _error(self, pending: Pending, received: Received) -> ProviderError:
        verdict = received.verdict
        kind = TooLarge if received.too_big else _ERRORS[verdict.answer_class]
        about = self._about(pending) | {"status": received.status}
        if issubclass(kind, Retryable):
            about["retry_at"] = verdict.retry_at
        error = kind(self._sentence(pending, received), **about)
        error.__cause__ = received.cause
        return error

    def _halt(self, pending: Pending, error: ProviderError) -> None:
        """Send nothing more where every further request must fail the same way."""
        request = pending.request
        dialect = registry.dialect(request.provider)
        if isinstance(error, AuthFailed):
            self._halted[request.provider, "" if dialect.needs_credential else request.endpoint] = error
        elif isinstance(error, NotEntitled) and dialect.has_plan:
            self._halted[request.provider, request.endpoint] = error

    # Words.

    def _name(self, request: PlannedRequest) -> str:
        subject = "" if request.subject.key == "*" else f" for {request.subject.key}"
        return f"{PROVIDERS[request.provider].title} {request.endpoint}{subject}"

    def _sentence(self, pending: Pending, received: Received) -> str:
        request, verdict = pending.request, received.verdict
        subject = "" if request.subject.key == "*" else f", {request.subject.key}"
        times = f", attempt {pending.sent}" if pending.sent > 1 else ""
        status = f", status {received.status}" if received.status is not None else ""
        what = f"{PROVIDERS[request.provider].title} {verdict.reason or 'failed'}"
        return self._redactor.text(f"{what} ({request.endpoint}{subject}{status}{times}).")

    def _about(self, pending: Pending) -> dict[str, Any]:
        request = pending.request
        return {
            "provider": request.provider,
            "endpoint": request.endpoint,
            "subject": request.subject.key,
            "request_id": pending.request_id,
            "attempts": pending.sent,
        }


def _replayed(request: PlannedRequest, stored: Stored, body: Body) -> Answer:
    return Answer(
        request=request,
        answer_class=stored.answer_class,
        fetched_at=stored.fetched_at,
        request_id=stored.request_id,
        ref=stored.ref,
        body=body,
        status=stored.status,
        headers=stored.headers,
        attempts=0,
    )
