"""The server around the emulated providers: start, end, counters, faults, limits, leases. All of it over real HTTP."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import signal
import socket
import subprocess
import sys
import time
import zlib
from pathlib import Path

import httpx
import pytest

from salescience_pipeline.sandbox.faults import BadRule, Faults, bomb
from salescience_pipeline.sandbox.limits import Limit, Limits
from salescience_pipeline.sandbox.server import process_alive
from salescience_pipeline.sandbox.stats import Meter
from salescience_pipeline_tests.test_sandbox.serving import (
    LAST,
    PRICE_PROVIDERS,
    TODAY,
    TOKEN,
    command,
    running,
    wait_for,
)

PRICES = "/tiingo/tiingo/daily/ALDRN/prices"
LONG = f"{PRICES}?startDate=2026-01-01"
SERVES = PRICE_PROVIDERS


# -- life -------------------------------------------------------------------------------------------------------------


def test_the_state_file_says_where_it_is_and_goes_with_the_server(tmp_path):
    state_file = tmp_path / "deep" / "state.json"
    process = subprocess.Popen(
        command(*PRICE_PROVIDERS, "--seed", "9", state_file=state_file), stdout=subprocess.PIPE, text=True
    )
    state = wait_for(state_file, process)
    assert state == {
        "url": f"http://127.0.0.1:{state['port']}",
        "port": state["port"],
        "pid": process.pid,
        "world": "fictional",
        "seed": 9,
        "today": TODAY,
    }
    assert httpx.get(f"{state['url']}/_sandbox/health").json()["status"] == "ok"
    process.terminate()
    out, _ = process.communicate(timeout=10)
    assert process.returncode == 0
    assert out.count("\n") == 1
    assert state["url"] in out
    assert not state_file.exists()


def _ignore_both():
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_cleanly_on_a_signal_that_its_parent_ignored(number):
    with running(*PRICE_PROVIDERS, preexec_fn=_ignore_both) as served:
        served.process.send_signal(number)
        assert served.process.wait(10) == 0


def test_a_request_without_an_answer_does_not_keep_it_alive():
    with running(*PRICE_PROVIDERS) as served:
        served.fault(provider="tiingo", kind="timeout")
        with socket.create_connection(("127.0.0.1", served.state["port"])) as hanging:
            hanging.sendall(f"GET {PRICES} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            deadline = time.monotonic() + 20
            while not served.stats()["providers"]:
                assert time.monotonic() < deadline
                time.sleep(0.01)
            served.process.terminate()
            assert served.process.wait(10) == 0


def test_it_ends_when_the_last_lease_is_gone():
    sleeper = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    with running(*PRICE_PROVIDERS, "--exit-with-leases") as served:
        assert served.http.post("/_sandbox/lease", json={"pid": sleeper.pid}).json() == {"leases": [sleeper.pid]}
        assert served.http.post("/_sandbox/lease", json={"pid": os.getpid()}).status_code == 200
        sleeper.communicate(b"\n")
        deadline = time.monotonic() + 20
        while served.http.get("/_sandbox/lease").json()["leases"] != [os.getpid()]:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        served.http.request("DELETE", "/_sandbox/lease", json={"pid": os.getpid()})
        assert served.process.wait(20) == 0


def test_it_ends_when_nobody_takes_a_lease():
    code = (
        "from salescience_pipeline.sandbox import app, server;"
        "server.serve(app.build(providers=()), by_leases=True, first_lease_seconds=0.2)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, timeout=30).returncode == 0


def test_a_process_that_ended_without_being_collected_is_not_alive():
    child = subprocess.Popen([sys.executable, "-c", ""])
    deadline = time.monotonic() + 20
    while process_alive(child.pid):  # it stays a zombie until wait() below
        assert time.monotonic() < deadline
        time.sleep(0.01)
    child.wait()
    assert process_alive(os.getpid())
    assert not process_alive(2**22 + 12345)


@pytest.mark.parametrize(
    "arguments",
    [
        ("--companies", "0"),
        ("--world", "corpus"),
        ("--limits", "/nowhere/limits.json"),
        ("--today", "yesterday"),
        ("--port", "1"),
        ("--providers", "edgar,nobody"),
    ],
)
def test_arguments_that_make_no_sense_end_with_a_sentence(arguments, tmp_path):
    stack = contextlib.ExitStack()
    if arguments == ("--port", "1") and os.geteuid() == 0:
        # Root may take port 1, so a port that is in use stands in for it.
        taken = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        arguments = ("--port", str(taken.getsockname()[1]))
    call = [sys.executable, "-m", "salescience_pipeline.sandbox", *arguments]
    done = subprocess.run(call, check=False, capture_output=True, text=True, timeout=30)
    stack.close()
    assert done.returncode == 2
    assert done.stderr.strip()
    assert "Traceback" not in done.stderr


def test_it_imports_no_other_room_and_no_heavy_library():
    code = (
        "import sys; from salescience_pipeline.sandbox import app, server;"
        "app.build(providers=('yahoo', 'tiingo'));"
        "own = [m for m in sys.modules if m.startswith('salescience_pipeline.')];"
        "print([m for m in own if not m.startswith(('salescience_pipeline.sandbox', 'salescience_pipeline.identifiers'))],"
        "[m for m in ('pandas', 'pyarrow', 'numpy', 'duckdb', 'dagster', 'httpx') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[] []"


# -- what it says about itself ----------------------------------------------------------------------------------------


def test_every_answer_is_marked_as_fictional(sandbox):
    for path in (PRICES, "/yahoo/nothing", "/_sandbox/health", "/nowhere"):
        assert sandbox.get(path).headers["x-sandbox"] == "fictional", path


def test_the_world_names_its_companies(sandbox):
    world = sandbox.get("/_sandbox/world").json()
    assert world["world"] == "fictional"
    assert world["today"] == TODAY
    assert "ictional" in world["note"]
    assert len(world["watchlist"]) == 10
    assert set(world["active"]) < set(world["watchlist"])
    assert len(world["indices"]) == 3
    tickers = {company["ticker"] for company in world["companies"]}
    assert set(world["watchlist"]) | set(world["indices"]) <= tickers
    assert {"ticker", "cik", "name"} == set(world["companies"][0])


# -- counting ---------------------------------------------------------------------------------------------------------


def test_requests_are_counted_by_provider_endpoint_status_and_path(sandbox):
    for _ in range(3):
        sandbox.get(PRICES, headers=TOKEN)
    sandbox.get("/tiingo/tiingo/daily/NOBODY", headers=TOKEN)
    sandbox.get("/yahoo/nothing")
    stats = sandbox.stats("?paths=1&arrivals=1")["providers"]
    assert stats["tiingo"]["requests"] == 4
    assert stats["tiingo"]["statuses"] == {"200": 3, "404": 1}
    assert stats["tiingo"]["endpoints"]["prices"]["requests"] == 3
    assert stats["tiingo"]["endpoints"]["meta"]["statuses"] == {"404": 1}
    assert stats["tiingo"]["paths"][PRICES] == 3
    assert len(stats["tiingo"]["arrivals"]) == 4
    assert stats["tiingo"]["arrivals"] == sorted(stats["tiingo"]["arrivals"])
    assert stats["tiingo"]["first"] == stats["tiingo"]["arrivals"][0]
    assert stats["tiingo"]["last"] == stats["tiingo"]["arrivals"][-1]
    assert stats["yahoo"]["endpoints"] == {"other": stats["yahoo"]["endpoints"]["other"]}
    assert "paths" not in sandbox.stats()["providers"]["tiingo"]


def test_connections_are_counted_once_each(sandbox):
    for _ in range(3):
        with httpx.Client(base_url=sandbox.url) as client:
            client.get(PRICES, headers=TOKEN)
            client.get(PRICES, headers=TOKEN)
    assert sandbox.stats()["providers"]["tiingo"]["connections"] == 3
    assert sandbox.stats()["providers"]["tiingo"]["requests"] == 6


@pytest.mark.parametrize(
    ("arrivals", "worst"),
    [
        ([0.0], 1),
        ([0.0, 0.999, 1.0], 2),  # the window is half open: 0.0 and 1.0 are not in one second
        ([0.0, 0.1, 0.2, 5.0, 5.5, 5.9, 5.95, 6.0], 4),
        ([i / 8 for i in range(100)], 8),
    ],
)
def test_the_worst_second_is_exact(arrivals, worst):
    meter = Meter()
    for at in arrivals:
        meter.arrive(at)
    assert meter.report()["worst_second"] == worst


# -- faults -----------------------------------------------------------------------------------------------------------


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


# -- limits -----------------------------------------------------------------------------------------------------------


class _Hand:
    """A clock moved by hand."""

    def __init__(self) -> None:
        import datetime as dt

        self.seconds = 0.0
        self.begin = dt.datetime(2026, 11, 20, 23, 0, tzinfo=dt.UTC)

    def monotonic(self) -> float:
        return self.seconds

    def now(self):
        import datetime as dt

        return self.begin + dt.timedelta(seconds=self.seconds)


def _limits(**values) -> tuple[Limits, _Hand]:
    clock = _Hand()
    limits = Limits(clock)  # type: ignore[arg-type]
    limits.set("p", Limit(**values))
    return limits, clock


def test_a_block_lasts_and_is_extended_by_asking():
    limits, clock = _limits(per_second=10, block_seconds=600)
    assert [limits.check("p", "", None) for _ in range(11)] == [None] * 10 + ["block"]
    clock.seconds = 599
    assert limits.check("p", "", None) == "block"
    clock.seconds = 601  # the first block would be over, had nobody asked
    assert limits.check("p", "", None) == "block"
    clock.seconds = 601 + 600
    assert limits.check("p", "", None) is None


def test_sliding_windows_slide():
    limits, clock = _limits(per_second=2, per_minute=3)
    assert [limits.check("p", "", None) for _ in range(3)] == [None, None, "second"]
    clock.seconds = 1.0
    assert [limits.check("p", "", None) for _ in range(2)] == [None, "minute"]
    clock.seconds = 60.0
    assert limits.check("p", "", None) is None


def test_hours_days_and_months_are_those_of_the_utc_calendar():
    limits, clock = _limits(per_hour=1, per_day=2, symbols_per_month=1)
    assert limits.check("p", "", "A") is None
    assert limits.check("p", "", "A") == "hour"
    clock.seconds = 3600  # midnight UTC: a new hour and a new day
    assert limits.check("p", "", "B") == "symbols"
    assert limits.check("p", "", "A") is None
    assert limits.check("p", "", None) == "hour"
    clock.seconds = 2 * 3600
    assert limits.check("p", "", None) is None
    clock.seconds = 3 * 3600
    assert limits.check("p", "", None) == "day"
    clock.seconds = 11 * 24 * 3600  # December
    assert limits.check("p", "", "B") is None


def test_accounts_do_not_share_a_budget():
    limits, _ = _limits(per_hour=1)
    assert [limits.check("p", account, None) for account in ("a", "b", "a")] == [None, None, "hour"]


def test_real_limits_are_enforced_over_http_and_the_clock_ends_them(sandbox):
    assert sandbox.http.post("/_sandbox/limits", json={"tiingo": "real"}).status_code == 200
    statuses = [sandbox.get(PRICES, headers=TOKEN).status_code for _ in range(51)]
    assert statuses == [200] * 50 + [429]
    assert sandbox.get(PRICES, headers={"Authorization": "Token another"}).status_code == 200
    sandbox.http.post("/_sandbox/clock", json={"advance": 3600})
    assert sandbox.get(PRICES, headers=TOKEN).status_code == 200


@pytest.mark.parametrize("form", ["real", "file"])
def test_limits_can_be_given_at_the_start(form, tmp_path):
    chosen = "real"
    if form == "file":
        (tmp_path / "limits.json").write_text('{"tiingo": {"per_hour": 1}, "yahoo": null}')
        chosen = str(tmp_path / "limits.json")
    with running(*PRICE_PROVIDERS, "--limits", chosen) as served:
        limits = served.get("/_sandbox/limits").json()["limits"]
        assert limits["tiingo"]["per_hour"] == (50 if form == "real" else 1)
        assert ("yahoo" in limits) == (form == "real")


def test_the_symbol_cap_answers_with_status_200(sandbox):
    sandbox.http.post("/_sandbox/limits", json={"tiingo": {"symbols_per_month": 2}})
    paths = [PRICES.replace("ALDRN", ticker) for ticker in ("ALDRN", "CALDQ", "DOVEK", "aldrn")]
    answers = [sandbox.get(path, headers=TOKEN) for path in paths]
    assert [a.status_code for a in answers] == [200] * 4
    assert [isinstance(a.json(), list) for a in answers] == [True, True, False, True]
    assert "500 symbol look up" in answers[2].json()["detail"]
    sandbox.http.post("/_sandbox/switches", json={"tiingo": {"symbol_cap_as_text": True}})
    answer = sandbox.get(paths[2], headers=TOKEN)
    assert answer.headers["content-type"].startswith("text/plain")


def test_nothing_is_enforced_unless_asked_for(sandbox):
    assert sandbox.get("/_sandbox/limits").json() == {"limits": {}}
    assert [sandbox.get(PRICES, headers=TOKEN).status_code for _ in range(60)] == [200] * 60


@pytest.mark.parametrize(
    "limits", [{"nobody": "real"}, {"tiingo": {"per_week": 1}}, {"tiingo": {"per_hour": "x"}}, "some"]
)
def test_limits_that_make_no_sense_are_refused(sandbox, limits):
    assert sandbox.http.post("/_sandbox/limits", json=limits).status_code == 400
    assert sandbox.get("/_sandbox/limits").json() == {"limits": {}}


def test_a_fault_acts_before_a_limit(sandbox):
    sandbox.http.post("/_sandbox/limits", json={"tiingo": {"per_hour": 0}})
    sandbox.fault(provider="tiingo", kind="status", params={"status": 500})
    assert sandbox.get(PRICES, headers=TOKEN).status_code == 500


# -- the world over HTTP ----------------------------------------------------------------------------------------------


def test_events_show_at_every_provider_and_are_taken_back(sandbox):
    def close() -> tuple[float, float]:
        tiingo = sandbox.get(PRICES.replace("ALDRN", "LYRWD"), headers=TOKEN).json()[0]
        yahoo = sandbox.get("/yahoo/v8/finance/chart/LYRWD?range=1d").json()["chart"]["result"][0]
        return tiingo["close"], tiingo["splitFactor"], round(yahoo["indicators"]["quote"][0]["close"][-1], 2)

    before = close()
    event = {"kind": "split", "ticker": "LYRWD", "date": LAST, "value": 2.0}
    world = sandbox.http.post("/_sandbox/world", json={"events": [event]}).json()
    assert world["events"] == [event]
    after = close()
    assert after[0] == after[2] == pytest.approx(before[0] / 2, abs=0.01)
    assert after[1] == 2.0
    sandbox.http.delete("/_sandbox/world")
    assert close() == before


def test_a_delisted_company_is_gone_from_yahoo_and_stays_at_tiingo(sandbox):
    event = {"kind": "delisting", "ticker": "FENWK", "date": "2026-11-10"}
    assert "FENWK" not in sandbox.http.post("/_sandbox/world", json={"events": [event]}).json()["watchlist"]
    assert sandbox.get("/yahoo/v8/finance/chart/FENWK?range=1mo").status_code == 404
    meta = sandbox.get("/tiingo/tiingo/daily/FENWK", headers=TOKEN).json()
    assert meta["endDate"] == "2026-11-10"
    assert sandbox.get(PRICES.replace("ALDRN", "FENWK"), headers=TOKEN).json()[0]["date"].startswith("2026-11-10")


@pytest.mark.parametrize("body", ["nonsense", '{"events": [{"kind": "split"}]}', '{"events": [3]}', "[1]"])
def test_an_event_that_makes_no_sense_is_refused_over_http(sandbox, body):
    response = sandbox.http.post("/_sandbox/world", content=body)
    assert response.status_code == 400
    assert "Traceback" not in response.text


def test_a_failing_endpoint_answers_500_and_the_server_goes_on(sandbox, tmp_path):
    # A switch of the wrong type is the shortest way to make an endpoint fail.
    sandbox.http.post("/_sandbox/switches", json={"yahoo": {"null_rows": ["soon"]}})
    assert sandbox.get("/yahoo/v8/finance/chart/ALDRN?range=1d").status_code == 500
    sandbox.http.delete("/_sandbox/switches")
    assert sandbox.get("/yahoo/v8/finance/chart/ALDRN?range=1d").status_code == 200
    assert Path(tmp_path).exists()
