"""The ledger as one object: opened by address, migrated, with everything it offers behind plain attributes.

What does not belong here: statements; each table's own module has them.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from sqlalchemy import Engine, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session, configure_mappers

from salescience_pipeline.ledger.alerts import Alerts
from salescience_pipeline.ledger.anchors import Anchors
from salescience_pipeline.ledger.audit_log import AuditLog
from salescience_pipeline.ledger.completeness import Completeness
from salescience_pipeline.ledger.dead_letters import DeadLetters
from salescience_pipeline.ledger.dispatch import Dispatch
from salescience_pipeline.ledger.engine import make_engine, reading
from salescience_pipeline.ledger.errors import LedgerError
from salescience_pipeline.ledger.gate_store import PostgresGateStore, SqliteGateStore, gate_store
from salescience_pipeline.ledger.jobs import Jobs, utc_now
from salescience_pipeline.ledger.lake_answers import LakeAnswers
from salescience_pipeline.ledger.migrate import upgrade
from salescience_pipeline.ledger.models import ProviderGate
from salescience_pipeline.ledger.monitoring import Monitoring
from salescience_pipeline.ledger.organizations import Organizations
from salescience_pipeline.ledger.request_limits import RequestLimits
from salescience_pipeline.ledger.saved_queries import SavedQueries
from salescience_pipeline.ledger.sealing import attach
from salescience_pipeline.ledger.shredding import Sealed
from salescience_pipeline.ledger.tasks import Tasks
from salescience_pipeline.ledger.vault import LocalMasterKeys, Vault
from salescience_pipeline.ledger.watchlist import Watchlist
from salescience_pipeline.ledger.webhooks import Webhooks
from salescience_pipeline.settings import Settings

MASTER_FILE = "master.key"
"""The master key of who sets none: made beside the ledger, for its owner alone."""


@dataclass(frozen=True, slots=True)
class GateStatus:
    """A provider's gate row for people: moments in UTC, None for what does not hold now."""

    provider: str
    breaker: str
    failures: int
    open_count: int
    next_slot: dt.datetime | None
    paused_until: dt.datetime | None
    blocked_until: dt.datetime | None
    quota_until: dt.datetime | None
    open_until: dt.datetime | None
    used: dict[str, tuple[dt.datetime, int]]
    """Window -> its begin and the requests counted in it, for the windows that the plan limits."""


class Ledger:
    """The service database of one world."""

    def __init__(self, engine: Engine) -> None:
        """Use a database that is migrated already; :meth:`open` is the usual way."""
        self.engine = engine
        self.gate_store: SqliteGateStore | PostgresGateStore = gate_store(engine)
        self.watchlist = Watchlist(engine)
        self.completeness = Completeness(engine)
        self.lake_answers = LakeAnswers(engine)
        self.organizations = Organizations(engine)
        self.jobs = Jobs(engine)
        self.dispatch = Dispatch(engine)
        self.audit = AuditLog(engine)
        self.queries = SavedQueries(engine)
        self.monitoring = Monitoring(engine)
        self.tasks = Tasks(engine)
        self.alerts = Alerts(engine)
        self.request_limits = RequestLimits(engine)
        self.sealed = Sealed(engine)
        self.webhooks = Webhooks(engine, clock=utc_now)
        self.dead_letters = DeadLetters(engine, clock=utc_now)

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """The ledger of these settings, with the keys that open what organisations wrote.

        Raises:
            LedgerError: as :meth:`open`, and when the master keys cannot be read.
        """
        return cls.open(settings.ledger_url, vault=vault_of_settings(settings))

    @classmethod
    def open(cls, url: str, *, vault: Vault | None = None) -> Self:
        """Open the database at ``url`` (see ``Settings.ledger_url``) and bring it to the current shape.

        Safe to call from any number of processes at once; an empty database is filled once.

        Args:
            url: A SQLite file or a PostgreSQL database.
            vault: The keys of organisations; by default those beside a SQLite file, and for PostgreSQL none.

        Raises:
            LedgerError: when it cannot be reached, is newer than this software, or ``url`` is of another kind.
        """
        engine = make_engine(url)
        # Else the first statement does it: twenty milliseconds of computing under the write lock.
        configure_mappers()
        try:
            upgrade(engine)
        except DBAPIError as error:
            engine.dispose()
            where = engine.url.render_as_string(hide_password=True)
            raise LedgerError(f"The ledger at {where} cannot be opened.") from error
        except LedgerError:
            engine.dispose()
            raise
        if vault is None and engine.dialect.name == "sqlite":
            assert engine.url.database is not None
            vault = _vault_beside(Path(engine.url.database).parent)
        if vault is not None:
            attach(engine, vault)
        return cls(engine)

    def gate_rows(self) -> tuple[GateStatus, ...]:
        """The gates of all providers that were ever asked, by name."""
        now = self.gate_store.now()
        with Session(reading(self.engine)) as session:
            rows = session.scalars(select(ProviderGate).order_by(ProviderGate.provider))
            return tuple(_status(row, now) for row in rows)

    def close(self) -> None:
        """Close all connections."""
        self.gate_store.close()
        self.engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def vault_of_settings(settings: Settings) -> Vault:
    """The keys of organisations: their folder, and the master keys of the settings or of the file beside it.

    Raises:
        LedgerError: when the master keys cannot be read.
    """
    folder = settings.keys_dir or settings.root / "keys"
    return Vault(folder, _masters_of(settings, folder))


def anchors_of_settings(settings: Settings) -> Anchors:
    """Where the audit is anchored, signed by the master keys.

    Raises:
        LedgerError: when the master keys cannot be read.
    """
    masters = _masters_of(settings, settings.keys_dir or settings.root / "keys")
    return Anchors(settings.anchors_dir or settings.root / "anchors", masters)


def _masters_of(settings: Settings, folder: Path) -> LocalMasterKeys:
    if settings.master_keys is None:
        return LocalMasterKeys.from_file(folder.parent / MASTER_FILE)
    return LocalMasterKeys.parse(settings.master_keys.get_secret_value())


def _vault_beside(folder: Path) -> Vault:
    return Vault(folder / "keys", LocalMasterKeys.from_file(folder / MASTER_FILE))


def _status(row: ProviderGate, now: float) -> GateStatus:
    def ahead(moment: float) -> dt.datetime | None:
        return dt.datetime.fromtimestamp(moment, dt.UTC) if moment > now else None

    starts = {window: getattr(row, f"{window}_start") for window in ("minute", "hour", "day", "month")}
    return GateStatus(
        provider=row.provider,
        breaker=row.breaker,
        failures=row.failures,
        open_count=row.open_count,
        next_slot=ahead(row.tat),
        paused_until=ahead(row.paused_until),
        blocked_until=ahead(row.blocked_until),
        quota_until=ahead(row.quota_until),
        open_until=ahead(row.open_until),
        used={
            window: (dt.datetime.fromtimestamp(start, dt.UTC), getattr(row, f"{window}_used"))
            for window, start in starts.items()
            if start
        },
    )
