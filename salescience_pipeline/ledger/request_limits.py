"""Requests of an organisation in a minute, counted over all gateways: one row per organisation.

A gateway takes a block of them at a time and spends it by itself, so that a request costs no transaction. What a gateway
has taken and not spent by the end of the minute is lost: together they may let through less than the limit, never more.
What does not belong here: spending (the gateway does it).
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Engine, select, update
from sqlalchemy.dialects import postgresql, sqlite

from salescience_pipeline.identifiers import OrganizationId
from salescience_pipeline.ledger.scoping import writing
from salescience_pipeline.ledger.service_models import RequestWindow


class RequestLimits:
    """The counts of all organisations."""

    def __init__(self, engine: Engine) -> None:
        """Use the migrated database behind ``engine``."""
        self._engine = engine

    def take(self, organization: OrganizationId, minute: int, *, limit: int, block: int) -> tuple[int, int]:
        """Take up to ``block`` requests of a minute; returns that minute and how many there were left to take.

        Args:
            organization: Whose requests.
            minute: Minutes since the epoch, by the caller's clock.
            limit: Requests in a minute, over all gateways.
            block: How many to take at most.

        A gateway whose clock is behind gets what is left of the minute that another has begun.
        """
        make: Any = postgresql.insert if self._engine.dialect.name == "postgresql" else sqlite.insert
        mine = RequestWindow.organization_id == str(organization)
        with writing(self._engine, organization) as connection:
            row = {"organization_id": str(organization), "minute": minute, "taken": 0}
            connection.execute(make(RequestWindow).values(**row).on_conflict_do_nothing())
            held = connection.execute(
                select(RequestWindow.minute, RequestWindow.taken).where(mine).with_for_update()
            ).one()
            taken = held.taken if held.minute >= minute else 0
            got = max(min(block, limit - taken), 0)
            values = {"minute": max(held.minute, minute), "taken": taken + got}
            connection.execute(update(RequestWindow).where(mine).values(**values))
        return values["minute"], got
