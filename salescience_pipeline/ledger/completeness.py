"""What is complete and what is missing, per dataset, partition and subject: the memory of every retry.

It is written after the rows that it tells about, by every run, many small batches at once; so it lives in the ledger
and not in the lake. The marts get a copy of it as a table. What does not belong here: deciding it
(``acquisition.states``).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, replace

from sqlalchemy import Engine, Select, bindparam, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from salescience_pipeline.ledger.engine import reading
from salescience_pipeline.ledger.models import CompletenessEntry

_BATCH = 500
_NEVER = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


@dataclass(frozen=True, slots=True)
class State:
    """How things stand with one subject in one partition of a dataset."""

    dataset: str
    partition: str
    subject: str
    status: str
    rows: int = 0
    first_date: dt.date | None = None
    last_date: dt.date | None = None
    reason: str | None = None
    raw_sha256: str = ""
    source: str = ""
    run_id: str = ""
    checked_at: dt.datetime = _NEVER

    def stamped(self, *, checked_at: dt.datetime, run_id: str, source: str) -> State:
        """The same state with who established it, and when; a reason is cut to what its column holds."""
        reason = self.reason if self.reason is None else self.reason[:500]
        return replace(self, checked_at=checked_at, run_id=run_id, source=source, reason=reason)


_COLUMNS = tuple(field.name for field in fields(State))
_KEY = ("dataset", "partition", "subject")


_ENTRIES = CompletenessEntry.metadata.tables[CompletenessEntry.__tablename__]
_LOOKED_AT = (
    select(_ENTRIES.c.dataset, _ENTRIES.c.partition, func.max(_ENTRIES.c.checked_at))
    .where(
        _ENTRIES.c.dataset.in_(bindparam("datasets", expanding=True)),
        _ENTRIES.c.partition.in_(bindparam("partitions", expanding=True)),
    )
    .group_by(_ENTRIES.c.dataset, _ENTRIES.c.partition)
)


class Completeness:
    """The completeness table; each call is one transaction."""

    def __init__(self, engine: Engine) -> None:
        """Use the migrated database behind ``engine``."""
        self._engine = engine

    def record(self, states: Iterable[State]) -> None:
        """Write ``states``, each over what stood there before; the last of two with the same key wins."""
        rows = {(state.dataset, state.partition, state.subject): state for state in states}
        if not rows:
            return
        insert = postgresql.insert if self._engine.dialect.name == "postgresql" else sqlite.insert
        statement = insert(CompletenessEntry)
        statement = statement.on_conflict_do_update(
            index_elements=list(_KEY),
            set_={name: statement.excluded[name] for name in _COLUMNS if name not in _KEY},
        )
        values = [{name: getattr(state, name) for name in _COLUMNS} for _, state in sorted(rows.items())]
        with self._engine.begin() as connection:
            for start in range(0, len(values), _BATCH):
                connection.execute(statement, values[start : start + _BATCH])

    def states(
        self, dataset: str, *, partitions: Sequence[str] | None = None, subjects: Sequence[str] | None = None
    ) -> list[State]:
        """The states of a dataset, narrowed to ``partitions`` and ``subjects`` where they are given."""
        query = select(CompletenessEntry).where(CompletenessEntry.dataset == dataset)
        wanted = [("partition", partitions), ("subject", subjects)]
        narrowed = [(name, sorted({str(value) for value in values})) for name, values in wanted if values is not None]
        # A database takes a bounded number of parameters; a long list is narrowed here instead.
        here = {name: set(values) for name, values in narrowed if len(values) > _BATCH}
        for name, values in narrowed:
            if name not in here:
                query = query.where(getattr(CompletenessEntry, name).in_(values))
        return [state for state in self._read(query) if all(getattr(state, name) in here[name] for name in here)]

    def looked_at(self, datasets: Collection[str], partitions: Collection[str]) -> dict[tuple[str, str], dt.datetime]:
        """When each of these partitions of each of these datasets was last looked at, for those that ever were."""
        found: dict[tuple[str, str], dt.datetime] = {}
        names = sorted(partitions)
        for start in range(0, len(names), _BATCH):
            asked = {"datasets": sorted(datasets), "partitions": names[start : start + _BATCH]}
            with reading(self._engine).begin() as connection:
                found |= {(row[0], row[1]): row[2] for row in connection.execute(_LOOKED_AT, asked)}
        return found

    def all(self) -> Iterator[State]:
        """Every state, ordered by key."""
        yield from self._read(select(CompletenessEntry).order_by(*(getattr(CompletenessEntry, name) for name in _KEY)))

    def _read(self, query: Select[CompletenessEntry]) -> Iterator[State]:
        with Session(reading(self._engine)) as session:
            for row in session.scalars(query.execution_options(yield_per=2_000)):
                yield State(**{name: getattr(row, name) for name in _COLUMNS})
