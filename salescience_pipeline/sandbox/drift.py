"""Answers whose fields changed their names, went, came or changed their type: schema drift on demand, for every provider.

What does not belong here: which fields change (``happenings``).
"""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Sequence
from functools import partial
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from salescience_pipeline.fiction.happenings import FieldChange
from salescience_pipeline.sandbox.answers import dumps, held_back


def drifted(value: Any, changes: Sequence[FieldChange]) -> Any:
    """``value`` with the changes done in every object of it, at any depth; the order of the fields stays.

    A field that is added goes into every innermost object. A field that changes its type becomes a text, or an object
    around the text if it was one.
    """
    for change in changes:
        value = _changed(value, change)
    return value


def _changed(value: Any, change: FieldChange) -> Any:
    if isinstance(value, list):
        return [_changed(item, change) for item in value]
    if not isinstance(value, dict):
        return value
    made: dict[str, Any] = {}
    for name, item in value.items():
        if name != change.field:
            made[name] = _changed(item, change)
        elif change.kind == "renamed_field":
            made[change.value or name] = _changed(item, change)
        elif change.kind == "retyped_field":
            made[name] = {"value": item} if isinstance(item, str) else json.dumps(item)
        elif change.kind == "added_field":
            made[name] = item
    if change.kind == "added_field" and not any(isinstance(item, dict | list) for item in value.values()):
        made.setdefault(change.field, "added by the sandbox")
    return made


def _drifted_csv(text: str, changes: Sequence[FieldChange]) -> str:
    rows = list(csv.DictReader(io.StringIO(text)))
    if not rows:
        return text
    rows = [drifted(row, changes) for row in rows]
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def _rewritten(start: Message, body: bytes, changes: Sequence[FieldChange]) -> tuple[Message, bytes]:
    """The answer with its fields changed; what is neither JSON nor CSV, or is an error, stays as it is."""
    headers = {name.lower(): value for name, value in start.get("headers", ())}
    kind = headers.get(b"content-type", b"")
    if start["status"] != 200 or not kind.startswith((b"application/json", b"text/csv", b"application/x-download")):
        return start, body
    zipped = headers.get(b"content-encoding") == b"gzip"
    plain = gzip.decompress(body) if zipped else body
    if kind.startswith(b"application/json"):
        try:
            plain = dumps(drifted(json.loads(plain), changes))
        except ValueError:
            return start, body
    else:
        plain = _drifted_csv(plain.decode(), changes).encode()
    body = gzip.compress(plain, 6, mtime=0) if zipped else plain
    kept = [(name, value) for name, value in start["headers"] if name.lower() != b"content-length"]
    return {**start, "headers": [*kept, (b"content-length", str(len(body)).encode())]}, body


async def answer_drifted(
    app: ASGIApp, changes: Sequence[FieldChange], scope: Scope, receive: Receive, send: Send
) -> None:
    """Let ``app`` answer and send its answer with the changes."""
    start, body = await held_back(partial(app, scope, receive))
    if start:
        start, whole = _rewritten(start, body, changes)
        await send(start)
        await send({"type": "http.response.body", "body": whole})
