"""A running sandbox for the tests of a module; what it serves, the module says as ``SERVES``: arguments of its command."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from salescience_pipeline_tests.test_sandbox.serving import Served, running


@pytest.fixture(scope="module")
def server(request: pytest.FixtureRequest) -> Iterator[Served]:
    """One server for all tests of the module; all providers where the module names none."""
    with running(*getattr(request.module, "SERVES", ())) as served:
        yield served


@pytest.fixture
def sandbox(server: Served) -> Iterator[Served]:
    """The server with counters at zero and nothing wrong; faults and events of the test go with it."""
    server.reset()
    yield server
    server.reset()
