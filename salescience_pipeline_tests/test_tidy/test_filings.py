"""Submissions pages, form indexes and documents: the rules of providers.md 2."""

from __future__ import annotations

import datetime as dt
import json
import re
from typing import Any

import pytest

from salescience_pipeline.catalog.tables import TABLES
from salescience_pipeline.clients.errors import Contract
from salescience_pipeline.clients.model import AnswerClass
from salescience_pipeline.tidy.companies import COMPANIES_TABLE
from salescience_pipeline.tidy.filings import (
    DOCUMENTS_TABLE,
    FILINGS_TABLE,
    sec_daily_index,
    sec_documents,
    sec_submissions,
)
from salescience_pipeline_tests.test_tidy.samples import (
    CIK,
    FORM_INDEX,
    INDEX_HEAD,
    Sample,
    answer,
    context,
    left,
    recorded,
    rows_of,
    submission_columns,
    submissions,
)

FORM_4 = {
    "accessionNumber": "0009000009-26-000032",
    "form": "4",
    "filingDate": "2026-03-03",
    "reportDate": "",
    "acceptanceDateTime": "2026-03-03T23:30:57.123Z",
    "primaryDocument": "xslF345X05/form4.xml",
    "isXBRL": 0,
    "isInlineXBRL": 0,
}
EIGHT_K = {
    "accessionNumber": "0009000001-26-000002",
    "form": "8-K",
    "items": "2.02,9.01",
    "primaryDocument": "",
    "primaryDocDescription": "",
}

SAMPLES = [
    Sample("look-alike CIK0009000001.json", json.dumps(submissions({}, FORM_4, EIGHT_K)).encode()),
    Sample("look-alike CIK0009000001-submissions-001.json", json.dumps(submission_columns({}, EIGHT_K)).encode()),
    Sample("look-alike without filings CIK0009000001.json", json.dumps(submissions()).encode()),
    *recorded("corpus/submissions/*.json"),
]


def path_of(sample: Sample) -> str:
    return f"/submissions/{sample.name.split()[-1].replace('.later', '')}"


@pytest.mark.corpus
@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_every_filing_of_every_page_is_a_row_with_the_page_s_own_values(sample: Sample) -> None:
    content = json.loads(sample.body)
    page = content["filings"]["recent"] if "filings" in content else content
    given = answer(sample.body, path=path_of(sample))
    tidied = sec_submissions([given], context())
    rows = rows_of(tidied, FILINGS_TABLE, [given])
    assert len(rows) + left(tidied) == len(page["accessionNumber"]) == len(rows)
    for index, row in enumerate(rows):
        plain = {name: values[index] for name, values in page.items()}
        assert row["accession"] == plain["accessionNumber"]
        assert row["form"] == plain["form"]
        assert row["base_form"] + "/A" * row["is_amendment"] == plain["form"]
        assert row["filing_date"].isoformat() == plain["filingDate"]
        assert (row["report_date"] or "") == (dt.date.fromisoformat(plain["reportDate"]) if plain["reportDate"] else "")
        assert row["accepted_at"].strftime("%Y-%m-%dT%H:%M:%S") == plain["acceptanceDateTime"][:19]
        assert (row["items"] or []) == [item for item in plain["items"].split(",") if item]
        assert row["size"] == plain["size"]
        assert (row["is_xbrl"], row["is_inline_xbrl"]) == (plain["isXBRL"] == 1, plain["isInlineXBRL"] == 1)
        name = re.sub(r"^xsl[^/]*/", "", plain["primaryDocument"])
        assert (row["primary_document"] or "") == name
        folder = f"https://www.sec.gov/Archives/edgar/data/{int(row['cik'])}"
        assert row["url"] == (
            f"{folder}/{row['accession'].replace('-', '')}/{name}" if name else f"{folder}/{row['accession']}.txt"
        )
    companies = tidied.tables[COMPANIES_TABLE].to_pylist()
    assert [row["cik"] for row in companies] == ([content["cik"]] if "filings" in content else [])


def test_the_company_s_own_record() -> None:
    given = answer(submissions({}), ticker="WDGT", cik=CIK)
    (row,) = rows_of(sec_submissions([given], context()), COMPANIES_TABLE, [given])
    assert {name: row[name] for name in TABLES[COMPANIES_TABLE].column_names} == {
        "cik": "0009000001",
        "ticker": "WDGT",
        "name": "Example Widgets Inc.",
        "sic": "3490",
        "sic_description": "Miscellaneous Fabricated Metal Products",
        "entity_type": "operating",
        "filer_category": "Non-accelerated filer; Smaller reporting company",
        "state_of_incorporation": "DE",
        "fiscal_year_end": "1231",
        "ein": "000000001",
        "tickers": ["WDGT", "WDGT.B", "WDGT-PA"],
        "exchanges": ["NYSE", "NYSE", None],
        "former_names": ["EXAMPLE CORP", "WIDGETS LTD"],
    }


def test_acceptance_is_true_utc_and_a_rendering_s_folder_is_stripped() -> None:
    row = rows_of(sec_submissions([answer(submissions(FORM_4))], context()), FILINGS_TABLE)[0]
    assert row["accepted_at"] == dt.datetime(2026, 3, 3, 23, 30, 57, 123000, dt.UTC)
    assert row["primary_document"] == "form4.xml"
    assert row["url"].endswith("/data/9000001/000900000926000032/form4.xml")


@pytest.mark.parametrize("name", ["../../etc/passwd", "a/b.htm", "xslF345X05/../x.xml", ".hidden", "a\x00b", "a" * 300])
def test_a_document_name_that_leaves_the_folder_is_not_kept_but_the_filing_is(name: str) -> None:
    tidied = sec_submissions([answer(submissions({"primaryDocument": name}))], context())
    (row,) = rows_of(tidied, FILINGS_TABLE)
    assert (row["primary_document"], left(tidied)) == (None, 0)
    assert row["url"] == "https://www.sec.gov/Archives/edgar/data/9000001/0009000001-26-000001.txt"


def test_a_document_name_with_odd_characters_is_quoted_in_the_address() -> None:
    # "apple.inc..txt" was really filed.
    (row,) = rows_of(
        sec_submissions([answer(submissions({"primaryDocument": "x.inc..txt"}))], context()), FILINGS_TABLE
    )
    assert row["primary_document"] == "x.inc..txt"
    (row,) = rows_of(sec_submissions([answer(submissions({"primaryDocument": "a b&c.htm"}))], context()), FILINGS_TABLE)
    assert row["primary_document"] == "a b&c.htm"
    assert row["url"].endswith("/a%20b%26c.htm")


def test_a_filing_on_two_pages_is_one_row_from_the_newer_page() -> None:
    page = answer(submission_columns({}, FORM_4), path="/submissions/CIK0009000001-submissions-001.json", cik=CIK)
    first = answer(submissions({"size": 5}), cik=CIK)
    tidied = sec_submissions([page, first], context())
    rows = rows_of(tidied, FILINGS_TABLE, [first, page])
    assert [(row["form"], row["size"]) for row in rows] == [("10-K", 5), ("4", 123456)]
    assert [entry.what for entry in tidied.left_out] == ["filing 0009000001-26-000001"]


def test_columns_that_sec_adds_are_tolerated_and_an_absent_file_number_too() -> None:
    content = submissions({}, EIGHT_K)
    content["filings"]["recent"]["isXBRLNumeric"] = [1, 0]
    content["filings"]["recent"]["somethingNew"] = "of another shape"
    del content["filings"]["recent"]["fileNumber"]
    assert len(rows_of(sec_submissions([answer(content)], context()), FILINGS_TABLE)) == 2


@pytest.mark.parametrize(
    "name",
    ["accessionNumber", "filingDate", "reportDate", "acceptanceDateTime", "form", "items", "size", "isXBRL",
     "isInlineXBRL", "primaryDocument", "primaryDocDescription"],
)  # fmt: skip
def test_a_missing_or_shorter_column_is_a_broken_contract_that_names_it(name: str) -> None:
    content = submissions({}, EIGHT_K)
    content["filings"]["recent"][name] = content["filings"]["recent"][name][:1]
    with pytest.raises(Contract, match=r"for [12] filings"):
        sec_submissions([answer(content)], context())
    del content["filings"]["recent"][name]
    with pytest.raises(Contract, match=f"'{name}'"):
        sec_submissions([answer(content)], context())


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        ({"accessionNumber": "x"}, "accession"),
        ({"accessionNumber": None}, "accessionNumber"),
        ({"filingDate": ""}, "filingDate"),
        ({"filingDate": "20260203"}, "filingDate"),
        ({"reportDate": "soon"}, "reportDate"),
        ({"acceptanceDateTime": "2026-02-03T21:30:05"}, "acceptanceDateTime"),
        ({"acceptanceDateTime": "2026-02-30T21:30:05.000Z"}, "acceptanceDateTime"),
        ({"form": ""}, "form"),
        ({"form": 10}, "form"),
        ({"size": 1.5}, "size"),
        ({"isXBRL": 2}, "isXBRL"),
        ({"primaryDocument": 5}, "primaryDocument"),
    ],
)
def test_a_broken_filing_is_left_out_with_its_reason_and_the_others_stay(broken: dict[str, Any], reason: str) -> None:
    tidied = sec_submissions([answer(submissions(broken, EIGHT_K))], context())
    assert [row["form"] for row in rows_of(tidied, FILINGS_TABLE)] == ["8-K"]
    assert left(tidied) == 1
    assert reason in tidied.left_out[0].reason


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([], "no submissions page"),
        ({"filings": {}}, "cik"),
        ({"cik": "x", "filings": {}}, "no CIK"),
        ({"cik": "9000009", "filings": {}}, "9000009"),
        ({"cik": "9000001", "filings": []}, "filings"),
        ({"cik": "9000001", "filings": {"recent": 5}}, "recent"),
        (submissions({}, name=None), "name"),
        (submissions({}, tickers=["A"]), "unequal"),
        (submissions({}, sic=5), "sic"),
        ({"unrelated": 1}, "accessionNumber"),
    ],
)
def test_another_shape_or_another_company_is_a_broken_contract(content: Any, message: str) -> None:
    with pytest.raises(Contract, match=message):
        sec_submissions([answer(content, cik=CIK)], context())


def test_an_older_page_that_does_not_say_whose_it_is_is_refused_and_a_company_not_found_has_no_rows() -> None:
    with pytest.raises(Contract, match="whose"):
        sec_submissions([answer(submission_columns({}))], context())
    missing = answer("<Error/>", cik=CIK, answer_class=AnswerClass.NOT_FOUND)
    assert rows_of(sec_submissions([missing], context()), FILINGS_TABLE) == []


# -- The daily index --------------------------------------------------------------------------------------------------
EVERYBODY = re.compile(r"(\d+)\s+(\d{8}|\d{4}-\d\d-\d\d)\s+edgar/data/\d+/(\d{10}-\d\d-\d{6})\.txt\s*$")


@pytest.mark.corpus
def test_every_line_of_a_form_index_is_a_row_when_every_filer_is_followed() -> None:
    """The second reading splits from the right with an expression of its own."""
    samples = [Sample("look-alike", FORM_INDEX.encode()), *recorded("corpus/index/*form*.idx*")]
    for sample in samples:
        lines = [line for line in sample.body.decode().splitlines() if "edgar/data/" in line]
        plain = [EVERYBODY.search(line).groups() for line in lines]  # type: ignore[union-attr]
        everybody = {f"T{index}": cik for index, cik in enumerate({cik for cik, _, _ in plain})}
        given = answer(sample.body, key="*")
        tidied = sec_daily_index([given], context(ciks=everybody))
        rows = rows_of(tidied, FILINGS_TABLE, [given])
        assert len(rows) + left(tidied) == len(plain), sample.name
        assert {(int(row["cik"]), row["accession"]) for row in rows} == {(int(cik), acc) for cik, _, acc in plain}
        forms = {(acc, line[:12].strip()) for line, (_, _, acc) in zip(lines, plain, strict=True)}
        for row in rows:
            assert (row["accession"], row["form"]) in forms
            assert row["url"].endswith(f"{row['accession']}.txt")
            assert row["amends_accession"] is row["accepted_at"] is row["primary_document"] is None


def test_one_row_per_filer_of_the_watchlist_and_nobody_else_is_counted() -> None:
    given = answer(FORM_INDEX, key="*")
    tidied = sec_daily_index([given], context(ciks={"WDGT": "9000001", "LONG": "9000003"}))
    rows = rows_of(tidied, FILINGS_TABLE, [given])
    assert [(row["cik"], row["form"], row["base_form"], row["is_amendment"]) for row in rows] == [
        ("0009000001", "10-K/A", "10-K", True),
        ("0009000001", "4", "4", False),
        ("0009000003", "8-K", "8-K", False),
    ]
    assert {row["filing_date"] for row in rows} == {dt.date(2026, 11, 20)}
    assert rows[0]["url"] == "https://www.sec.gov/Archives/edgar/data/9000001/0009000009-26-000031.txt"
    assert tidied.left_out == ()
    # With a selection, only its companies.
    few = sec_daily_index([given], context(["LONG"], ciks={"WDGT": "9000001", "LONG": "9000003"}))
    assert [row["cik"] for row in rows_of(few, FILINGS_TABLE)] == ["0009000003"]


def test_columns_are_where_the_header_says() -> None:
    narrow = (
        "Form Type                Company Name   CIK   Date Filed  File Name\n" + "-" * 60 + "\n"
        "SCHEDULE 13G/A LONGER    EXAMPLE        9000001  20261120  edgar/data/9000001/0009000009-26-000031.txt\n"
    )
    (row,) = rows_of(sec_daily_index([answer(narrow)], context(ciks={"WDGT": "9000001"})), FILINGS_TABLE)
    assert row["form"] == "SCHEDULE 13G/A LONGER"


@pytest.mark.parametrize(
    "line",
    [
        "8-K         EXAMPLE",
        "            EXAMPLE      9000001     20261120    edgar/data/9000001/0009000009-26-000031.txt",
        "8-K         EXAMPLE      9000001     20261320    edgar/data/9000001/0009000009-26-000031.txt",
        "8-K         EXAMPLE      9000001     20261120    edgar/data/9000001/../../x.txt",
        "8-K         EXAMPLE      0           20261120    edgar/data/9000001/0009000009-26-000031.txt",
        "8-K         EXAMPLE X9000001         20261120    edgar/data/9000001/0009000009-26-000031.txt",
    ],
)
def test_a_line_that_cannot_be_read_is_left_out(line: str) -> None:
    tidied = sec_daily_index([answer(f"{FORM_INDEX}{line}\n")], context(ciks={"WDGT": "9000001"}))
    assert len(rows_of(tidied, FILINGS_TABLE)) == 2
    assert [entry.what for entry in tidied.left_out] == ["line 10"]


def test_the_same_filing_and_filer_twice_is_one_row() -> None:
    again = FORM_INDEX.splitlines()[5]
    tidied = sec_daily_index([answer(f"{FORM_INDEX}{again}\n")], context(ciks={"WDGT": "9000001"}))
    assert (len(rows_of(tidied, FILINGS_TABLE)), left(tidied)) == (2, 1)


@pytest.mark.corpus
def test_an_index_without_filings_is_no_error() -> None:
    for sample in [Sample("look-alike", INDEX_HEAD.encode()), *recorded("corpus/index/empty-form.idx")]:
        tidied = sec_daily_index([answer(sample.body)], context(ciks={"WDGT": "9000001"}))
        assert (rows_of(tidied, FILINGS_TABLE), tidied.left_out) == ([], ()), sample.name


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b"-" * 80, b"CIK|Company Name|Form Type|Date Filed|File Name\n" + b"-" * 80 + b"\n", b"\xff" * 50],
)
def test_what_has_no_header_of_a_form_index_is_a_broken_contract(body: bytes) -> None:
    with pytest.raises(Contract, match="form index"):
        sec_daily_index([answer(body)], context())


# -- Documents --------------------------------------------------------------------------------------------------------
def test_a_document_is_what_its_request_says_and_lies_where_the_archive_put_it() -> None:
    given = answer(
        "<html>10-K</html>",
        path="/Archives/edgar/data/9000001/000900000126000001/wdgt-20251231.htm",
        key="0009000001-26-000001",
        cik=CIK,
        accession="0009000001-26-000001",
        details={"form": "10-K", "filename": "wdgt-20251231.htm", "document_type": "10-K", "sequence": "1"},
        archive_path="blobs/ab/cd",
    )
    (row,) = rows_of(sec_documents([given], context()), DOCUMENTS_TABLE, [given])
    assert {name: row[name] for name in TABLES[DOCUMENTS_TABLE].column_names} == {
        "accession": "0009000001-26-000001",
        "filename": "wdgt-20251231.htm",
        "cik": "0009000001",
        "form": "10-K",
        "document_type": "10-K",
        "sequence": 1,
        "sha256": given.body.sha256,
        "bytes": 17,
        "archive_path": "blobs/ab/cd",
        "submission_sha256": None,
        "is_exhibits_sought": False,
        "url": "https://www.sec.gov/Archives/edgar/data/9000001/000900000126000001/wdgt-20251231.htm",
    }


def test_place_and_name_come_from_the_address_where_the_subject_is_silent() -> None:
    in_folder = answer("a", path="/Archives/edgar/data/9000001/000900000126000001/x.htm", details={"form": "8-K"})
    whole = answer("b", path="/Archives/edgar/data/9000001/0009000001-26-000002.txt", details={"form": "8-K"})
    rows = rows_of(sec_documents([in_folder, whole], context()), DOCUMENTS_TABLE)
    assert [(row["accession"], row["filename"], row["cik"]) for row in rows] == [
        ("0009000001-26-000001", "x.htm", "0009000001"),
        ("0009000001-26-000002", "0009000001-26-000002.txt", "0009000001"),
    ]


def test_an_empty_document_and_a_second_copy_are_left_out() -> None:
    path, details = "/Archives/edgar/data/9000001/000900000126000001/x.htm", {"form": "8-K"}
    early = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    answers = [answer("old", path=path, details=details, fetched_at=early), answer("new", path=path, details=details)]
    tidied = sec_documents(answers, context())
    assert [row["bytes"] for row in rows_of(tidied, DOCUMENTS_TABLE)] == [3]
    assert left(tidied) == 1
    empty = sec_documents([answer("", path=path, details=details)], context())
    assert (rows_of(empty, DOCUMENTS_TABLE), left(empty)) == ([], 1)


@pytest.mark.parametrize(
    ("path", "details"),
    [
        ("/x", {"form": "8-K"}),
        ("/Archives/edgar/data/9000001/000900000126000001/x.htm", {}),
        ("/Archives/edgar/data/9000001/000900000126000001/x.htm", {"form": "8-K", "filename": "../x"}),
        ("/Archives/edgar/data/9000001/000900000126000001/x.htm", {"form": "8-K", "sequence": "one"}),
    ],
)
def test_a_request_that_does_not_say_which_document_it_is_is_refused(path: str, details: dict[str, str]) -> None:
    with pytest.raises(Contract, match="which document"):
        sec_documents([answer("x", path=path, details=details)], context())
