"""The one way out: every request of every provider goes through :class:`Transport`, and nothing else imports httpx.

Per attempt: the gate gives leave, the request is sent, the body is received under a cap and verified to be whole, the
answer is classified, the attempt is archived, the gate is told (``courier`` does the steps, this file the wire). A failure
of transport is never "no data". What does not belong here: what answers mean, which requests to make.
"""

from __future__ import annotations

import datetime as dt
import random
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from http.cookiejar import CookieJar, DefaultCookiePolicy
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import httpx
from pydantic import SecretStr

from salescience_pipeline.clients import registry
from salescience_pipeline.clients.classify import Reply, Verdict
from salescience_pipeline.clients.courier import Courier
from salescience_pipeline.clients.endpoints import Credential
from salescience_pipeline.clients.exchange import Leave, Received
from salescience_pipeline.clients.model import Answer, AnswerClass, AnswerStore, Body, PlannedRequest
from salescience_pipeline.clients.pool import Failed, run_all
from salescience_pipeline.clients.redact import Redactor, guard_loggers, unguard_loggers
from salescience_pipeline.clients.retry import RetryRule
from salescience_pipeline.clients.validators import judge_unchanged
from salescience_pipeline.clients.wire import SPOOL_ABOVE, Cut, Receiver, TooBig
from salescience_pipeline.identifiers import RequestId

__all__ = ["Failed", "Timeouts", "Transport", "Usage"]

_PATH = re.compile(r"/[^\s\\?#]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long one attempt may take, in seconds.

    ``total`` may be exceeded only while ``min_rate`` bytes per second keep coming, so that a filing of 200 MB gets its
    time and a provider that drips does not.
    """

    connect: float = 5.0
    read: float = 10.0
    total: float = 30.0
    min_rate: float = 100_000.0


@dataclass(slots=True)
class Usage:
    """What went over the wire since the transport was made."""

    requests: dict[str, int] = field(default_factory=dict)
    """Requests sent by provider; retries and session requests included."""
    bytes: int = 0
    """Body bytes received, as transferred."""


class Transport:
    """One HTTP client, one connection pool, one redactor; safe for threads. Use it as a context manager."""

    def __init__(
        self,
        gate: Leave,
        store: AnswerStore,
        base_urls: Mapping[tuple[str, str], str],
        credentials: Mapping[str, Credential],
        *,
        run_id: str,
        organization_id: str | None = None,
        request_id: RequestId | None = None,
        on_behalf_of: str | None = None,
        mode: Literal["live", "replay"] = "live",
        threads: int = 8,
        clock: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
        sleep: Callable[[float], None] = time.sleep,
        chance: Callable[[], float] = random.random,
        retry: RetryRule | None = None,
        timeouts: Timeouts | None = None,
        spool_dir: Path | None = None,
        spool_above: int = SPOOL_ABOVE,
        max_body_bytes: int | None = None,
    ) -> None:
        """Wire it up; nothing is sent yet.

        Args:
            gate: Gives leave for each attempt and learns its outcome.
            store: The archive; every attempt goes there.
            base_urls: Base URL by (provider, host role), see ``endpoints.base_urls``.
            credentials: Credential by provider, see ``endpoints.credentials``.
            run_id: The run that asks, for the audit.
            organization_id: Whose request it is; None for shared market data.
            request_id: The id of whoever it is all for; without it every request gets one of its own.
            on_behalf_of: The organisation out of whose share of a provider's day it comes; None for the product's own.
            mode: ``replay`` answers from the archive only and never opens a connection.
            threads: Requests in flight at once in :meth:`send_all`.
            clock: The time in UTC.
            sleep: Waits that many seconds; must make ``clock`` advance.
            chance: A random number in [0, 1), for jitter.
            retry: When to try again.
            timeouts: How long an attempt may take.
            spool_dir: Where large bodies are kept while they are received; the system's folder by default.
            spool_above: Bytes above which a body goes to a file.
            max_body_bytes: Cap on every decoded body, on top of each request's own.
        """
        self.threads = threads
        self.redactor = Redactor(secret for secret in credentials.values() if isinstance(secret, SecretStr))
        self._guard = guard_loggers(self.redactor)
        self._wire = _HttpWire(
            base_urls=base_urls,
            redactor=self.redactor,
            threads=threads,
            clock=clock,
            timeouts=timeouts or Timeouts(),
            spool_dir=spool_dir,
            spool_above=spool_above,
            max_body_bytes=max_body_bytes,
        )
        self._courier = Courier(
            self._wire,
            gate,
            store,
            self.redactor,
            {
                provider: secret.get_secret_value() if isinstance(secret, SecretStr) else secret
                for provider, secret in credentials.items()
            },
            run_id=run_id,
            organization_id=organization_id,
            replay=mode == "replay",
            clock=clock,
            sleep=sleep,
            chance=chance,
            retry=retry or RetryRule(),
            request_id=request_id,
            on_behalf_of=on_behalf_of,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _where: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections and take the redactor off the foreign loggers."""
        self._wire.client.close()
        unguard_loggers(self._guard)

    @property
    def usage(self) -> Usage:
        """Requests and bytes so far."""
        return self._wire.usage

    def send(self, request: PlannedRequest) -> Answer:
        """Get the answer to ``request``: from the archive where that is allowed, else over the wire, with retries.

        Raises:
            ProviderError: when the provider did not answer the question; the class says whether to ask again.
            NotArchived: in replay, when the archive has no answer.
        """
        return self._courier.finish(self._courier.begin(request))

    def send_all(
        self,
        requests: Iterable[PlannedRequest],
        *,
        on_answer: Callable[[Answer], None] | None = None,
        follow_ups: Callable[[Answer], Iterable[PlannedRequest]] | None = None,
        fallbacks: Callable[[Failed], Iterable[PlannedRequest]] | None = None,
        max_workers: int | None = None,
    ) -> Iterator[Answer | Failed]:
        """Send many requests over threads and yield each outcome as it comes, in no particular order.

        A failure is an outcome, not an exception; what is raised is not about a provider (a full disk, a bug). A request
        that waits for its retry occupies no thread. Twice as many requests as workers are under way at most, so a slow
        consumer slows the sending down. Closing the iterator ends it after the requests in flight.

        Args:
            requests: What to send.
            on_answer: Called in the consumer's thread with each answer, before it is yielded.
            follow_ups: Further requests that an answer calls for; they join the queue.
            fallbacks: Requests that take a failed one's place; when there are any, the failure is not yielded.
            max_workers: Threads; the transport's own number by default.
        """
        return run_all(
            self._courier,
            requests,
            on_answer=on_answer,
            follow_ups=follow_ups,
            fallbacks=fallbacks,
            max_workers=max_workers or self.threads,
        )


@dataclass(frozen=True, slots=True)
class _Judged:
    """What one exchange came to."""

    verdict: Verdict
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Body | None = None
    cookies: Mapping[str, str] = field(default_factory=dict)
    too_big: bool = False
    cause: Exception | None = None


class _HttpWire:
    """HTTP/1.1 over httpx: no redirects, no proxies from the environment, no cookies of its own."""

    def __init__(
        self,
        *,
        base_urls: Mapping[tuple[str, str], str],
        redactor: Redactor,
        threads: int,
        clock: Callable[[], dt.datetime],
        timeouts: Timeouts,
        spool_dir: Path | None,
        spool_above: int,
        max_body_bytes: int | None,
    ) -> None:
        self._bases = {key: url.rstrip("/") for key, url in base_urls.items()}
        self._redactor, self._clock, self._timeouts = redactor, clock, timeouts
        self._spool_dir, self._spool_above, self._max_body_bytes = spool_dir, spool_above, max_body_bytes
        self.usage = Usage()
        self._lock = threading.Lock()
        self.client = httpx.Client(
            http1=True,
            http2=False,
            follow_redirects=False,
            trust_env=False,
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            # The pool never makes a thread wait: how many requests are in flight is decided above.
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=max(threads, 8)),
            timeout=httpx.Timeout(timeouts.read, connect=timeouts.connect, pool=None),
        )

    def exchange(
        self,
        request: PlannedRequest,
        headers: Mapping[str, str],
        params: tuple[tuple[str, str], ...],
        *,
        on_sent: Callable[[], None],
    ) -> Received:
        """Send one request and judge what comes back; ``on_sent`` is called when its bytes have left."""

        def trace(event: str, _info: Mapping[str, Any]) -> None:
            if event == "http11.send_request_body.complete":
                on_sent()

        url = self._url(request, params)
        started_at, begun = self._clock(), time.perf_counter()
        with self._lock:
            self.usage.requests[request.provider] = self.usage.requests.get(request.provider, 0) + 1
        conditions = (
            headers.get("If-None-Match", "") if "If-Modified-Since" in headers else headers.get("If-None-Match")
        )
        try:
            sent = dict(headers)
            if request.content is not None:
                sent["Content-Type"] = request.content.content_type
            body = request.content.data if request.content is not None else None
            with self.client.stream(
                request.method, url, headers=sent, content=body, extensions={"trace": trace}
            ) as response:
                judged = self._receive(request, response, begun, conditions)
        except httpx.HTTPError as error:
            judged = _Judged(Verdict(AnswerClass.TRANSIENT, _reason(error)), cause=self._clean(error))
        return Received(
            verdict=judged.verdict,
            started_at=started_at,
            elapsed_ms=(time.perf_counter() - begun) * 1000.0,
            status=judged.status,
            headers=judged.headers,
            body=judged.body,
            cookies=judged.cookies,
            too_big=judged.too_big,
            cause=judged.cause,
        )

    def _url(self, request: PlannedRequest, params: tuple[tuple[str, str], ...]) -> httpx.URL:
        """The address; the host is always the configured one, whatever the path says."""
        base = httpx.URL(self._bases[request.provider, request.host])
        if request.address:
            return _presigned(request.address, base)
        if not _PATH.fullmatch(request.path) or "//" in request.path or "/../" in request.path + "/":
            raise ValueError(f"{request.path!r} is not a path that may be asked for.")
        url = httpx.URL(f"{base}".rstrip("/") + request.path)
        if (url.scheme, url.host, url.port) != (base.scheme, base.host, base.port):
            raise ValueError(f"{request.path!r} leads to another host.")
        both = (*request.params, *params)
        return url.copy_with(params=httpx.QueryParams(both)) if both else url

    def _receive(
        self, request: PlannedRequest, response: httpx.Response, begun: float, conditions: str | None
    ) -> _Judged:
        headers = {name.lower(): value for name, value in response.headers.items()}
        kept = self._redactor.headers(headers)
        status, cookies = response.status_code, _cookies(response)
        if status == 304 and conditions is not None:
            return _Judged(judge_unchanged(headers, conditions), status, kept)
        receiver = None
        try:
            receiver = Receiver(
                encoding=headers.get("content-encoding", ""),
                max_bytes=min(request.max_bytes, self._max_body_bytes or request.max_bytes),
                spool_dir=self._spool_dir,
                spool_above=self._spool_above,
                secrets=self._redactor.byte_secrets,
            )
            for raw in response.iter_raw():
                receiver.feed(raw)
                self._check_time(begun, receiver.raw_bytes)
            body = receiver.finish(_length(headers))
        except TooBig as error:
            if receiver is not None:
                receiver.discard()
            return _Judged(Verdict(AnswerClass.CONTRACT, str(error)), status, kept, too_big=True)
        except (Cut, httpx.HTTPError) as error:
            if receiver is None or status == 200:
                if receiver is not None:
                    receiver.discard()
                return _Judged(Verdict(AnswerClass.TRANSIENT, _reason(error)), status, kept, cause=self._clean(error))
            # Half an error page still says what is wrong.
            body = receiver.partial()
        finally:
            with self._lock:
                self.usage.bytes += receiver.raw_bytes if receiver is not None else 0
        framed = "content-length" in headers or "chunked" in headers.get("transfer-encoding", "").lower()
        reply = Reply(
            request=request,
            status=status,
            headers=headers,
            body=body,
            received_at=self._clock(),
            has_cookie=bool(cookies),
            framed=framed or bool(headers.get("content-encoding")),
        )
        verdict = registry.dialect(request.provider).classify(reply)
        # A success that failed its check is no evidence worth keeping; it may be half a document.
        cut = status == 200 and verdict.answer_class is AnswerClass.TRANSIENT
        return _Judged(verdict, status, kept, None if cut else body, cookies)

    def _check_time(self, begun: float, received: int) -> None:
        elapsed = time.perf_counter() - begun
        if elapsed > self._timeouts.total and received < elapsed * self._timeouts.min_rate:
            raise Cut(f"took longer than {self._timeouts.total:g} seconds")

    def _clean(self, error: Exception) -> Exception | None:
        """``error`` as a cause that may be shown, None if its text holds a secret."""
        return error if self._redactor.is_clean(str(error)) else None


_REASONS: tuple[tuple[type[Exception], str], ...] = (
    (httpx.ConnectTimeout, "could not be reached in time"),
    (httpx.ConnectError, "could not be reached"),
    (httpx.TimeoutException, "did not answer in time"),
    (httpx.RemoteProtocolError, "broke off or sent no proper HTTP"),
    (httpx.HTTPError, "broke off the connection"),
)


def _reason(error: Exception) -> str:
    """The failure as the rest of a sentence; of foreign exceptions only the kind is told, never the text."""
    return next((reason for kind, reason in _REASONS if isinstance(error, kind)), str(error))


def _presigned(address: str, base: httpx.URL) -> httpx.URL:
    """An address that a provider named: encrypted, or at the provider's own base as in the sandbox."""
    url = httpx.URL(address)
    own = (url.scheme, url.host, url.port) == (base.scheme, base.host, base.port)
    if not own and (url.scheme != "https" or not url.host or url.userinfo):
        raise ValueError("A presigned address has to be encrypted.")
    return url


def _length(headers: Mapping[str, str]) -> int | None:
    text = headers.get("content-length", "")
    return int(text) if text.isascii() and text.isdigit() else None


def _cookies(response: httpx.Response) -> dict[str, str]:
    pairs = (header.partition(";")[0].partition("=") for header in response.headers.get_list("set-cookie"))
    return {name.strip(): value.strip() for name, _, value in pairs if value.strip()}
