"""Comparing rows: keys as integers, and equality of everything but provenance.

A key of several columns becomes one integer per row (equal keys, equal integers), so that finding, matching and counting are
NumPy's; a null is one value more. What does not belong here: files and schemas.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Codes = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


def key_codes(tables: Sequence[pa.Table], key: Sequence[str]) -> list[Codes]:
    """One integer per row and table; two rows have the same one exactly when their keys are equal, nulls included."""
    lengths = [table.num_rows for table in tables]
    total = np.zeros(sum(lengths), dtype=np.int64)
    room = 1
    for column in key:
        chunks = [chunk for table in tables for chunk in table[column].chunks]
        kind = tables[0].schema.field(column).type
        encoded = pa.chunked_array(chunks, kind).combine_chunks().dictionary_encode(null_encoding="encode")
        if isinstance(encoded, pa.ChunkedArray):
            encoded = encoded.combine_chunks()
        cardinality = max(len(encoded.dictionary), 1)
        if room * cardinality >= 1 << 62:
            values, total = np.unique(total, return_inverse=True)
            total, room = total.astype(np.int64), len(values)
        total = total * cardinality + encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
        room *= cardinality
    return [part.copy() for part in np.split(total, np.cumsum(lengths)[:-1])]


def first_duplicate(rows: pa.Table, key: Sequence[str]) -> int | None:
    """The index of a row whose key an earlier row has; None when all keys differ."""
    codes = key_codes([rows], key)[0]
    unique, first = np.unique(codes, return_index=True)
    if len(unique) == len(codes):
        return None
    repeated = np.ones(len(codes), dtype=np.bool_)
    repeated[first] = False
    return int(np.flatnonzero(repeated)[0])


def positions(wanted: Codes, among: Codes) -> npt.NDArray[np.int64]:
    """For each of ``wanted`` its index in ``among`` (which has no duplicates), or -1."""
    if not len(among):
        return np.full(len(wanted), -1, dtype=np.int64)
    order = np.argsort(among, kind="stable")
    at = np.minimum(np.searchsorted(among, wanted, sorter=order), len(among) - 1)
    found = order[at]
    return np.where(among[found] == wanted, found, -1)


def differing(left: pa.Table, right: pa.Table, columns: Sequence[str]) -> Mask:
    """Row by row, whether any of ``columns`` differs; null equals null, and not-a-number equals itself."""
    different = np.zeros(left.num_rows, dtype=np.bool_)
    for column in columns:
        one, other = left[column], right[column]
        if not one.equals(other):
            different |= _differing(one.combine_chunks(), other.combine_chunks())
    return different


def _differing(one: pa.Array, other: pa.Array) -> Mask:
    if pa.types.is_nested(one.type):
        pairs = zip(one.to_pylist(), other.to_pylist(), strict=True)
        return np.fromiter((a != b for a, b in pairs), dtype=np.bool_, count=len(one))
    equal = pc.equal(one, other)
    if pa.types.is_floating(one.type):
        equal = pc.or_(equal, pc.and_(pc.is_nan(one), pc.is_nan(other)))
    both_null = pc.and_(pc.is_null(one), pc.is_null(other))
    same = pc.or_(pc.fill_null(equal, fill_value=False), both_null)
    return np.asarray(~same.to_numpy(zero_copy_only=False), dtype=np.bool_)
