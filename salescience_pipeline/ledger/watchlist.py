"""The watchlist: which tickers each scope holds, and held on any day before.

Entries are closed, never deleted, so the list of a past day is a query. What does not belong here: whether a provider
knows the ticker, and Dagster's partitions (a sensor follows this table).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Engine, and_, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from salescience_pipeline.catalog.scopes import Scope
from salescience_pipeline.identifiers import OrganizationId, Ticker, parse_tickers
from salescience_pipeline.ledger.engine import reading
from salescience_pipeline.ledger.errors import LedgerError
from salescience_pipeline.ledger.models import WatchlistEntry

_EXCHANGE = ZoneInfo("America/New_York")


@dataclass(frozen=True, slots=True)
class Entry:
    """A ticker's stay in a scope; moments in UTC, ``valid_to`` None while it lasts."""

    ticker: Ticker
    scope: Scope
    organization_id: OrganizationId | None
    valid_from: dt.datetime
    valid_to: dt.datetime | None
    added_by: str
    removed_by: str | None


def _utc_now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


class Watchlist:
    """The watchlist in the ledger; every method is one transaction."""

    def __init__(self, engine: Engine, *, clock: Callable[[], dt.datetime] = _utc_now) -> None:
        """Use the migrated database behind ``engine``; ``clock`` gives aware moments."""
        self._engine, self._clock = engine, clock

    def add(
        self,
        scope: Scope | str,
        tickers: Iterable[str],
        *,
        organization: str | None = None,
        by: str = "system",
        since: dt.date | None = None,
    ) -> tuple[Ticker, ...]:
        """Put tickers on the list; what is on it already stays untouched.

        Args:
            scope: The list; ``none`` (the whole market) cannot hold tickers.
            tickers: Validated all together before the first is written.
            organization: The organisation whose list it is; None for the shared one.
            by: Who adds them, for the history.
            since: Exchange-local day from which they count; now by default.

        Returns:
            The tickers that were not on the list before.

        Raises:
            InvalidIdentifier: naming the first ticker that is none; nothing was written.
            LedgerError: for the scope ``none`` or one that does not exist.
        """
        held, names, owner = _scope(scope), parse_tickers(tickers), _organization(organization)
        start = self._clock() if since is None else _midnight(since)
        if not names:
            return ()
        rows = [
            {
                "organization_id": owner,
                "scope": held.value,
                "ticker": str(name),
                "valid_from": start,
                "added_by": by[:127],
            }
            for name in names
        ]
        # Both dialects spell "leave what is there", each with a class of its own.
        insert = postgresql.insert if self._engine.dialect.name == "postgresql" else sqlite.insert
        statement = insert(WatchlistEntry).on_conflict_do_nothing().returning(WatchlistEntry.ticker)
        with self._engine.begin() as connection:
            written = set(connection.scalars(statement, rows))
        return tuple(name for name in names if name in written)

    def remove(
        self, scope: Scope | str, tickers: Iterable[str], *, organization: str | None = None, by: str = "system"
    ) -> tuple[Ticker, ...]:
        """Take tickers off the list from now on; their past stays. Returns those that were on it.

        Raises:
            InvalidIdentifier: naming the first ticker that is none; nothing was written.
            LedgerError: for the scope ``none`` or one that does not exist.
        """
        held, names, owner = _scope(scope), parse_tickers(tickers), _organization(organization)
        statement = (
            update(WatchlistEntry)
            .where(_owned_by(owner), WatchlistEntry.scope == held.value, WatchlistEntry.valid_to.is_(None))
            .where(WatchlistEntry.ticker.in_([str(name) for name in names]))
            .values(valid_to=self._clock(), removed_by=by[:127])
            .returning(WatchlistEntry.ticker)
        )
        with self._engine.begin() as connection:
            closed = set(connection.scalars(statement))
        return tuple(name for name in names if name in closed)

    def tickers(
        self, scope: Scope | str, *, on: dt.date | None = None, organization: str | None = None
    ) -> tuple[Ticker, ...]:
        """The tickers of a scope, sorted: now, or as the exchange-local day ``on`` ended.

        ``entire_watchlist`` contains the active symbols; ``none`` is empty by meaning.

        Raises:
            LedgerError: for a scope that does not exist.
        """
        wanted = _known(scope)
        if wanted is Scope.NONE:
            return ()
        scopes = [wanted.value]
        if wanted is Scope.ENTIRE_WATCHLIST:
            scopes.append(Scope.ACTIVE_SYMBOLS.value)
        query = select(WatchlistEntry.ticker).distinct().where(WatchlistEntry.scope.in_(scopes))
        query = query.where(_owned_by(_organization(organization)), self._valid(on))
        with reading(self._engine).connect() as connection:
            return tuple(sorted(Ticker(name) for name in connection.scalars(query)))

    def entries(
        self, scope: Scope | str | None = None, *, organization: str | None = None, past: bool = False
    ) -> tuple[Entry, ...]:
        """The entries of one scope or of all, with who added them and since when; ``past`` adds the closed ones.

        Raises:
            LedgerError: for a scope that does not exist.
        """
        query = select(WatchlistEntry).where(_owned_by(_organization(organization)))
        if scope is not None:
            query = query.where(WatchlistEntry.scope == _known(scope).value)
        if not past:
            query = query.where(WatchlistEntry.valid_to.is_(None))
        query = query.order_by(WatchlistEntry.scope, WatchlistEntry.ticker, WatchlistEntry.valid_from)
        with Session(reading(self._engine)) as session:
            return tuple(_entry(row) for row in session.scalars(query))

    def seed(
        self, lists: Mapping[Scope, Iterable[str]], *, by: str = "seed", since: dt.date | None = None
    ) -> tuple[Ticker, ...]:
        """Fill the shared scopes that never held a ticker; what somebody removed on purpose does not come back.

        Raises:
            InvalidIdentifier: naming the first ticker that is none; nothing was written.
            LedgerError: for the scope ``none``.
        """
        checked = {_scope(scope): parse_tickers(names) for scope, names in lists.items()}
        added: list[Ticker] = []
        for scope, names in checked.items():
            if not self.entries(scope, past=True):
                added += self.add(scope, names, by=by, since=since)
        return tuple(dict.fromkeys(added))

    def _valid(self, on: dt.date | None) -> ColumnElement[bool]:
        if on is None:
            return and_(WatchlistEntry.valid_to.is_(None), WatchlistEntry.valid_from <= self._clock())
        end = _midnight(on + dt.timedelta(days=1))
        still = or_(WatchlistEntry.valid_to.is_(None), WatchlistEntry.valid_to >= end)
        return and_(WatchlistEntry.valid_from < end, still)


def _known(scope: Scope | str) -> Scope:
    try:
        return Scope(scope)
    except ValueError:
        names = ", ".join(known.value for known in Scope)
        raise LedgerError(f"There is no scope {str(scope)[:40]!r}; the scopes are {names}.") from None


def _scope(scope: Scope | str) -> Scope:
    held = _known(scope)
    if held is Scope.NONE:
        raise LedgerError("The scope none stands for the whole market and cannot hold tickers.")
    return held


def _organization(organization: str | None) -> OrganizationId | None:
    return None if organization is None else OrganizationId(organization)


def _owned_by(organization: OrganizationId | None) -> ColumnElement[bool]:
    if organization is None:
        return WatchlistEntry.organization_id.is_(None)
    return WatchlistEntry.organization_id == str(organization)


def _midnight(day: dt.date) -> dt.datetime:
    """The moment at which ``day`` begins at the exchange."""
    return dt.datetime.combine(day, dt.time(), _EXCHANGE)


def _entry(row: WatchlistEntry) -> Entry:
    return Entry(
        ticker=Ticker(row.ticker),
        scope=Scope(row.scope),
        organization_id=_organization(row.organization_id),
        valid_from=row.valid_from,
        valid_to=row.valid_to,
        added_by=row.added_by,
        removed_by=row.removed_by,
    )
