"""Answers about filings -> rows: submissions pages, the daily form index, and the documents themselves.

What does not belong here: what stands inside a document.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from salescience_pipeline.catalog.providers import PROVIDERS
from salescience_pipeline.clients.model import Answer
from salescience_pipeline.identifiers import Accession, Cik, FileName, InvalidIdentifier
from salescience_pipeline.tidy.amendments import Filed, base_form, is_amendment, link_amendments
from salescience_pipeline.tidy.companies import COMPANIES_TABLE, company_cik, company_record
from salescience_pipeline.tidy.model import Tidied, TidyContext
from salescience_pipeline.tidy.reading import (
    BadRecord,
    LeftOuts,
    body_of,
    contract,
    day,
    load_json,
    member,
    needed,
    shown,
    string,
    subject_of,
    whole,
    with_data,
)
from salescience_pipeline.tidy.rows import Rows, joined

FILINGS_TABLE = "core_sec__filings"
DOCUMENTS_TABLE = "core_sec__documents"

_ARCHIVES = f"{PROVIDERS['sec'].hosts['www']}/Archives"

_PARALLEL = (
    "accessionNumber",
    "filingDate",
    "reportDate",
    "acceptanceDateTime",
    "form",
    "items",
    "size",
    "isXBRL",
    "isInlineXBRL",
    "primaryDocument",
    "primaryDocDescription",
)
"""Columns of a submissions page that we read; SEC adds others from time to time, which is fine."""

_PAGE_PATH = re.compile(r"CIK([0-9]{10})(-submissions-[0-9]+)?\.json$", re.ASCII)
_RENDERING = re.compile(r"xsl[^/]*/", re.ASCII)
_UTC_STAMP = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?Z", re.ASCII)


def filing_url(cik: Cik, accession: Accession, document: str | None) -> str:
    """Address of a filing's document, or of the complete submission where the document is not known."""
    if document is None:
        return f"{_ARCHIVES}/edgar/data/{cik.unpadded}/{accession}.txt"
    return f"{_ARCHIVES}/edgar/data/{cik.unpadded}/{accession.nodash}/{quote(document)}"


def sec_submissions(answers: Sequence[Answer], context: TidyContext) -> Tidied:
    """The filings on a company's submissions page and its older pages, and the company's own record.

    A filing that stands on two pages becomes one row, from the newer page. Amendments are linked by
    :func:`~salescience_pipeline.tidy.amendments.link_amendments` among the filings of the same answers.

    Raises:
        Contract: when an answer is no submissions page, lacks one of the columns that we read, holds columns of unequal
            length, or is about another company than was asked for.
        TooLarge: when a body exceeds its cap.
    """
    account = LeftOuts(subject_of(answers))
    companies: dict[Cik, Rows] = {}
    filings: dict[tuple[Cik, Accession], tuple[Rows, dict[str, Any], Filed]] = {}
    parts = []
    pages = sorted((_page(answer) for answer in with_data(answers)), key=_newest_first)
    for answer, cik, page, company in pages:
        rows = Rows(FILINGS_TABLE, answer, context)
        parts.append(rows)
        if company is not None and cik not in companies:
            companies[cik] = Rows(COMPANIES_TABLE, answer, context)
            companies[cik].add(**company_record(answer, cik, company))
        for position, record in enumerate(_records(answer, page)):
            try:
                values, filed = _filing(cik, record)
            except (BadRecord, InvalidIdentifier) as error:
                account.add(f"filing {position + 1} ({shown(record['accessionNumber'])})", str(error).rstrip("."))
                continue
            key = (cik, filed.accession)
            if key in filings:
                account.add(f"filing {filed.accession}", "it already stands on a newer page")
            else:
                filings[key] = (rows, values, filed)
    amends = link_amendments([filed for _, _, filed in filings.values()])
    for (cik, accession), (rows, values, _) in filings.items():
        rows.add(**values, amends_accession=amends.get((cik, accession)))
    tables = {
        FILINGS_TABLE: joined(FILINGS_TABLE, parts),
        COMPANIES_TABLE: joined(COMPANIES_TABLE, companies.values()),
    }
    return Tidied(tables, account.done())


_Page = tuple[Answer, Cik, Mapping[str, Any], Mapping[str, Any] | None]


def _newest_first(page: _Page) -> tuple[bool, float, str]:
    answer, _, _, company = page
    return company is None, -answer.fetched_at.timestamp(), answer.request.path


def _page(answer: Answer) -> _Page:
    """The answer, whose filings it holds, its columns, and the company's record on the first page."""
    content = load_json(answer)
    if not isinstance(content, dict):
        raise contract(answer, "The answer is no submissions page.")
    asked = answer.request.subject.cik
    if "filings" not in content:
        match = _PAGE_PATH.search(answer.request.path)
        cik = asked or (Cik(match[1]) if match else None)
        if cik is None:
            raise contract(answer, "An older submissions page does not say whose it is.")
        return answer, cik, content, None
    cik = company_cik(answer, content)
    recent = member(answer, member(answer, content, "filings", dict), "recent", dict, "the filings")
    return answer, cik, recent, content


def _records(answer: Answer, page: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    columns = {name: member(answer, page, name, list, "the submissions page") for name in _PARALLEL}
    count = len(columns["accessionNumber"])
    for name, values in columns.items():
        if len(values) != count:
            raise contract(answer, f"The field '{name}' holds {len(values)} values for {count} filings.")
    # Only used to link amendments, so that its absence is no reason to refuse a page.
    numbers = page.get("fileNumber")
    known = isinstance(numbers, list) and len(numbers) == count
    columns["fileNumber"] = numbers if known and isinstance(numbers, list) else [None] * count
    for values in zip(*columns.values(), strict=True):
        yield dict(zip(columns, values, strict=True))


def _filing(cik: Cik, record: Mapping[str, Any]) -> tuple[dict[str, Any], Filed]:
    form = needed(string(record["form"], "form"), "form")
    accession = Accession(needed(string(record["accessionNumber"], "accessionNumber"), "accessionNumber"))
    items = string(record["items"], "items")
    document = _raw_document(string(record["primaryDocument"], "primaryDocument"))
    file_number = record["fileNumber"]
    filed = Filed(
        cik=cik,
        accession=accession,
        form=form,
        filing_date=needed(day(record["filingDate"], "filingDate"), "filingDate"),
        accepted_at=_utc(record["acceptanceDateTime"]),
        report_date=day(record["reportDate"], "reportDate"),
        items=tuple(item for part in items.split(",") if (item := part.strip())) if items else (),
        file_number=file_number if isinstance(file_number, str) and file_number else None,
    )
    values = {
        "cik": cik,
        "accession": accession,
        "form": form,
        "base_form": base_form(form),
        "is_amendment": is_amendment(form),
        "filing_date": filed.filing_date,
        "report_date": filed.report_date,
        "accepted_at": filed.accepted_at,
        "items": list(filed.items) or None,
        "primary_document": document,
        "primary_document_description": string(record["primaryDocDescription"], "primaryDocDescription"),
        "size": whole(record["size"], "size"),
        "is_xbrl": _flag(record["isXBRL"], "isXBRL"),
        "is_inline_xbrl": _flag(record["isInlineXBRL"], "isInlineXBRL"),
        "url": filing_url(cik, accession, document),
    }
    return values, filed


def _raw_document(name: str | None) -> FileName | None:
    """The main document's own name: a first segment such as ``xslF345X05/`` only asks for a rendering of it.

    A name that could leave the filing's folder is not kept; the complete submission holds the document all the same.
    """
    if name is None:
        return None
    try:
        return FileName(_RENDERING.sub("", name, count=1) if _RENDERING.match(name) else name)
    except InvalidIdentifier:
        return None


def _utc(value: object) -> dt.datetime | None:
    """``acceptanceDateTime``, which is true UTC (the SGML header's is Eastern time)."""
    text = string(value, "acceptanceDateTime")
    if text is None:
        return None
    if _UTC_STAMP.fullmatch(text):
        try:
            return dt.datetime.fromisoformat(text)
        except ValueError:
            pass
    raise BadRecord(f"acceptanceDateTime is {shown(text)} and no UTC time")


def _flag(value: object, name: str) -> bool | None:
    if value is None or isinstance(value, bool):
        return value
    if value in (0, 1):
        return bool(value)
    raise BadRecord(f"{name} is {shown(value)} and neither 0 nor 1")


_RULE = re.compile(r"-{20,}\s*", re.ASCII)
_INDEX_TAIL = re.compile(
    r"(?P<cik>[0-9]{1,10})\s+(?P<date>[0-9]{8}|[0-9]{4}-[0-9]{2}-[0-9]{2})"
    r"\s+(?P<file>edgar/data/[0-9]{1,10}/(?P<accession>[0-9]{10}-[0-9]{2}-[0-9]{6})\.txt)\s*$",
    re.ASCII,
)


def sec_daily_index(answers: Sequence[Answer], context: TidyContext) -> Tidied:
    """The filings of the watchlist's companies in a form index, one row per filing and filer.

    The watchlist's companies are those in ``context.known.ciks``, of the selected tickers where a selection is made.
    Filings of others are not "left out"; lines that cannot be read are, since nobody can say whose they are.
    Where the columns lie is read from the header row, not assumed.

    Raises:
        Contract: when an answer has no header row of a form index over a dashed rule.
        TooLarge: when a body exceeds its cap.
    """
    account = LeftOuts(subject_of(answers))
    selected = context.selection.tickers or tuple(context.known.ciks)
    followed = {context.known.ciks[ticker] for ticker in selected if ticker in context.known.ciks}
    seen: set[tuple[str, str]] = set()
    parts = []
    for answer in with_data(answers):
        rows = Rows(FILINGS_TABLE, answer, context)
        parts.append(rows)
        for number, line, name_at in _index_lines(answer):
            try:
                values = _index_row(line, name_at)
            except (BadRecord, InvalidIdentifier) as error:
                account.add(f"line {number}", str(error).rstrip("."))
                continue
            key = (values["cik"], values["accession"])
            if values["cik"] not in followed:
                continue
            if key in seen:
                account.add(f"line {number}", "another line holds the same filing and filer")
                continue
            seen.add(key)
            rows.add(**values)
    return Tidied({FILINGS_TABLE: joined(FILINGS_TABLE, parts)}, account.done())


def _index_lines(answer: Answer) -> Iterator[tuple[int, str, int]]:
    """The lines below the rule, numbered from 1, with the column in which the company's name starts."""
    lines = body_of(answer).decode("utf-8", "replace").split("\n")
    rule = next((index for index, line in enumerate(lines[:40]) if _RULE.fullmatch(line)), None)
    header = lines[rule - 1] if rule else ""
    places = [header.find(name) for name in ("Form Type", "Company Name", "CIK", "Date Filed", "File Name")]
    if rule is None or -1 in places or places != sorted(places):
        raise contract(answer, "The answer has no header of a form index.")
    for number, line in enumerate(lines[rule + 1 :], rule + 2):
        if line.strip():
            yield number, line, places[1]


def _index_row(line: str, name_at: int) -> dict[str, Any]:
    """One line as a row; the last three columns hold no blanks, so they are found from the right."""
    form = line[:name_at].strip()
    tail = _INDEX_TAIL.search(line, name_at)
    if not form or tail is None or not line[tail.start() - 1].isspace():
        raise BadRecord(f"{shown(line.strip())} is no line of a form index")
    cik, accession = Cik(tail["cik"]), Accession(tail["accession"])
    digits = tail["date"].replace("-", "")
    return {
        "cik": cik,
        "accession": accession,
        "form": form,
        "base_form": base_form(form),
        "is_amendment": is_amendment(form),
        "filing_date": day(f"{digits[:4]}-{digits[4:6]}-{digits[6:]}", "Date Filed"),
        "url": f"{_ARCHIVES}/{tail['file']}",
    }


_DOCUMENT_PATH = re.compile(r"/Archives/edgar/data/([0-9]{1,10})/(?:([0-9]{18})/)?([^/]+)$", re.ASCII)


def sec_documents(answers: Sequence[Answer], context: TidyContext) -> Tidied:
    """One row per document that arrived: what it is, how large, and where the archive keeps it.

    The document's place in the filing is what the request says (``accession``, ``cik`` and the details ``form``,
    ``filename``, ``document_type``, ``sequence`` of its subject), for a file name or a CIK also its address.

    Raises:
        Contract: when a request does not say which filing its document belongs to.
    """
    account = LeftOuts(subject_of(answers))
    seen: set[tuple[str, str]] = set()
    parts = []
    for answer in sorted(with_data(answers), key=lambda answer: answer.fetched_at, reverse=True):
        rows = Rows(DOCUMENTS_TABLE, answer, context)
        values = _document(answer)
        key = (values["accession"], values["filename"])
        if not answer.body.size:
            account.add(f"document {key[1]} of {key[0]}", "it is empty")
        elif key in seen:
            account.add(f"document {key[1]} of {key[0]}", "a later answer holds it")
        else:
            seen.add(key)
            rows.add(**values)
        parts.append(rows)
    return Tidied({DOCUMENTS_TABLE: joined(DOCUMENTS_TABLE, parts)}, account.done())


def _document(answer: Answer) -> dict[str, Any]:
    subject = answer.request.subject
    path = _DOCUMENT_PATH.search(answer.request.path)
    try:
        filename = FileName(subject.details.get("filename") or (path[3] if path else ""))
        cik = subject.cik or Cik(path[1] if path else "")
        accession = subject.accession or Accession((path[2] if path else None) or filename.removesuffix(".txt"))
        sequence = subject.details.get("sequence")
        sought = "exhibits" in subject.details
        return {
            "accession": accession,
            "filename": filename,
            "cik": cik,
            "form": subject.details["form"],
            "document_type": subject.details.get("document_type"),
            "sequence": int(sequence) if sequence else None,
            "sha256": answer.ref.sha256,
            "bytes": answer.body.size,
            "archive_path": answer.ref.path,
            "submission_sha256": subject.details.get("submission_sha256"),
            "is_exhibits_sought": sought,
            "url": answer.request.canonical_url,
        }
    except (InvalidIdentifier, KeyError, ValueError) as error:
        raise contract(answer, "The request does not say which document of which filing it is about.") from error
