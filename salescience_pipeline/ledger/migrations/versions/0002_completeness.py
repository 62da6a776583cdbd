"""What is complete and what is missing.

Revision: 0002, after 0001.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "completeness",
        sa.Column("dataset", sa.String(127), nullable=False),
        sa.Column("partition", sa.String(63), nullable=False),
        sa.Column("subject", sa.String(63), nullable=False),
        sa.Column("status", sa.String(15), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("checked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("run_id", sa.String(63), nullable=False),
        sa.Column("source", sa.String(63), nullable=False),
        sa.Column("raw_sha256", sa.String(64), nullable=False),
        sa.Column("first_date", sa.Date()),
        sa.Column("last_date", sa.Date()),
        sa.Column("reason", sa.String(500)),
        sa.PrimaryKeyConstraint("dataset", "partition", "subject", name="pk_completeness"),
    )


def downgrade() -> None:
    """Take back."""
    op.drop_table("completeness")
