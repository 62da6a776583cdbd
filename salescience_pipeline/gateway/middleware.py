"""What happens to every request before and after its route: its id, its size, its time, and the headers of the answer.

Plain ASGI, so that streams pass through untouched. What does not belong here: who is asking (``state``).
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from salescience_pipeline.gateway.problems import body_of
from salescience_pipeline.identifiers import InvalidIdentifier, RequestId

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_log = logging.getLogger("salescience.gateway")
MAX_BODY_BYTES = 1_000_000
"""A submission of 500 companies has 50 kB."""
BODY_SECONDS = 20.0
"""A client that needs longer for its body is holding a connection, not sending."""
_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
)


def request_id_of(headers: list[tuple[bytes, bytes]]) -> RequestId:
    """The caller's own request id when it is one, else a new one."""
    for name, value in headers:
        if name == b"x-request-id":
            try:
                return RequestId(value.decode("ascii", "replace"))
            except InvalidIdentifier:
                break
    return RequestId.new()


class Envelope:
    """Gives every request an id and reads its body, bounded in size and time; gives every answer its safety headers."""

    def __init__(self, app: App, *, max_body: int = MAX_BODY_BYTES, body_seconds: float = BODY_SECONDS) -> None:
        self._app, self._max_body, self._body_seconds = app, max_body, body_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one connection on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        held = scope.setdefault("state", {})
        request_id = RequestId(held["request_id"]) if "request_id" in held else request_id_of(scope["headers"])
        held["request_id"] = str(request_id)

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                present = {name.lower() for name, _ in message["headers"]}
                extra = [(name, value) for name, value in _HEADERS if name not in present]
                message["headers"] = [*message["headers"], *extra, (b"x-request-id", request_id.encode())]
            await send(message)

        hosts = sum(name == b"host" for name, _ in scope["headers"])
        if hosts > 1 or (hosts == 0 and scope.get("http_version") == "1.1"):
            # RFC 9112, 3.2: two programs on the way could each believe another one of them.
            await _refuse(answer, request_id, 400, "bad_request", "A request names exactly one Host.")
            return
        if _is_coded(scope["headers"]):
            # A request of 1 MB could unpack to a gigabyte; nothing that is sent here is large enough to need it.
            await _refuse(
                answer, request_id, 415, "coded_body", "A body must be sent as it is, without Content-Encoding."
            )
            return
        try:
            async with asyncio.timeout(self._body_seconds):
                body = await self._read(scope, receive)
        except TimeoutError:
            await _refuse(
                answer, request_id, 408, "body_too_slow", f"The body took longer than {self._body_seconds:g} s."
            )
            return
        if body is None:
            await _refuse(
                answer, request_id, 413, "body_too_large", f"A body may have {self._max_body:,} bytes at most."
            )
            return
        await self._served(scope, _again(body, receive), answer, request_id)

    async def _served(self, scope: Scope, receive: Receive, answer: Send, request_id: RequestId) -> None:
        """Have the request answered; what nobody expected is one sentence for the caller and a traceback in the log."""
        begun = False

        async def watched(message: Message) -> None:
            nonlocal begun
            begun = True
            await answer(message)

        try:
            await self._app(scope, receive, watched)
        except Exception as error:
            if begun:
                raise  # half an answer cannot be taken back; the server closes the connection
            _log.error("unexpected %s in %s %s", type(error).__name__, scope["method"], scope["path"], exc_info=error)
            detail = "Something went wrong here; the request id finds it in the log."
            await _refuse(answer, request_id, 500, "internal", detail)

    async def _read(self, scope: Scope, receive: Receive) -> bytes | None:
        """The whole body; None as soon as it is known to be too large."""
        for name, value in scope["headers"]:
            if name == b"content-length" and value.isdigit() and int(value) > self._max_body:
                return None
        parts: list[bytes] = []
        size = 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return b"".join(parts)
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if size > self._max_body:
                return None
            if not message.get("more_body", False):
                return b"".join(parts)


def _is_coded(headers: list[tuple[bytes, bytes]]) -> bool:
    return any(
        name == b"content-encoding" and value.strip().lower() not in (b"", b"identity") for name, value in headers
    )


def _again(body: bytes, receive: Receive) -> Receive:
    """A receive function that gives the body that was read, then what the connection says next."""
    told = False

    async def give() -> Message:
        nonlocal told
        if told:
            return await receive()
        told = True
        return {"type": "http.request", "body": body, "more_body": False}

    return give


async def _refuse(send: Send, request_id: str, status: int, code: str, detail: str) -> None:
    data = json.dumps(body_of(status, code, detail, request_id)).encode()
    headers = [
        (b"content-type", b"application/problem+json"),
        (b"content-length", str(len(data)).encode()),
        # What is left of the body is not read, so the connection is of no more use.
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": data})
