"""The values that cross the seams of HTTP: a planned request, an answer, an attempt, and where they are kept.

What does not belong here: plans (``plan``), and anything that sends.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import IO, BinaryIO, Protocol
from urllib.parse import urlencode

from salescience_pipeline.catalog.providers import PROVIDERS
from salescience_pipeline.identifiers import Accession, Cik, RequestId, Ticker


class AnswerClass(StrEnum):
    """What an answer means for us; one vocabulary for all providers."""

    OK = "ok"
    UNCHANGED = "unchanged"
    """304: the archived body is still current."""
    OK_EMPTY = "ok_empty"
    NOT_FOUND = "not_found"
    AUTH = "auth"
    ENTITLEMENT = "entitlement"
    RATE_LIMITED = "rate_limited"
    QUOTA_EXHAUSTED = "quota_exhausted"
    BLOCKED = "blocked"
    TRANSIENT = "transient"
    CONTRACT = "contract"

    @property
    def is_success(self) -> bool:
        """Whether the provider answered the question, be it with nothing."""
        return self in (AnswerClass.OK, AnswerClass.UNCHANGED, AnswerClass.OK_EMPTY, AnswerClass.NOT_FOUND)


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom a request is about: the unit in which success, failure and completeness are told.

    ``key`` is what stands in the completeness table: a ticker, an accession, or ``*`` for the whole market.
    """

    key: str
    ticker: Ticker | None = None
    cik: Cik | None = None
    accession: Accession | None = None
    details: Mapping[str, str] = field(default_factory=dict)
    """What the tidy function needs to know and the answer does not say (form, filename...)."""

    @property
    def settles(self) -> tuple[str, ...]:
        """Every key of the completeness table that an answer about this subject settles.

        Usually one; a company with several tickers is asked for once, and ``details["also"]`` names the others.
        """
        return (self.key, *self.details.get("also", "").split())


@dataclass(frozen=True, slots=True)
class Content:
    """What a POST carries."""

    data: bytes = field(repr=False)
    content_type: str


@dataclass(frozen=True, slots=True)
class PlannedRequest:
    """One GET that a plan wants, or a POST if it has ``content``.

    It knows the host's role, never the base URL, so sandbox and live plan alike.
    """

    provider: str
    endpoint: str
    """Name of the endpoint for audit, metrics and faults, e.g. ``submissions``; bounded in number."""
    host: str
    path: str
    subject: Subject
    params: tuple[tuple[str, str], ...] = ()
    first_date: dt.date | None = None
    last_date: dt.date | None = None
    immutable: bool = False
    """Whether a complete answer never changes (a filed document): it is fetched once and kept for ever."""
    conditional: bool = False
    """Whether the endpoint honours If-None-Match and If-Modified-Since."""
    expect: str = "json"
    """Shape that a complete 200 must have: json, html, xml, text, zip or any."""
    max_bytes: int = 64_000_000
    """Cap on the decoded body, in bytes."""
    content: Content | None = field(default=None, repr=False)
    """The body of a POST; None for a GET."""
    address: str = field(default="", repr=False)
    """A presigned address that the provider named and that is asked instead: it says by itself who may read it, so no
    credential goes along. ``path`` stands for it in archive and audit."""

    @property
    def method(self) -> str:
        """The HTTP method."""
        return "GET" if self.content is None else "POST"

    @property
    def canonical_url(self) -> str:
        """The address at the live provider, parameters sorted, without secrets: the key of archive and audit."""
        query = urlencode(sorted(self.params))
        # Two posts to one address are two questions: the body's digest tells them apart.
        asked = f"#{hashlib.sha256(self.content.data).hexdigest()}" if self.content is not None else ""
        return f"{PROVIDERS[self.provider].hosts[self.host]}{self.path}{'?' + query if query else ''}{asked}"


class Body:
    """The bytes of an answer: in memory while small, in a spool file when large; hashed once, on the way in."""

    __slots__ = ("_data", "path", "sha256", "size")

    def __init__(self, data: bytes | None = None, path: Path | None = None, sha256: str | None = None) -> None:
        """Wrap ``data``, or the file at ``path`` whose digest is known."""
        if (data is None) == (path is None):
            raise ValueError("A body is either bytes or a file.")
        self._data, self.path = data, path
        if data is not None:
            self.size, self.sha256 = len(data), sha256 or hashlib.sha256(data).hexdigest()
        else:
            assert path is not None
            if sha256 is None:
                raise ValueError("A body in a file needs its digest.")
            self.size, self.sha256 = path.stat().st_size, sha256

    def read(self) -> bytes:
        """All bytes."""
        if self._data is not None:
            return self._data
        assert self.path is not None
        return self.path.read_bytes()

    def open(self) -> IO[bytes] | BinaryIO:
        """A binary stream over the bytes; the caller closes it."""
        import io  # noqa: PLC0415 - only needed for the small case

        if self._data is not None:
            return io.BytesIO(self._data)
        assert self.path is not None
        return self.path.open("rb")


@dataclass(frozen=True, slots=True)
class RawRef:
    """Where the archive keeps a body: its digest, its size, and the path below the archive's root (None if inline)."""

    sha256: str
    size: int
    path: str | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try of one request, as the audit table keeps it; every try is kept, also those that failed."""

    request_id: RequestId
    request: PlannedRequest
    answer_class: AnswerClass
    attempt: int
    started_at: dt.datetime
    elapsed_ms: float
    status: int | None = None
    """HTTP status; None when no answer came."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Response headers that matter, lower case, without cookies and secrets."""
    body: Body | None = None
    error: str | None = None
    """One redacted sentence when the try failed."""
    complete: bool = False
    """Whether the body was verified to be whole; only such a body may ever be reused."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The last attempt of a request that the provider answered (ok, unchanged, empty or not found)."""

    request: PlannedRequest
    answer_class: AnswerClass
    fetched_at: dt.datetime
    """When the bytes arrived (for ``unchanged`` and replay: when the archived bytes arrived)."""
    request_id: RequestId
    ref: RawRef
    body: Body
    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    attempts: int = 1
    """Requests that were sent for it; 0 when the archive answered."""


@dataclass(frozen=True, slots=True)
class Stored:
    """The newest complete archived answer of a URL: what a conditional request or a replay needs."""

    ref: RawRef
    answer_class: AnswerClass
    fetched_at: dt.datetime
    request_id: RequestId
    status: int
    headers: Mapping[str, str]


class AnswerStore(Protocol):
    """What the transport needs of the archive; ``lake.archive`` implements it."""

    def put(self, attempt: Attempt, run_id: str, organization_id: str | None) -> RawRef:
        """Keep the attempt's audit row and its body; returns only when both are durable."""
        ...

    def latest(self, request: PlannedRequest) -> Stored | None:
        """The newest complete, successful answer to that request, if there is one."""
        ...

    def open(self, ref: RawRef) -> Body:
        """The body, with its digest checked against ``ref``."""
        ...
