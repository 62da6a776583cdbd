"""The daily housekeeping in one call: requests copied out, tables compacted and vacuumed, files swept, the audit anchored.

One table that cannot be kept never stops the others. What does not belong here: how a table is compacted
(``lake.maintenance``), and when (``orchestration.maintenance``).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from deltalake.exceptions import DeltaError

from salescience_pipeline.acquisition.services import Services
from salescience_pipeline.catalog.tables import TABLES
from salescience_pipeline.lake.errors import LakeError, UnknownTable
from salescience_pipeline.lake.maintenance import ANSWERS, LEAST_GRACE, export_audit, maintain
from salescience_pipeline.ledger.ledger import anchors_of_settings

Progress = Callable[[str, int, int], None]
"""Told the table in hand, how many are done, and of how many."""


@dataclass(frozen=True, slots=True)
class TableKept:
    """What happened to one table; ``error`` is None when all went well. Files and bytes are those of the newest version."""

    name: str
    files_before: int
    files_after: int
    rows_rewritten: int
    bytes_rewritten: int
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Housekeeping:
    """What one round did; tables that were never written are not listed."""

    tables: tuple[TableKept, ...]
    answers_exported: int
    files_swept: int
    chains_anchored: int = 0
    """Chains of the audit in the day's anchor; 0 when it had been written before."""

    @property
    def failed(self) -> tuple[TableKept, ...]:
        """Tables that could not be kept."""
        return tuple(table for table in self.tables if table.error is not None)

    @property
    def sentence(self) -> str:
        """The round in one sentence."""
        before, after = (
            sum(getattr(table, which) for table in self.tables) for which in ("files_before", "files_after")
        )
        told = (
            f"{len(self.tables)} tables kept: {before} files became {after}; {self.answers_exported} rows of the audit copied, "
            f"{self.files_swept} left-over files swept, {self.chains_anchored} chains of the audit anchored"
        )
        return f"{told}; {len(self.failed)} failed." if self.failed else f"{told}."


def keep_house(
    services: Services,
    names: Sequence[str] = (),
    *,
    grace: dt.timedelta = LEAST_GRACE,
    progress: Progress | None = None,
) -> Housekeeping:
    """Copy the audit, then compact, vacuum and checkpoint the tables, and sweep what interrupted writes left.

    Safe beside writers and readers, and any number of times.

    Args:
        services: the opened rooms.
        names: only these tables; default: all.
        grace: how old a replaced file must be before it is deleted, at least 24 hours.
        progress: told before each table.

    Raises:
        ValueError: for a grace of less than 24 hours; nothing was touched.
        UnknownTable: for a name that the catalogue does not hold; nothing was touched.
        LedgerError: when the anchors of the audit are not sound; everything else was done.
    """
    if grace < LEAST_GRACE:
        raise ValueError("The grace must be at least 24 hours: readers may hold file lists that old.")
    for name in names:
        if name not in TABLES:
            raise UnknownTable(name)
    rows_before = services.tables.row_count(ANSWERS)
    export_audit(services.archive, services.tables)
    exported = services.tables.row_count(ANSWERS) - rows_before
    chosen = [name for name in names or TABLES if (services.archive.layout.table(name) / "_delta_log").is_dir()]
    kept = []
    for number, name in enumerate(chosen):
        if progress is not None:
            progress(name, number, len(chosen))
        kept.append(_keep(services, name, grace))
    swept = services.archive.sweep()
    heads = services.ledger.audit.heads()
    written = anchors_of_settings(services.settings).write(heads, dt.datetime.now(dt.UTC).date()) if heads else None
    return Housekeeping(tuple(kept), exported, swept, 0 if written is None else len(heads))


def _keep(services: Services, name: str, grace: dt.timedelta) -> TableKept:
    try:
        done = maintain(services.tables, name, grace)
    except (LakeError, DeltaError, OSError) as error:
        return TableKept(name, 0, 0, 0, 0, str(error).split("\n", maxsplit=1)[0])
    return TableKept(name, done.files_before, done.files_after, done.rows, done.bytes)
