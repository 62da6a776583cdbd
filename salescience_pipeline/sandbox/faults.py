"""Faults on demand: which requests go wrong, and how they do so on the wire.

A rule chooses requests by provider, endpoint and URL, and says how often. The choosing is pure; the acting needs the
open connection, because a cut body or a reset cannot be expressed as an ordinary answer. Faults that change the data
(a split, a restated fact) belong to the world and to the providers.
"""

from __future__ import annotations

import asyncio
import re
import socket
import struct
import zlib
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from starlette.responses import Response
from starlette.types import Receive, Send

from salescience_pipeline.fiction.companies import chance
from salescience_pipeline.sandbox.answers import held_back

KINDS = frozenset(
    "status timeout cut cut_gzip html slow empty not_json reset latency gzip_bomb block_page limit".split()  # noqa: SIM905
)
_NUMBERS = ("status", "bytes", "bytes_per_s", "delay", "ms", "size")
HOLD_SECONDS = 600.0
"""How long a request without an answer is kept open at most."""

_HTML = b"<!DOCTYPE html><html><head><title>Something else</title></head><body>Not what you asked for.</body></html>"


class BadRule(ValueError):
    """A fault rule that cannot be understood; the message says why."""


@dataclass(slots=True)
class Rule:
    """One fault: whom it hits, how often, and what it does."""

    id: int
    provider: str
    kind: str
    endpoint: str = "*"
    match: re.Pattern[str] | None = None
    times: int | None = None
    per_url: bool = False
    every: int | None = None
    probability: float | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    seen: int = 0
    done: int = 0
    urls: set[str] = field(default_factory=set)

    def report(self) -> dict[str, Any]:
        """The rule as JSON types, with how many requests it looked at and how many it hit."""
        return {
            "id": self.id,
            "provider": self.provider,
            "endpoint": self.endpoint,
            "match": self.match.pattern if self.match else None,
            "kind": self.kind,
            "times": self.times,
            "per_url": self.per_url,
            "every": self.every,
            "probability": self.probability,
            "params": dict(self.params),
            "seen": self.seen,
            "done": self.done,
        }

    def hits(self, provider: str, endpoint: str, url: str) -> bool:
        """Whether this request goes wrong; counts it if so."""
        if self.provider not in {"*", provider} or self.endpoint not in {"*", endpoint}:
            return False
        if self.match is not None and not self.match.search(url):
            return False
        if (self.times is not None and self.done >= self.times) or (self.per_url and url in self.urls):
            return False
        self.seen += 1
        if self.every is not None and self.seen % self.every:
            return False
        if self.probability is not None and chance("fault", self.id, self.seen).random() >= self.probability:
            return False
        self.done += 1
        if self.per_url:
            self.urls.add(url)
        return True


def _check_amounts(fields: Mapping[str, Any]) -> None:
    """Refuse figures that would only fail later, in the middle of somebody's request."""
    for name, least in (("times", 0), ("every", 1)):
        value = fields.get(name)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < least):
            raise BadRule(f"The field {name} of a fault rule is a whole number from {least} up, not {value!r}.")
    chances = fields.get("probability")
    if chances is not None and (
        isinstance(chances, bool) or not isinstance(chances, int | float) or not 0 <= chances <= 1
    ):
        raise BadRule(f"The probability of a fault rule lies between 0 and 1, not {chances!r}.")
    params = fields.get("params", {})
    if not isinstance(params, Mapping):
        raise BadRule("The params of a fault rule are an object.")
    for name in _NUMBERS:
        value = params.get(name, 0)
        if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
            raise BadRule(f"The parameter {name} of a fault rule is a number from 0 up, not {value!r}.")


class Faults:
    """The rules in force, oldest first."""

    def __init__(self) -> None:
        self._rules: list[Rule] = []
        self._next = 1

    def add(self, spec: Mapping[str, Any]) -> Rule:
        """Put a rule in force.

        Args:
            spec: ``provider``, ``kind`` and optionally ``endpoint``, ``match`` (regular expression searched in path
                and query), ``times``, ``per_url``, ``every`` (each n-th request), ``probability``, ``params``.

        Raises:
            BadRule: for an unknown kind or field, or a pattern that does not compile.
        """
        fields = dict(spec)
        kind = fields.pop("kind", None)
        provider = fields.pop("provider", "*")
        if kind not in KINDS:
            raise BadRule(f"{kind!r} is not a fault: use one of {', '.join(sorted(KINDS))}.")
        unknown = sorted(set(fields) - {"endpoint", "match", "times", "per_url", "every", "probability", "params"})
        if unknown:
            raise BadRule(f"A fault rule has no field {unknown[0]!r}.")
        _check_amounts(fields)
        pattern = fields.pop("match", None)
        try:
            match = re.compile(pattern) if pattern else None
        except (re.error, TypeError) as error:
            raise BadRule(f"{pattern!r} is not a regular expression: {error}.") from error
        rule = Rule(id=self._next, provider=str(provider), kind=str(kind), match=match, **fields)
        self._next += 1
        self._rules.append(rule)
        return rule

    def clear(self, rule_id: int | None = None) -> None:
        """Drop one rule, or all."""
        self._rules = [] if rule_id is None else [rule for rule in self._rules if rule.id != rule_id]

    def report(self) -> list[dict[str, Any]]:
        """All rules as JSON types."""
        return [rule.report() for rule in self._rules]

    def pick(self, provider: str, endpoint: str, url: str) -> tuple[float, Rule | None]:
        """What happens to a request: seconds of added latency, and at most one further fault."""
        delay, chosen = 0.0, None
        for rule in self._rules:
            if rule.kind == "latency":
                if rule.hits(provider, endpoint, url):
                    delay += float(rule.params.get("ms", 30)) / 1000
            elif chosen is None and rule.hits(provider, endpoint, url):
                chosen = rule
        return delay, chosen


class Wire(Protocol):
    """The connection of one request, below HTTP."""

    def close(self) -> None:
        """End the connection after what was written."""

    def abort(self) -> None:
        """End the connection at once."""

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """See :class:`asyncio.BaseTransport`."""


@dataclass(frozen=True, slots=True)
class Call:
    """What a fault may need of the request that it spoils."""

    send: Send
    receive: Receive
    wire: Wire | None
    proper: Callable[[Send], Awaitable[None]]
    """Produces the answer that would have been given, into another ``send``."""
    limited: Callable[[], Response]
    blocked: Callable[[], Response]


async def act(rule: Rule, call: Call) -> str | None:
    """Spoil one request; returns a word for the statistics when no status line tells the story."""
    params = rule.params
    if rule.kind == "timeout":
        await _hold(call)
        return "timeout"
    if rule.kind == "reset":
        await _reset(call)
        return "reset"
    if rule.kind in {"cut", "cut_gzip"}:
        return await _cut(call, rule)
    if rule.kind == "slow":
        await _slow(call, float(params.get("delay", 0)), float(params.get("bytes_per_s", 0)))
        return None
    if rule.kind == "gzip_bomb":
        await _bomb(call.send, int(params.get("size", 300_000_000)))
        return None
    await _respond(call.send, _spoiled(rule, call))
    return None


def _spoiled(rule: Rule, call: Call) -> Response:
    """The wrong answer of the faults that are a plain answer."""
    params = rule.params
    if rule.kind == "limit":
        return call.limited()
    if rule.kind == "block_page":
        return call.blocked()
    if rule.kind == "html":
        return Response(_HTML, 200, media_type="text/html")
    if rule.kind == "empty":
        return Response(b"", 200, media_type="application/json")
    if rule.kind == "not_json":
        return Response(b'{"unfinished": [1, 2', 200, media_type="application/json")
    status = int(params.get("status", 503))
    page = f"<html><head><title>{status}</title></head><body><h1>{status}</h1></body></html>"
    response = Response(
        params.get("body", page), status, media_type=params.get("content_type", "text/html; charset=utf-8")
    )
    if params.get("retry_after") is not None:
        response.headers["Retry-After"] = str(params["retry_after"])
    return response


async def _respond(send: Send, response: Response) -> None:
    await send({"type": "http.response.start", "status": response.status_code, "headers": response.raw_headers})
    await send({"type": "http.response.body", "body": response.body})


async def _gone(call: Call) -> None:
    """Wait until the client has left."""
    while (await call.receive())["type"] != "http.disconnect":
        pass


async def _hold(call: Call) -> None:
    """Never answer; ends when the client leaves."""
    try:
        await asyncio.wait_for(_gone(call), HOLD_SECONDS)
    except TimeoutError:
        await _reset(call)


async def _reset(call: Call) -> None:
    """Close with RST instead of FIN."""
    if call.wire is not None:
        raw = call.wire.get_extra_info("socket")
        if raw is not None:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        call.wire.abort()
        await _gone(call)


async def _cut(call: Call, rule: Rule) -> str:
    """Promise the whole body and stop early; ``cut_gzip`` keeps HTTP whole and cuts the compressed stream."""
    start, body = await held_back(call.proper)
    keep = min(int(rule.params.get("bytes", len(body) // 2)), max(0, len(body) - 1))
    if rule.kind == "cut_gzip":
        headers = [
            (name, value)
            for name, value in start["headers"]
            if name.lower() not in {b"content-length", b"content-encoding"}
        ]
        zipped = body
        if not any(value == b"gzip" for name, value in start["headers"] if name.lower() == b"content-encoding"):
            packer = zlib.compressobj(6, zlib.DEFLATED, 31)
            zipped = packer.compress(body) + packer.flush()
        keep = min(int(rule.params.get("bytes", len(zipped) // 2)), len(zipped) - 1)
        headers += [(b"content-length", str(keep).encode()), (b"content-encoding", b"gzip")]
        await call.send({**start, "headers": headers})
        await call.send({"type": "http.response.body", "body": zipped[:keep]})
        return "cut_gzip"
    await call.send(start)
    await call.send({"type": "http.response.body", "body": body[:keep], "more_body": True})
    if call.wire is not None:
        call.wire.close()
        await _gone(call)
    return "cut"


async def _slow(call: Call, delay: float, bytes_per_second: float) -> None:
    """The proper answer, late or in drops."""
    start, body = await held_back(call.proper)
    if delay:
        await asyncio.sleep(delay)
    await call.send(start)
    if bytes_per_second:
        step = max(1, int(bytes_per_second / 10))
        for at in range(0, len(body), step):
            await call.send({"type": "http.response.body", "body": body[at : at + step], "more_body": True})
            await asyncio.sleep(step / bytes_per_second)
        body = b""
    await call.send({"type": "http.response.body", "body": body})


def bomb(size: int) -> Iterator[bytes]:
    """A gzip stream of ``size`` blanks in pieces; about a thousandth of that on the wire."""
    block = b" " * min(size, 1_000_000) or b""
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    packed = packer.compress(block) + packer.flush(zlib.Z_FULL_FLUSH)
    yield b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff"
    checksum, left = 0, size
    while block and left >= len(block):
        checksum = zlib.crc32(block, checksum)
        left -= len(block)
        yield packed  # after a full flush a block stands alone, so the same bytes may be repeated
    tail = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    rest = b" " * left
    yield tail.compress(rest) + tail.flush()
    yield struct.pack("<II", zlib.crc32(rest, checksum), size & 0xFFFFFFFF)


async def _bomb(send: Send, size: int) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-encoding", b"gzip")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    for piece in bomb(size):
        await send({"type": "http.response.body", "body": piece, "more_body": True})
        await asyncio.sleep(0)
    await send({"type": "http.response.body", "body": b""})
