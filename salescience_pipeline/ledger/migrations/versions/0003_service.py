"""The service side: organisations, keys, jobs, tasks, health, heartbeats, audit and webhooks.

On PostgreSQL every private table gets row-level security, forced for its owner as well: a row is visible only in a
transaction that has set ``salescience.organization`` to its organisation, or to ``*`` for the product's own housekeeping.

Revision: 0003, after 0002.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_PRIVATE = (
    "api_keys", "jobs", "job_sources", "job_events", "run_chunks", "idempotency_keys", "tasks", "service_requests",
    "audit_log", "webhooks", "webhook_deliveries",
)  # fmt: skip
_SETTING = "current_setting('salescience.organization', true)"


def _text(name: str, length: int, *, null: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.String(length), nullable=null)


def _long(name: str, *, null: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=null)


def _when(name: str, *, null: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=null)


def _number(name: str, *, null: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.Integer(), nullable=null)


def _json(name: str, *, null: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.JSON(), nullable=null)


def _org() -> sa.Column[str]:
    return _text("organization_id", 63)


def _of_job(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["organization_id", "job_id"], ["jobs.organization_id", "jobs.job_id"], ondelete="CASCADE",
        name=f"fk_{table}_organization_id_job_id_jobs",
    )  # fmt: skip


def _index(table: str, *columns: str) -> None:
    op.create_index(f"ix_{table}_{'_'.join(columns)}", table, list(columns))


def upgrade() -> None:
    """Apply."""
    _people()
    _jobs()
    _tasks()
    _operations()
    if op.get_bind().dialect.name == "postgresql":
        _guard()


def _people() -> None:
    op.create_table(
        "organizations", _text("id", 63), _text("name", 200), _when("created_at"), _when("disabled_at", null=True),
        _number("max_open_jobs"), sa.PrimaryKeyConstraint("id", name="pk_organizations"),
    )  # fmt: skip
    op.create_table(
        "api_keys", _text("key_id", 32), _org(), _text("sha256", 64), _text("prefix", 16), _text("name", 200),
        _json("scopes"), _when("created_at"), _when("expires_at", null=True), _when("revoked_at", null=True),
        _when("last_used_at", null=True),
        sa.PrimaryKeyConstraint("key_id", name="pk_api_keys"),
        sa.UniqueConstraint("sha256", name="uq_api_keys_sha256"),
        sa.ForeignKeyConstraint(["organization_id"], ["organizations.id"], name="fk_api_keys_organization_id_organizations"),
    )  # fmt: skip


def _jobs() -> None:
    op.create_table(
        "jobs", _org(), _text("job_id", 36), _text("kind", 15), _text("name", 63), _json("request"), _text("status", 15),
        _number("priority"), _text("request_id", 64), _text("user_id", 127, null=True), _text("error", 500, null=True),
        _when("created_at"), _when("updated_at"), _when("cancel_requested_at", null=True),
        sa.PrimaryKeyConstraint("organization_id", "job_id", name="pk_jobs"),
    )  # fmt: skip
    _index("jobs", "organization_id", "created_at")
    _index("jobs", "status", "organization_id")
    op.create_table(
        "job_sources", _org(), _text("job_id", 36), _text("key", 63), _number("position"), _text("provider", 63),
        _text("ticker", 15), _number("ordinal", null=True), _text("status", 15), _number("attempt"),
        _text("run_id", 63, null=True), _text("content_sha256", 64, null=True), _text("content_type", 15, null=True),
        _number("size", null=True), _json("details"), _text("error_class", 63, null=True), _text("error", 500, null=True),
        _when("started_at", null=True), _when("finished_at", null=True),
        sa.PrimaryKeyConstraint("organization_id", "job_id", "key", name="pk_job_sources"), _of_job("job_sources"),
    )  # fmt: skip
    op.create_table(
        "job_events", _number("seq"), _org(), _text("job_id", 36), _when("at"), _text("kind", 15),
        _text("key", 63, null=True), _text("status", 15), sa.PrimaryKeyConstraint("seq", name="pk_job_events"),
    )  # fmt: skip
    _index("job_events", "organization_id", "job_id", "seq")
    op.create_table(
        "run_chunks", _text("run_key", 127), _org(), _text("job_id", 36), _text("provider", 63), _json("tickers"),
        _number("attempt"), _number("priority"), _text("status", 15), _text("run_id", 63, null=True),
        _when("created_at"), _when("updated_at"),
        sa.PrimaryKeyConstraint("run_key", name="pk_run_chunks"), _of_job("run_chunks"),
    )  # fmt: skip
    _index("run_chunks", "status", "priority", "created_at")
    _index("run_chunks", "organization_id", "job_id")
    op.create_table(
        "idempotency_keys", _org(), _text("key", 255), _text("body_sha256", 64), _json("answer"), _when("created_at"),
        sa.PrimaryKeyConstraint("organization_id", "key", name="pk_idempotency_keys"),
    )  # fmt: skip
    _index("idempotency_keys", "created_at")


def _tasks() -> None:
    op.create_table(
        "tasks", _number("id"), _org(), _text("task_id", 36), _text("task_name", 200),
        _long("task_description", null=True), _text("status", 15), _when("created_at"), _when("updated_at"),
        _json("payload"), _long("error_message", null=True),
        sa.PrimaryKeyConstraint("id", name="pk_tasks"), sa.UniqueConstraint("task_id", name="uq_tasks_task_id"),
    )  # fmt: skip
    _index("tasks", "organization_id", "created_at", "id")
    op.create_table(
        "service_requests", _number("id"), _org(), _text("task_id", 36), _text("service_name", 63),
        _text("scenario_id", 63, null=True), _text("business_type_id", 63, null=True), _text("status", 15),
        _when("created_at"), _when("updated_at"), _json("request_payload"), _json("response_payload", null=True),
        _long("error_message", null=True),
        sa.PrimaryKeyConstraint("id", name="pk_service_requests"),
        sa.ForeignKeyConstraint(["task_id"], ["tasks.task_id"], ondelete="CASCADE", name="fk_service_requests_task_id_tasks"),
    )  # fmt: skip
    _index("service_requests", "task_id")
    _index("service_requests", "status", "updated_at")


def _operations() -> None:
    op.create_table(
        "health_checks", _number("id"), _text("service", 63), _when("at"), sa.Column("ok", sa.Boolean(), nullable=False),
        sa.Column("milliseconds", sa.Float(53), nullable=False), _text("error", 200, null=True),
        sa.PrimaryKeyConstraint("id", name="pk_health_checks"),
    )  # fmt: skip
    _index("health_checks", "service", "id")
    op.create_table(
        "leases",
        _text("name", 63),
        _text("holder", 63),
        _when("until"),
        sa.PrimaryKeyConstraint("name", name="pk_leases"),
    )
    op.create_table(
        "run_heartbeats", _text("run_id", 63), _text("worker_id", 63), _text("run_key", 127), _when("at"),
        _text("status", 15), _number("jobs_processed"), _number("memory_usage"),
        sa.PrimaryKeyConstraint("run_id", name="pk_run_heartbeats"),
    )  # fmt: skip
    op.create_table(
        "audit_log", _number("id"), _org(), _number("seq"), _when("at"), _text("actor", 127), _text("action", 63),
        _text("target", 200), _text("request_id", 64), _long("detail"), _text("prev_hash", 64), _text("hash", 64),
        sa.PrimaryKeyConstraint("id", name="pk_audit_log"),
        sa.UniqueConstraint("organization_id", "seq", name="uq_audit_log_organization_id_seq"),
    )  # fmt: skip
    op.create_table(
        "webhooks", _org(), _text("webhook_id", 36), _text("url", 2_000), _text("secret", 127), _when("created_at"),
        sa.PrimaryKeyConstraint("organization_id", "webhook_id", name="pk_webhooks"),
    )  # fmt: skip
    op.create_table(
        "webhook_deliveries", _text("delivery_id", 36), _org(), _text("webhook_id", 36), _json("body"),
        _text("status", 15), _number("attempts"), _when("next_at"), _text("error", 200, null=True),
        sa.PrimaryKeyConstraint("delivery_id", name="pk_webhook_deliveries"),
    )  # fmt: skip
    _index("webhook_deliveries", "status", "next_at")
    op.create_table(
        "dead_letters", _number("id"), _text("origin", 200), _when("at"), _text("reason", 500), _long("body"),
        sa.PrimaryKeyConstraint("id", name="pk_dead_letters"), sa.UniqueConstraint("origin", name="uq_dead_letters_origin"),
    )  # fmt: skip
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER audit_log_no_{verb.lower()} BEFORE {verb} ON audit_log "
                "BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END"
            )


def _guard() -> None:
    """Row-level security, and an audit that nobody edits by the way."""
    for table in (*_PRIVATE, "organizations"):
        column = "id" if table == "organizations" else "organization_id"
        rule = f"{column} = {_SETTING} OR {_SETTING} = '*'"
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY {table}_of_organization ON {table} USING ({rule}) WITH CHECK ({rule})")
    op.execute(
        "CREATE FUNCTION salescience_append_only() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'the audit is append-only'; END $$"
    )
    op.execute(
        "CREATE TRIGGER audit_log_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log "
        "FOR EACH STATEMENT EXECUTE FUNCTION salescience_append_only()"
    )


def downgrade() -> None:
    """Take back."""
    for table in (
        "dead_letters", "webhook_deliveries", "webhooks", "audit_log", "run_heartbeats", "leases", "health_checks",
        "service_requests", "tasks", "idempotency_keys", "run_chunks", "job_events", "job_sources", "jobs", "api_keys",
        "organizations",
    ):  # fmt: skip
        op.drop_table(table)
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION salescience_append_only()")
