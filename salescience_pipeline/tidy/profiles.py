"""Finnhub's profiles -> one row per ticker and day of reading.

What does not belong here: the profiles of Yahoo (``companies``).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from salescience_pipeline.clients.model import Answer
from salescience_pipeline.identifiers import Ticker
from salescience_pipeline.tidy.companies import exchange_day
from salescience_pipeline.tidy.model import Tidied, TidyContext
from salescience_pipeline.tidy.reading import (
    BadRecord,
    LeftOuts,
    contract,
    day,
    load_json,
    number,
    string,
    subject_of,
    with_data,
)
from salescience_pipeline.tidy.rows import Rows, joined

PROFILES_TABLE = "core_finnhub__company_profiles"
_MILLION = 1_000_000


def finnhub_profile(answers: Sequence[Answer], context: TidyContext) -> Tidied:
    """Rows of Finnhub's profiles; market value and shares, which come in millions, are written out.

    Raises:
        Contract: when an answer is no profile of one ticker.
        TooLarge: when a body exceeds its cap.
    """
    account = LeftOuts(subject_of(answers))
    seen: set[tuple[Ticker, dt.date]] = set()
    parts = []
    for answer in sorted(with_data(answers), key=lambda answer: answer.fetched_at, reverse=True):
        ticker, content = answer.request.subject.ticker, load_json(answer)
        if ticker is None or not isinstance(content, dict) or "name" not in content:
            raise contract(answer, "The answer is no profile of one ticker.")
        rows, key = Rows(PROFILES_TABLE, answer, context), (ticker, exchange_day(answer))
        parts.append(rows)
        if key in seen:
            account.add(f"profile of {ticker}", "a later answer of the same day holds the profile")
            continue
        try:
            rows.add(ticker=ticker, as_of_date=key[1], cik=context.known.ciks.get(ticker), **_profile(content))
            seen.add(key)
        except BadRecord as error:
            account.unreadable(f"profile of {ticker}", error)
    return Tidied({PROFILES_TABLE: joined(PROFILES_TABLE, parts)}, account.done())


def _profile(content: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": string(content.get("name"), "name"),
        "exchange": string(content.get("exchange"), "exchange"),
        "currency": string(content.get("currency"), "currency"),
        "country": string(content.get("country"), "country"),
        "ipo_date": day(content.get("ipo"), "ipo"),
        "industry": string(content.get("finnhubIndustry"), "finnhubIndustry"),
        "market_cap": _from_millions(content.get("marketCapitalization"), "marketCapitalization"),
        "shares_outstanding": _from_millions(content.get("shareOutstanding"), "shareOutstanding"),
    }


def _from_millions(value: object, name: str) -> float | None:
    millions = number(value, name)
    # 14687.36 million is 14687360000 and not 14687360000.000002.
    return None if millions is None else round(millions * _MILLION, 2)
