"""What a fictional report is to be about, and what comes out: the values between the plan and the writers.

What does not belong here: writing it (``reports``).
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from salescience_pipeline.fiction.companies import Company
from salescience_pipeline.fiction.ixbrl import Fact
from salescience_pipeline.fiction.pages import Item
from salescience_pipeline.fiction.statements import Accounts


@dataclass(frozen=True, slots=True)
class Report:
    """A finished report and the truth about it."""

    main: bytes
    extracted: bytes
    """The instance that EDGAR would extract."""
    schema: bytes
    """The company's extension schema."""
    facts: tuple[Fact, ...]
    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class Order:
    """What a report is to be about."""

    accounts: Accounts
    seed: int
    form: str
    year: int
    last: int
    filed: dt.date
    stem: str
    factor: float
    """Shares at the filing date for one share at listing (splits)."""
    restates: bool
    price: float
    """Close as traded at the end of the second quarter (annual reports) or of the quarter, in USD."""
    price_factor: float
    """Shares for one share at listing on the day of ``price``."""

    @property
    def company(self) -> Company:
        """Whose report it is."""
        return self.accounts.company


def file_number(company: Company) -> str:
    """The company's file number under the 1934 Act."""
    return f"001-{90000 + company.cik % 10000:05d}"
