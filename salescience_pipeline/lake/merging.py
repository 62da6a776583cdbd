"""What a write changes: pure arithmetic on rows, before any file is touched.

Every way of writing becomes one difference: rows that are new, rows whose values changed, rows that go, and rows that stay
as they are with the provenance they have. That is why running anything twice changes nothing. What does not belong here:
files.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from salescience_pipeline.catalog.tables import PROVENANCE, Table
from salescience_pipeline.lake.keys import Mask, differing, key_codes, positions
from salescience_pipeline.lake.selection import Where

_MANY = 20_000
"""More distinct values than this of one key column are no longer listed in a condition."""


class WriteMode(StrEnum):
    """What happens to stored rows."""

    REPLACE = "replace"
    """The slice becomes exactly the new rows."""
    UPSERT = "upsert"
    """Rows with a known key are replaced, others are added, none goes."""
    INSERT_ONLY = "insert_only"
    """Only rows with an unknown key are added; what is stored stays as it is."""


@dataclass(frozen=True)
class Difference:
    """``fresh``: the rows to write; ``outgoing``: which of the stored rows go, be it because new ones take their place."""

    fresh: pa.Table
    outgoing: Mask
    added: int
    replaced: int
    removed: int

    @property
    def is_empty(self) -> bool:
        """Whether nothing changes."""
        return not self.fresh.num_rows and not self.outgoing.any()


def difference(table: Table, stored: pa.Table, rows: pa.Table, mode: WriteMode) -> Difference:
    """Compare ``rows`` with ``stored``, the rows that they may touch; provenance does not count as a difference."""
    old, new = key_codes([stored, rows], table.key)
    at = positions(new, old)
    known = at >= 0
    outgoing = np.zeros(len(old), dtype=np.bool_)
    if mode is WriteMode.INSERT_ONLY:
        return Difference(rows.filter(pa.array(~known)), outgoing, int((~known).sum()), 0, 0)
    changed = np.zeros(len(new), dtype=np.bool_)
    if known.any() and (table.keep_first or table.keep_known):
        rows = _with_stored_values(table, stored, rows, at)
    if known.any():
        compared = [name for name in table.schema.names if name not in PROVENANCE and name not in table.key]
        before, after = stored.take(pa.array(at[known])), rows.filter(pa.array(known))
        changed[known] = differing(before, after, compared)
    outgoing[at[changed]] = True
    removed = 0
    if mode is WriteMode.REPLACE:
        gone = np.ones(len(old), dtype=np.bool_)
        gone[at[known]] = False
        removed = int(gone.sum())
        outgoing |= gone
    fresh = rows.filter(pa.array(changed | ~known))
    return Difference(fresh, outgoing, int((~known).sum()), int(changed.sum()), removed)


def _with_stored_values(table: Table, stored: pa.Table, rows: pa.Table, at: np.ndarray[Any, Any]) -> pa.Table:
    """``rows`` with what is stored in the columns that keep it, where the key is known.

    That is the first value, or any that the new row does not know.
    """
    known = pa.array(at >= 0)
    partners = pa.array(np.where(at >= 0, at, 0))
    for name in (*table.keep_first, *table.keep_known):
        theirs = known if name in table.keep_first else pc.and_(known, pc.is_null(rows[name]))
        kept = pc.if_else(theirs, stored[name].take(partners), rows[name])
        rows = rows.set_column(rows.schema.get_field_index(name), rows.schema.field(name), kept)
    return rows


def without(table: Table, stored: pa.Table, outgoing: pa.Table) -> pa.Table:
    """The rows of ``stored`` whose key is not among ``outgoing``."""
    old, gone = key_codes([stored, outgoing], table.key)
    return stored.filter(pa.array(~np.isin(old, gone)))


def reach(table: Table, rows: pa.Table) -> Where:
    """A condition that every stored row with the key of one of ``rows`` fulfils; as narrow as is cheap to say."""
    clustered = [name for name in table.sort_by if name in table.key] or list(table.key)
    values: dict[str, list[object]] = {}
    for column in clustered[:2]:
        distinct = pc.unique(rows[column])
        if len(distinct) <= _MANY:
            values[column] = distinct.to_pylist()
    return Where(values=values)
