"""A ledger on both databases, and jobs to put into it."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from salescience_pipeline.identifiers import OrganizationId
from salescience_pipeline.ledger import Ledger
from salescience_pipeline.ledger.job_model import NewJob, Once, PlannedSource

ACME, OTHER = OrganizationId("acme"), OrganizationId("other")


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
