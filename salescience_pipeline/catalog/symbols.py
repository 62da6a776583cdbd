"""How each provider spells a ticker: the only place where a symbol changes its form.

Our tables hold the canonical form (upper case, a dot before a share class: ``BRK.B``). On the way out
:func:`provider_symbol` gives the provider's spelling, on the way in :func:`to_canonical` takes it back. What does not
belong here: quoting for URLs, and who is behind a ticker on a date.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from salescience_pipeline.identifiers import Ticker

_DASH_PROVIDERS = frozenset({"sec", "yahoo", "tiingo", "alphavantage"})
"""Providers that write a share class with a dash."""

_YAHOO_EXCHANGE_SUFFIXES = frozenset("FLTV")
"""One-letter suffixes that are an exchange and no share class at Yahoo (Frankfurt, London, Tokyo, TSX Venture)."""

# A lone P is a preferred stock (``ETI-P``), not a share class; preferreds keep their dash.
_DOT_CLASS = re.compile(r"([A-Z0-9]+)\.([A-OQ-Z])", re.ASCII)
_DASH_CLASS = re.compile(r"([A-Z0-9]+)-([A-OQ-Z])", re.ASCII)

# Our preferreds are spelled as SEC spells them (``TWO-PA``); Tiingo sets the series apart (``TWO-P-A``).
_PREFERRED = re.compile(r"([A-Z0-9]+)-P([A-Z])", re.ASCII)
_TIINGO_PREFERRED = re.compile(r"([A-Z0-9]+)-P-([A-Z])", re.ASCII)

# Polygon marks a preferred share with a small p: KIMpL, and KIMp where there is one series only.
_ANY_PREFERRED = re.compile(r"([A-Z0-9]+)-P([A-Z]?)", re.ASCII)
_POLYGON_PREFERRED = re.compile(r"([A-Z0-9]+)p([A-Z]?)", re.ASCII)

_EXCEPTIONS: Mapping[str, Mapping[str, str]] = {
    # canonical -> provider -> the provider's spelling, where the rules below would be wrong.
    "MKC.V": {"yahoo": "MKC-V"},
    # Indices: ours are spelled as Yahoo (and Finnhub) spell them.
    "^GSPC": {"polygon": "I:SPX"},
    "^NDX": {"polygon": "I:NDX"},
    "^DJI": {"polygon": "I:DJI"},
    "^RUT": {"polygon": "I:RUT"},
    "^VIX": {"polygon": "I:VIX"},
}

_FROM_EXCEPTION: Mapping[tuple[str, str], str] = {
    (provider, symbol): canonical
    for canonical, spellings in _EXCEPTIONS.items()
    for provider, symbol in spellings.items()
}


def provider_symbol(provider: str, ticker: str) -> str:
    """The spelling of ``ticker`` at ``provider``, not yet quoted for a URL.

    Providers that are not known to use a dash (Polygon, Finnhub) get the canonical form, but for Polygon's preferreds.

    Raises:
        InvalidIdentifier: when ``ticker`` is not a ticker.
    """
    canonical = Ticker(ticker)
    exception = _EXCEPTIONS.get(canonical, {}).get(provider)
    if exception is not None:
        return exception
    if provider == "tiingo" and (preferred := _PREFERRED.fullmatch(canonical)):
        return f"{preferred[1]}-P-{preferred[2]}"
    if provider == "polygon" and (preferred := _ANY_PREFERRED.fullmatch(canonical)):
        return f"{preferred[1]}p{preferred[2]}"
    match = _DOT_CLASS.fullmatch(canonical) if provider in _DASH_PROVIDERS else None
    if match is None or (provider == "yahoo" and match[2] in _YAHOO_EXCHANGE_SUFFIXES):
        return str(canonical)
    return f"{match[1]}-{match[2]}"


def to_canonical(provider: str, symbol: str) -> Ticker:
    """The canonical ticker behind ``provider``'s ``symbol``; case does not matter, but for Polygon's preferreds.

    Raises:
        InvalidIdentifier: when ``symbol`` is not a ticker in any spelling.
    """
    if provider == "polygon" and isinstance(symbol, str):
        if (preferred := _POLYGON_PREFERRED.fullmatch(symbol)) is not None:
            return Ticker(f"{preferred[1]}-P{preferred[2]}")
        if (provider, symbol) in _FROM_EXCEPTION:
            return Ticker(_FROM_EXCEPTION[provider, symbol])
    plain = Ticker(symbol)
    exception = _FROM_EXCEPTION.get((provider, plain))
    if exception is not None:
        return Ticker(exception)
    if provider == "tiingo" and (preferred := _TIINGO_PREFERRED.fullmatch(plain)):
        return Ticker(f"{preferred[1]}-P{preferred[2]}")
    match = _DASH_CLASS.fullmatch(plain) if provider in _DASH_PROVIDERS else None
    return plain if match is None else Ticker(f"{match[1]}.{match[2]}")
