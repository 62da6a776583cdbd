"""From batches of tidied subjects to commits: rows that replace the same kind of slice go into one.

What is replaced is exactly what the provider answered for: a company's facts, a form's lines (also by nothing, when the
answer was that there is nothing), and of a ticker's ranged call the days from the first one that the answer has.

What does not belong here: how a commit is made (``lake.tables``), and the rows themselves (``tidy``).
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from salescience_pipeline.acquisition.outcome import TableTotals
from salescience_pipeline.catalog.datasets import Dataset
from salescience_pipeline.catalog.tables import TABLES
from salescience_pipeline.clients.model import Answer, PlannedRequest
from salescience_pipeline.lake.keys import key_codes
from salescience_pipeline.lake.tables import Slice, Tables, WriteMode
from salescience_pipeline.tidy.model import LeftOut, Tidied

_DAY_COLUMNS = ("trade_date", "filing_date", "published_date_et", "ts_date", "period_end", "report_date")
"""Columns that say from when to when rows reach, the most telling first."""


@dataclass(frozen=True)
class Ready:
    """A subject whose rows can be written."""

    key: str
    tidied: Tidied
    requests: Sequence[PlannedRequest]
    answers: Sequence[Answer]


def write_batch(tables: Tables, dataset: Dataset, batch: Sequence[Ready], totals: dict[str, TableTotals]) -> None:
    """Commit the rows of ``batch``, table by table, and add up what was written in ``totals``."""
    for name in dict.fromkeys(dataset.outputs.values()):
        parts = [(ready, ready.tidied.tables[name]) for ready in batch if name in ready.tidied.tables]
        if not parts:
            continue
        if dataset.insert_only:
            write_rows(tables, name, [rows for _, rows in parts], None, WriteMode.INSERT_ONLY, totals)
        elif not _sliced(dataset, name):
            write_rows(tables, name, _each_once(name, [rows for _, rows in parts]), None, WriteMode.UPSERT, totals)
        else:
            for covers, rows in _by_slice(dataset, parts).items():
                write_rows(tables, name, rows, covers, WriteMode.REPLACE, totals)


def _sliced(dataset: Dataset, table: str) -> bool:
    return bool(dataset.slice_by) and all(column in TABLES[table].column_names for column in dataset.slice_by)


_Group = tuple[bool, dt.date | None, dt.date | None]


def _by_slice(dataset: Dataset, parts: Sequence[tuple[Ready, pa.Table]]) -> Mapping[Slice, list[pa.Table]]:
    """Rows grouped by the slice they replace: subjects that were asked for the same days share one.

    The market's list and the tickers that it made somebody ask for never do: both may hold the same day of one ticker.
    """
    column = dataset.slice_by[0]
    dated = dataset.trading_days_only
    keys: dict[_Group, set[str]] = defaultdict(set)
    rows: dict[_Group, list[pa.Table]] = defaultdict(list)
    for ready, table in parts:
        if dated and not table.num_rows:
            # Nobody has prices for these days any more: those that were kept stay.
            continue
        group = (ready.requests[0].subject.ticker is None, *(_span(ready, table) if dated else (None, None)))
        keys[group] |= _slice_keys(column, ready, table)
        rows[group].append(table)
    return {
        Slice(
            values={column: sorted(keys[group])},
            date_column="trade_date" if dated else None,
            first=group[1],
            last=group[2],
        ): rows[group]
        for group in sorted(keys, key=lambda group: not group[0])
        if keys[group]
    }


def _span(ready: Ready, rows: pa.Table) -> tuple[dt.date | None, dt.date | None]:
    """The days that are replaced: from the first that the answer has, since what lies before it is another company's.

    A ticker that was recycled brings the prices of its new company only; those of the former one stay as they were.
    """
    firsts = [request.first_date for request in ready.requests if request.first_date]
    lasts = [request.last_date for request in ready.requests if request.last_date]
    first = max(min(firsts), pc.min(rows["trade_date"]).as_py()) if firsts else None
    return (first, max(lasts) if lasts else None)


def _slice_keys(column: str, ready: Ready, table: pa.Table) -> set[str]:
    """The values of ``column`` that this subject settles; for a list of the market, those that stand in it."""
    subject = ready.requests[0].subject
    own = {"ticker": subject.ticker, "cik": subject.cik, "accession": subject.accession}[column]
    return {str(own)} if own is not None else set(pc.unique(table[column]).to_pylist())


def _each_once(name: str, parts: Sequence[pa.Table]) -> Sequence[pa.Table]:
    """``parts`` without the rows that an earlier part holds too: an article about two tickers comes with both of them."""
    if "ticker" in TABLES[name].key or len(parts) < 2:
        return parts
    (codes,) = key_codes([pa.concat_tables(parts)], TABLES[name].key)
    kept = np.zeros(len(codes), dtype=np.bool_)
    kept[np.unique(codes, return_index=True)[1]] = True
    ends = np.cumsum([part.num_rows for part in parts])
    return [
        part.filter(pa.array(kept[end - part.num_rows : end])) for part, end in zip(parts, ends.tolist(), strict=True)
    ]


def of_the_days_asked(dataset: Dataset, tidied: Tidied, requests: Sequence[PlannedRequest]) -> Tidied:
    """``tidied`` without the rows of other days, where a list of the whole market was asked for by its day.

    Such a list is of the newest day there is: early in the evening that may still be the day before, which is stored.
    """
    if not (dataset.trading_days_only and dataset.slice_by) or any(request.subject.ticker for request in requests):
        return tidied
    days = [day for request in requests for day in (request.first_date, request.last_date) if day is not None]
    tables: dict[str, pa.Table] = {}
    left_out = list(tidied.left_out)
    for name, rows in tidied.tables.items():
        asked = pc.is_in(rows["trade_date"], pa.array(sorted(set(days)), pa.date32()))
        tables[name] = rows.filter(asked)
        if tables[name].num_rows < rows.num_rows:
            newest = pc.max(rows["trade_date"]).as_py()
            lost = rows.num_rows - tables[name].num_rows
            left_out.append(LeftOut("*", "prices", f"the list is of {newest} and of no later day", lost))
    return Tidied(tables, left_out)


def write_rows(
    tables: Tables,
    name: str,
    parts: Sequence[pa.Table],
    covers: Slice | None,
    mode: WriteMode,
    totals: dict[str, TableTotals],
) -> None:
    """Commit ``parts`` to the table ``name`` and add up in ``totals`` what was written, with a sample to look at."""
    rows = pa.concat_tables(parts)
    commit = tables.write(name, rows, covers=covers, mode=mode)
    total = totals.setdefault(name, TableTotals())
    total.rows += rows.num_rows
    total.commits += not commit.unchanged
    total.bytes += commit.bytes
    total.version = commit.version
    first = next((part for part in parts if part.num_rows), None)
    if total.sample is None and first is not None:
        total.sample = first.slice(0, 400)
    day_column = next((column for column in _DAY_COLUMNS if column in rows.column_names), None)
    if day_column is not None and rows.num_rows:
        low, high = pc.min_max(rows[day_column]).as_py().values()
        total.first_date = min(filter(None, (total.first_date, low)), default=None)
        total.last_date = max(filter(None, (total.last_date, high)), default=None)
