"""How the sandbox phrases an HTTP answer: JSON and text bodies, gzip on demand, dates, validators.

What does not belong here: what the answer says.
"""

from __future__ import annotations

import datetime as dt
import gzip
import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping
from email.utils import format_datetime, parsedate_to_datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Send

GZIP_FROM = 512
"""Bodies below this size are sent as they are, as the providers' edges do."""


def dumps(value: Any) -> bytes:
    """Compact JSON as UTF-8."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def http_date(moment: dt.datetime) -> str:
    """A moment as an HTTP date (always GMT)."""
    return format_datetime(moment.astimezone(dt.UTC), usegmt=True)


async def held_back(app: Callable[[Send], Awaitable[None]]) -> tuple[Message, bytes]:
    """The answer that ``app`` gives, kept from the wire: how it starts (empty if it gave none), and its body."""
    start: Message = {}
    body = bytearray()

    async def keep(message: Message) -> None:
        nonlocal start
        if message["type"] == "http.response.start":
            start = message
        else:
            body.extend(message.get("body", b""))

    await app(keep)
    return start, bytes(body)


class Prepared:
    """A body that is ready to be sent many times: the bytes, and their gzip form once somebody wanted it."""

    __slots__ = ("_zippable", "_zipped", "body", "content_type", "etag", "headers", "last_modified")

    def __init__(
        self,
        body: bytes,
        content_type: str,
        *,
        headers: Mapping[str, str] | None = None,
        last_modified: dt.datetime | None = None,
        etag: bool = False,
        zippable: bool = True,
    ) -> None:
        """Keep ``body``; ``etag`` and ``last_modified`` decide which validators the answer carries.

        ``zippable`` is false for what is compressed already.
        """
        self.body = body
        self.content_type = content_type
        self.headers = dict(headers or {})
        self.last_modified = last_modified
        self.etag = hashlib.md5(body, usedforsecurity=False).hexdigest() if etag else None
        self._zippable = zippable and len(body) >= GZIP_FROM
        self._zipped: bytes | None = None

    @property
    def zipped(self) -> bytes:
        """The body compressed with gzip, made once; equal bodies give equal bytes."""
        if self._zipped is None:
            self._zipped = gzip.compress(self.body, 6, mtime=0)
        return self._zipped

    def answer(self, request: Request, status: int = 200) -> Response:
        """The answer to ``request``: 304 when its validators still hold, gzip when it accepts that."""
        headers = dict(self.headers)
        headers["Vary"] = headers.get("Vary", "Accept-Encoding")
        zipped = self._zippable and "gzip" in request.headers.get("accept-encoding", "")
        if self.etag is not None:
            headers["ETag"] = f'"{self.etag}-gzip"' if zipped else f'"{self.etag}"'
        if self.last_modified is not None:
            headers["Last-Modified"] = http_date(self.last_modified)
        if status == 200 and self._unchanged(request):
            return Response(status_code=304, headers=headers)
        headers["Content-Type"] = self.content_type
        if zipped:
            headers["Content-Encoding"] = "gzip"
        return Response(self.zipped if zipped else self.body, status, headers)

    def _unchanged(self, request: Request) -> bool:
        wanted = request.headers.get("if-none-match")
        if wanted is not None and self.etag is not None:
            # The tag names the content; the variant's suffix and a weak mark do not matter here.
            tags = {tag.strip().removeprefix("W/").strip('"').removesuffix("-gzip") for tag in wanted.split(",")}
            return self.etag in tags or "*" in tags
        since = request.headers.get("if-modified-since")
        if since is None or self.last_modified is None:
            return False
        try:
            return self.last_modified.replace(microsecond=0) <= parsedate_to_datetime(since)
        except (TypeError, ValueError):
            return False


def json_answer(
    request: Request,
    value: Any,
    status: int = 200,
    *,
    content_type: str = "application/json",
    headers: Mapping[str, str] | None = None,
) -> Response:
    """A JSON answer made on the spot."""
    return Prepared(dumps(value), content_type, headers=headers).answer(request, status)
