"""Jobs to put into a ledger, a scripted service, and an identity provider."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, text

from salescience_pipeline.acquisition import kept_answers  # noqa: F401 - see _loaded
from salescience_pipeline.acquisition.acquire import recipe_of
from salescience_pipeline.catalog.datasets import DATASETS
from salescience_pipeline.catalog.sessions import is_session
from salescience_pipeline.identifiers import OrganizationId
from salescience_pipeline.ledger import Ledger, migrate
from salescience_pipeline.ledger.job_model import NewJob, Once, PlannedSource
from salescience_pipeline_tests.test_gateway.issuing import DOCUMENT, Issuer, publishing
from salescience_pipeline_tests.test_gateway.scripted import Scripted
from salescience_pipeline_tests.test_gateway.serving import served

ACME, OTHER = OrganizationId("acme"), OrganizationId("other")


@pytest.fixture(scope="session", autouse=True)
def _loaded() -> None:
    """What a gateway loads in a thread of its own while it starts, loaded beforehand.

    Filters of warnings belong to the whole process: libraries change them while they are imported, and a warning that
    FastAPI has silenced for itself becomes an error in whatever test runs at that moment.
    """
    for dataset in DATASETS.values():
        recipe_of(dataset)
    is_session(dt.date(2026, 6, 15))


@pytest.fixture
def behind() -> Iterator[tuple[Scripted, str]]:
    """A scripted service and where it is."""
    service = Scripted()
    with served(service) as url:
        yield service, url


@pytest.fixture(scope="session")
def issuing() -> Iterator[Issuer]:
    """An identity provider for all tests of this process; they take it as ``issuer``."""
    with publishing() as issuer:
        yield issuer


@pytest.fixture
def issuer(issuing: Issuer) -> Issuer:
    """The provider, with its first keys."""
    issuing.document, issuing.status, issuing.hold = DOCUMENT, 200, None
    issuing.asked.clear()
    return issuing


@pytest.fixture
def restricted(postgres_url: str) -> Iterator[Engine]:
    """The engine of an ordinary database role, as production has it: it owns the tables, and is no superuser."""
    name = f"role_{uuid.uuid4().hex[:8]}"
    admin = create_engine(postgres_url, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f"CREATE ROLE {name} LOGIN PASSWORD 'x'"))
        connection.execute(text(f"GRANT ALL ON SCHEMA public TO {name}"))
    engine = create_engine(admin.url.set(username=name, password="x"))
    migrate.upgrade(engine)
    yield engine
    engine.dispose()
    with admin.connect() as connection:
        connection.execute(text(f"DROP OWNED BY {name} CASCADE"))
        connection.execute(text(f"DROP ROLE {name}"))
    admin.dispose()


def new_job(*tickers: str, priority: int = 10, request: Mapping[str, Any] | None = None) -> NewJob:
    """A job with one SEC filing and Yahoo for each ticker."""
    sources = [
        source
        for ticker in tickers or ("AAPL",)
        for source in (
            PlannedSource(f"{ticker}:SEC:0", "sec", ticker, 0),
            PlannedSource(f"{ticker}:Yahoo", "yahoo", ticker),
        )
    ]
    return NewJob(
        str(uuid.uuid4()),
        "submit",
        "submit",
        dict(request or {}),
        sources,
        "request-1",
        priority=priority,
        user_id="user-123",
    )


def submit(ledger: Ledger, job: NewJob, organization: OrganizationId = ACME, once: Once | None = None) -> object:
    """Make the job as the gateway does."""
    return ledger.jobs.create(organization, [job], actor="test", max_open=5_000, once=once)
