"""Which filing an amendment amends.

EDGAR does not say it. What is known of a filing (form, period, items, file number, time) settles most cases; where it
does not, the answer is "unknown", never a guess between several. What does not belong here: reading the filings.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from salescience_pipeline.identifiers import Accession, Cik

_OWNERSHIP = frozenset({"3", "4", "5"})
_EXHIBITS, _ACQUISITION = "9.01", "2.01"
_REGISTRATION = "333-"


@dataclass(frozen=True, slots=True)
class Filed:
    """What linking needs to know of one filing."""

    cik: Cik
    accession: Accession
    form: str
    filing_date: dt.date
    accepted_at: dt.datetime | None = None
    report_date: dt.date | None = None
    items: tuple[str, ...] = ()
    file_number: str | None = None

    @property
    def order(self) -> tuple[dt.datetime, str]:
        """Filings in the order of their acceptance."""
        start_of_day = dt.datetime.combine(self.filing_date, dt.time(), dt.UTC)
        return self.accepted_at or start_of_day, self.accession


def is_amendment(form: str) -> bool:
    """Whether the form amends an earlier filing: its name ends in ``/A``."""
    return form.endswith("/A")


def base_form(form: str) -> str:
    """The form without the mark of an amendment."""
    return form.removesuffix("/A")


def link_amendments(filings: Iterable[Filed]) -> Mapping[tuple[Cik, Accession], Accession]:
    """The accession that each amendment amends, where it is known.

    An amendment amends the newest earlier filing of the same company, the same base form and the same report date
    (the filing itself or its last amendment). Then:

    * Among several 8-Ks of one day, those that share an item with the amendment go before the others. Item 9.01
      (exhibits) stands in most of them and tells nothing; alone it brings the statements of an acquired business, which
      belong to item 2.01.
    * Ownership forms (3, 4, 5) of one day come from several owners, and the company's list does not say whose is whose:
      the link is unknown unless there is exactly one original on that day.
    * Without a report date, an amended registration statement belongs to the newest earlier filing of the same base form
      under the same registration number (``333-...``). Anything else without a report date is unknown: other file
      numbers are shared by many filers.
    """
    by_period: dict[tuple[Cik, str, dt.date], list[Filed]] = defaultdict(list)
    by_number: dict[tuple[Cik, str, str], list[Filed]] = defaultdict(list)
    links: dict[tuple[Cik, Accession], Accession] = {}
    for filed in sorted(filings, key=lambda filed: filed.order):
        base = base_form(filed.form)
        earlier: list[Filed] = []
        if filed.report_date is not None:
            earlier = by_period[filed.cik, base, filed.report_date]
        elif filed.file_number is not None and filed.file_number.startswith(_REGISTRATION):
            earlier = by_number[filed.cik, base, filed.file_number]
        if is_amendment(filed.form):
            amended = _amended(filed, earlier)
            if amended is not None:
                links[filed.cik, filed.accession] = amended.accession
        earlier.append(filed)
    return links


def _amended(amendment: Filed, earlier: Sequence[Filed]) -> Filed | None:
    """The one among the ``earlier`` filings (oldest first) that the ``amendment`` amends."""
    originals = sum(not is_amendment(filed.form) for filed in earlier)
    if base_form(amendment.form) in _OWNERSHIP and originals != 1:
        return None
    told = set(amendment.items) - {_EXHIBITS} or {_ACQUISITION}
    sharing = [filed for filed in earlier if told & set(filed.items)]
    return next(reversed(sharing or earlier), None)
