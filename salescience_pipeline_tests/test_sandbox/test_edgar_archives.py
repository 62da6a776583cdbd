"""EDGAR's archives over HTTP: the files of a filing, their folder, sizes, times and validators, and the truth about them."""

from __future__ import annotations

import datetime as dt
import hashlib
import re

import pytest

from salescience_pipeline_tests.test_sandbox import edgar_lookalikes as lookalikes
from salescience_pipeline_tests.test_sandbox.calls import CALDQ, TORVA, folder_of, recent_filings
from salescience_pipeline_tests.test_sandbox.witness import differences, recorded_or


def test_sizes_in_the_list_are_the_bytes_of_the_submission(sandbox):
    wanted = {"10-K", "10-Q", "8-K", "4", "DEF 14A"}
    for row in recent_filings(sandbox):
        if row["form"] in wanted:
            wanted.discard(row["form"])
            whole = sandbox.get(f"{folder_of(row)}/{row['accessionNumber']}.txt").content
            assert len(whole) == row["size"]
            assert whole.endswith(b"</SEC-DOCUMENT>\n")
            assert f"ACCESSION NUMBER:\t\t{row['accessionNumber']}".encode() in whole
    assert not wanted


def test_acceptance_is_utc_in_the_list_and_new_york_time_in_the_header(sandbox):
    row = next(row for row in recent_filings(sandbox) if row["form"] == "4")
    assert row["primaryDocument"].startswith("xslF345X05/")
    head = sandbox.get(f"{folder_of(row)}/{row['accessionNumber']}.txt").text[:400]
    local = re.search(r"<ACCEPTANCE-DATETIME>(\d{14})", head)[1]
    assert local[8:] == "183057"
    utc = dt.datetime.fromisoformat(row["acceptanceDateTime"])
    hours = (utc.replace(tzinfo=None) - dt.datetime.strptime(local, "%Y%m%d%H%M%S")).total_seconds() / 3600  # noqa: DTZ007
    assert hours in {4, 5}


def test_a_filing_is_the_same_under_all_its_parties_and_without_its_folder(sandbox):
    row = next(row for row in recent_filings(sandbox) if row["form"] == "4")
    name = row["primaryDocument"].partition("/")[2]
    whole = sandbox.get(f"{folder_of(row)}/{row['accessionNumber']}.txt").content
    owner = int(re.search(rb"<rptOwnerCik>(\d+)<", whole)[1])
    assert sandbox.get(f"{folder_of(row, owner)}/{row['accessionNumber']}.txt").content == whole
    assert sandbox.get(f"/edgar/Archives/edgar/data/{CALDQ}/{row['accessionNumber']}.txt").content == whole
    assert sandbox.get(f"{folder_of(row)}/{name}").content in whole
    assert b"SEC FORM 4" in sandbox.get(f"{folder_of(row)}/{row['primaryDocument']}").content
    assert sandbox.get(f"{folder_of(row, TORVA)}/{row['accessionNumber']}.txt").status_code == 404
    page = sandbox.get(f"/edgar/Archives/edgar/data/{CALDQ}/{row['accessionNumber']}-index.html")
    assert f"EDGAR Filing Documents for {row['accessionNumber']}" in page.text
    assert sandbox.get(f"{folder_of(row)}/{row['accessionNumber']}-index.htm").content == page.content


@pytest.mark.corpus
def test_the_folder_lists_its_files_with_their_sizes(sandbox):
    row = next(row for row in recent_filings(sandbox) if row["form"] == "10-Q")
    listing = sandbox.get(f"{folder_of(row)}/index.json").json()
    theirs = recorded_or("samples/sec/archive_index_0001213900-24-004875.json", lookalikes.FOLDER)
    assert differences(listing, theirs) == []
    sizes = {item["name"]: item["size"] for item in listing["directory"]["item"]}
    for name, size in sizes.items():
        body = sandbox.get(f"{folder_of(row)}/{name}")
        assert body.status_code == 200
        assert size in {"", str(len(body.content))}
    assert row["primaryDocument"] in sizes
    headers = sandbox.get(f"{folder_of(row)}/{row['accessionNumber']}-index-headers.html").text
    assert f"<ACCESSION-NUMBER>{row['accessionNumber']}" in headers
    assert f'<a href="{row["primaryDocument"]}">' in headers


def test_validators_are_those_of_the_archives(sandbox):
    row = next(row for row in recent_filings(sandbox) if row["form"] == "10-K")
    url = f"{folder_of(row)}/{row['accessionNumber']}.txt"
    plain = sandbox.get(url, headers={"Accept-Encoding": "identity"})
    packed = sandbox.get(url, headers={"Accept-Encoding": "gzip, deflate"})
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.content == plain.content
    assert packed.headers["etag"] == plain.headers["etag"][:-1] + '-gzip"'
    assert plain.headers["accept-ranges"] == "bytes"
    for condition in (
        {"If-None-Match": packed.headers["etag"]},
        {"If-None-Match": plain.headers["etag"]},
        {"If-Modified-Since": plain.headers["last-modified"]},
    ):
        unchanged = sandbox.get(url, headers=condition)
        assert unchanged.status_code == 304
        assert unchanged.content == b""
        assert "etag" in unchanged.headers
        assert unchanged.headers["last-modified"] == plain.headers["last-modified"]
    assert sandbox.get(url, headers={"If-None-Match": '"other"'}).status_code == 200
    page = sandbox.get(f"{folder_of(row)}/{row['primaryDocument']}")
    assert page.headers["content-type"] == "text/html"
    assert "etag" not in page.headers
    assert page.headers["last-modified"] == plain.headers["last-modified"]
    since = {"If-Modified-Since": page.headers["last-modified"]}
    assert sandbox.get(f"{folder_of(row)}/{row['primaryDocument']}", headers=since).status_code == 304


def test_the_truth_about_a_document_can_be_asked(sandbox):
    row = next(row for row in recent_filings(sandbox) if row["form"] == "10-K")
    page = sandbox.get(f"{folder_of(row)}/{row['primaryDocument']}").content
    facts = sandbox.get(f"/_sandbox/truth/facts/{row['accessionNumber']}").json()
    items = sandbox.get(f"/_sandbox/truth/items/{row['accessionNumber']}").json()
    assert facts["sha256"] == items["sha256"] == hashlib.sha256(page).hexdigest()
    assert page.count(b"<ix:nonFraction") == sum(fact["numeric"] for fact in facts["facts"])
    assert [item["item"] for item in items["items"]][:4] == ["1", "1A", "1B", "1C"]
    risk = items["items"][1]
    assert page[risk["start"] :].startswith(b'<div id="part_i_item_1a"')
    assert sandbox.get("/_sandbox/truth/facts/0000000000-00-000000").status_code == 404
