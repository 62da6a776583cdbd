"""The two ways in which assets are cut: by trading date and by ticker, never by both.

500 tickers over five years would be 912,000 keys: 15 s to list, and a backfill of 50 scattered tickers over 20 days
would be 1,000 runs. Which (ticker, date) pairs are complete is a table, not a partition key.
https://docs.dagster.io/guides/build/partitions-and-backfills

What does not belong here: trading days (``catalog.sessions``).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import dagster as dg

from salescience_pipeline.catalog.datasets import PARTITIONS_START, Cut
from salescience_pipeline.identifiers import InvalidIdentifier, Ticker, parse_date, parse_tickers

DATES = dg.DailyPartitionsDefinition(
    start_date=PARTITIONS_START.isoformat(),
    timezone="America/New_York",
    # Today's partition exists on the day itself: prices are out at 17:30, not after midnight.
    end_offset=1,
)
"""One per calendar day; days without trading hold nothing, and asking for them costs nothing."""

TICKERS = dg.DynamicPartitionsDefinition(name="tickers")
"""One per ticker that is or was followed; the watchlist sensor adds them, and none is ever taken away."""


def partitions_of(cut: Cut) -> dg.PartitionsDefinition | None:
    """The partitions of a dataset that is cut that way."""
    return {Cut.DATE: DATES, Cut.TICKER: TICKERS, Cut.NONE: None}[cut]


def backfill_policy_of(cut: Cut) -> dg.BackfillPolicy | None:
    """How a backfill becomes runs: all dates in one run, so that one ranged request covers them; 25 tickers a run."""
    return {Cut.DATE: dg.BackfillPolicy.single_run(), Cut.TICKER: dg.BackfillPolicy.multi_run(25), Cut.NONE: None}[cut]


def keys_of(context: dg.AssetExecutionContext) -> list[str]:
    """The partition keys of a run; none when it was started without.

    Raises:
        InvalidIdentifier: for a key that is no partition (a day before the first one, a ticker that nobody follows), which
            no later try can change.
    """
    if not (context.has_partition_key or context.has_partition_key_range):
        return []
    try:
        return list(context.partition_keys)
    except Exception as error:  # Dagster says it by exceptions of several kinds, one of them its own failed assertion
        tags = context.run.tags
        asked = tags.get("dagster/partition") or " to ".join(
            tags.get(f"dagster/asset_partition_range_{end}", "?") for end in ("start", "end")
        )
        raise InvalidIdentifier(
            f"{asked} is no partition of {context.op_def.name}: days begin with {PARTITIONS_START.isoformat()}, tickers are "
            "those that are or were followed (`salescience watchlist add`)."
        ) from error


def dates_of(keys: Sequence[str]) -> tuple[dt.date, ...]:
    """Date partition keys as dates."""
    return tuple(parse_date(key) for key in keys)


def tickers_of(keys: Sequence[str]) -> tuple[Ticker, ...]:
    """Ticker partition keys as tickers; a key that Dagster accepted and that is no ticker is refused here.

    Raises:
        InvalidIdentifier: naming the key.
    """
    return parse_tickers(keys)


def contiguous(keys: Sequence[str], ordered: Sequence[str], *, at_most: int = 25) -> list[tuple[str, str]]:
    """Cut ``keys`` into ranges (first, last) of neighbours in ``ordered``, none longer than ``at_most``.

    Dagster runs a range in one go only when the keys stand side by side in the partition definition's own order.
    """
    wanted = set(keys)
    ranges: list[tuple[str, str]] = []
    run: list[str] = []
    for key in [*ordered, None]:
        if key is not None and key in wanted and len(run) < at_most:
            run.append(key)
            continue
        if run:
            ranges.append((run[0], run[-1]))
        run = [key] if key is not None and key in wanted else []
    return ranges
