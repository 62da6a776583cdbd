"""Alpha Vantage's technical indicators -> one row per day and line of an indicator.

JSON and CSV are read; every number comes as text, the newest day first. What does not belong here: computing indicators
ourselves.
"""

from __future__ import annotations

import csv
import datetime as dt
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from salescience_pipeline.catalog.indicators import INDICATORS
from salescience_pipeline.catalog.symbols import to_canonical
from salescience_pipeline.clients.model import Answer
from salescience_pipeline.identifiers import InvalidIdentifier
from salescience_pipeline.tidy.model import Tidied, TidyContext
from salescience_pipeline.tidy.reading import (
    BadRecord,
    LeftOuts,
    contract,
    day,
    decimal,
    member,
    needed,
    parse_json,
    shown,
    subject_of,
    text_of,
    with_data,
)
from salescience_pipeline.tidy.rows import Rows, joined

INDICATORS_TABLE = "core_alphavantage__technical_indicators"


def alphavantage_indicators(answers: Sequence[Answer], context: TidyContext) -> Tidied:
    """Rows of Alpha Vantage's indicators of one ticker; the days before there are enough bars have none.

    Of two answers with one day the newest becomes the row. A JSON answer must be about what was asked for; CSV does not say.

    Raises:
        Contract: when an answer is no indicator, about something else, or of bars shorter than a day.
        TooLarge: when a body exceeds its cap.
    """
    account = LeftOuts(subject_of(answers))
    seen: set[tuple[object, ...]] = set()
    parts = []
    for answer in sorted(with_data(answers), key=lambda answer: answer.fetched_at, reverse=True):
        subject = answer.request.subject
        name, interval = subject.details.get("indicator", ""), subject.details.get("interval", "daily")
        if subject.ticker is None or name not in INDICATORS:
            raise contract(answer, "The answer is about no indicator that we know.")
        if interval not in ("daily", "weekly", "monthly"):
            raise contract(answer, f"Bars of {interval} have no day of their own.")
        fixed = {
            "ticker": subject.ticker,
            "indicator": name,
            "params_key": subject.details.get("params_key", INDICATORS[name].params_key),
            "interval": interval,
        }
        rows = Rows(INDICATORS_TABLE, answer, context)
        parts.append(rows)
        for stamp, lines in _days(answer, name, interval, account):
            for line in INDICATORS[name].series:
                what = f"{line} on {shown(stamp)}"
                try:
                    values = _value(stamp, lines, line)
                except BadRecord as error:
                    account.unreadable(what, error)
                    continue
                key = (fixed["params_key"], name, values["ts_date"], line)
                if key in seen:
                    account.add(what, "another row holds the same day and line")
                    continue
                seen.add(key)
                rows.add(**fixed, **values)
    return Tidied({INDICATORS_TABLE: joined(INDICATORS_TABLE, parts)}, account.done())


def _value(stamp: object, lines: Mapping[str, Any], line: str) -> dict[str, Any]:
    text = lines.get(line)
    if text is not None and not isinstance(text, str):
        raise BadRecord(f"{line} is {shown(text)} and no number in text")
    ts_date: dt.date = needed(day(stamp, "date"), "date")
    return {"ts_date": ts_date, "series": line, "value": needed(decimal(text, line), line)}


def alphavantage_bars(answer: Answer, account: LeftOuts) -> Iterator[tuple[object, Mapping[str, Any]]]:
    """Stamp and bar of each day of a daily series, the bar's fields by their plain names (``open``, not ``1. open``).

    Raises:
        Contract: when it is no daily series, or about another ticker.
    """
    text = text_of(answer)
    if text.lstrip()[:1] != "{":
        header, records = _csv_records(answer, text, account)
        if header[:1] != ["timestamp"]:
            raise contract(answer, "The answer is no CSV of a daily series.")
        yield from ((record["timestamp"], record) for record in records)
        return
    content = parse_json(answer, text)
    _about(answer, member(answer, content, "Meta Data", dict))
    for stamp, bar in member(answer, content, "Time Series (Daily)", dict).items():
        if isinstance(bar, dict):
            yield stamp, {str(name).partition(". ")[2]: value for name, value in bar.items()}
        else:
            account.add(f"bar of {shown(stamp)}", "it is no object")


def _about(answer: Answer, meta: Mapping[str, Any]) -> Mapping[str, Any]:
    """What the frame of an answer says, by the plain names of its fields; it must be about the ticker that was asked for."""
    told = {re.sub(r"^[0-9. ]+:? ?", "", str(key)): value for key, value in meta.items()}
    try:
        about = to_canonical("alphavantage", told.get("Symbol", ""))
    except InvalidIdentifier as error:
        raise contract(answer, "The answer does not say which ticker it is about.") from error
    if about != answer.request.subject.ticker:
        raise contract(answer, f"The answer is about {about}, which nobody asked for.")
    return told


def _csv_records(answer: Answer, text: str, account: LeftOuts) -> tuple[list[str], list[dict[str, str]]]:
    """The header and the records of a CSV answer; lines of another length are left out."""
    try:
        lines = list(csv.reader(text.splitlines(), strict=True))
    except csv.Error as error:
        raise contract(answer, "The answer is neither JSON nor CSV.") from error
    header = lines[0] if lines else []
    records = []
    for index, cells in enumerate(lines[1:]):
        if len(cells) == len(header):
            records.append(dict(zip(header, cells, strict=True)))
        elif cells:
            account.add(f"line {index + 2}", "it has another number of cells than the header")
    return header, records


def _days(answer: Answer, name: str, interval: str, account: LeftOuts) -> Iterator[tuple[object, Mapping[str, Any]]]:
    """Stamp and lines of each day, as they came."""
    text = text_of(answer)
    if text.lstrip()[:1] != "{":
        yield from _csv_days(answer, name, text, account)
        return
    content = parse_json(answer, text)
    meta = member(answer, content, "Meta Data", dict)
    values = member(answer, content, f"Technical Analysis: {name}", dict)
    told = _about(answer, meta)
    if told.get("Interval") != interval:
        raise contract(answer, f"The answer is of {shown(told.get('Interval'))} bars, which nobody asked for.")
    for stamp, lines in values.items():
        if isinstance(lines, dict):
            yield stamp, lines
        else:
            account.add(f"{name} on {shown(stamp)}", "it is no object")


def _csv_days(answer: Answer, name: str, text: str, account: LeftOuts) -> Iterator[tuple[object, Mapping[str, Any]]]:
    header, records = _csv_records(answer, text, account)
    if header[:1] != ["time"] or not set(INDICATORS[name].series) <= set(header):
        raise contract(answer, f"The answer is no CSV of {name}.")
    yield from ((record["time"], record) for record in records)
