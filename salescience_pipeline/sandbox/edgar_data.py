"""The JSON of ``data.sec.gov`` and of the ticker files, made from the fictional filings.

Pure functions over a cabinet: submissions and their older pages, company facts, concepts, frames, ticker lists. What
does not belong here: HTTP, and the index files of ``www.sec.gov`` (``edgar_lists``).
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Any

from salescience_pipeline.fiction.companies import Company
from salescience_pipeline.fiction.concepts import CONCEPTS
from salescience_pipeline.fiction.filings import Cabinet
from salescience_pipeline.fiction.ixbrl import Period
from salescience_pipeline.fiction.sec_calendar import quarter, quarter_days
from salescience_pipeline.fiction.sgml import Filing
from salescience_pipeline.fiction.world import World

RECENT_ROWS = 1000
"""``recent`` holds so many filings, or those of one year if they are more."""

PAGE_ROWS = 2000
"""Rows of an older page."""

COLUMNS = (
    "accessionNumber",
    "filingDate",
    "reportDate",
    "acceptanceDateTime",
    "act",
    "form",
    "fileNumber",
    "filmNumber",
    "items",
    "core_type",
    "size",
    "isXBRL",
    "isInlineXBRL",
    "primaryDocument",
    "primaryDocDescription",
)
"""The parallel arrays of a submissions page, in the order of the recorded ones."""

_NO_ADDRESS: dict[str, Any] = {
    "street1": None,
    "street2": None,
    "city": None,
    "stateOrCountry": None,
    "zipCode": None,
    "stateOrCountryDescription": None,
    "isForeignLocation": None,
    "foreignStateTerritory": None,
    "country": None,
    "countryCode": None,
}


def row(filing: Filing, size: int) -> tuple[Any, ...]:
    """One filing as the values of :data:`COLUMNS`."""
    accepted = f"{filing.accepted.astimezone(dt.UTC):%Y-%m-%dT%H:%M:%S}.000Z"
    own = not any(party.role == "ISSUER" for party in filing.parties)
    return (
        filing.accession,
        filing.filed.isoformat(),
        filing.report.isoformat() if filing.report else "",
        accepted,
        filing.act,
        filing.form,
        filing.file_number if own else "",
        filing.film_number if own else "",
        ",".join(filing.items),
        "XBRL" if filing.is_xbrl else filing.form,
        size,
        int(filing.is_xbrl),
        int(filing.is_xbrl),
        filing.primary,
        filing.description,
    )


def columns(cabinet: Cabinet, filings: Sequence[Filing]) -> dict[str, list[Any]]:
    """Filings as parallel arrays."""
    rows = [row(filing, cabinet.size(filing)) for filing in filings]
    return {name: [values[number] for values in rows] for number, name in enumerate(COLUMNS)}


def pages(filings: Sequence[Filing], today: dt.date) -> list[Sequence[Filing]]:
    """Filings (newest first) cut as EDGAR does: the recent ones, then older pages."""
    year_ago = today - dt.timedelta(days=365)
    recent = max(sum(filing.filed >= year_ago for filing in filings), RECENT_ROWS)
    cuts = [filings[:recent]]
    cuts += [filings[at : at + PAGE_ROWS] for at in range(recent, len(filings), PAGE_ROWS)]
    return cuts


def older_page(cabinet: Cabinet, cik: int, number: int) -> dict[str, Any] | None:
    """The ``number``-th older page of a company; ``None`` when it has no such page."""
    filings = cabinet.by_cik(cik)
    if filings is None:
        return None
    cuts = pages(filings, cabinet.world.today)
    return columns(cabinet, cuts[number]) if 1 <= number < len(cuts) else None


def submissions(cabinet: Cabinet, cik: int) -> dict[str, Any] | None:
    """The submissions object of a company or of a reporting owner; ``None`` for an unknown CIK."""
    filings = cabinet.by_cik(cik)
    if filings is None:
        return None
    recent, *older = pages(filings, cabinet.world.today)
    files = [
        {
            "name": f"CIK{cik:010d}-submissions-{number:03d}.json",
            "filingCount": len(page),
            "filingFrom": page[-1].filed.isoformat(),
            # The recorded pages reach a day further than their own description says; so do these.
            "filingTo": (page[0].filed - dt.timedelta(days=1)).isoformat(),
        }
        for number, page in enumerate(older, 1)
    ]
    company = cabinet.world.by_cik(cik)
    head = _company_head(cabinet.world, company) if company else _owner_head(filings, cik)
    return head | {"filings": {"recent": columns(cabinet, recent), "files": files}}


def _company_head(world: World, company: Company) -> dict[str, Any]:
    listed = world.delisted(company) is None
    address = _NO_ADDRESS | {
        "street1": company.address.upper(),
        "city": company.city.upper(),
        "stateOrCountry": company.state,
        "zipCode": company.postal_code,
        "stateOrCountryDescription": company.state,
    }
    return {
        "cik": f"{company.cik:010d}",
        "entityType": "operating" if company.kind != "etf" else "other",
        "sic": company.sic,
        "sicDescription": company.sic_description,
        "ownerOrg": "99 Fictional Matters",
        "insiderTransactionForOwnerExists": 0,
        "insiderTransactionForIssuerExists": int(bool(company.officers)),
        "name": company.name,
        "tickers": [company.dashed] if listed else [],
        "exchanges": [company.exchange] if listed else [],
        "ein": company.ein,
        "lei": None,
        "description": "",
        "website": "",
        "investorWebsite": "",
        "category": "Large accelerated filer" if company.kind != "etf" else "",
        "fiscalYearEnd": company.fiscal_year_end,
        "stateOfIncorporation": company.state,
        "stateOfIncorporationDescription": company.state,
        "addresses": {"mailing": address, "business": address},
        "phone": company.phone,
        "flags": "",
        "formerNames": [
            {
                "name": former.name,
                "from": f"{former.first.isoformat()}T00:00:00.000Z",
                "to": f"{former.last.isoformat()}T00:00:00.000Z",
            }
            for former in company.former_names
            if former.last <= world.today
        ],
    }


def _owner_head(filings: Sequence[Filing], cik: int) -> dict[str, Any]:
    party = next(party for filing in filings for party in filing.parties if party.cik == cik)
    return {
        "cik": f"{cik:010d}",
        "entityType": "other",
        "sic": "",
        "sicDescription": "",
        "ownerOrg": None,
        "insiderTransactionForOwnerExists": 1,
        "insiderTransactionForIssuerExists": 0,
        "name": party.name,
        "tickers": [],
        "exchanges": [],
        "ein": None,
        "lei": None,
        "description": "",
        "website": "",
        "investorWebsite": "",
        "category": "",
        "fiscalYearEnd": "",
        "stateOfIncorporation": "",
        "stateOfIncorporationDescription": "",
        "addresses": {"mailing": _NO_ADDRESS, "business": _NO_ADDRESS},
        "phone": "",
        "flags": "",
        "formerNames": [],
    }


# -- facts --------------------------------------------------------------------------------------------------------------


def frame_of(period: Period) -> str | None:
    """The calendar frame of a period, ``CY2024``, ``CY2024Q1`` or ``CY2024Q1I``; ``None`` for other lengths.

    The rule (days in the middle of the period; instants count for the quarter that lies 45 days back) reproduces all
    13,494 frames of the two recorded companies.
    """
    if period.start is None:
        middle = period.end - dt.timedelta(days=45)
        return f"CY{middle.year}Q{quarter(middle)}I"
    days = (period.end - period.start).days
    middle = period.start + dt.timedelta(days=days // 2)
    if 335 <= days <= 395:
        return f"CY{middle.year}"
    return f"CY{middle.year}Q{quarter(middle)}" if 60 <= days <= 120 else None


def _distance(period: Period, name: str) -> int:
    """By how many days a period misses the calendar period that its frame is named after."""
    year = int(name[2:6])
    first, last = quarter_days(year, int(name[7])) if "Q" in name else (dt.date(year, 1, 1), dt.date(year, 12, 31))
    start = abs((period.start - first).days) if period.start is not None else 0
    return start + abs((period.end - last).days)


def name_frames(newest: dict[tuple[str, str, Period], dict[str, Any]]) -> None:
    """Put the frame on the last-filed fact of each period; of periods that share a frame, the closest one gets it."""
    best: dict[tuple[str, str, str], Period] = {}
    for concept, unit, period in newest:
        name = frame_of(period)
        if name is not None:
            rival = best.get((concept, unit, name))
            if rival is None or _distance(period, name) < _distance(rival, name):
                best[concept, unit, name] = period
    for (concept, unit, name), period in best.items():
        newest[concept, unit, period]["frame"] = name


def _number(value: Decimal) -> int | float:
    return int(value) if value == value.to_integral_value() else float(value)


def reported(cabinet: Cabinet, filing: Filing) -> Iterator[tuple[str, str, Period, Decimal]]:
    """What company facts take from a filing: (concept, unit, period, value), without dimensions, each once."""
    seen: set[tuple[str, str, Period]] = set()
    for fact in cabinet.facts(filing):
        if fact.dimensions or fact.unit is None or not isinstance(fact.value, Decimal) or fact.concept not in CONCEPTS:
            continue
        key = (fact.concept, fact.unit, fact.period)
        if key not in seen:
            seen.add(key)
            yield (*key, fact.value)


def company_facts(cabinet: Cabinet, cik: int) -> dict[str, Any] | None:
    """The company-facts object; ``None`` when the company has never reported in XBRL."""
    company = cabinet.world.by_cik(cik)
    if company is None or company.kind == "etf":
        return None
    table: dict[str, dict[str, list[dict[str, Any]]]] = {}
    newest: dict[tuple[str, str, Period], dict[str, Any]] = {}
    for filing in reversed(cabinet.of(company).all):
        if not filing.is_xbrl or filing.form.startswith("8-K"):
            continue
        year, focus = _focus(cabinet, filing)
        for concept, unit, period, value in reported(cabinet, filing):
            fact: dict[str, Any] = {} if period.start is None else {"start": period.start.isoformat()}
            fact |= {
                "end": period.end.isoformat(),
                "val": _number(value),
                "accn": filing.accession,
                "fy": year,
                "fp": focus,
                "form": filing.form,
                "filed": filing.filed.isoformat(),
            }
            table.setdefault(concept, {}).setdefault(unit, []).append(fact)
            newest[concept, unit, period] = fact
    name_frames(newest)
    if not table:
        return None
    facts: dict[str, dict[str, Any]] = {"dei": {}, "us-gaap": {}}
    for concept in sorted(table):
        taxonomy, name = concept.split(":")
        label, meaning = CONCEPTS[concept]
        units = {unit: sorted(rows, key=_fact_order) for unit, rows in table[concept].items()}
        facts[taxonomy][name] = {"label": label, "description": meaning, "units": units}
    return {"cik": cik, "entityName": company.name, "facts": facts}


def _fact_order(fact: dict[str, Any]) -> tuple[str, str, str]:
    return fact["end"], fact.get("start", ""), fact["filed"]


def _focus(cabinet: Cabinet, filing: Filing) -> tuple[int | None, str | None]:
    """Fiscal year and period of the report itself, from its cover."""
    known = {fact.concept: fact.value for fact in cabinet.facts(filing)}
    year, focus = known.get("dei:DocumentFiscalYearFocus"), known.get("dei:DocumentFiscalPeriodFocus")
    return (int(str(year)) if year else None), (str(focus) if focus else None)


def company_concept(cabinet: Cabinet, cik: int, taxonomy: str, tag: str) -> dict[str, Any] | None:
    """One concept of the company facts; ``None`` when the company never used it."""
    facts = company_facts(cabinet, cik)
    concept = (facts or {}).get("facts", {}).get(taxonomy, {}).get(tag)
    if facts is None or concept is None:
        return None
    return {
        "cik": cik,
        "taxonomy": taxonomy,
        "tag": tag,
        "label": concept["label"],
        "description": concept["description"],
        "entityName": facts["entityName"],
        "units": concept["units"],
    }


def frame(cabinet: Cabinet, taxonomy: str, tag: str, unit: str, name: str) -> dict[str, Any] | None:
    """One concept of all companies for a calendar period, the latest report of each; ``None`` when nobody has it."""
    if not re.fullmatch(r"CY[0-9]{4}(Q[1-4]I?)?", name):
        return None
    concept = f"{taxonomy}:{tag}"
    body_unit = unit.replace("-per-", "/")
    rows: list[dict[str, Any]] = []
    for company in cabinet.world.companies:
        best: tuple[Filing, Period, Decimal] | None = None
        for filing in _near(cabinet.of(company).all, name):
            for known, its_unit, period, value in reported(cabinet, filing):
                if known == concept and its_unit == body_unit and frame_of(period) == name:
                    best = (filing, period, value)
        if best is None:
            continue
        filing, period, value = best
        entry: dict[str, Any] = {"accn": filing.accession, "cik": company.cik, "entityName": company.name}
        entry["loc"] = f"US-{company.state}"
        if period.start is not None:
            entry["start"] = period.start.isoformat()
        rows.append(entry | {"end": period.end.isoformat(), "val": _number(value)})
    if not rows:
        return None
    label, meaning = CONCEPTS[concept]
    return {
        "taxonomy": taxonomy,
        "tag": tag,
        "ccp": name,
        "uom": body_unit,
        "label": label,
        "description": meaning,
        "pts": len(rows),
        "data": rows,
    }


def _near(filings: Iterable[Filing], name: str) -> list[Filing]:
    """The reports that can show a period of this frame, oldest first: filed in its year or the four after it."""
    year = int(name[2:6])
    wanted = [f for f in filings if f.form.startswith(("10-K", "10-Q")) and year <= f.filed.year <= year + 4]
    return wanted[::-1]


# -- tickers ------------------------------------------------------------------------------------------------------------


def listed(world: World) -> list[Company]:
    """Who is in SEC's list of tickers: current names only."""
    return [company for company in world.all if world.delisted(company) is None]


def company_tickers(world: World) -> dict[str, dict[str, Any]]:
    """``company_tickers.json``."""
    return {
        str(number): {"cik_str": company.cik, "ticker": company.dashed, "title": company.name}
        for number, company in enumerate(listed(world))
    }


def company_tickers_exchange(world: World) -> dict[str, Any]:
    """``company_tickers_exchange.json``."""
    data = [[c.cik, c.name, c.dashed, None if c.kind == "etf" else c.exchange] for c in listed(world)]
    return {"fields": ["cik", "name", "ticker", "exchange"], "data": data}


def company_tickers_funds(world: World) -> dict[str, Any]:
    """``company_tickers_mf.json``: the index funds with invented series and class numbers."""
    data = [[c.cik, f"S{c.cik % 10**9:09d}", f"C{c.cik % 10**9:09d}", c.dashed] for c in world.etfs]
    return {"fields": ["cik", "seriesId", "classId", "symbol"], "data": data}


def ticker_text(world: World) -> str:
    """``include/ticker.txt``: lower-case ticker, tab, CIK."""
    return "".join(f"{company.dashed.lower()}\t{company.cik}\n" for company in listed(world))
