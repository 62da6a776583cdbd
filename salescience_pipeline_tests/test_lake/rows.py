"""Rows and answers that the lake's tests are made of, and the programs that run beside them in processes of their own."""

from __future__ import annotations

import datetime as dt
import hashlib
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from salescience_pipeline.catalog.tables import TABLES
from salescience_pipeline.clients.model import AnswerClass, Attempt, Body, PlannedRequest, Subject
from salescience_pipeline.identifiers import RequestId
from salescience_pipeline.lake.tables import Tables

PRICES, FACTS, FILINGS, COMPANIES = (
    "core_tiingo__eod_prices",
    "core_sec__facts",
    "core_sec__filings",
    "core_sec__companies",
)
NOW = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)
DAY = dt.date(2026, 11, 19)
DIGEST = hashlib.sha256(b"an answer").hexdigest()


def table(name: str, rows: Sequence[dict[str, Any]], *, run_id: str = "run-1") -> pa.Table:
    """Rows in the catalogue's schema, provenance filled in where a row does not say it."""
    given = {"source": "test", "fetched_at": NOW, "raw_sha256": DIGEST, "run_id": run_id, "organization_id": None}
    return pa.Table.from_pylist([given | row for row in rows], schema=TABLES[name].schema)


def closes(tables: Tables) -> dict[tuple[str, dt.date], float | None]:
    """The stored closes by ticker and day, which is how a model of the table has them; each key once."""
    rows = tables.read(PRICES).to_pylist()
    found = {(row["ticker"], row["trade_date"]): row["close"] for row in rows}
    assert len(found) == len(rows)
    return found


def price(ticker: str, day: dt.date = DAY, close: float | None = 10.0) -> dict[str, Any]:
    """One row of prices."""
    return {
        "ticker": ticker,
        "trade_date": day,
        "close": close,
        "div_cash": 0.0,
        "split_factor": 1.0,
        "adj_method": "crsp",
        "currency": "USD",
    }


def fact(cik: int, concept: str, start: dt.date | None, value: float) -> dict[str, Any]:
    """One row of facts; ``start`` None is an instant."""
    return {
        "cik": f"{cik:010d}",
        "taxonomy": "us-gaap",
        "concept": concept,
        "unit": "USD",
        "period_start": start,
        "period_end": DAY,
        "accession": "0000000001-26-000001",
        "value": value,
        "form": "10-K",
        "filed": DAY,
    }


def days(count: int, first: dt.date = dt.date(2026, 1, 1)) -> list[dt.date]:
    """``count`` days in a row."""
    return [first + dt.timedelta(days=number) for number in range(count)]


def attempt(
    path: str = "/submissions/CIK0000000001.json",
    body: bytes | Body | None = b"{}",
    *,
    answer_class: AnswerClass = AnswerClass.OK,
    complete: bool = True,
    started_at: dt.datetime = NOW,
    headers: dict[str, str] | None = None,
    error: str | None = None,
) -> Attempt:
    """One attempt at EDGAR."""
    return Attempt(
        request_id=RequestId.new(),
        request=PlannedRequest("sec", "submissions", "data", path, Subject("X")),
        answer_class=answer_class,
        attempt=1,
        started_at=started_at,
        elapsed_ms=12.5,
        status=200 if body is not None else None,
        headers=headers or {"Content-Type": "application/json", "ETag": '"1"'},
        body=Body(body) if isinstance(body, bytes) else body,
        error=error,
        complete=complete,
    )


def start(program: str, *arguments: object) -> subprocess.Popen[str]:
    """Run a function of ``programs`` in a process of its own."""
    command = [sys.executable, "-m", "salescience_pipeline_tests.test_lake.programs", program, *map(str, arguments)]
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).resolve().parents[2],
    )


def finish(process: subprocess.Popen[str]) -> str:
    """Wait for a process that must end well; returns what it printed."""
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    return out
