"""SQLite's write lock: who waits for it, for how long, and who does not need it."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from salescience_pipeline.ledger import Ledger, migrate
from salescience_pipeline.ledger.dispatch import Dispatch
from salescience_pipeline.ledger.engine import make_engine


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A migrated database."""
    made = f"sqlite:///{tmp_path / 'ledger.db'}"
    Ledger.open(made).close()
    return made


def test_who_waits_in_vain_hears_what_every_statement_says(url: str) -> None:
    holder, other = make_engine(url), make_engine(url, busy_seconds=0.01)
    with holder.begin(), pytest.raises(OperationalError, match="locked"), other.begin():
        pass
    with other.begin() as connection:
        # Its statements wait as long as ever.
        assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar() == 30_000
    holder.dispose()
    other.dispose()


def test_to_find_that_nothing_is_to_do_takes_no_lock(url: str) -> None:
    holder, other = make_engine(url), make_engine(url)
    with holder.begin():
        assert not migrate.upgrade(other)
        assert Dispatch(other).open_chunks() == []
    holder.dispose()
    other.dispose()
