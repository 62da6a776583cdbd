"""Earnings answers -> surprises by calendar quarter, and the calendar by day of report.

The two count quarters differently (a report of January is Q4 of the calendar and may be Q1 of the company), so they are
never joined by (year, quarter). What does not belong here: metrics.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from salescience_pipeline.catalog.symbols import to_canonical
from salescience_pipeline.clients.model import Answer
from salescience_pipeline.identifiers import InvalidIdentifier, Ticker
from salescience_pipeline.tidy.companies import exchange_day
from salescience_pipeline.tidy.model import Tidied, TidyContext
from salescience_pipeline.tidy.reading import (
    BadRecord,
    LeftOuts,
    contract,
    day,
    in_some,
    load_json,
    needed,
    number,
    shown,
    small,
    string,
    subject_of,
    with_data,
)
from salescience_pipeline.tidy.rows import Rows, joined

SURPRISES_TABLE = "core_finnhub__earnings_surprises"
CALENDAR_TABLE = "core_finnhub__earnings_calendar"

_SURPRISE_FIELDS = ("period", "actual", "estimate", "surprise", "surprisePercent", "year", "quarter")
_REPORT_FIELDS = ("date", "year", "quarter", "epsEstimate", "revenueEstimate")
"""What every record has; results may be left away until they are known, and who reports when one company was asked for."""
_FIRST_YEAR, _LAST_YEAR = 1900, 2200


def finnhub_surprises(answers: Sequence[Answer], context: TidyContext) -> Tidied:
    """Rows of Finnhub's reported and estimated earnings; the day of the report is not told, so it stays null.

    Of two rows about one quarter the newest answer's first becomes the row.

    Raises:
        Contract: when an answer is no list about one ticker.
        TooLarge: when a body exceeds its cap.
    """
    account = LeftOuts(subject_of(answers))
    seen: set[tuple[Ticker, dt.date]] = set()
    parts = []
    for answer in sorted(with_data(answers), key=lambda answer: answer.fetched_at, reverse=True):
        ticker, records = answer.request.subject.ticker, load_json(answer)
        if ticker is None or not isinstance(records, list):
            raise contract(answer, "The answer is no list of earnings of one ticker.")
        in_some(answer, records, _SURPRISE_FIELDS)
        rows = Rows(SURPRISES_TABLE, answer, context)
        parts.append(rows)
        for index, record in enumerate(records):
            try:
                values = _surprise(record, ticker)
            except BadRecord as error:
                account.unreadable(f"quarter {index + 1} of {ticker}", error)
                continue
            key = (ticker, values["period_end"])
            if key in seen:
                account.add(f"quarter {key[1]} of {ticker}", "another row holds the same quarter")
                continue
            seen.add(key)
            rows.add(ticker=ticker, **values)
    return Tidied({SURPRISES_TABLE: joined(SURPRISES_TABLE, parts)}, account.done())


def _surprise(record: object, ticker: Ticker) -> dict[str, Any]:
    if not isinstance(record, dict):
        raise BadRecord("it is no object")
    if record.get("symbol") is not None and _ticker(record) != ticker:
        raise BadRecord(f"it is about {shown(record['symbol'])}")
    return {
        "period_end": needed(day(record.get("period"), "period"), "period"),
        "eps_actual": number(record.get("actual"), "actual"),
        "eps_estimate": number(record.get("estimate"), "estimate"),
        "surprise": number(record.get("surprise"), "surprise"),
        "surprise_pct": number(record.get("surprisePercent"), "surprisePercent"),
        "src_year": needed(small(record.get("year"), "year", _FIRST_YEAR, _LAST_YEAR), "year"),
        "src_quarter": needed(small(record.get("quarter"), "quarter", 1, 4), "quarter"),
    }


def finnhub_calendar(answers: Sequence[Answer], context: TidyContext) -> Tidied:
    """Rows of Finnhub's earnings calendar, of the whole market, as of the day in New York on which it was read.

    Rows that name no company are left out: some answers leave the symbol away.

    Raises:
        Contract: when an answer holds no calendar.
        TooLarge: when a body exceeds its cap.
    """
    account = LeftOuts(subject_of(answers))
    seen: set[tuple[Ticker, dt.date, dt.date]] = set()
    parts = []
    for answer in sorted(with_data(answers), key=lambda answer: answer.fetched_at, reverse=True):
        content = load_json(answer)
        records = content.get("earningsCalendar") if isinstance(content, dict) else None
        if not isinstance(records, list):
            raise contract(answer, "The answer holds no list of reports.")
        in_some(answer, records, _REPORT_FIELDS)
        rows, as_of = Rows(CALENDAR_TABLE, answer, context), exchange_day(answer)
        parts.append(rows)
        for index, record in enumerate(records):
            try:
                values = _report(record)
            except BadRecord as error:
                account.unreadable(f"report {index + 1}", error)
                continue
            key = (values["ticker"], values["report_date"], as_of)
            if key in seen:
                account.add(f"report of {key[0]} on {key[1]}", "another row holds the same report")
                continue
            seen.add(key)
            rows.add(as_of_date=as_of, **values)
    return Tidied({CALENDAR_TABLE: joined(CALENDAR_TABLE, parts)}, account.done())


def _report(record: object) -> dict[str, Any]:
    if not isinstance(record, dict):
        raise BadRecord("it is no object")
    return {
        "ticker": _ticker(record),
        "report_date": needed(day(record.get("date"), "date"), "date"),
        "hour": string(record.get("hour"), "hour"),
        "fiscal_year": small(record.get("year"), "year", _FIRST_YEAR, _LAST_YEAR),
        "fiscal_quarter": small(record.get("quarter"), "quarter", 1, 4),
        "eps_estimate": number(record.get("epsEstimate"), "epsEstimate"),
        "eps_actual": number(record.get("epsActual"), "epsActual"),
        "revenue_estimate": number(record.get("revenueEstimate"), "revenueEstimate"),
        "revenue_actual": number(record.get("revenueActual"), "revenueActual"),
    }


def _ticker(record: Mapping[str, Any]) -> Ticker:
    symbol = needed(string(record.get("symbol"), "symbol"), "symbol")
    try:
        return to_canonical("finnhub", symbol)
    except InvalidIdentifier as error:
        raise BadRecord(f"symbol is {shown(symbol)} and no ticker") from error
