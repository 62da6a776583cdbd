"""The forms of GET /results: formats by name and by Accept, compressed or not, again only when something is new."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from salescience_pipeline.gateway.negotiation import FORMATS, coding_of, format_of
from salescience_pipeline.gateway.problems import Problem
from salescience_pipeline.ledger import Ledger
from salescience_pipeline.settings import Settings
from salescience_pipeline_tests.test_gateway.examples import WHOSE, finish_job, submit_example
from salescience_pipeline_tests.test_gateway.serving import gateway

_CONTENT = json.dumps({"ticker": "AAPL", "text": "line\n" * 10_000 + "ü\u2028"}, ensure_ascii=False).encode()
_ORIGIN = "https://app.example"


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[httpx.Client, str]]:
    """A gateway, and the path of a finished job's results."""
    settings = Settings(home=tmp_path_factory.mktemp("home"), gateway_origins=[_ORIGIN])
    with gateway(settings) as client, Ledger.open(settings.ledger_url) as ledger:
        job_id = submit_example(client)
        finish_job(settings, ledger, job_id, _CONTENT)
        yield client, f"/results/{job_id}"


# -- what a client wants --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("accept", "format_"),
    [
        (None, "json"),
        ("", "json"),
        ("*/*", "json"),
        ("text/html,application/xhtml+xml,*/*;q=0.8", "json"),
        ("text/csv", "csv"),
        ("text/*", "csv"),
        ("application/json;q=0.4, application/x-ndjson;q=0.5", "ndjson"),
        ("application/json;q=0, */*;q=0.1", "ndjson"),
        ("Application/VND.apache.Parquet", "parquet"),
        ("application/vnd.apache.arrow.stream; q=1.0, */*; q=nan", "arrow"),
        ("text/html", None),
        ("application/json;q=0", None),
        ("application/json;q=x", None),
        (",;=,;q", None),
    ],
)
def test_003_41_the_format_follows_from_accept(accept: str | None, format_: str | None) -> None:
    if format_ is None:
        with pytest.raises(Problem) as caught:
            format_of(None, accept)
        assert (caught.value.status, caught.value.code) == (406, "not_acceptable")
        return
    assert format_of(None, accept) == format_
    assert format_of("csv", accept) == "csv"


@pytest.mark.parametrize(
    ("accept", "coding"),
    [
        (None, None),
        ("identity", None),
        ("br", None),
        ("gzip", "gzip"),
        ("gzip, zstd", "zstd"),
        ("gzip;q=1, zstd;q=0.5", "gzip"),
        ("*", "zstd"),
        ("*;q=0", None),
        ("gzip;q=0", None),
        ("identity;q=1, gzip;q=0.5", None),
        ("GZIP;Q=0.2", "gzip"),
        ("gzip;q=nan", None),
    ],
)
def test_000_10_the_coding_follows_from_accept_encoding(accept: str | None, coding: str | None) -> None:
    assert coding_of(accept) == coding


# -- what it gets ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("by_name", [True, False], ids=["format", "accept"])
def test_003_41_every_format_holds_the_same(finished: tuple[httpx.Client, str], *, by_name: bool) -> None:
    client, path = finished

    def get(name: str) -> httpx.Response:
        chosen = (
            {"params": {**WHOSE, "format": name}}
            if by_name
            else {"params": WHOSE, "headers": {"Accept": FORMATS[name]}}
        )
        answer = client.get(path, **chosen)
        assert (answer.status_code, answer.headers["content-type"].partition(";")[0]) == (200, FORMATS[name])
        assert answer.headers["x-data-note"].startswith("Fictional")
        assert "Accept" in answer.headers["vary"]
        return answer

    envelope = get("json").json()["results"]["AAPL:Yahoo"]
    assert envelope["content"] == json.loads(_CONTENT)
    # A line separator of Unicode inside a text ends no line of NDJSON.
    lines = [json.loads(line) for line in get("ndjson").content.split(b"\n") if line]
    assert {line["key"]: line["status"] for line in lines} == {
        "AAPL:SEC:0": "skipped", "AAPL:SEC:1": "skipped", "AAPL:Yahoo": "success",
    }  # fmt: skip
    assert {name: lines[2][name] for name in envelope} == envelope
    for table in (
        pq.read_table(io.BytesIO(get("parquet").content)),
        pa.ipc.open_stream(get("arrow").content).read_all(),
    ):
        rows = {row["key"]: row for row in table.to_pylist()}
        assert rows["AAPL:Yahoo"]["content"].encode() == _CONTENT
        assert (rows["AAPL:Yahoo"]["bytes"], rows["AAPL:SEC:0"]["error"]) == (len(_CONTENT), "=cmd()")
        assert table.schema.field("filing_date").type == pa.date32()
    told = list(csv.DictReader(io.StringIO(get("csv").text)))
    assert [row["key"] for row in told] == list(rows)
    assert "content" not in told[0]


def test_003_41_metadata_alone_in_every_format(finished: tuple[httpx.Client, str]) -> None:
    client, path = finished
    params = {**WHOSE, "fields": "metadata"}
    for name in ("ndjson", "json"):
        assert b"line" not in client.get(path, params={**params, "format": name}).content
    table = pq.read_table(io.BytesIO(client.get(path, params={**params, "format": "parquet"}).content))
    assert table["content"].null_count == table.num_rows == 3


def test_003_41_what_nobody_can_make_is_refused(finished: tuple[httpx.Client, str]) -> None:
    client, path = finished
    refused = client.get(path, params=WHOSE, headers={"Accept": "application/xml"})
    assert (refused.status_code, refused.json()["code"]) == (406, "not_acceptable")
    assert client.get(path, params={**WHOSE, "format": "xml"}).status_code == 422


def _plain(coding: str, data: bytes) -> bytes:
    if coding == "gzip":
        return gzip.decompress(data)
    with zstandard.ZstdDecompressor().stream_reader(io.BytesIO(data)) as reader:
        return reader.read()


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
def test_000_10_text_travels_compressed(finished: tuple[httpx.Client, str], coding: str) -> None:
    client, path = finished
    for where, params in ((path, WHOSE), (f"{path}/AAPL:Yahoo", WHOSE), (path, {**WHOSE, "format": "arrow"})):
        plain = client.get(where, params=params, headers={"Accept-Encoding": "identity"})
        assert "content-encoding" not in plain.headers
        with client.stream("GET", where, params=params, headers={"Accept-Encoding": coding}) as answer:
            raw = b"".join(answer.iter_raw())
        assert answer.headers["content-encoding"] == coding
        assert "accept-encoding" in answer.headers["vary"].lower()
        assert len(raw) < len(plain.content) / 10
        assert _plain(coding, raw) == plain.content
        # Another representation has no strong validator in common with the plain one, and the weak one is known again.
        assert answer.headers["etag"] == f"W/{plain.headers['etag']}"
        again = client.get(
            where, params=params, headers={"Accept-Encoding": coding, "If-None-Match": answer.headers["etag"]}
        )
        assert (again.status_code, again.content) == (304, b"")


def test_000_10_what_is_compressed_cut_or_short_goes_as_it_is(finished: tuple[httpx.Client, str]) -> None:
    client, path = finished
    headers = {"Accept-Encoding": "gzip, zstd"}

    def coding(where: str, **more: str) -> tuple[int, str | None]:
        params = {**WHOSE, "format": more.pop("format")} if "format" in more else WHOSE
        answer = client.get(where, params=params, headers={**headers, **more})
        return answer.status_code, answer.headers.get("content-encoding")

    assert coding(path, format="parquet") == (200, None)
    assert coding(f"{path}/AAPL:Yahoo", Range="bytes=0-9999") == (206, None)
    assert coding(f"/status/{path.rpartition('/')[2]}") == (200, None)
    assert coding(f"/jobs/{path.rpartition('/')[2]}/events") == (200, None)
    # A download that was compressed is not resumed with bytes of the plain form.
    tag = client.get(f"{path}/AAPL:Yahoo", params=WHOSE, headers=headers).headers["etag"]
    assert coding(f"{path}/AAPL:Yahoo", Range="bytes=5-", **{"If-Range": tag}) == (200, "zstd")
    head = client.head(f"{path}/AAPL:Yahoo", params=WHOSE, headers=headers)
    assert (head.headers["content-length"], head.headers.get("content-encoding")) == (str(len(_CONTENT)), None)


def test_001_25_pages_of_allowed_origins_see_what_they_need(finished: tuple[httpx.Client, str]) -> None:
    client, path = finished
    answer = client.get(path, params=WHOSE, headers={"Origin": _ORIGIN})
    assert answer.headers["access-control-allow-origin"] == _ORIGIN
    exposed = set(answer.headers["access-control-expose-headers"].split(", "))
    assert exposed >= {
        "ETag", "X-Request-ID", "X-Next-Cursor", "X-Warehouse-Version", "X-Data-Note", "Retry-After", "Content-Range",
    }  # fmt: skip
    stranger = client.get(path, params=WHOSE, headers={"Origin": "https://evil.example"})
    assert "access-control-allow-origin" not in stranger.headers
    asked = {
        "Origin": _ORIGIN,
        "Access-Control-Request-Method": "GET",
        "Access-Control-Request-Headers": "range, x-api-key",
    }
    assert client.options(path, headers=asked).status_code == 200
    assert "access-control-allow-credentials" not in answer.headers
    for refused in (
        client.get("/status/x", params=WHOSE, headers={"Origin": _ORIGIN}),
        client.post("/submit", content=b"x" * 1_000_001, headers={"Origin": _ORIGIN}),
    ):
        assert refused.status_code in (404, 413)
        assert refused.headers["access-control-allow-origin"] == _ORIGIN


def test_000_10_a_content_too_large_for_a_cell_is_refused_before_a_byte_is_sent(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    with gateway(settings) as client, Ledger.open(settings.ledger_url) as ledger:
        job_id = submit_example(client)
        finish_job(settings, ledger, job_id, b"[" + b"1," * 50_000_000 + b"1]")
        for format_ in ("arrow", "parquet"):
            refused = client.get(f"/results/{job_id}", params={**WHOSE, "format": format_})
            assert (refused.status_code, refused.json()["code"]) == (413, "content_too_large")
        lean = client.get(f"/results/{job_id}", params={**WHOSE, "format": "arrow", "fields": "metadata"})
        assert lean.status_code == 200
