"""Fixtures of the marts' tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from salescience_pipeline_tests.test_marts.over_rows import Marts


@pytest.fixture
def marts(tmp_path: Path) -> Iterator[Marts]:
    """An empty lake and the marts over it."""
    made = Marts(tmp_path)
    yield made
    made.connection.close()
