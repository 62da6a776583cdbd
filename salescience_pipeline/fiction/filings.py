"""All filings of the fictional world: found by company, by owner or by accession; documents cached while in use.

What does not belong here: which filings there are (``filing_plan``), how EDGAR lists and serves them (``edgar``).
"""

from __future__ import annotations

import datetime as dt
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field

from salescience_pipeline.fiction import sgml
from salescience_pipeline.fiction.companies import FIRST_CIK, FIRST_PERSON_CIK, Company
from salescience_pipeline.fiction.filing_plan import AGENT, PER_AGENT_YEAR, CompanyFilings
from salescience_pipeline.fiction.ixbrl import Fact
from salescience_pipeline.fiction.pages import Item
from salescience_pipeline.fiction.sgml import Document, Filing
from salescience_pipeline.fiction.world import World

CACHE_BYTES = 96_000_000
"""How many bytes of documents are kept in memory."""


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

    def between(self, first: dt.date, last: dt.date) -> Iterator[Filing]:
        """The filings of everybody with a filing date from ``first`` to ``last``, both included."""
        for company in self.world.all:
            filings = self.of(company)
            for year in range(last.year, first.year - 1, -1):
                for filing in filings.filed_in(year):
                    if filing.filed < first:
                        break
                    if filing.filed <= last:
                        yield filing

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
        cik = FIRST_CIK + (serial - 1) // PER_AGENT_YEAR if prefix == AGENT else prefix
        company = self.world.by_cik(cik)
        if company is None:
            return None
        year = 2000 + int(accession[11:13])
        return next((filing for filing in self.of(company).filed_in(year) if filing.accession == accession), None)

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
