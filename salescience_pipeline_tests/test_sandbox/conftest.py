"""A running sandbox with every provider; tests that need another one (a corpus, limits, leases) start it with ``running``."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd
import pytest

from salescience_pipeline_tests.test_sandbox.serving import TOKEN, Served, running


@pytest.fixture(scope="session")
def server() -> Iterator[Served]:
    """One server for all tests of this process: what it has drawn of its market serves the next file, too."""
    with running() as served:
        yield served


@pytest.fixture
def sandbox(server: Served) -> Iterator[Served]:
    """The server with counters at zero and nothing wrong; faults and events of the test go with it."""
    server.reset()
    yield server
    server.reset()


@pytest.fixture(scope="session")
def adjusted(server: Served) -> pd.Series:
    """Adjusted closes of one company by day, from another provider of prices than the one that is tested with them."""
    rows = server.get("/tiingo/tiingo/daily/CALDQ/prices?startDate=2015-01-01", headers=TOKEN).json()
    return pd.Series({row["date"][:10]: row["adjClose"] for row in rows})
