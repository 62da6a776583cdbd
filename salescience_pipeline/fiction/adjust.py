"""How prices as traded become the adjusted series of each provider; the rules were measured on recorded answers.

Both providers divide by the splits that came later. For a dividend D Yahoo multiplies everything before the ex-date by
``1 - D / close of the day before``, Tiingo (the CRSP way) by ``1 / (1 + D / close of the ex-date)``. What does not
belong here: rounding and float noise, which are part of a wire format.
"""

from __future__ import annotations

import datetime as dt
from bisect import bisect_right
from collections.abc import Mapping

from salescience_pipeline.fiction import nyse
from salescience_pipeline.fiction.world import World


class Chain:
    """A product of factors, each of which counts for the days before its own."""

    __slots__ = ("_days", "_products")

    def __init__(self, factors: Mapping[dt.date, float]) -> None:
        """Take factors by day, in any order."""
        self._days = sorted(factors)
        self._products = [1.0]
        for day in reversed(self._days):
            self._products.append(self._products[-1] * factors[day])
        self._products.reverse()

    def after(self, day: dt.date) -> float:
        """The product of all factors dated after ``day``."""
        return self._products[bisect_right(self._days, day)]


class Adjustment:
    """The adjustment of one security as seen from its last bar."""

    __slots__ = ("crsp", "since", "splits", "yahoo")

    def __init__(self, world: World, ticker: str, since: dt.date = dt.date.min) -> None:
        """Read the security's splits and dividends up to its last bar.

        Args:
            world: the market.
            ticker: the security.
            since: dividends on or before this day are left out, which spares their closes; days before it must not be
                asked for.
        """
        self.since = since
        splits = world.splits(ticker)
        self.splits = Chain(splits)
        """New shares per old share."""
        yahoo: dict[dt.date, float] = {}
        crsp: dict[dt.date, float] = {}
        for day, cash in world.dividends(ticker).items():
            if day <= since:
                continue
            before = world.close_on(ticker, nyse.previous_session(day))
            close = world.close_on(ticker, day)
            if before is not None:
                # The close of the day before, in the shares of the ex-date.
                yahoo[day] = 1 - cash / (before / splits.get(day, 1.0))
            if close is not None:
                crsp[day] = 1 / (1 + cash / close)
        self.yahoo = Chain(yahoo)
        self.crsp = Chain(crsp)
