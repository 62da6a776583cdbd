"""The technical indicators we keep, each once: its parameters, and the series that it consists of.

Whoever computes an indicator and whoever fetches it name it by the same ``params_key``, so that the two can be compared.
What does not belong here: how an indicator is computed, and how a provider is asked for it.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Indicator:
    """One indicator with one choice of parameters, on daily bars of closes."""

    name: str
    params: tuple[tuple[str, str], ...]
    """In the order of the key, by Alpha Vantage's own names."""
    series: tuple[str, ...]
    """The names of its lines, by Alpha Vantage's own names."""
    price: str = "close"

    @property
    def params_key(self) -> str:
        """The parameters in one word, e.g. ``time_period=20;series=close``."""
        return ";".join(f"{name}={value}" for name, value in (*self.params, ("series", self.price)))


_ROWS: tuple[Indicator, ...] = (
    Indicator("SMA", (("time_period", "20"),), ("SMA",)),
    Indicator("EMA", (("time_period", "20"),), ("EMA",)),
    Indicator("RSI", (("time_period", "14"),), ("RSI",)),
    Indicator(
        "MACD",
        (("fastperiod", "12"), ("slowperiod", "26"), ("signalperiod", "9")),
        ("MACD", "MACD_Signal", "MACD_Hist"),
    ),
    Indicator(
        "BBANDS",
        (("time_period", "20"), ("nbdevup", "2"), ("nbdevdn", "2"), ("matype", "0")),
        ("Real Upper Band", "Real Middle Band", "Real Lower Band"),
    ),
)

INDICATORS: dict[str, Indicator] = {indicator.name: indicator for indicator in _ROWS}

_COMPUTED_ONLY: tuple[Indicator, ...] = (
    Indicator("ATR", (("time_period", "14"),), ("ATR",), price="hlc"),
    Indicator("OBV", (), ("OBV",)),
    # A day's own average needs its trades; over several days the bars' typical prices stand for them.
    Indicator("VWAP", (("time_period", "20"),), ("VWAP",), price="hlc3"),
)

COMPUTED: dict[str, Indicator] = INDICATORS | {indicator.name: indicator for indicator in _COMPUTED_ONLY}
"""What we compute ourselves: all that is fetched, and what daily bars give beside it."""
