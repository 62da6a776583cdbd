"""What a fictional company files and when: a plan per company and calendar year, documents made when asked for.

The plan depends on the seed and the company only; what lies after the world's date is left out, so a later date shows the
same filings and more. What does not belong here: finding and keeping filings (``filings``), EDGAR's lists and wrappings.
"""

from __future__ import annotations

import datetime as dt
import math
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property

from salescience_pipeline.fiction import current, exhibits, ownership
from salescience_pipeline.fiction.companies import FIRST_CIK, FIRST_FILING_DAY, Company, chance, split_schedule
from salescience_pipeline.fiction.report_model import Order, Report, file_number
from salescience_pipeline.fiction.reports import write_report
from salescience_pipeline.fiction.sec_calendar import business_day, eastern, next_business_day
from salescience_pipeline.fiction.sgml import Document, Filing, Party
from salescience_pipeline.fiction.statements import Accounts, accounts, fiscal_quarter_end
from salescience_pipeline.fiction.world import World

AGENT = 9_980_001
"""The filing agent whose number begins some accessions: an accession must not be taken for an issuer's."""

PER_AGENT_YEAR = 32
"""Accession numbers that the agent keeps for one company in one year."""

HEAVY_FROM = dt.date(2024, 1, 2)
"""The day on which the heavy filer begins to file pricing supplements, five every business day."""


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
    _years: dict[int, tuple[Filing, ...]] = field(default_factory=dict)

    @cached_property
    def accounts(self) -> Accounts:
        """The company's accounts, rolled as far as the world's date."""
        return accounts(self.company, self.world.seed, self.world.today)

    @cached_property
    def all(self) -> tuple[Filing, ...]:
        """Every filing up to the world's date, newest first."""
        years = range(self.world.today.year, FIRST_FILING_DAY.year - 1, -1)
        return tuple(filing for year in years for filing in self.filed_in(year))

    def filed_in(self, year: int) -> tuple[Filing, ...]:
        """The filings of one calendar year, newest first; a year is planned without the others."""
        known = self._years.get(year)
        if known is None:
            known = self._years[year] = tuple(self._number(year))[::-1]
        return known

    def _number(self, year: int) -> Iterator[Filing]:
        """The year's filings, oldest first, with their accession numbers: a count per submitter and year."""
        drafts = [draft for draft in self._drafts(year) if draft.filed.year == year]
        drafts.sort(key=lambda draft: (draft.filed, draft.clock, draft.form))
        counters = {True: 0, False: 0}
        for draft in drafts:
            counters[draft.own] += 1
            if draft.filed <= self.world.today:
                yield self._filing(draft, counters[draft.own])

    def _filing(self, draft: _Draft, number: int) -> Filing:
        company = self.company
        prefix = company.cik
        if not draft.own:
            prefix = AGENT
            number += (company.cik - FIRST_CIK) * PER_AGENT_YEAR
        day = draft.filed
        accepted = eastern(day - dt.timedelta(days=1) if draft.roll else day, draft.clock)
        while draft.roll and next_business_day(accepted.date()) != day:
            accepted -= dt.timedelta(days=1)
        act = "33" if draft.form in {"424B2", "S-8"} else "34"
        serial = 100_000 + zlib.crc32(f"{company.cik}|{draft.form}|{day}|{number}".encode()) % 900_000
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

    def _drafts(self, year: int) -> Iterator[_Draft]:
        """Everything that may be filed in ``year``."""
        company = self.company
        first = max(FIRST_FILING_DAY, company.listed + dt.timedelta(days=30))
        last = company.delisted + dt.timedelta(days=12) if company.delisted else dt.date.max
        for draft in self._fund_forms(year) if company.kind == "etf" else self._plan(year):
            if first <= draft.filed <= last:
                yield draft
        if company.delisted is not None:
            day = business_day(company.delisted + dt.timedelta(days=1))
            yield self._small("25", day, 0)
            yield self._small("15-12G", business_day(day + dt.timedelta(days=10)), 0)

    def _fund_forms(self, year: int) -> Iterator[_Draft]:
        for month in (3, 6, 9, 12):
            yield self._small("497", business_day(dt.date(year, month, 5)), month)

    def _plan(self, year: int) -> Iterator[_Draft]:
        for fiscal in (year - 1, year, year + 1):
            for number in (1, 2, 3, 4):
                end = fiscal_quarter_end(self.company.fiscal_year_end, fiscal, number)
                # An amendment comes four months after the end of its year, everything else sooner.
                if dt.date(year - 1, 8, 1) <= end < min(dt.date(year, 12, 31), self.world.today):
                    yield from self._quarter(fiscal, number, end)
        # What happens in the last days of a year is filed in the next one.
        yield from self._year(year - 1)
        yield from self._year(year)
        if self.heavy:
            yield from self._supplements(year)

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
            owner = owners[year % 4]
            seed = self.world.seed
            yield self._insider("3", day, day, 0, (owner,), lambda: ownership.first_report(company, seed, owner, day))
        for number in range(4):
            day = business_day(dt.date(year, 3 * number + rng.randint(1, 3), rng.randint(1, 27)))
            if day > self.world.today:
                continue
            serial = (year - FIRST_FILING_DAY.year + 1) * 4 + number
            filed = next_business_day(next_business_day(day))
            yield self._dealing("4", day, filed, serial)
            if number == 1 and (year + company.cik) % 3 == 0:
                yield self._dealing("4/A", day, business_day(filed + dt.timedelta(days=9)), serial)

    def _supplements(self, year: int) -> Iterator[_Draft]:
        day = business_day(max(HEAVY_FROM, dt.date(year, 1, 1)))
        number = year * 10_000
        while day <= min(self.world.today, dt.date(year, 12, 31)):
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
            make=lambda: _report_documents(
                written(), form, stem, self._report_exhibits(form, year, end, filed, ticker)
            ),
            report=end,
            roll=roll,
            xbrl=True,
            primary=f"{stem}.htm",
            written=written,
        )

    def _report_exhibits(self, form: str, year: int, end: dt.date, filed: dt.date, ticker: str) -> tuple[Document, ...]:
        """The list of subsidiaries of an annual report, and what its officers certify."""
        company, stamp = self.company, f"{end:%Y%m%d}"
        found: list[Document] = []
        if form == "10-K":
            listed = exhibits.subsidiaries(company, self.world.seed, year)
            page = exhibits.subsidiaries_page(company, listed, end)
            found.append(Document(f"{ticker}-ex211_{stamp}.htm", "EX-21.1", "SUBSIDIARIES OF THE REGISTRANT", page))
        for number in ("31.1", "32.1") if company.officers else ():
            page = exhibits.certification(company, company.officers[0], form, number, filed)
            suffix = "a" if form.endswith("/A") else ""
            name = f"{ticker}-ex{number.replace('.', '')}_{stamp}{suffix}.htm"
            found.append(Document(name, f"EX-{number}", "CERTIFICATION", page))
        return tuple(found)

    def _current_exhibits(
        self, day: dt.date, items: tuple[str, ...], quarter: tuple[int, int] | None, ticker: str
    ) -> tuple[Document, ...]:
        """The press release of a quarter, an agreement that was signed, slides that were shown."""
        company = self.company
        if quarter is not None:
            number, page = "99.1", current.press_release(company, self.accounts, *quarter, day)
        elif "1.01" in items:
            number, page = "10.1", exhibits.agreement(company, day)
        elif "7.01" in items:
            number, page = "99.1", exhibits.slides(company, day)
        else:
            return ()
        return (
            Document(f"{ticker}-ex{number.replace('.', '')}_{day:%Y%m%d}.htm", f"EX-{number}", f"EX-{number}", page),
        )

    def _current(self, day: dt.date, filed: dt.date, items: tuple[str, ...], quarter: tuple[int, int] | None) -> _Draft:
        ticker = "".join(c for c in self.company.ticker.lower() if c.isalnum())
        stem = f"{ticker}-{day:%Y%m%d}"

        def written() -> Report:
            return current.current_report(self.company, self.accounts, self.world.seed, day, filed, items, stem)

        def make() -> tuple[Document, ...]:
            return _report_documents(written(), "8-K", stem, self._current_exhibits(day, items, quarter, ticker))

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

    def _dealing(self, form: str, day: dt.date, filed: dt.date, serial: int) -> _Draft:
        def deal() -> ownership.Dealing:
            told = ownership.dealing(self.company, self.world.seed, serial, day, self._price(day))
            return _amended(told) if form.endswith("/A") else told

        return self._insider(form, day, filed, serial, ownership.reporting(self.company, self.world.seed, serial), deal)

    def _insider(
        self,
        form: str,
        day: dt.date,
        filed: dt.date,
        serial: int,
        owners: tuple[ownership.Owner, ...],
        deal: Callable[[], ownership.Dealing],
    ) -> _Draft:
        name = f"wk-form{form[0]}_{filed:%Y%m%d}{serial:02d}{'a' if form.endswith('/A') else ''}.xml"
        folder = "xslF345X02" if form == "3" else "xslF345X05" if filed >= dt.date(2023, 4, 1) else "xslF345X03"

        def make() -> tuple[Document, ...]:
            return (Document(name, form, f"FORM {form}", ownership.ownership_xml(deal())),)

        return _Draft(
            form,
            filed,
            dt.time(18, 30, 57),
            make=make,
            report=day,
            owners=owners,
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
