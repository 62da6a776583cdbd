"""The verdict on an answer that a test writes down."""

from __future__ import annotations

import datetime as dt
import json

from salescience_pipeline.clients import registry
from salescience_pipeline.clients.classify import Reply, Verdict
from salescience_pipeline.clients.model import Body, PlannedRequest

HTML, TEXT, XML = "text/html", "text/plain", "application/xml"
NOW = dt.datetime(2026, 11, 20, 22, 41, 7, tzinfo=dt.UTC)


def judge(
    request: PlannedRequest, status: int, body: object, media_type: str = "application/json", **more: object
) -> Verdict:
    """The verdict on one answer; ``body`` is text, bytes or something to be spelled as JSON."""
    data = body if isinstance(body, bytes) else (body if isinstance(body, str) else json.dumps(body)).encode()
    headers = {"content-type": media_type} if media_type else {}
    headers |= more.pop("headers", {})  # type: ignore[arg-type]
    reply = Reply(request, status, headers, Body(data), NOW, **more)  # type: ignore[arg-type]
    return registry.dialect(request.provider).classify(reply)
