"""Webhooks with their log, and dead letters that say whose they are. The tables of 0003 were never written to.

Revision: 0006, after 0005.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_SETTING = "current_setting('salescience.organization', true)"
_NEW = ("webhooks", "webhook_deliveries", "webhook_attempts", "dead_letters")


def _text(name: str, length: int | None = None, *, null: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text() if length is None else sa.String(length), nullable=null)


def _when(name: str, *, null: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=null)


def _number(name: str, *, null: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.Integer(), nullable=null)


def upgrade() -> None:
    """Apply."""
    _drop("webhooks", "webhook_deliveries", "dead_letters")
    op.create_table(
        "webhooks", _text("organization_id", 63), _text("webhook_id", 36), _text("url"), _text("description", 200),
        sa.Column("events", sa.JSON(), nullable=False), _text("secret"), _text("previous_secret", null=True),
        _when("previous_until", null=True), _when("created_at"), _when("disabled_at", null=True),
        _text("disabled_reason", 200, null=True),
        sa.PrimaryKeyConstraint("organization_id", "webhook_id", name="pk_webhooks"),
    )  # fmt: skip
    op.create_table(
        "webhook_deliveries", _text("delivery_id", 36), _text("organization_id", 63), _text("webhook_id", 36),
        _text("event", 31), sa.Column("body", sa.JSON(), nullable=False), _when("created_at"), _text("status", 15),
        _number("attempts"), _when("next_at"), _number("status_code", null=True), _text("error", 200, null=True),
        _when("finished_at", null=True), sa.PrimaryKeyConstraint("delivery_id", name="pk_webhook_deliveries"),
    )  # fmt: skip
    op.create_index("ix_webhook_deliveries_status_next_at", "webhook_deliveries", ["status", "next_at"])
    op.create_index(
        "ix_webhook_deliveries_organization_id_webhook_id_created_at", "webhook_deliveries",
        ["organization_id", "webhook_id", "created_at"],
    )  # fmt: skip
    op.create_table(
        "webhook_attempts", _number("id"), _text("organization_id", 63), _text("delivery_id", 36), _when("at"),
        sa.Column("milliseconds", sa.Float(53), nullable=False), _number("status_code", null=True),
        _text("error", 200, null=True), sa.PrimaryKeyConstraint("id", name="pk_webhook_attempts"),
    )  # fmt: skip
    op.create_index("ix_webhook_attempts_delivery_id_id", "webhook_attempts", ["delivery_id", "id"])
    op.create_table(
        "dead_letters", _number("id"), _text("organization_id", 63, null=True), _text("kind", 15), _text("origin", 200),
        _when("at"), _text("reason", 500), _text("body"), _text("status", 15), _when("changed_at"),
        sa.PrimaryKeyConstraint("id", name="pk_dead_letters"), sa.UniqueConstraint("origin", name="uq_dead_letters_origin"),
    )  # fmt: skip
    op.create_index("ix_dead_letters_organization_id_id", "dead_letters", ["organization_id", "id"])
    _guard(*_NEW)


def downgrade() -> None:
    """Take back, to the tables of 0003 and 0005."""
    _drop(*_NEW)
    sealed = op.get_bind().dialect.name == "postgresql"
    op.create_table(
        "webhooks", _text("organization_id", 63), _text("webhook_id", 36), _text("url", None if sealed else 2_000),
        _text("secret", None if sealed else 127),
        _when("created_at"), sa.PrimaryKeyConstraint("organization_id", "webhook_id", name="pk_webhooks"),
    )  # fmt: skip
    op.create_table(
        "webhook_deliveries", _text("delivery_id", 36), _text("organization_id", 63), _text("webhook_id", 36),
        sa.Column("body", sa.JSON(), nullable=False), _text("status", 15), _number("attempts"), _when("next_at"),
        _text("error", 200, null=True), sa.PrimaryKeyConstraint("delivery_id", name="pk_webhook_deliveries"),
    )  # fmt: skip
    op.create_index("ix_webhook_deliveries_status_next_at", "webhook_deliveries", ["status", "next_at"])
    op.create_table(
        "dead_letters", _number("id"), _text("origin", 200), _when("at"), _text("reason", 500), _text("body"),
        sa.PrimaryKeyConstraint("id", name="pk_dead_letters"), sa.UniqueConstraint("origin", name="uq_dead_letters_origin"),
    )  # fmt: skip
    _guard("webhooks", "webhook_deliveries")


def _drop(*tables: str) -> None:
    for table in tables:
        op.drop_table(table)


def _guard(*tables: str) -> None:
    """Row-level security as in 0003; a dead letter of nobody's is seen by the product's own housekeeping only."""
    if op.get_bind().dialect.name != "postgresql":
        return
    rule = f"organization_id = {_SETTING} OR {_SETTING} = '*'"
    for table in tables:
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY {table}_of_organization ON {table} USING ({rule}) WITH CHECK ({rule})")
