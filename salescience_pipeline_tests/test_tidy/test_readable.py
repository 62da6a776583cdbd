"""An answer whose shape has changed is refused by the name of what it lacks, before a row of it could replace a good one."""

from __future__ import annotations

import pyarrow as pa
import pytest

from salescience_pipeline.catalog.tables import TABLES
from salescience_pipeline.clients.errors import Contract
from salescience_pipeline.tidy.model import LeftOut, Tidied
from salescience_pipeline.tidy.reading import BadRecord, LeftOuts, NoValue, in_some, refuse_unreadable
from salescience_pipeline_tests.test_tidy.samples import answer

TABLE = "core_finnhub__quotes"
ANSWER = answer([], "finnhub", ticker="WDGT")


def _made(rows: int, *left_out: LeftOut) -> Tidied:
    schema = TABLES[TABLE].schema
    table = pa.Table.from_arrays([pa.nulls(rows, field.type) for field in schema], names=schema.names)
    return Tidied({TABLE: table}, left_out)


@pytest.mark.parametrize(("rows", "lost"), [(0, 1), (3, 3), (2, 5)])
def test_when_half_of_an_answer_cannot_be_read_none_of_it_is_stored(rows: int, lost: int) -> None:
    account = LeftOuts("WDGT")
    for number in range(lost):
        account.unreadable(f"record {number + 1}", BadRecord("t is no moment"))
    with pytest.raises(Contract, match=f"{lost} of {lost + rows} records of the answer .* record 1: t is no moment"):
        refuse_unreadable([ANSWER], _made(rows, *account.done()))


def test_a_few_bad_records_and_those_without_a_value_are_only_counted() -> None:
    account = LeftOuts("WDGT")
    account.unreadable("record 1", BadRecord("t is no moment"))
    for number in range(80):
        account.unreadable(f"metric {number}", NoValue("it holds no value"))
        account.add(f"article {number}", "another row holds the same article")
    made = _made(3, *account.done())
    assert refuse_unreadable([ANSWER], made) is made
    assert sum(one.count for one in made.left_out) == 161
    assert [one.what for one in made.left_out if one.unreadable] == ["record 1"]


def test_a_field_that_no_record_has_is_named_and_one_that_some_have_is_not() -> None:
    in_some(ANSWER, [{"a": None}, {"b": 1}, "no record"], ("a", "b"))
    in_some(ANSWER, [], ("a",))
    with pytest.raises(Contract, match="The field 'c' is missing in every record"):
        in_some(ANSWER, [{"a": None}, {"b": 1}], ("a", "c"))
