"""Answers that are text travel compressed to clients that take it: zstd or gzip, piece by piece.

What is compressed already (Parquet, a coded answer), a range of bytes, an event stream and what is shorter than a packet
go as they are. A compressed form is another representation, so its ETag becomes a weak one: ``If-None-Match`` still knows
it, ``If-Range`` does not, and a download that is resumed begins anew in plain bytes
(https://www.rfc-editor.org/rfc/rfc9110#name-etag). What does not belong here: which coding a client wants
(``negotiation``).
"""

from __future__ import annotations

import zlib
from typing import Protocol

import zstandard
from starlette.concurrency import run_in_threadpool

from salescience_pipeline.gateway.middleware import App, Message, Receive, Scope, Send
from salescience_pipeline.gateway.negotiation import coding_of

SMALLEST = 1_000
"""Bytes below which an answer fits a packet anyway."""
_IN_A_THREAD = 32_768
"""Bytes from which compressing would keep other clients waiting in the event loop."""
_GZIP_LEVEL, _ZSTD_LEVEL, _GZIP_WINDOW = 5, 3, 31
_TEXT = (
    b"text/csv", b"text/html", b"text/css", b"text/plain", b"application/json", b"application/problem+json",
    b"application/x-ndjson", b"application/vnd.apache.arrow.stream",
)  # fmt: skip


class _Compressor(Protocol):
    def compress(self, data: bytes, /) -> bytes:
        """Take a piece in; what is ready of the coded form."""
        ...

    def flush(self) -> bytes:
        """The end of the coded form."""
        ...


def _compressor(coding: str) -> _Compressor:
    if coding == "zstd":
        return zstandard.ZstdCompressor(_ZSTD_LEVEL).compressobj()
    return zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, _GZIP_WINDOW)


class Compression:
    """Compresses the bodies of text answers."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one connection on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        asked = b",".join(value for name, value in scope["headers"] if name == b"accept-encoding")
        coding = coding_of(asked.decode("latin-1"))
        await self._app(scope, receive, _Answer(send, coding, head=scope["method"] == "HEAD"))


class _Answer:
    """One answer on its way out; the start of a text waits for the first piece, which shows whether it is worth it."""

    def __init__(self, send: Send, coding: str | None, *, head: bool) -> None:
        self._send, self._coding, self._head = send, coding, head
        self._start: Message | None = None
        self._coder: _Compressor | None = None

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start" and _is_text(message):
            message["headers"] = [*message["headers"], (b"vary", b"Accept-Encoding")]
            if self._coding is not None and not self._head:
                self._start = message
                return
        if message["type"] != "http.response.body":
            await self._send(message)
            return
        body, more = message.get("body", b""), message.get("more_body", False)
        if self._start is not None:
            start, self._start = self._start, None
            if self._coding is not None and (more or len(body) >= SMALLEST):
                self._coder = _compressor(self._coding)
                start["headers"] = _coded(start["headers"], self._coding)
            await self._send(start)
        if self._coder is None:
            await self._send(message)
            return
        coded = await self._code(self._coder, body, last=not more)
        if coded or not more:
            await self._send({"type": "http.response.body", "body": coded, "more_body": more})

    @staticmethod
    async def _code(coder: _Compressor, body: bytes, *, last: bool) -> bytes:
        def work() -> bytes:
            return coder.compress(body) + (coder.flush() if last else b"")

        return await run_in_threadpool(work) if len(body) >= _IN_A_THREAD else work()


def _is_text(start: Message) -> bool:
    """Whether an answer of this kind is compressed for clients that take it."""
    headers = {name.lower(): value for name, value in start["headers"]}
    if start["status"] in (204, 206, 304) or b"content-encoding" in headers or b"content-range" in headers:
        return False
    return headers.get(b"content-type", b"").partition(b";")[0].strip().lower() in _TEXT


def _coded(headers: list[tuple[bytes, bytes]], coding: str) -> list[tuple[bytes, bytes]]:
    kept = [
        (name, b"W/" + value if name.lower() == b"etag" and not value.startswith(b"W/") else value)
        for name, value in headers
        if name.lower() not in (b"content-length", b"accept-ranges")
    ]
    return [*kept, (b"content-encoding", coding.encode())]
