"""The request plan: which requests a selection needs, the provable minimum and the cost, before the first is sent.

A :class:`Recipe` (one per dataset, in the provider's file) turns a :class:`Selection` and what is already
:class:`Known` into a :class:`RequestPlan`. Recipes are pure: no clock, no network, no disk. What does not belong here:
a provider's own recipe, and what recipes share (``planning``).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from salescience_pipeline.catalog.providers import PROVIDERS
from salescience_pipeline.clients.errors import NotArchived, ProviderError
from salescience_pipeline.clients.model import Answer, PlannedRequest
from salescience_pipeline.identifiers import Accession, Cik, FileName, Ticker


@dataclass(frozen=True, slots=True)
class Selection:
    """What somebody wants: a dataset for some tickers and, where it is cut by date, some trading dates."""

    dataset: str
    tickers: tuple[Ticker, ...] = ()
    dates: tuple[dt.date, ...] = ()
    n_years: int = 2
    """How many years of filings to look back (dataset-specific meaning; prices ignore it)."""
    forms: tuple[str, ...] = ()
    """Form types, base and amendments; empty means the dataset's default."""
    exhibits: tuple[str, ...] | None = None
    """Exhibits wanted beside main documents, as ``10-K:21``; None means as the settings say."""
    start: dt.date = dt.date(2024, 1, 1)
    """First day of a price history."""
    force: bool = False
    """Ask again even for what is fresh (immutable documents excepted)."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """What the lake holds for one (dataset, subject)."""

    first_date: dt.date | None
    last_date: dt.date | None
    checked_at: dt.datetime
    status: str


@dataclass(frozen=True, slots=True)
class Series:
    """The span of a ticker's stored daily prices."""

    first: dt.date
    last: dt.date
    is_whole: bool = False
    """Whether the provider holds nothing before ``first``: it was asked from an earlier session on."""


@dataclass(frozen=True, slots=True)
class FilingRef:
    """What is needed to fetch a filing's documents."""

    cik: Cik
    accession: Accession
    form: str
    filing_date: dt.date
    primary_document: FileName | None
    ticker: Ticker | None = None
    items: tuple[str, ...] = ()
    """Items of an 8-K, as SEC lists them; empty when they are not known."""
    size: int | None = None
    """Bytes of the complete submission, where SEC's list says it."""


@dataclass(frozen=True, slots=True)
class Known:
    """What planning may build on; pure data, read from the lake before the plan is made."""

    now: dt.datetime
    """The clock, UTC."""
    today: dt.date
    """The exchange-local date at ``now``."""
    last_session: dt.date
    """The last trading day whose end-of-day prices should be out at ``now``."""
    ciks: Mapping[Ticker, Cik] = field(default_factory=dict)
    coverage: Mapping[str, Coverage] = field(default_factory=dict)
    """Completeness of this dataset by subject key (and ``subject|date`` for date partitions)."""
    filings: Sequence[FilingRef] = ()
    """The filings table's rows of the selected companies."""
    documents: frozenset[tuple[str, str]] = frozenset()
    """(accession, filename) of the documents that are already stored."""
    with_exhibits: frozenset[str] = frozenset()
    """Accessions of the stored filings whose exhibits were asked for."""
    reports: Mapping[Ticker, dt.date] = field(default_factory=dict)
    """Day of each ticker's newest earnings report before today, from the stored calendar."""
    series: Mapping[Ticker, Series] = field(default_factory=dict)
    """The stored daily prices of each selected ticker, for datasets that bring such."""
    reports_by_day: Mapping[dt.date, int] = field(default_factory=dict)
    """Reports that the newest reading of the stored earnings calendar names for each day, for planning the next one."""
    allowance: int | None = None
    """Requests that the provider's quotas still allow in their running windows; None: as many as we like."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A subject that cannot be asked for, with the sentence that says why (an unknown ticker, no CIK...)."""

    key: str
    status: str
    reason: str
    asked_on: dt.date | None = None
    """The last day for which the provider itself was asked about it, where the status is taken over from then."""


@dataclass(frozen=True, slots=True)
class RequestPlan:
    """The first wave of requests of a selection, with what it will cost.

    ``minimum`` is the provable minimum for this selection and this knowledge;
    ``expected_follow_ups`` the number of requests that answers of the first wave are expected to cause.
    """

    dataset: str
    provider: str
    requests: tuple[PlannedRequest, ...]
    minimum: int
    why: str
    """One sentence that says how the selection became these requests."""
    expected_follow_ups: int = 0
    fresh: tuple[str, ...] = ()
    """Subjects that need no request because what is stored is current."""
    refused: tuple[Refusal, ...] = ()

    def seconds(self, rate: float | None = None) -> float:
        """Seconds that the requests take at ``rate`` per second (the provider's first plan by default)."""
        rate = rate if rate is not None else PROVIDERS[self.provider].plan().rate
        return max(len(self.requests) + self.expected_follow_ups - 1, 0) / rate


class Recipe(Protocol):
    """How one dataset is asked for."""

    def plan(self, selection: Selection, known: Known) -> RequestPlan:
        """The fewest requests that answer ``selection``, given what is ``known``."""
        ...

    def follow_ups(self, answer: Answer, selection: Selection, known: Known) -> tuple[PlannedRequest, ...]:
        """Further requests that ``answer`` calls for (older pages, corporate actions, a fallback); usually none."""
        ...

    def fallbacks(
        self, request: PlannedRequest, error: ProviderError | NotArchived, selection: Selection, known: Known
    ) -> tuple[PlannedRequest, ...]:
        """Other requests that answer the same question when ``request`` failed with ``error``; usually none."""
        ...
