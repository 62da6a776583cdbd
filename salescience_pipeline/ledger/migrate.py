"""Bring a ledger database to the current shape, once, however many processes start at the same moment.

The whole upgrade is one transaction that begins with the database's own lock: SQLite's write lock or a PostgreSQL
advisory lock. Whoever comes second waits, finds nothing to do and goes on; a killed upgrade leaves no trace. Where a
look shows that there is nothing to do, nobody is locked out: every run opens the ledger. What does not belong here: the
changes themselves (``migrations``).
"""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text

from salescience_pipeline.ledger.engine import reading
from salescience_pipeline.ledger.errors import LedgerError

_ADVISORY_LOCK = 0x5A1E5
"""Any number, as long as every version of this software uses the same."""


def config(connection: Connection | None = None) -> Config:
    """Alembic's configuration without an ini file; ``connection`` is what the migrations run on."""
    made = Config()
    made.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    made.attributes["connection"] = connection
    return made


def head() -> str:
    """The revision that this version of the software works with."""
    revision = ScriptDirectory.from_config(config()).get_current_head()
    assert revision is not None
    return revision


def current(connection: Connection) -> str | None:
    """The revision of the database, None when it is empty."""
    return MigrationContext.configure(connection).get_current_revision()


def upgrade(engine: Engine, revision: str = "head") -> bool:
    """Bring the database to ``revision``; True if this call changed it.

    Raises:
        LedgerError: when the database was made by a newer version of this software.
    """
    return _move(engine, revision, down=False)


def downgrade(engine: Engine, revision: str = "base") -> bool:
    """Take the database back to ``revision`` (for operators and tests; data of dropped tables is lost)."""
    return _move(engine, revision, down=True)


def _move(engine: Engine, revision: str, *, down: bool) -> bool:
    target = head() if revision == "head" else revision
    with reading(engine).begin() as connection:
        if current(connection) == target:
            return False
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})
        found = current(connection)
        if found == target or (down and found is None):
            return False
        known = {script.revision for script in ScriptDirectory.from_config(config()).walk_revisions()}
        if found is not None and found not in known:
            raise LedgerError(
                f"The ledger is at revision {found}, which this version does not know: update the software."
            )
        (command.downgrade if down else command.upgrade)(config(connection), target)
        return True
