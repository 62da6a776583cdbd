"""Keys, the audit chain and the database's own walls between organisations."""

from __future__ import annotations

import datetime as dt

import pytest
from sqlalchemy import Engine, delete, insert, select, text, update
from sqlalchemy.exc import DBAPIError

from salescience_pipeline.identifiers import OrganizationId
from salescience_pipeline.ledger import Ledger
from salescience_pipeline.ledger.audit_log import GENESIS
from salescience_pipeline.ledger.errors import LedgerError
from salescience_pipeline.ledger.organizations import MAX_OPEN_JOBS, Limits, Organizations
from salescience_pipeline.ledger.scoping import looking, writing
from salescience_pipeline.ledger.service_models import PRIVATE_TABLES, ApiKey, AuditEntry, Base, Job, Organization
from salescience_pipeline_tests.clocks import Clock
from salescience_pipeline_tests.test_gateway.conftest import ACME, OTHER, new_job, submit


def test_threat_16_the_database_holds_no_key(ledger: Ledger) -> None:
    key, row = ledger.organizations.create_key(ACME, scopes=["jobs:read"], name="ci")
    with ledger.engine.connect() as connection:
        stored = repr(connection.execute(select(ApiKey)).all())
    assert key not in stored
    assert key[10:] not in stored
    assert key.startswith(row.prefix)
    principal = ledger.organizations.principal_of(key)
    assert principal is not None
    assert (principal.organization_id, principal.may("jobs:read"), principal.may("admin")) == (ACME, True, False)


@pytest.mark.parametrize("wrong", ["", "ssk_", "x" * 500, "ssk_' OR 1=1 --", "ssk_\x00"])
def test_threat_16_a_wrong_key_is_nobodys(ledger: Ledger, wrong: str) -> None:
    ledger.organizations.create_key(ACME, scopes=["admin"])
    assert ledger.organizations.principal_of(wrong) is None


def test_threat_16_keys_expire_and_are_revoked(ledger: Ledger) -> None:
    clock = Clock()
    organizations = Organizations(ledger.engine, clock=clock)
    short, _ = organizations.create_key(ACME, scopes=["admin"], lifetime=dt.timedelta(days=1))
    lasting, row = organizations.create_key(ACME, scopes=["admin"])
    assert organizations.principal_of(short) is not None
    clock.now += dt.timedelta(days=1)
    assert organizations.principal_of(short) is None
    assert organizations.principal_of(lasting) is not None
    assert organizations.revoke(row.key_id)
    assert not organizations.revoke(row.key_id)
    assert organizations.principal_of(lasting) is None
    listed = organizations.keys(ACME)
    assert {key.key_id: key.revoked_at is not None for key in listed}[row.key_id]
    assert organizations.keys(OTHER) == ()


def test_a_key_needs_scopes_that_exist(ledger: Ledger) -> None:
    with pytest.raises(LedgerError, match="everything"):
        ledger.organizations.create_key(ACME, scopes=["everything"])


# -- the audit ------------------------------------------------------------------------------------------------------
def _chain(ledger: Ledger, entries: int) -> list[str]:
    return [
        ledger.audit.record(ACME, actor="a", action="x", target=str(n), request_id="r", detail={"n": n})
        for n in range(entries)
    ]


def _unlock(ledger: Ledger) -> None:
    with ledger.engine.begin() as connection:
        if ledger.engine.dialect.name == "postgresql":
            connection.execute(text("ALTER TABLE audit_log DISABLE TRIGGER ALL"))
        else:
            connection.execute(text("DROP TRIGGER audit_log_no_update"))
            connection.execute(text("DROP TRIGGER audit_log_no_delete"))


def test_003_37_every_submission_is_in_the_audit(ledger: Ledger) -> None:
    job = new_job()
    submit(ledger, job)
    (entry,) = ledger.audit.entries(ACME)
    assert (entry["action"], entry["target"], entry["prev_hash"]) == ("job.create", job.job_id, GENESIS)
    assert '"user_id": "user-123"' in entry["detail"]


@pytest.mark.parametrize("statement", [update(AuditEntry).values(actor="eve"), delete(AuditEntry)])
def test_threat_17_the_audit_is_append_only(ledger: Ledger, statement: object) -> None:
    _chain(ledger, 3)
    with pytest.raises(DBAPIError, match="append-only"), ledger.engine.begin() as connection:
        connection.execute(statement)  # type: ignore[call-overload]


@pytest.mark.parametrize(
    ("tampering", "place"),
    [
        ("UPDATE audit_log SET actor = 'eve' WHERE seq = 3", 3),
        ("DELETE FROM audit_log WHERE seq = 2", 3),
        ("UPDATE audit_log SET seq = 99 WHERE seq = 3", 4),
        ("UPDATE audit_log SET detail = '{}' WHERE seq = 5", 5),
        ("DELETE FROM audit_log WHERE seq = 5", 5),
    ],
)
def test_threat_17_tampering_is_found_at_its_place(ledger: Ledger, tampering: str, place: int) -> None:
    heads = _chain(ledger, 5)
    (sound,) = ledger.audit.verify(heads={"acme": heads[-1]})
    assert (sound.broken_at, sound.entries, sound.head) == (None, 5, heads[-1])
    _unlock(ledger)
    with ledger.engine.begin() as connection:
        connection.execute(text(tampering))
    (verdict,) = ledger.audit.verify(heads={"acme": heads[-1]})
    assert verdict.broken_at == place


def test_threat_17_an_inserted_entry_is_found(ledger: Ledger) -> None:
    _chain(ledger, 2)
    with ledger.engine.begin() as connection:
        row = dict(connection.execute(select(AuditEntry).where(AuditEntry.seq == 2)).mappings().one())
        del row["id"]
        connection.execute(insert(AuditEntry).values({**row, "seq": 3, "target": "forged"}))
    (verdict,) = ledger.audit.verify()
    assert verdict.broken_at == 3


# -- row-level security -----------------------------------------------------------------------------------------------


def test_003_06_threat_1_the_database_shows_an_organisation_its_own_rows_only(restricted: Engine) -> None:
    ledger = Ledger(restricted)
    for organization in (ACME, OTHER):
        ledger.organizations.create_key(organization, scopes=["admin"])
        submit(ledger, new_job(), organization)
    # Statements without any filter of ours: only the database's own wall is left.
    for name in ("organizations", "api_keys", "jobs", "job_sources", "job_events", "run_chunks", "audit_log"):
        table = Base.metadata.tables[name]
        column = table.c.id if name == "organizations" else table.c.organization_id
        with looking(restricted, ACME) as connection:
            assert set(connection.scalars(select(column))) == {"acme"}, name
        with restricted.connect() as connection:
            assert connection.scalars(select(column)).all() == [], name
        with looking(restricted, None) as connection:
            assert set(connection.scalars(select(column))) == {"acme", "other"}, name
    with writing(restricted, ACME) as connection:
        changed = connection.execute(update(Job).where(Job.organization_id == "other").values(status="failed"))
        assert changed.rowcount == 0
    with pytest.raises(DBAPIError, match="row-level security"), writing(restricted, ACME) as connection:
        connection.execute(
            insert(Base.metadata.tables["webhooks"]).values(
                organization_id="other", webhook_id="w", url="u", secret="s", created_at=dt.datetime.now(dt.UTC)
            )
        )


def test_003_06_the_limits_of_an_organisation_are_found_behind_the_databases_walls(restricted: Engine) -> None:
    organizations = Ledger(restricted).organizations
    organizations.ensure(ACME)
    organizations.limit_requests(ACME, 7)
    assert organizations.limits_of(ACME) == Limits(MAX_OPEN_JOBS, 7)
    assert organizations.limits_of(OTHER) is None
    with writing(restricted, ACME) as connection:
        connection.execute(update(Organization).values(disabled_at=dt.datetime.now(dt.UTC)))
    assert organizations.limits_of(ACME) is None


def test_003_06_the_setting_does_not_outlive_its_transaction(restricted: Engine) -> None:
    submit(Ledger(restricted), new_job(), ACME)
    with restricted.connect() as connection:
        connection.execute(text("SELECT set_config('salescience.organization', 'acme', true)"))
        assert connection.scalars(select(Job.job_id)).all() != []
        connection.rollback()
        assert connection.scalars(select(Job.job_id)).all() == []


def test_003_06_every_table_with_an_organisation_is_guarded(restricted: Engine) -> None:
    with restricted.connect() as connection:
        forced = set(
            connection.scalars(text("SELECT relname FROM pg_class WHERE relrowsecurity AND relforcerowsecurity"))
        )
    assert forced == {*PRIVATE_TABLES, "organizations"}
    owned = {name for name, table in Base.metadata.tables.items() if "organization_id" in table.c}
    # The watchlist has rows of everybody's beside those of organisations.
    assert owned - {"watchlist"} == set(PRIVATE_TABLES)


def test_an_organisation_cannot_be_called_everybody() -> None:
    with pytest.raises(ValueError, match="not an organization id"):
        OrganizationId("*")
