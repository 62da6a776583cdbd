"""Answers of the lake to submissions, kept so that the same one is given again without reading a table.

An answer names its basis, and holds while that is what the basis is now. Counters of what was written are a part of it:
who writes rows counts up afterwards, who asks looks at the counters first. So an answer from between the two never
holds, whatever clocks say. What does not belong here: what an answer rests on and what stands in it (``acquisition``).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine, bindparam, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from salescience_pipeline.ledger.models import LakeAnswer, LakeGeneration
from salescience_pipeline.ledger.scoping import looking, writing

_AT_ONCE = 500
"""Scopes in one statement: a database takes a bounded number of parameters."""
FORGOTTEN_AFTER = dt.timedelta(days=2)
"""An answer rests on its day, so that it is of no use on the next."""
_ANSWERS = LakeAnswer.metadata.tables[LakeAnswer.__tablename__]
_GENERATIONS = LakeGeneration.metadata.tables[LakeGeneration.__tablename__]
_FIND = select(_ANSWERS.c.ticker, _ANSWERS.c.basis, _ANSWERS.c.found).where(
    _ANSWERS.c.provider == bindparam("provider"),
    _ANSWERS.c.ticker.in_(bindparam("tickers", expanding=True)),
    _ANSWERS.c.n_years == bindparam("n_years"),
    _ANSWERS.c.form == bindparam("form"),
)
_COUNTS = select(_GENERATIONS.c.scope, _GENERATIONS.c.generation).where(
    _GENERATIONS.c.scope.in_(bindparam("scopes", expanding=True))
)


def _utc_now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer and what it rests on."""

    basis: str
    found: Sequence[Mapping[str, Any]]


class LakeAnswers:
    """The kept answers; each call is one transaction."""

    def __init__(self, engine: Engine, *, clock: Callable[[], dt.datetime] = _utc_now) -> None:
        """Use the migrated database behind ``engine``."""
        self._engine, self._clock = engine, clock
        self._insert = postgresql.insert if engine.dialect.name == "postgresql" else sqlite.insert

    def generations(self, scopes: Collection[str]) -> dict[str, int]:
        """How often each of ``scopes`` was written; 0 for what nobody counted yet."""
        names = sorted(scopes)
        found = dict.fromkeys(names, 0)
        with looking(self._engine, None) as connection:
            for start in range(0, len(names), _AT_ONCE):
                rows = connection.execute(_COUNTS, {"scopes": names[start : start + _AT_ONCE]})
                found |= {row.scope: row.generation for row in rows}
        return found

    def count(self, scopes: Collection[str]) -> None:
        """Rows were written that answers about ``scopes`` rest on; to be called once they are committed."""
        if not scopes:
            return
        statement = self._insert(LakeGeneration)
        statement = statement.on_conflict_do_update(
            index_elements=["scope"], set_={"generation": LakeGeneration.generation + 1}
        )
        with writing(self._engine, None) as connection:
            # In one order, so that two that count the same never wait for each other in a circle.
            connection.execute(statement, [{"scope": scope, "generation": 1} for scope in sorted(scopes)])

    def find(self, provider: str, tickers: Collection[str], n_years: int, form: str) -> dict[str, Kept]:
        """What is kept for these tickers, whether it still holds or not."""
        asked = {"provider": provider, "tickers": sorted(tickers), "n_years": n_years, "form": form}
        with looking(self._engine, None) as connection:
            return {row.ticker: Kept(row.basis, row.found) for row in connection.execute(_FIND, asked)}

    def keep(self, provider: str, n_years: int, form: str, answers: Mapping[str, Kept]) -> None:
        """Keep an answer for each ticker, in the place of an earlier one; answers of days gone by are forgotten."""
        if not answers:
            return
        now = self._clock()
        statement = self._insert(LakeAnswer)
        statement = statement.on_conflict_do_update(
            index_elements=["provider", "ticker", "n_years", "form"],
            set_={name: statement.excluded[name] for name in ("basis", "found", "kept_at")},
        )
        about = {"provider": provider, "n_years": n_years, "form": form, "kept_at": now}
        rows = [
            {**about, "ticker": ticker, "basis": kept.basis, "found": list(kept.found)}
            for ticker, kept in sorted(answers.items())
        ]
        with writing(self._engine, None) as connection:
            connection.execute(statement, rows)
            connection.execute(delete(LakeAnswer).where(LakeAnswer.kept_at < now - FORGOTTEN_AFTER))
