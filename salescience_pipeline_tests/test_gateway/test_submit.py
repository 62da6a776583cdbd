"""POST /submit, GET /status and GET /results over HTTP, without and with API keys."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from salescience_pipeline.identifiers import OrganizationId
from salescience_pipeline.ledger import Ledger
from salescience_pipeline.settings import Settings
from salescience_pipeline_tests.test_gateway.examples import SUBMISSION, WHOSE, finish_job, submit_example
from salescience_pipeline_tests.test_gateway.serving import gateway


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """An empty world of the test's own."""
    return Settings(home=tmp_path / "home", gateway_origins=["https://app.example"])


@pytest.fixture
def client(settings: Settings) -> Iterator[httpx.Client]:
    """A gateway that needs no key."""
    with gateway(settings) as made:
        yield made


@pytest.fixture
def ledger(settings: Settings) -> Iterator[Ledger]:
    """The same world's ledger, beside the gateway."""
    settings.root.mkdir(parents=True, exist_ok=True)
    with Ledger.open(settings.ledger_url) as opened:
        yield opened


# -- over HTTP ---------------------------------------------------------------------------------------------------------


def test_000_01_and_06_the_sources_examples_work_verbatim(client: httpx.Client) -> None:
    answer = client.post(
        "/submit",
        headers={"Content-Type": "application/json"},
        content='{"companies": [{"ticker": "AAPL"}, {"ticker": "MSFT"}], "n_years": 2, "form_type": "10-K", '
        '"organization_id": "acme-corp"}',
    )
    assert answer.status_code == 202
    assert list(answer.json()) == ["job_ids"]
    (job_id,) = answer.json()["job_ids"]
    assert uuid.UUID(job_id).version == 4
    assert answer.headers["location"].startswith(f"/status/{job_id}")
    status = client.get(f"/status/{job_id}", params=WHOSE)
    assert status.json() == {
        "job_id": job_id,
        "status": "pending",
        "sources": dict.fromkeys(
            ["AAPL:SEC:0", "AAPL:SEC:1", "AAPL:Yahoo", "MSFT:SEC:0", "MSFT:SEC:1", "MSFT:Yahoo"], "pending"
        ),
    }


def test_000_02_one_submission_is_one_job_unless_it_is_split(client: httpx.Client) -> None:
    companies = [{"ticker": "AAPL"}, {"ticker": "MSFT"}]
    assert len(client.post("/submit", json={**SUBMISSION, "companies": companies}).json()["job_ids"]) == 1
    split = client.post("/submit", params={"split": "company"}, json={**SUBMISSION, "companies": companies})
    assert len(split.json()["job_ids"]) == 2


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"organization_id": None}, "invalid_request"),
        ({"organization_id": "../../etc"}, "invalid_identifier"),
        ({"companies": []}, "invalid_request"),
        ({"companies": [{}]}, "unplannable_company"),
        ({"companies": [{"ticker": "AAPL", "sec": False}]}, "unplannable_company"),
        ({"companies": [{"ticker": "AAPL", "yahoo": 0}]}, "invalid_request"),
        ({"companies": [{"ticker": "../x"}]}, "invalid_identifier"),
        ({"companies": [{"ticker": "A" * 300}]}, "invalid_request"),
        ({"companies": [{"ticker": "A\u0000B"}]}, "invalid_request"),
        ({"companies": [{"ticker": "\ud800"}]}, "invalid_request"),
        ({"companies": [{"ticker": "\u0410APL"}]}, "invalid_identifier"),
        ({"companies": [{"ticker": "AAPL"}] * 501}, "invalid_request"),
        ({"companies": [{"cik": "320193", "yahoo": True}]}, "unplannable_company"),
        ({"companies": [{"cik": "0"}]}, "invalid_identifier"),
        ({"n_years": 31}, "invalid_request"),
        ({"n_years": "2"}, "invalid_request"),
        ({"n_years": 0}, "invalid_request"),
        ({"form_type": "11-Q"}, "invalid_request"),
        ({"surprise": 1}, "invalid_request"),
    ],
)  # fmt: skip
def test_000_05_and_threat_15_what_cannot_be_meant_is_refused_with_a_code(
    client: httpx.Client, change: dict[str, object], code: str
) -> None:
    body = {**SUBMISSION, **change}
    answer = client.post("/submit", content=json.dumps(body), headers={"Content-Type": "application/json"})
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == code
    assert answer.json()["request_id"] == answer.headers["x-request-id"]


def test_000_03_nobody_of_that_name_is_known(client: httpx.Client) -> None:
    answer = client.post("/submit", json={**SUBMISSION, "companies": [{"name": "Nobody At All"}]})
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_company")


def test_000_03_a_cik_without_a_ticker_is_enough(client: httpx.Client) -> None:
    """A company that no exchange lists goes by its CIK; Yahoo, which knows tickers only, is not asked."""
    job_id = submit_example(client, companies=[{"cik": "320193"}], n_years=2)
    sources = client.get(f"/status/{job_id}", params=WHOSE).json()["sources"]
    assert sources == {"0000320193:SEC:0": "pending", "0000320193:SEC:1": "pending"}


@pytest.mark.parametrize("form", ["10-K", "10-Q", "8-K", "4", "10-K/A", "20-f"])
def test_000_05_every_form_of_the_sources_is_known(client: httpx.Client, form: str) -> None:
    submit_example(client, form_type=form)


def test_000_06_what_is_somebody_elses_does_not_exist(client: httpx.Client) -> None:
    job_id = submit_example(client)
    unknown = client.get(f"/status/{uuid.uuid4()}", params=WHOSE)
    other = client.get(f"/status/{job_id}", params={"organization_id": "other"})
    assert unknown.status_code == other.status_code == 404

    def without_id(answer: httpx.Response) -> dict[str, object]:
        return {name: value for name, value in answer.json().items() if name != "request_id"}

    assert without_id(unknown) == without_id(other)
    for path in (f"/results/{job_id}", f"/results/{job_id}/AAPL:Yahoo", f"/jobs/{job_id}/events"):
        assert client.get(path, params={"organization_id": "other"}).status_code == 404
    for method, path in (
        ("DELETE", f"/jobs/{job_id}"),
        ("POST", f"/jobs/{job_id}/cancel"),
        ("POST", f"/jobs/{job_id}/retry"),
    ):
        assert client.request(method, path, params={"organization_id": "other"}).status_code == 404
    assert client.get(f"/status/{job_id}").status_code == 422


@pytest.mark.parametrize("job_id", ["x", "%2e%2e%2fetc", "' OR 1=1 --", "a%00b", "9" * 500, "%f0%9f%92%a9"])
def test_threat_2_a_job_id_that_is_none_is_not_there(client: httpx.Client, job_id: str) -> None:
    assert client.get(f"/status/{job_id}", params=WHOSE).status_code == 404


def test_000_08_and_09_results_come_in_the_envelope_when_the_job_is_over(
    client: httpx.Client, settings: Settings, ledger: Ledger
) -> None:
    job_id = submit_example(client)
    early = client.get(f"/results/{job_id}", params=WHOSE)
    assert early.status_code == 409
    assert (early.json()["status"], early.json()["code"]) == ("pending", "job_not_finished")
    assert int(early.headers["retry-after"]) >= 1
    assert client.get(f"/results/{job_id}", params={**WHOSE, "partial": "true"}).json()["results"] == {}
    finish_job(settings, ledger, job_id)
    assert client.get(f"/status/{job_id}", params=WHOSE).json()["status"] == "complete"
    answer = client.get(f"/results/{job_id}", params=WHOSE)
    assert answer.status_code == 200
    assert answer.json()["results"] == {
        "AAPL:Yahoo": {
            "content": {"ticker": "AAPL"}, "content_type": "json", "source": "yahoo", "metadata": {"ticker": "AAPL"},
        }
    }  # fmt: skip
    assert set(answer.json()["errors"]) == {"AAPL:SEC:0", "AAPL:SEC:1"}
    tag = answer.headers["etag"]
    again = client.get(f"/results/{job_id}", params=WHOSE, headers={"If-None-Match": tag})
    assert (again.status_code, again.content) == (304, b"")
    lean = client.get(f"/results/{job_id}", params={**WHOSE, "fields": "metadata", "source": "yahoo"}).json()
    assert lean["results"]["AAPL:Yahoo"]["content"] is None
    table = client.get(f"/results/{job_id}", params={**WHOSE, "format": "csv"})
    assert table.headers["content-type"].startswith("text/csv")
    # Threat 11: no cell starts a formula.
    assert "'=cmd()" in table.text
    assert not re.search(r"(^|,)[=+@-]", table.text, re.MULTILINE)


def test_000_10_threat_10_one_content_has_an_etag_ranges_and_harmless_headers(
    client: httpx.Client, settings: Settings, ledger: Ledger
) -> None:
    job_id, content = submit_example(client), json.dumps({"text": "x" * 200_000}).encode()
    finish_job(settings, ledger, job_id, content)
    path = f"/results/{job_id}/AAPL:Yahoo"
    whole = client.get(path, params=WHOSE)
    assert whole.content == content
    assert whole.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in whole.headers["content-security-policy"]
    for text, first, last in (("bytes=0-9", 0, 9), ("bytes=100000-", 100_000, None), ("bytes=-7", -7, None)):
        part = client.get(path, params=WHOSE, headers={"Range": text})
        assert part.status_code == 206
        assert part.content == content[first : None if last is None else last + 1]
    assert client.get(path, params=WHOSE, headers={"Range": "bytes=999999999-"}).status_code == 416
    assert client.get(path, params=WHOSE, headers={"Range": "lines=1-2"}).status_code == 200
    assert client.get(path, params=WHOSE, headers={"If-None-Match": whole.headers["etag"]}).status_code == 304
    head = client.head(path, params=WHOSE)
    assert (head.status_code, head.headers["content-length"], head.content) == (200, str(len(content)), b"")


def test_000_22_events_tell_everything_and_go_on_where_they_broke(
    client: httpx.Client, settings: Settings, ledger: Ledger
) -> None:
    job_id = submit_example(client)
    finish_job(settings, ledger, job_id)
    text = client.get(f"/jobs/{job_id}/events", params=WHOSE).text
    frames = [frame for frame in text.split("\n\n") if frame]
    told = [
        json.loads(line.removeprefix("data: ")) for frame in frames for line in frame.splitlines() if "data:" in line
    ]
    jobs = [item["status"] for item in told if "source" not in item]
    assert jobs == ["pending", "processing", "complete"]
    number = re.search(r"id: (\d+)", frames[2])
    assert number is not None
    rest = client.get(f"/jobs/{job_id}/events", params=WHOSE, headers={"Last-Event-ID": number[1]}).text
    assert [frame for frame in rest.split("\n\n") if frame] == frames[3:]


def test_cancel_and_retry_over_http(client: httpx.Client) -> None:
    job_id = submit_example(client)
    early = client.post(f"/jobs/{job_id}/retry", params=WHOSE)
    assert (early.status_code, early.json()["code"]) == (409, "nothing_to_retry")
    assert client.delete(f"/jobs/{job_id}", params=WHOSE).json()["status"] == "cancelled"
    again = client.post(f"/jobs/{job_id}/cancel", params=WHOSE)
    assert (again.status_code, again.json()["code"]) == (409, "job_is_over")
    assert client.post(f"/jobs/{job_id}/retry", params=WHOSE).json()["status"] == "pending"


def test_jobs_are_listed_in_pages(client: httpx.Client) -> None:
    made = [submit_example(client) for _ in range(5)]
    seen: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = client.get("/jobs", params={**WHOSE, "limit": "2", **cursor}).json()
        seen += [job["job_id"] for job in page["jobs"]]
        if page["next"] is None:
            break
        cursor = {"cursor": page["next"]}
    assert seen == made[::-1]
    assert client.get("/jobs", params={**WHOSE, "cursor": "bm9uc2Vuc2U="}).json()["code"] == "invalid_cursor"


def test_threat_14_a_repeated_request_is_the_same_one(client: httpx.Client) -> None:
    key = {"Idempotency-Key": "order-7"}
    first = client.post("/submit", json=SUBMISSION, headers=key)
    second = client.post("/submit", json=SUBMISSION, headers=key)
    assert first.json() == second.json()
    assert (first.status_code, second.status_code) == (202, 202)
    assert "idempotent-replayed" not in first.headers
    assert second.headers["idempotent-replayed"] == "true"
    other = client.post("/submit", json={**SUBMISSION, "n_years": 1}, headers=key)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


# -- who is asking -----------------------------------------------------------------------------------------------------


def test_000_15_the_organisation_comes_from_the_key_alone(settings: Settings, ledger: Ledger) -> None:
    keyed = settings.model_copy(update={"gateway_auth": "api_key"})
    acme, row = ledger.organizations.create_key(OrganizationId("acme-corp"), scopes=["jobs:read", "jobs:write"])
    other, _ = ledger.organizations.create_key(OrganizationId("other"), scopes=["admin"])
    with gateway(keyed) as client:
        nobody = client.post("/submit", json=SUBMISSION)
        assert (nobody.status_code, nobody.json()["code"]) == (401, "key_missing")
        assert nobody.headers["www-authenticate"] == "Bearer"

        def bearer(key: str) -> dict[str, str]:
            return {"Authorization": f"Bearer {key}"}

        assert client.post("/submit", json=SUBMISSION, headers=bearer("ssk_wrong")).json()["code"] == "key_invalid"
        assert client.post("/submit", json=SUBMISSION, headers=bearer(other)).json()["code"] == "organization_mismatch"
        job_id = client.post("/submit", json=SUBMISSION, headers=bearer(acme)).json()["job_ids"][0]
        assert client.get(f"/status/{job_id}", headers=bearer(acme)).status_code == 200
        assert client.get(f"/status/{job_id}", headers={"X-API-Key": acme}).status_code == 200
        for params in ({}, WHOSE):
            assert client.get(f"/status/{job_id}", params=params, headers=bearer(other)).status_code == 404
        lacking = client.get(f"/results/{job_id}", headers=bearer(acme))
        assert (lacking.status_code, lacking.json()["code"]) == (403, "scope_missing")
    (entry,) = ledger.audit.entries(OrganizationId("acme-corp"))
    assert entry["actor"] == row.key_id


def test_003_35_a_key_without_content_gets_the_metadata(settings: Settings, ledger: Ledger) -> None:
    keyed = settings.model_copy(update={"gateway_auth": "api_key"})
    key, _ = ledger.organizations.create_key(
        OrganizationId("acme-corp"), scopes=["jobs:read", "jobs:write", "results:read"]
    )
    with gateway(keyed, key) as client:
        job_id = submit_example(client)
        finish_job(settings, ledger, job_id)
        assert client.get(f"/results/{job_id}").json()["results"]["AAPL:Yahoo"]["content"] is None
        assert client.get(f"/results/{job_id}/AAPL:Yahoo").json()["code"] == "scope_missing"
    actions = [entry["action"] for entry in ledger.audit.entries(OrganizationId("acme-corp"))]
    assert actions == ["results.read", "job.create"]


def test_000_15_without_keys_only_this_machine_is_answered(client: httpx.Client) -> None:
    rebound = client.get("/jobs", params=WHOSE, headers={"Host": "evil.example:8100"})
    assert (rebound.status_code, rebound.json()["code"]) == (403, "loopback_only")
    form = client.post("/submit", content=json.dumps(SUBMISSION), headers={"Content-Type": "text/plain"})
    assert form.status_code == 422


def test_threat_15_bodies_are_bounded_and_must_be_json(client: httpx.Client) -> None:
    large = client.post("/submit", content=b"x" * 1_000_001, headers={"Content-Type": "application/json"})
    assert (large.status_code, large.json()["code"]) == (413, "body_too_large")

    def endless() -> Iterator[bytes]:
        for _ in range(40):
            yield b" " * 50_000

    assert client.post("/submit", content=endless(), headers={"Content-Type": "application/json"}).status_code == 413
    for body in (b"{", b"\xff\xfe", b"[" * 100_000, b"9" * 50_000, b"null", b"[]", b'"x"'):
        answer = client.post("/submit", content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code in (400, 422), body[:20]
        assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("sent", ["abcdefgh-1", "x", "a b c d e f g h", "ö" * 10, "a" * 65])
def test_003_04_a_request_id_of_the_callers_comes_back_when_it_is_one(client: httpx.Client, sent: str) -> None:
    answered = client.get("/jobs", params=WHOSE, headers={"X-Request-ID": sent.encode()}).headers["x-request-id"]
    assert (answered == sent) == (sent == "abcdefgh-1")
    assert re.fullmatch(r"[A-Za-z0-9_-]{8,64}", answered)


def test_001_25_pages_of_allowed_origins_only(client: httpx.Client) -> None:
    def preflight(origin: str) -> httpx.Response:
        return client.options("/submit", headers={"Origin": origin, "Access-Control-Request-Method": "POST"})

    assert preflight("https://app.example").headers["access-control-allow-origin"] == "https://app.example"
    assert "access-control-allow-origin" not in preflight("https://evil.example").headers


def test_000_17_two_gateways_on_one_database_are_one(settings: Settings) -> None:
    with gateway(settings) as first, gateway(settings) as second:
        job_id = submit_example(first)
        assert second.get(f"/status/{job_id}", params=WHOSE).json()["status"] == "pending"
        assert second.delete(f"/jobs/{job_id}", params=WHOSE).status_code == 200
        assert first.get(f"/status/{job_id}", params=WHOSE).json()["status"] == "cancelled"
