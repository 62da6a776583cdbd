"""Faults on demand: which requests they strike, what each does to an answer, which rules are refused."""

from __future__ import annotations

import gzip
import json
import time
import zlib

import httpx
import pytest

from salescience_pipeline.sandbox.faults import BadRule, Faults, bomb
from salescience_pipeline_tests.test_sandbox.calls import PRICES
from salescience_pipeline_tests.test_sandbox.serving import TOKEN

LONG = f"{PRICES}?startDate=2026-01-01"


def test_a_status_fault_strikes_as_often_as_it_says_and_is_counted(sandbox):
    sandbox.fault(provider="tiingo", kind="status", times=2, params={"status": 503, "retry_after": 7})
    statuses = [sandbox.get(PRICES, headers=TOKEN).status_code for _ in range(4)]
    assert statuses == [503, 503, 200, 200]
    stats = sandbox.stats()["providers"]["tiingo"]
    assert stats["statuses"] == {"200": 2, "503": 2}
    assert stats["faults"] == 2


def test_retry_after_is_sent_when_asked_for(sandbox):
    sandbox.fault(provider="tiingo", kind="status", params={"status": 429, "retry_after": 7})
    response = sandbox.get(PRICES, headers=TOKEN)
    assert (response.status_code, response.headers["retry-after"]) == (429, "7")


def test_a_fault_keeps_to_its_endpoint_and_to_its_pattern(sandbox):
    sandbox.fault(provider="tiingo", endpoint="meta", kind="status", params={"status": 500})
    sandbox.fault(provider="tiingo", match="CALDQ.*startDate=2026", kind="status", params={"status": 502})
    assert sandbox.get("/tiingo/tiingo/daily/ALDRN", headers=TOKEN).status_code == 500
    assert sandbox.get(LONG, headers=TOKEN).status_code == 200
    assert sandbox.get(LONG.replace("ALDRN", "CALDQ"), headers=TOKEN).status_code == 502


def test_once_per_url_means_each_url_fails_once(sandbox):
    sandbox.fault(provider="tiingo", kind="status", per_url=True, params={"status": 503})
    paths = [f"{PRICES}?startDate=2026-11-{day:02d}" for day in (2, 3, 4)]
    assert [sandbox.get(path, headers=TOKEN).status_code for path in paths] == [503] * 3
    assert [sandbox.get(path, headers=TOKEN).status_code for path in paths] == [200] * 3


def test_every_nth_request_and_a_probability(sandbox):
    sandbox.fault(provider="tiingo", endpoint="prices", every=3, kind="status", params={"status": 500})
    assert [sandbox.get(PRICES, headers=TOKEN).status_code for _ in range(6)] == [200, 200, 500] * 2
    rule = sandbox.fault(provider="tiingo", endpoint="meta", probability=0.5, kind="status", params={"status": 500})
    statuses = [sandbox.get("/tiingo/tiingo/daily/ALDRN", headers=TOKEN).status_code for _ in range(60)]
    assert 10 < statuses.count(500) < 50
    rules = sandbox.get("/_sandbox/faults").json()["faults"]
    assert next(r for r in rules if r["id"] == rule["id"])["done"] == statuses.count(500)


def test_faults_are_dropped_one_by_one_or_all(sandbox):
    one = sandbox.fault(provider="tiingo", kind="empty")
    sandbox.fault(provider="tiingo", kind="html")
    left = sandbox.http.delete(f"/_sandbox/faults?id={one['id']}").json()["faults"]
    assert [rule["kind"] for rule in left] == ["html"]
    assert sandbox.http.delete("/_sandbox/faults").json() == {"faults": []}
    assert sandbox.get(PRICES, headers=TOKEN).json()


def test_a_cut_body_promises_more_than_it_gives(sandbox):
    whole = sandbox.get(LONG, headers={**TOKEN, "Accept-Encoding": "identity"}).content
    sandbox.fault(provider="tiingo", kind="cut", params={"bytes": 1000})
    with sandbox.http.stream("GET", LONG, headers={**TOKEN, "Accept-Encoding": "identity"}) as response:
        assert int(response.headers["content-length"]) == len(whole)
        received: list[bytes] = []
        with pytest.raises(httpx.RemoteProtocolError):
            received.extend(response.iter_raw())
    assert b"".join(received) == whole[:1000]
    assert sandbox.stats()["providers"]["tiingo"]["statuses"] == {"200": 1, "cut": 1}


def test_a_cut_gzip_stream_is_whole_for_http_and_broken_for_gzip(sandbox):
    sandbox.fault(provider="tiingo", kind="cut_gzip", times=1)
    with sandbox.http.stream("GET", LONG, headers=TOKEN) as response:
        raw = b"".join(response.iter_raw())
        assert response.headers["content-encoding"] == "gzip"
        assert int(response.headers["content-length"]) == len(raw)
    with pytest.raises(EOFError):
        gzip.decompress(raw)


def test_a_timeout_fault_accepts_and_never_answers(sandbox):
    sandbox.fault(provider="tiingo", kind="timeout", times=1)
    with pytest.raises(httpx.ReadTimeout):
        sandbox.get(PRICES, headers=TOKEN, timeout=0.3)
    assert sandbox.get(PRICES, headers=TOKEN).status_code == 200


def test_a_reset_ends_the_connection_without_an_answer(sandbox):
    sandbox.fault(provider="tiingo", kind="reset", times=1)
    with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
        sandbox.get(PRICES, headers=TOKEN)
    assert sandbox.get(PRICES, headers=TOKEN).status_code == 200
    assert sandbox.stats()["providers"]["tiingo"]["statuses"]["reset"] == 1


def test_html_empty_and_broken_json_come_with_status_200(sandbox):
    sandbox.fault(provider="tiingo", kind="html", times=1)
    sandbox.fault(provider="tiingo", kind="empty", times=1)
    sandbox.fault(provider="tiingo", kind="not_json", times=1)
    html, empty, broken = (sandbox.get(PRICES, headers=TOKEN) for _ in range(3))
    assert {html.status_code, empty.status_code, broken.status_code} == {200}
    assert html.headers["content-type"].startswith("text/html")
    assert empty.content == b""
    assert empty.headers["content-length"] == "0"
    with pytest.raises(json.JSONDecodeError):
        broken.json()


def test_latency_and_slow_bodies_take_their_time_and_stay_whole(sandbox):
    whole = sandbox.get(PRICES, headers=TOKEN).content
    sandbox.fault(provider="tiingo", kind="latency", params={"ms": 80})
    sandbox.fault(provider="tiingo", kind="slow", params={"bytes_per_s": 2000})
    began = time.monotonic()
    assert sandbox.get(PRICES, headers=TOKEN).content == whole
    assert time.monotonic() - began >= 0.08 + len(whole) / 2000 - 0.1


def test_latency_does_not_use_up_the_other_faults(sandbox):
    sandbox.fault(provider="tiingo", kind="latency", params={"ms": 1})
    sandbox.fault(provider="tiingo", kind="status", params={"status": 500})
    assert sandbox.get(PRICES, headers=TOKEN).status_code == 500


@pytest.mark.parametrize("size", [0, 1, 999_999, 1_000_000, 3_500_001])
def test_a_gzip_bomb_is_valid_gzip_of_the_size_that_was_asked_for(size):
    assert gzip.decompress(b"".join(bomb(size))) == b" " * size


def test_a_gzip_bomb_is_small_on_the_wire(sandbox):
    sandbox.fault(provider="tiingo", kind="gzip_bomb", params={"size": 50_000_000})
    unpacker, decoded, sent = zlib.decompressobj(31), 0, 0
    with sandbox.http.stream("GET", PRICES, headers=TOKEN) as response:
        assert response.headers["content-encoding"] == "gzip"
        for piece in response.iter_raw():
            sent += len(piece)
            decoded += len(unpacker.decompress(piece))
    assert unpacker.eof
    assert decoded == 50_000_000
    assert sent < 100_000


def test_the_limit_fault_speaks_in_the_providers_own_words(sandbox):
    sandbox.fault(provider="tiingo", kind="limit", params={"window": "hour"})
    sandbox.fault(provider="yahoo", kind="limit")
    refused = sandbox.get(PRICES, headers=TOKEN)
    assert refused.status_code == 429
    assert "hourly request allocation" in refused.json()["detail"]
    refused = sandbox.get("/yahoo/v8/finance/chart/ALDRN")
    assert (refused.status_code, refused.text.strip()) == (429, "Too Many Requests")


@pytest.mark.parametrize(
    "rule",
    [
        {"provider": "tiingo", "kind": "explode"},
        {"provider": "tiingo", "kind": "empty", "match": "("},
        {"provider": "tiingo", "kind": "empty", "tims": 1},
        {"provider": "tiingo", "kind": "empty", "times": "often"},
        {"provider": "tiingo", "kind": "empty", "every": 0},
        {"provider": "tiingo", "kind": "empty", "probability": 2},
        {"provider": "tiingo", "kind": "status", "params": {"status": "bad"}},
        {"provider": "tiingo", "kind": "status", "params": [503]},
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(sandbox, rule):
    response = sandbox.http.post("/_sandbox/faults", json=rule)
    assert response.status_code == 400
    assert response.json()["error"].endswith(".")
    with pytest.raises(BadRule):
        Faults().add(rule)
