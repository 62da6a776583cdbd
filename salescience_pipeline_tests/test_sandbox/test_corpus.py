"""The corpus world: what is recorded is served byte for byte, what is not is marked, and every file is accounted for.

The rules are tested on a small folder of our own making. The same questions are then put to the recordings that
SALESCIENCE_CORPUS names; without it they are put to the small folder again.
"""

from __future__ import annotations

import csv
import datetime as dt
import hashlib
import json
from collections import Counter
from pathlib import Path

import httpx
import pytest

from salescience_pipeline.identifiers import Accession, Ticker
from salescience_pipeline.sandbox.corpus_files import PLACEHOLDER, BadCorpus, read_corpus
from salescience_pipeline.sandbox.corpus_sgml import envelope, own_name, read_documents, read_header
from salescience_pipeline_tests.test_sandbox.serving import Served, running
from salescience_pipeline_tests.test_sandbox.witness import corpus

COLUMNS = ("path", "kind", "what", "company", "cik", "form", "accession", "filing_date", "period", "sha256")

HEADER = """<SEC-DOCUMENT>{accession}.txt : 20240502
<SEC-HEADER>{accession}.hdr.sgml : 20240502
<ACCEPTANCE-DATETIME>20240502163000
ACCESSION NUMBER:\t\t{accession}
CONFORMED SUBMISSION TYPE:\t{form}
PUBLIC DOCUMENT COUNT:\t\t1
CONFORMED PERIOD OF REPORT:\t20240430
FILED AS OF DATE:\t\t20240502

{parties}
</SEC-HEADER>
"""
FILER = """{role}:

\t{kind} DATA:
\t\tCOMPANY CONFORMED NAME:\t\t\t{name}
\t\tCENTRAL INDEX KEY:\t\t\t{cik:010d}
\t\tSTANDARD INDUSTRIAL CLASSIFICATION:\tMADE UP [1234]
\t\tSTATE OF INCORPORATION:\t\t\tDE
\t\tFISCAL YEAR END:\t\t\t1231
"""
DOCUMENT = "<DOCUMENT>\n<TYPE>{form}\n<SEQUENCE>1\n{name}<DESCRIPTION>X\n<TEXT>\n{body}\n</TEXT>\n</DOCUMENT>\n"
FORM_4 = (
    "<?xml version='1.0'?><ownershipDocument><documentType>4</documentType><periodOfReport>2024-03-01</periodOfReport>"
    "<issuer><issuerCik>0000000101</issuerCik><issuerName>Alpha (invented)</issuerName></issuer><reportingOwner>"
    "<rptOwnerCik>0000000901</rptOwnerCik><rptOwnerName>Owner One</rptOwnerName></reportingOwner>{}</ownershipDocument>"
)


def submission(accession: str, form: str, body: str, parties: str, name: str = "") -> str:
    """A complete submission with one document; without ``name`` as in the nineties."""
    named = f"<FILENAME>{name}\n" if name else ""
    document = DOCUMENT.format(form=form, name=named, body=body)
    return HEADER.format(accession=accession, form=form, parties=parties) + document + "</SEC-DOCUMENT>\n"


def filer(cik: int, name: str, role: str = "FILER", kind: str = "COMPANY") -> str:
    return FILER.format(cik=cik, name=name, role=role, kind=kind)


def columnar(*rows: tuple[str, str, str, str, str]) -> dict:
    names = ("accessionNumber", "form", "filingDate", "reportDate", "primaryDocument")
    return {name: [row[n] for row in rows] for n, name in enumerate(names)}


def lookalike(root: Path) -> Path:
    """A folder of recordings in the layout of the real one, all invented."""
    rows: list[dict[str, str]] = []

    def put(path: str, content: str, **known: str) -> None:
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content, encoding="utf-8")
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        rows.append(dict.fromkeys(COLUMNS, "") | {"path": path, "kind": "filing", "sha256": digest} | known)

    alpha = columnar(
        ("0000000101-24-000001", "10-K", "2024-02-01", "2023-12-31", "alpha-20231231.htm"),
        ("0000000101-24-000002", "4", "2024-03-03", "2024-03-01", "xslF345X05/form4.xml"),
    )
    older = columnar(("0000000101-99-000001", "8-K", "1999-05-01", "1999-04-30", ""))
    files = [{"name": "CIK0000000101-submissions-001.json", "filingCount": 1, "filingFrom": "", "filingTo": ""}]
    answer = {"cik": "0000000101", "name": "Alpha (invented)", "filings": {"recent": alpha, "files": files}}
    put("corpus/submissions/CIK0000000101.json", json.dumps(answer), cik="101")
    put("corpus/submissions/CIK0000000101.later.json", json.dumps(answer | {"phone": "later"}), cik="101")
    put("corpus/submissions/CIK0000000101-submissions-001.json", json.dumps(older), cik="101")
    put("corpus/companyfacts/BETA_facts.json", json.dumps({"cik": "0000000202", "entityName": "Beta", "facts": {}}))
    put("corpus/tickers/company_tickers.json", '{"0":{"cik_str":101,"ticker":"ALPH-A","title":"Alpha"}}')
    exchange = {"fields": ["cik", "name", "ticker", "exchange"], "data": [[101, "Alpha", "ALPH-A", "NYSE"]]}
    put("corpus/tickers/company_tickers_exchange.json", json.dumps(exchange, separators=(",", ":")))
    put("corpus/errors/404_submissions.xml", "<Error><Code>NoSuchKey</Code><Message>recorded</Message></Error>")
    # A document whose accession the recorded list knows: it is served under the list's name.
    put("corpus/filings/10-K/ALPHA.htm", "<html>Alpha 10-K</html>", cik="101", form="10-K",
        accession="0000000101-24-000001", filing_date="2024-02-01")  # fmt: skip
    # An ownership form without an accession, whose form and date fit one row of the list.
    put("corpus/ownership/alpha4.xml", FORM_4.format(""), cik="101", form="4")
    # Another one of the same company that fits none.
    put("corpus/ownership/stray.xml", FORM_4.format("").replace("03-01", "06-06"), cik="101", form="4")
    # Of a company without a recorded list: with accession, without, and the same bytes once more.
    gamma = "<html><head><title>gam-20240331</title></head><body>Gamma 10-Q</body></html>"
    put("corpus/filings/10-Q/GAMMA_0000000303-24-000007.htm", gamma, cik="303", form="10-Q", company="Gamma",
        accession="0000000303-24-000007", filing_date="2024", period="2024-03-31")  # fmt: skip
    put("groundtruth/html_old/copy.htm", gamma, cik="303", form="10-Q", accession="0000000303-24-000007")
    put("corpus/filings/8-K/GAMMA_event.html", "<html>Gamma 8-K</html>", cik="303", form="8-K", period="2023-12-14")
    # Complete submissions: a modern one with two parties, and an old one without file names.
    parties = filer(902, "Owner Two", "REPORTING-OWNER", "OWNER") + filer(404, "Delta (invented)", "ISSUER")
    modern = submission("0000000404-24-000009", "4", "<XML>\n<a/>\n</XML>", parties, "form4.xml")
    put("corpus/full_submission/4_0000000404-24-000009.txt", modern, form="4", accession="0000000404-24-000009")
    old = submission("0000000505-95-000003", "8-K", "plain words", filer(505, "Epsilon (invented)"))
    put("corpus/full_submission/8-K_0000000505-95-000003.txt", old)
    # Nobody knows whose these are.
    put("corpus/filings/6-K/unknown.htm", "<html>?</html>", form="6-K")
    put("corpus/efts/0_hits.json", '{"hits": {"hits": []}}')
    put("samples/sec/form4.xml", FORM_4.format("<!-- sample -->"), cik="101", form="4")
    with (root / "MANIFEST.csv").open("w", encoding="utf-8", newline="") as lines:
        writer = csv.DictWriter(lines, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    return root


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> Path:
    return lookalike(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="module")
def server(small):
    with running("--providers", "edgar", "--corpus", str(small)) as served:
        yield served


@pytest.fixture(scope="module")
def recordings(small):
    """A server over the recordings, or over the small folder where there are none, and its folder."""
    folder = corpus() or small
    with running("--providers", "edgar", "--corpus", str(folder)) as served:
        yield served, folder


# -- the rules, on the small folder -------------------------------------------------------------------------------------


def test_every_file_is_served_or_left_out_for_a_reason(small):
    files = {file.path: file for file in read_corpus(small).files}
    assert len(files) == sum(1 for _ in small.rglob("*") if _.is_file()) - 1
    served = {path for path, file in files.items() if file.left_out is None}
    assert served == {
        "corpus/submissions/CIK0000000101.json", "corpus/submissions/CIK0000000101.later.json",
        "corpus/submissions/CIK0000000101-submissions-001.json", "corpus/companyfacts/BETA_facts.json",
        "corpus/filings/10-K/ALPHA.htm", "corpus/ownership/alpha4.xml",
        "corpus/filings/10-Q/GAMMA_0000000303-24-000007.htm", "corpus/filings/8-K/GAMMA_event.html",
        "corpus/full_submission/4_0000000404-24-000009.txt", "corpus/full_submission/8-K_0000000505-95-000003.txt",
    }  # fmt: skip
    reasons = {path: file.left_out for path, file in files.items() if file.left_out}
    assert "form and date" in reasons["corpus/ownership/stray.xml"]
    assert "the same bytes as corpus/filings/10-Q/GAMMA" in reasons["groundtruth/html_old/copy.htm"]
    assert "names the filer's CIK" in reasons["corpus/filings/6-K/unknown.htm"]
    assert "not a filing" in reasons["corpus/efts/0_hits.json"]
    assert "sample" in reasons["samples/sec/form4.xml"]


def test_a_recorded_list_is_never_edited_and_names_its_documents(server: Served, small):
    answer = server.get("/edgar/submissions/CIK0000000101.json")
    assert answer.content == (small / "corpus/submissions/CIK0000000101.json").read_bytes()
    assert "x-sandbox-synthetic" not in answer.headers
    page = server.get("/edgar/Archives/edgar/data/101/000000010124000001/alpha-20231231.htm")
    assert page.text == "<html>Alpha 10-K</html>"
    # The form without an accession found its row, and the raw XML its name.
    found = server.get("/edgar/Archives/edgar/data/101/000000010124000002/form4.xml")
    assert found.content == (small / "corpus/ownership/alpha4.xml").read_bytes()


def test_later_snapshots_come_on_demand(server: Served, small):
    assert server.http.post("/_sandbox/corpus", json={"later": True}).json() == {"later": True}
    later = server.get("/edgar/submissions/CIK0000000101.json").content
    assert later == (small / "corpus/submissions/CIK0000000101.later.json").read_bytes()
    assert server.http.post("/_sandbox/corpus", json={"later": "yes"}).status_code == 400
    assert server.http.post("/_sandbox/corpus", json={"later": False}).json() == {"later": False}
    assert server.get("/edgar/submissions/CIK0000000101.json").content != later


def test_a_company_without_a_recorded_list_gets_one_that_says_so(server: Served):
    answer = server.get("/edgar/submissions/CIK0000000303.json")
    assert answer.headers["x-sandbox-synthetic"] == "submissions, accession"
    rows = answer.json()["filings"]["recent"]
    assert dict(zip(rows["form"], rows["primaryDocument"], strict=True)) == {
        "10-Q": "gam-20240331.htm",
        "8-K": "GAMMA_event.html",
    }
    # Of a date of which only the year is known, the earliest possible day is given: the end of the period.
    assert dict(zip(rows["form"], rows["filingDate"], strict=True)) == {"10-Q": "2024-03-31", "8-K": "2023-12-14"}
    made = next(a for a, form in zip(rows["accessionNumber"], rows["form"], strict=True) if form == "8-K")
    assert made.startswith(PLACEHOLDER)
    assert Accession(made) == made
    folder = made.replace("-", "")
    assert server.get(f"/edgar/Archives/edgar/data/303/{folder}/GAMMA_event.html").text == "<html>Gamma 8-K</html>"


def test_complete_submissions_are_found_under_every_party(server: Served, small):
    whole = (small / "corpus/full_submission/4_0000000404-24-000009.txt").read_bytes()
    for cik in (404, 902):
        rows = server.get(f"/edgar/submissions/CIK{cik:010d}.json").json()["filings"]["recent"]
        assert rows["primaryDocument"] == ["form4.xml"]
        assert rows["acceptanceDateTime"] == ["2024-05-02T20:30:00.000Z"]
        base = f"/edgar/Archives/edgar/data/{cik}/000000040424000009"
        assert server.get(f"{base}/0000000404-24-000009.txt").content == whole
        assert server.get(f"{base}/form4.xml").text.strip() == "<a/>"
        names = [item["name"] for item in server.get(f"{base}/index.json").json()["directory"]["item"]]
        assert names == ["0000000404-24-000009.txt", "form4.xml"]
    assert server.get("/edgar/Archives/edgar/data/303/000000040424000009/form4.xml").status_code == 404
    old = server.get("/edgar/submissions/CIK0000000505.json").json()["filings"]["recent"]
    assert old["primaryDocument"] == ["0000000505-95-000003.txt"]


def test_everybody_has_a_ticker(server: Served):
    told = server.get("/_sandbox/world").json()
    assert told["world"] == "corpus"
    tickers = {company["cik"]: company["ticker"] for company in told["companies"]}
    assert tickers[101] == "ALPH.A"
    assert tickers[303] == "CIK303"
    assert told["watchlist"] == [company["ticker"] for company in told["companies"]]
    assert [Ticker(ticker) for ticker in told["watchlist"]] == told["watchlist"]
    for name, listed in (
        ("company_tickers_exchange.json", lambda body: {row[2]: row[0] for row in body["data"]}),
        ("company_tickers.json", lambda body: {row["ticker"]: row["cik_str"] for row in body.values()}),
    ):
        answer = server.get(f"/edgar/files/{name}")
        assert answer.headers["x-sandbox-synthetic"] == f"rows={len(tickers) - 1}"
        assert listed(answer.json()) == {t.replace("ALPH.A", "ALPH-A"): cik for cik, t in tickers.items()}


def test_recorded_errors_are_used(server: Served):
    missing = server.get("/edgar/submissions/CIK0000000999.json")
    assert missing.status_code == 404
    assert "recorded" in missing.text
    assert server.get("/edgar/api/xbrl/companyfacts/CIK0000000202.json").json()["entityName"] == "Beta"
    empty = server.get("/edgar/submissions/CIK0000000202.json")
    assert empty.headers["x-sandbox-synthetic"] == "submissions"
    assert empty.json()["filings"]["recent"]["form"] == []
    assert server.get("/edgar/cgi-bin/browse-edgar?action=getcurrent&output=atom&count=100").status_code == 503


def test_a_folder_that_is_no_corpus_is_refused(tmp_path):
    with pytest.raises(BadCorpus, match=r"no MANIFEST\.csv"):
        read_corpus(tmp_path)
    (tmp_path / "MANIFEST.csv").write_text("path,kind\na,b\n")
    with pytest.raises(BadCorpus, match="lacks the columns accession, cik"):
        read_corpus(tmp_path)


def test_headers_are_read_in_both_spellings():
    readable = read_header(submission("0000000404-24-000009", "4", "x", filer(404, "Delta (invented)")).encode())
    tagged = read_header(
        b"<SUBMISSION>\n<ACCESSION-NUMBER>0000000404-24-000009<TYPE>4<PERIOD>20240430<FILING-DATE>20240502<FILER>"
        b"<COMPANY-DATA><CONFORMED-NAME>Delta (invented)<CIK>0000000404<ASSIGNED-SIC>1234<STATE-OF-INCORPORATION>DE"
        b"<FISCAL-YEAR-END>1231</COMPANY-DATA></FILER>"
    )
    assert readable.accession == tagged.accession
    assert (readable.form, readable.filed, readable.period) == (tagged.form, tagged.filed, tagged.period)
    assert readable.parties == tagged.parties
    assert read_header(b"<html>no header</html>") is None


def test_binary_documents_are_decoded():
    data = submission(
        "0000000404-24-000009", "8-K", "begin 644 x.jpg\n#0V%T\n`\nend", filer(404, "D"), "x.jpg"
    ).encode()
    (document,) = read_documents(data)
    assert (document.filename, document.content) == ("x.jpg", b"Cat")


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"<DOCUMENT>\n<TYPE>8-K\n<FILENAME>d8k.htm\n<TEXT>", "d8k.htm"),
        (b"<html><head><title>gam-20240331</title>", "gam-20240331.htm"),
        (b"<html><head><title>Form 10-K</title>", None),
        (b"no markup", None),
    ],
)
def test_a_document_may_know_its_own_name(head, name):
    assert own_name(head) == name


# -- the recordings -----------------------------------------------------------------------------------------------------


def client_path(http: httpx.Client, company: dict) -> dict[tuple[str, str], str]:
    """(accession, URL) of everything that the way ticker -> submissions -> document leads to, with the form."""
    found = {}
    answer = http.get(f"/edgar/submissions/CIK{company['cik']:010d}.json")
    assert answer.status_code == 200, company
    body = answer.json()
    pages = [body["filings"]["recent"]]
    for file in body["filings"]["files"]:
        page = http.get(f"/edgar/submissions/{file['name']}")
        if page.status_code == 200:
            pages.append(page.json())
    for page in pages:
        for accession, form, primary in zip(
            page["accessionNumber"], page["form"], page["primaryDocument"], strict=True
        ):
            name = primary.rpartition("/")[2] or f"{accession}.txt"
            folder = accession.replace("-", "")
            found[accession, f"/Archives/edgar/data/{company['cik']}/{folder}/{name}"] = form
    return found


@pytest.mark.corpus
def test_the_count_in_is_the_count_out(recordings):
    server, folder = recordings
    told = server.get("/_sandbox/world").json()
    manifest = server.get("/_sandbox/corpus/manifest").json()
    listed = server.get("/edgar/files/company_tickers_exchange.json").json()["data"]
    assert {(row[2].replace("-", "."), row[0]) for row in listed} >= {
        (company["ticker"].replace("-", "."), company["cik"]) for company in told["companies"]
    }
    reached = {}
    for company in told["companies"]:
        reached |= client_path(server.http, company)
    urls = {url for _, url in reached}
    kept = [file for file in manifest["files"] if file["left_out"] is None]
    for file in kept:
        recorded = (folder / file["path"]).read_bytes()
        if file["kind"] != "later_submission":
            body = server.get(f"/edgar{file['url']}")
            assert body.status_code == 200, file
            assert body.content == recorded, file
        if file["kind"] in {"filing", "ownership", "full_submission"}:
            assert file["main_url"] in urls, file
            assert server.get(f"/edgar{file['main_url']}").status_code == 200
    # Whoever has a CIK in the manifest lands, except copies, stray exhibits, files beside a filing and what no list leads to.
    left_out = [file for file in manifest["files"] if file["left_out"]]
    assert len(kept) + len(left_out) == len(manifest["files"])
    filings = [file for file in left_out if file["kind"] in {"filing", "ownership", "full_submission"} and file["cik"]]
    allowed = ("the same bytes", "an exhibit", "no row of the recorded submissions")
    reasons = Counter(
        next((text for text in allowed if file["left_out"].startswith(text)), "other") for file in filings
    )
    assert reasons["other"] == 0
    if corpus() is not None:
        assert Counter(file["kind"] for file in kept) == {
            "filing": 281, "full_submission": 11, "ownership": 4, "submission": 14, "later_submission": 2, "companyfacts": 3,
            "exhibit": 1,
        }  # fmt: skip
        assert reasons == {"the same bytes": 25, "no row of the recorded submissions": 1}


@pytest.mark.corpus
def test_accessions_of_the_recordings_are_unique_and_valid(recordings):
    server, _ = recordings
    files = server.get("/_sandbox/corpus/manifest").json()["files"]
    main = [f for f in files if f["left_out"] is None and f["kind"] in {"filing", "ownership", "full_submission"}]
    assert len({file["accession"] for file in main}) == len(main)
    for file in main:
        assert Accession(file["accession"]) == file["accession"]
        assert file["synthetic_accession"] is file["accession"].startswith(PLACEHOLDER)


def test_a_submission_made_around_recordings_keeps_every_byte_and_the_marks_that_were_recorded() -> None:
    main, marked = (
        b"<html>main</html>",
        b"<DOCUMENT>\n<TYPE>EX-99.1\n<FILENAME>own.htm\n<TEXT>\n<p>x</p>\n</TEXT>\n</DOCUMENT>",
    )
    day = dt.date(2026, 2, 3)
    made = envelope("0000000303-26-000001", "8-K", day, [("8-K", "a.htm", main), ("EX-99.1", "b.htm", marked)])
    assert made is not None
    parts = {document.filename: (document.type, document.content) for document in read_documents(made)}
    assert parts == {"a.htm": ("8-K", main), "own.htm": ("EX-99.1", b"<p>x</p>\n")}
    assert envelope("0000000303-26-000001", "8-K", day, []) is None
    assert envelope("0000000303-26-000001", "8-K", day, [("8-K", "a.htm", b"a</TEXT>b")]) is None
