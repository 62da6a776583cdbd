"""Read what a recorded submission says about itself: header, parties, documents; and a document's own name.

Pure functions over bytes; both spellings of the header (readable and tagged) and the old ones with a mail envelope in
front. What does not belong here: where the files are and under which address they are served.
"""

from __future__ import annotations

import binascii
import datetime as dt
import re
from collections.abc import Sequence
from dataclasses import dataclass

from salescience_pipeline.fiction.sec_calendar import EASTERN

_DOCUMENT = re.compile(rb"<DOCUMENT>(.*?)</DOCUMENT>", re.DOTALL)
_NAME = re.compile(rb"<FILENAME>([^\r\n<]+)")
_TITLE = re.compile(rb"<title>\s*([A-Za-z0-9_.-]+)\s*</title>", re.IGNORECASE)
_WRAPPERS = (b"XBRL", b"XML", b"PDF")


@dataclass(frozen=True, slots=True)
class SgmlParty:
    """A filer, issuer or owner of the header."""

    role: str
    cik: int
    name: str
    sic: str = ""
    state: str = ""
    year_end: str = ""


@dataclass(frozen=True, slots=True)
class SgmlHeader:
    """The header of a submission; what it does not say is empty."""

    accession: str
    form: str
    filed: dt.date | None
    period: dt.date | None
    accepted: dt.datetime | None
    """UTC."""
    parties: tuple[SgmlParty, ...]


@dataclass(frozen=True, slots=True)
class SgmlDocument:
    """One document inside a complete submission."""

    type: str
    filename: str
    """Empty in submissions before about 2000."""
    description: str
    content: bytes


def _field(text: str, label: str) -> str:
    """The value of a readable (``LABEL:   value``) header line, or an empty string."""
    match = re.search(rf"^\s*{re.escape(label)}:[ \t]*(.*?)[ \t\r]*$", text, re.MULTILINE)
    return match[1] if match else ""


def _tag(text: str, name: str) -> str:
    """The value of a tagged (``<NAME>value``) header line, or an empty string."""
    match = re.search(rf"<{name}>([^<\r\n]*)", text)
    return match[1].strip() if match else ""


def _day(text: str) -> dt.date | None:
    try:
        return dt.datetime.strptime(text[:8], "%Y%m%d").date()  # noqa: DTZ007 - a date has no zone
    except ValueError:
        return None


def _accepted(text: str) -> dt.datetime | None:
    """The acceptance time, which the header gives as a wall time in New York."""
    match = re.search(r"<ACCEPTANCE-DATETIME>(\d{14})", text)
    if match is None:
        return None
    return dt.datetime.strptime(match[1], "%Y%m%d%H%M%S").replace(tzinfo=EASTERN).astimezone(dt.UTC)


def read_header(data: bytes) -> SgmlHeader | None:
    """The header of a submission; ``None`` when ``data`` holds none."""
    end = data.find(b"<DOCUMENT>")
    text = data[: end if end >= 0 else 40_000].decode("latin-1")
    if "ACCESSION NUMBER:" in text:
        return SgmlHeader(
            accession=_field(text, "ACCESSION NUMBER"),
            form=_field(text, "CONFORMED SUBMISSION TYPE"),
            filed=_day(_field(text, "FILED AS OF DATE")),
            period=_day(_field(text, "CONFORMED PERIOD OF REPORT")),
            accepted=_accepted(text),
            parties=_readable_parties(text),
        )
    if "<ACCESSION-NUMBER>" in text:
        return SgmlHeader(
            accession=_tag(text, "ACCESSION-NUMBER"),
            form=_tag(text, "TYPE"),
            filed=_day(_tag(text, "FILING-DATE")),
            period=_day(_tag(text, "PERIOD")),
            accepted=_accepted(text),
            parties=_tagged_parties(text),
        )
    return None


def _readable_parties(text: str) -> tuple[SgmlParty, ...]:
    heads = list(re.finditer(r"^(FILER|ISSUER|REPORTING-OWNER|SUBJECT COMPANY|FILED BY):", text, re.MULTILINE))
    parties = []
    for number, head in enumerate(heads):
        part = text[head.start() : heads[number + 1].start() if number + 1 < len(heads) else len(text)]
        cik = _field(part, "CENTRAL INDEX KEY")
        if cik.isdigit():
            sic = re.search(r"\[(\d{4})\]", _field(part, "STANDARD INDUSTRIAL CLASSIFICATION"))
            parties.append(
                SgmlParty(
                    head[1],
                    int(cik),
                    _field(part, "COMPANY CONFORMED NAME"),
                    sic[1] if sic else "",
                    _field(part, "STATE OF INCORPORATION"),
                    _field(part, "FISCAL YEAR END"),
                )
            )
    return tuple(parties)


def _tagged_parties(text: str) -> tuple[SgmlParty, ...]:
    parties = []
    for match in re.finditer(r"<(FILER|ISSUER|REPORTING-OWNER|SUBJECT-COMPANY|FILED-BY)>(.*?)</\1>", text, re.DOTALL):
        cik = _tag(match[2], "CIK")
        if cik.isdigit():
            parties.append(
                SgmlParty(
                    match[1],
                    int(cik),
                    _tag(match[2], "CONFORMED-NAME"),
                    _tag(match[2], "ASSIGNED-SIC"),
                    _tag(match[2], "STATE-OF-INCORPORATION"),
                    _tag(match[2], "FISCAL-YEAR-END"),
                )
            )
    return tuple(parties)


def read_documents(data: bytes) -> tuple[SgmlDocument, ...]:
    """The documents of a complete submission, each as EDGAR serves it alone."""
    documents = []
    for match in _DOCUMENT.finditer(data):
        part = match[1]
        head, text, body = part.partition(b"<TEXT>")
        if not text:
            continue
        labels = head.decode("latin-1")
        documents.append(
            SgmlDocument(_tag(labels, "TYPE"), _tag(labels, "FILENAME"), _tag(labels, "DESCRIPTION"), _unwrapped(body))
        )
    return tuple(documents)


def envelope(accession: str, form: str, filed: dt.date, documents: Sequence[tuple[str, str, bytes]]) -> bytes | None:
    """A complete submission around ``documents`` (type, name, bytes), to which not a byte is added.

    One that was recorded with its own marks (``<DOCUMENT>``...) keeps them. None when there are no documents, or marks stand in
    the middle of one.
    """
    marked = [body.lstrip().startswith(b"<DOCUMENT>") for _, _, body in documents]
    plain = [body for (_, _, body), own in zip(documents, marked, strict=True) if not own]
    if not documents or any(b"<DOCUMENT>" in body or b"</TEXT>" in body for body in plain):
        return None
    day = f"{filed:%Y%m%d}"
    head = (
        f"<SEC-DOCUMENT>{accession}.txt : {day}\n<SEC-HEADER>{accession}.hdr.sgml : {day}\n"
        f"ACCESSION NUMBER:\t\t{accession}\nCONFORMED SUBMISSION TYPE:\t{form}\n"
        f"PUBLIC DOCUMENT COUNT:\t\t{len(documents)}\nFILED AS OF DATE:\t\t{day}\n</SEC-HEADER>\n"
    )
    parts = [head.encode()]
    for number, ((kind, name, body), own) in enumerate(zip(documents, marked, strict=True), 1):
        if own:
            parts += [body, b"\n"]
            continue
        labels = f"<DOCUMENT>\n<TYPE>{kind}\n<SEQUENCE>{number}\n<FILENAME>{name}\n<TEXT>\n"
        parts += [labels.encode(), body, b"</TEXT>\n</DOCUMENT>\n"]
    return b"".join([*parts, b"</SEC-DOCUMENT>\n"])


def _unwrapped(body: bytes) -> bytes:
    """The text of a document without the marks around it; binary files are decoded."""
    body = body.rpartition(b"</TEXT>")[0].lstrip(b"\r\n") if b"</TEXT>" in body else body.lstrip(b"\r\n")
    for name in _WRAPPERS:
        if body.startswith(b"<" + name + b">"):
            body = body[len(name) + 2 :].rpartition(b"</" + name + b">")[0].lstrip(b"\r\n")
    if re.match(rb"begin \d{3} ", body):
        return _uudecoded(body)
    return body


def _uudecoded(body: bytes) -> bytes:
    out = bytearray()
    for line in body.splitlines()[1:]:
        if line == b"end":
            break
        try:
            out += binascii.a2b_uu(line)
        except binascii.Error:
            # Lines with trailing garbage: as many bytes as the length mark promises.
            length = ((line[0] - 32) & 63) * 4 + 5
            out += binascii.a2b_uu(line[: length // 3])
    return bytes(out)


def own_name(data: bytes) -> str | None:
    """The file name that a recorded document carries itself: of its envelope, or the title that filing software sets."""
    head = data[:8000]
    match = _NAME.search(head)
    if match is not None:
        return match[1].decode("latin-1").strip()
    match = _TITLE.search(head)
    # Such a title is the name of the XBRL report: letters, a dash, the date.
    if match is not None and re.fullmatch(rb"[a-z0-9]+-\d{8}[a-z0-9_]*", match[1]):
        return f"{match[1].decode()}.htm"
    return None
