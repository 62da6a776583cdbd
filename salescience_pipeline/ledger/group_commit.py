"""Many submissions, one transaction: what arrives while one is being written goes into the next, together.

A transaction, and the disk that is waited for, cost the same for one job as for ten, and a SQLite file has one writer; so
one thread per process writes, and nobody is answered before their job is committed and on the disk. What does not belong
here: statements (``jobs``).
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Mapping
from concurrent.futures import Future, InvalidStateError
from queue import Empty, SimpleQueue
from typing import Any

from salescience_pipeline.ledger.errors import LedgerError
from salescience_pipeline.ledger.job_model import Creation
from salescience_pipeline.ledger.jobs import Jobs

MOST_AT_ONCE = 100
"""Creations in one transaction; a larger one would keep other processes waiting."""
Made = Mapping[str, Any] | None


class GroupCommit:
    """Writes creations in the order in which they came, as many at once as are waiting."""

    def __init__(self, jobs: Jobs) -> None:
        """Nothing runs before the first creation."""
        self._jobs = jobs
        self._waiting: SimpleQueue[tuple[Creation, Future[Made]] | None] = SimpleQueue()
        self._lock, self._closed = threading.Lock(), False
        self._thread: threading.Thread | None = None

    def create(self, creation: Creation) -> Future[Made]:
        """Ask for ``creation``; the future has what :meth:`Jobs.create` returns or raises, once it is committed.

        Raises:
            LedgerError: after :meth:`close`.
        """
        made: Future[Made] = Future()
        with self._lock:
            if self._closed:
                raise LedgerError("The ledger is closed.")
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="group-commit", daemon=True)
                self._thread.start()
            self._waiting.put((creation, made))
        return made

    def close(self) -> None:
        """Write what is waiting, then end."""
        with self._lock:
            self._closed = True
        if self._thread is not None:
            self._waiting.put(None)
            self._thread.join()

    def _run(self) -> None:
        goes_on = True
        while goes_on:
            batch = [self._waiting.get()]
            with contextlib.suppress(Empty):
                while len(batch) < MOST_AT_ONCE:
                    batch.append(self._waiting.get_nowait())
            goes_on = None not in batch
            self._write([item for item in batch if item is not None])

    def _write(self, batch: list[tuple[Creation, Future[Made]]]) -> None:
        if not batch:
            return
        try:
            answers = self._jobs.create_together([creation for creation, _ in batch])
        except Exception as error:  # noqa: BLE001 - it belongs to whoever asked, not to this thread
            if len(batch) > 1:
                # One of them may be what the database refuses; the others should not suffer for it.
                for item in batch:
                    self._write([item])
                return
            _settle(batch[0][1], error)
            return
        for (_, made), answer in zip(batch, answers, strict=True):
            _settle(made, answer)


def _settle(made: Future[Made], answer: Made | Exception) -> None:
    with contextlib.suppress(InvalidStateError):  # the caller is gone
        if isinstance(answer, Exception):
            made.set_exception(answer)
        else:
            made.set_result(answer)
