"""EDGAR's envelope: the header of a full submission and the documents inside it, as byte ranges of the file.

Uuencoded parts (PDF, images, spreadsheets) are counted and left alone. What does not belong here: what the documents
say.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_DOCUMENT = re.compile(rb"<DOCUMENT>[ \t]*\r?\n?", re.IGNORECASE)
_DOCUMENT_END = re.compile(rb"</DOCUMENT>", re.IGNORECASE)
_TEXT = re.compile(rb"<TEXT>[ \t]*\r?\n?", re.IGNORECASE)
_TEXT_END = re.compile(rb"</TEXT>", re.IGNORECASE)
_FIELD = re.compile(rb"^<(TYPE|SEQUENCE|FILENAME|DESCRIPTION)>([^\r\n<]*)", re.IGNORECASE | re.MULTILINE)
_WRAPPER = re.compile(rb"\s*<(XBRL|XML|PDF|ASCII)>[ \t]*\r?\n?", re.IGNORECASE)
_UUENCODED = re.compile(rb"\s*begin [0-7]{3} [^\r\n]+\r?\n", re.IGNORECASE)
_HEADER_LINE = re.compile(r"^[ \t]*([A-Z][A-Z0-9 ./\-]+):[ \t]*(.*)$")
_TAG_LINE = re.compile(r"^<([A-Z][A-Z0-9\-]*)>(.*)$")


@dataclass(frozen=True, slots=True)
class Part:
    """One document of a submission.

    Attributes:
        type: as the filer says: ``10-K``, ``EX-21.1``, ``GRAPHIC``.
        sequence: its number, None when missing.
        filename: as the filer named it.
        description: the filer's words.
        start: first byte of its content in the file.
        end: byte behind its content.
        encoded: whether the content is uuencoded and therefore skipped.
    """

    type: str
    sequence: int | None
    filename: str
    description: str
    start: int
    end: int
    encoded: bool


@dataclass(frozen=True, slots=True)
class Submission:
    """The envelope: header fields by name (each with all its values in order) and the parts."""

    header: dict[str, tuple[str, ...]]
    parts: tuple[Part, ...]
    skipped: int = field(default=0)
    """Parts that are uuencoded."""

    def first(self, *names: str) -> str:
        """The first value of the first of ``names`` that the header has; empty when it has none."""
        return next((self.header[name][0] for name in names if self.header.get(name)), "")

    @property
    def form(self) -> str:
        """The form type."""
        return self.first("CONFORMED SUBMISSION TYPE", "TYPE", "FORM TYPE")

    @property
    def items(self) -> tuple[str, ...]:
        """The titles of the items that an 8-K says it reports."""
        return self.header.get("ITEM INFORMATION", ()) or self.header.get("ITEMS", ())


def read_submission(data: bytes) -> Submission:
    """Split a full submission into header and parts.

    A part that lacks its end tag ends where the next one begins.

    Args:
        data: the whole file.
    """
    openings = list(_DOCUMENT.finditer(data))
    header = _header(data[: openings[0].start() if openings else min(len(data), 100_000)])
    parts = []
    for index, opening in enumerate(openings):
        limit = openings[index + 1].start() if index + 1 < len(openings) else len(data)
        closing = _last_before(_DOCUMENT_END, data, opening.end(), limit)
        parts.append(_part(data, opening.end(), closing))
    return Submission(header, tuple(parts), sum(part.encoded for part in parts))


def _last_before(pattern: re.Pattern[bytes], data: bytes, start: int, end: int) -> int:
    last = end
    for match in pattern.finditer(data, start, end):
        last = match.start()
    return last


def _part(data: bytes, start: int, end: int) -> Part:
    text = _TEXT.search(data, start, min(end, start + 5000))
    head = data[start : text.start() if text is not None else min(end, start + 2000)]
    fields = {name.upper(): value.decode("utf-8", "replace").strip() for name, value in _FIELD.findall(head)}
    begin = text.end() if text is not None else start
    finish = _last_before(_TEXT_END, data, begin, end) if text is not None else end
    wrapper = _WRAPPER.match(data, begin, finish)
    if wrapper is not None:
        begin = wrapper.end()
        closing = data.rfind(b"</" + wrapper[1], begin, finish)
        finish = closing if closing >= 0 else finish
    sequence = fields.get(b"SEQUENCE", "")
    return Part(
        fields.get(b"TYPE", ""),
        int(sequence) if sequence.isdecimal() and len(sequence) < 8 else None,
        fields.get(b"FILENAME", ""),
        fields.get(b"DESCRIPTION", ""),
        begin,
        finish,
        _UUENCODED.match(data, begin, finish) is not None,
    )


def _header(raw: bytes) -> dict[str, tuple[str, ...]]:
    """The header's fields: ``NAME: value`` lines, and ``<NAME>value`` lines of the unprocessed form."""
    found: dict[str, list[str]] = {}
    for line in raw.decode("utf-8", "replace").splitlines():
        match = _HEADER_LINE.match(line) or _TAG_LINE.match(line)
        if match is not None and match[2].strip():
            found.setdefault(match[1].strip(), []).append(match[2].strip())
    return {name: tuple(values) for name, values in found.items()}
