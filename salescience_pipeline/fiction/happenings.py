"""What may be made to happen beside prices: to earnings dates, to news, to the fields of answers.

These are values and their checks. What does not belong here: what a happening does to an answer (``earnings``, ``news``,
``drift``), and splits, dividends, delistings and recycled tickers, which are the world's own (``world``).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MOVED = "moved_earnings"
NEWS_KINDS = ("late_news", "corrected_news", "duplicate_news")
FIELD_KINDS = ("renamed_field", "removed_field", "added_field", "retyped_field")
KINDS = (MOVED, *NEWS_KINDS, *FIELD_KINDS)
"""Everything that can happen here, by the ``kind`` of an event."""


@dataclass(frozen=True, slots=True)
class MovedEarnings:
    """A company puts an announced report off, or brings it forward."""

    ticker: str
    date: dt.date
    """The day on which the report was due, in New York."""
    to: dt.date

    def report(self) -> dict[str, Any]:
        """The event as JSON types."""
        return {"kind": MOVED, "ticker": self.ticker, "date": self.date.isoformat(), "value": self.to.isoformat()}


@dataclass(frozen=True, slots=True)
class NewsEvent:
    """Something that happens to the news of a company on a day."""

    kind: str
    """``late_news`` (an article of that day that nobody could see before), ``corrected_news`` (the first article of
    the day gets another title, its ids stay) or ``duplicate_news`` (the first article of the day arrives once more)."""
    ticker: str
    date: dt.date
    """The day of publication in UTC."""
    title: str | None
    """The title of the late or the corrected article, when it is not left to the newsroom."""
    serial: int
    """Counts the events, so that two of them on one day differ."""

    def report(self) -> dict[str, Any]:
        """The event as JSON types."""
        return {"kind": self.kind, "ticker": self.ticker, "date": self.date.isoformat(), "value": self.title}


@dataclass(frozen=True, slots=True)
class FieldChange:
    """An endpoint's answers change their shape."""

    kind: str
    provider: str
    endpoint: str
    """The endpoint's name in statistics and faults, or ``*``."""
    field: str
    value: str | None
    """The new name of a renamed field."""

    def report(self) -> dict[str, Any]:
        """The event as JSON types."""
        return {
            "kind": self.kind,
            "provider": self.provider,
            "endpoint": self.endpoint,
            "field": self.field,
            "value": self.value,
        }


Happening = MovedEarnings | NewsEvent | FieldChange


def _text(spec: Mapping[str, Any], name: str) -> str:
    value = spec.get(name)
    if not isinstance(value, str) or not value:
        raise ValueError(f"The event {spec.get('kind')} needs a text {name!r}.")
    return value


def _day(spec: Mapping[str, Any], name: str) -> dt.date:
    text = _text(spec, name)
    try:
        return dt.date.fromisoformat(text)
    except ValueError as error:
        raise ValueError(f"The {name!r} of an event is a date as YYYY-MM-DD, not {text!r}.") from error


class Happenings:
    """The events in force, oldest first."""

    def __init__(self) -> None:
        self.all: tuple[Happening, ...] = ()
        self.version = 0
        """Rises with every change."""
        self._serial = 0

    def read(self, spec: Mapping[str, Any]) -> Happening:
        """Understand one event; nothing happens yet.

        Args:
            spec: ``kind`` and, for a moved report, ``ticker``, ``date`` and ``value`` (the new date); for news
                ``ticker``, ``date`` and optionally ``value`` (a title); for fields ``provider``, ``endpoint``, ``field``
                and, when it is renamed, ``value`` (the new name).

        Raises:
            ValueError: for a kind, a date or a field that makes no sense.
        """
        kind = _text(spec, "kind")
        if kind == MOVED:
            return MovedEarnings(_text(spec, "ticker"), _day(spec, "date"), _day(spec, "value"))
        if kind in NEWS_KINDS:
            self._serial += 1
            title = spec.get("value")
            if title is not None and not isinstance(title, str):
                raise ValueError(f"The value of {kind} is a title, not {title!r}.")
            return NewsEvent(kind, _text(spec, "ticker"), _day(spec, "date"), title, self._serial)
        if kind in FIELD_KINDS:
            value = _text(spec, "value") if kind == "renamed_field" else None
            endpoint = _text(spec, "endpoint") if "endpoint" in spec else "*"
            return FieldChange(kind, _text(spec, "provider"), endpoint, _text(spec, "field"), value)
        raise ValueError(f"{kind!r} is not a happening: use one of {', '.join(KINDS)}.")

    def add(self, happening: Happening) -> None:
        """Let it happen."""
        self.all = (*self.all, happening)
        self.version += 1

    def clear(self) -> None:
        """Take everything back."""
        self.all = ()
        self.version += 1

    def moves(self, ticker: str) -> dict[dt.date, dt.date]:
        """Where the reports of a company went: due day to new day, the last move of a day wins."""
        return {h.date: h.to for h in self.all if isinstance(h, MovedEarnings) and h.ticker == ticker}

    def news(self) -> tuple[NewsEvent, ...]:
        """What happened to news."""
        return tuple(h for h in self.all if isinstance(h, NewsEvent))

    def changes(self, provider: str, endpoint: str) -> tuple[FieldChange, ...]:
        """The changed fields of an endpoint."""
        return tuple(
            h
            for h in self.all
            if isinstance(h, FieldChange) and h.provider == provider and h.endpoint in {"*", endpoint}
        )
