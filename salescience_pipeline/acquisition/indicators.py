"""Technical indicators from the lake's own prices, and how they stand to what Alpha Vantage computes.

What does not belong here: the formulas (``tidy.computed_indicators``) and asking Alpha Vantage (its dataset does).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from salescience_pipeline.acquisition.services import SelectionError, Services
from salescience_pipeline.identifiers import Ticker
from salescience_pipeline.lake.tables import Commit, Slice, Where
from salescience_pipeline.tidy.computed_indicators import COMPUTED_TABLE, NEEDED_COLUMNS, computed_indicators

PRICES, FETCHED = "core_tiingo__eod_prices", "core_alphavantage__technical_indicators"
RUN_IN_DAYS = 250
"""Bars that an indicator needs until it forgets where it began: after 250 the weight of the first day is below 1e-7."""
TOLERANCE, OF_PRICE = 0.0002, 0.0001
"""How far the two may lie apart: the rounding of four decimals, and a hundredth of a percent of the value (a lag of a
cent in the close)."""
_BATCH = 100
_KEY = ("ticker", "indicator", "params_key", "interval", "ts_date", "series")


@dataclass(frozen=True, slots=True)
class Computed:
    """What a computation came to."""

    tickers: tuple[Ticker, ...]
    without_prices: tuple[Ticker, ...]
    rows: int
    commits: int


def compute_indicators(services: Services, tickers: Sequence[Ticker], *, run_id: str) -> Computed:
    """Compute every indicator of ``tickers`` from their stored prices; what has not changed is not written again.

    Raises:
        SelectionError: without tickers.
        LakeError: when rows cannot be stored.
    """
    if not tickers:
        raise SelectionError(f"{COMPUTED_TABLE} needs at least one ticker.")
    rows = commits = 0
    empty: list[Ticker] = []
    ordered = sorted(set(tickers))
    for start in range(0, len(ordered), _BATCH):
        batch = ordered[start : start + _BATCH]
        names = [str(ticker) for ticker in batch]
        prices = services.tables.read(PRICES, Where(values={"ticker": names}), columns=list(NEEDED_COLUMNS))
        priced = set(prices["ticker"].to_pylist())
        empty += [ticker for ticker in batch if str(ticker) not in priced]
        made = computed_indicators(prices, run_id=run_id)
        commit: Commit = services.tables.write(COMPUTED_TABLE, made, Slice(values={"ticker": names}))
        rows, commits = rows + made.num_rows, commits + int(not commit.unchanged)
    return Computed(tuple(ordered), tuple(empty), rows, commits)


@dataclass(frozen=True, slots=True)
class Agreement:
    """How our indicators stand to the audited ones."""

    compared: int
    """Pairs of values."""
    tickers: int
    parted: pa.Table
    """Those that lie apart: the key, ``ours``, ``theirs`` and ``difference``, the widest first."""


def compare_with_alpha_vantage(services: Services, tickers: Sequence[Ticker] | None = None) -> Agreement:
    """Hold what Alpha Vantage answered against what we compute.

    Left out are the days on which ours still remembers where the stored prices begin, and tickers with a split or dividend
    after the answer, whose history it could not know adjusted.
    """
    where = Where(values={"ticker": [str(ticker) for ticker in tickers]}) if tickers is not None else None
    theirs = services.tables.read(FETCHED, where, columns=[*_KEY, "value", "fetched_at"])
    audited = sorted(set(theirs["ticker"].to_pylist()))
    if not audited:
        return Agreement(0, 0, _parted(theirs.slice(0, 0)))
    ours = services.tables.read(COMPUTED_TABLE, Where(values={"ticker": audited}), columns=[*_KEY, "value"])
    begins = _comparable_from(services, audited, theirs)
    theirs = theirs.filter(_late_enough(theirs, begins))
    joined = theirs.rename_columns([*_KEY, "theirs", "fetched_at"]).join(
        ours.rename_columns([*_KEY, "ours"]), keys=list(_KEY), join_type="inner"
    )
    return Agreement(joined.num_rows, len(set(joined["ticker"].to_pylist())), _parted(joined))


def _comparable_from(services: Services, tickers: Sequence[str], theirs: pa.Table) -> dict[str, dt.date]:
    """The first day of each ticker that can be compared; tickers that cannot be are left out."""
    prices = services.tables.read(
        PRICES, Where(values={"ticker": list(tickers)}), columns=["ticker", "trade_date", "div_cash", "split_factor"]
    )
    asked = {row["ticker"]: row["fetched_at_min"] for row in
             theirs.group_by("ticker").aggregate([("fetched_at", "min")]).to_pylist()}  # fmt: skip
    begins: dict[str, dt.date] = {}
    for ticker in tickers:
        own = prices.filter(pc.equal(prices["ticker"], ticker)).sort_by("trade_date")
        acted = pc.or_(pc.greater(pc.fill_null(own["div_cash"], 0.0), 0.0), pc.not_equal(own["split_factor"], 1.0))
        actions = own.filter(acted)["trade_date"].to_pylist()
        if own.num_rows > RUN_IN_DAYS and not any(day > asked[ticker].date() for day in actions):
            begins[ticker] = own["trade_date"][RUN_IN_DAYS].as_py()
    return begins


def _late_enough(theirs: pa.Table, begins: dict[str, dt.date]) -> pa.Array:
    pairs = zip(theirs["ticker"].to_pylist(), theirs["ts_date"].to_pylist(), strict=True)
    return pa.array([day >= begins.get(ticker, dt.date.max) for ticker, day in pairs], pa.bool_())


def _parted(joined: pa.Table) -> pa.Table:
    if not joined.num_rows:
        return pa.table({name: [] for name in (*_KEY, "ours", "theirs", "difference")})
    difference = pc.abs(pc.subtract(joined["ours"], joined["theirs"]))
    allowed = pc.add(pc.multiply(pc.abs(joined["theirs"]), OF_PRICE), TOLERANCE)
    found = joined.append_column("difference", difference).filter(pc.greater(difference, allowed))
    return found.select([*_KEY, "ours", "theirs", "difference"]).sort_by([("difference", "descending")])
