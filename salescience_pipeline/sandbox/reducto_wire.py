"""How Reducto's emulator speaks HTTP: bodies in, refusals out, the key, documents by address, webhooks.

What does not belong here: uploads and jobs (``reducto``).
"""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from salescience_pipeline.sandbox import reducto_jobs as work
from salescience_pipeline.sandbox.answers import dumps, json_answer

_BOUNDARY = re.compile(r'boundary="?([^";]+)"?')
_FILENAME = re.compile(rb'filename="([^"]*)"')
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}
Endpoint = Callable[[Request], Awaitable[Response]]


class Refused(Exception):
    """An answer other than 200."""

    def __init__(self, status: int, kind: str, message: str) -> None:
        super().__init__(message)
        self.status, self.kind = status, kind


def file_of(request: Request, body: bytes) -> bytes | None:
    """The file of a multipart body; None when there is no body."""
    kind = request.headers.get("content-type", "")
    if not body or not kind.startswith("multipart/form-data"):
        return None
    found = _BOUNDARY.search(kind)
    if found is None:
        raise work.Invalid("The boundary is missing", "header", "content-type")
    for part in body.split(b"--" + found[1].encode("latin-1")):
        head, blank, data = part.partition(b"\r\n\r\n")
        if blank and b'name="file"' in head and _FILENAME.search(head) is not None:
            return data.removesuffix(b"\r\n")
    return None


async def object_of(request: Request) -> dict[str, Any]:
    """The JSON object in a body.

    Raises:
        Invalid: when there is none.
    """
    try:
        value = json.loads(await request.body())
    except ValueError as error:
        raise work.Invalid("JSON decode error", "body", 0, kind="json_invalid") from error
    if not isinstance(value, dict):
        raise work.Invalid("Input should be a valid dictionary", "body", kind="dict_type")
    return value


def fetched(url: str, request: Request) -> bytes:
    """A document at this very sandbox; nothing else can be reached from it."""
    address = urlsplit(url)
    if address.scheme != "http" or address.netloc != request.headers.get("host", "") or "/reducto" in address.path:
        raise work.JobFailed("URL_NOT_ALLOWED", "The sandbox fetches documents from its own address only.", 400)
    asked = urllib.request.Request(url, headers={"User-Agent": "Sandbox sandbox@example.com"})  # noqa: S310 - our own address
    try:
        with urllib.request.urlopen(asked, timeout=30) as answer:  # noqa: S310
            return bytes(answer.read())
    except (urllib.error.URLError, OSError) as error:
        raise work.JobFailed("NOT_FOUND", "The address gives no document.", 400) from error


def posted(url: str, body: bytes) -> bool:
    """Whether a webhook took the message; one that is not on this machine is never told and counts as told."""
    address = urlsplit(url)
    if address.scheme != "http" or address.hostname not in _LOOPBACK:
        return True
    headers = {"Content-Type": "application/json"}
    sent = urllib.request.Request(url, data=body, headers=headers, method="POST")  # noqa: S310 - loopback only
    try:
        with urllib.request.urlopen(sent, timeout=10):  # noqa: S310
            return True
    except (urllib.error.URLError, OSError):
        return False


def origin_of(request: Request) -> str:
    """The base address of the emulated API as the caller sees it."""
    return f"http://{request.headers.get('host', '127.0.0.1')}/reducto"


def _error(status: int, kind: str, message: str) -> dict[str, Any]:
    return {"error": {"message": message, "type": kind, "code": status}}


def guarded(endpoint: Endpoint) -> Endpoint:
    """An endpoint that asks for the key first and says refusals as the API does."""

    async def guarded(request: Request) -> Response:
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not key or key.lower().startswith("wrong"):
            return json_answer(request, _error(401, "auth_error", "Invalid API key"), 401)
        return await _said(endpoint, request)

    return guarded


def unlocked(endpoint: Endpoint) -> Endpoint:
    """An endpoint behind a presigned address: no key, the same refusals."""

    async def told(request: Request) -> Response:
        return await _said(endpoint, request)

    return told


async def _said(endpoint: Endpoint, request: Request) -> Response:
    try:
        return await endpoint(request)
    except work.Invalid as invalid:
        detail = [{"loc": list(invalid.where), "msg": str(invalid), "type": invalid.kind}]
        return json_answer(request, {"detail": detail}, 422)
    except Refused as refused:
        return json_answer(request, _error(refused.status, refused.kind, str(refused)), refused.status)


def limited(window: str) -> Response:
    """The refusal of a limit, with the code of its window."""
    code = 2000 if window == "minute" else 1000
    message = f"[CODE {code}] rate limit exceeded, retry with exponential backoff"
    return Response(dumps({"message": message}), 429, media_type="application/json")


def not_found(request: Request) -> Response:
    """A path that the API does not have."""
    return json_answer(request, {"detail": "Not Found"}, 404)
