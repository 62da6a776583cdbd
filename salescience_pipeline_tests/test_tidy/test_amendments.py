"""Which filing an amendment amends: the rule, where it is silent, and recorded cases checked by hand."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from salescience_pipeline.identifiers import Accession, Cik
from salescience_pipeline.tidy.amendments import Filed, base_form, is_amendment, link_amendments
from salescience_pipeline.tidy.filings import FILINGS_TABLE, sec_submissions
from salescience_pipeline_tests.test_tidy.samples import answer, context, recorded, rows_of, submissions

ANNUAL = dt.date(2025, 12, 31)


def filed(number: int, form: str, **other: Any) -> Filed:
    """The filing number ``number`` of the company, filed in the order of the numbers."""
    day = dt.date(2026, 1, 1) + dt.timedelta(days=number)
    return Filed(
        **(
            {
                "cik": Cik("9000001"),
                "accession": Accession(f"0009000001-26-{number:06d}"),
                "form": form,
                "filing_date": day,
                "accepted_at": dt.datetime.combine(day, dt.time(21), dt.UTC),
                "report_date": ANNUAL,
            }
            | other
        )
    )


def links(*filings: Filed) -> dict[int, int]:
    return {int(key[1][-6:]): int(value[-6:]) for key, value in link_amendments(filings).items()}


def test_the_newest_earlier_filing_of_the_same_form_and_period_is_amended() -> None:
    other_year = dt.date(2024, 12, 31)
    filings = [
        filed(1, "10-K", report_date=other_year),
        filed(2, "10-K"),
        filed(3, "10-Q"),
        filed(4, "10-K/A"),
        filed(5, "10-K/A"),
        filed(6, "10-K/A", report_date=other_year),
    ]
    assert links(*filings) == {4: 2, 5: 4, 6: 1}
    assert links(*reversed(filings)) == {4: 2, 5: 4, 6: 1}


def test_nothing_is_linked_to_a_later_filing_or_to_another_company_s() -> None:
    assert links(filed(1, "10-K/A"), filed(2, "10-K")) == {}
    assert links(filed(1, "10-K", cik=Cik("9000002")), filed(2, "10-K/A")) == {}


def test_the_moment_of_acceptance_decides_within_a_day_and_the_date_where_it_is_unknown() -> None:
    day = dt.date(2026, 2, 2)
    early = filed(9, "10-K", filing_date=day, accepted_at=dt.datetime(2026, 2, 2, 9, tzinfo=dt.UTC))
    late = filed(2, "10-K/A", filing_date=day, accepted_at=dt.datetime(2026, 2, 2, 10, tzinfo=dt.UTC))
    assert links(late, early) == {2: 9}
    assert links(filed(1, "10-K", accepted_at=None), filed(2, "10-K/A", accepted_at=None)) == {2: 1}


def test_an_8k_that_shares_an_item_goes_before_a_newer_one_that_does_not() -> None:
    results = filed(1, "8-K", items=("2.02", "9.01"))
    officer = filed(2, "8-K", items=("5.02", "9.01"))
    assert links(results, officer, filed(3, "8-K/A", items=("2.02", "9.01"))) == {3: 1}
    assert links(results, officer, filed(3, "8-K/A", items=("9.01",))) == {3: 2}
    bought = filed(1, "8-K", items=("1.01", "2.01"))
    assert links(bought, officer, filed(3, "8-K/A", items=("9.01",))) == {3: 1}
    assert links(results, officer, filed(3, "8-K/A")) == {3: 2}


def test_of_several_owners_forms_of_one_day_none_is_taken_for_the_amended_one() -> None:
    assert links(filed(1, "4"), filed(2, "4/A")) == {2: 1}
    assert links(filed(1, "4"), filed(2, "4/A"), filed(3, "4/A")) == {2: 1, 3: 2}
    assert links(filed(1, "4"), filed(2, "4"), filed(3, "4/A")) == {}
    assert links(filed(1, "4/A"), filed(2, "4/A")) == {}


def test_without_a_report_date_only_a_registration_number_links() -> None:
    def silent(number: int, form: str, file_number: str | None) -> Filed:
        return filed(number, form, report_date=None, file_number=file_number)

    registration = [silent(1, "S-1", "333-1"), silent(2, "S-1", "333-2"), silent(3, "S-1/A", "333-1")]
    assert links(*registration) == {3: 1}
    assert links(silent(1, "SC 13G", "005-1"), silent(2, "SC 13G/A", "005-1")) == {}
    assert links(silent(1, "8-K", None), silent(2, "8-K/A", None)) == {}


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["10-K", "10-K/A", "4", "4/A", "8-K", "8-K/A", "S-1", "S-1/A"]),
            st.sampled_from([None, ANNUAL, dt.date(2024, 12, 31)]),
            st.sampled_from([(), ("2.02",), ("9.01",)]),
            st.sampled_from([None, "333-1", "005-1"]),
        ),
        max_size=12,
    )
)
def test_a_link_is_always_from_an_amendment_to_an_earlier_filing_of_its_kind(drawn: list[tuple[Any, ...]]) -> None:
    filings = [
        filed(number + 1, form, report_date=report_date, items=items, file_number=file_number)
        for number, (form, report_date, items, file_number) in enumerate(drawn)
    ]
    by_accession = {one.accession: one for one in filings}
    for (_, accession), target in link_amendments(filings).items():
        amendment, amended = by_accession[accession], by_accession[target]
        assert is_amendment(amendment.form)
        assert amended.order < amendment.order
        assert base_form(amended.form) == base_form(amendment.form)
        assert amended.report_date == amendment.report_date


@pytest.mark.corpus
def test_links_stand_in_the_filings_table() -> None:
    """Recorded pairs told apart by hand: Microsoft's 8-K/A of 2024-03-08 amends its 8-K on an intrusion, and so on."""
    original = {"accessionNumber": "0009000001-26-000001"}
    amendment = {
        "accessionNumber": "0009000001-26-000009",
        "form": "10-K/A",
        "acceptanceDateTime": "2026-04-01T20:00:00Z",
    }
    rows = rows_of(sec_submissions([answer(submissions(amendment, original))], context()), FILINGS_TABLE)
    assert [row["amends_accession"] for row in rows] == ["0009000001-26-000001", None]
    by_hand = {
        "CIK0000789019.json": {("8-K/A", "2024-03-08"): ("8-K", "2024-01-19")},
        "CIK0000320193-submissions-001.json": {("10-K/A", "2010-01-25"): ("10-K", "2009-10-27")},
        "CIK0000749647-submissions-001.json": {("8-K/A", "2009-02-20"): ("8-K", "2009-02-19")},
    }
    for sample in recorded("corpus/submissions/*.json"):
        name = sample.name.split()[-1]
        given_answer = answer(sample.body, path=f"/submissions/{name}")
        rows = rows_of(sec_submissions([given_answer], context()), FILINGS_TABLE)
        by_accession = {row["accession"]: row for row in rows}
        told = {
            (row["form"], row["filing_date"].isoformat()): (
                by_accession[row["amends_accession"]]["form"],
                by_accession[row["amends_accession"]]["filing_date"].isoformat(),
            )
            for row in rows
            if row["amends_accession"]
        }
        for amended, expected in by_hand.get(name, {}).items():
            assert told[amended] == expected, name
