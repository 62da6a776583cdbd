"""How many requests an organisation may make in a minute, and how many of them its gateways have taken for it.

Revision: 0008, after 0007.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_SETTING = "current_setting('salescience.organization', true)"


def upgrade() -> None:
    """Apply."""
    op.add_column("organizations", sa.Column("requests_per_minute", sa.Integer(), nullable=True))
    op.create_table(
        "request_windows",
        sa.Column("organization_id", sa.String(63), nullable=False),
        sa.Column("minute", sa.Integer(), nullable=False),
        sa.Column("taken", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("organization_id", name="pk_request_windows"),
    )
    if op.get_bind().dialect.name == "postgresql":
        rule = f"organization_id = {_SETTING} OR {_SETTING} = '*'"
        op.execute("ALTER TABLE request_windows ENABLE ROW LEVEL SECURITY")
        op.execute("ALTER TABLE request_windows FORCE ROW LEVEL SECURITY")
        op.execute(
            f"CREATE POLICY request_windows_of_organization ON request_windows USING ({rule}) WITH CHECK ({rule})"
        )


def downgrade() -> None:
    """Take back."""
    op.drop_table("request_windows")
    op.drop_column("organizations", "requests_per_minute")
