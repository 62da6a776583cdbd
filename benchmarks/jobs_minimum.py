"""The fewest requests that a job can do with, counted from the sandbox's own truth; used by ``jobs``.

Nothing here knows our plans: the market is looked at with plain requests of the providers' wire formats, and the rules are
those of the providers' endpoints (what one request can bring at most). What does not belong here: running a job.
"""

from __future__ import annotations

import datetime as dt
import json
import math
import urllib.request
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from benchmarks.services import RunningSandbox
from salescience_pipeline.catalog.sessions import NEW_YORK

FRESH_NEWS, FRESH_MARKET = dt.timedelta(minutes=50), dt.timedelta(minutes=14)
"""How old news may be before a job asks again: a little less than what lies between two runs."""
OVERLAP = dt.timedelta(hours=48)
"""News of the last two days are asked for again, because some come late."""
PAGE, ALLOWED, INDICATORS = 1_000, 25, 5
"""Polygon's articles in a page, Alpha Vantage's free requests in a day, the indicators that are audited."""


@dataclass
class Looks:
    """When what was looked at last, over the days of the benchmark."""

    news: dict[str, dt.datetime] = field(default_factory=dict)
    market: dt.datetime | None = None
    reports: dict[str, dt.date] = field(default_factory=dict)
    audits: dict[dt.date, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Truth:
    """The sandbox of one day, and whom the lists hold."""

    sandbox: RunningSandbox
    day: dt.date
    scopes: Mapping[str, Sequence[str]]

    def minimum(self, job: str, now: dt.datetime, looks: Looks) -> int:
        """The fewest requests with which ``job`` can do its work at ``now``, given what was looked at before."""
        everybody, active, indices = (self.scopes[name] for name in ("entire_watchlist", "active_symbols", "indices"))
        rules: dict[str, Callable[[], int]] = {
            "tiingo-daily-prices": lambda: self._prices(everybody),
            "tiingo-daily-prices-indices": lambda: self._prices(indices),
            "finnhub-quote-portfolio": lambda: len(active),
            "finnhub-quote-indices": lambda: len(indices),
            "finnhub-company-news-universe": lambda: self._news(everybody, now, looks),
            "finnhub-company-news-portfolio": lambda: self._news(active, now, looks),
            "finnhub-fundamentals-earnings": lambda: self._reports(everybody, looks),
            "alpha-vantage-technical-indicators": lambda: self._audit(everybody, looks),
        }
        return rules.get(job, lambda: self._market(now, looks))()

    def _prices(self, tickers: Collection[str]) -> int:
        """One list for all, and the whole series of each ticker whose split or dividend changed its adjusted past."""
        rows = self._ask("/tiingo/tiingo/daily/prices", {"token": "benchmark"})
        acted = [row for row in rows if row["splitFactor"] != 1.0 or row["divCash"] > 0.0]
        wanted = {ticker.replace(".", "-") for ticker in tickers}
        return 1 + len([row for row in acted if row["ticker"] in wanted and row["date"][:10] == self.day.isoformat()])

    def _news(self, tickers: Sequence[str], now: dt.datetime, looks: Looks) -> int:
        """One range for each ticker that nobody asked about a moment ago; no request is about two."""
        due = [ticker for ticker in tickers if ticker not in looks.news or now - looks.news[ticker] >= FRESH_NEWS]
        looks.news |= dict.fromkeys(due, now)
        return len(due)

    def _reports(self, tickers: Sequence[str], looks: Looks) -> int:
        """The calendar, then metrics and results of whoever reported since it was last read, or never was."""
        yesterday = self.day - dt.timedelta(days=1)
        span = {"from": (yesterday - dt.timedelta(days=6)).isoformat(), "to": yesterday.isoformat()}
        calendar = self._ask("/finnhub/api/v1/calendar/earnings", {**span, "token": "benchmark"})["earningsCalendar"]
        days = {row["symbol"]: row["date"] for row in sorted(calendar, key=lambda row: row["date"])}
        due = [
            ticker
            for ticker in tickers
            if ticker not in looks.reports or days.get(ticker, "") >= looks.reports[ticker].isoformat()
        ]
        looks.reports |= dict.fromkeys(due, self.day)
        return 1 + 2 * len(due)

    def _audit(self, tickers: Collection[str], looks: Looks) -> int:
        """One call for each ticker and indicator, as many as a day allows."""
        spent = looks.audits.get(self.day, 0)
        looks.audits[self.day] = min(ALLOWED, spent + INDICATORS * len(tickers))
        return looks.audits[self.day] - spent

    def _market(self, now: dt.datetime, looks: Looks) -> int:
        """The pages of one window of the whole market; it serves every list of tickers."""
        if looks.market is not None and now - looks.market < FRESH_MARKET:
            return 0
        midnight = dt.datetime.combine(self.day, dt.time(), NEW_YORK)
        since = midnight if looks.market is None else min(looks.market - OVERLAP, midnight)
        looks.market = now
        window = {"published_utc.gte": f"{since.astimezone(dt.UTC):%Y-%m-%dT%H:%M:%SZ}", "limit": str(PAGE)}
        articles, address = 0, f"/polygon/v2/reference/news?{urlencode(window)}"
        while address:
            answer = self._ask(address, {"apiKey": "benchmark"})
            articles += len(answer.get("results", []))
            following = answer.get("next_url", "")
            address = following.removeprefix(self.sandbox.url)
        return max(math.ceil(articles / PAGE), 1)

    def _ask(self, address: str, params: Mapping[str, str]) -> Any:
        mark = "&" if "?" in address else "?"
        with urllib.request.urlopen(f"{self.sandbox.url}{address}{mark}{urlencode(params)}", timeout=120) as answer:
            return json.load(answer)
