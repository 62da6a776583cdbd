"""From a value back to the answer it came from: rows of tables and marts, facts of documents, over HTTP and by command."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import httpx
import pytest

from salescience_pipeline.acquisition.processing import process
from salescience_pipeline.acquisition.services import Services
from salescience_pipeline.clients.model import AnswerClass, Attempt, Body, PlannedRequest, Subject
from salescience_pipeline.identifiers import OrganizationId, RequestId, parse_tickers
from salescience_pipeline.lake.archive import EMPTY_SHA256
from salescience_pipeline.settings import Settings
from salescience_pipeline_tests.commands import environment, salescience
from salescience_pipeline_tests.conftest import TODAY
from salescience_pipeline_tests.test_acquisition.runs import TIINGO, TIINGO_HISTORY, run, select
from salescience_pipeline_tests.test_gateway.published import publish
from salescience_pipeline_tests.test_gateway.serving import gateway

_TICKER = parse_tickers(["ALDRN"])
_DAY = "2026-06-12"


@dataclass(frozen=True)
class World:
    """A lake with prices and one read filing, a mart over it, and a gateway."""

    settings: Settings
    services: Services
    client: httpx.Client
    private: str
    """Digest of an answer to a request of acme's own."""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, sandbox_of_session: object) -> Iterator[World]:
    url = sandbox_of_session.url  # type: ignore[attr-defined]
    settings = Settings(
        home=tmp_path_factory.mktemp("home"), today=TODAY, sandbox_url=url, edgar_rate=10, yahoo_rate=50,
        tiingo_plan="power", tiingo_rate=200,
    )  # fmt: skip
    with Services(settings) as services:
        run(services, select(TIINGO_HISTORY, _TICKER, n_years=1), run_id="run-prices")
        for name in ("core_sec__company_tickers", "core_sec__filings_history"):
            run(services, select(name, () if name.endswith("tickers") else _TICKER, n_years=1), run_id="run-sec")
        run(services, select("core_sec__documents", _TICKER, n_years=1, forms=("8-K",)), run_id="run-sec")
        run(services, select("core_sec__documents", _TICKER, n_years=1, forms=("10-Q",)), run_id="run-sec")
        process(services, _TICKER, run_id="run-documents")
        digest = services.tables.read(TIINGO)["raw_sha256"][0].as_py()
        publish(
            settings,
            lambda connection: connection.execute(
                "insert into mart_prices__daily (ticker, trade_date, close, tiingo_raw_sha256, yahoo_raw_sha256) "
                "values ('ALDRN', ?, 1.5, ?, null)",
                [_DAY, digest],
            ),
        )
        data = b"what acme alone may know"
        request = PlannedRequest("tiingo", "eod", "api", "/x", Subject("ALDRN"), params=(("symbol", "x"),))
        moment = dt.datetime(2026, 6, 15, tzinfo=dt.UTC)
        attempt = Attempt(RequestId.new(), request, AnswerClass.OK, 1, moment, 1.0, 200, body=Body(data), complete=True)
        private = services.archive.put(attempt, "run-acme", "acme").sha256
        with gateway(settings) as client:
            yield World(settings, services, client, private)


def _of(world: World, table: str, *where: str, **more: object) -> httpx.Response:
    return world.client.get(f"/api/lineage/{table}", params={"where": list(where), **more})


def test_003_38_a_row_leads_to_its_request_and_its_bytes(world: World) -> None:
    answer = _of(world, TIINGO, "ticker:ALDRN", f"trade_date:{_DAY}")
    assert answer.status_code == 200, answer.text
    [row] = answer.json()["rows"]
    assert (row["values"]["ticker"], row["run_id"]) == ("ALDRN", "run-prices")
    [source] = row["answers"]
    [request] = source["requests"]
    assert (request["provider"], request["status"], request["run_id"]) == ("tiingo", 200, "run-prices")
    assert request["url"].startswith("https://api.tiingo.com/")
    assert "token" not in request["url"]
    assert dt.datetime.fromisoformat(request["fetched_at"]).tzinfo is not None
    body = world.client.get(source["body"])
    assert hashlib.sha256(body.content).hexdigest() == source["sha256"]
    assert len(body.content) == source["size"]
    held = {day["date"][:10]: day["close"] for day in body.json()}
    assert held[_DAY] == row["values"]["close"]


def test_003_24_a_mart_leads_to_the_same_answer(world: World) -> None:
    [row] = _of(world, "mart_prices__daily", "ticker:ALDRN", f"trade_date:{_DAY}").json()["rows"]
    [direct] = _of(world, TIINGO, "ticker:ALDRN", f"trade_date:{_DAY}").json()["rows"]
    assert row["answers"] == direct["answers"]
    same = world.client.get(f"/api/lineage/answers/{row['answers'][0]['sha256']}")
    assert same.json() == row["answers"][0]


def test_003_24_a_fact_leads_to_its_place_in_the_filing(world: World) -> None:
    facts = world.services.tables.read("doc_salescience__facts").to_pylist()
    fact = next(row for row in facts if row["value"] is not None and not row["is_hidden"])
    conditions = [f"{name}:{fact[name]}" for name in ("accession", "filename", "fact_no")]
    [row] = _of(world, "doc_salescience__facts", *conditions).json()["rows"]
    span = row["span"]
    assert span["sha256"] in {answer["sha256"] for answer in row["answers"]}
    place = world.client.get(span["body"], headers={"Range": span["range"]})
    assert (place.status_code, len(place.content)) == (206, span["end"] - span["start"])
    whole = world.client.get(span["body"]).content
    assert place.content == whole[fact["src_start"] : fact["src_end"]]
    assert row["answers"][0]["requests"][0]["url"].startswith("https://www.sec.gov/Archives/")


def test_003_38_what_cannot_be_followed_is_told(world: World) -> None:
    for table, where, status in (
        ("core_nobody__nothing", ["a:b"], 422),
        ("mart_no__such", ["a:b"], 422),
        (TIINGO, ["nocolumn:x"], 422),
        (TIINGO, ["trade_date:yesterday"], 422),
        (TIINGO, [], 422),
        (TIINGO, ["ticker"], 422),
        ("mart_prices__daily", ['close" or 1=1 --:1'], 422),
        ("..%2f..%2fetc", ["a:b"], 404),
    ):
        refused = _of(world, table, *where)
        assert refused.status_code == status, (table, where, refused.text)
        assert refused.headers["content-type"] == "application/problem+json"
    assert _of(world, TIINGO, "ticker:NOBODY").json()["rows"] == []
    assert _of(world, "mart_prices__daily", "ticker:ALDRN' or '1'='1").json()["rows"] == []
    assert world.client.get(f"/api/lineage/answers/{'0' * 64}").status_code == 404
    assert world.client.get(f"/api/lineage/answers/{EMPTY_SHA256}/body").status_code == 404


def test_threat_1_an_organisations_own_answer_is_its_own(world: World) -> None:
    for path in (f"/api/lineage/answers/{world.private}", f"/api/lineage/answers/{world.private}/body"):
        assert world.client.get(path).status_code == 404
        assert world.client.get(path, params={"organization_id": "other"}).status_code == 404
        assert world.client.get(path, params={"organization_id": "acme"}).status_code == 200
    keyed = world.settings.model_copy(update={"gateway_auth": "api_key"})
    key, _ = world.services.ledger.organizations.create_key(OrganizationId("acme"), scopes=["results:read"])
    with gateway(keyed, key) as client:
        assert client.get(f"/api/lineage/answers/{world.private}").status_code == 200
        refused = client.get(f"/api/lineage/answers/{world.private}/body")
        assert (refused.status_code, refused.json()["code"]) == (403, "scope_missing")


def test_003_38_the_command_follows_and_shows_the_bytes(world: World) -> None:
    command = partial(salescience, "lineage", env=environment(world.settings.home), text=False)
    told = json.loads(command("mart_prices__daily", "ticker=ALDRN", f"trade_date={_DAY}", "--json").stdout)
    digest = told["rows"][0]["answers"][0]["sha256"]
    assert hashlib.sha256(command(digest, "--source").stdout).hexdigest() == digest
