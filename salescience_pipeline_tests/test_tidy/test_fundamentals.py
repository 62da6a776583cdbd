"""SEC's company facts: the key, the duplicates, the figures, and a second reading of every recorded file."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest

from salescience_pipeline.clients.errors import Contract
from salescience_pipeline.tidy.fundamentals import FACTS_TABLE, sec_company_facts
from salescience_pipeline_tests.test_tidy.samples import (
    CIK,
    Sample,
    answer,
    company_facts,
    context,
    fact,
    left,
    recorded,
    rows_of,
)

SAMPLES = [
    Sample(
        "look-alike",
        json.dumps(
            company_facts(
                Assets=[fact("2025-12-31", 5), fact("2025-12-31", 5.5, accn="0009000001-26-000002", frame="CY2025Q4I")],
                Sales=[fact("2025-12-31", 10, start="2025-01-01", fy=None, fp=None), fact("2024-12-31", -1.25e9)],
            )
        ).encode(),
    ),
    *recorded("corpus/companyfacts/*.json", "samples/sec/companyfacts_*.json*"),
]


@pytest.mark.corpus
@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_every_fact_is_a_row_with_the_file_s_own_values(sample: Sample) -> None:
    content = json.loads(sample.body)
    plain = {
        (taxonomy, concept, unit, one.get("start"), one["end"], one["accn"]): (one, described["label"])
        for taxonomy, concepts in content["facts"].items()
        for concept, described in concepts.items()
        for unit, facts in described["units"].items()
        for one in facts
    }
    count = sum(
        len(facts)
        for concepts in content["facts"].values()
        for described in concepts.values()
        for facts in described["units"].values()
    )
    given = answer(sample.body)
    tidied = sec_company_facts([given], context())
    rows = rows_of(tidied, FACTS_TABLE, [given])
    assert len(rows) + left(tidied) == count
    assert len(rows) == len(plain)
    for row in rows:
        start = row["period_start"].isoformat() if row["period_start"] else None
        key = (row["taxonomy"], row["concept"], row["unit"], start, row["period_end"].isoformat(), row["accession"])
        one, label = plain[key]
        assert row["cik"] == f"{int(content['cik']):010d}"
        assert row["value"] == float(one["val"])
        assert (row["fy"], row["fp"], row["form"], row["frame"]) == (
            one["fy"], one["fp"], one["form"], one.get("frame"),
        )  # fmt: skip
        assert (row["filed"].isoformat(), row["label"]) == (one["filed"], label)


def only(*facts: Any) -> tuple[list[dict[str, Any]], list[str]]:
    tidied = sec_company_facts([answer(company_facts(Assets=facts), cik=CIK)], context())
    return rows_of(tidied, FACTS_TABLE), [entry.reason for entry in tidied.left_out]


def test_restatements_stand_beside_what_they_restate() -> None:
    rows, _ = only(fact("2025-12-31", 5), fact("2025-12-31", 6, accn="0009000001-26-000009", filed="2026-08-01"))
    assert [(row["value"], row["filed"]) for row in rows] == [(5.0, dt.date(2026, 2, 3)), (6.0, dt.date(2026, 8, 1))]


def test_an_instant_and_a_duration_that_end_on_one_day_are_two_facts() -> None:
    rows, _ = only(fact("2025-12-31", 5), fact("2025-12-31", 5, start="2025-01-01"))
    assert [row["period_start"] for row in rows] == [None, dt.date(2025, 1, 1)]


def test_one_fact_in_two_frames_is_one_row_and_two_figures_keep_the_framed_one() -> None:
    rows, reasons = only(fact("2025-12-31", 5), fact("2025-12-31", 5, frame="CY2025"))
    assert ([(row["value"], row["frame"]) for row in rows], len(reasons)) == ([(5.0, "CY2025")], 1)
    rows, reasons = only(fact("2025-12-31", 5), fact("2025-12-31", 6, frame="CY2025"), fact("2025-12-31", 7))
    assert [(row["value"], row["frame"]) for row in rows] == [(6.0, "CY2025")]
    assert reasons == ["the same filing holds another figure for the same period"] * 2


def test_a_company_s_own_taxonomy_and_any_unit_are_read_and_a_label_may_be_missing() -> None:
    content = company_facts()
    content["facts"]["wdgt"] = {"WidgetsSold": {"label": None, "units": {"widgets/hour": [fact("2025-12-31", 3)]}}}
    (row,) = rows_of(sec_company_facts([answer(content)], context()), FACTS_TABLE)
    assert (row["taxonomy"], row["concept"], row["unit"], row["label"]) == ("wdgt", "WidgetsSold", "widgets/hour", None)


def test_large_figures_are_kept_as_floats() -> None:
    rows, _ = only(fact("2025-12-31", 2**70), fact("2024-12-31", -0.000001))
    assert [row["value"] for row in rows] == [float(2**70), -0.000001]


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        ({"val": None}, "val is missing"),
        ({"val": "5"}, "val"),
        ({"val": True}, "val"),
        ({"val": 10**400}, "val"),
        ({"end": None}, "date"),
        ({"end": "2025-13-01"}, "date"),
        ({"start": "x"}, "date"),
        ({"start": []}, "date"),
        ({"filed": 20260203}, "date"),
        ({"accn": "000900000126000001"}, "accn"),
        ({"accn": None}, "accn"),
        ({"form": None}, "form"),
        ({"form": ""}, "form"),
        ({"fy": "2025"}, "fy"),
        ({"fy": 2**40}, "fy"),
        ({"fp": 5}, "fp"),
        ({"frame": 5}, "frame"),
    ],
)
def test_a_broken_fact_is_left_out_with_its_reason_and_the_others_stay(broken: dict[str, Any], reason: str) -> None:
    rows, reasons = only(fact("2024-12-31", 1), fact("2025-12-31", 2) | broken, 7)
    assert [row["value"] for row in rows] == [1.0]
    assert reason in reasons[0]
    assert reasons[1] == "it is no object"


def test_many_broken_facts_make_a_short_account_that_still_counts_them() -> None:
    tidied = sec_company_facts([answer(company_facts(Assets=[None] * 5000))], context())
    assert left(tidied) == 5000
    assert len(tidied.left_out) < 100


def test_of_two_copies_the_later_counts() -> None:
    early = answer(company_facts(Assets=[fact("2025-12-31", 1)]), fetched_at=dt.datetime(2026, 1, 1, tzinfo=dt.UTC))
    later = answer(company_facts(Assets=[fact("2025-12-31", 2)]))
    tidied = sec_company_facts([early, later], context())
    assert [row["value"] for row in rows_of(tidied, FACTS_TABLE, [early, later])] == [2.0]
    assert left(tidied) == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([], "no company facts"),
        ({"cik": 9000001}, "facts"),
        ({"facts": {}}, "cik"),
        ({"cik": "x", "facts": {}}, "CIK"),
        ({"cik": -1, "facts": {}}, "CIK"),
        ({"cik": True, "facts": {}}, "no CIK"),
        ({"cik": 10**300, "facts": {}}, "no CIK"),
        ({"cik": 9000009, "facts": {}}, "0009000009"),
        ({"cik": 9000001, "facts": []}, "facts"),
        ({"cik": 9000001, "facts": {"us-gaap": []}}, "taxonomy"),
        ({"cik": 9000001, "facts": {"us-gaap": {"Assets": {}}}}, "units"),
        ({"cik": 9000001, "facts": {"us-gaap": {"Assets": []}}}, "units"),
        ({"cik": 9000001, "facts": {"us-gaap": {"Assets": {"units": {"USD": {}}}}}}, "unit"),
    ],
)
def test_another_shape_or_another_company_is_a_broken_contract(content: Any, message: str) -> None:
    with pytest.raises(Contract, match=message):
        sec_company_facts([answer(content, cik=CIK)], context())
