"""Connections that do not ask: who opens one and sends no whole request head in time is let go (slowloris).

uvicorn bounds the time of an idle connection only; a head that arrives byte by byte keeps a connection for ever, and
httptools lets it grow for ever. The body's time is bounded by ``middleware``. What does not belong here: requests.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.auto import AutoHTTPProtocol

HEAD_SECONDS = 10.0
"""A request head is a packet or two; who needs longer is not sending one."""
MAX_HEAD_BYTES = 64_000


class PatientProtocol(AutoHTTPProtocol):  # type: ignore[misc, valid-type]
    """uvicorn's protocol with a deadline, and a size, for the head of each request."""

    head_seconds = HEAD_SECONDS
    max_head_bytes = MAX_HEAD_BYTES

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._deadline: asyncio.TimerHandle | None = None
        self._head_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Begin to wait for the first head."""
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        self._rest()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take bytes in; until they make a head, the deadline of the first of them holds."""
        super().data_received(data)
        if self.cycle is not None and not self.cycle.response_complete:
            self._rest()
            return
        self._head_bytes += len(data)
        if self._head_bytes > self.max_head_bytes:
            self._refuse(b"431 Request Header Fields Too Large")
        elif self._deadline is None and not self.transport.is_closing():
            self._wait()

    def _wait(self) -> None:
        self._deadline = self.loop.call_later(self.head_seconds, self._refuse, b"408 Request Timeout")

    def _rest(self) -> None:
        self._head_bytes = 0
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _refuse(self, status: bytes) -> None:
        self._rest()
        if not self.transport.is_closing():
            self.transport.write(b"HTTP/1.1 " + status + b"\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
            self.transport.close()
