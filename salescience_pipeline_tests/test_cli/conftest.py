"""A command line in a folder of its own, with the calendar frozen so that the day of the test does not matter."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
TODAY = "2026-06-16"

Command = Callable[..., subprocess.CompletedProcess[str]]


def environment(home: Path, more: Mapping[str, str] | None = None) -> dict[str, str]:
    """This process's environment without our own settings, and with those of the test."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SALESCIENCE_", "DAGSTER_"))}
    ours = {
        "SALESCIENCE_HOME": str(home),
        "SALESCIENCE_TODAY": TODAY,
        # The sandbox spares nobody by being asked slowly; the limit itself is tested with the gate.
        "SALESCIENCE_EDGAR_RATE": "300",
        "SALESCIENCE_YAHOO_RATE": "50",
    }
    return kept | ours | dict(more or {})


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
        return subprocess.run(
            [sys.executable, "-c", "from salescience_pipeline.cli import main; main()", *words],
            cwd=PROJECT, env=environment(home or tmp_path, env), capture_output=True, text=True, timeout=240, check=False,
        )  # fmt: skip

    return run
