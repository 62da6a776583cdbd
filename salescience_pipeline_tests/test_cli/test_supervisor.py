"""The process tree: what dies is started again, what cannot start is told, and runs stand back."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from salescience_pipeline.cli.supervisor import Child, Supervisor
from salescience_pipeline.settings import SettingsError

_LIVES = "import os, time; print(os.getpid(), os.nice(0), flush=True); time.sleep(60)"


@pytest.fixture(autouse=True)
def _signals() -> Iterator[None]:
    """The supervisor takes the process's signals over."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def _child(folder: Path, program: str, *, nice: int = 0) -> Child:
    return Child("one", [sys.executable, "-c", program], dict(os.environ), folder / "one.log", nice)


def test_a_child_that_never_comes_up_is_told_with_its_log(tmp_path: Path) -> None:
    child = _child(tmp_path, "raise SystemExit(1)")
    with Supervisor([child], cwd=tmp_path) as supervisor, pytest.raises(SettingsError, match=r"keeps ending.*one\.log"):
        supervisor.run()


def test_a_child_is_started_again_however_often_it_is_killed_and_stands_back(tmp_path: Path) -> None:
    child = _child(tmp_path, _LIVES, nice=5)
    own = os.nice(0)

    def lives() -> list[list[str]]:
        return [line.split() for line in child.log.read_text().splitlines()]

    with Supervisor([child], cwd=tmp_path, short_seconds=60.0) as supervisor:

        def kill() -> None:
            for number in range(1, 7):
                while len(lives()) < number:
                    time.sleep(0.02)
                os.kill(int(lives()[-1][0]), signal.SIGKILL)
            while len(lives()) < 7:
                time.sleep(0.02)
            os.kill(os.getpid(), signal.SIGTERM)

        killer = threading.Thread(target=kill)
        killer.start()
        assert supervisor.run() == 0
        killer.join()
    assert {int(nice) for _, nice in lives()} == {min(own + 5, 19)}
    assert child.process is not None
    assert child.process.returncode == -signal.SIGTERM
