"""Finnhub's metrics -> one row per metric and period, with what it covers and in which unit.

The answer says neither period nor unit, only names. The rules below were read off a recorded answer by comparing each
metric with the time series beside it: ``epsAnnual`` is the newest value of the annual series ``eps``, ``roaTTM`` of the
quarterly series ``roaTTM``. Margins and returns are percent points in the metrics and fractions in the series. What
does not belong here: earnings against estimates (``earnings``).
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from salescience_pipeline.clients.model import Answer
from salescience_pipeline.identifiers import Ticker
from salescience_pipeline.tidy.companies import exchange_day
from salescience_pipeline.tidy.model import Tidied, TidyContext
from salescience_pipeline.tidy.reading import (
    BadRecord,
    LeftOuts,
    NoValue,
    contract,
    day,
    load_json,
    member,
    needed,
    number,
    shown,
    subject_of,
    with_data,
)
from salescience_pipeline.tidy.rows import Rows, joined

METRICS_TABLE = "core_finnhub__fundamental_metrics"
SERIES = "series."
"""Begin of the names of values from a time series, which may share their name with a metric in another unit."""

_SUFFIX = re.compile(r"(?:Annual|Quarterly|Rfy)$")
# Tried in this order: the first that is found in the name decides.
_METRIC_UNITS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"(?i)margin|growth|cagr|return|yield|payoutratio|^ro[aei](?=[A-Z0-9])|^priceRelativeTo"), "pct"),
    (re.compile(r"^marketCapitalization$|^enterpriseValue$|Employee(?:Annual|TTM)$"), "usd_m"),
    (re.compile(r"AverageTradingVolume$"), "shares_m"),
    (re.compile(r"^52Week(?:High|Low)$|PerShare|^eps|^dividendIndicated"), "usd"),
)
_SERIES_UNITS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"^(?:bookValue|tangibleBookValue|ev)$"), "usd_m"),
    (re.compile(r"PerShare|^eps"), "usd"),
)


def unit_of(metric: str) -> str:
    """The unit of a metric by its name: pct, ratio, usd, usd_m or shares_m; those of a series begin with ``series.``."""
    own = metric.removeprefix(SERIES)
    rules = _SERIES_UNITS if metric != own else _METRIC_UNITS
    return next((unit for pattern, unit in rules if pattern.search(own)), "ratio")


def period_type_of(metric: str) -> str:
    """What a metric covers by its name: ttm, annual, quarterly or point (a moment, or several years)."""
    if "Indicated" in metric:
        # The dividend that the last payment would make in a year.
        return "point"
    if "TTM" in metric:
        return "ttm"
    if "Quarterly" in metric:
        return "quarterly"
    return "annual" if _SUFFIX.search(metric) else "point"


def finnhub_metrics(answers: Sequence[Answer], context: TidyContext) -> Tidied:
    """Rows of Finnhub's metrics and their time series of one ticker.

    A metric ends its period where its own series does, else where the newest series of its kind does; a moment ends on the
    day of reading. Metrics without a value are left out and counted.

    Raises:
        Contract: when an answer holds no metrics of one ticker.
        TooLarge: when a body exceeds its cap.
    """
    account = LeftOuts(subject_of(answers))
    seen: set[tuple[object, ...]] = set()
    parts = []
    for answer in sorted(with_data(answers), key=lambda answer: answer.fetched_at, reverse=True):
        ticker, content = answer.request.subject.ticker, load_json(answer)
        if ticker is None:
            raise contract(answer, "The answer does not say which ticker it is about.")
        metrics = member(answer, content, "metric", dict)
        series = _series(answer, content)
        rows = Rows(METRICS_TABLE, answer, context)
        parts.append(rows)
        for values in (
            *_moments(metrics, series, exchange_day(answer), ticker, account),
            *_history(series, ticker, account),
        ):
            key = (values["as_of_date"], values["metric"], values["period_type"], values["period_end"])
            if key in seen:
                account.add(f"{key[1]} of {key[3]}", "another row holds the same metric and period")
                continue
            seen.add(key)
            rows.add(ticker=ticker, **values)
    return Tidied({METRICS_TABLE: joined(METRICS_TABLE, parts)}, account.done())


_Series = Mapping[str, Mapping[str, list[Any]]]


def _series(answer: Answer, content: Mapping[str, Any]) -> _Series:
    """Frequency -> name -> points, as they came."""
    series = content.get("series") or {}
    if not isinstance(series, dict) or not all(isinstance(kind, dict) for kind in series.values()):
        raise contract(answer, "The time series of the answer are no objects.")
    if not all(isinstance(points, list) for kind in series.values() for points in kind.values()):
        raise contract(answer, "A time series of the answer is no list.")
    return series


def _moments(
    metrics: Mapping[str, Any], series: _Series, as_of: dt.date, ticker: Ticker, account: LeftOuts
) -> Iterator[dict[str, Any]]:
    newest = {frequency: _newest(points for points in kind.values()) for frequency, kind in series.items()}
    for name, value in metrics.items():
        try:
            values = _value(name, value)
        except BadRecord as error:
            account.unreadable(f"metric {shown(name)} of {ticker}", error)
            continue
        period_type = "point" if values["unit"] == "date" else period_type_of(name)
        frequency = {"annual": "annual", "quarterly": "quarterly", "ttm": "quarterly"}.get(period_type, "")
        own = series.get(frequency, {}).get(name if period_type == "ttm" else _SUFFIX.sub("", name))
        end = (_newest([own]) if own else None) or newest.get(frequency) or as_of
        yield {"as_of_date": as_of, "metric": name, "period_type": period_type, "period_end": end, **values}


def _value(name: str, value: object) -> dict[str, Any]:
    if value is None or value == "":
        raise NoValue("it holds no value")
    if isinstance(value, str):
        return {"value": None, "value_text": str(needed(day(value, name), name)), "unit": "date"}
    return {"value": number(value, name), "value_text": None, "unit": unit_of(name)}


def _history(series: _Series, ticker: Ticker, account: LeftOuts) -> Iterator[dict[str, Any]]:
    for frequency, kind in series.items():
        for name, points in kind.items():
            metric = f"{SERIES}{name}"
            period_type = "ttm" if "TTM" in name else frequency
            if period_type not in ("annual", "quarterly", "ttm"):
                account.add(f"{shown(frequency)} {shown(name)} of {ticker}", "its frequency is not known", len(points))
                continue
            for point in points:
                try:
                    end, value = _point(point)
                except BadRecord as error:
                    account.unreadable(f"{frequency} {shown(name)} of {ticker}", error)
                    continue
                # It holds for its period, and is the same on whichever day it is read.
                yield {
                    "as_of_date": end,
                    "metric": metric,
                    "period_type": period_type,
                    "period_end": end,
                    "value": value,
                    "unit": unit_of(metric),
                }


def _point(point: object) -> tuple[dt.date, float]:
    if not isinstance(point, dict):
        raise BadRecord("a point of it is no object")
    return needed(day(point.get("period"), "period"), "period"), needed(number(point.get("v"), "v"), "v")


def _newest(lists: Any) -> dt.date | None:
    ends = []
    for points in lists:
        for point in points:
            try:
                ends.append(_point(point)[0])
            except BadRecord:
                continue
    return max(ends, default=None)
