"""A file server for the acquisition benchmark: EDGAR's addresses, filings of 1 MB, a latency, and faults once per address.

``python -m benchmarks.filings_server`` prints its port and serves until its standard input closes. It is a server of its
own and not the sandbox, so that serving costs as little as possible beside the client that is measured. What does not
belong here: anything about a client.
"""

from __future__ import annotations

import argparse
import asyncio
import email.utils
import json
import random
import re
import sys
from functools import lru_cache

FILINGS = 200
SIZE = 1_000_000
CIK = 9_900_001
CUT_AT = 300_000
_FAULTS = {3: "503", 5: "429", 7: "cut"}
"""Last digit of a filing's number -> what its address does when it is asked for the first time."""


def accession(number: int) -> str:
    """Accession number of the filing with that number, from 0."""
    return f"{CIK:010}-26-{number + 1:06}"


def path(number: int) -> str:
    """Path of a filing's whole submission below the provider's base URL."""
    name = accession(number)
    return f"/Archives/edgar/data/{CIK}/{name.replace('-', '')}/{name}.txt"


@lru_cache(maxsize=1)
def _filler() -> bytes:
    """Prose-like text that compresses about as well as a filing does."""
    rng = random.Random(7)
    letters = "etaoinshrdlucmfwypvbgkqjxz"
    words = ["".join(rng.choices(letters, range(26, 0, -1), k=rng.randint(2, 11))) for _ in range(6_000)]
    weights = [1.0 / (rank + 3) for rank in range(len(words))]
    return " ".join(rng.choices(words, weights, k=250_000)).encode()[:SIZE]


def body(number: int) -> bytes:
    """The filing's exactly :data:`SIZE` bytes; no two are alike."""
    head = f"<SEC-DOCUMENT>{accession(number)}.txt : 20260102\n<TYPE>10-K\n<TEXT>\n".encode()
    tail = b"\n</TEXT>\n</SEC-DOCUMENT>\n"
    return head + _filler()[: SIZE - len(head) - len(tail)] + tail


class FilingsServer(asyncio.Protocol):
    """One connection; what is counted is shared through ``state``."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._buffer = b""
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember the connection."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._state.connections += 1

    def data_received(self, data: bytes) -> None:
        """Answer each complete request head after the latency."""
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head, self._buffer = self._buffer[:end], self._buffer[end + 4 :]
            target = head.split(b" ", 2)[1].decode("latin-1")
            delay = 0.0 if target.startswith("/_") else self._state.latency
            asyncio.get_running_loop().call_later(delay, self._answer, target)

    def _answer(self, target: str) -> None:
        if self._transport.is_closing():
            return
        status, media_type, data, extra, cut = self._state.answer(target)
        # EDGAR sends a date too, and some caches do not work without one.
        head = f"HTTP/1.1 {status}\r\nDate: {email.utils.formatdate(usegmt=True)}\r\nContent-Type: {media_type}\r\n"
        head += f"Content-Length: {len(data)}\r\n{extra}\r\n"
        self._transport.write(head.encode() + (data[:CUT_AT] if cut else data))
        if cut:
            self._transport.close()


class State:
    """What is served and what was asked for."""

    def __init__(self, latency: float) -> None:
        self.latency = latency
        self.connections = 0
        self.documents: dict[int, int] = {}
        self.others = 0
        self.faults = True
        self._bodies = [body(number) for number in range(FILINGS)]
        self._numbers = {path(number): number for number in range(FILINGS)}

    def answer(self, target: str) -> tuple[str, str, bytes, str, bool]:
        """Status line, content type, body, further headers, and whether to cut it."""
        if target.startswith("/_reset"):
            self.documents, self.connections, self.others = {}, 0, 0
            self.faults = "faults=1" in target
            return "200 OK", "application/json", b"{}", "", False
        if target.startswith("/_stats"):
            stats = {"documents": sum(self.documents.values()), "others": self.others, "connections": self.connections}
            return "200 OK", "application/json", json.dumps(stats).encode(), "", False
        number = self._numbers.get(re.sub(r"^/edgar", "", target.partition("?")[0]))
        if number is None:
            self.others += 1
            return self._list(target)
        seen = self.documents[number] = self.documents.get(number, 0) + 1
        fault = _FAULTS.get(number % 10) if self.faults and seen == 1 else None
        if fault == "503":
            return "503 Service Unavailable", "text/html", b"<html><body>busy</body></html>", "", False
        if fault == "429":
            return "429 Too Many Requests", "text/plain", b"slow down", "Retry-After: 1\r\n", False
        return "200 OK", "text/plain", self._bodies[number], "", fault == "cut"

    def _list(self, target: str) -> tuple[str, str, bytes, str, bool]:
        if "/submissions/" in target:
            return "200 OK", "application/json", _submissions(), "", False
        if "company_tickers" in target:
            row = {"fields": ["cik", "name", "ticker", "exchange"], "data": [[CIK, "Benchmark Inc.", "BENCH", "NYSE"]]}
            return "200 OK", "application/json", json.dumps(row).encode(), "", False
        return "404 Not Found", "text/plain", b"no such thing", "", False


def _submissions() -> bytes:
    count = FILINGS
    recent = {
        "accessionNumber": [accession(number) for number in range(count)],
        "filingDate": ["2026-01-02"] * count,
        "reportDate": ["2025-12-31"] * count,
        "acceptanceDateTime": ["2026-01-02T22:00:00.000Z"] * count,
        "form": ["10-K"] * count,
        "primaryDocument": [f"{accession(number)}.txt" for number in range(count)],
        "primaryDocDescription": ["10-K"] * count,
        "size": [SIZE] * count,
        "items": [""] * count,
        "act": [""] * count,
        "fileNumber": [""] * count,
        "filmNumber": [""] * count,
        "core_type": ["10-K"] * count,
        "isXBRL": [0] * count,
        "isInlineXBRL": [0] * count,
    }
    company = {"cik": f"{CIK:010}", "name": "Benchmark Inc.", "tickers": ["BENCH"], "exchanges": ["NYSE"]}
    return json.dumps(company | {"filings": {"recent": recent, "files": []}}).encode()


async def _serve(latency: float) -> None:
    loop = asyncio.get_running_loop()
    state = State(latency)
    server = await loop.create_server(lambda: FilingsServer(state), "127.0.0.1", 0, backlog=256)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


def main() -> None:
    """Serve until standard input closes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--latency", type=float, default=0.03, help="seconds before every answer")
    asyncio.run(_serve(parser.parse_args().latency))


if __name__ == "__main__":
    main()
