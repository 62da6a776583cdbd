"""Room for sealed values: what organisations wrote is longer when it is sealed than when it was written.

PostgreSQL counts the characters of a column, SQLite does not. Rows that are in clear stay so and stay readable; they are
sealed by ``salescience keys reseal``, because a migration has no keys. On the way back sealed values do not fit, and
PostgreSQL says so.

Revision: 0005, after 0004.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_COLUMNS = (
    ("jobs", "user_id", 127), ("job_sources", "error", 500), ("tasks", "task_name", 200),
    ("service_requests", "scenario_id", 63), ("service_requests", "business_type_id", 63), ("webhooks", "url", 2_000),
    ("webhooks", "secret", 127), ("saved_queries", "description", 500),
)  # fmt: skip


def upgrade() -> None:
    """Apply."""
    if op.get_bind().dialect.name == "postgresql":
        for table, column, _ in _COLUMNS:
            op.alter_column(table, column, type_=sa.Text())


def downgrade() -> None:
    """Take back."""
    if op.get_bind().dialect.name == "postgresql":
        for table, column, length in _COLUMNS:
            op.alter_column(table, column, type_=sa.String(length))
