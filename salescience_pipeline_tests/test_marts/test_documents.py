"""What the marts of documents say of filings whose story is known; their SQL runs as dbt compiles it."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Sequence

import pyarrow as pa

from salescience_pipeline.acquisition.document_rows import Outcome, StoredDocument, rows_of
from salescience_pipeline.catalog.tables import TABLES
from salescience_pipeline.documents import Hints, parse
from salescience_pipeline_tests.test_marts.over_rows import Marts

CIK = "0009900001"
AT = dt.datetime(2026, 6, 15, 16, tzinfo=dt.UTC)


def file(marts: Marts, accession: str, form: str, day: dt.date, markup: str) -> bytes:
    """A filing in the list of filings, and what the engine understood of its document."""
    data = f"<html><body>{markup}</body></html>".encode()
    digest = hashlib.sha256(data).hexdigest()
    stored = StoredDocument(accession, "a.htm", CIK, form, form, digest, len(data), AT, "test")
    known = {
        "cik": CIK, "accession": accession, "form": form, "base_form": form.removesuffix("/A"), "is_amendment": "/A" in form,
        "filing_date": day, "source": "sec", "fetched_at": AT, "raw_sha256": digest, "run_id": "test",
    }  # fmt: skip
    filing = {field.name: known.get(field.name) for field in TABLES["core_sec__filings"].schema}
    filing |= {"is_xbrl": False, "is_inline_xbrl": False, "url": f"https://www.sec.gov/{accession}/a.htm"}
    marts.write({"core_sec__filings": pa.Table.from_pylist([filing], TABLES["core_sec__filings"].schema)})
    marts.write(rows_of(parse(data, Hints("a.htm", form, form)), stored, Outcome()))
    return data


def annual(risks: Sequence[tuple[str, str]]) -> str:
    told = "".join(f"<p><b><i>{title}</i></b></p><p>{text}</p>" for title, text in risks)
    head, tail = (
        "<p>FORM 10-K</p><p><b>Item 1A. Risk Factors</b></p>",
        "<p><b>Item 1B. Unresolved Staff Comments</b></p><p>None.</p>",
    )
    return head + told + tail


SAME = ("Our harbour may silt up and close to larger ships.", "Dredging is dear. We dredge every year.")
REWORDED = ("A strike of pilots could stop our traffic for weeks.", "Pilots have struck twice in the past ten years.")
RETITLED = (
    "Weather that we cannot foresee may damage our piers.",
    "In autumn the storms come from the west, and the old pier has no wall against them nor any insurance to rebuild it.",
)
GONE = ("The toll that we charge may be found unlawful.", "A court is looking at it.")
NEW = ("Cables and computers may be attacked by strangers.", "They ask for ransom and publish what they have found.")


def test_a_risk_factor_is_followed_from_one_annual_report_to_the_next(marts: Marts) -> None:
    older = file(marts, "0009900001-25-000001", "10-K", dt.date(2025, 2, 3), annual([SAME, REWORDED, RETITLED, GONE]))
    file(marts, "0009900001-25-000002", "10-K/A", dt.date(2025, 3, 3), annual([NEW]))
    moved = ("Storms that nobody can foresee may damage our piers.", RETITLED[1])
    told = (REWORDED[0], "Pilots have struck three times in the past ten years.")
    newer = file(marts, "0009900001-26-000001", "10-K", dt.date(2026, 2, 2), annual([NEW, SAME, told, moved]))
    rows = marts.rows("mart_documents__risk_changes")
    assert [(row["change"], row["title"]) for row in rows] == [
        ("added", NEW[0]),
        ("unchanged", SAME[0]),
        ("reworded", REWORDED[0]),
        ("reworded", moved[0]),
        ("removed", GONE[0]),
    ]
    # An amendment is no report before: it seldom tells all risks again.
    assert {(row["previous_accession"], row["accession"]) for row in rows} == {
        ("0009900001-25-000001", "0009900001-26-000001")
    }
    assert [row["previous_title"] for row in rows] == [None, None, None, RETITLED[0], None]
    same, gone = rows[1], rows[4]
    assert b"Dredging is dear" in newer[same["src_start"] : same["src_end"]]
    assert b"A court is looking at it" in older[gone["previous_src_start"] : gone["previous_src_end"]]
    assert rows[2]["similarity"] < 1 == same["similarity"]


def test_a_first_report_has_nothing_to_be_held_against(marts: Marts) -> None:
    file(marts, "0009900001-26-000001", "10-K", dt.date(2026, 2, 2), annual([SAME]))
    assert marts.rows("mart_documents__risk_changes") == []


def test_events_and_values_lead_to_their_bytes(marts: Marts) -> None:
    report = "<p>Form 8-K</p><p><b>Item 5.02 Departure of Directors</b></p><p>Ada Quill left us on May 4, 2026.</p>"
    data = file(marts, "0009900001-26-000003", "8-K", dt.date(2026, 5, 6), report)
    (event,) = marts.rows("mart_documents__events")
    assert (event["item"], event["form"]) == ("5.02", "8-K")
    assert b"Ada Quill left us" in data[event["src_start"] : event["src_end"]]
    rows = "".join(
        f"<tr><td>{name}</td><td>{old}</td><td>{now}</td></tr>"
        for name, old, now in (
            ("", "2025", "2026"), ("Net revenues", "77,571", "116,870"), ("Gross profit", "63,571", "94,870"),
            ("Operating income", "20,000", "30,500"), ("Net income", "13,954", "21,337"),
        )
    )  # fmt: skip
    annual_report = f"<p>FORM 10-K</p><p>Item 8. Financial Statements</p><p>(in thousands)</p><table>{rows}</table>"
    data = file(marts, "0009900001-26-000004", "10-K", dt.date(2026, 6, 6), annual_report)
    values = {row["json_path"]: row for row in marts.rows("mart_documents__extractions")}
    revenue = values["$.revenue"]
    assert revenue["value"] == 116_870_000
    assert b"116,870" in data[revenue["src_start"] : revenue["src_end"]]
