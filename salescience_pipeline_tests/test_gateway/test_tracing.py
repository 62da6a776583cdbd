"""One request id through everything; log lines, figures with bounded labels, and spans."""

from __future__ import annotations

import io
import json
import logging
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from salescience_pipeline.acquisition.services import Services
from salescience_pipeline.clients import logs, tracing
from salescience_pipeline.gateway.observing import NO_ROUTE
from salescience_pipeline.identifiers import RequestId
from salescience_pipeline.ledger import Ledger
from salescience_pipeline.settings import Settings
from salescience_pipeline_tests.test_acquisition.runs import TIINGO_HISTORY, run, select
from salescience_pipeline_tests.test_gateway.examples import SCENARIO, TASK, WHOSE, submit_example
from salescience_pipeline_tests.test_gateway.scripted import Scripted
from salescience_pipeline_tests.test_gateway.serving import gateway, served

_ID = "follow-me-0001"


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    """What is traced during the test."""
    exporter = InMemorySpanExporter()
    processor = tracing.enable("test", exporter=exporter)
    yield exporter
    tracing.disable()
    processor.shutdown()


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """What is logged during the test, as JSON."""
    stream = io.StringIO()
    handler = logs.install("INFO", "json", secrets=["s3cret-canary"], stream=stream)
    yield stream
    for name in logs.LOGGERS:
        logger = logging.getLogger(name)
        logger.removeHandler(handler)
        logger.propagate = True
        logger.setLevel(logging.NOTSET)


# -- log lines ------------------------------------------------------------------------------------------------------------
def test_001_24_every_line_is_json_and_names_its_request(lines: io.StringIO) -> None:
    log = logging.getLogger("salescience_pipeline.anything")
    with logs.about(request_id=_ID, job_id="j"):
        log.info("a\nline of %s", "two", extra={"rows": 3})
        with logs.about(job_id="k"):
            log.warning("Authorization: Bearer s3cret-canary and token=abcdef")
        worker = threading.Thread(target=lambda: log.info("another thread", extra={"request_id": "of-its-own"}))
        worker.start()
        worker.join()
        try:
            int("s3cret-canary")
        except ValueError:
            log.exception("failed")
    told = [json.loads(line) for line in lines.getvalue().splitlines()]
    assert [(line["level"], line.get("request_id"), line.get("job_id")) for line in told] == [
        ("info", _ID, "j"), ("warning", _ID, "k"), ("info", "of-its-own", None), ("error", _ID, "j"),
    ]  # fmt: skip
    assert (told[0]["message"], told[0]["rows"]) == ("a\nline of two", 3)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", told[0]["time"])
    assert "ValueError" in told[3]["traceback"]
    assert "canary" not in lines.getvalue()
    assert "abcdef" not in lines.getvalue()


def test_003_04_lines_for_people_begin_with_the_request() -> None:
    stream = io.StringIO()
    handler = logs.install("INFO", "text", stream=stream)
    try:
        with logs.about(request_id=_ID):
            logging.getLogger("salescience.x").info("said")
    finally:
        for name in logs.LOGGERS:
            logging.getLogger(name).removeHandler(handler)
            logging.getLogger(name).propagate = True
            logging.getLogger(name).setLevel(logging.NOTSET)
    assert stream.getvalue().startswith(f"[{_ID}] ")


def test_001_24_a_line_per_request_with_its_route_and_no_secret(lines: io.StringIO, tmp_path: Path) -> None:
    with gateway(Settings(home=tmp_path)) as client:
        client.get("/status/secret-looking-path", params=WHOSE, headers={"X-Request-ID": _ID})
        client.get("/no/such/thing?token=s3cret-canary")
    told = [json.loads(line) for line in lines.getvalue().splitlines()]
    access = [line for line in told if line["logger"] == "salescience.access"]
    assert [(line["request_id"], line["method"], line["route"], line["status"]) for line in access[:1]] == [
        (_ID, "GET", "/status/{job_id}", 404)
    ]
    assert access[1]["route"] == NO_ROUTE
    assert "secret-looking-path" not in lines.getvalue()
    assert "canary" not in lines.getvalue()


# -- figures --------------------------------------------------------------------------------------------------------------
def test_003_28_labels_are_bounded_whatever_is_asked(tmp_path: Path) -> None:
    with gateway(Settings(home=tmp_path)) as client:
        for at in range(200):
            client.get(f"/status/{at:08}-0000-4000-8000-000000000000", params={"organization_id": f"org-{at}"})
            client.request(f"VERB{at}", f"/made/up/{at}")
        text = client.get("/metrics").text
        routes = set(client.get("/openapi.json").json()["paths"])
    labels = set(re.findall(r'route="([^"]+)"', text))
    assert "/status/{job_id}" in labels
    assert labels <= routes | {NO_ROUTE, "/openapi.json", "/metrics"}
    assert set(re.findall(r'method="([^"]+)"', text)) <= {"GET", "OTHER"}
    assert 'salescience_http_requests_total{method="GET",route="/status/{job_id}",status="4xx"} 200' in text
    assert "org-1" not in text
    # The format: one HELP and one TYPE per family, counters end in _total, buckets are cumulative.
    families = re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE)
    assert len({name for name, _ in families}) == len(families) == text.count("# HELP")
    assert all(name.endswith("_total") == (kind == "counter") for name, kind in families)
    held = re.findall(r'_bucket\{route="/status/\{job_id\}",le="[^"]+"\} (\d+)', text)
    assert held == sorted(held, key=int)
    assert held[-1] == "200"


# -- one id ---------------------------------------------------------------------------------------------------------------
def test_003_04_the_callers_id_reaches_the_provider_and_the_archive(services: Services) -> None:
    services.request_id = RequestId(_ID)
    run(services, select(TIINGO_HISTORY, ["ALDRN", "CALDQ"], n_years=1))
    stored = [row for _, row in services.archive.audit.answers()]
    assert {row.request_id for row in stored} == {_ID}
    assert len({row.canonical_url for row in stored}) > 1
    services.request_id = None
    run(services, select("core_sec__company_tickers", ()))
    [other] = [row for _, row in services.archive.audit.answers() if row.provider == "sec"]
    assert other.request_id != _ID


def test_003_04_the_callers_id_reaches_the_services_of_a_task(tmp_path: Path) -> None:
    service = Scripted()
    with served(service) as url, gateway(Settings(home=tmp_path, services={"revenue": url})) as client:
        task = {**TASK, "payload": [{"revenue": SCENARIO}]}
        answer = client.post("/api/orchestrate", json=task, headers={"X-Request-ID": _ID})
        path = f"/api/tasks/{answer.json()['task_id']}"
        while client.get(path).json()["status"] not in ("COMPLETED", "FAILED"):
            time.sleep(0.02)
    assert [headers["x-request-id"] for _, _, headers, _ in service.seen] == [_ID]


# -- spans ----------------------------------------------------------------------------------------------------------------
def test_003_29_one_trace_from_the_caller_to_the_provider(
    spans: InMemorySpanExporter, services: Services, tmp_path: Path
) -> None:
    traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    with gateway(services.settings) as client:
        headers = {"X-Request-ID": _ID, "traceparent": traceparent, "Authorization": ""}
        client.post("/submit?token=s3cret-canary", json={"companies": [{"ticker": "ALDRN"}], **WHOSE}, headers=headers)
    services.request_id = RequestId(_ID)
    with tracing.span("run tiingo", _ID):
        run(services, select(TIINGO_HISTORY, ["ALDRN"], n_years=1))
    found = {item.name: item for item in spans.get_finished_spans()}
    assert {"POST /submit", "run tiingo"} <= set(found)
    out = next(item for name, item in found.items() if name.startswith("GET tiingo"))
    assert len({item.context.trace_id for item in found.values()}) == 1
    assert found["POST /submit"].attributes["http.route"] == "/submit"
    assert found["POST /submit"].attributes["http.response.status_code"] == 202
    assert [f"{link.context.trace_id:032x}" for link in found["POST /submit"].links] == [traceparent[3:35]]
    assert out.attributes["url.full"].startswith("https://api.tiingo.com/")
    assert out.attributes["http.response.status_code"] == 200
    told = repr([(item.name, dict(item.attributes), item.events) for item in found.values()])
    assert "canary" not in told
    assert "token" not in told


def test_003_29_a_failure_says_its_class_and_nothing_else(spans: InMemorySpanExporter) -> None:
    with pytest.raises(ValueError, match="canary"), tracing.span("fails", _ID):
        raise ValueError("s3cret-canary")
    [item] = spans.get_finished_spans()
    assert (item.attributes["error.type"], item.status.description, item.events) == ("ValueError", None, ())


@pytest.mark.parametrize("text", ["", "00-x", "00-" + "0" * 32 + "-" + "0" * 16 + "-01", "00-" + "a" * 32 + "-b-01"])
def test_003_29_a_traceparent_that_is_none_is_ignored(spans: InMemorySpanExporter, text: str) -> None:
    with tracing.span("x", _ID, traceparent=text):
        pass
    [item] = spans.get_finished_spans()
    assert not item.links


def test_003_29_tracing_that_is_off_imports_nothing(tmp_path: Path) -> None:
    """FastAPI itself looks for the API's few names; the SDK and exporters are what costs."""
    program = (
        "import sys; from salescience_pipeline.gateway.app import create_app;"
        " from salescience_pipeline.settings import Settings; from salescience_pipeline.clients import tracing;"
        " create_app(Settings())\nwith tracing.span('x', 'y'): pass\n"
        "print([name for name in sys.modules if name.startswith(('opentelemetry.sdk', 'opentelemetry.ex'))])"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_003_04_an_error_nobody_expected_carries_the_id(tmp_path: Path, lines: io.StringIO) -> None:
    settings = Settings(home=tmp_path)
    with gateway(settings) as client:
        job_id = submit_example(client)
        with Ledger.of(settings) as ledger, ledger.engine.begin() as connection:
            connection.exec_driver_sql("alter table job_sources rename to elsewhere")
        answer = client.get(f"/status/{job_id}", params=WHOSE, headers={"X-Request-ID": _ID})
    assert (answer.status_code, answer.json()["code"], answer.json()["request_id"]) == (500, "internal", _ID)
    assert answer.headers["x-request-id"] == _ID
    assert "job_sources" not in answer.text
    told = [json.loads(line) for line in lines.getvalue().splitlines()]
    [failed] = [line for line in told if line["level"] == "error"]
    assert failed["request_id"] == _ID
    assert "no such table" in failed["traceback"]
