"""The bytes of one document: what kind they are, how they are encoded, and the limits under which they are read.

Every later stage works on these bytes and speaks of places in them as byte offsets; nothing is decoded before it is
needed. What does not belong here: anything that knows what a tag means.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property

from salescience_pipeline.documents.errors import (
    DocumentCorrupt,
    DocumentEmpty,
    DocumentTimeout,
    DocumentTooLarge,
    DocumentUnsupported,
    NotADocument,
)
from salescience_pipeline.documents.xmltext import unescaped


class Kind(StrEnum):
    """What the bytes are, judged by the bytes themselves and never by a file name."""

    HTML = "html"
    XHTML = "xhtml"
    """Well-formed by declaration (an XHTML namespace or an XML declaration): inline XBRL is of this kind."""
    TEXT = "text"
    SUBMISSION = "submission"
    """EDGAR's SGML envelope with one or more documents inside."""
    XML = "xml"
    """Data: an XBRL instance, an ownership form, a schema."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one document may cost before it is refused."""

    max_bytes: int = 200_000_000
    max_cells: int = 100_000
    """Cells in one table."""
    max_depth: int = 10_000
    """Open block elements at one place."""
    max_seconds: float = 120.0
    """Time on ``clock`` from the start of a stage; a hard stop is the caller's killable worker."""
    clock: Callable[[], float] = time.process_time

    def deadline(self) -> float:
        """The value of ``clock`` at which work that starts now has to stop."""
        return self.clock() + self.max_seconds

    def check(self, deadline: float) -> None:
        """Stop when ``deadline`` has passed.

        Raises:
            DocumentTimeout: when it has.
        """
        if self.clock() > deadline:
            raise DocumentTimeout(f"The document took more than {self.max_seconds:g} s.")


_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"%PDF-", "a PDF file"),
    (b"PK\x03\x04", "a ZIP archive (or an Office file)"),
    (b"PK\x05\x06", "an empty ZIP archive"),
    (b"\x1f\x8b", "a gzip file"),
    (b"\x89PNG", "a PNG image"),
    (b"GIF8", "a GIF image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"\xd0\xcf\x11\xe0", "an OLE file (old Office)"),
    (b"{\\rtf", "an RTF file"),
    (b"\x28\xb5\x2f\xfd", "a zstd file"),
    (b"BZh", "a bzip2 file"),
    (b"7z\xbc\xaf", "a 7z archive"),
)
_UTF_BOMS: tuple[tuple[bytes, str], ...] = (
    (b"\xff\xfe\x00\x00", "utf-32-le"),
    (b"\x00\x00\xfe\xff", "utf-32-be"),
    (b"\xff\xfe", "utf-16-le"),
    (b"\xfe\xff", "utf-16-be"),
)
_DECLARED = re.compile(rb"""(?:encoding\s*=\s*|charset\s*=\s*)["']?\s*([A-Za-z0-9_.:\-]{2,40})""", re.IGNORECASE)
_SUBMISSION = re.compile(
    rb"\s*(?:-----BEGIN PRIVACY-ENHANCED MESSAGE-----|<SEC-DOCUMENT>|<IMS-DOCUMENT>|<SUBMISSION>|<SEC-HEADER>"
    rb"|<DOCUMENT>\s*<TYPE>)",
    re.IGNORECASE,
)
_HTML_TAG = re.compile(
    rb"<(?:!doctype\s+html|html|head|body|div|p|table|font|center|title|h[1-6]|br|span|pre|b|a|hr|ul|ol|meta)\b[^<]*>",
    re.IGNORECASE,
)
_TYPED = re.compile(rb"^[ \t]*<(?:PAGE|CAPTION|S)>", re.IGNORECASE | re.MULTILINE)
"""EDGAR's own tags for typewritten filings; ``<TABLE>`` is one of them and no sign of HTML beside these."""
_LAID_OUT = re.compile(rb"<(?:html|body|p|div|tr|td|font|br|center|h[1-6]|\?xml)\b", re.IGNORECASE)
_ROOT = re.compile(rb"<(?:([A-Za-z_][\w.\-]*):)?([A-Za-z_][\w.\-]*)((?:[^<>\"']|\"[^\"<]*\"|'[^'<]*')*)>")
_SKIP_BEFORE_ROOT = re.compile(rb"(?:\s+|\xef\xbb\xbf|<\?.{0,4000}?\?>|<!--.*?-->)+", re.DOTALL)
_DOCTYPE = re.compile(rb"<!DOCTYPE[^\[>]*(\[)?", re.IGNORECASE)
_PLAIN_TITLE = re.compile(rb"<(title|h1)[^>]*>(.{0,300}?)</\1", re.IGNORECASE | re.DOTALL)
_STATUS = rb"(?:^|\A|error|http|status)[\s:#-]*"
_ERROR_PAGES: tuple[tuple[re.Pattern[bytes], str, str], ...] = tuple(
    (re.compile(words + rb"|" + _STATUS + status + rb"\b", re.IGNORECASE), name, what)
    for words, status, name, what in (
        (
            rb"NoSuchKey|\b(?:page|file|document|object|resource) (?:was )?not found|^\s*not found",
            rb"404",
            "NOT_FOUND",
            "not found",
        ),
        (
            rb"request rate threshold|undeclared automated tool|too many requests",
            rb"429",
            "RATE_LIMIT",
            "too many requests",
        ),
        (rb"access ?denied|forbidden|unauthorized", rb"40[13]", "AUTH_ERROR", "access denied"),
        (
            rb"service (?:is )?(?:temporarily )?unavailable|bad gateway|gateway time-?out|internal server error"
            rb"|under maintenance",
            rb"50[0234]",
            "SERVICE_UNAVAILABLE",
            "service unavailable",
        ),
    )
)
_ERROR_PAGE_MAX = 20_000
_SOFT_PAGE_MAX = 2_000
_SOFT_TEXT_MAX = 120
_ANY_TAG = re.compile(rb"<[^<>]*>")


@dataclass(frozen=True)
class Source:
    """One document's bytes with what has to be known before reading them.

    Attributes:
        data: the bytes that offsets refer to. For UTF-16 and UTF-32 input this is a UTF-8 copy (``transcoded``).
        kind: what they are.
        encoding: a Python codec name that decodes ``data``.
        name: file name or another label, for messages only.
        transcoded: whether offsets refer to a UTF-8 copy and not to the caller's bytes.
    """

    data: bytes
    kind: Kind
    encoding: str
    name: str = ""
    transcoded: bool = False
    limits: Limits = field(default_factory=Limits, repr=False, compare=False)

    def text(self, start: int, end: int) -> str:
        """The characters of ``data[start:end]``, markup and references left as they are."""
        return self.data[start:end].decode(self.encoding, "replace")

    @cached_property
    def _first_unusual(self) -> int:
        """Offset of the first of what :attr:`first_marked` and :attr:`first_upper` look for: most documents have neither."""
        match = _UNUSUAL.search(self.data, self.root[2])
        return match.start() if match is not None else len(self.data)

    @cached_property
    def first_marked(self) -> int:
        """Offset of the first comment, CDATA section or instruction behind the root tag; the size when there is none."""
        match = _MARKED.search(self.data, self._first_unusual)
        return match.start() if match is not None else len(self.data)

    @cached_property
    def first_upper(self) -> int:
        """Offset of the first tag of a table in upper case (any tag with a T); the size when there is none."""
        found = self.data.find(b"<T", self._first_unusual)
        return found if found >= 0 else len(self.data)

    @cached_property
    def root(self) -> tuple[str, dict[str, str], int]:
        """The root element: its local name in lower case, its attributes as written, the offset behind its tag."""
        position = _skip_prolog(self.data)
        match = _ROOT.match(self.data, position)
        if match is None:
            return "", {}, position
        attributes = parse_attributes(match[3], self.encoding)
        return match[2].decode("ascii", "replace").lower(), attributes, match.end()


_MARKED = re.compile(rb"<[!?]")
_UNUSUAL = re.compile(rb"<[!?T]")

_ATTRIBUTE = re.compile(rb"""([A-Za-z_:][\w:.\-]*)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))""")


def parse_attributes(raw: bytes, encoding: str) -> dict[str, str]:
    """The attributes between a tag's name and its ``>``, references resolved; the first of a repeated name wins.

    Args:
        raw: bytes of the tag behind its name.
        encoding: codec of the document.
    """
    found: dict[str, str] = {}
    for name, double, single, bare in _ATTRIBUTE.findall(raw):
        value = (double or single or bare).decode(encoding, "replace")
        found.setdefault(name.decode("ascii", "replace"), unescaped(value))
    return found


def _skip_prolog(data: bytes) -> int:
    """Offset of the root tag: behind declaration, processing instructions, comments and document type."""
    position = 0
    for _ in range(50):
        match = _SKIP_BEFORE_ROOT.match(data, position)
        if match is not None:
            position = match.end()
        doctype = _DOCTYPE.match(data, position)
        if doctype is None:
            return position
        end = data.find(b"]>" if doctype[1] else b">", doctype.end() - 1)
        if end < 0:
            return position
        position = end + (2 if doctype[1] else 1)
    return position


def read_source(data: bytes, *, name: str = "", limits: Limits | None = None) -> Source:
    """Judge ``data`` by its bytes.

    Args:
        data: the document as delivered.
        name: label for messages.
        limits: how much it may cost.

    Raises:
        DocumentEmpty: no bytes or only white space.
        DocumentTooLarge: more bytes than ``limits.max_bytes``.
        DocumentUnsupported: a binary format.
        DocumentCorrupt: declares entities of its own, or decodes as nothing.
        NotADocument: a server's error page.
    """
    limits = limits or Limits()
    if len(data) > limits.max_bytes:
        raise DocumentTooLarge(f"The document has {len(data):,} bytes; {limits.max_bytes:,} are allowed.")
    head = data[:2000].lstrip(b" \t\r\n\x0c\xef\xbb\xbf")
    if not head and not data.strip():
        raise DocumentEmpty("The document has no content.")
    for magic, what in _MAGIC:
        if head.startswith(magic):
            raise DocumentUnsupported(f"The document is {what}.")
    transcoded = False
    for bom, codec in _UTF_BOMS:
        if data.startswith(bom):
            try:
                data = data.decode(codec).lstrip("\ufeff").encode("utf-8")
            except UnicodeDecodeError as error:
                raise DocumentCorrupt(f"The document has a byte order mark of {codec} but is not.") from error
            transcoded = True
            break
    if not transcoded and data[:65536].count(0) > 4:
        raise DocumentUnsupported("The document is binary.")
    kind = _kind(data)
    if kind in (Kind.HTML, Kind.XHTML, Kind.XML):
        _refuse_entities(data)
    if kind is not Kind.SUBMISSION:
        _refuse_error_page(data)
    encoding = "utf-8" if transcoded else _encoding(data)
    return Source(data, kind, encoding, name, transcoded, limits)


def _kind(data: bytes) -> Kind:  # noqa: PLR0911 - one way out per kind
    if _SUBMISSION.match(data[:4000]):
        return Kind.SUBMISSION
    if _TYPED.search(data[:200_000]) and not _LAID_OUT.search(data[:200_000]):
        return Kind.TEXT
    position = _skip_prolog(data)
    declared = data[:200].lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<?xml")
    root = _ROOT.match(data, position)
    if root is not None:
        local = root[2].lower()
        if local == b"html":
            return Kind.XHTML if declared or b"xmlns" in root[3] else Kind.HTML
        if _HTML_TAG.match(data, position):
            return Kind.HTML
        if declared or b"xmlns" in root[3]:
            return Kind.XML
        if data.rstrip()[-200:].endswith(b"</" + (root[1] + b":" if root[1] else b"") + root[2] + b">"):
            return Kind.HTML if _HTML_TAG.search(data[:200_000]) else Kind.XML
    if _HTML_TAG.search(data[:20_000]) and len(_HTML_TAG.findall(data[:200_000])) >= 3:
        return Kind.HTML
    return Kind.TEXT


def _refuse_entities(data: bytes) -> None:
    """Documents that define entities are refused: SEC filings never do, and expanding them is how bombs work."""
    head = data[:100_000]
    start = head.upper().find(b"<!DOCTYPE")
    if start >= 0:
        doctype = _DOCTYPE.match(head, start)
        if doctype is not None and doctype[1] and b"<!ENTITY" in head[start:].upper():
            raise DocumentCorrupt("The document defines its own entities, which no filing may do.")


def _refuse_error_page(data: bytes) -> None:
    if len(data) > _ERROR_PAGE_MAX:
        return
    titles = b" ".join(match[2] for match in _PLAIN_TITLE.finditer(data))
    is_storage_error = b"<Error><Code>" in data[:500]
    # What says so little is the page and not about one.
    shown = b" ".join(_ANY_TAG.sub(b" ", data).split()) if len(data) < _SOFT_PAGE_MAX else b""
    probe = data[:500] if is_storage_error else titles + b" " + shown if len(shown) < _SOFT_TEXT_MAX else titles
    for pattern, name, what in _ERROR_PAGES:
        if pattern.search(probe):
            raise NotADocument(f"The document is a server's error page ({what}).", name)


def _encoding(data: bytes) -> str:
    """The codec that fits: what decodes wins over what is declared, for declarations in filings are often wrong."""
    if data.isascii():
        return "ascii"
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        pass
    else:
        return "utf-8"
    declared = _DECLARED.search(data[:4000])
    if declared is not None:
        codec = declared[1].decode("ascii").lower()
        if codec not in ("utf-8", "utf8", "us-ascii", "ascii", "iso-8859-1", "latin-1", "latin1"):
            try:
                data[:200_000].decode(codec, "replace")
                "<".encode(codec)
            except (LookupError, UnicodeError):
                return "cp1252"
            return codec if "<".encode(codec) == b"<" else "cp1252"
    return "cp1252"
