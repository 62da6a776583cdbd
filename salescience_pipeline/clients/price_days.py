"""Which days of daily prices have to be asked for: gaps, days before a listing, tickers that are gone, and whole series.

Pure functions of a selection and of what is known. What does not belong here: how a provider is asked (``tiingo``).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from salescience_pipeline.catalog.sessions import last_session_before, sessions, why_closed
from salescience_pipeline.clients.plan import Coverage, Known, Refusal, Selection
from salescience_pipeline.clients.planning import is_settled
from salescience_pipeline.identifiers import Ticker

QUIET_SESSIONS = 3
"""Sessions in a row without a price after which a ticker is taken for gone. A halt rarely lasts as long; where it does, the
list of all tickers shows the first price after it, so nothing is lost."""
CONTINUED_ALONE = 20
"""Sessions up to which the end of a series is asked for without the rest: dividends are mostly paid every 63."""
LOOK_AGAIN = dt.timedelta(days=30)
"""How long nobody asks about a ticker that is gone, where there is no list of all tickers to look at."""
_RECENT = dt.timedelta(days=10)
_NOTHING = frozenset({"empty", "not_found"})


@dataclass(frozen=True, slots=True)
class DaysToAsk:
    """What a selection of daily prices comes to."""

    gaps: Mapping[Ticker, list[dt.date]]
    """The missing days of each ticker that has to be asked for, in order."""
    quiet: Mapping[Ticker, dt.date]
    """Tickers that are gone, with the day for which each was last asked about by itself."""
    refused: tuple[Refusal, ...]
    """Days that need no request: before the listing, or of a ticker that is gone."""
    is_newest_only: bool
    """Whether one list of the newest session answers all of it."""


def days_to_ask(selection: Selection, known: Known) -> DaysToAsk:
    """The gaps of ``selection``, without what is known to hold nothing; ``force`` asks for all but what a list would tell."""
    refused: list[Refusal] = []
    gaps: dict[Ticker, list[dt.date]] = {}
    asked = sorted(day for day in set(selection.dates) if day <= known.last_session)
    days = sorted(set(asked) & set(sessions(asked[0], asked[-1]))) if asked else []
    if not days:
        refused += [Refusal(f"*|{day}", "empty", f"There is no trading on {day} ({why_closed(day)}).") for day in asked]
    for ticker in dict.fromkeys(selection.tickers):
        stored = known.series.get(ticker)
        unlisted: list[dt.date] = []
        if stored is not None and stored.is_whole and not selection.force:
            unlisted = [day for day in days if day < stored.first]
            reason = f"The prices of {ticker} begin on {stored.first}; {{day}} lies before its listing."
            refused += [Refusal(f"{ticker}|{day}", "empty", reason.format(day=day)) for day in unlisted]
        listed = days[len(unlisted) :]
        missing = [day for day in listed if selection.force or not is_settled(f"{ticker}|{day}", known)]
        if missing:
            gaps[ticker] = missing
    gone = {ticker: known_of for ticker in gaps if (known_of := _gone(ticker, gaps[ticker], known)) is not None}
    live = [ticker for ticker in gaps if ticker not in gone]
    newest_only = len(live) > 1 and all(missing == [known.last_session] for missing in gaps.values())
    if selection.force and not newest_only:
        gone = {}
    for ticker, last in gone.items():
        refused += [_refusal(ticker, day, last, known) for day in gaps[ticker]]
    return DaysToAsk(
        {ticker: missing for ticker, missing in gaps.items() if ticker not in gone},
        {ticker: _asked_on(last, known) for ticker, last in gone.items()},
        tuple(refused),
        newest_only,
    )


def _gone(ticker: Ticker, missing: Sequence[dt.date], known: Known) -> Coverage | None:
    """What is known of the session before the first missing day, when the ticker had no price for some; None otherwise.

    Only recent days count: what lies far back may be asked for out of order.
    """
    if known.last_session - missing[0] > _RECENT:
        return None
    before = sessions(missing[0] - _RECENT, missing[0] - dt.timedelta(days=1))[-QUIET_SESSIONS:]
    found = [known.coverage.get(f"{ticker}|{day}") for day in before]
    last = found[-1] if found else None
    quiet = all(one is not None and one.status in _NOTHING for one in found)
    return last if quiet and len(found) == QUIET_SESSIONS else None


def _asked_on(last: Coverage, known: Known) -> dt.date:
    return last.last_date or known.last_session


def _refusal(ticker: Ticker, day: dt.date, last: Coverage, known: Known) -> Refusal:
    stored, asked = known.series.get(ticker), _asked_on(last, known)
    what = "the provider does not know it" if last.status == "not_found" else "there is no price of it any more"
    if stored is not None:
        what = f"its last price is of {stored.last}"
    reason = (
        f"{ticker} is taken for gone: {what}. It comes back with the list of all tickers, or when it is looked for again "
        f"from {asked + LOOK_AGAIN} on."
    )
    return Refusal(f"{ticker}|{day}", last.status, reason, asked_on=asked)


def span_to_ask(ticker: Ticker, missing: Sequence[dt.date], known: Known) -> tuple[dt.date, dt.date]:
    """The first and the last day of the one call that fills ``missing``.

    Where prices are stored outside of the gaps the call reaches over all of them up to the newest session: splits and
    dividends since then have changed every adjusted price before them, and part of a series would have another basis than
    the rest. It is one call either way. Only a few days that continue the series up to the newest session are asked for alone:
    among many there is a dividend, and the whole series would be asked for after them.
    """
    first, last = missing[0], missing[-1]
    stored = known.series.get(ticker)
    if stored is None or (first <= stored.first and stored.last <= last):
        return first, last
    if (
        len(missing) <= CONTINUED_ALONE
        and stored.last < first
        and last == known.last_session
        and is_settled(f"{ticker}|{last_session_before(first)}", known)
    ):
        return first, last
    return min(first, stored.first), known.last_session


def reaches_back(ticker: Ticker, first: dt.date, known: Known) -> bool:
    """Whether days before ``first`` are stored, whose adjusted prices a later event makes stale."""
    stored = known.series.get(ticker)
    return stored is not None and stored.first < first
