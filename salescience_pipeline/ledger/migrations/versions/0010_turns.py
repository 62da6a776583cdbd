"""Indexes that find whose turn it is without looking at every chunk.

Revision: 0010, after 0009.
"""

from __future__ import annotations

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_BEFORE = "ix_run_chunks_status_priority_created_at"
_TURN = "ix_run_chunks_turn"
_SERVED = "ix_run_chunks_organization_id_status_updated_at"


def upgrade() -> None:
    """Apply."""
    op.drop_index(_BEFORE, "run_chunks")
    op.create_index(_TURN, "run_chunks", ["status", "organization_id", "priority", "created_at", "run_key"])
    op.create_index(_SERVED, "run_chunks", ["organization_id", "status", "updated_at"])


def downgrade() -> None:
    """Take back."""
    op.drop_index(_SERVED, "run_chunks")
    op.drop_index(_TURN, "run_chunks")
    op.create_index(_BEFORE, "run_chunks", ["status", "priority", "created_at"])
