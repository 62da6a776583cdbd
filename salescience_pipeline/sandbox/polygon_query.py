"""How Polygon's list endpoints are asked: parameters with range operators, limits, order, and the opaque cursor of a page.

Pure functions over the parameters of a request. What does not belong here: rows and HTTP (``polygon``).
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any
from urllib.parse import parse_qsl, urlencode

OPERATORS = ("gt", "gte", "lt", "lte")
"""Suffixes of a parameter's name, after a dot."""
_ORDERS = {"asc": False, "ascending": False, "desc": True, "descending": True}
_KEYS = ("apikey", "apiKey")


class BadQuery(ValueError):
    """A request that cannot be understood; the message is what the provider would say."""


@dataclass(frozen=True, slots=True)
class Window:
    """What the operators of one parameter let through, by comparison of ``value``."""

    equal: Any = None
    gt: Any = None
    gte: Any = None
    lt: Any = None
    lte: Any = None

    def lets(self, value: Any) -> bool:
        """Whether a value passes."""
        return (
            (self.equal is None or value == self.equal)
            and (self.gt is None or value > self.gt)
            and (self.gte is None or value >= self.gte)
            and (self.lt is None or value < self.lt)
            and (self.lte is None or value <= self.lte)
        )

    @property
    def open(self) -> bool:
        """Whether everything passes."""
        return all(value is None for value in (self.equal, self.gt, self.gte, self.lt, self.lte))


@dataclass(frozen=True, slots=True)
class Query:
    """A request for a list, the continuation of an earlier one included."""

    params: Mapping[str, str]
    """The filters, without key, limit, order and cursor."""
    limit: int
    newest: bool
    """Descending order."""
    sort: str
    after: tuple[str, str] | None = None
    """Sort value and id of the last row that was sent."""

    def window(self, name: str, read: Callable[[str], Any] = str) -> Window:
        """The operators of one parameter.

        Raises:
            BadQuery: for a value that ``read`` refuses.
        """
        found: dict[str, Any] = {}
        for operator in ("equal", *OPERATORS):
            text = self.params.get(name if operator == "equal" else f"{name}.{operator}")
            if text:
                try:
                    found[operator] = read(text)
                except ValueError as error:
                    raise BadQuery(f"Could not parse the parameter '{name}': {text!r} is not valid.") from error
        return Window(**found)

    def cursor(self, last: tuple[str, str]) -> str:
        """The cursor of the page after ``last``; it holds everything but the key."""
        order = "descending" if self.newest else "ascending"
        fields = {
            "ap": last[0],
            "as": last[1],
            **self.params,
            "limit": str(self.limit),
            "order": order,
            "sort": self.sort,
        }
        return base64.urlsafe_b64encode(urlencode(sorted(fields.items())).encode()).decode().rstrip("=")


def read_query(params: Mapping[str, str], *, default: int, most: int, sorts: tuple[str, ...], newest: bool) -> Query:
    """Understand a request for a list.

    Args:
        params: the parameters of the request.
        default: rows of a page when no limit is given.
        most: rows of a page at most.
        sorts: what may be sorted by; the first one counts when nothing is said.
        newest: the order when none is given.

    Raises:
        BadQuery: for a cursor, limit, order or sort that makes no sense.
    """
    fields = {name: value for name, value in params.items() if name not in _KEYS}
    if token := fields.pop("cursor", None):
        fields = _opened(token)
    after = (fields.pop("ap"), fields.pop("as")) if "ap" in fields and "as" in fields else None
    text = fields.pop("limit", None) or str(default)
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= most:
        raise BadQuery(f"The parameter 'limit' must be a number from 1 to {most}.")
    order = fields.pop("order", None)
    if order and order not in _ORDERS:
        raise BadQuery("The parameter 'order' must be one of asc, desc.")
    sort = fields.pop("sort", None) or sorts[0]
    if sort not in sorts:
        raise BadQuery(f"The parameter 'sort' must be one of {', '.join(sorts)}.")
    return Query(fields, int(text), _ORDERS[order] if order else newest, sort, after)


def _opened(token: str) -> dict[str, str]:
    try:
        text = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode()
    except (binascii.Error, ValueError) as error:
        raise BadQuery("The parameter 'cursor' is not valid.") from error
    fields = dict(parse_qsl(text, keep_blank_values=True))
    if "ap" not in fields:
        raise BadQuery("The parameter 'cursor' is not valid.")
    return fields


def page(
    rows: Iterable[dict[str, Any]], query: Query, key: Callable[[dict[str, Any]], tuple[str, str]]
) -> tuple[list[dict[str, Any]], str | None]:
    """The rows of one page and the cursor of the next one, if there is any; ``rows`` come in the order asked for."""
    after = query.after
    if after is not None:
        rows = (row for row in rows if (key(row) < after if query.newest else key(row) > after))
    taken = list(islice(rows, query.limit + 1))
    if len(taken) <= query.limit:
        return taken, None
    taken.pop()
    return taken, query.cursor(key(taken[-1]))


def read_moment(text: str) -> dt.datetime:
    """A date (its midnight in UTC) or an RFC 3339 moment.

    Raises:
        ValueError: for anything else.
    """
    moment = dt.datetime.fromisoformat(text)
    return moment.replace(tzinfo=dt.UTC) if moment.tzinfo is None else moment.astimezone(dt.UTC)


def read_day(text: str) -> str:
    """A date, or Unix milliseconds, as the text of a date.

    Raises:
        ValueError: for anything else.
    """
    if text.isascii() and text.isdigit() and len(text) > 8:
        return dt.datetime.fromtimestamp(int(text) / 1000, dt.UTC).date().isoformat()
    return dt.date.fromisoformat(text).isoformat()
