"""The dbt project: where it is, and its manifest, which is made when the models have changed and not otherwise.

What does not belong here: building (``definitions``).
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

PROJECT_DIR = Path(__file__).resolve().parents[2] / "dbt"
TARGET_DIR = PROJECT_DIR / "target"
MANIFEST = TARGET_DIR / "manifest.json"
_STAMP = TARGET_DIR / "manifest.sha256"


class DbtProjectError(RuntimeError):
    """The dbt project is missing or cannot be parsed; the message holds dbt's last lines."""


def dbt_executable() -> str:
    """The dbt command beside the running interpreter, also when its environment is not activated."""
    beside = Path(sys.executable).parent / "dbt"
    return str(beside) if beside.exists() else "dbt"


def fingerprint() -> str:
    """One digest over every file that dbt reads."""
    digest = hashlib.sha256()
    for path in sorted(PROJECT_DIR.rglob("*")):
        if path.suffix in {".sql", ".yml"} and TARGET_DIR not in path.parents:
            digest.update(str(path.relative_to(PROJECT_DIR)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


@contextlib.contextmanager
def _one_at_a_time() -> Iterator[None]:
    TARGET_DIR.mkdir(parents=True, exist_ok=True)
    with (TARGET_DIR / "parse.lock").open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def ensure_manifest() -> Path:
    """The path of an up-to-date manifest; parses the project (about ten seconds) when a model has changed.

    Raises:
        DbtProjectError: when the folder is missing or does not parse.
    """
    if not (PROJECT_DIR / "dbt_project.yml").exists():
        raise DbtProjectError(f"There is no dbt project at {PROJECT_DIR}; run from a clone of the repository.")
    wanted = fingerprint()
    if _is_current(wanted):
        return MANIFEST
    with _one_at_a_time():
        if not _is_current(wanted):
            command = [
                dbt_executable(),
                "--quiet",
                "parse",
                "--project-dir",
                str(PROJECT_DIR),
                "--profiles-dir",
                str(PROJECT_DIR),
            ]
            done = subprocess.run(
                command, capture_output=True, text=True, check=False, env={**os.environ, "DO_NOT_TRACK": "1"}
            )
            if done.returncode != 0:
                raise DbtProjectError(f"dbt cannot parse its project: {(done.stdout + done.stderr)[-2000:]}")
            _STAMP.write_text(wanted)
    return MANIFEST


def _is_current(wanted: str) -> bool:
    return MANIFEST.exists() and _STAMP.exists() and _STAMP.read_text() == wanted
