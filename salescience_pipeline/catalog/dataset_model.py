"""What a dataset is: everything that the asset factory and the acquisition need to know of it.

What does not belong here: the datasets themselves (``datasets``, ``market_datasets``).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from salescience_pipeline.catalog.scopes import Scope
from salescience_pipeline.identifiers import TableName

HOUR = dt.timedelta(hours=1)


class Cut(StrEnum):
    """How an asset is partitioned; never by ticker and date together (design, section 3)."""

    DATE = "date"
    TICKER = "ticker"
    NONE = "none"


@dataclass(frozen=True)
class Dataset:
    """One asset that fetches.

    ``outputs`` maps each asset key to the table it writes: the table's own name when the dataset is its only writer,
    else ``<table>_daily`` or ``<table>_history``.
    """

    name: TableName
    provider: str
    title: str
    description: str
    cut: Cut
    outputs: Mapping[str, TableName]
    group: str
    recipe: str
    """``module.ATTRIBUTE`` in ``clients``: the dataset's :class:`~salescience_pipeline.clients.plan.Recipe`."""
    tidy: str
    """``module.function`` in ``tidy``: the dataset's tidy function."""
    minimum_rule: str
    """How the provable minimum of requests follows from the selection, in words."""
    refresh_after: dt.timedelta | None = None
    """How long an answer is taken for current; None: what is complete stays complete."""
    needs: tuple[TableName, ...] = ()
    """Tables whose rows planning needs."""
    scope: Scope = Scope.ENTIRE_WATCHLIST
    trading_days_only: bool = False
    insert_only: bool = False
    """Whether its rows only fill in keys that are not there (a poorer source than the table's other writer)."""
    slice_by: tuple[str, ...] = ()
    """Columns whose values, for the subjects that came through, are replaced as a whole; empty: upsert by key."""
    late_for: dt.timedelta | None = None
    """How long after its end a day still gets rows: it is asked for again until it was looked at that late. None: a day that
    was answered for stays so."""
    dated_by: str | None = None
    """Column that says to which day's partition a row belongs; None: ``trade_date`` or ``filing_date``."""
    per_ticker: bool = False
    """Whether the completeness of a day is told for each ticker, though no slice of the ticker is replaced."""
    is_snapshot: bool = False
    """Whether its rows tell of the moment of asking: they complete the day on which they were asked for, however dated."""
    in_history: bool = True
    """Whether it belongs to the history of a company that is newly followed; not what is asked for in rotation."""
    continues_stored: bool = False
    """Whether new rows continue those in the lake: the tidy function then needs them in ``TidyContext.stored``."""
    grows: bool = False
    """Whether its rows add up over many answers (windows, polls, readings of a day), so that a replay reads all of them."""
    owner: str = "team:data-platform"
    kinds: frozenset[str] = field(default_factory=lambda: frozenset({"delta", "python"}))
    code_version: str = "1"


def one(table: str, asset: str | None = None) -> dict[str, TableName]:
    """The outputs of a dataset that writes one table, as the asset of the same name unless another is given."""
    return {asset or table: TableName(table)}
