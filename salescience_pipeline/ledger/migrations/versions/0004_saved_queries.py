"""Questions that organisations keep; guarded by row-level security on PostgreSQL, as everything private (0003).

Revision: 0004, after 0003.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_SETTING = "current_setting('salescience.organization', true)"


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "saved_queries",
        sa.Column("organization_id", sa.String(63), nullable=False),
        sa.Column("name", sa.String(63), nullable=False),
        sa.Column("sql", sa.Text(), nullable=False),
        sa.Column("description", sa.String(500), nullable=False),
        sa.Column("created_by", sa.String(127), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("organization_id", "name", name="pk_saved_queries"),
    )
    if op.get_bind().dialect.name == "postgresql":
        rule = f"organization_id = {_SETTING} OR {_SETTING} = '*'"
        op.execute("ALTER TABLE saved_queries ENABLE ROW LEVEL SECURITY")
        op.execute("ALTER TABLE saved_queries FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY saved_queries_of_organization ON saved_queries USING ({rule}) WITH CHECK ({rule})")


def downgrade() -> None:
    """Take back."""
    op.drop_table("saved_queries")
