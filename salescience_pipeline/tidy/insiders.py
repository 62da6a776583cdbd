"""SEC ownership forms (3, 4, 5 and their amendments) -> rows: one per line of the form and reporting owner.

The XML stands alone or inside a complete submission. What does not belong here: other forms (a Form 144 is refused),
and joining an amendment to what it replaces.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lxml import etree

from salescience_pipeline.catalog.symbols import to_canonical
from salescience_pipeline.clients.model import Answer
from salescience_pipeline.identifiers import Accession, Cik, InvalidIdentifier, Ticker
from salescience_pipeline.tidy.model import Tidied, TidyContext
from salescience_pipeline.tidy.reading import (
    BadRecord,
    LeftOuts,
    body_of,
    contract,
    day,
    decimal,
    needed,
    shown,
    subject_of,
    too_large,
    with_data,
)
from salescience_pipeline.tidy.rows import Rows, joined
from salescience_pipeline.tidy.safe_xml import MAX_XML_BYTES, UnsafeXml, parse_xml

INSIDERS_TABLE = "core_sec__insider_transactions"

MAX_LINES = 20_000
"""Lines times owners of one form; the largest ones have a few hundred."""

_TABLES = (("ND", "nonDerivative"), ("D", "derivative"))
_FORMS = frozenset({"3", "4", "5", "3/A", "4/A", "5/A"})
_NO_SYMBOL = frozenset({"NONE", "N/A", "NA", "N.A.", "NONE."})
_SUBMISSION = re.compile(rb"\s*(<SEC-DOCUMENT>|<IMS-DOCUMENT>|<SUBMISSION>|-----BEGIN PRIVACY)")
_HEADER_ACCESSION = re.compile(rb"(?:ACCESSION NUMBER:\s*|<ACCESSION-NUMBER>)([0-9]{10}-[0-9]{2}-[0-9]{6})")
_HEADER_FILED = re.compile(rb"(?:FILED AS OF DATE:\s*|<FILING-DATE>)([0-9]{4})([0-9]{2})([0-9]{2})")
_XML_DATE = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})(Z|[+-][0-9]{2}:[0-9]{2})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class _Form:
    """What every line of one form shares."""

    accession: Accession
    form: str
    filing_date: dt.date | None
    issuer_cik: Cik
    ticker: Ticker | None
    footnotes: Mapping[str, str]


def sec_ownership(answers: Sequence[Answer], context: TidyContext) -> Tidied:
    """One row per line and reporting owner of each form: transactions and holdings, of both tables.

    A form with several owners repeats its lines for each, since each of them reports them all. A form without a line
    (nothing owned) gives no row. Numbers that the form explains in a footnote only are null; the footnotes that a line
    refers to stand in ``footnotes``. A line or an owner that cannot be read is left out, once per row it would have been.

    Raises:
        Contract: when an answer holds no ownership form, a document type (entity bombs need one), no issuer or no owner,
            or does not say which filing it is.
        TooLarge: when the form, or its number of lines, exceeds the cap.
    """
    account = LeftOuts(subject_of(answers))
    seen: set[Accession] = set()
    parts = []
    for answer in sorted(with_data(answers), key=lambda answer: answer.fetched_at, reverse=True):
        rows = Rows(INSIDERS_TABLE, answer, context)
        _add_form(answer, rows, seen, account)
        parts.append(rows)
    return Tidied({INSIDERS_TABLE: joined(INSIDERS_TABLE, parts)}, account.done())


def _add_form(answer: Answer, rows: Rows, seen: set[Accession], account: LeftOuts) -> None:
    body = body_of(answer)
    root = _ownership_document(answer, body)
    form = _form(answer, body, root)
    elements = root.findall("reportingOwner")
    lines = list(_lines(root))
    count = len(elements) * len(lines)
    if not elements:
        raise contract(answer, "The ownership form names no reporting owner.")
    if count > MAX_LINES:
        raise too_large(answer, f"The ownership form has {count} lines and owners and {MAX_LINES} are allowed.")
    if form.accession in seen:
        account.add(f"form {form.accession}", "a later answer holds the form", count)
        return
    seen.add(form.accession)
    owners = _owners(answer, elements, len(lines), account)
    for table, line_no, line in lines:
        try:
            values = _line(line, form.footnotes)
        except BadRecord as error:
            account.add(f"line {table} {line_no} of {form.accession}", str(error), len(owners))
            continue
        for owner in owners:
            rows.add(
                accession=form.accession,
                transaction_table=table,
                line_no=line_no,
                form=form.form,
                filing_date=form.filing_date,
                issuer_cik=form.issuer_cik,
                ticker=form.ticker,
                **owner,
                **values,
            )


def _owners(
    answer: Answer, elements: Sequence[etree._Element], lines: int, account: LeftOuts
) -> Sequence[Mapping[str, Any]]:
    """The owners that can be read; one that cannot takes its ``lines`` rows with it."""
    owners: dict[Cik, Mapping[str, Any]] = {}
    for position, element in enumerate(elements):
        try:
            owner = _owner(element)
        except BadRecord as error:
            account.add(f"owner {position + 1}", str(error), lines)
            continue
        if owner["owner_cik"] in owners:
            raise contract(answer, "The ownership form names one reporting owner twice.")
        owners[owner["owner_cik"]] = owner
    return list(owners.values())


def _ownership_document(answer: Answer, body: bytes) -> etree._Element:
    """The root of the form's XML, taken out of the complete submission where the answer is one."""
    candidates = _embedded(body) if _SUBMISSION.match(body) else [body]
    for candidate in candidates:
        document = candidate.strip()
        if len(document) > MAX_XML_BYTES:
            raise too_large(answer, f"The ownership form holds {len(document)} bytes and {MAX_XML_BYTES} are allowed.")
        try:
            root = parse_xml(document)
        except UnsafeXml as error:
            raise contract(answer, str(error)) from error
        if root.tag == "ownershipDocument":
            return root
    raise contract(answer, "The answer holds no ownership form.")


def _embedded(body: bytes) -> Iterator[bytes]:
    """What stands between the XML tags of a submission; in one pass, however many tags are never closed."""
    folded = body.upper()
    end = 0
    while (start := folded.find(b"<XML>", end)) >= 0 and (end := folded.find(b"</XML>", start)) >= 0:
        yield body[start + len(b"<XML>") : end]


def _form(answer: Answer, body: bytes, root: etree._Element) -> _Form:
    subject = answer.request.subject
    head = body.partition(b"<DOCUMENT>")[0] if _SUBMISSION.match(body) else b""
    header_accession, header_filed = _HEADER_ACCESSION.search(head), _HEADER_FILED.search(head)
    kind = _text(root, "documentType")
    if kind not in _FORMS:
        raise contract(answer, f"The form is {shown(kind)} and no ownership form.")
    try:
        named = Accession(header_accession[1].decode()) if header_accession else None
        accession = subject.accession or named
        issuer_cik = Cik(_text(root, "issuer/issuerCik") or "")
        filed = b"-".join(header_filed.groups()).decode() if header_filed else None
        filing_date = day(filed or subject.details.get("filing_date"), "the filing date")
    except (InvalidIdentifier, BadRecord) as error:
        raise contract(answer, f"The ownership form's head cannot be read: {str(error).rstrip('.')}.") from error
    if accession is None:
        raise contract(answer, "The ownership form does not say which filing it is.")
    if named is not None and named != accession:
        raise contract(answer, f"The answer is filing {named} and not {accession}.")
    symbol = _symbol(_text(root, "issuer/issuerTradingSymbol"))
    if symbol is None and subject.cik == issuer_cik:
        symbol = subject.ticker
    footnotes = {
        str(note.get("id")): " ".join("".join(map(str, note.itertext())).split())
        for note in root.iterfind("footnotes/footnote")
    }
    return _Form(accession, kind, filing_date, issuer_cik, symbol, footnotes)


def _symbol(text: str | None) -> Ticker | None:
    """The issuer's symbol; filers write "NONE" where there is none, and all sorts of things that are no symbol."""
    if text is None or text.upper() in _NO_SYMBOL:
        return None
    try:
        return to_canonical("sec", text)
    except InvalidIdentifier:
        return None


def _owner(element: etree._Element) -> dict[str, Any]:
    try:
        cik = Cik(_text(element, "reportingOwnerId/rptOwnerCik") or "")
    except InvalidIdentifier as error:
        raise BadRecord(str(error).rstrip(".")) from error
    relation = "reportingOwnerRelationship"
    return {
        "owner_cik": cik,
        "owner_name": needed(_text(element, "reportingOwnerId/rptOwnerName"), "rptOwnerName"),
        "is_director": _flag(element, f"{relation}/isDirector"),
        "is_officer": _flag(element, f"{relation}/isOfficer"),
        "is_ten_percent_owner": _flag(element, f"{relation}/isTenPercentOwner"),
        "officer_title": _text(element, f"{relation}/officerTitle"),
    }


def _lines(root: etree._Element) -> Iterator[tuple[str, int, etree._Element]]:
    """Table, position in it from 1, and element of every line, in the form's order."""
    for table, prefix in _TABLES:
        kinds = {f"{prefix}Transaction", f"{prefix}Holding"}
        found = (line for part in root.iterfind(f"{prefix}Table") for line in part if line.tag in kinds)
        for position, line in enumerate(found):
            yield table, position + 1, line


def _line(line: etree._Element, footnotes: Mapping[str, str]) -> dict[str, Any]:
    amounts, after, underlying = "transactionAmounts", "postTransactionAmounts", "underlyingSecurity"
    noted = dict.fromkeys(str(note.get("id")) for note in line.iter("footnoteId"))
    return {
        "is_holding": str(line.tag).endswith("Holding"),
        "security_title": _value(line, "securityTitle"),
        "trans_date": _date(line, "transactionDate"),
        "trans_code": _text(line, "transactionCoding/transactionCode"),
        "shares": _number(line, f"{amounts}/transactionShares"),
        "price": _number(line, f"{amounts}/transactionPricePerShare"),
        "acquired_disposed": _value(line, f"{amounts}/transactionAcquiredDisposedCode"),
        "shares_after": _number(line, f"{after}/sharesOwnedFollowingTransaction"),
        "ownership": _value(line, "ownershipNature/directOrIndirectOwnership"),
        "underlying_title": _value(line, f"{underlying}/underlyingSecurityTitle"),
        "underlying_shares": _number(line, f"{underlying}/underlyingSecurityShares"),
        "exercise_price": _number(line, "conversionOrExercisePrice"),
        "exercise_date": _date(line, "exerciseDate"),
        "expiration_date": _date(line, "expirationDate"),
        "footnotes": [f"{note}: {footnotes[note]}" if note in footnotes else note for note in noted],
    }


def _text(element: etree._Element, path: str) -> str | None:
    """The text at ``path``, stripped; None where it is missing or empty."""
    return (element.findtext(path) or "").strip() or None


def _value(element: etree._Element, path: str) -> str | None:
    """The wrapped text at ``path``; None where there is only a footnote."""
    return _text(element, f"{path}/value")


def _number(element: etree._Element, path: str) -> float | None:
    return decimal(_value(element, path), path.rpartition("/")[2])


def _date(element: etree._Element, path: str) -> dt.date | None:
    """A date of XML Schema, which may carry a time zone; the day is meant, so the zone is dropped."""
    text = _value(element, path)
    match = _XML_DATE.fullmatch(text) if text else None
    return day(match[1] if match else text, path)


def _flag(element: etree._Element, path: str) -> bool | None:
    """``0``, ``1``, ``true`` or ``false``; None where the form is silent."""
    text = _text(element, path)
    flags = {"1": True, "true": True, "0": False, "false": False}
    if text is None:
        return None
    if text.lower() not in flags:
        raise BadRecord(f"{path.rpartition('/')[2]} is {shown(text)} and neither true nor false")
    return flags[text.lower()]
