"""The services behind the gateway: addresses from the configuration only, one client, one breaker that everybody shares.

A breaker is a row of the gate's table under ``upstream:<name>``, so that every process and the health monitor mean the
same one. What does not belong here: routes, and what an answer says.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote, urlsplit

from starlette.concurrency import run_in_threadpool

from salescience_pipeline.gateway.problems import Problem
from salescience_pipeline.settings import SettingsError

if TYPE_CHECKING:
    import httpx

    from salescience_pipeline.clients.gate import Gate
    from salescience_pipeline.gateway.state import State

TRIES = 3
MAX_ANSWER_BYTES = 10_000_000
_RETRIED = frozenset({502, 503, 504})
_IDEMPOTENT = frozenset({"GET", "HEAD", "PUT", "DELETE", "OPTIONS"})
_RATE = 1_000.0
"""The gate is used for its breaker; nobody limits these services' rate here."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What an upstream answered."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    tries: int
    milliseconds: float


def checked_url(name: str, url: str) -> str:
    """A configured address without its trailing slash.

    Raises:
        SettingsError: for anything but http or https with a host and without credentials.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query or parts.fragment:
        raise SettingsError(
            f"The address of the service {name} must be http(s)://host[:port][/path], without credentials."
        )
    return url.rstrip("/")


class Upstreams:
    """The configured services of one gateway process."""

    def __init__(self, state: State, addresses: Mapping[str, str]) -> None:
        """Nothing is opened yet; ``addresses`` are those of the settings, by name.

        Raises:
            SettingsError: for an address that is none.
        """
        self._state, self.settings = state, state.settings
        self._configured = {name: checked_url(name, url) for name, url in addresses.items()}

    def names(self) -> tuple[str, ...]:
        """The services that are configured."""
        return tuple(self._configured)

    def url(self, name: str) -> str:
        """Where a service is.

        Raises:
            Problem: 404 when it is not configured.
        """
        found = self._configured.get(name)
        if found is None:
            raise Problem(404, "upstream_not_configured", f"The service {name} is not configured here.")
        return found

    @cached_property
    def client(self) -> httpx.AsyncClient:
        """One client with one pool; it obeys no proxy of the environment and follows no redirect."""
        import httpx  # noqa: PLC0415 - a gateway without upstreams needs none

        limits = httpx.Limits(max_connections=100, max_keepalive_connections=20)
        # One caller's cookie must never travel with another's request.
        no_cookies = CookieJar(policy=DefaultCookiePolicy(allowed_domains=[]))
        return httpx.AsyncClient(trust_env=False, follow_redirects=False, limits=limits, cookies=no_cookies)

    @property
    def is_open(self) -> bool:
        """Whether the client was opened."""
        return "client" in self.__dict__

    async def close(self) -> None:
        """Close the client if it was opened."""
        opened = self.__dict__.pop("client", None)
        if opened is not None:
            await opened.aclose()

    @cached_property
    def gate(self) -> Gate:
        """The breakers."""
        from salescience_pipeline.clients.gate import Gate, GateRule  # noqa: PLC0415

        rules = {_row(name): GateRule(_row(name), _RATE, probe_lease=45.0) for name in self.names()}
        return Gate(self._state.ledger.gate_store, rules)

    def breaker(self, name: str) -> tuple[str, int]:
        """The breaker's state and its consecutive failures."""
        state = self._state.ledger.gate_store.read(_row(name))
        return state.breaker.value, state.failures

    async def send(
        self,
        name: str,
        method: str,
        path: str,
        *,
        query: str = "",
        headers: Mapping[str, str],
        body: bytes = b"",
        tries: int = TRIES,
        seconds: float | None = None,
    ) -> Reply:
        """Send one request, again where that is harmless and may help, within the time for all of it.

        Raises:
            Problem: 503 for an open breaker, 504 when it takes too long, 502 when no usable answer comes.
        """
        import httpx  # noqa: PLC0415

        url = f"{self.url(name)}{path}" + (f"?{query}" if query else "")
        again = method in _IDEMPOTENT or "idempotency-key" in headers
        most = tries if again else 1
        started = time.monotonic()
        try:
            async with asyncio.timeout(seconds or self.settings.upstream_seconds):
                for number in range(1, most + 1):
                    try:
                        reply = await self._once(name, method, url, headers, body, number)
                    except httpx.TransportError as error:
                        if number == most:
                            sentence = f"The service {name} cannot be reached ({type(error).__name__})."
                            raise Problem(502, "upstream_unreachable", sentence) from None
                    else:
                        if reply.status not in _RETRIED or number == most:
                            return reply
                    await asyncio.sleep(self.settings.upstream_retry_seconds)
        except TimeoutError:
            took = time.monotonic() - started
            raise Problem(504, "upstream_timeout", f"The service {name} did not answer within {took:.0f} s.") from None
        raise AssertionError("the last try returns or raises")

    async def _once(
        self, name: str, method: str, url: str, headers: Mapping[str, str], body: bytes, number: int
    ) -> Reply:
        """One try: through the breaker, which hears how it went."""
        from salescience_pipeline.clients.errors import Retryable  # noqa: PLC0415
        from salescience_pipeline.clients.model import AnswerClass  # noqa: PLC0415

        row = _row(name)
        try:
            permit = await run_in_threadpool(self.gate.acquire, row, max_wait=2.0)
        except Retryable as refused:
            raise _open(name, refused.retry_at) from None
        outcome: AnswerClass | None = AnswerClass.TRANSIENT
        started = time.monotonic()
        try:
            async with self.client.stream(method, url, headers=dict(headers), content=body, timeout=None) as answer:
                data = await _bounded(name, answer)
            outcome = AnswerClass.TRANSIENT if answer.status_code >= 500 else AnswerClass.OK
            took = (time.monotonic() - started) * 1_000
            return Reply(answer.status_code, dict(answer.headers), data, number, took)
        finally:
            await asyncio.shield(run_in_threadpool(self.gate.report, row, permit, outcome))


async def _bounded(name: str, answer: httpx.Response) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for part in answer.aiter_bytes():
        size += len(part)
        if size > MAX_ANSWER_BYTES:
            raise Problem(502, "upstream_answer_too_large", f"The service {name} answered with more than 10 MB.")
        parts.append(part)
    return b"".join(parts)


def _open(name: str, retry_at: dt.datetime | None) -> Problem:
    seconds = 1 if retry_at is None else max(1, round((retry_at - dt.datetime.now(dt.UTC)).total_seconds()))
    return Problem(
        503, "circuit_open", f"The service {name} failed several times; it is left alone for now.",
        headers={"Retry-After": str(seconds)}, extra={"circuit_state": "open", "service": name},
    )  # fmt: skip


def _row(name: str) -> str:
    return f"upstream:{name}"[:63]


def safe_path(raw: str) -> str:
    """A path below a route, segment by segment encoded anew.

    Raises:
        Problem: 400 for anything that could lead elsewhere: dots, empty segments, backslashes, an encoded slash, an at sign.
    """
    segments = []
    for part in raw.split("/"):
        text = unquote(part, errors="strict") if part.isascii() else ""
        bad = (
            not text
            or text in (".", "..")
            or any(mark in text for mark in "/\\@%\x7f")
            or any(ord(c) < 32 for c in text)
        )
        if bad:
            raise Problem(400, "bad_path", "The path holds something that no path of a service has.")
        segments.append(quote(text, safe=""))
    return "/".join(segments)
