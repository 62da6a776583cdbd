"""Our own log lines: as text or as one JSON object each, every one with the request that it is about.

The request's id travels in a context variable through coroutines and worker threads; where threads are pooled it is given
with the line (``extra={"request_id": ...}``). Secrets are taken out of every line on its way. What does not belong here:
what is logged.
"""

from __future__ import annotations

import datetime as dt
import json
import logging
import sys
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TextIO

from salescience_pipeline.clients.redact import Redactor

LOGGERS = ("salescience", "salescience_pipeline")
"""The roots of our loggers."""
_about: ContextVar[dict[str, str] | None] = ContextVar("what_log_lines_are_about", default=None)
_OWN = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName", "color_message"}


@contextmanager
def about(**fields: str) -> Iterator[None]:
    """Every line inside the block carries ``fields``."""
    token = _about.set({**(_about.get() or {}), **fields})
    try:
        yield
    finally:
        _about.reset(token)


def request_id() -> str | None:
    """The request that the code that runs now works for."""
    return (_about.get() or {}).get("request_id")


class JsonLines(logging.Formatter):
    """One JSON object per line: time (UTC), level, logger, message, what the line is about, and a traceback if any."""

    def __init__(self, redactor: Redactor) -> None:
        super().__init__()
        self._redactor = redactor

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        moment = dt.datetime.fromtimestamp(record.created, dt.UTC)
        line: dict[str, object] = {
            "time": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(), "logger": record.name,
            "message": self._redactor.text(record.getMessage()), "process": record.process,
            **(_about.get() or {}),
        }  # fmt: skip
        given = {
            name: value for name, value in record.__dict__.items() if name not in _OWN and not name.startswith("_")
        }
        line |= {name: self._redactor.text(value) if isinstance(value, str) else value for name, value in given.items()}
        if record.exc_info:
            line["traceback"] = self._redactor.text("".join(traceback.format_exception(*record.exc_info)).rstrip())
        return json.dumps(line, ensure_ascii=False, default=str)


class TextLines(logging.Formatter):
    """The same for people: the request's id in brackets before the message."""

    def __init__(self, redactor: Redactor) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")
        self._redactor = redactor

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        known = getattr(record, "request_id", None) or request_id()
        text = self._redactor.text(super().format(record))
        return f"[{known}] {text}" if known else text


def install(
    level: str, form: str, *, secrets: Iterable[str] = (), more: Iterable[str] = (), stream: TextIO | None = None
) -> logging.Handler:
    """Write our lines, and those of the loggers ``more``, to ``stream`` (standard error); a second call replaces the first.

    Args:
        level: The least level that is written, as ``INFO``.
        form: ``json`` or ``text``.
        secrets: What must never stand in a line.
        more: Further loggers.
        stream: Where to.
    """
    handler = _Ours(stream or sys.stderr)
    redactor = Redactor(secrets)
    handler.setFormatter(JsonLines(redactor) if form == "json" else TextLines(redactor))
    for name in (*LOGGERS, *more):
        logger = logging.getLogger(name)
        for before in [known for known in logger.handlers if isinstance(known, _Ours)]:
            logger.removeHandler(before)
        logger.addHandler(handler)
        logger.setLevel(level)
        logger.propagate = False
    return handler


class _Ours(logging.StreamHandler[TextIO]):
    """A handler that :func:`install` made."""
