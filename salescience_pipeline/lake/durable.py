"""Bytes that a power failure does not take back.

What does not belong here: which files and folders need it.
"""

from __future__ import annotations

import os
from pathlib import Path


def fsync(path: Path) -> None:
    """Make the content of a file, or the names in a folder, survive a power failure.

    Raises:
        OSError: the path is not there, or the disk refuses.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
