"""EDGAR's lists of filings over HTTP: daily and quarterly index, the feed of the newest, the full-text search."""

from __future__ import annotations

import datetime as dt
import gzip
import re

import pytest
from lxml import etree

from salescience_pipeline.sandbox import edgar_lists
from salescience_pipeline_tests.test_sandbox import edgar_lookalikes as lookalikes
from salescience_pipeline_tests.test_sandbox.serving import TODAY, Served
from salescience_pipeline_tests.test_sandbox.witness import differences, recorded_or

ATOM = "{http://www.w3.org/2005/Atom}"


# -- indexes -----------------------------------------------------------------------------------------------------------


def index_rows(text: str) -> list[tuple[str, ...]]:
    """Rows of a fixed-width index, read by the positions of its header line."""
    lines = text.split("\n")
    rule = next(number for number, line in enumerate(lines) if line.startswith("-----"))
    heads = ["Form Type", "Company Name", "CIK", "Date Filed", "File Name"]
    starts = sorted(lines[rule - 1].index(head) for head in heads)
    ends = [*starts[1:], None]
    return [tuple(line[a:b].strip() for a, b in zip(starts, ends, strict=True)) for line in lines[rule + 1 :] if line]


def test_a_daily_index_lists_each_filing_under_each_party(sandbox, cabinet):
    text = sandbox.get("/edgar/Archives/edgar/daily-index/2026/QTR4/form.20261117.idx").text
    rows = index_rows(text)
    filed = [f for c in cabinet.world.all for f in cabinet.of(c).all if f.filed == dt.date(2026, 11, 17)]
    assert len(rows) == sum(len(filing.parties) for filing in filed)
    assert {row[4] for row in rows} == {f"edgar/data/{p.cik}/{f.accession}.txt" for f in filed for p in f.parties}
    assert [row[0] for row in rows] == sorted(row[0] for row in rows)
    assert {row[3] for row in rows} == {"20261117"}
    form, _, cik, _, name = rows[0]
    whole = sandbox.get(f"/edgar/Archives/{name}").text
    assert f"CONFORMED SUBMISSION TYPE:\t{form}" in whole
    assert f"{int(cik):010d}" in whole
    master = sandbox.get("/edgar/Archives/edgar/daily-index/2026/QTR4/master.20261117.idx").text
    assert {line.split("|")[4] for line in master.splitlines() if line.count("|") == 4 and line[0].isdigit()} == {
        row[4] for row in rows
    }


@pytest.mark.parametrize(
    "day",
    [
        "2026/QTR4/form.20261121.idx",  # a Saturday
        "2026/QTR4/form.20261111.idx",  # Veterans Day
        f"2026/QTR4/form.{TODAY.replace('-', '')}.idx",  # of a day that has not ended
        "2026/QTR3/form.20261117.idx",  # another quarter's folder
        "2026/QTR5/form.20261117.idx",
        "2026/QTR4/form.gz",
    ],
)
def test_a_missing_index_is_denied_in_xml(sandbox, day):
    answer = sandbox.get(f"/edgar/Archives/edgar/daily-index/{day}")
    assert answer.status_code == 403
    assert answer.headers["content-type"] == "application/xml"
    assert etree.fromstring(answer.content).findtext("Code") == "AccessDenied"


def test_an_index_can_be_late(sandbox):
    path = "/edgar/Archives/edgar/daily-index/2026/QTR4/form.20261117.idx"
    sandbox.http.post("/_sandbox/switches", json={"edgar": {"missing_indexes": ["20261117"]}})
    assert sandbox.get(path).status_code == 403
    sandbox.http.delete("/_sandbox/switches")
    assert sandbox.get(path).status_code == 200


def test_the_quarter_index_is_the_sum_of_its_days(sandbox):
    packed = sandbox.get("/edgar/Archives/edgar/full-index/2026/QTR3/form.gz")
    text = gzip.decompress(packed.content).decode("latin-1")
    assert text == sandbox.get("/edgar/Archives/edgar/full-index/2026/QTR3/form.idx").text
    rows = index_rows(text)
    listing = sandbox.get("/edgar/Archives/edgar/daily-index/2026/QTR3/index.json").json()["directory"]["item"]
    days = [item["name"] for item in listing if item["name"].startswith("form.")]
    assert len(days) == 64
    daily = [
        row
        for day in days
        for row in index_rows(sandbox.get(f"/edgar/Archives/edgar/daily-index/2026/QTR3/{day}").text)
    ]
    assert sorted((r[0], r[2], r[3].replace("-", ""), r[4]) for r in rows) == sorted(
        (r[0], r[2], r[3], r[4]) for r in daily
    )
    since = {"If-Modified-Since": packed.headers["last-modified"]}
    assert sandbox.get("/edgar/Archives/edgar/full-index/2026/QTR3/form.gz", headers=since).status_code == 304
    assert sandbox.get("/edgar/Archives/edgar/full-index/2099/QTR1/form.gz").status_code == 403


# -- the feed and the search -------------------------------------------------------------------------------------------


def feed(sandbox: Served, **params) -> list[etree._Element]:
    query = {
        "action": "getcurrent",
        "output": "atom",
        "owner": "include",
        "count": 100,
        "start": 0,
        "type": "",
    } | params
    answer = sandbox.get("/edgar/cgi-bin/browse-edgar", params=query)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/atom+xml"
    assert answer.content.startswith(b'<?xml version="1.0" encoding="ISO-8859-1" ?>')
    return etree.fromstring(answer.content).findall(f"{ATOM}entry")


def test_the_feed_shows_every_party_newest_first(sandbox):
    entries = feed(sandbox)
    assert len(entries) > 10
    titles = [entry.findtext(f"{ATOM}title") for entry in entries]
    assert all(
        re.fullmatch(r"\S+( \S+)* - .+ \(\d{10}\) \((Filer|Issuer|Reporting|Subject)\)", title) for title in titles
    )
    stamps = [dt.datetime.fromisoformat(entry.findtext(f"{ATOM}updated")) for entry in entries]
    assert stamps == sorted(stamps, reverse=True)
    assert all(stamp.utcoffset() == dt.timedelta(hours=-5) for stamp in stamps)
    assert all(entry.findtext(f"{ATOM}id").startswith("urn:tag:sec.gov,2008:accession-number=") for entry in entries)
    assert "<b>AccNo:</b>" in entries[0].findtext(f"{ATOM}summary")
    assert entries[0].find(f"{ATOM}link").get("href").endswith("-index.htm")


def test_the_type_of_the_feed_is_a_prefix(sandbox):
    terms = {entry.find(f"{ATOM}category").get("term") for entry in feed(sandbox, type="4")}
    assert "424B2" in terms
    assert all(term.startswith("4") for term in terms)
    assert {e.find(f"{ATOM}category").get("term") for e in feed(sandbox, type="4", owner="only")} <= {"4", "4/A"}


def test_pages_of_the_feed_join_and_end_with_503(sandbox):
    everything = [entry.findtext(f"{ATOM}title") for entry in feed(sandbox)]
    paged = [entry.findtext(f"{ATOM}title") for start in (0, 10) for entry in feed(sandbox, start=start, count=10)]
    assert paged == everything[:20]
    end = sandbox.get(
        "/edgar/cgi-bin/browse-edgar", params={"action": "getcurrent", "output": "atom", "count": 100, "start": 5100}
    )
    assert end.status_code == 503
    assert end.headers["content-type"] == "text/html"
    assert "File Unavailable" in end.text


def test_the_feed_is_capped(cabinet):
    now = dt.datetime(2026, 11, 20, 23, tzinfo=dt.UTC)
    assert edgar_lists.current_feed(cabinet, "", "include", edgar_lists.FEED_CAP, 100, now) is None


@pytest.mark.corpus
def test_the_search_has_the_recorded_shape(sandbox):
    answer = sandbox.get(
        "/edgar/LATEST/search-index", params={"q": '"does not exist"', "forms": "10-K", "ciks": "0009900003"}
    )
    theirs = recorded_or("corpus/efts/1_hit.json", lookalikes.SEARCH)
    assert differences(answer.json() | {"query": None}, theirs | {"query": None}) == []
    hits = answer.json()["hits"]
    # A hit is a document: each of the eight reports has an exhibit.
    assert hits["total"] == {"value": 16, "relation": "eq"}
    assert len({hit["_source"]["adsh"] for hit in hits["hits"]}) == 8
    assert {hit["_source"]["file_type"] for hit in hits["hits"]} == {"10-K", "EX-21.1"}
    assert {hit["_source"]["form"] for hit in hits["hits"]} == {"10-K"}
    assert hits["hits"][0]["_source"]["display_names"] == [
        "Calderquist Devices Inc. (fictional)  (CALDQ)  (CIK 0009900003)"
    ]
    page = {"dateRange": "custom", "startdt": "2026-01-01", "enddt": "2026-06-30", "forms": "424B2"}
    first = sandbox.get("/edgar/LATEST/search-index", params=page).json()["hits"]
    second = sandbox.get("/edgar/LATEST/search-index", params=page | {"from": 100}).json()["hits"]
    assert first["total"]["value"] > 500
    assert len(first["hits"]) == len(second["hits"]) == 100
    assert not {hit["_id"] for hit in first["hits"]} & {hit["_id"] for hit in second["hits"]}
    none = sandbox.get("/edgar/LATEST/search-index", params={"q": "qwertzuiop"}).json()["hits"]
    assert none == {"total": {"value": 0, "relation": "eq"}, "max_score": None, "hits": []}
