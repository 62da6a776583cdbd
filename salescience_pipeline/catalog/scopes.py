"""The scopes: named lists of tickers that jobs work on. Which tickers they hold on a date is the ledger's to say.

What does not belong here: a ticker.
"""

from __future__ import annotations

from enum import StrEnum


class Scope(StrEnum):
    """A named list of tickers; JSON and environment spell it in lower case, any case is read."""

    ENTIRE_WATCHLIST = "entire_watchlist"
    """Every ticker followed (about 500 to 1,000)."""
    ACTIVE_SYMBOLS = "active_symbols"
    """The tickers somebody holds or trades (about 50 to 100)."""
    INDICES = "indices"
    """Index funds and indices (SPY, QQQ, IWM...)."""
    NONE = "none"
    """No ticker: the request is about the whole market."""

    @classmethod
    def _missing_(cls, value: object) -> Scope | None:
        return next((scope for scope in cls if isinstance(value, str) and scope.value == value.strip().lower()), None)
