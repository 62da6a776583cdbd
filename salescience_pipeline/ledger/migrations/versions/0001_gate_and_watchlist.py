"""The providers' gate rows and the watchlist.

Revision: 0001, the first.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_MOMENTS = ("tat", "paused_until", "blocked_until", "quota_until", "changed_at", "open_until", "probe_until")
_COUNTS = ("throttled", "failures", "successes", "open_count")
_WINDOWS = ("minute", "hour", "day", "month")


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "provider_gate",
        sa.Column("provider", sa.String(63), nullable=False),
        *(sa.Column(name, sa.Float(53), nullable=False) for name in _MOMENTS),
        *(sa.Column(name, sa.Integer(), nullable=False) for name in _COUNTS),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("late", sa.Text(), nullable=False),
        sa.Column("breaker", sa.String(16), nullable=False),
        sa.Column("probe_holder", sa.String(63), nullable=False),
        *(sa.Column(f"{window}_start", sa.Float(53), nullable=False) for window in _WINDOWS),
        *(sa.Column(f"{window}_used", sa.Integer(), nullable=False) for window in _WINDOWS),
        sa.PrimaryKeyConstraint("provider", name="pk_provider_gate"),
    )
    op.create_table(
        "provider_symbol",
        sa.Column("provider", sa.String(63), nullable=False),
        sa.Column("month", sa.Date(), nullable=False),
        sa.Column("symbol", sa.String(63), nullable=False),
        sa.PrimaryKeyConstraint("provider", "month", "symbol", name="pk_provider_symbol"),
    )
    op.create_table(
        "watchlist",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("organization_id", sa.String(63)),
        sa.Column("scope", sa.String(31), nullable=False),
        sa.Column("ticker", sa.String(15), nullable=False),
        sa.Column("valid_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("valid_to", sa.DateTime(timezone=True)),
        sa.Column("added_by", sa.String(127), nullable=False),
        sa.Column("removed_by", sa.String(127)),
        sa.PrimaryKeyConstraint("id", name="pk_watchlist"),
    )
    shared = sa.text("valid_to IS NULL AND organization_id IS NULL")
    op.create_index(
        "uq_watchlist_open_shared",
        "watchlist",
        ["scope", "ticker"],
        unique=True,
        sqlite_where=shared,
        postgresql_where=shared,
    )
    owned = sa.text("valid_to IS NULL AND organization_id IS NOT NULL")
    op.create_index(
        "uq_watchlist_open_owned",
        "watchlist",
        ["organization_id", "scope", "ticker"],
        unique=True,
        sqlite_where=owned,
        postgresql_where=owned,
    )


def downgrade() -> None:
    """Take back."""
    for table in ("watchlist", "provider_symbol", "provider_gate"):
        op.drop_table(table)
