"""What organisations wrote is sealed in the database; a shredded organisation's is gone, from copies of it too."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import create_engine, text

from salescience_pipeline.ledger import Ledger, migrate
from salescience_pipeline.ledger.engine import make_engine
from salescience_pipeline.ledger.ledger import vault_of_settings
from salescience_pipeline.ledger.scoping import looking
from salescience_pipeline.ledger.sealing import SealedJson, SealedText
from salescience_pipeline.ledger.service_models import PRIVATE_TABLES, Base
from salescience_pipeline.ledger.vault import KeyUnavailable, LocalMasterKeys, OrganizationShredded, SealBroken, Vault
from salescience_pipeline.settings import Settings
from salescience_pipeline_tests.commands import environment, salescience
from salescience_pipeline_tests.test_gateway.conftest import ACME, OTHER
from salescience_pipeline_tests.test_gateway.examples import SCENARIO, TASK
from salescience_pipeline_tests.test_gateway.serving import gateway

_SECRET = "only-for-acme-7f3a"


@pytest.fixture(params=["sqlite", "postgresql"])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """A world on each database, without API keys."""
    more: dict[str, Any] = {}
    if request.param == "postgresql":
        more["database_url"] = request.getfixturevalue("postgres_url")
    return Settings(home=tmp_path / "home", **more)


@pytest.fixture
def client(settings: Settings) -> Iterator[httpx.Client]:
    """Its gateway."""
    with gateway(settings) as made:
        yield made


def _write(client: httpx.Client, organization: str) -> dict[str, str]:
    """Have an organisation write one of everything; returns the ids."""
    body = {"companies": [{"ticker": "AAPL"}], "organization_id": organization, "user_id": _SECRET}
    job_id = client.post("/submit", json=body).json()["job_ids"][0]
    query = {"name": "mine", "sql": f"select '{_SECRET}'", "description": _SECRET, "organization_id": organization}
    assert client.post("/api/queries", json=query).status_code == 201
    return {"job_id": job_id}


def _clear(settings: Settings) -> str:
    """Everything that stands in the database, as whoever steals a copy reads it."""
    found: list[str] = []
    engine = create_engine(settings.ledger_url)
    with looking(engine, None) as connection:
        for name in Base.metadata.tables:
            found += map(repr, connection.execute(text(f'select * from "{name}"')).all())
    engine.dispose()
    return "\n".join(found)


def test_003_34_what_an_organisation_writes_is_sealed_in_the_database(client: httpx.Client, settings: Settings) -> None:
    ids = _write(client, "acme")
    # Tasks have no organisation in their body: without keys they are the machine's own.
    task = {**TASK, "task_name": _SECRET, "task_description": _SECRET, "payload": [{"revenue": SCENARIO}]}
    task_id = client.post("/api/orchestrate", json=task).json()["task_id"]
    while client.get(f"/api/tasks/{task_id}").json()["status"] not in ("FAILED", "COMPLETED"):
        time.sleep(0.02)
    stored = _clear(settings)
    assert _SECRET not in stored
    assert SCENARIO["scenario_id"] not in stored
    assert stored.count("sealed:1:") > 10
    told = client.get(f"/api/tasks/{task_id}").json()
    assert (told["task_name"], told["payload"]) == (_SECRET, task["payload"])
    assert told["service_requests"][0]["scenario_id"] == SCENARIO["scenario_id"]
    assert client.get("/api/queries/mine", params={"organization_id": "acme"}).json()["description"] == _SECRET
    with Ledger.of(settings) as ledger:
        job = ledger.jobs.view(ACME, ids["job_id"])
        assert job is not None
        assert (job.user_id, job.request["companies"][0]["ticker"]) == (_SECRET, "AAPL")
        [saved, made] = ledger.audit.entries(ACME)
        assert (saved["action"], json.loads(made["detail"])["user_id"]) == ("query.save", _SECRET)
        assert {chunk.user_id for chunk in ledger.dispatch.pick(window=9)} == {_SECRET}
    with Ledger.open(
        settings.ledger_url, vault=Vault(settings.home / "empty", LocalMasterKeys([b"x" * 32]))
    ) as keyless:
        with pytest.raises(KeyUnavailable):
            keyless.jobs.view(ACME, ids["job_id"])
        # The chain of the audit needs no key.
        assert [verdict.broken_at for verdict in keyless.audit.verify()] == [None, None]


def test_003_34_a_value_moved_to_another_organisation_is_not_shown(client: httpx.Client, settings: Settings) -> None:
    for organization in ("acme", "other"):
        _write(client, organization)
    with Ledger.of(settings) as ledger:
        with looking(ledger.engine, None) as connection:
            stolen = connection.scalar(text("select sql from saved_queries where organization_id = 'acme'"))
        with ledger.engine.begin() as connection:
            connection.execute(
                text("update saved_queries set sql = :stolen where organization_id = 'other'"), {"stolen": stolen}
            )
        with pytest.raises(SealBroken):
            ledger.queries.get(OTHER, "mine")


def test_003_34_a_shredded_organisation_is_gone_from_backups_too(client: httpx.Client, settings: Settings) -> None:
    ids = _write(client, "acme")
    _write(client, "other")
    backup = settings.root / "backup.db"
    if settings.database_url is None:
        with sqlite3.connect(settings.root / "ledger.db") as source, sqlite3.connect(backup) as target:
            source.backup(target)
    with Ledger.of(settings) as ledger:
        key, _ = ledger.organizations.create_key(ACME, scopes=["admin"])
        heads = {verdict.organization_id: verdict.head for verdict in ledger.audit.verify()}
        done = ledger.sealed.shred(ACME, actor="operator", request_id="request-1")
        assert (done.data_keys, done.api_keys) == (1, 1)
        assert (done.rows["jobs"], done.rows["saved_queries"]) == (1, 1)
        assert ledger.organizations.principal_of(key) is None
        assert ledger.dispatch.pick(window=99)[0].organization_id == OTHER
        newest, *older = ledger.audit.entries(ACME)
        assert (newest["action"], newest["actor"]) == ("organization.shred", "operator")
        assert {entry["detail"] for entry in older} == {"[shredded]", "{}"}
        assert [verdict.broken_at for verdict in ledger.audit.verify(heads=heads)] == [None, None]
        with looking(ledger.engine, None) as connection:
            for name in set(PRIVATE_TABLES) - {"audit_log", "api_keys"}:
                rows = connection.execute(text(f"select * from {name} where organization_id = 'acme'")).all()
                assert rows == [], name
    for method, path, body in (
        ("GET", f"/status/{ids['job_id']}", None),
        ("POST", "/submit", {"companies": [{"ticker": "AAPL"}], "organization_id": "acme"}),
    ):
        answer = client.request(method, path, params={"organization_id": "acme"}, json=body)
        assert answer.status_code in (404, 410), answer.text
    assert client.get("/api/queries/mine", params={"organization_id": "other"}).json()["description"] == _SECRET
    if settings.database_url is None:
        assert _SECRET.encode() not in backup.read_bytes()
        with Ledger.open(f"sqlite:///{backup}", vault=vault_of_settings(settings)) as restored:
            with pytest.raises(OrganizationShredded):
                restored.jobs.view(ACME, ids["job_id"])
            # Housekeeping goes on for everybody else.
            assert {chunk.organization_id for chunk in restored.dispatch.pick(window=99)} == {ACME, OTHER}
            assert restored.queries.get(OTHER, "mine") is not None


def test_003_34_rows_in_clear_stay_readable_and_are_sealed_by_reseal(settings: Settings) -> None:
    """Rows of before there were keys, through the migration, there and back."""
    engine = (
        make_engine(settings.ledger_url)
        if settings.database_url
        else make_engine(f"sqlite:///{settings.root}/ledger.db")
    )
    migrate.upgrade(engine, "0004")
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("select set_config('salescience.organization', '*', true)"))
        now = "2026-01-01 00:00:00"
        connection.execute(text(f"insert into organizations values ('acme', 'Acme', '{now}', null, 5000)"))
        connection.execute(
            text(f"insert into saved_queries values ('acme', 'mine', 'select 1', '{_SECRET}', 'me', '{now}')")
        )
        connection.execute(
            text(
                "insert into jobs (organization_id, job_id, kind, name, request, status, priority, request_id, user_id, "
                f"created_at, updated_at) values ('acme', 'j', 'submit', 'submit', '{{\"a\": 1}}', 'pending', 10, 'r', "
                f"'{_SECRET}', '{now}', '{now}')"
            )
        )
    before = _clear_of(engine)
    migrate.upgrade(engine)
    assert _clear_of(engine) == before
    migrate.downgrade(engine, "0004")
    migrate.upgrade(engine)
    assert _clear_of(engine) == before
    engine.dispose()
    with Ledger.of(settings) as ledger:
        for _ in range(2):
            job, saved = ledger.jobs.view(ACME, "j"), ledger.queries.get(ACME, "mine")
            assert job is not None
            assert saved is not None
            assert (job.user_id, dict(job.request), saved.description) == (_SECRET, {"a": 1}, _SECRET)
            assert ledger.sealed.reseal(ACME, actor="operator", request_id="request-1") == 2
            assert _SECRET not in _clear(settings)
            ledger.sealed.rotate(ACME, actor="operator", request_id="request-1")
        assert "sealed:1:acme:2:" in _clear(settings)


def _clear_of(engine: Any) -> list[str]:
    with looking(engine, None) as connection:
        return [repr(connection.execute(text(f"select * from {name}")).all()) for name in ("jobs", "saved_queries")]


def test_003_34_every_text_of_an_organisations_own_is_sealed() -> None:
    """A new column of a private table is either sealed or named here, with the reason why it need not be."""
    bookkeeping = {
        # Ids, states, times, places and figures; and what the product itself wrote.
        "organization_id", "key_id", "job_id", "task_id", "webhook_id", "delivery_id", "run_id", "run_key", "request_id",
        "id", "seq", "kind", "status", "priority", "position", "provider", "ticker", "tickers", "ordinal", "attempt",
        "attempts", "content_sha256", "content_type", "size", "error_class", "sha256", "prefix", "scopes", "body_sha256",
        "hash", "prev_hash", "actor", "action", "target", "created_by", "service_name", "event", "events", "milliseconds",
        "status_code", "disabled_reason", "origin", "reason", "minute", "taken",
            "day_start", "used",
        # A label for people; a source's key (AAPL:SEC:0) or the caller's own Idempotency-Key; ids only; sealed by audit_log.
        "name", "key", "answer", "detail",
    }  # fmt: skip
    unsealed = {
        f"{name}.{column.name}"
        for name in PRIVATE_TABLES
        for column in Base.metadata.tables[name].c
        if not isinstance(column.type, (SealedText, SealedJson)) and column.name not in bookkeeping
    }
    moments = {name for name in unsealed if name.endswith(("_at", ".at", "_until"))}
    told = {"jobs.error", "tasks.error_message", "webhook_deliveries.error", "webhook_attempts.error"}
    assert unsealed - moments == told


def test_003_34_rotate_rewrap_and_shred_from_the_command_line(tmp_path: Path) -> None:
    run = partial(salescience, env=environment(tmp_path))
    assert "data key 1" in run("keys", "rotate", "--org", "acme").stdout
    done = json.loads(run("keys", "shred", "acme", "--yes", "--json").stdout)
    assert (done["organization_id"], done["data_keys"]) == ("acme", 1)
    again = run("keys", "rotate", "--org", "acme")
    assert again.returncode == 2
    assert "destroyed" in again.stderr
