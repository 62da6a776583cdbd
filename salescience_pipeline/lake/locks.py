"""Advisory locks between processes of one machine: whose turn it is.

A lock only orders writers so that they do not waste work on each other; what is true is decided by the database and by the
Delta log. It is released by the operating system when its holder dies, however it dies. What does not belong here: anything
that must also hold between machines.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Hold the lock file at ``path`` (created if need be); waits for its turn, threads of one process included."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
