"""Keys are equal exactly when their integers are, and values differ exactly when a reader would say so."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from salescience_pipeline.lake.keys import differing, first_duplicate, key_codes, positions

NAN = float("nan")
values = st.tuples(st.sampled_from(["a", "b", None]), st.sampled_from([1, 2, None]), st.booleans())


def keyed(rows: list[tuple[Any, ...]]) -> pa.Table:
    types = (pa.string(), pa.int32(), pa.bool_())
    return pa.table({f"k{at}": pa.array([row[at] for row in rows], kind) for at, kind in enumerate(types)})


@given(st.lists(values, max_size=12), st.lists(values, max_size=12))
@settings(deadline=None)
def test_codes_are_equal_when_keys_are(left: list[Any], right: list[Any]) -> None:
    one, other = key_codes([keyed(left), keyed(right)], ("k0", "k1", "k2"))
    assert (len(one), len(other)) == (len(left), len(right))
    rows, codes = [*left, *right], [*one.tolist(), *other.tolist()]
    assert [[a == b for b in rows] for a in rows] == [[a == b for b in codes] for a in codes]
    found = first_duplicate(keyed(left), ("k0", "k1", "k2"))
    assert (found is None) == (len(set(left)) == len(left))
    if found is not None:
        assert left[found] in left[:found]
    if len(set(left)) == len(left):
        assert positions(other, one).tolist() == [left.index(row) if row in left else -1 for row in right]


def test_keys_with_more_combinations_than_an_integer_has() -> None:
    chance, columns, count = random.Random(3), 8, 2_000
    rows = [[f"{chance.randrange(count)}" for _ in range(columns)] for _ in range(count)]
    rows.append(list(rows[17]))
    table = pa.table({f"k{at}": [row[at] for row in rows] for at in range(columns)})
    assert first_duplicate(table, table.schema.names) == count
    assert len(np.unique(key_codes([table], table.schema.names)[0])) == count


@pytest.mark.parametrize(
    ("kind", "left", "right", "differs"),
    [
        (pa.float64(), [1.0, NAN, None, NAN, 0.0], [1.0, NAN, None, None, -0.0], [False, False, False, True, False]),
        (pa.string(), ["a", None, "", None], ["b", None, None, "x"], [True, False, True, True]),
        (pa.list_(pa.string()), [["a"], None, [], ["a"]], [["a"], None, None, ["a", None]], [False, False, True, True]),
        (pa.bool_(), [True, None], [False, None], [True, False]),
        (pa.timestamp("us", tz="UTC"), [1, None], [2, None], [True, False]),
    ],
)
def test_values_differ_or_not(kind: pa.DataType, left: list[Any], right: list[Any], differs: list[bool]) -> None:
    one, other = (pa.table({"x": pa.array(some, kind)}) for some in (left, right))
    assert differing(one, other, ["x"]).tolist() == differs
    assert differing(one, one, ["x"]).tolist() == [False] * len(left)
