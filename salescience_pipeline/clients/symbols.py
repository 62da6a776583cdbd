"""Our tickers in the providers' spelling, and back.

Rules: reference/providers.md, section 9. What does not belong here: whether a symbol exists.
"""

from __future__ import annotations

import re

from salescience_pipeline.identifiers import Ticker

_DASHED = frozenset({"sec", "yahoo", "tiingo"})
"""Providers that write a dash before a share class (``BRK-B``); the others keep our dot."""
_CLASS = re.compile(r"([A-Z0-9]+)-([A-Z])")
_PREFERRED = re.compile(r"([A-Z0-9]+)-P([A-Z])")
_TIINGO_PREFERRED = re.compile(r"([A-Z0-9]+)-P-([A-Z])")


def provider_symbol(ticker: Ticker, provider: str) -> str:
    """``ticker`` as ``provider`` spells it: ``BRK.B`` is ``BRK-B`` at SEC, Yahoo and Tiingo."""
    symbol = ticker.replace(".", "-") if provider in _DASHED else str(ticker)
    if provider == "tiingo" and (match := _PREFERRED.fullmatch(symbol)):
        # Tiingo sets a preferred share's series apart: XYZ-P-A for SEC's XYZ-PA.
        return f"{match[1]}-P-{match[2]}"
    return symbol


def canonical_ticker(symbol: str, provider: str) -> Ticker:
    """The canonical ticker for a provider's ``symbol``: the inverse of :func:`provider_symbol`.

    Raises:
        InvalidIdentifier: when ``symbol`` cannot be a ticker.
    """
    ticker = Ticker(symbol)
    if provider not in _DASHED:
        return ticker
    if provider == "tiingo" and (match := _TIINGO_PREFERRED.fullmatch(ticker)):
        return Ticker(f"{match[1]}-P{match[2]}")
    if match := _CLASS.fullmatch(ticker):
        return Ticker(f"{match[1]}.{match[2]}")
    return ticker
