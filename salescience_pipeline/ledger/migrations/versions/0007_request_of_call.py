"""A service request knows the request that asked for it, and carries its id to the service; room for a sealed description.

Revision: 0007, after 0006.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.add_column("service_requests", sa.Column("request_id", sa.String(64), nullable=True))
    if op.get_bind().dialect.name == "postgresql":
        op.alter_column("webhooks", "description", type_=sa.Text())


def downgrade() -> None:
    """Take back."""
    op.drop_column("service_requests", "request_id")
    if op.get_bind().dialect.name == "postgresql":
        op.alter_column("webhooks", "description", type_=sa.String(200))
