"""Quote answers -> one row per ticker and last trade.

What does not belong here: end-of-day prices (``prices``).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from salescience_pipeline.catalog.sessions import NEW_YORK
from salescience_pipeline.clients.model import Answer
from salescience_pipeline.identifiers import Ticker
from salescience_pipeline.tidy.model import Tidied, TidyContext
from salescience_pipeline.tidy.reading import (
    BadRecord,
    LeftOuts,
    NoValue,
    contract,
    in_some,
    load_json,
    moment,
    needed,
    number,
    subject_of,
    with_data,
)
from salescience_pipeline.tidy.rows import Rows, joined

QUOTES_TABLE = "core_finnhub__quotes"

_OPTIONAL: Mapping[str, str] = {
    "d": "change",
    "dp": "change_pct",
    "o": "day_open",
    "h": "day_high",
    "l": "day_low",
    "pc": "prev_close",
}


def finnhub_quotes(answers: Sequence[Answer], context: TidyContext) -> Tidied:
    """Rows of Finnhub's quotes: the moment is the last trade's, ``polled_at`` the answer's.

    Of two answers about the same trade the later one becomes the row.

    Raises:
        Contract: when an answer is no quote or does not say whom it is about.
        TooLarge: when a body exceeds its cap.
    """
    account = LeftOuts(subject_of(answers))
    seen: set[tuple[Ticker, dt.datetime]] = set()
    parts = []
    for answer in sorted(with_data(answers), key=lambda answer: answer.fetched_at, reverse=True):
        ticker, content = answer.request.subject.ticker, load_json(answer)
        if ticker is None or not isinstance(content, dict):
            raise contract(answer, "The answer is no quote of one ticker.")
        in_some(answer, [content], _OPTIONAL)
        rows = Rows(QUOTES_TABLE, answer, context)
        parts.append(rows)
        try:
            values = _quote(content)
        except BadRecord as error:
            account.unreadable(f"quote of {ticker}", error)
            continue
        key = (ticker, values["quote_ts"])
        if key in seen:
            account.add(f"quote of {ticker}", "a later answer tells of the same trade")
            continue
        seen.add(key)
        rows.add(ticker=ticker, polled_at=answer.fetched_at, **values)
    return Tidied({QUOTES_TABLE: joined(QUOTES_TABLE, parts)}, account.done())


def _quote(content: Mapping[str, Any]) -> dict[str, Any]:
    traded_at = needed(moment(content.get("t"), "t"), "t")
    price = needed(number(content.get("c"), "c"), "c")
    if price <= 0:
        raise NoValue("c is not positive")
    values: dict[str, Any] = {column: number(content.get(name), name) for name, column in _OPTIONAL.items()}
    return values | {"quote_ts": traded_at, "trade_date": traded_at.astimezone(NEW_YORK).date(), "price": price}
