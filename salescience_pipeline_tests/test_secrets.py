"""No key is written anywhere: the live world against our own server, good and bad answers, then a search of everything."""

from __future__ import annotations

import json
import os
from pathlib import Path

import zstandard

from salescience_pipeline.acquisition.sandbox_process import Sandbox
from salescience_pipeline_tests.commands import quick_environment, salescience

CANARY = "CANARYd41d8cd98f00b204e9800998ecf8427e"
FAULTS = [
    {
        "provider": "tiingo",
        "endpoint": "eod",
        "kind": "status",
        "params": {"status": 500},
        "match": "ALDRN",
        "times": 1,
    },
    {"provider": "tiingo", "endpoint": "eod", "kind": "limit", "match": "CALDQ", "times": 1},
    {"provider": "tiingo", "endpoint": "eod", "kind": "cut", "match": "DOVEK", "times": 1},
    {"provider": "tiingo", "endpoint": "eod", "kind": "html", "match": "FENWK", "times": 5},
    {"provider": "tiingo", "endpoint": "eod", "kind": "reset", "match": "IRNVL", "times": 5},
    {"provider": "yahoo", "endpoint": "*", "kind": "status", "params": {"status": 401}, "times": 1},
]


def test_threat_6_a_key_is_found_nowhere_after_good_and_bad_answers(sandbox: Sandbox, tmp_path: Path) -> None:
    for fault in FAULTS:
        sandbox.post("/_sandbox/faults", fault)
    live = {
        "SALESCIENCE_EDGAR_CONTACT": "Canary Test canary@example.com",
        "SALESCIENCE_TIINGO_TOKEN": CANARY,
        "SALESCIENCE_EDGAR_RATE": "10",
        "SALESCIENCE_LOG_LEVEL": "DEBUG",
        "SALESCIENCE_BASE_URLS": json.dumps({name: f"{sandbox.url}/{path}" for name, path in
                                             {"sec": "edgar", "yahoo": "yahoo", "tiingo": "tiingo"}.items()}),
    }  # fmt: skip
    tickers = "ALDRN,CALDQ,DOVEK,FENWK,IRNVL,NOSUCH"
    done = salescience("demo", "--live", "--tickers", tickers, env=quick_environment(tmp_path, **live))
    assert done.returncode == 1, "two tickers fail for good, and the demo says so"
    assert "core_tiingo__eod_prices_history" in done.stdout
    assert sandbox.get("/_sandbox/stats")["providers"]["tiingo"]["requests"] > 6
    needle = CANARY.encode()
    assert needle not in (done.stdout + done.stderr).encode()
    searched = 0
    for folder, _, names in os.walk(tmp_path):
        for name in names:
            path = Path(folder, name)
            content = path.read_bytes()
            if name.endswith(".zst"):
                content = zstandard.ZstdDecompressor().stream_reader(content).read()
            assert needle not in content, path
            searched += 1
    assert searched > 50
