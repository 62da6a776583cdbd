"""Rows of jobs, sources, events and chunks, to and from the values of ``job_model``.

Shared by ``jobs`` and ``dispatch``; what does not belong here: transactions.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, RowMapping, insert

from salescience_pipeline.ledger.job_model import Content, Outcome, PlannedSource, SourceView
from salescience_pipeline.ledger.job_rules import CHUNK_TICKERS, SourceStatus
from salescience_pipeline.ledger.service_models import Job, JobEvent, JobSource, RunChunk

_TABLES = Job.metadata.tables
# Statements over the plain tables, made once: a submission runs six of them, and making one costs more than running it.
INSERT_JOB = insert(_TABLES[Job.__tablename__])
INSERT_SOURCE = insert(_TABLES[JobSource.__tablename__])
INSERT_EVENT = insert(_TABLES[JobEvent.__tablename__])
INSERT_CHUNK = insert(_TABLES[RunChunk.__tablename__])


def event_rows(
    owner: Mapping[str, str], told: Sequence[tuple[str | None, str]], now: dt.datetime
) -> list[dict[str, Any]]:
    """The events ``told``: (source key, status), the key None for the job itself."""
    return [
        {**owner, "at": now, "kind": "job" if key is None else "source", "key": key, "status": status}
        for key, status in told
    ]


def tell(
    connection: Connection, owner: Mapping[str, str], told: Sequence[tuple[str | None, str]], now: dt.datetime
) -> None:
    """Write the events ``told``."""
    if told:
        connection.execute(INSERT_EVENT, event_rows(owner, told, now))


def chunk_rows(
    owner: Mapping[str, str], pending: Sequence[tuple[str, str]], run: int, priority: int, now: dt.datetime
) -> list[dict[str, Any]]:
    """The pending sources cut into what one run does: one provider, at most 25 tickers; ``run`` numbers their run keys."""
    rows = []
    for provider in dict.fromkeys(provider for provider, _ in pending):
        tickers = list(dict.fromkeys(ticker for name, ticker in pending if name == provider))
        for number, start in enumerate(range(0, len(tickers), CHUNK_TICKERS)):
            rows.append(
                {
                    **owner,
                    "run_key": f"{owner['job_id']}:{provider}:{number}:{run}",
                    "provider": provider,
                    "tickers": tickers[start : start + CHUNK_TICKERS],
                    "attempt": 1,
                    "priority": priority,
                    "status": "waiting",
                    "run_id": None,
                    "created_at": now,
                    "updated_at": now,
                }
            )
    return rows


def content_values(content: Content | None) -> dict[str, Any]:
    """The columns that say where a source's content lies."""
    return {
        "content_sha256": content.sha256 if content else None,
        "content_type": content.kind if content else None,
        "size": content.size if content else None,
    }


def source_values(source: PlannedSource, now: dt.datetime) -> dict[str, Any]:
    """The columns of a source that is being made."""
    return {
        "key": source.key,
        "provider": source.provider,
        "ticker": source.ticker,
        "ordinal": source.ordinal,
        "status": source.status.value,
        "attempt": 0,
        "details": dict(source.details),
        "error": source.error,
        "finished_at": now if source.status.is_final else None,
        **content_values(source.content),
    }


def outcome_values(outcome: Outcome, now: dt.datetime) -> dict[str, Any]:
    """The columns that an outcome sets."""
    return {
        "status": outcome.status.value,
        "details": dict(outcome.details),
        "error_class": outcome.error_class,
        "error": None if outcome.error is None else outcome.error[:500],
        "finished_at": now if outcome.status.is_final else None,
        **content_values(outcome.content),
    }


def source_view(row: RowMapping) -> SourceView:
    """A stored source."""
    digest = row["content_sha256"]
    return SourceView(
        key=row["key"],
        provider=row["provider"],
        ticker=row["ticker"],
        ordinal=row["ordinal"],
        status=SourceStatus(row["status"]),
        attempt=row["attempt"],
        run_id=row["run_id"],
        content=None if digest is None else Content(digest, row["content_type"], row["size"] or 0),
        details=row["details"] or {},
        error_class=row["error_class"],
        error=row["error"],
        finished_at=row["finished_at"],
    )
