"""The server around the emulated providers: start, end, leases, counters, the world over HTTP. All of it over real HTTP."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from salescience_pipeline.sandbox.server import process_alive
from salescience_pipeline.sandbox.stats import Meter
from salescience_pipeline_tests.test_sandbox.calls import PRICES
from salescience_pipeline_tests.test_sandbox.serving import (
    LAST,
    PRICE_PROVIDERS,
    TODAY,
    TOKEN,
    command,
    running,
    wait_for,
)

# -- life --------------------------------------------------------------------------------------------------------------


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
        "rooms = {m.split('.')[1] for m in own} - {'sandbox', 'fiction', 'identifiers'};"
        "print(sorted(rooms),"
        "[m for m in ('pandas', 'pyarrow', 'numpy', 'duckdb', 'dagster', 'httpx') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[] []"


# -- what it says about itself -----------------------------------------------------------------------------------------


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


# -- counting ----------------------------------------------------------------------------------------------------------


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


# -- the world over HTTP -----------------------------------------------------------------------------------------------


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
