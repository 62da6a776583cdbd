"""EDGAR's JSON over HTTP, and whom it refuses: submissions, facts, frames, lists of tickers, error bodies, the block."""

from __future__ import annotations

import datetime as dt
import re

import pytest
from lxml import etree

from salescience_pipeline_tests.test_sandbox import edgar_lookalikes as lookalikes
from salescience_pipeline_tests.test_sandbox.calls import CALDQ, OAKMR, TORVA, folder_of, recent_filings
from salescience_pipeline_tests.test_sandbox.serving import DAY
from salescience_pipeline_tests.test_sandbox.witness import differences, recorded_or

# -- data.sec.gov ------------------------------------------------------------------------------------------------------


@pytest.mark.corpus
def test_submissions_have_the_recorded_shape_and_headers(sandbox):
    answer = sandbox.get(f"/edgar/submissions/CIK{CALDQ:010d}.json")
    theirs = recorded_or("samples/sec/submissions_CIK0000320193.json", lookalikes.SUBMISSIONS)
    assert differences(answer.json(), theirs) == []
    assert list(answer.json()) == list(theirs)
    assert list(answer.json()["filings"]["recent"]) == list(theirs["filings"]["recent"])
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "max-age=0, no-cache, no-store"
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["content-encoding"] == "gzip"
    assert not {"etag", "last-modified"} & set(answer.headers)


@pytest.mark.corpus
def test_company_facts_and_concepts_have_the_recorded_shape(sandbox):
    facts = sandbox.get(f"/edgar/api/xbrl/companyfacts/CIK{CALDQ:010d}.json").json()
    theirs = recorded_or("samples/sec/companyfacts_CIK0000320193_trimmed.json", lookalikes.COMPANY_FACTS)
    assert list(facts) == list(theirs)
    assert list(facts["facts"]) == ["dei", "us-gaap"]
    ours, other = facts["facts"]["us-gaap"]["NetIncomeLoss"], theirs["facts"]["us-gaap"]["NetIncomeLoss"]
    assert differences(ours, other, may_lack=frozenset({"frame"}), may_add=frozenset({"frame"})) == []
    concept = sandbox.get(f"/edgar/api/xbrl/companyconcept/CIK{CALDQ:010d}/us-gaap/NetIncomeLoss.json").json()
    assert concept["units"] == ours["units"]
    assert (concept["cik"], concept["taxonomy"], concept["tag"]) == (CALDQ, "us-gaap", "NetIncomeLoss")


@pytest.mark.corpus
def test_frames_have_one_row_per_company(sandbox):
    answer = sandbox.get("/edgar/api/xbrl/frames/us-gaap/EarningsPerShareDiluted/USD-per-shares/CY2025.json").json()
    theirs = recorded_or("samples/sec/frames_us-gaap_Assets_USD_CY2023Q4I.derived.json", lookalikes.FRAME)
    assert set(answer) == set(theirs)
    assert answer["uom"] == "USD/shares"
    assert answer["pts"] == len(answer["data"]) == len({row["cik"] for row in answer["data"]}) >= 10
    row = next(row for row in answer["data"] if row["cik"] == CALDQ)
    facts = sandbox.get(f"/edgar/api/xbrl/companyfacts/CIK{CALDQ:010d}.json").json()["facts"]["us-gaap"]
    framed = [f for f in facts["EarningsPerShareDiluted"]["units"]["USD/shares"] if f.get("frame") == "CY2025"]
    assert [(f["accn"], f["start"], f["end"], f["val"]) for f in framed] == [
        (row["accn"], row["start"], row["end"], row["val"])
    ]


@pytest.mark.parametrize(
    "path",
    [
        "submissions/CIK0000000001.json",
        f"submissions/CIK{CALDQ}.json",  # not padded
        f"submissions/CIK{CALDQ:010d}-submissions-001.json",
        "submissions/CIK-000000001.json",
        "api/xbrl/companyfacts/CIK0000000001.json",
        "api/xbrl/companyfacts/CIK0009990001.json",  # a fund reports no facts
        f"api/xbrl/companyconcept/CIK{CALDQ:010d}/us-gaap/NoSuchThing.json",
        "api/xbrl/frames/us-gaap/Assets/USD/CY1999Q1I.json",
        "api/xbrl/frames/us-gaap/Assets/USD/last-year.json",
        f"Archives/edgar/data/{CALDQ}/000990000399000001/0009900003-99-000001.txt",
        "no/such/path",
    ],
)
def test_what_is_missing_answers_404_in_xml(sandbox, path):
    answer = sandbox.get(f"/edgar/{path}")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/xml"
    error = etree.fromstring(answer.content)
    assert [child.tag for child in error] == ["Code", "Message", "Key", "RequestId", "HostId"]
    assert (error.findtext("Code"), error.findtext("Key")) == ("NoSuchKey", path)


def test_a_heavy_filer_has_older_pages_and_its_reports_lie_there(sandbox):
    answer = sandbox.get(f"/edgar/submissions/CIK{TORVA:010d}.json").json()
    rows = recent_filings(sandbox, TORVA)
    cutoff = (DAY - dt.timedelta(days=365)).isoformat()
    assert len(rows) > 1000
    assert min(row["filingDate"] for row in rows) >= cutoff
    forms = [row["form"] for row in rows]
    pages = answer["filings"]["files"]
    assert len(pages) == 2
    older = [sandbox.get(f"/edgar/submissions/{page['name']}").json() for page in pages]
    # An older page is the columnar object without a wrapper, and its dates are hints.
    assert [len(page["form"]) for page in older] == [page["filingCount"] for page in pages]
    assert list(older[0]) == list(answer["filings"]["recent"])
    assert older[0]["filingDate"][0] > pages[0]["filingTo"]
    assert forms.count("10-K") == 1
    assert sum(page["form"].count("10-K") for page in older) >= 6


def test_a_delisted_company_has_lost_its_ticker_but_not_its_filings(sandbox):
    answer = sandbox.get(f"/edgar/submissions/CIK{OAKMR:010d}.json").json()
    assert answer["tickers"] == answer["exchanges"] == []
    assert answer["filings"]["recent"]["form"][0] == "15-12G"
    tickers = sandbox.get("/edgar/files/company_tickers.json").json()
    assert OAKMR not in {row["cik_str"] for row in tickers.values()}


# -- tickers -----------------------------------------------------------------------------------------------------------


@pytest.mark.corpus
def test_ticker_lists_have_the_recorded_shape(sandbox):
    for name, lookalike in (
        ("company_tickers.json", lookalikes.TICKERS),
        ("company_tickers_exchange.json", lookalikes.TICKERS_EXCHANGE),
    ):
        ours, theirs = sandbox.get(f"/edgar/files/{name}").json(), recorded_or(f"corpus/tickers/{name}", lookalike)
        first = {
            key: {"0": value["0"]} if "0" in value else value for key, value in (("ours", ours), ("theirs", theirs))
        }
        assert differences(first["ours"], first["theirs"]) == []
    listed = sandbox.get("/edgar/files/company_tickers.json").json()
    assert {
        "cik_str": 9900002,
        "ticker": "BRNWD-B",
        "title": "Brambleworth Provisions Inc. (fictional)",
    } in listed.values()
    assert not any("." in row["ticker"] for row in listed.values())
    lines = sandbox.get("/edgar/include/ticker.txt").text.splitlines()
    assert f"caldq\t{CALDQ}" in lines
    assert sandbox.get("/edgar/files/company_tickers_mf.json").json()["fields"] == [
        "cik",
        "seriesId",
        "classId",
        "symbol",
    ]


# -- refusals ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("agent", ["", "python-requests/2.32", "curl/8.5.0", "Mozilla/5.0", "My Company", "me@home"])
@pytest.mark.parametrize(
    "path", ["submissions/CIK0009900003.json", "files/company_tickers.json", "cgi-bin/browse-edgar"]
)
def test_who_does_not_say_who_he_is_is_refused(sandbox, agent, path):
    answer = sandbox.get(f"/edgar/{path}", headers={"User-Agent": agent})
    assert answer.status_code == 403
    assert answer.headers["content-type"] == "text/html"
    assert re.search(r"<title>.*Undeclared Automated Tool</title>", answer.text)


def test_too_many_requests_in_a_second_shut_everybody_out(sandbox):
    sandbox.http.post("/_sandbox/limits", json="real")
    statuses = [sandbox.get("/edgar/include/ticker.txt").status_code for _ in range(14)]
    assert statuses[:10] == [200] * 10
    assert 403 in statuses
    blocked = sandbox.get(f"/edgar/submissions/CIK{CALDQ:010d}.json")
    assert blocked.status_code == 403
    assert re.search(r"<title>.*Request Rate Threshold Exceeded</title>", blocked.text)
    assert "retry-after" not in blocked.headers
    sandbox.http.post("/_sandbox/clock", json={"advance": 599})
    assert sandbox.get("/edgar/include/ticker.txt").status_code == 403  # and this one began the ten minutes anew
    sandbox.http.post("/_sandbox/clock", json={"advance": 599})
    assert sandbox.get("/edgar/include/ticker.txt").status_code == 403
    sandbox.http.post("/_sandbox/clock", json={"advance": 601})
    assert sandbox.get("/edgar/include/ticker.txt").status_code == 200


def test_the_block_page_can_come_with_429(sandbox):
    sandbox.http.post("/_sandbox/switches", json={"edgar": {"block_status": 429}})
    sandbox.fault(provider="edgar", kind="block_page", times=1)
    answer = sandbox.get("/edgar/include/ticker.txt")
    assert answer.status_code == 429
    assert "Request Rate Threshold Exceeded" in answer.text


def test_endpoints_are_counted_by_kind(sandbox):
    row = next(row for row in recent_filings(sandbox) if row["form"] == "10-K")
    sandbox.reset()
    sandbox.get(f"{folder_of(row)}/{row['primaryDocument']}")
    sandbox.get(f"{folder_of(row)}/{row['accessionNumber']}.txt")
    sandbox.get(f"{folder_of(row)}/index.json")
    kinds = sandbox.stats()["providers"]["edgar"]["endpoints"]
    assert {name: meter["requests"] for name, meter in kinds.items()} == {
        "document": 1,
        "full_submission": 1,
        "folder": 1,
    }


@pytest.mark.corpus
def test_errors_are_the_recorded_ones_in_kind(sandbox):
    for file, path, title in (
        ("corpus/errors/404_submissions.xml", "submissions/CIK-000000001.json", None),
        ("corpus/errors/403_fullindex_future.xml", "Archives/edgar/full-index/2099/QTR1/form.gz", None),
        ("corpus/errors/403_undeclared_automated_tool.html", "files/company_tickers.json", "Undeclared Automated Tool"),
    ):
        agent = {"User-Agent": "curl/8"} if title else {}
        ours = sandbox.get(f"/edgar/{path}", headers=agent).text
        theirs = recorded_or(file, lookalikes.ERRORS[file])
        if title:
            assert re.search(r"<title>([^<]*)", ours)[1] == re.search(r"<title>([^<]*)", theirs)[1]
        else:
            ours_xml, theirs_xml = etree.fromstring(ours.encode()), etree.fromstring(theirs.encode())
            assert [child.tag for child in ours_xml] == [child.tag for child in theirs_xml]
            for tag in ("Code", "Message", "Key"):
                assert ours_xml.findtext(tag) == theirs_xml.findtext(tag)
