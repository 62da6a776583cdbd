"""The clients that ``benchmarks.acquire`` compares, each in a process of its own: ``python -m benchmarks.acquire_clients``.

Each fetches the 200 filings with its rate limit off and prints one JSON object: documents complete, seconds, CPU, peak
memory. A document is complete when its bytes are those that the server holds. What does not belong here: the server.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
import hashlib
import json
import os
import resource
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.filings_server import CIK, FILINGS, accession, body, path

CONTACT = "Benchmark bench@example.com"
Client = tuple[Callable[[], Iterable[str]], Callable[[], dict[str, Any]]]
"""What is timed (it gives the digests of what was fetched), and what is looked up afterwards."""


def _expected() -> list[str]:
    return [hashlib.sha256(body(number)).hexdigest() for number in range(FILINGS)]


class _Unlimited:
    """A gate that is always open: here the providers' limit is not what is measured."""

    def sent(self, provider: str, permit: object) -> None:
        """Nothing waits."""

    def acquire(self, provider: str, cost: int = 1, **about: str | None) -> None:  # noqa: ARG002
        return

    def report(self, provider: str, permit: object, outcome: object, retry_at: dt.datetime | None = None) -> None:
        pass


def ours(origin: str, folder: Path, threads: int) -> Client:
    """Our transport and archive: plan, fetch, verify, classify, store."""
    from salescience_pipeline.catalog.datasets import DATASETS
    from salescience_pipeline.clients import registry
    from salescience_pipeline.clients.model import Answer
    from salescience_pipeline.clients.plan import FilingRef, Known, Selection
    from salescience_pipeline.clients.transport import Transport
    from salescience_pipeline.identifiers import Accession, Cik, FileName, Ticker
    from salescience_pipeline.lake.archive import Archive

    ticker, cik, dataset = Ticker("BENCH"), Cik.of(CIK), "core_sec__documents"
    names = [Accession(accession(number)) for number in range(FILINGS)]
    refs = [FilingRef(cik, name, "10-K", dt.date(2026, 1, 2), FileName(f"{name}.txt"), ticker) for name in names]
    now = dt.datetime.now(dt.UTC)
    known = Known(now, dt.date(2026, 11, 20), dt.date(2026, 11, 20), ciks={ticker: cik}, filings=refs)
    plan = registry.recipe(DATASETS[dataset]).plan(Selection(dataset, (ticker,)), known)

    def run() -> Iterator[str]:
        bases = {("sec", role): origin + "/edgar" for role in ("www", "data", "efts")}
        with (
            Archive(folder / "lake") as archive,
            Transport(_Unlimited(), archive, bases, {"sec": CONTACT}, run_id="benchmark", threads=threads) as transport,
        ):
            for outcome in transport.send_all(plan.requests):
                if isinstance(outcome, Answer):
                    yield outcome.body.sha256

    def kept() -> dict[str, Any]:
        whole = set(_expected())
        with Archive(folder / "lake") as archive:
            foreign = [row for row in archive.audit.bodies() if row.size > 10_000 and row.sha256 not in whole]
            return {"audit_rows": sum(1 for _ in archive.audit.answers()), "cut_bodies_stored": len(foreign)}

    return run, kept


def dlt(origin: str, folder: Path, threads: int) -> Client:
    """Extraction only (no normalise, no load), with its own retrying requests and as many threads as we have."""
    os.environ |= {
        "EXTRACT__WORKERS": str(threads),
        "EXTRACT__MAX_PARALLEL_ITEMS": str(FILINGS),
        "RUNTIME__DLTHUB_TELEMETRY": "false",
        "DLT_DATA_DIR": str(folder / "dlt"),
    }
    import dlt as library
    from dlt.sources.helpers import requests

    @library.resource
    def filings() -> Iterator[str]:
        yield from (origin + "/edgar" + path(number) for number in range(FILINGS))

    @library.transformer(data_from=filings, parallelized=True)
    def document(url: str) -> dict[str, str]:
        return {"sha256": hashlib.sha256(requests.get(url, headers={"User-Agent": CONTACT}).content).hexdigest()}

    def run() -> Iterator[str]:
        for row in document:
            yield row["sha256"]

    return run, dict


def edgartools(origin: str, folder: Path, threads: int) -> Client:
    """Its ``download_file`` in threads, the fastest of its ways; an exception is a filing that is lost.

    The server stands at its base URL without a prefix, so that its own cache knows the addresses.
    """
    os.environ |= {
        "EDGAR_BASE_URL": origin,
        "EDGAR_DATA_URL": origin,
        "EDGAR_IDENTITY": CONTACT,
        "EDGAR_LOCAL_DATA_DIR": str(folder / "edgartools"),
        "EDGAR_RATE_LIMIT_PER_SEC": "100000",
    }
    from edgar.httprequests import download_file

    def fetch(number: int) -> str:
        try:
            text = download_file(origin + path(number), as_text=True)
        except Exception as error:  # noqa: BLE001 - whatever it raises, the filing is lost
            return type(error).__name__
        return hashlib.sha256(str(text).encode()).hexdigest()

    def run() -> Iterator[str]:
        with ThreadPoolExecutor(threads) as pool:
            yield from pool.map(fetch, range(FILINGS))

    return run, dict


def sec_edgar_downloader(origin: str, folder: Path, threads: int) -> Client:  # noqa: ARG001
    """Its one way: filing after filing, a line printed for each that is lost."""
    # Its addresses are constants and its limiter a decorator: there is no other way to point it at a server.
    filings, gateway = (import_module(f"sec_edgar_downloader.{name}") for name in ("_orchestrator", "_sec_gateway"))
    vars(filings)["URL_FILING"] = origin + "/edgar/Archives/edgar/data/{cik}/{acc_num_no_dash}/{document}"
    vars(filings)["URL_SUBMISSIONS"] = origin + "/edgar/submissions/{submission}"
    vars(gateway)["URL_CIK_MAPPING"] = origin + "/edgar/files/company_tickers_exchange.json"
    vars(gateway)["_call_sec"] = vars(gateway)["_call_sec"].__wrapped__

    def run() -> Iterator[str]:
        with contextlib.redirect_stdout(sys.stderr):
            downloader = import_module("sec_edgar_downloader").Downloader
            downloader("Benchmark", "bench@example.com", folder / "sed").get("10-K", f"{CIK:010}")
        for file in (folder / "sed").rglob("full-submission.txt"):
            yield hashlib.sha256(file.read_bytes()).hexdigest()

    return run, dict


CLIENTS = {"ours": ours, "dlt": dlt, "edgartools": edgartools, "sec-edgar-downloader": sec_edgar_downloader}


def main() -> None:
    """Run one client once and print what it came to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("client", choices=sorted(CLIENTS))
    parser.add_argument("origin")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--threads", type=int, default=8)
    given = parser.parse_args()
    run, kept = CLIENTS[given.client](given.origin, given.folder, given.threads)
    before, started = time.process_time(), time.perf_counter()
    digests = list(run())
    seconds, cpu = time.perf_counter() - started, time.process_time() - before
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    complete = len(set(digests) & set(_expected()))
    print(json.dumps({"complete": complete, "seconds": seconds, "cpu": cpu, "peak_mb": peak} | kept()))


if __name__ == "__main__":
    main()
