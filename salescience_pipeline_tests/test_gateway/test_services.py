"""Proxy and health monitor in front of real services: the sandbox's, and one that the test lets fail."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from salescience_pipeline.acquisition.sandbox_process import Sandbox
from salescience_pipeline.gateway.app import create_app
from salescience_pipeline.gateway.health import overall, service_status, uptime
from salescience_pipeline.gateway.problems import Problem
from salescience_pipeline.gateway.upstreams import checked_url, safe_path
from salescience_pipeline.ledger import Ledger
from salescience_pipeline.ledger.monitoring import Check, Monitoring
from salescience_pipeline.settings import Settings, SettingsError
from salescience_pipeline_tests.clocks import Clock, until
from salescience_pipeline_tests.test_gateway.scripted import Scripted, quick_settings
from salescience_pipeline_tests.test_gateway.serving import gateway

# -- pure --------------------------------------------------------------------------------------------------------------


def _checks(*ok: bool, milliseconds: float = 5.0) -> list[Check]:
    return [Check(dt.datetime(2026, 1, 1, tzinfo=dt.UTC), good, milliseconds, None if good else "down") for good in ok]


def test_004_11_a_services_status_follows_from_its_checks_and_its_breaker() -> None:
    assert service_status([], "closed") == "unknown"
    assert service_status(_checks(True), "closed") == "healthy"
    assert service_status(_checks(False, True), "closed") == "degraded"
    assert service_status(_checks(True), "half_open") == "degraded"
    assert service_status(_checks(True, milliseconds=5_000), "closed") == "degraded"
    assert service_status(_checks(*[True] * 97, *[False] * 3), "closed") == "degraded"
    assert service_status(_checks(True), "open") == "unhealthy"
    assert uptime(_checks(*[True] * 99, False)) == 99.0
    assert [overall(states) for states in ([], ["healthy"], ["healthy", "unhealthy"], ["unhealthy"])] == [
        "healthy", "healthy", "degraded", "unhealthy",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "url", ["ftp://x", "http://", "file:///etc/passwd", "http://user:pw@host", "//host", "http://h?x=1", "nonsense"]
)
def test_threat_3_an_address_must_be_one_of_http(url: str) -> None:
    with pytest.raises(SettingsError):
        checked_url("research", url)


@given(st.text(max_size=30))
def test_threat_3_a_path_stays_below_its_route(text: str) -> None:
    try:
        path = safe_path(text)
    except (Problem, UnicodeDecodeError):
        return
    joined = httpx.URL("http://host:1/api/enrich/" + path)
    assert joined.host == "host"
    assert joined.path.startswith("/api/enrich/")
    assert ".." not in joined.path.split("/")


@pytest.mark.parametrize(
    "path",
    [
        "..",
        "a/../b",
        "%2e%2e",
        "a/%2E%2E/b",
        "/evil.example",
        "a//b",
        "%2f%2fevil",
        "a%5cb",
        "@evil",
        "a%00b",
        "a%25b",
        ".",
    ],
)
def test_threat_3_a_path_that_could_lead_elsewhere_is_refused(path: str) -> None:
    with pytest.raises(Problem):
        safe_path(path)


# -- proxy -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "PATCH"])
@pytest.mark.parametrize(("word", "service"), [("enrich", "research"), ("publish", "backend")])
def test_004_02_and_03_each_method_reaches_its_service(
    sandbox: Sandbox, tmp_path: Path, method: str, word: str, service: str
) -> None:
    upstreams = {name: f"{sandbox.url}/services/{name}" for name in ("research", "backend")}
    with gateway(quick_settings(tmp_path, upstreams=upstreams)) as client:
        answer = client.request(
            method, f"/api/{word}/deep%20er/path", params={"q": "a b"}, content=b"body" if method != "GET" else None,
            headers={"Authorization": "", "Cookie": "session=secret", "X-Forwarded-For": "1.2.3.4", "Content-Type": "text/x"},
        )  # fmt: skip
        assert answer.status_code == 200, answer.text
        heard = answer.json()
        assert (heard["service"], heard["method"]) == (service, method)
        assert heard["path"].startswith(f"/{word}/deep")
        assert heard["query"] == "q=a%20b" or heard["query"] == "q=a+b"
        assert heard["body"] == ("" if method == "GET" else "body")
        # Threat 4: what names the caller or the way stays here.
        assert not {"cookie", "authorization", "x-forwarded-for"} & set(heard["headers"])
        assert heard["headers"]["x-request-id"] == answer.headers["x-request-id"]
        assert client.request(method, f"/api/{word}").status_code == 200


def test_004_04_the_writer_has_a_route_when_it_is_configured(behind: tuple[Scripted, str], tmp_path: Path) -> None:
    with gateway(quick_settings(tmp_path)) as client:
        assert client.get("/api/write").status_code == 404
        assert client.get("/api/enrich").json()["code"] == "upstream_not_configured"
    with gateway(quick_settings(tmp_path, upstreams={"writer": behind[1]})) as client:
        assert client.get("/api/write").status_code == 200
    with pytest.raises(SettingsError, match="stranger"):
        create_app(quick_settings(tmp_path, upstreams={"stranger": behind[1]}))


def test_threat_3_and_4_redirects_are_not_followed_and_cookies_stay_behind(
    behind: tuple[Scripted, str], tmp_path: Path
) -> None:
    service, url = behind
    service.statuses = [302]
    with gateway(quick_settings(tmp_path, upstreams={"research": url})) as client:
        answer = client.get("/api/enrich")
        assert answer.status_code == 302
        assert "location" not in answer.headers
        good = client.get("/api/enrich")
        assert "set-cookie" not in good.headers
        assert good.headers["etag"] == '"x"'
        client.get("/api/enrich")
    assert len(service.seen) == 3
    # A cookie that the service set for one caller does not travel with the next one's request.
    assert all("cookie" not in headers for _, _, headers, _ in service.seen)


@pytest.mark.parametrize(
    ("method", "headers", "hits", "status"),
    [
        ("GET", {}, 3, 200),
        ("PUT", {}, 3, 200),
        ("POST", {}, 1, 502),
        ("POST", {"Idempotency-Key": "k"}, 3, 200),
    ],
)
def test_004_06_a_request_is_tried_again_where_that_is_harmless(
    behind: tuple[Scripted, str], tmp_path: Path, method: str, headers: dict[str, str], hits: int, status: int
) -> None:
    service, url = behind
    service.statuses = [502, 502, 200]
    with gateway(quick_settings(tmp_path, upstreams={"research": url})) as client:
        assert client.request(method, "/api/enrich", headers=headers).status_code == status
    assert len(service.seen) == hits


def test_004_05_a_service_that_hangs_is_given_up(behind: tuple[Scripted, str], tmp_path: Path) -> None:
    service, url = behind
    service.hold = 5.0
    with gateway(quick_settings(tmp_path, upstreams={"research": url}, upstream_seconds=0.2)) as client:
        answer = client.get("/api/enrich")
    assert (answer.status_code, answer.json()["code"]) == (504, "upstream_timeout")
    assert Settings(home=tmp_path).upstream_seconds == 30.0


def test_004_14_and_17_an_open_breaker_keeps_requests_away_in_every_process(
    behind: tuple[Scripted, str], tmp_path: Path
) -> None:
    service, url = behind
    service.statuses = [500] * 10
    settings = quick_settings(tmp_path, upstreams={"research": url})
    with gateway(settings) as first, gateway(settings) as second:
        assert [first.get("/api/enrich").status_code for _ in range(3)] == [500] * 3
        before = len(service.seen)
        for client in (first, second):
            refused = client.get("/api/enrich")
            assert (refused.status_code, refused.json()["code"]) == (503, "circuit_open")
            assert refused.json()["circuit_state"] == "open"
            assert 1 <= int(refused.headers["retry-after"]) <= 61
        assert len(service.seen) == before
        told = second.get("/health/status/research").json()
        assert (told["status"], told["circuit_state"]) == ("unhealthy", "open")


def test_004_05_an_unreachable_service_is_one_sentence(tmp_path: Path) -> None:
    with gateway(quick_settings(tmp_path, upstreams={"research": "http://127.0.0.1:9"})) as client:
        answer = client.get("/api/enrich")
    assert (answer.status_code, answer.json()["code"]) in ((502, "upstream_unreachable"), (503, "circuit_open"))
    assert "127.0.0.1:9" not in answer.text


# -- health ------------------------------------------------------------------------------------------------------------


def test_001_01_002_08_and_004_08_one_health_for_three_sources(behind: tuple[Scripted, str], tmp_path: Path) -> None:
    settings = quick_settings(tmp_path, upstreams={"research": behind[1], "backend": behind[1]})
    with gateway(settings) as client:
        health = until(lambda: (found := client.get("/health").json())["services"] and found)
        assert (health["status"], health["orchestrator"], health["overall"]) == ("healthy", "healthy", "healthy")
        assert health["event_mode"] in ("kafka", "http", "amqp")
        assert health["services"]["research"] == {"status": "healthy", "details": {"checks": 1}, "url": behind[1]}
        detailed = client.get("/health/status").json()
        assert set(detailed) == {"overall", "timestamp", "services", "monitoring"}
        assert set(detailed["services"]["backend"]) == {
            "name", "url", "status", "last_check", "response_time_ms", "error", "circuit_state", "consecutive_failures",
            "uptime_percentage", "details",
        }  # fmt: skip
        assert detailed["monitoring"]["running"] is True
        for moment in (detailed["timestamp"], detailed["services"]["backend"]["last_check"]):
            assert moment.endswith("Z")
            assert dt.datetime.fromisoformat(moment).tzinfo is not None
        unknown = client.get("/health/status/nobody")
        assert unknown.status_code == 404
        assert "backend" in unknown.json()["detail"]
        assert client.get("/health/ready").json()["status"] == "ready"


def test_004_08_addresses_are_for_administrators(behind: tuple[Scripted, str], tmp_path: Path) -> None:
    settings = quick_settings(tmp_path, upstreams={"research": behind[1]}, gateway_auth="api_key")
    with gateway(settings) as client:
        assert "url" not in client.get("/health/status").json()["services"]["research"]
        assert client.get("/metrics").status_code == 401


def test_004_12_one_monitor_looks_for_all_processes(behind: tuple[Scripted, str], tmp_path: Path) -> None:
    service, url = behind
    settings = quick_settings(tmp_path, upstreams={"research": url})
    with gateway(settings) as first, gateway(settings) as second, gateway(settings) as third:
        for client in (first, second, third):
            until(lambda client=client: client.get("/health").json()["services"])
        pictures = [client.get("/health/status").json()["services"] for client in (first, second, third)]
    assert pictures[0] == pictures[1] == pictures[2]
    assert service.looks == 1


def test_004_12_a_lease_has_one_holder_until_it_runs_out(ledger: Ledger) -> None:
    clock = Clock()
    monitoring = Monitoring(ledger.engine, clock=clock)
    assert monitoring.lead("monitor", "a", seconds=45)
    assert not monitoring.lead("monitor", "b", seconds=45)
    clock.now += dt.timedelta(seconds=30)
    assert monitoring.lead("monitor", "a", seconds=45)
    clock.now += dt.timedelta(seconds=46)
    assert monitoring.lead("monitor", "b", seconds=45)
    assert not monitoring.lead("monitor", "a", seconds=45)


def test_004_13_the_newest_hundred_checks_are_kept(ledger: Ledger) -> None:
    for number in range(101):
        ledger.monitoring.record("research", Check(dt.datetime.now(dt.UTC), number != 0, 1.0, None))
    checks = ledger.monitoring.checks("research")
    assert (len(checks), uptime(checks)) == (100, 100.0)
    assert ledger.monitoring.checks("backend") == []


def test_003_28_metrics_have_bounded_labels(tmp_path: Path) -> None:
    with gateway(quick_settings(tmp_path)) as client:
        client.post("/submit", json={"companies": [{"ticker": "AAPL"}], "organization_id": "acme-corp"})
        text = client.get("/metrics").text
    assert 'salescience_jobs{state="pending"} 1' in text
    assert "AAPL" not in text
    assert "acme" not in text
    for line in text.splitlines():
        assert line.startswith(("# HELP salescience_", "# TYPE salescience_", "salescience_")), line
