"""SEC EDGAR's wire format: its addresses, its calendar and what its answers mean.

Sources: SEC's pages on EDGAR's interfaces and on access to its data (sec.gov/search-filings), and recorded answers.
What does not belong here: which requests a selection needs (``edgar``), sending them (``transport``).
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from functools import lru_cache
from urllib.parse import quote

from salescience_pipeline.catalog.providers import PROVIDERS
from salescience_pipeline.clients.classify import Dialect, Reply, Verdict, by_shape, by_status
from salescience_pipeline.clients.model import AnswerClass, PlannedRequest, Subject
from salescience_pipeline.identifiers import Accession, Cik, FileName

DOCUMENT_MAX_BYTES = 500_000_000
"""Cap on one filed document; whole submissions reach hundreds of megabytes."""
_BLOCK_TITLE = re.compile(rb"(?is)<title>[^<]*(request rate threshold exceeded|undeclared automated tool)")
_MISSING_OBJECT = re.compile(rb"(?s)^\s*(?:<\?xml[^>]*\?>)?\s*<Error>\s*<Code>(?:NoSuchKey|AccessDenied)</Code>")
_INDEX_GRACE = dt.timedelta(days=7)
"""A daily index that is still missing after a week will not come: EDGAR was closed on that day."""
_EXPECT = {"htm": "html", "html": "html", "xml": "xml", "txt": "text", "json": "json", "zip": "zip"}


def _headers(contact: str | None) -> Mapping[str, str]:
    # SEC asks for exactly this: a company and a contact, and compressed transfer.
    return {"User-Agent": contact or "", "Accept-Encoding": "gzip, deflate"}


def classify(reply: Reply) -> Verdict:
    """What an answer of EDGAR means: 403 has three meanings, told apart by content type (providers.md 2.1)."""
    status = reply.status
    if reply.is_html and (status in {403, 429} or (reply.body.size < 50_000 and _BLOCK_TITLE.search(reply.head))):
        return Verdict(
            AnswerClass.BLOCKED,
            "shut us out with its block page (too many requests, or a User-Agent without a contact)",
            reply.received_at + dt.timedelta(seconds=PROVIDERS["sec"].block_seconds),
        )
    if status == 404 or (status == 403 and _MISSING_OBJECT.match(reply.head)):
        return _missing(reply)
    verdict = by_status(reply) or by_shape(reply)
    if verdict.answer_class is AnswerClass.OK and not _has_shape(reply):
        return Verdict(AnswerClass.CONTRACT, "sent an answer without its documented shape")
    return verdict


def _missing(reply: Reply) -> Verdict:
    """An object that is not in SEC's store."""
    request = reply.request
    if request.endpoint in {"companyfacts", "companyconcept", "frames"}:
        return Verdict(AnswerClass.OK_EMPTY, "holds no such figures")
    if request.endpoint != "daily_index" or request.first_date is None:
        if request.subject.key == "*":
            # A list of the whole market cannot be unknown: the address is wrong.
            return Verdict(AnswerClass.CONTRACT, "has nothing at the documented address")
        return Verdict(AnswerClass.NOT_FOUND, "does not know it")
    if not is_business_day(request.first_date):
        return Verdict(AnswerClass.OK_EMPTY, f"was closed on {request.first_date}")
    if reply.received_at.date() - request.first_date > _INDEX_GRACE:
        return Verdict(AnswerClass.OK_EMPTY, f"never made an index of {request.first_date}")
    return Verdict(
        AnswerClass.TRANSIENT,
        f"has not made the index of {request.first_date} yet",
        reply.received_at + dt.timedelta(hours=1),
        healthy=True,
    )


_KEYS: dict[str, frozenset[str]] = {
    "company_tickers": frozenset({"fields", "data"}),
    "submissions": frozenset({"cik", "filings"}),
    "submissions_page": frozenset({"accessionNumber", "filingDate", "form"}),
    "companyfacts": frozenset({"cik", "facts"}),
    "companyconcept": frozenset({"cik", "units"}),
    "frames": frozenset({"data"}),
    "folder": frozenset({"directory"}),
    "search": frozenset({"hits"}),
}


def _has_shape(reply: Reply) -> bool:
    keys = _KEYS.get(reply.request.endpoint)
    if keys is not None:
        return isinstance(reply.parsed, dict) and keys <= reply.parsed.keys()
    if reply.request.endpoint == "daily_index":
        return re.search(rb"(?m)^-{20,}\s*$", reply.head) is not None
    # An error object of the store behind www.sec.gov is never a document.
    return not _MISSING_OBJECT.match(reply.head)


DIALECT = Dialect(provider="sec", headers=_headers, classify=classify, needs_credential=True)


def is_business_day(day: dt.date) -> bool:
    """Whether EDGAR takes filings on ``day``: Monday to Friday, federal holidays excepted.

    The exchange calendar does not serve here: EDGAR works on Good Friday and rests on Columbus and Veterans Day.
    """
    return day.weekday() < 5 and day not in _federal_holidays(day.year) and day not in _federal_holidays(day.year + 1)


@lru_cache(maxsize=64)
def _federal_holidays(year: int) -> frozenset[dt.date]:
    """The days off of the federal government in ``year`` (5 U.S.C. 6103), as observed; New Year's may fall before."""

    def nth(month: int, weekday: int, n: int) -> dt.date:
        first = dt.date(year, month, 1)
        return first + dt.timedelta(days=(weekday - first.weekday()) % 7 + 7 * (n - 1))

    fixed = [(1, 1), (7, 4), (11, 11), (12, 25), *([(6, 19)] if year >= 2021 else [])]
    days = {_observed(dt.date(year, month, day)) for month, day in fixed}
    last_monday_of_may = nth(6, 0, 1) - dt.timedelta(days=7)
    moving = {nth(1, 0, 3), nth(2, 0, 3), last_monday_of_may, nth(9, 0, 1), nth(10, 0, 2), nth(11, 3, 4)}
    return frozenset(days | moving)


def _observed(day: dt.date) -> dt.date:
    """Saturday is observed on Friday, Sunday on Monday."""
    return day + dt.timedelta(days={5: -1, 6: 1}.get(day.weekday(), 0))


def base_form(form: str) -> str:
    """The form type without the amendment suffix."""
    return form.removesuffix("/A")


def company_tickers() -> PlannedRequest:
    """SEC's list of tickers, companies and exchanges."""
    return PlannedRequest(
        "sec", "company_tickers", "www", "/files/company_tickers_exchange.json", Subject("*"), conditional=True
    )


def submissions(cik: Cik, subject: Subject, first_date: dt.date | None, last_date: dt.date | None) -> PlannedRequest:
    """A company's newest filings (at least a year or 1,000 of them) and the names of its older pages."""
    path = f"/submissions/CIK{cik}.json"
    return PlannedRequest("sec", "submissions", "data", path, subject, first_date=first_date, last_date=last_date)


def daily_index(day: dt.date) -> PlannedRequest:
    """The form index of one business day: a row per filing and filer."""
    quarter = (day.month + 2) // 3
    path = f"/Archives/edgar/daily-index/{day.year}/QTR{quarter}/form.{day:%Y%m%d}.idx"
    subject = Subject("*", details={"date": day.isoformat()})
    return PlannedRequest(
        "sec", "daily_index", "www", path, subject, first_date=day, last_date=day, conditional=True, expect="text"
    )


def company_facts(cik: Cik, subject: Subject) -> PlannedRequest:
    """Every XBRL figure of a company."""
    path = f"/api/xbrl/companyfacts/CIK{cik}.json"
    return PlannedRequest("sec", "companyfacts", "data", path, subject, max_bytes=256_000_000)


def company_concept(cik: Cik, taxonomy: str, tag: str) -> PlannedRequest:
    """One concept of one company."""
    path = f"/api/xbrl/companyconcept/CIK{cik}/{quote(taxonomy, safe='')}/{quote(tag, safe='')}.json"
    return PlannedRequest("sec", "companyconcept", "data", path, Subject(cik, cik=cik))


def frame(taxonomy: str, tag: str, unit: str, period: str) -> PlannedRequest:
    """One concept of all companies in one ``period`` (``CY2024``, ``CY2024Q1``, ``CY2024Q1I``)."""
    spelled = (quote(part, safe="") for part in (taxonomy, tag, unit.replace("/", "-per-"), period))
    return PlannedRequest("sec", "frames", "data", f"/api/xbrl/frames/{'/'.join(spelled)}.json", Subject("*"))


def folder_index(cik: Cik, accession: Accession) -> PlannedRequest:
    """The list of a filing's files."""
    path = f"/Archives/edgar/data/{cik.unpadded}/{accession.nodash}/index.json"
    return PlannedRequest("sec", "folder", "www", path, Subject(accession, cik=cik, accession=accession))


def full_submission(cik: Cik, accession: Accession, subject: Subject | None = None) -> PlannedRequest:
    """A filing with all its documents in one SGML text."""
    return PlannedRequest(
        "sec",
        "full_submission",
        "www",
        f"/Archives/edgar/data/{cik.unpadded}/{accession.nodash}/{accession}.txt",
        subject or Subject(accession, cik=cik, accession=accession),
        immutable=True,
        conditional=True,
        expect="text",
        max_bytes=DOCUMENT_MAX_BYTES,
    )


def document(cik: Cik, accession: Accession, filename: FileName, subject: Subject) -> PlannedRequest:
    """One file of a filing; filed documents never change."""
    return PlannedRequest(
        "sec",
        "document",
        "www",
        f"/Archives/edgar/data/{cik.unpadded}/{accession.nodash}/{quote(filename)}",
        subject,
        immutable=True,
        expect=_EXPECT.get(filename.rpartition(".")[2].lower(), "any"),
        max_bytes=DOCUMENT_MAX_BYTES,
    )


def current_filings(form: str = "", start: int = 0, count: int = 100) -> PlannedRequest:
    """The feed of the newest filings; ``form`` is a prefix, and pages end with a 503 after 5,100 entries."""
    params = {
        "action": "getcurrent",
        "type": form,
        "count": count,
        "start": start,
        "owner": "include",
        "output": "atom",
    }
    return PlannedRequest(
        "sec",
        "getcurrent",
        "www",
        "/cgi-bin/browse-edgar",
        Subject("*"),
        params=tuple((name, str(value)) for name, value in params.items()),
        expect="xml",
    )
