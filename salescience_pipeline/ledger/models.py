"""The ledger's tables as SQLAlchemy models; ``migrations`` brings a database to this shape.

A table says who writes it. What does not belong here: queries and rules.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import JSON, BigInteger, Date, DateTime, Dialect, Float, Index, Integer, MetaData, String, Text, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator


class UtcDateTime(TypeDecorator[dt.datetime]):
    """An aware moment; stored as ``timestamptz`` in PostgreSQL and as naive UTC in SQLite, aware again when read."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: dt.datetime | None, dialect: Dialect) -> dt.datetime | None:
        """Refuse what has no zone: it would mean something else on every machine."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("A moment without a time zone cannot be stored.")
        value = value.astimezone(dt.UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: Any, dialect: Dialect) -> dt.datetime | None:  # noqa: ARG002 - SQLAlchemy's signature
        """Give the zone back."""
        if not isinstance(value, dt.datetime):
            return None
        return value.replace(tzinfo=dt.UTC) if value.tzinfo is None else value.astimezone(dt.UTC)


class Base(DeclarativeBase):
    """All tables; constraints are named by rule, so that migrations can name them too."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class ProviderGate(Base):
    """One row per provider: the fields of ``clients.gate_model.GateState``, written under the row's lock."""

    __tablename__ = "provider_gate"

    provider: Mapped[str] = mapped_column(String(63), primary_key=True)
    tat: Mapped[float] = mapped_column(Float(53))
    seq: Mapped[int] = mapped_column(BigInteger)
    late: Mapped[str] = mapped_column(Text)
    paused_until: Mapped[float] = mapped_column(Float(53))
    throttled: Mapped[int] = mapped_column(Integer)
    blocked_until: Mapped[float] = mapped_column(Float(53))
    quota_until: Mapped[float] = mapped_column(Float(53))
    breaker: Mapped[str] = mapped_column(String(16))
    failures: Mapped[int] = mapped_column(Integer)
    successes: Mapped[int] = mapped_column(Integer)
    changed_at: Mapped[float] = mapped_column(Float(53))
    open_until: Mapped[float] = mapped_column(Float(53))
    open_count: Mapped[int] = mapped_column(Integer)
    probe_holder: Mapped[str] = mapped_column(String(63))
    probe_until: Mapped[float] = mapped_column(Float(53))
    minute_start: Mapped[float] = mapped_column(Float(53))
    minute_used: Mapped[int] = mapped_column(Integer)
    hour_start: Mapped[float] = mapped_column(Float(53))
    hour_used: Mapped[int] = mapped_column(Integer)
    day_start: Mapped[float] = mapped_column(Float(53))
    day_used: Mapped[int] = mapped_column(Integer)
    month_start: Mapped[float] = mapped_column(Float(53))
    month_used: Mapped[int] = mapped_column(Integer)


class ProviderSymbol(Base):
    """The distinct symbols asked for in a month, where a plan limits their number; written with the gate row."""

    __tablename__ = "provider_symbol"

    provider: Mapped[str] = mapped_column(String(63), primary_key=True)
    month: Mapped[dt.date] = mapped_column(Date, primary_key=True)
    symbol: Mapped[str] = mapped_column(String(63), primary_key=True)


class WatchlistEntry(Base):
    """A ticker in a scope from ``valid_from`` until before ``valid_to`` (open: NULL); rows are never deleted."""

    __tablename__ = "watchlist"
    _open_shared = text("valid_to IS NULL AND organization_id IS NULL")
    _open_owned = text("valid_to IS NULL AND organization_id IS NOT NULL")
    __table_args__ = (
        # Two processes may add the same ticker at once; the database keeps one open entry. NULLs are never equal,
        # so the shared list (no organisation) needs an index of its own.
        Index(
            "uq_watchlist_open_shared",
            "scope",
            "ticker",
            unique=True,
            sqlite_where=_open_shared,
            postgresql_where=_open_shared,
        ),
        Index(
            "uq_watchlist_open_owned",
            "organization_id",
            "scope",
            "ticker",
            unique=True,
            sqlite_where=_open_owned,
            postgresql_where=_open_owned,
        ),
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    organization_id: Mapped[str | None] = mapped_column(String(63))
    scope: Mapped[str] = mapped_column(String(31))
    ticker: Mapped[str] = mapped_column(String(15))
    valid_from: Mapped[dt.datetime] = mapped_column(UtcDateTime)
    valid_to: Mapped[dt.datetime | None] = mapped_column(UtcDateTime)
    added_by: Mapped[str] = mapped_column(String(127))
    removed_by: Mapped[str | None] = mapped_column(String(127))


class CompletenessEntry(Base):
    """How things stand with one subject in one partition of a dataset; written by ``ledger.completeness``."""

    __tablename__ = "completeness"

    dataset: Mapped[str] = mapped_column(String(127), primary_key=True)
    partition: Mapped[str] = mapped_column(String(63), primary_key=True)
    subject: Mapped[str] = mapped_column(String(63), primary_key=True)
    status: Mapped[str] = mapped_column(String(15))
    rows: Mapped[int] = mapped_column(Integer)
    checked_at: Mapped[dt.datetime] = mapped_column(UtcDateTime)
    run_id: Mapped[str] = mapped_column(String(63))
    source: Mapped[str] = mapped_column(String(63))
    raw_sha256: Mapped[str] = mapped_column(String(64))
    first_date: Mapped[dt.date | None] = mapped_column(Date)
    last_date: Mapped[dt.date | None] = mapped_column(Date)
    reason: Mapped[str | None] = mapped_column(String(500))


class LakeGeneration(Base):
    """How often something that answers of the lake rest on was written; counted by ``ledger.lake_answers``."""

    __tablename__ = "lake_generations"

    scope: Mapped[str] = mapped_column(String(127), primary_key=True)
    generation: Mapped[int] = mapped_column(Integer)


class LakeAnswer(Base):
    """What the lake held for a ticker when it was last asked; market data, so that it belongs to everybody.

    ``basis`` says what it rests on: an answer of another basis than today's is none.
    """

    __tablename__ = "lake_answers"

    provider: Mapped[str] = mapped_column(String(63), primary_key=True)
    ticker: Mapped[str] = mapped_column(String(15), primary_key=True)
    n_years: Mapped[int] = mapped_column(Integer, primary_key=True)
    form: Mapped[str] = mapped_column(String(31), primary_key=True)
    basis: Mapped[str] = mapped_column(String(200))
    found: Mapped[list[Any]] = mapped_column(JSON)
    kept_at: Mapped[dt.datetime] = mapped_column(UtcDateTime, index=True)
