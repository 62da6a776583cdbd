"""What the lake answered to submissions, and how often what an answer rests on was written.

Revision: 0011, after 0010.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "lake_generations",
        sa.Column("scope", sa.String(127), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("scope", name="pk_lake_generations"),
    )
    op.create_table(
        "lake_answers",
        sa.Column("provider", sa.String(63), nullable=False),
        sa.Column("ticker", sa.String(15), nullable=False),
        sa.Column("n_years", sa.Integer(), nullable=False),
        sa.Column("form", sa.String(31), nullable=False),
        sa.Column("basis", sa.String(200), nullable=False),
        sa.Column("found", sa.JSON(), nullable=False),
        sa.Column("kept_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("provider", "ticker", "n_years", "form", name="pk_lake_answers"),
    )
    op.create_index("ix_lake_answers_kept_at", "lake_answers", ["kept_at"])


def downgrade() -> None:
    """Take back."""
    op.drop_table("lake_answers")
    op.drop_table("lake_generations")
