"""What people must know of: one row per incident, from when it began until it was over, told once each way.

What is wrong again within a few minutes of having been right is the same incident, so that something that comes and goes
tells nobody twice. What does not belong here: judging (``gateway.alerting``), and sending.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sqlalchemy import Engine, insert, select, update

from salescience_pipeline.ledger.jobs import utc_now
from salescience_pipeline.ledger.scoping import looking, writing
from salescience_pipeline.ledger.service_models import Alert

QUIET = dt.timedelta(minutes=5)
"""How long nothing must be wrong before an incident is over."""


@dataclass(frozen=True, slots=True)
class Incident:
    """One incident as people are told of it."""

    name: str
    summary: str
    began_at: dt.datetime
    over_at: dt.datetime | None


class Alerts:
    """The incidents; every method is one transaction."""

    def __init__(self, engine: Engine, *, clock: Callable[[], dt.datetime] = utc_now) -> None:
        """Use the migrated database behind ``engine``."""
        self._engine, self._clock = engine, clock

    def see(self, wrong: Mapping[str, str]) -> list[Incident]:
        """Take in what is wrong now; returns the incidents that nobody was told of yet, or not of their end.

        Args:
            wrong: A sentence by the name of what is wrong.
        """
        now = self._clock()
        with writing(self._engine, None) as connection:
            rows = connection.execute(select(Alert).where(Alert.over_at.is_(None))).mappings().all()
            known = {row["name"] for row in rows}
            for name, summary in wrong.items():
                if name not in known:
                    connection.execute(
                        insert(Alert).values(name=name, began_at=now, summary=summary[:500], seen_at=now)
                    )
            for row in rows:
                mine = (Alert.name == row["name"]) & (Alert.began_at == row["began_at"])
                if row["name"] in wrong:
                    connection.execute(update(Alert).where(mine).values(seen_at=now))
                elif now - row["seen_at"] >= QUIET:
                    connection.execute(update(Alert).where(mine).values(over_at=now))
            untold = select(Alert).where(
                Alert.told_at.is_(None) | (Alert.over_at.is_not(None) & Alert.told_over_at.is_(None))
            )
            found = connection.execute(untold.order_by(Alert.began_at, Alert.name)).mappings().all()
        return [Incident(row["name"], row["summary"], row["began_at"], row["over_at"]) for row in found]

    def told(self, incident: Incident) -> None:
        """Note that people know: of its beginning, or when it is over of both."""
        now = self._clock()
        values = {"told_at": now} if incident.over_at is None else {"told_at": now, "told_over_at": now}
        mine = (Alert.name == incident.name) & (Alert.began_at == incident.began_at)
        with writing(self._engine, None) as connection:
            connection.execute(update(Alert).where(mine).values(**values))

    def open(self) -> list[Incident]:
        """The incidents that are not over, oldest first."""
        query = select(Alert).where(Alert.over_at.is_(None)).order_by(Alert.began_at, Alert.name)
        with looking(self._engine, None) as connection:
            rows = connection.execute(query).mappings().all()
        return [Incident(row["name"], row["summary"], row["began_at"], None) for row in rows]
