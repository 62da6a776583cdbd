"""SQLite's write lock: who waits for it, for how long, and who does not need it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from salescience_pipeline.ledger import Ledger, migrate
from salescience_pipeline.ledger.dispatch import Dispatch
from salescience_pipeline.ledger.engine import make_durable, make_engine


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


_TELL = """
import sys
from pathlib import Path
from salescience_pipeline.ledger import Ledger
from salescience_pipeline_tests.test_gateway.conftest import new_job, submit

with Ledger.open(sys.argv[1]) as ledger:
    waited_for = []
    sys.addaudithook(lambda event, given: waited_for.append(given[0]) if event == "open" else None)
    submit(ledger, new_job())
    print([Path(path).name for path in waited_for if str(path).endswith("-wal")])
"""


def test_000_11_a_job_is_acknowledged_when_the_log_is_on_the_disk(url: str) -> None:
    """What a power cut does cannot be tried here; that the log is opened, to wait for it, can."""
    told = subprocess.run([sys.executable, "-c", _TELL, url], check=True, capture_output=True, text=True)
    assert told.stdout.strip() == "['ledger.db-wal']"
    # Once everything is closed there is no log, and nothing to wait for.
    engine = make_engine(url)
    make_durable(engine)
    engine.dispose()


def test_to_find_that_nothing_is_to_do_takes_no_lock(url: str) -> None:
    holder, other = make_engine(url), make_engine(url)
    with holder.begin():
        assert not migrate.upgrade(other)
        assert Dispatch(other).open_chunks() == []
    holder.dispose()
    other.dispose()
