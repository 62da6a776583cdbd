"""A command line in a folder of its own, with the calendar frozen so that the day of the test does not matter."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from salescience_pipeline_tests.commands import quick_environment
from salescience_pipeline_tests.commands import salescience as run_salescience

Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def shared_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for the tests that build on each other's demo."""
    return tmp_path_factory.mktemp("cli")


@pytest.fixture
def salescience(tmp_path: Path) -> Command:
    """Run the command in a fresh folder; ``home`` and ``env`` replace it."""

    def run(
        *words: str, home: Path | None = None, env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        return run_salescience(*words, env=quick_environment(home or tmp_path, **(env or {})))

    return run
