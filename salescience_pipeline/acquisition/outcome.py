"""What an acquisition came to: per subject, per table, in requests; and the sentence that tells it.

What does not belong here: rows of the completeness table (``states``).
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from salescience_pipeline.clients.errors import ProviderError, Retryable

if TYPE_CHECKING:
    import pyarrow as pa

    from salescience_pipeline.catalog.datasets import Dataset
    from salescience_pipeline.clients.plan import RequestPlan
    from salescience_pipeline.ledger.completeness import State
    from salescience_pipeline.tidy.model import LeftOut


class Status(StrEnum):
    """Completeness of one subject in one partition."""

    COMPLETE = "complete"
    EMPTY = "empty"
    """The provider answered, and there is nothing (no trading, no filings)."""
    NOT_FOUND = "not_found"
    """Nobody knows the subject."""
    MISSING = "missing"
    """The provider answered without it; it may come later."""
    FAILED = "failed"

    @property
    def is_settled(self) -> bool:
        """Whether asking again would bring nothing new."""
        return self in (Status.COMPLETE, Status.EMPTY, Status.NOT_FOUND)


@dataclass(frozen=True, slots=True)
class Failure:
    """A subject that did not come through."""

    subject: str
    partition: str
    error_class: str
    message: str
    is_retryable: bool
    retry_at: dt.datetime | None = None

    @classmethod
    def of(cls, error: Exception, *, subject: str, partition: str) -> Failure:
        """Describe ``error``; anything that is no provider's error is ours, and is not worth a retry."""
        retryable = isinstance(error, Retryable)
        label = error.answer_class.value if isinstance(error, ProviderError) else type(error).__name__
        retry_at = error.retry_at if isinstance(error, Retryable) else None
        return cls(subject, partition, label, str(error), retryable, retry_at)


@dataclass
class TableTotals:
    """What was written to one table."""

    rows: int = 0
    commits: int = 0
    bytes: int = 0
    version: int | None = None
    first_date: dt.date | None = None
    last_date: dt.date | None = None
    sample: pa.Table | None = None
    """Rows of the first subject that was written, to look at."""


@dataclass
class Acquired:
    """The result of one dataset for one selection."""

    dataset: Dataset
    plan: RequestPlan
    outcomes: dict[tuple[str, str], State] = field(default_factory=dict)
    """The last word on each (partition, subject): a ticker that the bulk answer lacks may come with its own answer."""
    failures: list[Failure] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    tables: dict[str, TableTotals] = field(default_factory=dict)
    planned: int = 0
    """Requests of the first wave and of the follow-ups that answers called for."""
    called_for: int = 0
    """Requests beyond the first wave that answers proved to be needed: pages, whole series after a corporate action."""
    sent: int = 0
    """Requests that reached the provider, retries included."""
    ended: int = 0
    """Planned requests that came to their end at the provider, well or not."""
    from_archive: int = 0
    """Planned requests that the archive answered."""
    unchanged: int = 0
    """Requests that the provider answered with 304."""
    bytes: int = 0
    """Bytes of the bodies that arrived."""
    seconds: float = 0.0

    @property
    def states(self) -> list[State]:
        """What became of each subject in each partition."""
        return list(self.outcomes.values())

    @property
    def counts(self) -> Mapping[str, int]:
        """Subjects by status."""
        return Counter(state.status for state in self.states)

    @property
    def minimum(self) -> int:
        """The provable minimum, now that it is known which answers call for more."""
        return self.plan.minimum + self.called_for

    @property
    def retries(self) -> int:
        """Requests beyond one per planned request: second tries, and those that open a session."""
        return max(self.sent - self.ended, 0)

    @property
    def is_complete(self) -> bool:
        """Whether nothing is left to ask for."""
        return not self.failures and all(Status(state.status).is_settled for state in self.states)

    @property
    def rows(self) -> int:
        """Rows written, over all tables."""
        return sum(totals.rows for totals in self.tables.values())

    def open_partitions(self) -> frozenset[str]:
        """Partitions in which something failed: one failed range of days leaves each of its days open."""
        failed = (state.partition for state in self.outcomes.values() if state.status == Status.FAILED)
        return frozenset((*failed, *(failure.partition for failure in self.failures)))

    def sentence(self) -> str:
        """What happened, for logs and for people."""
        if self.planned == 0:
            return f"{self.dataset.name}: nothing to ask for, {len(self.plan.fresh)} of {len(self.plan.fresh)} are current."
        parts = [f"{self.rows:,} rows from {self.sent:,} requests ({self.planned:,} planned)"]
        parts += [f"{count:,} {status}" for status, count in sorted(self.counts.items())]
        if self.left_out:
            parts.append(f"{sum(item.count for item in self.left_out):,} records left out")
        return f"{self.dataset.name}: {', '.join(parts)}."


def summary_of(failures: Sequence[Failure], *, limit: int = 5) -> str:
    """One sentence that names what failed, the first few by name."""
    shown = "; ".join(f"{failure.subject}: {failure.message.removesuffix('.')}" for failure in failures[:limit])
    rest = f" and {len(failures) - limit} more" if len(failures) > limit else ""
    return f"{len(failures)} failed: {shown}{rest}"
