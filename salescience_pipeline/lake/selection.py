"""Which rows: the typed filter of a read, and the slice that a write covers.

A filter is data, never text: it becomes an Arrow expression and a test on a file's statistics here, and SQL nowhere. What
does not belong here: reading files.
"""

from __future__ import annotations

import datetime as dt
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.compute as pc

from salescience_pipeline.catalog.tables import Table
from salescience_pipeline.lake.errors import BadFilter


class Bounds(Protocol):
    """What is known about the values of a file without opening it."""

    def range_of(self, column: str) -> tuple[Any, Any] | None:
        """Smallest and largest value, or None when they are not known."""
        ...

    def may_hold_null(self, column: str) -> bool:
        """Whether the column may hold a null."""
        ...


@dataclass(frozen=True)
class Where:
    """Rows whose columns have one of the given values, and whose ``date_column`` lies between two days, both inclusive.

    No condition at all means every row. None among the values means null.
    """

    values: Mapping[str, Iterable[Any]] = field(default_factory=dict)
    date_column: str | None = None
    first: dt.date | None = None
    last: dt.date | None = None

    def __post_init__(self) -> None:
        """Freeze the values, each once.

        Raises:
            BadFilter: for a bare string, or for days without a column.
        """
        for column, allowed in self.values.items():
            if isinstance(allowed, str | bytes):
                raise BadFilter(f"The values allowed for {column} must be a list or a tuple, not one string.")
        frozen = {column: tuple(dict.fromkeys(allowed)) for column, allowed in sorted(self.values.items())}
        object.__setattr__(self, "values", frozen)
        if self.date_column is None and (self.first, self.last) != (None, None):
            raise BadFilter("A range of days needs the name of its date column.")

    def __hash__(self) -> int:
        """Equal conditions have equal hashes."""
        return hash(
            (tuple((column, frozenset(some)) for column, some in self._allowed()), self.date_column, self.first)
        )

    @property
    def _days(self) -> tuple[str | None, dt.date | None, dt.date | None]:
        return self.date_column, self.first, self.last

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns with a condition."""
        return tuple(dict.fromkeys([*self.values, *([self.date_column] if self.date_column is not None else [])]))

    def check(self, table: Table) -> None:
        """Refuse columns and values that ``table`` cannot have.

        Raises:
            BadFilter: naming the column.
        """
        for column in self.columns:
            if column not in table.schema.names:
                raise BadFilter(f"{table.name} has no column {column!r}.")
        for column, allowed in self._allowed():
            _typed(column, allowed, table.schema.field(column).type)
        if self.date_column is not None:
            if table.schema.field(self.date_column).type != pa.date32():
                raise BadFilter(f"The column {self.date_column} of {table.name} is not a date.")
            _typed(self.date_column, tuple(day for day in (self.first, self.last) if day is not None), pa.date32())

    def expression(self, table: Table) -> pc.Expression | None:
        """The condition for Arrow; None when every row matches."""
        parts: list[pc.Expression] = []
        for column, allowed in self._allowed():
            some = [value for value in allowed if value is not None]
            typed = _typed(column, tuple(some), table.schema.field(column).type)
            part = pc.field(column) == typed[0] if len(some) == 1 else pc.field(column).isin(typed)
            parts.append(part | pc.field(column).is_null() if len(some) < len(allowed) else part)
        if self.date_column is not None:
            if self.first is not None:
                parts.append(pc.field(self.date_column) >= pa.scalar(self.first, pa.date32()))
            if self.last is not None:
                parts.append(pc.field(self.date_column) <= pa.scalar(self.last, pa.date32()))
        whole = None
        for part in parts:
            whole = part if whole is None else whole & part
        return whole

    def mask(self, rows: pa.Table) -> pa.ChunkedArray | None:
        """Row by row, whether it matches; None when every row does. Ten times as fast as :meth:`expression` on few rows."""
        parts = [
            pc.is_in(rows[column], value_set=_typed(column, allowed, rows.schema.field(column).type))
            for column, allowed in self._allowed()
        ]
        if self.date_column is not None:
            days = rows[self.date_column]
            if self.first is not None:
                parts.append(pc.greater_equal(days, pa.scalar(self.first, pa.date32())))
            if self.last is not None:
                parts.append(pc.less_equal(days, pa.scalar(self.last, pa.date32())))
        whole = None
        for part in parts:
            whole = part if whole is None else pc.and_(whole, part)
        return whole

    def may_match(self, bounds: Bounds) -> bool:
        """Whether a file with these bounds may hold a matching row."""
        for column, allowed in self._allowed():
            if None in allowed and bounds.may_hold_null(column):
                continue
            if not _may_hold(bounds.range_of(column), sorted(value for value in allowed if value is not None)):
                return False
        if self.date_column is not None and (known := bounds.range_of(self.date_column)) is not None:
            if self.first is not None and known[1] < self.first:
                return False
            if self.last is not None and known[0] > self.last:
                return False
        return True

    def _allowed(self) -> list[tuple[str, tuple[Any, ...]]]:
        return [(column, tuple(allowed)) for column, allowed in self.values.items()]


Slice = Where
"""The rows that a write replaces as a whole: what lies in it and is not among the new rows goes."""


def _may_hold(known: tuple[Any, Any] | None, allowed: list[Any]) -> bool:
    if not allowed:
        return False
    if known is None:
        return True
    at = bisect_left(allowed, known[0])
    return at < len(allowed) and bool(allowed[at] <= known[1])


def _typed(column: str, values: tuple[Any, ...], kind: pa.DataType) -> pa.Array:
    if pa.types.is_date(kind) and any(isinstance(value, dt.datetime) for value in values):
        raise BadFilter(f"A value for {column} is a moment, and the column holds days.")
    try:
        return pa.array(values, kind)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError) as error:
        raise BadFilter(f"A value for {column} is not of the column's type {kind}: {error}.") from error
