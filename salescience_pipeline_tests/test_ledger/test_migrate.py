"""Migrations on both databases: once for eight processes, true to the models, there and back."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import inspect, text

from salescience_pipeline.ledger import Ledger, migrate
from salescience_pipeline.ledger.engine import make_engine
from salescience_pipeline.ledger.errors import LedgerError
from salescience_pipeline.ledger.models import Base

_START = """
import sys
from salescience_pipeline.ledger.engine import make_engine
from salescience_pipeline.ledger.migrate import upgrade
engine = make_engine(sys.argv[1])
sys.stdin.readline()
print("changed" if upgrade(engine) else "found")
"""


def test_eight_processes_on_an_empty_database_migrate_once(ledger_url: str) -> None:
    starters = [
        subprocess.Popen(
            [sys.executable, "-c", _START, ledger_url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(8)
    ]
    for starter in starters:  # all have imported everything by the time the last one is told to go
        assert starter.stdin is not None
        starter.stdin.write("go\n")
        starter.stdin.flush()
    said = sorted(starter.communicate(timeout=120)[0].strip() for starter in starters)
    assert said == ["changed", *["found"] * 7]
    assert all(starter.returncode == 0 for starter in starters)
    with Ledger.open(ledger_url) as ledger, ledger.engine.connect() as connection:
        assert connection.scalars(text("SELECT version_num FROM alembic_version")).all() == [migrate.head()]


def test_the_migrated_database_is_what_the_models_say(ledger: Ledger) -> None:
    with ledger.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_down_and_up_again(ledger_url: str) -> None:
    engine = make_engine(ledger_url)
    assert migrate.upgrade(engine)
    assert not migrate.upgrade(engine)
    tables = set(inspect(engine).get_table_names())
    assert tables > {"provider_gate", "provider_symbol", "watchlist"}
    assert migrate.downgrade(engine)
    assert not migrate.downgrade(engine)
    assert set(inspect(engine).get_table_names()) == {"alembic_version"}
    assert migrate.upgrade(engine)
    assert set(inspect(engine).get_table_names()) == tables
    engine.dispose()


def test_a_failed_migration_leaves_nothing_behind(ledger_url: str) -> None:
    engine = make_engine(ledger_url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE watchlist (stranger INTEGER)"))
    with pytest.raises(Exception, match="already exists"):
        migrate.upgrade(engine)
    assert inspect(engine).get_table_names() == ["watchlist"]
    engine.dispose()


def test_a_database_from_the_future_is_left_alone(ledger_url: str) -> None:
    Ledger.open(ledger_url).close()
    engine = make_engine(ledger_url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    with pytest.raises(LedgerError, match="revision 9999"):
        Ledger.open(ledger_url)


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("mysql://root@localhost/ledger", "not 'mysql'"),
        ("sqlite://", "needs a SQLite file"),
        ("nonsense", "cannot be read"),
        ("postgresql://u:CANARY@127.0.0.1:1/none", "cannot be opened"),
    ],
)
def test_an_unusable_address_is_one_sentence_without_the_password(url: str, sentence: str) -> None:
    with pytest.raises(LedgerError, match=sentence) as caught:
        Ledger.open(url)
    assert "CANARY" not in str(caught.value)


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg2"])
def test_every_spelling_of_postgresql_means_the_installed_driver(scheme: str) -> None:
    engine = make_engine(f"{scheme}://u@127.0.0.1/x")
    assert engine.url.drivername == "postgresql+psycopg2"
    engine.dispose()


def test_the_folder_of_a_new_ledger_is_made(tmp_path: Path) -> None:
    Ledger.open(f"sqlite:///{tmp_path / 'a' / 'b' / 'ledger.db'}").close()
    assert (tmp_path / "a" / "b" / "ledger.db").is_file()


def test_a_file_that_is_no_database_is_one_sentence_and_stays_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    path.write_text("Dear diary, " * 100)
    with pytest.raises(LedgerError, match="cannot be opened"):
        Ledger.open(f"sqlite:///{path}")
    assert path.read_text().startswith("Dear diary")


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LedgerError, match="cannot be made"):
        Ledger.open(f"sqlite:///{tmp_path / 'file' / 'ledger.db'}")
