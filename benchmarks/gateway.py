"""The gateway under load while runs execute, and under kill -9: ``python -m benchmarks.gateway [--seconds 30] [--kills 50]``.

The whole stack of ``salescience up`` runs on this machine with its own sandbox. Submissions go out at a fixed rate (open
loop: a slow answer delays none behind it); then processes of the stack are killed at random moments while one submits on.
What was acknowledged must be there afterwards, once. The last line is JSON.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx

from benchmarks.gateway_kills import kill_at_random
from benchmarks.gateway_stack import MAIN, PROJECT, Stack, body, free_port
from salescience_pipeline.ledger import Ledger

_PATIENCE = 300.0


def submit_at(stack: Stack, tickers: list[str], *, rate: float, seconds: float) -> dict[str, Any]:
    """Submissions at ``rate`` per second while runs execute: latencies, statuses, the rate reached, runs seen at work."""
    with Ledger.of(stack.settings) as ledger:
        httpx.post(f"{stack.url}/submit", json=body(tickers[0], "org-0"), timeout=30).raise_for_status()
        ends = time.monotonic() + _PATIENCE
        while not any(beat for _, beat in ledger.dispatch.open_chunks()):
            assert time.monotonic() < ends, "no run began to work"
            time.sleep(0.2)
        command = [sys.executable, "-m", "benchmarks.gateway_load", stack.url, *tickers]
        command += ["--rate", str(rate), "--seconds", str(seconds)]
        runs: set[str] = set()
        with tempfile.TemporaryFile("w+") as out:
            load = subprocess.Popen(command, cwd=PROJECT, stdout=out, start_new_session=True)
            while load.poll() is None:
                runs |= {beat.run_id for _, beat in ledger.dispatch.open_chunks() if beat is not None}
                time.sleep(1.0)
            assert load.returncode == 0, "the load generator failed"
            out.seek(0)
            said: dict[str, Any] = json.load(out)
    ordered = sorted(said.pop("milliseconds"))
    return {**said, "p50": ordered[len(ordered) // 2], "p99": ordered[int(len(ordered) * 0.99)], "runs": len(runs)}


def cancel_all(url: str, organizations: Sequence[str]) -> None:
    """Cancel what is left of these organisations' jobs, so that it does not stand in the way of the next measurement."""
    with httpx.Client(base_url=url, timeout=60) as client:
        for name in organizations:
            cursor: dict[str, str] = {}
            while True:
                page = client.get("/jobs", params={"organization_id": name, "limit": 200, **cursor}).json()
                for job in page["jobs"]:
                    if job["status"] in ("pending", "processing"):
                        client.delete(f"/jobs/{job['job_id']}", params={"organization_id": name})
                if page["next"] is None:
                    break
                cursor = {"cursor": page["next"]}


def same_key(url: str, ticker: str) -> int:
    """Jobs that fifty equal idempotency keys at once make."""
    key = {"Idempotency-Key": uuid.uuid4().hex}

    def one(_: int) -> str:
        return str(httpx.post(f"{url}/submit", json=body(ticker, "same"), headers=key, timeout=30).json()["job_ids"][0])

    with ThreadPoolExecutor(50) as pool:
        return len(set(pool.map(one, range(50))))


def cold_start(home: Path) -> float:
    """Seconds from the start of a gateway's process to its first 200, the best of three."""
    times = []
    for _ in range(3):
        port = free_port()
        started = time.perf_counter()
        environment = {**os.environ, "SALESCIENCE_HOME": str(home)}
        command = [sys.executable, "-c", MAIN, "gateway", "--port", str(port)]
        process = subprocess.Popen(command, cwd=PROJECT, env=environment, stderr=subprocess.DEVNULL)
        while True:
            with contextlib.suppress(httpx.TransportError):
                httpx.get(f"http://127.0.0.1:{port}/health", timeout=2)
                break
            time.sleep(0.02)
        times.append(time.perf_counter() - started)
        process.terminate()
        process.wait(timeout=30)
    return min(times)


def fairness(stack: Stack, tickers: list[str]) -> float:
    """Seconds until a job of B is over that was submitted behind 500 of A."""
    with httpx.Client(base_url=stack.url, timeout=30) as client:
        for number in range(500):
            # Forms that nobody asked for yet, so that the lake cannot answer at once.
            asked = body(tickers[number % len(tickers)], "flood", n_years=2 + number % 25, form_type="10-Q")
            client.post("/submit", json=asked).raise_for_status()
        started = time.perf_counter()
        asked = body(tickers[-1], "small", form_type="8-K", n_years=3)
        job_id = client.post("/submit", json=asked).json()["job_ids"][0]
        whose = {"organization_id": "small"}
        while client.get(f"/status/{job_id}", params=whose).json()["status"] in ("pending", "processing"):
            time.sleep(0.1)
        took = time.perf_counter() - started
    cancel_all(stack.url, ["flood"])
    return took


def main() -> None:
    """Run it and print the figures; the last line is JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gateway", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=30.0, help="how long submissions go out (30)")
    parser.add_argument("--rate", type=float, default=200.0, help="submissions per second (200)")
    parser.add_argument("--kills", type=int, default=50, help="processes killed with -9 (50)")
    options = parser.parse_args()
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    with tempfile.TemporaryDirectory(prefix="salescience-gateway-") as folder:
        home = Path(folder)
        start = cold_start(home / "cold")
        print(f"cold start {start:.2f} s; load of the machine {os.getloadavg()[0]:.1f}")
        stack = Stack(home)
        try:
            tickers = stack.tickers()
            print(f"{len(tickers)} companies; submitting {options.rate:g}/s for {options.seconds:g} s")
            load = submit_at(stack, tickers, rate=options.rate, seconds=options.seconds)
            print(
                f"{load['rate']:.0f}/s, p50 {load['p50']:.1f} ms, p99 {load['p99']:.1f} ms, statuses {load['statuses']}, "
                f"{load['runs']} runs at work meanwhile, load of the machine {os.getloadavg()[0]:.1f}"
            )
            cancel_all(stack.url, [f"org-{number}" for number in range(20)])
            jobs = same_key(stack.url, tickers[0])
            print(f"50 equal keys: {jobs} job")
            fair = fairness(stack, tickers)
            print(f"one job of B behind 500 of A: {fair:.1f} s")
            toll = kill_at_random(stack, tickers, kills=options.kills, patience=_PATIENCE)
            print(
                f"{toll.kills.total()} kills {dict(toll.kills)}, {len(toll.acknowledged)} acknowledged, {toll.lost} lost, "
                f"{toll.duplicated} written twice, the last complete {toll.last_seconds:.0f} s after the last kill"
            )
        finally:
            stack.close()
    figures = {
        "rate": round(load["rate"], 1), "p50_ms": round(load["p50"], 2), "p99_ms": round(load["p99"], 2), "lost": toll.lost,
        "duplicated": toll.duplicated, "kills": toll.kills.total(), "cold_start_s": round(start, 2), "same_key_jobs": jobs,
        "fairness_s": round(fair, 2),
    }  # fmt: skip
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
