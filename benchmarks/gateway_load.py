"""A client that submits at a fixed rate, as a process of its own: ``python -m benchmarks.gateway_load URL --rate 200``.

Open loop: each request has its moment, and its time counts from there, so that a slow answer hides nothing that waits
behind it. Plain sockets, so that the load takes few processor seconds from what is measured. Its output is
one JSON object.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections import Counter, deque
from collections.abc import Sequence
from urllib.parse import urlsplit

_HEAD = b"POST /submit HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Load:
    """Submissions at one gateway, over as many connections as are in use at once."""

    def __init__(self, url: str, tickers: Sequence[str], organizations: int) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "127.0.0.1", parts.port or 80
        self._tickers, self._organizations = tickers, organizations
        self._idle: deque[Connection] = deque()
        self.milliseconds: list[float] = []
        self.statuses: Counter[int] = Counter()

    async def run(self, *, rate: float, seconds: float) -> float:
        """Submit; the rate that was reached, answers per second."""
        total = int(rate * seconds)
        started = time.perf_counter() + 0.2
        await asyncio.gather(*(self._one(number, started + number / rate) for number in range(total)))
        return total / (time.perf_counter() - started)

    async def _one(self, number: int, due: float) -> None:
        await asyncio.sleep(max(due - time.perf_counter(), 0))
        body = json.dumps(
            {
                "companies": [{"ticker": self._tickers[number % len(self._tickers)]}], "n_years": 1,
                "organization_id": f"org-{number % self._organizations}",
            }
        ).encode()  # fmt: skip
        # The one that was idle longest, so that none is closed for being idle.
        reader, writer = self._idle.popleft() if self._idle else await asyncio.open_connection(self._host, self._port)
        writer.write(_HEAD % len(body) + body)
        answer = await reader.readuntil(b"\r\n\r\n")
        lines = answer.lower().split(b"\r\n")
        length = next(int(line.partition(b":")[2]) for line in lines if line.startswith(b"content-length:"))
        await reader.readexactly(length)
        self.milliseconds.append((time.perf_counter() - due) * 1_000)
        self.statuses[int(answer[9:12])] += 1
        self._idle.append((reader, writer))


def main() -> None:
    """Submit and say how long it took."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.gateway_load", description=(__doc__ or "").split(":")[0]
    )
    parser.add_argument("url", help="the gateway's origin")
    parser.add_argument("tickers", nargs="+", help="companies to submit, in turns")
    parser.add_argument("--rate", type=float, default=200.0)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--organizations", type=int, default=20)
    options = parser.parse_args()
    load = Load(options.url, options.tickers, options.organizations)
    reached = asyncio.run(load.run(rate=options.rate, seconds=options.seconds))
    print(
        json.dumps(
            {"rate": reached, "statuses": load.statuses, "milliseconds": [round(ms, 2) for ms in load.milliseconds]}
        )
    )


if __name__ == "__main__":
    main()
