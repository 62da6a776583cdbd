"""Documents from the archive to rows: what is read, what is not read again, and what a document can do to the others."""

from __future__ import annotations

import datetime as dt
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import pyarrow as pa
import pytest

from salescience_pipeline.acquisition.document_backends import LocalBackend, ReductoBackend, backend_of
from salescience_pipeline.acquisition.document_rows import DOCUMENTS, PARTS, Outcome, StoredDocument, rows_of
from salescience_pipeline.acquisition.document_worker import Budget, DocumentWorker
from salescience_pipeline.acquisition.processing import process
from salescience_pipeline.acquisition.sandbox_process import Sandbox
from salescience_pipeline.acquisition.services import SelectionError, Services
from salescience_pipeline.catalog.tables import TABLES
from salescience_pipeline.clients.model import Answer, AnswerClass, Attempt, Body, PlannedRequest, Subject
from salescience_pipeline.clients.reducto import Polling, Reducto, Sender
from salescience_pipeline.clients.reducto_bell import Bell
from salescience_pipeline.clients.reducto_errors import JobErrorName, JobInterrupted, JobRejected
from salescience_pipeline.documents import Hints, parse
from salescience_pipeline.identifiers import RequestId, parse_tickers
from salescience_pipeline.lake.checking import checked
from salescience_pipeline.settings import Settings
from salescience_pipeline_tests.test_acquisition.runs import content, run, select

NOW = dt.datetime(2026, 6, 15, 16, tzinfo=dt.UTC)
TICKER = parse_tickers(["ALDRN"])
GOOD = b"""<html><body><p><b>EXAMPLE CORPORATION</b></p><p>Form 8-K</p>
<p><b>Item 8.01 Other Events.</b></p><p>Something happened, and this paragraph says what it was.</p>
<table><tr><td>(in millions)</td><td>2025</td></tr><tr><td>Revenue</td><td>$</td><td>1,234</td></tr></table>
<p><b>Item 9.01 Financial Statements and Exhibits.</b></p><p>None &#xD800; here.</p></body></html>"""
SPINS = "import time\nwhile True: pass"
"""A child that never answers, in place of the worker."""


def stored(
    data: bytes, filename: str = "a.htm", form: str = "8-K", accession: str = "0009900001-26-000001"
) -> StoredDocument:
    digest = hashlib.sha256(data).hexdigest()
    return StoredDocument(accession, filename, "0009900001", form, None, digest, len(data), NOW, "test")


@pytest.fixture
def worker() -> Iterator[DocumentWorker]:
    made = DocumentWorker(Budget(cpu_seconds=20, wall_seconds=60))
    yield made
    made.close()


def listed(rows: dict[str, pa.Table]) -> dict:
    (row,) = rows[DOCUMENTS].to_pylist()
    return row


# -- rows -------------------------------------------------------------------------------------------------------------


def test_every_row_of_a_document_fits_the_catalogue_and_leads_to_its_bytes() -> None:
    rows = rows_of(parse(GOOD, Hints(form="8-K")), stored(GOOD), Outcome())
    for name, table in rows.items():
        checked(TABLES[name], table)
    sections = rows["doc_salescience__sections"].to_pylist()
    assert [row["item"] for row in sections] == ["8.01", "9.01"]
    assert "Something happened" in sections[0]["text"]
    assert GOOD[sections[0]["src_start"] : sections[0]["src_end"]].count(b"Something happened") == 1
    cells = rows["doc_salescience__cells"].to_pylist()
    assert 1234.0 in [cell["shown_value"] for cell in cells]
    tables = rows["doc_salescience__tables"].to_pylist()
    assert [table["multiplier"] for table in tables] == [1_000_000]
    row = listed(rows)
    assert row["section_count"] == 2
    assert row["status"] == "complete"
    blocks = rows["doc_salescience__blocks"].to_pylist()
    assert {block["section_no"] for block in blocks} == {None, 0, 1}
    chunks = rows["doc_salescience__chunks"].to_pylist()
    assert next(chunk["first_block"] for chunk in chunks) == 0


ANNUAL = b"""<html><body><p>FORM 10-K</p><p>For the fiscal year ended June 30, 1999</p>
<p><b>Item 1A. Risk Factors</b></p><p><b><i>We depend on few suppliers and cannot replace them quickly.</i></b></p>
<p>There are two, and one of them charged $1.2 million more on March 3, 1999.</p>
<p><b>Item 8. Financial Statements</b></p><p>(in thousands)</p><table><tr><td></td><td>1998</td><td>1999</td></tr>
<tr><td>Net revenues</td><td>77,571</td><td>116,870</td></tr><tr><td>Gross profit</td><td>63,571</td><td>94,870</td></tr>
<tr><td>Operating income</td><td>20,000</td><td>30,500</td></tr><tr><td>Net income</td><td>13,954</td><td>21,337</td></tr>
</table><p>/s/ ADA QUILL</p><p>Ada Quill, Chief Executive Officer</p></body></html>"""


def test_what_a_report_says_about_the_world_becomes_rows() -> None:
    rows = rows_of(parse(ANNUAL, Hints(form="10-K")), stored(ANNUAL, form="10-K"), Outcome())
    for name, table in rows.items():
        checked(TABLES[name], table)
    parts = {name.removeprefix("doc_salescience__"): table.to_pylist() for name, table in rows.items()}
    entities = {row["entity_no"]: row for row in parts["entities"]}
    assert {"company:0009900001", "person:ada quill", "money:1 2 million"} <= {
        e["entity_key"] for e in entities.values()
    }
    (officer,) = parts["relations"]
    assert (entities[officer["subject_no"]]["canonical_name"], officer["predicate"]) == ("Ada Quill", "officer_of")
    assert entities[officer["object_no"]]["entity_cik"] == "0009900001"
    blocks = {row["block_no"]: row["text"] for row in parts["blocks"]}
    amounts = [m for m in parts["mentions"] if entities[m["entity_no"]]["entity_kind"] in ("money", "date")]
    assert {blocks[m["block_no"]][m["char_start"] : m["char_end"]] for m in amounts} >= {
        "$1.2 million",
        "March 3, 1999",
    }
    (risk,) = parts["risk_factors"]
    assert risk["title"].startswith("We depend on few suppliers")
    assert ANNUAL[risk["src_start"] : risk["src_end"]].count(b"There are two") == 1
    values = {(row["schema_name"], row["json_path"]): row for row in parts["extractions"]}
    revenue = values["income_statement", "$.revenue"]
    assert revenue["value_json"] == "116870000"
    assert ANNUAL[revenue["src_start"] : revenue["src_end"]].count(b"116,870") == 1
    events = rows_of(parse(GOOD, Hints(form="8-K")), stored(GOOD), Outcome())["doc_salescience__events"].to_pylist()
    assert (events[0]["item"], events[0]["title"]) == ("8.01", "Other Events")
    assert not parts["events"]


@pytest.mark.corpus
def test_recorded_filings_become_rows_of_the_catalogue(tmp_path: Path) -> None:
    root = os.environ.get("SALESCIENCE_CORPUS")
    found = sorted(Path(root, "corpus", "filings").rglob("*.htm"))[:12] if root else []
    samples = [path.read_bytes() for path in found] or [GOOD]
    for data in samples:
        rows = rows_of(parse(data), stored(data), Outcome())
        for name, table in rows.items():
            checked(TABLES[name], table)
        facts = rows["doc_salescience__facts"]
        assert facts.num_rows == listed(rows)["fact_count"]


# -- the worker -------------------------------------------------------------------------------------------------------


def test_a_worker_reads_one_document_after_the_other_and_refuses_by_name(worker: DocumentWorker) -> None:
    first = worker.read(GOOD, stored(GOOD))
    pid = worker.pid
    for data, name in ((b"  ", "DOCUMENT_EMPTY"), (b"%PDF-1.7 x", "DOCUMENT_UNSUPPORTED")):
        refused = worker.read(data, stored(data))
        assert listed(refused)["error_name"] == name
        assert listed(refused)["reason"]
        assert all(refused[part].num_rows == 0 for part in PARTS)
    again = worker.read(GOOD, stored(GOOD))
    assert worker.pid == pid
    assert again["doc_salescience__blocks"].equals(first["doc_salescience__blocks"])


_ROOT = (
    b'<html xmlns="http://www.w3.org/1999/xhtml" xmlns:ix="http://www.xbrl.org/2013/inlineXBRL" '
    b'xmlns:xbrli="http://www.xbrl.org/2003/instance" xmlns:us-gaap="http://fasb.org/us-gaap/2025" '
    b'xmlns:iso4217="http://www.xbrl.org/2003/iso4217"><body>'
)
CONTEXTS = (
    _ROOT + b'<div style="display:none"><ix:header><ix:resources><xbrli:context id="c1"><xbrli:entity>'
    b'<xbrli:identifier scheme="http://www.sec.gov/CIK">0009900001</xbrli:identifier></xbrli:entity><xbrli:period>'
    b'<xbrli:instant>2025-12-31</xbrli:instant></xbrli:period></xbrli:context><xbrli:unit id="usd"><xbrli:measure>'
    b"iso4217:USD</xbrli:measure></xbrli:unit></ix:resources></ix:header></div><p>The report stands in the exhibit. Cash was "
    b'<ix:nonFraction name="us-gaap:Cash" contextRef="c1" unitRef="usd" decimals="0">7</ix:nonFraction>.</p></body></html>'
)
ELSEWHERE = (
    _ROOT + b'<p>Assets were <ix:nonFraction name="us-gaap:Assets" contextRef="c1" unitRef="usd" decimals="0">'
    b"1234</ix:nonFraction> at the end of the year.</p></body></html>"
)
"""An annual report incorporated by reference (EX-13): its contexts stand in the main document, as filers do it."""


def test_documents_of_one_inline_set_are_read_together(worker: DocumentWorker) -> None:
    facts = "doc_salescience__facts"
    alone = worker.read(ELSEWHERE, stored(ELSEWHERE, "ex13.htm", "10-K"))
    assert (alone[facts].num_rows, listed(alone)["fact_problem_count"]) == (0, 1)
    rows = worker.read(ELSEWHERE, stored(ELSEWHERE, "ex13.htm", "10-K"), [CONTEXTS, b"%PDF-1.7 not of the set"])
    (fact,) = rows[facts].to_pylist()
    assert (fact["concept"], fact["value"], fact["unit"], fact["entity"]) == ("Assets", 1234.0, "USD", "0009900001")
    assert ELSEWHERE[fact["src_start"] : fact["src_end"]].count(b"1234") == 1
    assert listed(rows)["fact_problem_count"] == 0
    # Each document has its own facts, and those of the others are not told twice.
    main = worker.read(CONTEXTS, stored(CONTEXTS, "main.htm", "10-K"), [ELSEWHERE])
    assert [row["concept"] for row in main[facts].to_pylist()] == ["Cash"]


def test_a_worker_that_is_killed_takes_only_its_own_document_along(worker: DocumentWorker) -> None:
    worker.read(GOOD, stored(GOOD))
    assert worker.pid is not None
    os.kill(worker.pid, 9)
    lost = worker.read(GOOD, stored(GOOD))
    assert listed(lost)["error_name"] in {"INTERNAL_ERROR", None}
    assert listed(worker.read(GOOD, stored(GOOD)))["status"] == "complete"


def test_a_document_that_takes_too_long_is_ended_by_the_owners_clock() -> None:
    import sys

    hanging = DocumentWorker(Budget(wall_seconds=0.5), command=(sys.executable, "-c", SPINS))
    row = listed(hanging.read(GOOD, stored(GOOD)))
    assert row["error_name"] == "TIMEOUT"
    assert "0.5 s" in row["reason"]
    assert hanging.pid is None


def test_a_document_that_takes_too_much_processor_time_is_a_timeout() -> None:
    data = b"<html><body>" + b"<p>word <b>bold</b></p>" * 60_000 + b"</body></html>"
    slow = DocumentWorker(Budget(cpu_seconds=0.05))
    try:
        row = listed(slow.read(data, stored(data)))
        assert (row["status"], row["error_name"]) == ("failed", "TIMEOUT")
        assert listed(slow.read(GOOD, stored(GOOD)))["accession"] == "0009900001-26-000001"
    finally:
        slow.close()


def test_a_document_that_takes_too_much_memory_is_too_large() -> None:
    data = b"<html><body>" + b"<p>some words of text</p>" * 400_000 + b"</body></html>"
    small = DocumentWorker(Budget(memory_bytes=150_000_000))
    try:
        row = listed(small.read(data, stored(data)))
        assert row["error_name"] in {"DOCUMENT_TOO_LARGE", "PROCESSING_FAILED"}
    finally:
        small.close()


# -- processing -------------------------------------------------------------------------------------------------------


@pytest.fixture
def fetched(services: Services) -> Services:
    for name in ("core_sec__company_tickers", "core_sec__filings_history", "core_sec__documents"):
        run(services, select(name, TICKER, n_years=1))
    return services


def put(services: Services, data: bytes, filename: str) -> None:
    """An adversarial document among the stored ones of the company."""
    body = Body(data)
    subject = Subject(filename)
    request = PlannedRequest("sec", "document", "www", f"/Archives/x/{filename}", subject, expect="any")
    services.archive.put(
        Attempt(RequestId.new(), request, AnswerClass.OK, 1, NOW, 1.0, 200, {}, body, None, True), "t", None
    )
    rows = services.tables.read("core_sec__documents")
    row = rows.slice(0, 1).to_pylist()[0] | {
        "accession": "0009999999-26-000009", "filename": filename, "sha256": body.sha256, "bytes": len(data),
        "raw_sha256": body.sha256,
    }  # fmt: skip
    services.tables.write("core_sec__documents", pa.Table.from_pylist([row], rows.schema))


def test_documents_are_read_once_and_again_only_when_something_changed(fetched: Services) -> None:
    first = process(fetched, TICKER, run_id="one")
    assert first.read == first.stored > 0
    assert not first.failures
    assert first.found["sections"] > 0
    assert first.found["facts"] > 0
    before = {name: content(fetched, name) for name in (DOCUMENTS, *PARTS)}
    versions = {name: fetched.tables.version(name) for name in (DOCUMENTS, *PARTS)}
    second = process(fetched, TICKER, run_id="two")
    assert (second.read, second.current) == (0, second.stored)
    assert {name: fetched.tables.version(name) for name in versions} == versions
    # A row of an older version of the engine is read again, with the others of its filing.
    rows = fetched.tables.read(DOCUMENTS).to_pylist()
    rows[0]["parser_version"] = "older"
    fetched.tables.write(DOCUMENTS, pa.Table.from_pylist(rows, TABLES[DOCUMENTS].schema))
    again = [row for row in rows if row["accession"] == rows[0]["accession"]]
    assert process(fetched, TICKER, run_id="three").read == len(again) < len(rows)
    after = {name: content(fetched, name) for name in PARTS}
    assert after == {name: before[name] for name in PARTS}
    states = fetched.ledger.completeness.states(DOCUMENTS, partitions=["ALDRN"])
    assert {state.status for state in states} == {"complete"}
    with pytest.raises(SelectionError):
        process(fetched, (), run_id="four")


def test_one_adversarial_document_never_stops_the_others(fetched: Services) -> None:
    put(fetched, b"%PDF-1.4 not a filing", "evil.htm")
    done = process(fetched, TICKER, run_id="one")
    assert done.read == done.stored - 1
    assert [(document.filename, name) for document, name, _ in done.refused] == [("evil.htm", "DOCUMENT_UNSUPPORTED")]
    assert not done.failures
    (state,) = fetched.ledger.completeness.states(DOCUMENTS, subjects=["0009999999-26-000009"])
    assert state.status == "failed"
    assert "DOCUMENT_UNSUPPORTED" in (state.reason or "")
    # Its bytes will not change: it is not tried again.
    assert process(fetched, TICKER, run_id="two").current == done.stored


# -- Reducto ----------------------------------------------------------------------------------------------------------


def switched(sandbox: Sandbox, **switches: object) -> None:
    sandbox.post("/_sandbox/switches", {"reducto": switches})


@pytest.fixture
def emulated(sandbox: Sandbox) -> Iterator[Sandbox]:
    yield sandbox
    switched(sandbox, job_seconds=0, fail_with=None, url_above=6_000_000)


def test_the_settings_choose_the_backend_and_the_rows_keep_their_shape(
    services: Services, emulated: Sandbox, worker: DocumentWorker
) -> None:
    assert isinstance(backend_of(services, "r"), LocalBackend)
    switched(emulated, url_above=100)
    client = Reducto(services.transport("r"))
    rows = ReductoBackend(client).read(worker, GOOD, stored(GOOD))
    for name, table in rows.items():
        checked(TABLES[name], table)
    row = listed(rows)
    assert (row["backend"], row["status"]) == ("reducto", "complete")
    assert row["job_id"]
    assert client.credits == row["credits"] == 0.5
    assert row["section_count"] == 2
    assert row["block_count"] == rows["doc_salescience__blocks"].num_rows > 0
    # What the engine read beside keeps its bytes, and points at no block of another backend.
    events = rows["doc_salescience__events"].to_pylist()
    assert [event["item"] for event in events] == ["8.01", "9.01"]
    assert {event["block_no"] for event in events} == {None}
    chosen = services.settings.model_copy(update={"documents_backend": "reducto"})
    assert backend_of(Services.open(chosen), "r").name == "reducto"


@pytest.mark.parametrize("name", ["QUEUE_FULL", "DOCUMENT_CORRUPT", "A_NAME_OF_NEXT_YEAR"])
def test_a_failed_job_is_an_error_of_its_name(services: Services, emulated: Sandbox, name: str) -> None:
    switched(emulated, fail_with=name)
    client = Reducto(services.transport("r"))
    with pytest.raises(JobInterrupted if name == "QUEUE_FULL" else JobRejected) as failed:
        client.parse(GOOD, filename="a.htm")
    assert failed.value.name == name
    assert failed.value.kind is JobErrorName.__members__.get(name, JobErrorName.UNKNOWN)
    assert failed.value.job_id


def test_a_job_that_does_not_end_is_given_up(services: Services, emulated: Sandbox) -> None:
    switched(emulated, job_seconds=3600)
    waited: list[float] = []
    client = Reducto(
        services.transport("r"), polling=Polling(patience=20), clock=lambda: sum(waited), sleep=waited.append
    )
    with pytest.raises(JobInterrupted, match="20 seconds") as failed:
        client.parse(GOOD, filename="a.htm")
    assert failed.value.name == "TIMEOUT"
    assert waited == sorted(waited)


class Watched:
    """A transport that remembers what was asked of it."""

    def __init__(self, sender: Sender) -> None:
        self.sender, self.asked = sender, list[str]()

    def send(self, request: PlannedRequest) -> Answer:
        self.asked.append(request.endpoint)
        return self.sender.send(request)


def test_a_job_that_rings_is_not_polled(services: Services, emulated: Sandbox) -> None:
    switched(emulated, job_seconds=0.4)
    watched = Watched(services.transport("r"))
    with Bell() as bell:
        # Without the bell the second look would come after an hour.
        client = Reducto(watched, polling=Polling(first=3600, longest=3600, patience=7200), bell=bell)
        answer = client.parse(GOOD, filename="a.htm")
    assert answer["result"]["chunks"]
    assert watched.asked == ["upload", "parse_async", "job", "job"]


def test_a_bell_is_rung_by_those_who_know_it_and_a_message_is_only_a_hint() -> None:
    with Bell() as bell, httpx.Client() as anybody:
        body = {"status": "Completed", "job_id": "j", "metadata": None}
        assert anybody.post(bell.address.rpartition("/")[0] + "/guess", json=body).status_code == 404
        assert anybody.post(bell.address, content=b"[not json").status_code == 400
        assert anybody.post(bell.address, json=["j"]).status_code == 400
        assert not bell.wait("j", 0)
        assert anybody.post(bell.address, json=body).status_code == 200
        assert bell.wait("j", 5), "a message that came before somebody waited is not lost"
        assert not bell.wait("j", 0), "and is taken once"
    with Bell(public_url="https://hooks.example/in/") as behind_a_proxy:
        assert behind_a_proxy.address.startswith("https://hooks.example/in/reducto/")


def test_a_key_never_goes_to_a_presigned_address_and_reducto_needs_one(services: Services, tmp_path: Path) -> None:
    from salescience_pipeline.clients.reducto import DIALECT

    assert DIALECT.headers(None) == {}
    assert DIALECT.headers("k") == {"Authorization": "Bearer k"}
    request = PlannedRequest(
        "reducto", "result", "api", "/results/1", Subject("a"), address="https://elsewhere.example/x?Signature=abc"
    )
    assert request.canonical_url == "https://platform.reducto.ai/results/1"
    assert "abc" not in repr(request)
    with pytest.raises(ValueError, match="encrypted"):
        services.transport("r").send(
            PlannedRequest("reducto", "result", "api", "/results/1", Subject("a"), address="http://elsewhere.example/x")
        )
    assert Settings(reducto_key="abcdefgh").reducto_key is not None
