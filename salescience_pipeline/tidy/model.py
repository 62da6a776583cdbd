"""What goes into and comes out of a tidy function.

What does not belong here: the functions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import pyarrow as pa

from salescience_pipeline.clients.model import Answer
from salescience_pipeline.clients.plan import Known, Selection


@dataclass(frozen=True, slots=True)
class TidyContext:
    """What a row must say beyond its answer."""

    run_id: str
    selection: Selection
    known: Known
    organization_id: str | None = None
    stored: Mapping[str, pa.Table] = field(default_factory=dict)
    """Rows by table name that the lake already holds; only for datasets whose new rows continue stored ones
    (``Dataset.continues_stored``)."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Something that an answer held and no row holds, with the reason; the count in equals rows plus these."""

    subject: str
    what: str
    reason: str
    count: int = 1
    unreadable: bool = False
    """Whether it is there and cannot be read, as when a field has another name or type; not: nothing to tell, or told twice."""


@dataclass(frozen=True, slots=True)
class Tidied:
    """Rows by table name, each in the catalogue's schema with provenance, and what was left out."""

    tables: Mapping[str, pa.Table]
    left_out: Sequence[LeftOut] = field(default=())


class TidyFunction(Protocol):
    """One dataset's way from answers about one subject to rows."""

    def __call__(self, answers: Sequence[Answer], context: TidyContext) -> Tidied:
        """Make rows of all ``answers`` about one subject.

        Raises:
            Contract: when an answer does not have its documented shape.
        """
        ...
