"""Moves SQLite's write-ahead log into its file beside the writers, so that no commit has to do it.

A log that is full is moved by whoever commits next, and that takes ten commits' time. PostgreSQL does the same by
itself. What does not belong here: opening a database (``engine``).
"""

from __future__ import annotations

import logging
import threading
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

_log = logging.getLogger("salescience.ledger")
_EVERY_SECONDS = 1.0


class Checkpointer:
    """A thread that moves the log once a second; nothing on PostgreSQL."""

    def __init__(self, engine: Engine, *, every: float = _EVERY_SECONDS) -> None:
        """Nothing runs before :meth:`start`."""
        self._engine, self._every = engine, every
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin."""
        if self._engine.dialect.name == "sqlite":
            self._thread = threading.Thread(target=self._run, name="checkpoints", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End, after the move that is under way."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(self._every):
            try:
                self.move()
            except DBAPIError as error:
                _log.warning("the log could not be moved: %s", type(error).__name__)

    def move(self) -> int:
        """Move what no reader needs any more; returns the pages that are moved by now. Writers go on meanwhile."""
        connection = self._engine.raw_connection()
        try:
            cursor = connection.cursor()
            cursor.execute("PRAGMA wal_checkpoint(PASSIVE)")
            found: Any = cursor.fetchone()
        finally:
            connection.close()
        return int(found[2])
