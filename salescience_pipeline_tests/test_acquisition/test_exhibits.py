"""Exhibits: they come with the complete submission in one request, are kept as documents of their own, and are read."""

from __future__ import annotations

import json

import pytest

from salescience_pipeline.acquisition.acquire import plan
from salescience_pipeline.acquisition.lineage import answer_of
from salescience_pipeline.acquisition.processing import process
from salescience_pipeline.acquisition.sandbox_process import Sandbox
from salescience_pipeline.acquisition.services import SelectionError, Services
from salescience_pipeline.clients.model import RawRef
from salescience_pipeline.identifiers import parse_tickers
from salescience_pipeline_tests.test_acquisition.runs import content, fault, requests_seen, run, select

TICKER = parse_tickers(["ALDRN"])
DOCUMENTS = "core_sec__documents"


@pytest.fixture
def listed(services: Services) -> Services:
    for name in ("core_sec__company_tickers", "core_sec__filings_history"):
        run(services, select(name, TICKER, n_years=1))
    return services


def rows(services: Services) -> list[dict]:
    return services.tables.read(DOCUMENTS).to_pylist()


def of_type(services: Services, kind: str) -> list[dict]:
    return [row for row in rows(services) if row["document_type"] == kind]


def test_one_request_brings_a_filing_with_the_exhibits_that_are_wanted(listed: Services, sandbox: Sandbox) -> None:
    made, _ = plan(listed, select(DOCUMENTS, TICKER, n_years=1))
    before = requests_seen(sandbox)
    fetched = run(listed, select(DOCUMENTS, TICKER, n_years=1))
    filings = {row["accession"] for row in rows(listed)}
    assert len(filings) == made.minimum == fetched.planned == fetched.sent == requests_seen(sandbox) - before
    kinds = {row["document_type"] for row in rows(listed)}
    assert kinds == {"10-K", "10-Q", "8-K", "EX-21.1", "EX-99.1"}
    (exhibit,) = of_type(listed, "EX-21.1")
    truth = sandbox.get(f"/_sandbox/truth/subsidiaries/{exhibit['accession']}")
    assert (exhibit["filename"], exhibit["sha256"], exhibit["bytes"]) == (
        truth["document"], truth["sha256"], truth["bytes"],
    )  # fmt: skip
    main = next(row for row in of_type(listed, "10-K") if row["accession"] == exhibit["accession"])
    assert (main["sequence"], exhibit["sequence"]) == (1, 2)
    facts = sandbox.get(f"/_sandbox/truth/facts/{exhibit['accession']}")
    assert (main["filename"], main["sha256"]) == (facts["document"], facts["sha256"]), "as if fetched by itself"
    for row in rows(listed):
        assert listed.archive.open(RawRef(row["sha256"], row["bytes"])).size == row["bytes"]
    # Where an exhibit came from: the request for the submission that it was cut from.
    (asked,) = (answer_of(listed, exhibit["sha256"], None) or pytest.fail("nothing is known of it")).requests
    assert asked.url.endswith(f"{exhibit['accession']}.txt")
    assert run(listed, select(DOCUMENTS, TICKER, n_years=1, force=True)).sent == 0


def test_what_an_exhibit_lists_becomes_relations_that_lead_to_its_bytes(listed: Services, sandbox: Sandbox) -> None:
    run(listed, select(DOCUMENTS, TICKER, n_years=1, forms=("10-K",)))
    assert not process(listed, TICKER, run_id="one").refused
    (exhibit,) = of_type(listed, "EX-21.1")
    truth = sandbox.get(f"/_sandbox/truth/subsidiaries/{exhibit['accession']}")["subsidiaries"]
    read = {name: listed.tables.read(f"doc_salescience__{name}").to_pylist() for name in _READ}
    (about,) = [row for row in read["documents"] if row["filename"] == exhibit["filename"]]
    assert (about["document_role"], about["exhibit_number"], about["exhibit_kind"]) == (
        "exhibit", "21.1", "subsidiaries",
    )  # fmt: skip
    entities = {row["entity_no"]: row for row in read["entities"] if row["filename"] == exhibit["filename"]}
    relations = [row for row in read["relations"] if row["predicate"] == "subsidiary_of"]
    assert {row["filename"] for row in relations} == {exhibit["filename"]}
    assert {(entities[row["subject_no"]]["canonical_name"], row["relation_detail"]) for row in relations} == {
        (each["name"], each["jurisdiction"]) for each in truth
    }
    assert {entities[row["object_no"]]["entity_cik"] for row in relations} == {exhibit["cik"]}
    data = listed.archive.open(RawRef(exhibit["sha256"], exhibit["bytes"])).read()
    values = [row for row in read["extractions"] if row["schema_name"] == "subsidiaries"]
    assert len(values) == 2 * len(truth)
    for row in values:
        assert json.loads(row["value_json"]).encode() in data[row["src_start"] : row["src_end"]]


_READ = ("documents", "entities", "relations", "extractions")


def test_a_filing_that_was_stored_without_its_exhibits_is_completed_once(listed: Services) -> None:
    alone = run(listed, select(DOCUMENTS, TICKER, n_years=1, exhibits=()))
    assert not [row for row in rows(listed) if row["submission_sha256"]]
    assert process(listed, TICKER, run_id="one").read == alone.sent
    completed = run(listed, select(DOCUMENTS, TICKER, n_years=1))
    assert 0 < completed.sent < alone.sent
    assert len(of_type(listed, "EX-21.1")) == 1
    again = run(listed, select(DOCUMENTS, TICKER, n_years=1))
    assert (again.sent, again.planned) == (0, 0)
    # Of the filings that got an exhibit all documents are read again, the others are not touched.
    done = process(listed, TICKER, run_id="two")
    touched = {row["accession"] for row in rows(listed) if row["document_type"].startswith("EX-")}
    assert done.read == sum(row["accession"] in touched for row in rows(listed)) < done.stored


def test_exhibits_are_rebuilt_from_the_archive_and_added_to_without_a_request(listed: Services) -> None:
    selection = select(DOCUMENTS, TICKER, n_years=1)
    run(listed, selection)
    before = content(listed, DOCUMENTS)
    listed.tables.write(DOCUMENTS, listed.tables.read(DOCUMENTS).slice(0, 0))
    replayed = run(listed, selection, mode="replay")
    assert (replayed.sent, replayed.failures) == (0, [])
    assert content(listed, DOCUMENTS) == before
    more = select(DOCUMENTS, TICKER, n_years=1, exhibits=("10-K:21", "10-K:31", "8-K:99"))
    assert run(listed, more, mode="replay").sent == 0
    assert len(of_type(listed, "EX-31.1")) == 1


def test_an_archive_of_main_documents_alone_replays_and_is_completed_later(listed: Services) -> None:
    run(listed, select(DOCUMENTS, TICKER, n_years=1, forms=("10-K",), exhibits=()))
    replayed = run(listed, select(DOCUMENTS, TICKER, n_years=1, forms=("10-K",)), mode="replay")
    assert (replayed.sent, replayed.is_complete) == (0, True)
    assert run(listed, select(DOCUMENTS, TICKER, n_years=1, forms=("10-K",))).sent == 1
    assert len(of_type(listed, "EX-21.1")) == 1


def test_a_submission_that_is_not_there_costs_the_exhibits_and_not_the_filing(
    listed: Services, sandbox: Sandbox
) -> None:
    fault(sandbox, "status", ".txt", provider="edgar", params={"status": 404})
    fetched = run(listed, select(DOCUMENTS, TICKER, n_years=1, forms=("10-K",)))
    assert (fetched.sent, fetched.is_complete) == (2, True)
    (main,) = rows(listed)
    assert (main["document_type"], main["is_exhibits_sought"]) == ("10-K", True)
    assert run(listed, select(DOCUMENTS, TICKER, n_years=1, forms=("10-K",))).sent == 0


def test_an_exhibit_that_nobody_can_mean_is_refused(listed: Services) -> None:
    with pytest.raises(SelectionError, match="as 10-K:21"):
        run(listed, select(DOCUMENTS, TICKER, exhibits=("21",)))
