"""EDGAR over HTTP, against a running sandbox: shapes, headers, validators, refusals, error bodies, lists."""

from __future__ import annotations

import datetime as dt
import gzip
import hashlib
import json
import re

import pytest
from lxml import etree

from salescience_pipeline.sandbox import edgar_lists
from salescience_pipeline.sandbox.filings import Cabinet
from salescience_pipeline.sandbox.world import World
from salescience_pipeline_tests.test_sandbox import edgar_lookalikes as lookalikes
from salescience_pipeline_tests.test_sandbox.serving import TODAY, Served, running
from salescience_pipeline_tests.test_sandbox.witness import corpus, differences

AGENT = {"User-Agent": "Example Company someone@example.com"}
CALDQ, TORVA, OAKMR = 9900003, 9900010, 9900011
ATOM = "{http://www.w3.org/2005/Atom}"


@pytest.fixture(scope="module")
def server():
    with running("--providers", "edgar") as served:
        served.http.headers.update(AGENT)
        yield served


@pytest.fixture(autouse=True)
def _fresh(server: Served):
    server.reset()


def recent(server: Served, cik: int = CALDQ) -> list[dict]:
    page = server.get(f"/edgar/submissions/CIK{cik:010d}.json").json()["filings"]["recent"]
    return [dict(zip(page, values, strict=True)) for values in zip(*page.values(), strict=True)]


def folder(row: dict, cik: int = CALDQ) -> str:
    return f"/edgar/Archives/edgar/data/{cik}/{row['accessionNumber'].replace('-', '')}"


def recorded(relative: str, lookalike):
    """A recorded JSON answer, or our own look-alike of its shape on a machine without the recordings."""
    root = corpus()
    return lookalike if root is None else json.loads((root / relative).read_text(encoding="utf-8"))


# -- data.sec.gov -------------------------------------------------------------------------------------------------------


@pytest.mark.corpus
def test_submissions_have_the_recorded_shape_and_headers(server):
    answer = server.get(f"/edgar/submissions/CIK{CALDQ:010d}.json")
    theirs = recorded("samples/sec/submissions_CIK0000320193.json", lookalikes.SUBMISSIONS)
    assert differences(answer.json(), theirs) == []
    assert list(answer.json()) == list(theirs)
    assert list(answer.json()["filings"]["recent"]) == list(theirs["filings"]["recent"])
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "max-age=0, no-cache, no-store"
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["content-encoding"] == "gzip"
    assert not {"etag", "last-modified"} & set(answer.headers)


@pytest.mark.corpus
def test_company_facts_and_concepts_have_the_recorded_shape(server):
    facts = server.get(f"/edgar/api/xbrl/companyfacts/CIK{CALDQ:010d}.json").json()
    theirs = recorded("samples/sec/companyfacts_CIK0000320193_trimmed.json", lookalikes.COMPANY_FACTS)
    assert list(facts) == list(theirs)
    assert list(facts["facts"]) == ["dei", "us-gaap"]
    ours, other = facts["facts"]["us-gaap"]["NetIncomeLoss"], theirs["facts"]["us-gaap"]["NetIncomeLoss"]
    assert differences(ours, other, may_lack=frozenset({"frame"}), may_add=frozenset({"frame"})) == []
    concept = server.get(f"/edgar/api/xbrl/companyconcept/CIK{CALDQ:010d}/us-gaap/NetIncomeLoss.json").json()
    assert concept["units"] == ours["units"]
    assert (concept["cik"], concept["taxonomy"], concept["tag"]) == (CALDQ, "us-gaap", "NetIncomeLoss")


@pytest.mark.corpus
def test_frames_have_one_row_per_company(server):
    answer = server.get("/edgar/api/xbrl/frames/us-gaap/EarningsPerShareDiluted/USD-per-shares/CY2025.json").json()
    theirs = recorded("samples/sec/frames_us-gaap_Assets_USD_CY2023Q4I.derived.json", lookalikes.FRAME)
    assert set(answer) == set(theirs)
    assert answer["uom"] == "USD/shares"
    assert answer["pts"] == len(answer["data"]) == len({row["cik"] for row in answer["data"]}) >= 10
    row = next(row for row in answer["data"] if row["cik"] == CALDQ)
    facts = server.get(f"/edgar/api/xbrl/companyfacts/CIK{CALDQ:010d}.json").json()["facts"]["us-gaap"]
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
def test_what_is_missing_answers_404_in_xml(server, path):
    answer = server.get(f"/edgar/{path}")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/xml"
    error = etree.fromstring(answer.content)
    assert [child.tag for child in error] == ["Code", "Message", "Key", "RequestId", "HostId"]
    assert (error.findtext("Code"), error.findtext("Key")) == ("NoSuchKey", path)


def test_a_heavy_filer_has_older_pages_and_its_reports_lie_there(server):
    answer = server.get(f"/edgar/submissions/CIK{TORVA:010d}.json").json()
    rows = recent(server, TORVA)
    cutoff = (dt.date.fromisoformat(TODAY) - dt.timedelta(days=365)).isoformat()
    assert len(rows) > 1000
    assert min(row["filingDate"] for row in rows) >= cutoff
    forms = [row["form"] for row in rows]
    pages = answer["filings"]["files"]
    assert len(pages) == 2
    older = [server.get(f"/edgar/submissions/{page['name']}").json() for page in pages]
    # An older page is the columnar object without a wrapper, and its dates are hints.
    assert [len(page["form"]) for page in older] == [page["filingCount"] for page in pages]
    assert list(older[0]) == list(answer["filings"]["recent"])
    assert older[0]["filingDate"][0] > pages[0]["filingTo"]
    assert forms.count("10-K") == 1
    assert sum(page["form"].count("10-K") for page in older) >= 6


def test_a_delisted_company_has_lost_its_ticker_but_not_its_filings(server):
    answer = server.get(f"/edgar/submissions/CIK{OAKMR:010d}.json").json()
    assert answer["tickers"] == answer["exchanges"] == []
    assert answer["filings"]["recent"]["form"][0] == "15-12G"
    tickers = server.get("/edgar/files/company_tickers.json").json()
    assert OAKMR not in {row["cik_str"] for row in tickers.values()}


# -- tickers ------------------------------------------------------------------------------------------------------------


@pytest.mark.corpus
def test_ticker_lists_have_the_recorded_shape(server):
    for name, lookalike in (
        ("company_tickers.json", lookalikes.TICKERS),
        ("company_tickers_exchange.json", lookalikes.TICKERS_EXCHANGE),
    ):
        ours, theirs = server.get(f"/edgar/files/{name}").json(), recorded(f"corpus/tickers/{name}", lookalike)
        first = {
            key: {"0": value["0"]} if "0" in value else value for key, value in (("ours", ours), ("theirs", theirs))
        }
        assert differences(first["ours"], first["theirs"]) == []
    listed = server.get("/edgar/files/company_tickers.json").json()
    assert {
        "cik_str": 9900002,
        "ticker": "BRNWD-B",
        "title": "Brambleworth Provisions Inc. (fictional)",
    } in listed.values()
    assert not any("." in row["ticker"] for row in listed.values())
    lines = server.get("/edgar/include/ticker.txt").text.splitlines()
    assert f"caldq\t{CALDQ}" in lines
    assert server.get("/edgar/files/company_tickers_mf.json").json()["fields"] == [
        "cik",
        "seriesId",
        "classId",
        "symbol",
    ]


# -- filings ------------------------------------------------------------------------------------------------------------


def test_sizes_in_the_list_are_the_bytes_of_the_submission(server):
    wanted = {"10-K", "10-Q", "8-K", "4", "DEF 14A"}
    for row in recent(server):
        if row["form"] in wanted:
            wanted.discard(row["form"])
            whole = server.get(f"{folder(row)}/{row['accessionNumber']}.txt").content
            assert len(whole) == row["size"]
            assert whole.endswith(b"</SEC-DOCUMENT>\n")
            assert f"ACCESSION NUMBER:\t\t{row['accessionNumber']}".encode() in whole
    assert not wanted


def test_acceptance_is_utc_in_the_list_and_new_york_time_in_the_header(server):
    row = next(row for row in recent(server) if row["form"] == "4")
    assert row["primaryDocument"].startswith("xslF345X05/")
    head = server.get(f"{folder(row)}/{row['accessionNumber']}.txt").text[:400]
    local = re.search(r"<ACCEPTANCE-DATETIME>(\d{14})", head)[1]
    assert local[8:] == "183057"
    utc = dt.datetime.fromisoformat(row["acceptanceDateTime"])
    hours = (utc.replace(tzinfo=None) - dt.datetime.strptime(local, "%Y%m%d%H%M%S")).total_seconds() / 3600  # noqa: DTZ007
    assert hours in {4, 5}


def test_a_filing_is_the_same_under_all_its_parties_and_without_its_folder(server):
    row = next(row for row in recent(server) if row["form"] == "4")
    name = row["primaryDocument"].partition("/")[2]
    whole = server.get(f"{folder(row)}/{row['accessionNumber']}.txt").content
    owner = int(re.search(rb"<rptOwnerCik>(\d+)<", whole)[1])
    assert server.get(f"{folder(row, owner)}/{row['accessionNumber']}.txt").content == whole
    assert server.get(f"/edgar/Archives/edgar/data/{CALDQ}/{row['accessionNumber']}.txt").content == whole
    assert server.get(f"{folder(row)}/{name}").content in whole
    assert b"SEC FORM 4" in server.get(f"{folder(row)}/{row['primaryDocument']}").content
    assert server.get(f"{folder(row, TORVA)}/{row['accessionNumber']}.txt").status_code == 404
    page = server.get(f"/edgar/Archives/edgar/data/{CALDQ}/{row['accessionNumber']}-index.html")
    assert f"EDGAR Filing Documents for {row['accessionNumber']}" in page.text
    assert server.get(f"{folder(row)}/{row['accessionNumber']}-index.htm").content == page.content


@pytest.mark.corpus
def test_the_folder_lists_its_files_with_their_sizes(server):
    row = next(row for row in recent(server) if row["form"] == "10-Q")
    listing = server.get(f"{folder(row)}/index.json").json()
    theirs = recorded("samples/sec/archive_index_0001213900-24-004875.json", lookalikes.FOLDER)
    assert differences(listing, theirs) == []
    sizes = {item["name"]: item["size"] for item in listing["directory"]["item"]}
    for name, size in sizes.items():
        body = server.get(f"{folder(row)}/{name}")
        assert body.status_code == 200
        assert size in {"", str(len(body.content))}
    assert row["primaryDocument"] in sizes
    headers = server.get(f"{folder(row)}/{row['accessionNumber']}-index-headers.html").text
    assert f"<ACCESSION-NUMBER>{row['accessionNumber']}" in headers
    assert f'<a href="{row["primaryDocument"]}">' in headers


def test_validators_are_those_of_the_archives(server):
    row = next(row for row in recent(server) if row["form"] == "10-K")
    url = f"{folder(row)}/{row['accessionNumber']}.txt"
    plain = server.get(url, headers={"Accept-Encoding": "identity"})
    packed = server.get(url, headers={"Accept-Encoding": "gzip, deflate"})
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
        unchanged = server.get(url, headers=condition)
        assert unchanged.status_code == 304
        assert unchanged.content == b""
        assert "etag" in unchanged.headers
        assert unchanged.headers["last-modified"] == plain.headers["last-modified"]
    assert server.get(url, headers={"If-None-Match": '"other"'}).status_code == 200
    page = server.get(f"{folder(row)}/{row['primaryDocument']}")
    assert page.headers["content-type"] == "text/html"
    assert "etag" not in page.headers
    assert page.headers["last-modified"] == plain.headers["last-modified"]
    since = {"If-Modified-Since": page.headers["last-modified"]}
    assert server.get(f"{folder(row)}/{row['primaryDocument']}", headers=since).status_code == 304


def test_the_truth_about_a_document_can_be_asked(server):
    row = next(row for row in recent(server) if row["form"] == "10-K")
    page = server.get(f"{folder(row)}/{row['primaryDocument']}").content
    facts = server.get(f"/_sandbox/truth/facts/{row['accessionNumber']}").json()
    items = server.get(f"/_sandbox/truth/items/{row['accessionNumber']}").json()
    assert facts["sha256"] == items["sha256"] == hashlib.sha256(page).hexdigest()
    assert page.count(b"<ix:nonFraction") == sum(fact["numeric"] for fact in facts["facts"])
    assert [item["item"] for item in items["items"]][:4] == ["1", "1A", "1B", "1C"]
    risk = items["items"][1]
    assert page[risk["start"] :].startswith(b'<div id="part_i_item_1a"')
    assert server.get("/_sandbox/truth/facts/0000000000-00-000000").status_code == 404


# -- indexes ------------------------------------------------------------------------------------------------------------


def index_rows(text: str) -> list[tuple[str, ...]]:
    """Rows of a fixed-width index, read by the positions of its header line."""
    lines = text.split("\n")
    rule = next(number for number, line in enumerate(lines) if line.startswith("-----"))
    heads = ["Form Type", "Company Name", "CIK", "Date Filed", "File Name"]
    starts = sorted(lines[rule - 1].index(head) for head in heads)
    ends = [*starts[1:], None]
    return [tuple(line[a:b].strip() for a, b in zip(starts, ends, strict=True)) for line in lines[rule + 1 :] if line]


def test_a_daily_index_lists_each_filing_under_each_party(server):
    text = server.get("/edgar/Archives/edgar/daily-index/2026/QTR4/form.20261117.idx").text
    rows = index_rows(text)
    cabinet = Cabinet(World(7, 12, dt.date.fromisoformat(TODAY)))
    filed = [f for c in cabinet.world.all for f in cabinet.of(c).all if f.filed == dt.date(2026, 11, 17)]
    assert len(rows) == sum(len(filing.parties) for filing in filed)
    assert {row[4] for row in rows} == {f"edgar/data/{p.cik}/{f.accession}.txt" for f in filed for p in f.parties}
    assert [row[0] for row in rows] == sorted(row[0] for row in rows)
    assert {row[3] for row in rows} == {"20261117"}
    form, _, cik, _, name = rows[0]
    whole = server.get(f"/edgar/Archives/{name}").text
    assert f"CONFORMED SUBMISSION TYPE:\t{form}" in whole
    assert f"{int(cik):010d}" in whole
    master = server.get("/edgar/Archives/edgar/daily-index/2026/QTR4/master.20261117.idx").text
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
def test_a_missing_index_is_denied_in_xml(server, day):
    answer = server.get(f"/edgar/Archives/edgar/daily-index/{day}")
    assert answer.status_code == 403
    assert answer.headers["content-type"] == "application/xml"
    assert etree.fromstring(answer.content).findtext("Code") == "AccessDenied"


def test_an_index_can_be_late(server):
    path = "/edgar/Archives/edgar/daily-index/2026/QTR4/form.20261117.idx"
    server.http.post("/_sandbox/switches", json={"edgar": {"missing_indexes": ["20261117"]}})
    assert server.get(path).status_code == 403
    server.http.delete("/_sandbox/switches")
    assert server.get(path).status_code == 200


def test_the_quarter_index_is_the_sum_of_its_days(server):
    packed = server.get("/edgar/Archives/edgar/full-index/2026/QTR3/form.gz")
    text = gzip.decompress(packed.content).decode("latin-1")
    assert text == server.get("/edgar/Archives/edgar/full-index/2026/QTR3/form.idx").text
    rows = index_rows(text)
    listing = server.get("/edgar/Archives/edgar/daily-index/2026/QTR3/index.json").json()["directory"]["item"]
    days = [item["name"] for item in listing if item["name"].startswith("form.")]
    assert len(days) == 64
    daily = [
        row for day in days for row in index_rows(server.get(f"/edgar/Archives/edgar/daily-index/2026/QTR3/{day}").text)
    ]
    assert sorted((r[0], r[2], r[3].replace("-", ""), r[4]) for r in rows) == sorted(
        (r[0], r[2], r[3], r[4]) for r in daily
    )
    since = {"If-Modified-Since": packed.headers["last-modified"]}
    assert server.get("/edgar/Archives/edgar/full-index/2026/QTR3/form.gz", headers=since).status_code == 304
    assert server.get("/edgar/Archives/edgar/full-index/2099/QTR1/form.gz").status_code == 403


# -- the feed and the search --------------------------------------------------------------------------------------------


def feed(server: Served, **params) -> list[etree._Element]:
    query = {
        "action": "getcurrent",
        "output": "atom",
        "owner": "include",
        "count": 100,
        "start": 0,
        "type": "",
    } | params
    answer = server.get("/edgar/cgi-bin/browse-edgar", params=query)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/atom+xml"
    assert answer.content.startswith(b'<?xml version="1.0" encoding="ISO-8859-1" ?>')
    return etree.fromstring(answer.content).findall(f"{ATOM}entry")


def test_the_feed_shows_every_party_newest_first(server):
    entries = feed(server)
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


def test_the_type_of_the_feed_is_a_prefix(server):
    terms = {entry.find(f"{ATOM}category").get("term") for entry in feed(server, type="4")}
    assert "424B2" in terms
    assert all(term.startswith("4") for term in terms)
    assert {e.find(f"{ATOM}category").get("term") for e in feed(server, type="4", owner="only")} <= {"4", "4/A"}


def test_pages_of_the_feed_join_and_end_with_503(server):
    everything = [entry.findtext(f"{ATOM}title") for entry in feed(server)]
    paged = [entry.findtext(f"{ATOM}title") for start in (0, 10) for entry in feed(server, start=start, count=10)]
    assert paged == everything[:20]
    end = server.get(
        "/edgar/cgi-bin/browse-edgar", params={"action": "getcurrent", "output": "atom", "count": 100, "start": 5100}
    )
    assert end.status_code == 503
    assert end.headers["content-type"] == "text/html"
    assert "File Unavailable" in end.text


def test_the_feed_is_capped():
    cabinet = Cabinet(World(7, 12, dt.date.fromisoformat(TODAY)))
    now = dt.datetime(2026, 11, 20, 23, tzinfo=dt.UTC)
    assert edgar_lists.current_feed(cabinet, "", "include", edgar_lists.FEED_CAP, 100, now) is None


@pytest.mark.corpus
def test_the_search_has_the_recorded_shape(server):
    answer = server.get(
        "/edgar/LATEST/search-index", params={"q": '"does not exist"', "forms": "10-K", "ciks": "0009900003"}
    )
    theirs = recorded("corpus/efts/1_hit.json", lookalikes.SEARCH)
    assert differences(answer.json() | {"query": None}, theirs | {"query": None}) == []
    hits = answer.json()["hits"]
    assert hits["total"] == {"value": 8, "relation": "eq"}
    assert {hit["_source"]["form"] for hit in hits["hits"]} == {"10-K"}
    assert hits["hits"][0]["_source"]["display_names"] == [
        "Calderquist Devices Inc. (fictional)  (CALDQ)  (CIK 0009900003)"
    ]
    page = {"dateRange": "custom", "startdt": "2026-01-01", "enddt": "2026-06-30", "forms": "424B2"}
    first = server.get("/edgar/LATEST/search-index", params=page).json()["hits"]
    second = server.get("/edgar/LATEST/search-index", params=page | {"from": 100}).json()["hits"]
    assert first["total"]["value"] > 500
    assert len(first["hits"]) == len(second["hits"]) == 100
    assert not {hit["_id"] for hit in first["hits"]} & {hit["_id"] for hit in second["hits"]}
    none = server.get("/edgar/LATEST/search-index", params={"q": "qwertzuiop"}).json()["hits"]
    assert none == {"total": {"value": 0, "relation": "eq"}, "max_score": None, "hits": []}


# -- refusals -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("agent", ["", "python-requests/2.32", "curl/8.5.0", "Mozilla/5.0", "My Company", "me@home"])
@pytest.mark.parametrize(
    "path", ["submissions/CIK0009900003.json", "files/company_tickers.json", "cgi-bin/browse-edgar"]
)
def test_who_does_not_say_who_he_is_is_refused(server, agent, path):
    answer = server.get(f"/edgar/{path}", headers={"User-Agent": agent})
    assert answer.status_code == 403
    assert answer.headers["content-type"] == "text/html"
    assert re.search(r"<title>.*Undeclared Automated Tool</title>", answer.text)


def test_too_many_requests_in_a_second_shut_everybody_out(server):
    server.http.post("/_sandbox/limits", json="real")
    statuses = [server.get("/edgar/include/ticker.txt").status_code for _ in range(14)]
    assert statuses[:10] == [200] * 10
    assert 403 in statuses
    blocked = server.get(f"/edgar/submissions/CIK{CALDQ:010d}.json")
    assert blocked.status_code == 403
    assert re.search(r"<title>.*Request Rate Threshold Exceeded</title>", blocked.text)
    assert "retry-after" not in blocked.headers
    server.http.post("/_sandbox/clock", json={"advance": 599})
    assert server.get("/edgar/include/ticker.txt").status_code == 403  # and this one began the ten minutes anew
    server.http.post("/_sandbox/clock", json={"advance": 599})
    assert server.get("/edgar/include/ticker.txt").status_code == 403
    server.http.post("/_sandbox/clock", json={"advance": 601})
    assert server.get("/edgar/include/ticker.txt").status_code == 200


def test_the_block_page_can_come_with_429(server):
    server.http.post("/_sandbox/switches", json={"edgar": {"block_status": 429}})
    server.fault(provider="edgar", kind="block_page", times=1)
    answer = server.get("/edgar/include/ticker.txt")
    assert answer.status_code == 429
    assert "Request Rate Threshold Exceeded" in answer.text


def test_endpoints_are_counted_by_kind(server):
    row = next(row for row in recent(server) if row["form"] == "10-K")
    server.reset()
    server.get(f"{folder(row)}/{row['primaryDocument']}")
    server.get(f"{folder(row)}/{row['accessionNumber']}.txt")
    server.get(f"{folder(row)}/index.json")
    kinds = server.stats()["providers"]["edgar"]["endpoints"]
    assert {name: meter["requests"] for name, meter in kinds.items()} == {
        "document": 1,
        "full_submission": 1,
        "folder": 1,
    }


@pytest.mark.corpus
def test_errors_are_the_recorded_ones_in_kind(server):
    root = corpus()
    for file, path, title in (
        ("corpus/errors/404_submissions.xml", "submissions/CIK-000000001.json", None),
        ("corpus/errors/403_fullindex_future.xml", "Archives/edgar/full-index/2099/QTR1/form.gz", None),
        ("corpus/errors/403_undeclared_automated_tool.html", "files/company_tickers.json", "Undeclared Automated Tool"),
    ):
        agent = {"User-Agent": "curl/8"} if title else {}
        ours = server.get(f"/edgar/{path}", headers=agent).text
        theirs = lookalikes.ERRORS[file] if root is None else (root / file).read_text(encoding="utf-8")
        if title:
            assert re.search(r"<title>([^<]*)", ours)[1] == re.search(r"<title>([^<]*)", theirs)[1]
        else:
            ours_xml, theirs_xml = etree.fromstring(ours.encode()), etree.fromstring(theirs.encode())
            assert [child.tag for child in ours_xml] == [child.tag for child in theirs_xml]
            for tag in ("Code", "Message", "Key"):
                assert ours_xml.findtext(tag) == theirs_xml.findtext(tag)
