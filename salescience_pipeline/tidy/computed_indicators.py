"""Stored prices -> technical indicators: pure functions of Arrow tables, whole histories at once.

TA-Lib computes them: its C core is the reference for these indicators, its wrapper is kept up (wheels for Python 3.11 to
3.13), and both are under BSD licences. The basis is the adjusted series: recorded answers of Alpha Vantage follow from
prices adjusted for splits *and* dividends, and from no others. OBV is summed up from the first stored day, so only its
changes mean something. What does not belong here: reading and writing, and asking a provider for indicators.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from salescience_pipeline.catalog.indicators import COMPUTED, Indicator
from salescience_pipeline.catalog.tables import TABLES

COMPUTED_TABLE = "core_salescience__technical_indicators"
SOURCE = "computed"
Floats = npt.NDArray[np.float64]
Bars = Mapping[str, Floats]
"""The adjusted bars of one ticker, oldest first: high, low, close, volume."""

_PRICES = {"high": "adj_high", "low": "adj_low", "close": "adj_close", "volume": "adj_volume"}
NEEDED_COLUMNS = ("ticker", "trade_date", *_PRICES.values(), "fetched_at", "raw_sha256", "organization_id")
"""What has to be read of the prices."""


def lines_of(indicator: Indicator, bars: Bars) -> dict[str, Floats]:
    """The lines of an indicator over ``bars``: one value for each, NaN while it warms up.

    Raises:
        KeyError: for an indicator that nobody computes.
    """
    values = _MAKERS[indicator.name](bars, {name: int(value) for name, value in indicator.params})
    return dict(zip(indicator.series, values, strict=True))


def _talib() -> Any:
    import talib  # noqa: PLC0415 - two tenths of a second that only a run needs

    return talib


def _vwap(bars: Bars, params: Mapping[str, int]) -> tuple[Floats, ...]:
    """Average of the typical prices of the last days, weighted by their volumes."""
    typical, n = (bars["high"] + bars["low"] + bars["close"]) / 3, params["time_period"]
    made = np.full(len(typical), np.nan)
    if len(typical) >= n:
        traded = np.lib.stride_tricks.sliding_window_view(typical * bars["volume"], n).sum(axis=1)
        volume = np.lib.stride_tricks.sliding_window_view(bars["volume"], n).sum(axis=1)
        made[n - 1 :] = np.divide(traded, volume, out=np.full(len(volume), np.nan), where=volume > 0)
    return (made,)


_Maker = Callable[[Bars, Mapping[str, int]], tuple[Floats, ...]]
_MAKERS: dict[str, _Maker] = {
    "SMA": lambda bars, given: (_talib().SMA(bars["close"], given["time_period"]),),
    "EMA": lambda bars, given: (_talib().EMA(bars["close"], given["time_period"]),),
    "RSI": lambda bars, given: (_talib().RSI(bars["close"], given["time_period"]),),
    "MACD": lambda bars, given: _talib().MACD(
        bars["close"], given["fastperiod"], given["slowperiod"], given["signalperiod"]
    ),
    "BBANDS": lambda bars, given: _talib().BBANDS(
        bars["close"], given["time_period"], given["nbdevup"], given["nbdevdn"], given["matype"]
    ),
    "ATR": lambda bars, given: (_talib().ATR(bars["high"], bars["low"], bars["close"], given["time_period"]),),
    "OBV": lambda bars, _given: (_talib().OBV(bars["close"], bars["volume"]),),
    "VWAP": _vwap,
}


def computed_indicators(prices: pa.Table, *, run_id: str) -> pa.Table:
    """Every indicator of every ticker in ``prices``, in the catalogue's schema.

    Args:
        prices: Rows of an end-of-day price table with :data:`NEEDED_COLUMNS`; a day without a whole adjusted bar is left out.
        run_id: Who computes.
    """
    whole = prices.select(list(NEEDED_COLUMNS))
    for column in _PRICES.values():
        whole = whole.filter(pc.is_valid(whole[column]))
    whole = whole.sort_by([("ticker", "ascending"), ("trade_date", "ascending")])
    schema = TABLES[COMPUTED_TABLE].schema
    if not whole.num_rows:
        return schema.empty_table()
    names = whole["ticker"].to_numpy(zero_copy_only=False)
    starts = np.flatnonzero(np.r_[True, names[1:] != names[:-1]])
    parts = [
        part
        for first, end in zip(starts, [*starts[1:], len(names)], strict=True)
        for part in _of_ticker(whole.slice(int(first), int(end - first)), run_id, schema)
    ]
    return pa.concat_tables(parts) if parts else schema.empty_table()


def _of_ticker(rows: pa.Table, run_id: str, schema: pa.Schema) -> list[pa.Table]:
    bars = {name: rows[column].to_numpy(zero_copy_only=False).astype(np.float64) for name, column in _PRICES.items()}
    parts = []
    for indicator in COMPUTED.values():
        for series, values in lines_of(indicator, bars).items():
            good = pa.array(np.isfinite(values))
            days = rows.filter(good)
            if not days.num_rows:
                continue
            columns: dict[str, Any] = {
                "ticker": days["ticker"],
                "indicator": indicator.name,
                "params_key": indicator.params_key,
                "interval": "daily",
                "ts_date": days["trade_date"],
                "series": series,
                "value": pa.array(values).filter(good),
                "source": SOURCE,
                "fetched_at": days["fetched_at"],
                "raw_sha256": days["raw_sha256"],
                "run_id": run_id,
                "organization_id": days["organization_id"],
            }
            parts.append(_table(columns, days.num_rows, schema))
    return parts


def _table(columns: Mapping[str, Any], count: int, schema: pa.Schema) -> pa.Table:
    arrays = []
    for field in schema:
        value = columns[field.name]
        arrays.append(
            pa.repeat(pa.scalar(value, field.type), count) if isinstance(value, str) else value.cast(field.type)
        )
    return pa.Table.from_arrays(arrays, schema=schema)
