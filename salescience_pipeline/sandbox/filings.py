"""Which filings a fictional company has made, and their documents: a plan per company, written out when asked for.

The plan of a company depends on the seed and the company only; what lies after the world's date is left out, so a later
date shows the same filings and more. Documents are made on demand and kept while they are in use. What does not belong
here: how EDGAR lists and serves filings (``edgar`` and its helpers).
"""

from __future__ import annotations

import datetime as dt
import math
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property

from salescience_pipeline.sandbox import current, ownership, sgml
from salescience_pipeline.sandbox.companies import FIRST_CIK, FIRST_PERSON_CIK, Company, chance, split_schedule
from salescience_pipeline.sandbox.ixbrl import Fact
from salescience_pipeline.sandbox.pages import Item
from salescience_pipeline.sandbox.report_model import Order, Report, file_number
from salescience_pipeline.sandbox.reports import write_report
from salescience_pipeline.sandbox.sec_calendar import business_day, eastern, next_business_day
from salescience_pipeline.sandbox.sgml import Document, Filing, Party
from salescience_pipeline.sandbox.statements import Accounts, accounts, fiscal_quarter_end
from salescience_pipeline.sandbox.world import World

FIRST_DAY = dt.date(2019, 1, 1)
"""Nothing was filed before this day."""

AGENT = 9_980_001
"""The filing agent whose number begins some accessions: an accession must not be taken for an issuer's."""

_PER_AGENT_YEAR = 32
"""Accession numbers that the agent keeps for one company in one year."""

HEAVY_FROM = dt.date(2024, 1, 2)
"""The day on which the heavy filer begins to file pricing supplements, five every business day."""

CACHE_BYTES = 96_000_000
"""How many bytes of documents are kept in memory."""


@dataclass(frozen=True, slots=True)
class _Draft:
    """A filing before it has its accession number: what, when, and how its documents are made."""

    form: str
    filed: dt.date
    clock: dt.time
    make: Callable[[], tuple[Document, ...]]
    report: dt.date | None = None
    items: tuple[str, ...] = ()
    owners: tuple[ownership.Owner, ...] = ()
    own: bool = True
    """Filed by the company itself; otherwise by the agent."""
    roll: bool = False
    """Begun after 17:30 on the business day before ``filed``."""
    xbrl: bool = False
    primary: str = ""
    written: Callable[[], Report] | None = None


@dataclass
class CompanyFilings:
    """The filings of one company, planned once."""

    company: Company
    world: World
    restates: bool
    heavy: bool
    amends: bool

    @cached_property
    def accounts(self) -> Accounts:
        """The company's accounts, rolled as far as the world's date."""
        return accounts(self.company, self.world.seed, self.world.today)

    @cached_property
    def all(self) -> tuple[Filing, ...]:
        """Every filing up to the world's date, newest first."""
        drafts = sorted(self._drafts(), key=lambda draft: (draft.filed, draft.clock, draft.form))
        counters: dict[tuple[bool, int], int] = {}
        rows: list[Filing] = []
        for draft in drafts:
            key = (draft.own, draft.filed.year)
            number = counters[key] = counters.get(key, 0) + 1
            if draft.filed > self.world.today:
                continue
            rows.append(self._filing(draft, number))
        return tuple(reversed(rows))

    def _filing(self, draft: _Draft, number: int) -> Filing:
        company = self.company
        prefix = company.cik
        if not draft.own:
            prefix = AGENT
            number += (company.cik - FIRST_CIK) * _PER_AGENT_YEAR
        day = draft.filed
        accepted = eastern(day - dt.timedelta(days=1) if draft.roll else day, draft.clock)
        while draft.roll and next_business_day(accepted.date()) != day:
            accepted -= dt.timedelta(days=1)
        act = "33" if draft.form in {"424B2", "S-8"} else "34"
        serial = chance("film", company.cik, draft.form, day, number).randrange(100_000, 1_000_000)
        owners = tuple(Party("REPORTING-OWNER", o.cik, o.name, address=company) for o in draft.owners)
        role = "ISSUER" if owners else "SUBJECT COMPANY" if draft.form == "SC 13G/A" else "FILER"
        return Filing(
            accession=f"{prefix:010d}-{day.year % 100:02d}-{number:06d}",
            form=draft.form,
            filed=day,
            accepted=accepted,
            report=draft.report,
            items=draft.items,
            act=act if not owners else "",
            file_number=file_number(company) if act == "34" else f"333-{company.cik % 1_000_000:06d}",
            film_number=f"{day.year % 100:02d}{serial}",
            parties=(*owners, Party(role, company.cik, company.name, company=company, address=company)),
            is_xbrl=draft.xbrl,
            primary=draft.primary,
            make=draft.make,
            written=draft.written,
        )

    # -- the plan -------------------------------------------------------------------------------------------------------

    def _drafts(self) -> Iterator[_Draft]:
        company = self.company
        first = max(FIRST_DAY, company.listed + dt.timedelta(days=30))
        last = company.delisted + dt.timedelta(days=12) if company.delisted else dt.date.max
        for draft in self._plan(first):
            if first <= draft.filed <= last:
                yield draft
        if company.delisted is not None:
            day = business_day(company.delisted + dt.timedelta(days=1))
            yield self._small("25", day, 0)
            yield self._small("15-12G", business_day(day + dt.timedelta(days=10)), 0)

    def _plan(self, first: dt.date) -> Iterator[_Draft]:
        company, today = self.company, self.world.today
        if company.kind == "etf":
            for year in range(first.year, today.year + 1):
                for month in (3, 6, 9, 12):
                    yield self._small("497", business_day(dt.date(year, month, 5)), month)
            return
        for year in range(first.year - 1, today.year + 2):
            for number in (1, 2, 3, 4):
                end = fiscal_quarter_end(company.fiscal_year_end, year, number)
                if end < today and self.accounts.has(year, number):
                    yield from self._quarter(year, number, end)
        for year in range(first.year, today.year + 1):
            yield from self._year(year)
        if self.heavy:
            yield from self._supplements()

    def _quarter(self, year: int, number: int, end: dt.date) -> Iterator[_Draft]:
        rng = chance(self.world.seed, "quarter", self.company.cik, year, number)
        told = business_day(end + dt.timedelta(days=rng.randint(22, 31)))
        yield self._current(told, told, ("2.02", "9.01"), (year, number))
        form, days = ("10-K", rng.randint(48, 57)) if number == 4 else ("10-Q", rng.randint(34, 40))
        filed = business_day(end + dt.timedelta(days=days))
        late = rng.random() < 0.2
        yield self._report(form, year, number, end, filed, roll=late)
        if number == 4 and self.amends and year % 2 == 0:
            yield self._report("10-K/A", year, number, end, business_day(filed + dt.timedelta(days=57)), roll=False)

    def _year(self, year: int) -> Iterator[_Draft]:
        company, rng = self.company, chance(self.world.seed, "year", self.company.cik, year)
        yield self._small("DEF 14A", business_day(dt.date(year, 4, rng.randint(1, 20))), year)
        yield self._small("SC 13G/A", business_day(dt.date(year, 2, rng.randint(8, 14))), year, own=False)
        if year % 3 == 0:
            yield self._small("S-8", business_day(dt.date(year, 8, rng.randint(1, 20))), year)
        event = business_day(dt.date(year, rng.randint(1, 12), rng.randint(1, 28)))
        items = (("5.02",), ("1.01", "9.01"), ("8.01",), ("7.01", "9.01"))[(year + company.cik) % 4]
        yield self._current(event, next_business_day(event), items, None)
        owners = ownership.owners_of(company, self.world.seed)
        if not owners:
            return
        if year % 4 == company.cik % 4:
            day = business_day(dt.date(year, rng.randint(1, 12), rng.randint(1, 28)))
            yield self._insider(ownership.first_report(company, self.world.seed, owners[year % 4], day), day, 0)
        for number in range(4):
            day = business_day(dt.date(year, 3 * number + rng.randint(1, 3), rng.randint(1, 27)))
            if day > self.world.today:
                continue
            price = self._price(day)
            serial = (year - FIRST_DAY.year) * 4 + number
            deal = ownership.dealing(company, self.world.seed, serial, day, price)
            filed = next_business_day(next_business_day(day))
            yield self._insider(deal, filed, serial)
            if number == 1 and (year + company.cik) % 3 == 0:
                yield self._insider(_amended(deal), business_day(filed + dt.timedelta(days=9)), serial)

    def _supplements(self) -> Iterator[_Draft]:
        day, number = HEAVY_FROM, 0
        while day <= self.world.today:
            for _ in range(5):
                number += 1
                yield self._small("424B2", day, number)
            day = next_business_day(day)

    # -- single filings -------------------------------------------------------------------------------------------------

    def _report(self, form: str, year: int, number: int, end: dt.date, filed: dt.date, *, roll: bool) -> _Draft:
        ticker = "".join(c for c in self.company.ticker.lower() if c.isalnum())
        stem = f"{ticker}-{end:%Y%m%d}{'a' if form.endswith('/A') else ''}"

        def written() -> Report:
            priced = self.accounts.quarter(year, 2).end if number == 4 else end
            order = Order(
                accounts=self.accounts,
                seed=self.world.seed,
                form=form,
                year=year,
                last=number,
                filed=filed,
                stem=stem,
                factor=self._factor(filed),
                restates=self.restates,
                price=self._price(priced),
                price_factor=self._factor(priced),
            )
            return write_report(order)

        return _Draft(
            form,
            filed,
            dt.time(18, 5, 40) if roll else dt.time(16, 31, 12),
            make=lambda: _report_documents(written(), form, stem),
            report=end,
            roll=roll,
            xbrl=True,
            primary=f"{stem}.htm",
            written=written,
        )

    def _current(self, day: dt.date, filed: dt.date, items: tuple[str, ...], quarter: tuple[int, int] | None) -> _Draft:
        ticker = "".join(c for c in self.company.ticker.lower() if c.isalnum())
        stem = f"{ticker}-{day:%Y%m%d}"

        def written() -> Report:
            return current.current_report(self.company, self.accounts, self.world.seed, day, filed, items, stem)

        def make() -> tuple[Document, ...]:
            extra: tuple[Document, ...] = ()
            if quarter is not None:
                release = current.press_release(self.company, self.accounts, *quarter, day)
                extra = (Document(f"{ticker}-ex991_{day:%Y%m%d}.htm", "EX-99.1", "EX-99.1", release),)
            return _report_documents(written(), "8-K", stem, extra)

        return _Draft(
            "8-K",
            filed,
            dt.time(16, 5, 21) if quarter else dt.time(17, 2, 44),
            make=make,
            report=day,
            items=items,
            own=quarter is not None,
            xbrl=True,
            primary=f"{stem}.htm",
            written=written,
        )

    def _insider(self, deal: ownership.Dealing, filed: dt.date, serial: int) -> _Draft:
        name = f"wk-form{deal.form[0]}_{filed:%Y%m%d}{serial:02d}{'a' if deal.form.endswith('/A') else ''}.xml"
        folder = "xslF345X02" if deal.form == "3" else "xslF345X05" if filed >= dt.date(2023, 4, 1) else "xslF345X03"

        def make() -> tuple[Document, ...]:
            return (Document(name, deal.form, f"FORM {deal.form}", ownership.ownership_xml(deal)),)

        return _Draft(
            deal.form,
            filed,
            dt.time(18, 30, 57),
            make=make,
            report=deal.period,
            owners=deal.owners,
            own=False,
            primary=f"{folder}/{name}",
        )

    def _small(self, form: str, day: dt.date, number: int, *, own: bool = True) -> _Draft:
        company = self.company
        name = f"{form.lower().replace(' ', '').replace('/', '')}_{day:%Y%m%d}_{number}.htm"

        def make() -> tuple[Document, ...]:
            return (Document(name, form, form, current.small_form(company, form, day, number)),)

        clock = dt.time(9 + number % 8, number % 60, 7) if form == "424B2" else dt.time(12, 15, 33)
        return _Draft(form, day, clock, make=make, own=own, primary=name)

    def _factor(self, day: dt.date) -> float:
        """Shares on ``day`` for one share at listing, by the splits that belong to the company."""
        return math.prod(factor for split, factor in split_schedule(self.world.seed, self.company) if split <= day)

    def _price(self, day: dt.date) -> float:
        """The close of ``day`` or of the session before it; the price at listing when there is none."""
        bars = self.world.bars(self.company.ticker, day - dt.timedelta(days=7), day)
        return bars[-1].close if bars else self.company.base_price


def _amended(deal: ownership.Dealing) -> ownership.Dealing:
    """The same dealing with the count of shares held afterwards put right."""
    trades = tuple(
        ownership.Trade(t.security, t.code, t.acquired, t.shares, t.price, t.after + 100, t.day, t.derivative, t.strike,
                        t.indirect)
        for t in deal.trades
    )  # fmt: skip
    return ownership.Dealing("4/A", deal.issuer, deal.owners, deal.period, trades, deal.words, deal.plan)


def _report_documents(report: Report, form: str, stem: str, extra: tuple[Document, ...] = ()) -> tuple[Document, ...]:
    return (
        Document(f"{stem}.htm", form, form, report.main, inline=True),
        *extra,
        Document(f"{stem}.xsd", "EX-101.SCH", "XBRL TAXONOMY EXTENSION SCHEMA DOCUMENT", report.schema),
        Document(f"{stem}_htm.xml", "XML", "IDEA: XBRL DOCUMENT", report.extracted),
    )


@dataclass
class Cabinet:
    """All filings of a world: found by company, by owner or by accession; documents cached."""

    world: World
    _companies: dict[int, CompanyFilings] = field(default_factory=dict)
    _documents: OrderedDict[str, tuple[Document, ...]] = field(default_factory=OrderedDict)
    _sizes: dict[str, int] = field(default_factory=dict)
    _kept: int = 0

    def of(self, company: Company) -> CompanyFilings:
        """The filings of one company."""
        filings = self._companies.get(company.cik)
        if filings is None:
            index = company.cik - FIRST_CIK
            operating = company.kind != "etf"
            filings = self._companies[company.cik] = CompanyFilings(
                company,
                self.world,
                restates=operating and index % 10 == 2,
                heavy=operating and index == 9,
                amends=operating and index % 10 == 4,
            )
        return filings

    def by_cik(self, cik: int) -> tuple[Filing, ...] | None:
        """The filings under a CIK, newest first: a company's own, or those of a reporting owner; ``None`` if unknown."""
        company = self.world.by_cik(cik)
        if company is not None:
            return self.of(company).all
        issuer = self.issuer_of(cik)
        if issuer is None:
            return None
        rows = tuple(filing for filing in self.of(issuer).all if any(party.cik == cik for party in filing.parties))
        return rows or None

    def issuer_of(self, cik: int) -> Company | None:
        """The company on which the owner with this CIK reports, by the rule that numbers owners."""
        return self.world.by_cik(FIRST_CIK + (cik - FIRST_PERSON_CIK) // 8) if cik >= FIRST_PERSON_CIK else None

    def find(self, accession: str) -> Filing | None:
        """The filing with this accession number (with dashes), or ``None``."""
        prefix, serial = int(accession[:10]), int(accession[14:])
        cik = FIRST_CIK + (serial - 1) // _PER_AGENT_YEAR if prefix == AGENT else prefix
        company = self.world.by_cik(cik)
        if company is None:
            return None
        return next((filing for filing in self.of(company).all if filing.accession == accession), None)

    def documents(self, filing: Filing) -> tuple[Document, ...]:
        """The documents of a filing in their order."""
        known = self._documents.get(filing.accession)
        if known is not None:
            self._documents.move_to_end(filing.accession)
            return known
        made = self._documents[filing.accession] = filing.make()
        self._kept += sum(len(document.content) for document in made)
        while self._kept > CACHE_BYTES and len(self._documents) > 1:
            _, dropped = self._documents.popitem(last=False)
            self._kept -= sum(len(document.content) for document in dropped)
        return made

    def submission(self, filing: Filing) -> bytes:
        """The complete submission text file."""
        data = sgml.submission(filing, self.documents(filing))
        self._sizes[filing.accession] = len(data)
        return data

    def size(self, filing: Filing) -> int:
        """Bytes of the complete submission, as EDGAR's lists give it."""
        if filing.accession not in self._sizes:
            self.submission(filing)
        return self._sizes[filing.accession]

    def facts(self, filing: Filing) -> tuple[Fact, ...]:
        """The facts that the filing's main document tags; empty for forms without any."""
        return filing.written().facts if filing.written is not None else ()

    def items(self, filing: Filing) -> tuple[Item, ...]:
        """The items of the filing's main document and where they stand in it."""
        return filing.written().items if filing.written is not None else ()
