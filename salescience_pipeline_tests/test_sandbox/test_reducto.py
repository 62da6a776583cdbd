"""Reducto as emulated: the vendor's own client, unmodified, from upload to result, and each answer held to the vendor's schema.

With SALESCIENCE_CORPUS the schema is the vendor's recorded OpenAPI document, without it a small one of our own.
"""

from __future__ import annotations

import http.server
import json
import threading
import time

import httpx
import pytest
import reducto
from reducto import Reducto

from salescience_pipeline_tests.test_sandbox.reducto_schema import Shapes
from salescience_pipeline_tests.test_sandbox.serving import Served

KEY = {"Authorization": "Bearer any"}
FILING = b"""<html><head><title>not shown</title></head><body><div style="display:none">hidden</div>
<p><b>EXAMPLE CORPORATION</b></p><p>State of incorporation: Delaware</p>
<h2>Item 1. Business</h2><p>We make examples &amp; nothing else.</p><ul><li>Short ones</li></ul>
<hr style="page-break-after:always">
<h2>Item 1A. Risk Factors</h2><p>Examples may be wrong.</p>
<table><tr><th></th><th>2025</th><th>2024</th></tr><tr><td>Total revenue</td><td>$ 1,234</td><td>(5)</td></tr></table>
<p>/s/ A. Person</p></body></html>"""
SHAPES = Shapes()


@pytest.fixture
def client(sandbox: Served):
    with Reducto(api_key="any", base_url=f"{sandbox.url}/reducto", timeout=20.0) as made:
        yield made


def raw(sandbox: Served, method: str, path: str, schema: str | None, status: int = 200, **kwargs) -> dict:
    answer = sandbox.http.request(method, f"/reducto{path}", headers=KEY, **kwargs)
    assert answer.status_code == status, answer.text
    if schema is not None:
        SHAPES.check(schema, answer.json())
    return answer.json()


def uploaded(sandbox: Served, data: bytes = FILING) -> str:
    return raw(sandbox, "POST", "/upload?extension=htm", "UploadResponse", files={"file": ("a.htm", data)})["file_id"]


def switched(sandbox: Served, **switches) -> None:
    assert sandbox.http.post("/_sandbox/switches", json={"reducto": switches}).status_code == 200


# -- the vendor's client ----------------------------------------------------------------------------------------------


def test_the_official_client_reads_a_document_from_upload_to_blocks(client: Reducto) -> None:
    upload = client.upload(file=("a.htm", FILING), extension="htm")
    assert upload.file_id.startswith("reducto://")
    answer = client.parse.run(input=upload.file_id, retrieval={"chunking": {"chunk_mode": "page"}})
    assert answer.usage.num_pages == 2
    assert answer.usage.credits == 1.0
    assert [len(chunk.blocks) for chunk in answer.result.chunks] == [5, 4]
    blocks = [block for chunk in answer.result.chunks for block in chunk.blocks]
    assert [block.type for block in blocks] == [
        "Title", "Key Value", "Section Header", "Text", "List Item", "Section Header", "Text", "Table", "Signature",
    ]  # fmt: skip
    assert blocks[3].content == "We make examples & nothing else."
    assert "| Total revenue | $ 1,234 | (5) |" in blocks[7].content
    assert [block.bbox.page for block in blocks] == [1] * 5 + [2] * 4


def test_the_official_client_follows_a_job_to_a_result_at_another_address(sandbox: Served, client: Reducto) -> None:
    upload = client.upload(file=("a.htm", FILING))
    job_id = client.parse.run_job(input=upload, settings={"force_url_result": True}).job_id
    job = client.job.get(job_id)
    assert job.status == "Completed"
    assert job.result.result.type == "url"
    found = httpx.get(job.result.result.url).json()
    assert found["type"] == "full"
    again = client.parse.run(input=f"jobid://{job_id}")
    assert [chunk.content for chunk in again.result.chunks] == [chunk["content"] for chunk in found["chunks"]]
    assert [item.job_id for item in client.job.get_all().jobs][1] == job_id
    client.job.delete(job_id)
    with pytest.raises(reducto.NotFoundError):
        client.job.get(job_id)


def test_the_official_client_extracts_splits_and_classifies(client: Reducto) -> None:
    file_id = client.upload(file=("a.htm", FILING)).file_id
    schema = {
        "type": "object",
        "properties": {
            "total_revenue": {"type": "number"},
            "state_of_incorporation": {"type": "string"},
            "absent": {"type": "string"},
        },
    }  # fmt: skip
    plain = client.extract.run(input=file_id, instructions={"schema": schema})
    assert plain.result == [{"total_revenue": 1234, "state_of_incorporation": "Delaware", "absent": None}]
    cited = client.extract.run(
        input=file_id, instructions={"schema": schema}, settings={"citations": {"enabled": True}}
    )
    assert cited.result["total_revenue"]["value"] == 1234
    assert cited.result["total_revenue"]["citations"][0]["bbox"]["page"] == 2
    parts = [
        {"name": "Business", "description": "What it does"},
        {"name": "Risk Factors", "description": "What may fail"},
    ]
    split = client.split.run(input=file_id, split_description=parts)
    assert {part.name: part.pages for part in split.result.splits} == {"Business": [1, 2], "Risk Factors": [2]}
    kinds = [
        {"category": "recipe", "criteria": ["sugar and flour"]},
        {"category": "report", "criteria": ["risk factors"]},
    ]
    assert client.classify.run(input=file_id, classification_schema=kinds).result.category == "report"
    done = client.pipeline.run(input=file_id, pipeline_id="sandbox-parse")
    assert done.result.parse.usage.num_pages == 2


def test_the_official_client_retries_what_passes_and_names_what_does_not(sandbox: Served, client: Reducto) -> None:
    file_id = client.upload(file=("a.htm", FILING)).file_id
    sandbox.fault(provider="reducto", endpoint="parse", kind="limit", times=1)
    assert client.parse.run(input=file_id).usage.num_pages == 2
    with pytest.raises(reducto.UnprocessableEntityError):
        client.parse.run(input=file_id, retrieval={"chunking": {"chunk_mode": "by_moon"}})
    with pytest.raises(reducto.AuthenticationError):
        client.copy(api_key="wrong").parse.run(input=file_id)
    with pytest.raises(reducto.NotFoundError):
        client.parse.run(input="reducto://nothing")
    with pytest.raises(reducto.APIStatusError) as refused:
        client.edit.run(document_url=file_id, edit_instructions="Fill it.")
    assert refused.value.status_code == 415
    assert client.api_version()


# -- the vendor's schema ----------------------------------------------------------------------------------------------


@pytest.mark.corpus
def test_every_answer_has_the_vendors_shape(sandbox: Served) -> None:
    file_id = uploaded(sandbox)
    raw(sandbox, "POST", "/upload", "UploadResponse")
    schema = {"type": "object", "properties": {"revenue": {"type": "number"}}}
    bodies = {
        "parse": ({}, "ParseResponse"),
        "extract": ({"instructions": {"schema": schema}}, "ExtractResponse"),
        "split": ({"split_description": [{"name": "Business", "description": ""}]}, "SplitResponse"),
        "classify": ({"classification_schema": [{"category": "a", "criteria": ["b"]}]}, "ClassifyResponse"),
        "pipeline": ({"pipeline_id": "sandbox-parse"}, "PipelineResponse"),
    }
    for kind, (extra, name) in bodies.items():
        raw(sandbox, "POST", f"/{kind}", name, json={"input": file_id, **extra})
        job = raw(sandbox, "POST", f"/{kind}_async", "AsyncParseResponse", json={"input": file_id, **extra})
        assert raw(sandbox, "GET", f"/job/{job['job_id']}", "AsyncJobResponse")["status"] == "Completed"
    cited = {"instructions": {"schema": schema}, "settings": {"citations": {"enabled": True}}}
    raw(sandbox, "POST", "/extract", "V3ExtractResponse", json={"input": file_id, **cited})
    for mode in ("disabled", "variable", "section", "page", "block", "page_sections"):
        options = {"retrieval": {"chunking": {"chunk_mode": mode}}, "settings": {"force_url_result": mode == "block"}}
        raw(sandbox, "POST", "/parse", "ParseResponse", json={"input": file_id, **options})
    raw(sandbox, "GET", "/jobs?limit=5", "JobsResponse")
    for body in (
        {},
        {"input": file_id, "retrieval": {"chunking": {"chunk_mode": 7}}},
        {"input": file_id, "retrieval": []},
    ):
        raw(sandbox, "POST", "/parse", "HTTPValidationError", 422, json=body)
    raw(sandbox, "POST", "/split", "HTTPValidationError", 422, json={"input": file_id, "split_description": [{}]})
    raw(sandbox, "POST", "/parse", "HTTPValidationError", 422, content=b"no json")


def test_a_job_fails_by_name_and_can_be_cancelled(sandbox: Served) -> None:
    for data, name in ((b" ", "DOCUMENT_EMPTY"), (b"%PDF-1.7 ...", "DOCUMENT_UNSUPPORTED")):
        job = raw(sandbox, "POST", "/parse_async", None, json={"input": uploaded(sandbox, data)})
        state = raw(sandbox, "GET", f"/job/{job['job_id']}", "AsyncJobResponse")
        assert (state["status"], state["error"]["name"]) == ("Failed", name)
    switched(sandbox, fail_with="QUEUE_FULL")
    job = raw(sandbox, "POST", "/parse_async", None, json={"input": uploaded(sandbox)})
    assert raw(sandbox, "GET", f"/job/{job['job_id']}", None)["error"]["name"] == "QUEUE_FULL"
    switched(sandbox, fail_with=None, job_seconds=600)
    job = raw(sandbox, "POST", "/parse_async", None, json={"input": uploaded(sandbox)})
    assert raw(sandbox, "GET", f"/job/{job['job_id']}", "AsyncJobResponse")["status"] == "Pending"
    raw(sandbox, "POST", f"/cancel/{job['job_id']}", None)
    assert raw(sandbox, "GET", f"/job/{job['job_id']}", "AsyncJobResponse")["error"]["name"] == "JOB_CANCELLED"


def test_a_filing_is_read_from_the_sandboxs_own_address_and_from_no_other(sandbox: Served) -> None:
    page = f"{sandbox.url}/edgar/files/company_tickers.json"
    assert raw(sandbox, "POST", "/parse", "ParseResponse", json={"input": page})["usage"]["num_pages"] == 1
    for url in ("http://127.0.0.1:1/a.htm", "file:///etc/passwd", f"{sandbox.url}/reducto/version"):
        refused = raw(sandbox, "POST", "/parse", None, 400, json={"input": url})
        assert refused["error"]["type"] == "url_not_allowed"


def test_a_presigned_address_takes_the_document_without_a_key(sandbox: Served) -> None:
    promised = raw(sandbox, "POST", "/upload?extension=htm", "UploadResponse")
    assert httpx.put(promised["presigned_url"], content=FILING).status_code == 200
    assert (
        raw(sandbox, "POST", "/parse", "ParseResponse", json={"input": promised["file_id"]})["usage"]["num_pages"] == 2
    )


def test_a_webhook_is_told_when_the_job_has_ended_and_again_after_a_refusal(sandbox: Served) -> None:
    told: list[dict] = []

    class Hook(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            told.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(500 if len(told) == 1 else 200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hook) as hook:
        threading.Thread(target=hook.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{hook.server_port}/"
        body = {"input": uploaded(sandbox), "async": {"webhook": {"mode": "direct", "url": url}, "metadata": {"a": 1}}}
        job = raw(sandbox, "POST", "/parse_async", "AsyncParseResponse", json=body)
        until = time.monotonic() + 20
        while len(told) < 2 and time.monotonic() < until:
            time.sleep(0.02)
        hook.shutdown()
    assert told == [{"status": "Completed", "job_id": job["job_id"], "metadata": {"a": 1}}] * 2
