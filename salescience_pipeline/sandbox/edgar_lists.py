"""The lists of ``www.sec.gov``: index files by day and quarter, the feed of current filings, full-text search.

Pure functions over a cabinet. What does not belong here: HTTP, and the JSON of ``data.sec.gov`` (``edgar_data``).
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from salescience_pipeline.fiction.filings import Cabinet
from salescience_pipeline.fiction.sec_calendar import eastern, is_business_day, previous_business_day, quarter_days
from salescience_pipeline.fiction.sgml import Filing, Party

KINDS = ("form", "company", "master")
"""The orders in which an index is published."""

FEED_CAP = 5100
"""Entries after which the feed of current filings answers 503 (measured on the real one)."""

SEARCH_CAP = 10_000
"""Hits after which the search only says "at least"."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of an index: EDGAR lists a filing once under each of its parties."""

    filing: Filing
    party: Party

    @property
    def path(self) -> str:
        """File name as indexes give it."""
        return f"edgar/data/{self.party.cik}/{self.filing.accession}.txt"


def entries(cabinet: Cabinet, first: dt.date, last: dt.date) -> list[Entry]:
    """All rows with a filing date from ``first`` to ``last``, both included."""
    rows = [Entry(filing, party) for filing in cabinet.between(first, last) for party in filing.parties]
    rows.sort(key=lambda entry: (entry.filing.form, entry.party.name, entry.filing.accession))
    return rows


def index_file(rows: Sequence[Entry], kind: str, last: dt.date, *, daily: bool) -> str:
    """An index file.

    Args:
        rows: its entries.
        kind: ``form``, ``company`` or ``master``.
        last: the day in its head.
        daily: whether dates are written without dashes, as daily files do.
    """
    by = {"form": " by Form Type", "company": " by Company Name", "master": ""}[kind]
    sort = "Daily" if daily else "Master"
    months = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
    head = (
        f"Description:           {sort} Index of EDGAR Dissemination Feed{by}\n"
        f"Last Data Received:    {months[last.month - 1]} {last:%d, %Y}\n"
        "Comments:              fictional filings of the sandbox\nAnonymous FTP:         none\n"
    )

    def day(entry: Entry) -> str:
        return f"{entry.filing.filed:%Y%m%d}" if daily else entry.filing.filed.isoformat()

    if kind == "master":
        ordered = sorted(rows, key=lambda e: (str(e.party.cik), e.filing.form, e.filing.accession))
        lines = [f"{e.party.cik}|{e.party.name}|{e.filing.form}|{day(e)}|{e.path}" for e in ordered]
        return f"{head}\nCIK|Company Name|Form Type|Date Filed|File Name\n{'-' * 80}\n" + "".join(
            f"{x}\n" for x in lines
        )
    if kind == "company":
        ordered = sorted(rows, key=lambda e: (e.party.name, e.filing.form, e.filing.accession))
        title = f"{'Company Name':<62}{'Form Type':<12}"
        lines = [f"{e.party.name[:60]:<62}{e.filing.form:<12}" for e in ordered]
    else:
        ordered = list(rows)
        title = f"{'Form Type':<12}{'Company Name':<62}"
        lines = [f"{e.filing.form:<12}{e.party.name[:60]:<62}" for e in ordered]
    tail = [f"{e.party.cik:<12}{day(e):<12}{e.path:<52}" for e in ordered]
    body = "".join(f"{left}{right}\n" for left, right in zip(lines, tail, strict=True))
    return f"{head} \n \n \n \n{title}{'CIK':<12}{'Date Filed':<12}File Name\n{'-' * 141}\n{body}"


def daily_days(cabinet: Cabinet, year: int, number: int) -> list[dt.date]:
    """The days of a quarter that have a daily index: business days whose index has been made."""
    first, last = quarter_days(year, number)
    newest = min(last, previous_business_day(cabinet.world.today))
    days = (first + dt.timedelta(days=n) for n in range((newest - first).days + 1))
    return [day for day in days if is_business_day(day)]


def folder(name: str, files: Iterable[tuple[str, int, dt.datetime]], parent: str) -> dict[str, Any]:
    """``index.json`` of a folder of index files: (name, bytes, time) of each."""
    items = [
        {
            "last-modified": f"{when:%m/%d/%Y %I:%M:%S %p}",
            "name": file,
            "type": "file",
            "href": file,
            "size": f"{size // 1024 + 1} KB",
        }
        for file, size, when in files
    ]
    return {"directory": {"item": items, "name": name, "parent-dir": parent}}


# -- current filings ----------------------------------------------------------------------------------------------------

_ROLES = {"REPORTING-OWNER": "Reporting", "ISSUER": "Issuer", "SUBJECT COMPANY": "Subject", "FILER": "Filer"}


def current_feed(cabinet: Cabinet, form: str, owner: str, start: int, count: int, now: dt.datetime) -> str | None:
    """A page of the feed, newest first; ``None`` behind its end or its cap.

    Args:
        cabinet: the filings.
        form: wanted form; every form that begins with it is given, as on the real feed.
        owner: ``include``, ``exclude`` or ``only`` ownership forms.
        start: entries to skip.
        count: entries of a page.
        now: the moment shown in the head, aware.
    """
    # About two business days are shown; over a long weekend that reaches further back.
    last = cabinet.world.today
    first = previous_business_day(previous_business_day(last))
    rows = entries(cabinet, first, last)
    ownership = {"3", "3/A", "4", "4/A", "5", "5/A"}
    rows = [e for e in rows if e.filing.form.startswith(form)]
    if owner == "exclude":
        rows = [e for e in rows if e.filing.form not in ownership]
    elif owner == "only":
        rows = [e for e in rows if e.filing.form in ownership]
    rows.sort(key=lambda e: (e.filing.accepted, e.filing.accession), reverse=True)
    rows = rows[:FEED_CAP]
    if start and start >= len(rows):
        return None
    local = now.astimezone(eastern(now.date(), dt.time(12)).tzinfo)
    stamp = local.isoformat(timespec="seconds")
    days = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
    parts = [
        '<?xml version="1.0" encoding="ISO-8859-1" ?>\n<feed xmlns="http://www.w3.org/2005/Atom">\n'
        f"<title>Latest Filings - {days[local.weekday()]}, {local:%d %b %Y %H:%M:%S %Z}</title>\n"
        '<link rel="alternate" href="/cgi-bin/browse-edgar?action=getcurrent"/>\n'
        '<link rel="self" href="/cgi-bin/browse-edgar?action=getcurrent"/>\n'
        "<id>https://www.sec.gov/cgi-bin/browse-edgar?action=getcurrent</id>\n"
        "<author><name>Sandbox</name><email>sandbox@example.com</email></author>\n"
        f"<updated>{stamp}</updated>\n"
    ]
    parts += [_feed_entry(cabinet, entry) for entry in rows[start : start + count]]
    parts.append("</feed>\n")
    return "".join(parts)


def _feed_entry(cabinet: Cabinet, entry: Entry) -> str:
    filing, party = entry.filing, entry.party
    size = cabinet.size(filing)
    shown = f"{size // 1024} KB" if size < 1_000_000 else f"{size // 1_048_576} MB"
    link = f"https://www.sec.gov/Archives/edgar/data/{party.cik}/{filing.folder}/{filing.accession}-index.htm"
    return (
        f"<entry>\n<title>{filing.form} - {escape(party.name)} ({party.cik:010d}) ({_ROLES[party.role]})</title>\n"
        f'<link rel="alternate" type="text/html" href="{link}"/>\n<summary type="html">\n'
        f" &lt;b&gt;Filed:&lt;/b&gt; {filing.filed} &lt;b&gt;AccNo:&lt;/b&gt; {filing.accession}"
        f" &lt;b&gt;Size:&lt;/b&gt; {shown}\n</summary>\n<updated>{filing.accepted.isoformat(timespec='seconds')}</updated>\n"
        f'<category scheme="https://www.sec.gov/" label="form type" term="{filing.form}"/>\n'
        f"<id>urn:tag:sec.gov,2008:accession-number={filing.accession}</id>\n</entry>\n"
    )


# -- full-text search ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Search:
    """A question to the full-text search."""

    words: tuple[str, ...] = ()
    """Lower case; each must occur in the document."""
    forms: frozenset[str] = frozenset()
    ciks: frozenset[int] = frozenset()
    first: dt.date = dt.date(2001, 1, 1)
    last: dt.date = dt.date.max
    items: frozenset[str] = frozenset()
    start: int = 0


def search(cabinet: Cabinet, wanted: Search) -> dict[str, Any]:
    """The answer of the search; hits are documents, a hundred to a page."""
    hits: list[tuple[Filing, str]] = []
    for company in cabinet.world.all:
        for filing in cabinet.of(company).all:
            if _fits(filing, wanted):
                hits.extend((filing, name) for name in _matching(cabinet, filing, wanted.words))
    hits.sort(key=lambda hit: (hit[0].filed, hit[0].accession, hit[1]), reverse=True)
    total = len(hits)
    page = [_hit(cabinet, filing, name) for filing, name in hits[wanted.start : wanted.start + 100]]
    filings = [filing for filing, _ in hits]
    return {
        "took": 5,
        "timed_out": False,
        "_shards": {"total": 50, "successful": 50, "skipped": 0, "failed": 0},
        "hits": {
            "total": {"value": min(total, SEARCH_CAP), "relation": "gte" if total > SEARCH_CAP else "eq"},
            "max_score": 1.0 if total else None,
            "hits": page,
        },
        "aggregations": {
            "entity_filter": _buckets(name for f in filings for name in _names(cabinet, f)),
            "sic_filter": _buckets(sic for f in filings for sic in _sics(f)),
            "biz_states_filter": _buckets(state for f in filings for state in _states(f)),
            "form_filter": _buckets(_root(f.form) for f in filings),
        },
        "query": {"from": wanted.start, "size": 100},
    }


def _fits(filing: Filing, wanted: Search) -> bool:
    return (
        wanted.first <= filing.filed <= wanted.last
        and (not wanted.forms or filing.form in wanted.forms or _root(filing.form) in wanted.forms)
        and (not wanted.ciks or any(party.cik in wanted.ciks for party in filing.parties))
        and (not wanted.items or bool(wanted.items & set(filing.items)))
    )


def _matching(cabinet: Cabinet, filing: Filing, words: Sequence[str]) -> list[str]:
    if not words:
        return [filing.primary.rpartition("/")[2]]
    found = []
    for document in cabinet.documents(filing):
        if document.type.startswith(("EX-101", "XML")):
            continue
        text = document.content.decode("ascii", "replace").lower()
        if all(word in text for word in words):
            found.append(document.filename)
    return found


def _hit(cabinet: Cabinet, filing: Filing, name: str) -> dict[str, Any]:
    documents = cabinet.documents(filing)
    number, document = next((n, d) for n, d in enumerate(documents, 1) if d.filename == name)
    return {
        "_index": "edgar_file",
        "_id": f"{filing.accession}:{name}",
        "_score": 1.0,
        "_source": {
            "ciks": [f"{party.cik:010d}" for party in filing.parties],
            "period_ending": filing.report.isoformat() if filing.report else None,
            "file_num": [filing.file_number],
            "display_names": _names(cabinet, filing),
            "xsl": filing.primary.rpartition("/")[0] or None,
            "sequence": number,
            "root_forms": [_root(filing.form)],
            "file_date": filing.filed.isoformat(),
            "biz_states": _states(filing),
            "sics": _sics(filing),
            "form": filing.form,
            "adsh": filing.accession,
            "film_num": [filing.film_number],
            "biz_locations": [f"{p.company.city}, {p.company.state}" for p in filing.parties if p.company],
            "file_type": document.type,
            "file_description": document.description,
            "inc_states": _states(filing),
            "items": list(filing.items),
        },
    }


def _names(cabinet: Cabinet, filing: Filing) -> list[str]:
    names = []
    for party in filing.parties:
        listed = party.company is not None and cabinet.world.delisted(party.company) is None
        ticker = f"  ({party.company.dashed})" if party.company is not None and listed else ""
        names.append(f"{party.name}{ticker}  (CIK {party.cik:010d})")
    return names


def _sics(filing: Filing) -> list[str]:
    return [party.company.sic for party in filing.parties if party.company]


def _states(filing: Filing) -> list[str]:
    return [party.company.state for party in filing.parties if party.company]


def _root(form: str) -> str:
    return form.removesuffix("/A")


def _buckets(keys: Iterable[str]) -> dict[str, Any]:
    counted = Counter(keys).most_common(30)
    return {
        "doc_count_error_upper_bound": 0,
        "sum_other_doc_count": 0,
        "buckets": [{"key": key, "doc_count": count} for key, count in counted],
    }
