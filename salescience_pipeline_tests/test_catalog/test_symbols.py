"""The spelling of tickers at the providers: the rules of providers.md 9, and that a round trip changes nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from salescience_pipeline.catalog.symbols import provider_symbol, to_canonical
from salescience_pipeline.identifiers import InvalidIdentifier


@pytest.mark.parametrize(
    ("provider", "canonical", "symbol"),
    [
        ("sec", "BRK.B", "BRK-B"),
        ("yahoo", "BRK.B", "BRK-B"),
        ("tiingo", "BRK.B", "BRK-B"),
        ("polygon", "BRK.B", "BRK.B"),
        ("finnhub", "BRK.B", "BRK.B"),
        ("alphavantage", "BRK.B", "BRK-B"),
        ("finnhub", "^GSPC", "^GSPC"),
        ("sec", "AAPL", "AAPL"),
        ("sec", "TWO-PA", "TWO-PA"),
        ("yahoo", "TWO-PA", "TWO-PA"),
        ("tiingo", "TWO-PA", "TWO-P-A"),
        ("sec", "ETI-P", "ETI-P"),
        ("sec", "OXY-WT", "OXY-WT"),
        ("yahoo", "OCDO.L", "OCDO.L"),
        ("yahoo", "0P000071W8.TO", "0P000071W8.TO"),
        ("yahoo", "MKC.V", "MKC-V"),
        ("sec", "MKC.V", "MKC-V"),
        ("yahoo", "^GSPC", "^GSPC"),
        ("yahoo", "BTC-USD", "BTC-USD"),
        ("yahoo", "GC=F", "GC=F"),
    ],
)
def test_each_provider_spells_as_recorded_and_back(provider: str, canonical: str, symbol: str) -> None:
    assert provider_symbol(provider, canonical) == symbol
    assert to_canonical(provider, symbol) == canonical
    assert to_canonical(provider, symbol.lower()) == canonical


@given(
    provider=st.sampled_from(["sec", "yahoo", "tiingo", "polygon"]),
    canonical=st.from_regex(r"[A-Z]{1,5}(\.[A-E]|-P[A-Z]?|-WT|-UN)?", fullmatch=True),
)
def test_a_round_trip_changes_nothing(provider: str, canonical: str) -> None:
    assert to_canonical(provider, provider_symbol(provider, canonical)) == canonical


@pytest.mark.parametrize("bad", ["../../x", "a|b", "A" * 300, "", "Ä"])
def test_what_is_no_ticker_is_refused(bad: str) -> None:
    with pytest.raises(InvalidIdentifier):
        provider_symbol("sec", bad)
    with pytest.raises(InvalidIdentifier):
        to_canonical("sec", bad)


@pytest.mark.parametrize(
    ("canonical", "symbol"),
    [("KIM-PL", "KIMpL"), ("F-PB", "FpB"), ("ETI-P", "ETIp"), ("^GSPC", "I:SPX"), ("^VIX", "I:VIX"), ("APP", "APP")],
)
def test_polygon_marks_preferreds_with_a_small_p_and_has_names_of_its_own_for_indices(
    canonical: str, symbol: str
) -> None:
    assert provider_symbol("polygon", canonical) == symbol
    assert to_canonical("polygon", symbol) == canonical
