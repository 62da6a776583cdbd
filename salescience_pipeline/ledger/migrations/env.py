"""Run by Alembic, never imported: applies the revisions inside the transaction that ``ledger.migrate`` opened."""

from __future__ import annotations

from alembic import context
from sqlalchemy import Connection

from salescience_pipeline.ledger.service_models import Job

connection: Connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=Job.metadata,
    compare_type=True,
    # Our SQLite engine begins real transactions, so a half-applied revision cannot be left behind there either.
    transactional_ddl=True,
    render_as_batch=True,
)
context.run_migrations()
