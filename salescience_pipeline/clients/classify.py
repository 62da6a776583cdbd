"""What an answer means: the reply as it arrived, the verdict on it, and the rules that all providers share.

Status, content type and shape decide. Wording is looked at only to tell apart two cases that share all three, and never
turns a failure into data. Each provider's own rules stand in its file (``classify`` there); they end in
:func:`by_status` and :func:`by_shape`. What does not belong here: sockets, retries, storage.
"""

from __future__ import annotations

import datetime as dt
import email.utils
import json
import re
import zipfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

from salescience_pipeline.clients.model import AnswerClass, Body, PlannedRequest

_HEAD = 4096
_TAIL = 2048
_HTML_END = re.compile(rb"(?i)</(?:html|body|xbrl|text|document|sec-document)\s*>")
_HTML_START = re.compile(
    rb"(?is)(?:\xef\xbb\xbf)?\s*(?:<\?xml[^>]*\?>\s*)?(?:<!--.*?-->\s*)*<(?:!doctype html|html[\s>])"
)
_ROOT = re.compile(rb"<([A-Za-z_][\w.:-]*)")
_OPAQUE = re.compile(rb"(?s)<\?.*?\?>|<!--.*?-->|<!DOCTYPE[^>\[]*>")


@dataclass(frozen=True, slots=True)
class Verdict:
    """The class of a reply, with the reason as the rest of a sentence that begins with the provider's name."""

    answer_class: AnswerClass
    reason: str = ""
    retry_at: dt.datetime | None = None
    """When it is worth asking again, if the provider or its rules say so."""
    healthy: bool = False
    """Whether the provider works, though this answer failed: such an answer says nothing to the breaker."""


@dataclass(frozen=True)
class Reply:
    """One HTTP answer, decoded."""

    request: PlannedRequest
    status: int
    headers: Mapping[str, str]
    """Lower-case names."""
    body: Body
    received_at: dt.datetime
    has_cookie: bool = False
    framed: bool = True
    """Whether the transfer itself said where the body ends (length, chunks or a compressed trailer)."""

    @property
    def media_type(self) -> str:
        """The content type without parameters, lower case; empty when there is none."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @cached_property
    def head(self) -> bytes:
        """The first 4 kB."""
        with self.body.open() as stream:
            return stream.read(_HEAD)

    @cached_property
    def tail(self) -> bytes:
        """The last 2 kB, without the white space at the end."""
        with self.body.open() as stream:
            stream.seek(max(self.body.size - _TAIL, 0))
            return stream.read().rstrip(b"\x00\r\n\t ")

    @property
    def is_html(self) -> bool:
        """Whether this is a page for people: by its content type, or by its beginning where none is given."""
        # Only a beginning counts: a submission in plain text holds whole pages.
        looks = _HTML_START.match(self.head) is not None
        return looks if self.media_type in {"", "text/plain"} else "html" in self.media_type

    @cached_property
    def parsed(self) -> Any:
        """The body as JSON.

        Raises:
            ValueError: when it is not JSON.
        """
        return json.loads(self.body.read())

    @property
    def json_or_none(self) -> Any:
        """The body as JSON, None when it is not JSON."""
        try:
            return self.parsed
        except (ValueError, RecursionError):
            return None

    def text(self, limit: int = 500) -> str:
        """The beginning of the body as text, for telling apart and for messages."""
        return self.head[:limit].decode("utf-8", "replace").strip()


class Session(Protocol):
    """Something to be fetched before some requests work (a cookie, a crumb); one per transport, safe for threads."""

    def applies_to(self, request: PlannedRequest) -> bool:
        """Whether ``request`` needs the session."""
        ...

    def open(self, ask: Callable[[PlannedRequest, Mapping[str, str]], SessionReply]) -> Extras:
        """What to add to a request; asks for it (through gate, archive and retries) when it is not at hand.

        Raises:
            ProviderError: when the session cannot be had.
        """
        ...

    def drop(self, extras: Extras) -> None:
        """Forget ``extras``: the provider no longer takes it."""
        ...


@dataclass(frozen=True, slots=True)
class Extras:
    """What a session adds to a request; all of it is secret."""

    params: tuple[tuple[str, str], ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SessionReply:
    """What a session may see of an answer and nobody else: its cookies and its text."""

    status: int
    cookies: Mapping[str, str]
    text: str


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one provider is spoken to: the transport knows nothing else about it."""

    provider: str
    headers: Callable[[str | None], Mapping[str, str]]
    """Request headers, given the credential."""
    classify: Callable[[Reply], Verdict]
    params: Callable[[str | None], tuple[tuple[str, str], ...]] = lambda _credential: ()
    """Query parameters, given the credential, for a provider that takes its key no other way; they never become part of
    what is archived or shown."""
    needs_credential: bool = False
    has_plan: bool = False
    """Whether a refusal ("not in your plan") holds for the whole endpoint and not only for one object."""
    new_session: Callable[[], Session] | None = None


def retry_after(headers: Mapping[str, str], now: dt.datetime) -> dt.datetime | None:
    """The moment that a Retry-After header names, in seconds or as a date; None without a usable one."""
    value = headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit() and len(value) <= 7:
        return now + dt.timedelta(seconds=int(value))
    try:
        moment = email.utils.parsedate_to_datetime(value)
    except (TypeError, ValueError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)


def by_status(reply: Reply) -> Verdict | None:
    """The verdict that the status alone allows; None for 200, whose shape must be looked at."""
    status = reply.status
    if status == 200:
        return None
    told = retry_after(reply.headers, reply.received_at)
    if status in {408, 425} or status >= 500:
        return Verdict(AnswerClass.TRANSIENT, f"answered with status {status}", told)
    if 300 <= status < 400:
        return Verdict(AnswerClass.CONTRACT, f"redirects elsewhere (status {status}), which is not followed")
    if status in {404, 410} and reply.is_html:
        return Verdict(AnswerClass.CONTRACT, "sent a web page that says that there is no such address")
    answer_class, reason = _BY_STATUS.get(status, (AnswerClass.CONTRACT, f"answered with status {status}"))
    return Verdict(answer_class, reason, told if answer_class is AnswerClass.RATE_LIMITED else None)


_BY_STATUS: dict[int, tuple[AnswerClass, str]] = {
    401: (AnswerClass.AUTH, "does not accept our credentials"),
    402: (AnswerClass.ENTITLEMENT, "does not let us use this endpoint"),
    403: (AnswerClass.ENTITLEMENT, "does not let us use this endpoint"),
    404: (AnswerClass.NOT_FOUND, "does not know it"),
    410: (AnswerClass.NOT_FOUND, "does not know it"),
    429: (AnswerClass.RATE_LIMITED, "says that we ask too fast"),
}


def unshaped(field: str | None = None) -> Verdict:
    """The verdict on an answer that is not what its documentation says; ``field`` is what it lacks, where that is known."""
    told = f", there is no {field!r} in it" if field is not None else ""
    return Verdict(AnswerClass.CONTRACT, f"sent an answer without its documented shape{told}")


def lacking(rows: Iterable[Any], fields: Iterable[str]) -> str | None:
    """The first of ``fields`` that some row lacks; an empty text when a row is no object at all."""
    for row in rows:
        if not isinstance(row, dict):
            return ""
        for name in fields:
            if name not in row:
                return name
    return None


def by_shape(reply: Reply) -> Verdict:
    """The verdict on a 200 by what the request expects: whole and of the right kind, or not."""
    if reply.body.size == 0:
        return Verdict(AnswerClass.TRANSIENT, "sent an empty body")
    if reply.is_html and reply.request.expect not in {"html", "any"}:
        return Verdict(AnswerClass.TRANSIENT, f"sent a web page where {reply.request.expect} is due")
    fault = _SHAPES[reply.request.expect](reply)
    if fault is not None:
        return Verdict(AnswerClass.TRANSIENT, f"sent an incomplete body: {fault}")
    if not reply.framed and reply.request.expect in {"text", "any"}:
        return Verdict(AnswerClass.TRANSIENT, "sent a body that cannot be shown to be whole")
    return Verdict(AnswerClass.OK)


def _json_fault(reply: Reply) -> str | None:
    return "it does not parse as JSON" if reply.json_or_none is None else None


def _html_fault(reply: Reply) -> str | None:
    if re.search(rb"(?i)<html[\s>]", reply.head) and not _HTML_END.search(reply.tail):
        return "the end tag of the page is missing"
    return None


def _xml_fault(reply: Reply) -> str | None:
    root = _ROOT.search(_OPAQUE.sub(b"", reply.head))
    if root is None:
        return "it holds no element"
    if not re.search(rb"</" + re.escape(root[1]) + rb"\s*>$", reply.tail):
        return "the end tag of the document is missing"
    return None


def _text_fault(reply: Reply) -> str | None:
    head = reply.head.lstrip()
    if head.startswith(b"-----BEGIN PRIVACY-ENHANCED MESSAGE-----"):
        whole = reply.tail.endswith(b"-----END PRIVACY-ENHANCED MESSAGE-----")
    elif head.startswith((b"<SEC-DOCUMENT>", b"<IMS-DOCUMENT>")):
        whole = reply.tail.endswith((b"</SEC-DOCUMENT>", b"</IMS-DOCUMENT>"))
    else:
        return None
    return None if whole else "the end mark of the submission is missing"


def _zip_fault(reply: Reply) -> str | None:
    # The end record may stand before a comment of up to 64 kB; zipfile knows how to find it.
    with reply.body.open() as stream:
        return None if zipfile.is_zipfile(stream) else "the end of the archive is missing"


_SHAPES: dict[str, Callable[[Reply], str | None]] = {
    "json": _json_fault,
    "html": _html_fault,
    "xml": _xml_fault,
    "text": _text_fault,
    "zip": _zip_fault,
    "any": lambda _reply: None,
}
