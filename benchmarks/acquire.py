"""Acquisition under faults: 200 filings of 1 MB at 30 ms, 20 of them 503, 20 of them 429, 20 cut, each once per address.

``python -m benchmarks.acquire`` prints a table of us beside dlt, edgartools and sec-edgar-downloader from the same run and
server, rate limits off for all, and as its last line one JSON object. What does not belong here: clients and server.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.acquire_clients import CLIENTS
from benchmarks.filings_server import FILINGS


@contextmanager
def _server() -> Iterator[str]:
    """The file server's origin; the server ends with the block."""
    command = [sys.executable, "-m", "benchmarks.filings_server"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.stdin.close()
        process.wait(10)
        process.stdout.close()


def _ask(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.load(answer)


def _run(client: str, origin: str, folder: Path, threads: int) -> dict[str, Any]:
    """One client in a fresh process; what the server saw of it stands in ``requests``."""
    _ask(f"{origin}/_reset?faults=1")
    command = [
        sys.executable,
        "-m",
        "benchmarks.acquire_clients",
        client,
        origin,
        str(folder),
        "--threads",
        str(threads),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    if done.returncode:
        raise SystemExit(f"{client} failed:\n{done.stderr}")
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    stats = _ask(f"{origin}/_stats")
    return result | {"requests": stats["documents"], "connections": stats["connections"]}


def main() -> None:
    """Run everybody and print the table and the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=8, help="threads of each client that has threads")
    threads = parser.parse_args().threads
    results: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory(prefix="salescience-bench-") as name, _server() as origin:
        folder = Path(name)
        for client in CLIENTS:
            results[client] = _run(client, origin, folder, threads)
        again = _run("ours", origin, folder, threads)
    table = Table(title=f"{FILINGS} filings of 1 MB, 30 ms, 20x503, 20x429, 20 cut; {threads} threads, no rate limit")
    for heading in ("client", "complete", "document requests", "seconds", "CPU s", "peak MB", "connections"):
        table.add_column(heading, justify="left" if heading == "client" else "right")
    for client, row in (*results.items(), ("ours, second run", again)):
        table.add_row(
            client,
            f"{row['complete']} of {FILINGS}",
            str(row["requests"]),
            f"{row['seconds']:.1f}",
            f"{row['cpu']:.1f}",
            f"{row['peak_mb']:.0f}",
            str(row["connections"]),
        )
    Console().print(table)
    mine = results["ours"]
    print(
        f"Time against dlt: {mine['seconds'] / results['dlt']['seconds']:.2f}. Cut bodies stored: {mine['cut_bodies_stored']}."
    )
    figures = {
        "complete": mine["complete"],
        "of": FILINGS,
        "requests": mine["requests"],
        "audit_rows": mine["audit_rows"],
        "cut_bodies_stored": mine["cut_bodies_stored"],
        "seconds": round(mine["seconds"], 2),
        "dlt_seconds": round(results["dlt"]["seconds"], 2),
        "dlt_complete": results["dlt"]["complete"],
        "edgartools_complete": results["edgartools"]["complete"],
        "sec_edgar_downloader_complete": results["sec-edgar-downloader"]["complete"],
        "second_run_requests": again["requests"],
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
