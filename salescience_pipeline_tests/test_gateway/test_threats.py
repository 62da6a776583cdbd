"""The threat table (features.md, section 4), as far as it is about the gateway and what is shipped; and no row untested.

Rows that belong to other rooms are tried there; their tests carry ``threat_<row>`` in their names as well.
"""

from __future__ import annotations

import ast
import gzip
import json
import re
import socket
import time
import zlib
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from salescience_pipeline.gateway.app import create_app
from salescience_pipeline.gateway.connections import PatientProtocol
from salescience_pipeline.identifiers import (
    Accession,
    Cik,
    FileName,
    InvalidIdentifier,
    OrganizationId,
    RequestId,
    TableName,
    Ticker,
)
from salescience_pipeline.settings import Settings
from salescience_pipeline_tests.test_gateway.examples import SUBMISSION, WHOSE
from salescience_pipeline_tests.test_gateway.serving import served

ROOT = Path(__file__).resolve().parents[2]
_ROWS = {
    1: "organisations apart", 2: "identifiers as paths and SQL", 3: "SSRF", 4: "header smuggling", 5: "SQL API",
    6: "secrets", 7: "Dagster's web server", 8: "decompression bombs", 9: "XML bombs", 10: "hostile HTML",
    11: "formulas in CSV", 12: "prompt injection", 13: "pickle", 14: "replay", 15: "flooding", 16: "keys at rest",
    17: "audit tampering", 18: "breaker poisoning and clock skew", 19: "Kafka", 20: "answers of providers", 21: "supply chain",
    22: "ReDoS",
}  # fmt: skip
_HOSTILE = (
    "../../etc/passwd", "..", "a/../b", "%2e%2e%2f", "a\nb", "a\r\nSet-Cookie: x=y", "AAPL\x00", "con", "x" * 300,
    "\N{CYRILLIC CAPITAL LETTER A}APL", "AAPL|MSFT", "' OR 1=1 --", '"; drop table jobs; --', "$(id)", "{{7*7}}",
    "\N{RIGHT-TO-LEFT OVERRIDE}LPAA", "-" * 20, "file:///etc/passwd",
)  # fmt: skip


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A gateway that needs no key."""
    settings = Settings(home=tmp_path_factory.mktemp("home"))
    with served(create_app(settings)) as url, httpx.Client(base_url=url, timeout=30) as made:
        yield made


def test_every_row_of_the_threat_table_has_a_test() -> None:
    found: dict[int, list[str]] = defaultdict(list)
    for path in (ROOT / "salescience_pipeline_tests").rglob("test_*.py"):
        for name in re.findall(r"^def (test_\w*threat_\w+)", path.read_text("utf-8"), re.MULTILINE):
            for numbers in re.findall(r"threat_(\d+(?:_and_\d+)*)(?=_|$)", name):
                for number in numbers.split("_and_"):
                    found[int(number)].append(name)
    assert {row: name for row, name in _ROWS.items() if not found[row]} == {}


# -- row 2 ------------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", [Ticker, Cik, Accession, OrganizationId, RequestId, FileName, TableName])
@given(text=st.one_of(st.sampled_from(_HOSTILE), st.text(max_size=40)))
def test_threat_2_any_string_is_refused_or_harmless(kind: type[str], text: str) -> None:
    try:
        made = kind(text)
    except InvalidIdentifier:
        return
    path = Path("/root/of/all") / made
    assert path.parent == Path("/root/of/all")
    assert made.isascii()
    assert made.isprintable()
    assert not set(made) & set("/\\\"';|$`\x00") - (set("'") if kind is FileName else set())
    assert kind(str(made)) == made


@pytest.mark.parametrize("text", _HOSTILE)
def test_threat_2_hostile_text_is_refused_in_every_field(client: httpx.Client, text: str) -> None:
    company = {"ticker": "AAPL", "sec": True}
    bodies = (
        {**SUBMISSION, "companies": [{"ticker": text}]},
        {**SUBMISSION, "companies": [{"cik": text}]},
        {**SUBMISSION, "companies": [company], "organization_id": text},
        {**SUBMISSION, "companies": [company], "form_type": text},
    )
    for body in bodies:
        if body["organization_id"] == "con" or body["companies"] == [{"ticker": "con"}]:
            continue  # a device's name on some systems; here a name like any other
        answer = client.post("/submit", json=body)
        assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json"), body
    user = client.post("/submit", json={**SUBMISSION, "user_id": text[:127]})
    assert user.status_code == (422 if not text.isprintable() and "\N{RIGHT-TO-LEFT OVERRIDE}" not in text else 202)
    assert client.get("/jobs", params=WHOSE).status_code == 200


# -- row 4 ------------------------------------------------------------------------------------------------------------------
def _raw(client: httpx.Client, data: bytes) -> bytes:
    """What the server says to these bytes until it is done or closes."""
    with socket.create_connection((client.base_url.host, client.base_url.port or 80), timeout=10) as wire:
        wire.sendall(data)
        wire.shutdown(socket.SHUT_WR)
        said = b""
        while piece := wire.recv(65_536):
            said += piece
    return said


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
        b"Content-Length: 4\r\nContent-Length: 40\r\n",
        b"Content-Length: +4\r\n",
        b"Content-Length: 4, 40\r\n",
        b"Transfer-Encoding: chunked, identity\r\n",
        b"Transfer-Encoding : chunked\r\n",
        b"X-A: b\r\n folded: c\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n",
        b"X-A\x00: b\r\nContent-Length: 0\r\n",
    ],
    ids=["both", "two lengths", "signed", "list", "not last", "space", "folded", "NUL"],
)
def test_threat_4_a_request_that_two_servers_read_differently_is_not_served(client: httpx.Client, head: bytes) -> None:
    """The bytes behind must never be taken for a second request."""
    smuggled = b"GET /smuggled HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    body = b"0\r\n\r\n" + smuggled
    said = _raw(client, b"POST /submit HTTP/1.1\r\nHost: 127.0.0.1\r\n" + head + b"\r\n" + body)
    statuses = re.findall(rb"HTTP/1\.1 (\d{3})", said)
    assert b"404" not in statuses, said
    assert not statuses or statuses[0].startswith(b"4"), said


@pytest.mark.parametrize(
    "hosts", [b"", b"Host: 127.0.0.1\r\nHost: evil.example\r\n", b"Host: evil.example\r\nHost: 127.0.0.1\r\n"]
)
def test_threat_4_a_request_names_exactly_one_host(client: httpx.Client, hosts: bytes) -> None:
    said = _raw(client, b"GET /status?organization_id=acme HTTP/1.1\r\n" + hosts + b"Connection: close\r\n\r\n")
    assert said.startswith(b"HTTP/1.1 400 "), said
    assert b'"code": "bad_request"' in said


def test_threat_4_no_header_makes_a_caller_somebody_else(tmp_path: Path) -> None:
    claims = {
        "X-Forwarded-For": "127.0.0.1", "X-Real-IP": "127.0.0.1", "Forwarded": "for=127.0.0.1;host=127.0.0.1",
        "X-Organization-ID": "acme-corp", "X-User": "admin", "X-HTTP-Method-Override": "DELETE",
    }  # fmt: skip
    with (
        served(create_app(Settings(home=tmp_path, gateway_auth="api_key"))) as url,
        httpx.Client(base_url=url) as client,
    ):
        assert client.get("/jobs", headers=claims, params=WHOSE).status_code == 401
    with served(create_app(Settings(home=tmp_path))) as url, httpx.Client(base_url=url) as client:
        for name in ("Host", "X-Forwarded-Host"):
            answer = client.get("/jobs", headers={name: "evil.example"}, params=WHOSE)
            assert answer.status_code == (403 if name == "Host" else 200)


def test_threat_4_no_answer_carries_a_header_of_the_callers_making(client: httpx.Client) -> None:
    said = _raw(
        client,
        b"GET /status/x%0d%0aSet-Cookie:%20a=b HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Request-ID: abcdefgh%0d%0aX-Evil: 1\r\n"
        b"Connection: close\r\n\r\n",
    )
    head = said.partition(b"\r\n\r\n")[0].lower()
    assert b"set-cookie" not in head
    assert b"x-evil" not in head


# -- row 7 ------------------------------------------------------------------------------------------------------------------
def test_threat_7_nothing_publishes_dagsters_web_server() -> None:
    services = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text())["services"]
    published = [str(port) for service in services.values() for port in service.get("ports", ())]
    assert not [port for port in published if "3000" in port or "4000" in port]
    rules = (ROOT / "deploy" / "nginx.conf").read_text()
    graphql = rules[rules.index("location = /graphql") :]
    assert 'if ($plain_get = "GET:") { return 405; }' in graphql
    for place in re.split(r"location ", rules)[1:]:
        assert "if ($salescience_foreign) { return 403; }" in place
    assert "auth_basic_user_file" in rules


# -- row 8 ------------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd", "gzip, gzip", "GZIP"])
def test_threat_8_a_coded_request_body_is_not_unpacked(client: httpx.Client, coding: str) -> None:
    bomb = gzip.compress(b" " * 50_000_000, 6) if "gzip" in coding.lower() else zlib.compress(b" " * 50_000_000)
    assert len(bomb) < 100_000
    headers = {"Content-Encoding": coding, "Content-Type": "application/json"}
    refused = client.post("/submit", content=bomb, headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (415, "coded_body")
    plain = client.post("/submit", content=json.dumps(SUBMISSION), headers={**headers, "Content-Encoding": "identity"})
    assert plain.status_code == 202


# -- row 13 -----------------------------------------------------------------------------------------------------------------
_UNSAFE = ("pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal")


def test_threat_13_nothing_unpickles() -> None:
    """No module of ours imports what makes objects out of bytes, and YAML is read as data."""
    wrong = []
    for path in [*(ROOT / "salescience_pipeline").rglob("*.py"), *(ROOT / "benchmarks").rglob("*.py")]:
        text = path.read_text("utf-8")
        if not re.search(rf"\b({'|'.join(_UNSAFE)}|eval|exec|yaml)\b", text):
            continue
        for node in ast.walk(ast.parse(text)):
            names = (
                [alias.name for alias in node.names] if isinstance(node, ast.Import)
                else [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            )  # fmt: skip
            wrong += [(path.name, name) for name in names if name.split(".")[0] in _UNSAFE]
            if isinstance(node, ast.Call) and ast.unparse(node.func) in (
                "yaml.load",
                "yaml.unsafe_load",
                "eval",
                "exec",
            ):
                wrong.append((path.name, ast.unparse(node.func)))
    assert wrong == []


# -- row 15 -----------------------------------------------------------------------------------------------------------------
class _Hasty(PatientProtocol):
    """Waits a fifth of a second."""

    head_seconds = 0.2


def _wait_for_end(wire: socket.socket) -> bytes:
    said = b""
    while piece := wire.recv(4_096):
        said += piece
    return said


@pytest.mark.parametrize(
    "start",
    [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: 1\r\n"],
    ids=["nothing", "line", "headers"],
)
def test_threat_15_a_request_head_that_never_ends_is_let_go(tmp_path: Path, start: bytes) -> None:
    with served(create_app(Settings(home=tmp_path)), http=_Hasty) as url:
        where = (httpx.URL(url).host, httpx.URL(url).port or 80)
        with socket.create_connection(where, timeout=10) as wire:
            wire.sendall(start)
            assert b" 408 " in _wait_for_end(wire)
        # The second request of a connection has a deadline of its own, and a byte now and then does not move it.
        with socket.create_connection(where, timeout=10) as wire:
            wire.sendall(b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            assert b" 200 " in wire.recv(4_096)
            assert _drip(wire) < 100


def _drip(wire: socket.socket) -> int:
    """Send a byte of a request now and then; how many were taken until the other side had enough."""
    for sent in range(200):
        try:
            wire.sendall(b"E")
        except OSError:
            return sent
        time.sleep(0.05)
    return 200


def test_threat_15_a_request_head_without_end_is_refused(client: httpx.Client) -> None:
    with socket.create_connection((client.base_url.host, client.base_url.port or 80), timeout=10) as wire:
        wire.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n")
        said = b""
        try:
            for at in range(4_000):
                wire.sendall(b"X-%d: %s\r\n" % (at, b"x" * 1_000))
        except OSError:
            pass
        else:
            raise AssertionError("four megabytes of headers were taken")
        try:
            said = _wait_for_end(wire)
        except OSError:
            return  # reset with our bytes unread: let go all the same
    assert not said or b" 4" in said.splitlines()[0]


def test_threat_15_many_at_once_are_told_to_wait(client: httpx.Client) -> None:
    many = {**SUBMISSION, "companies": [{"ticker": f"T{at}"} for at in range(501)]}
    assert client.post("/submit", json=many).status_code == 422
    assert client.post("/submit", json={**SUBMISSION, "n_years": 31}).status_code == 422
    assert client.get("/jobs", params={**WHOSE, "limit": 201}).status_code == 422


# -- row 21 -----------------------------------------------------------------------------------------------------------------
def test_threat_21_what_is_installed_is_pinned_and_runs_as_nobody_special() -> None:
    pins = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if line and not line.startswith("#")]
    assert [pin for pin in pins if not re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.+!]+", pin)] == []
    stages = (ROOT / "deploy" / "Dockerfile").read_text()
    assert len(re.findall(r"^FROM ", stages, re.MULTILINE)) >= 2
    assert "-c constraints.txt" in stages
    user = re.findall(r"^USER (\S+)", stages, re.MULTILINE)
    assert user
    assert user[-1] not in ("root", "0")
    assert "HEALTHCHECK" in stages
