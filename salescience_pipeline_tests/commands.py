"""Our commands as processes of their own, with no setting of this process in their environment."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[1]
SALESCIENCE = (sys.executable, "-c", "from salescience_pipeline.cli import main; main()")
"""The words in front of those that a user types after ``salescience``."""
GATEWAY = (*SALESCIENCE, "gateway", "--port", "0")
QUICK_DAY = "2026-06-16"
_OURS = ("SALESCIENCE_", "DAGSTER_", "DATABASE_", "KAFKA_")


def environment(home: Path, **more: str) -> dict[str, str]:
    """This process's environment without settings of ours, then the home and what the test gives."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
    return kept | {"SALESCIENCE_HOME": str(home)} | more


def quick_environment(home: Path, **more: str) -> dict[str, str]:
    """The same for runs against a sandbox: the day is frozen, and nobody is spared by being asked slowly."""
    quick = {"SALESCIENCE_TODAY": QUICK_DAY, "SALESCIENCE_EDGAR_RATE": "300", "SALESCIENCE_YAHOO_RATE": "50"}
    return environment(home, **(quick | more))


def salescience(
    *words: str, env: dict[str, str], text: bool = True, timeout: float = 300.0
) -> subprocess.CompletedProcess[Any]:
    """Run the command to its end; ``timeout`` in seconds."""
    return subprocess.run(
        [*SALESCIENCE, *words], cwd=PROJECT, env=env, capture_output=True, text=text, timeout=timeout, check=False
    )


@contextmanager
def running_gateway(
    env: dict[str, str], command: Sequence[str] = GATEWAY
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A gateway process and its origin, read from what uvicorn says; it is ended on the way out."""
    process = subprocess.Popen(
        command, cwd=PROJECT, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    # Somebody must read on, or the process would wait for it.
    rest = threading.Thread(target=process.stderr.read)
    try:
        said: list[str] = []
        for line in process.stderr:
            said.append(line)
            if found := re.search(r"running on (http://[0-9.:]+)", line):
                break
        else:
            raise AssertionError(f"the gateway ended while it was starting: {''.join(said)}")
        rest.start()
        yield process, found[1]
    finally:
        process.terminate()
        process.wait(timeout=30)
        if rest.ident is not None:
            rest.join()
        process.stderr.close()
