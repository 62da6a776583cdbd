"""What was asked of a provider for each organisation today, and what people are to be told.

Revision: 0009, after 0008.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_SETTING = "current_setting('salescience.organization', true)"


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "provider_shares",
        sa.Column("organization_id", sa.String(63), nullable=False),
        sa.Column("provider", sa.String(63), nullable=False),
        sa.Column("day_start", sa.Float(53), nullable=False),
        sa.Column("used", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("organization_id", "provider", name="pk_provider_shares"),
    )
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "alerts",
        sa.Column("name", sa.String(127), nullable=False),
        sa.Column("began_at", moment, nullable=False),
        sa.Column("summary", sa.String(500), nullable=False),
        sa.Column("seen_at", moment, nullable=False),
        sa.Column("over_at", moment, nullable=True),
        sa.Column("told_at", moment, nullable=True),
        sa.Column("told_over_at", moment, nullable=True),
        sa.PrimaryKeyConstraint("name", "began_at", name="pk_alerts"),
    )
    if op.get_bind().dialect.name == "postgresql":
        rule = f"organization_id = {_SETTING} OR {_SETTING} = '*'"
        op.execute("ALTER TABLE provider_shares ENABLE ROW LEVEL SECURITY")
        op.execute("ALTER TABLE provider_shares FORCE ROW LEVEL SECURITY")
        op.execute(
            f"CREATE POLICY provider_shares_of_organization ON provider_shares USING ({rule}) WITH CHECK ({rule})"
        )


def downgrade() -> None:
    """Take back."""
    op.drop_table("alerts")
    op.drop_table("provider_shares")
