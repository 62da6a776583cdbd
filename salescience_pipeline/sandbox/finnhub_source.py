"""Where Finnhub's figures come from: the seam between the wire format and the two worlds, and both of its sides.

What does not belong here: HTTP (``finnhub``) and the table of metrics (``finnhub_metric``).
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

from salescience_pipeline.fiction import nyse
from salescience_pipeline.fiction.companies import Company
from salescience_pipeline.fiction.earnings import Announcement
from salescience_pipeline.fiction.intraday import Tick, tick
from salescience_pipeline.fiction.metrics import Metrics
from salescience_pipeline.fiction.news import Story
from salescience_pipeline.fiction.sec_calendar import EASTERN, eastern
from salescience_pipeline.sandbox.app import Sandbox

Row = dict[str, Any]
EXCHANGES = {
    "Nasdaq": ("NASDAQ NMS - GLOBAL MARKET", "XNAS"),
    "NYSE": ("NEW YORK STOCK EXCHANGE, INC.", "XNYS"),
    "NYSE Arca": ("NYSE ARCA", "ARCX"),
}
"""The provider's name and the market identifier of each exchange."""
MARKET_ROWS = 100
"""How many articles the market endpoint sends at most."""
MARKET_DAYS = 30
HOUR_KNOWN_DAYS = 30
"""How long before a report the hour is known."""


class Source(Protocol):
    """The values that the emulated Finnhub sends; ``None`` for what it does not know."""

    def quote(self, symbol: str) -> Row | None:
        """The quote of a symbol."""

    def company_news(self, symbol: str, first: dt.date, last: dt.date) -> list[Row]:
        """Articles about a symbol, UTC days, both ends included, newest first."""

    def market_news(self, category: str, above: int) -> list[Row]:
        """Articles of a category with ids above ``above``, newest first."""

    def metric(self, symbol: str, wanted: str) -> Row | None:
        """Figures and series."""

    def earnings(self, symbol: str) -> list[Row]:
        """Quarters that were told, newest first."""

    def calendar(self, first: dt.date, last: dt.date, symbol: str | None) -> list[Row]:
        """Reports of everybody or of one symbol, the latest first."""

    def profile(self, symbol: str) -> Row | None:
        """Who a company is."""

    def symbols(self) -> list[Row]:
        """Everybody."""

    def market_status(self) -> Row:
        """Whether the exchange is open."""


class FictionalSource:
    """Finnhub's figures about the fictional market."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._world = sandbox.world
        self._metrics = Metrics(sandbox.world, sandbox.earnings)

    def _company(self, symbol: str) -> Company | None:
        """The company with this symbol; Finnhub writes a dot before the class."""
        return None if "-" in symbol else self._world.company(symbol)

    def _listed(self, symbol: str) -> Company | None:
        company = self._company(symbol)
        return None if company is None or self._world.delisted(company) is not None else company

    def quote(self, symbol: str) -> Row | None:
        """See :class:`Source`."""
        company = self._listed(symbol)
        now = tick(self._sandbox.world, self._sandbox.at, company) if company is not None else None
        return None if now is None else quote_row(now)

    def company_news(self, symbol: str, first: dt.date, last: dt.date) -> list[Row]:
        """See :class:`Source`."""
        company = self._company(symbol)
        if company is None:
            return []
        stories = self._sandbox.news.days(first, last, company, newest=True)
        return [row for story in stories for row in article_rows(story, company.ticker)]

    def market_news(self, category: str, above: int) -> list[Row]:
        """See :class:`Source`."""
        today = self._sandbox.moment().date()
        rows: list[Row] = []
        for back in range(MARKET_DAYS):
            stories = self._sandbox.news.market(today - dt.timedelta(days=back))
            rows += [
                row
                for story in reversed(stories)
                if story.category == category
                for row in article_rows(story, "")
                if row["id"] > above
            ]
        return rows[:MARKET_ROWS]

    def metric(self, symbol: str, wanted: str) -> Row | None:
        """See :class:`Source`."""
        company = self._listed(symbol)
        return None if company is None else self._metrics.answer(company, wanted)

    def earnings(self, symbol: str) -> list[Row]:
        """See :class:`Source`; year and quarter are those of the calendar, not the company's."""
        company = self._company(symbol)
        if company is None:
            return []
        return [
            {
                "actual": a.eps,
                "estimate": a.eps_estimate,
                "period": a.period_end.isoformat(),
                "quarter": (a.period_end.month + 2) // 3,
                "surprise": a.surprise,
                "surprisePercent": a.surprise_percent,
                "symbol": company.ticker,
                "year": a.period_end.year,
            }
            for a in self._sandbox.earnings.told(company)
        ]

    def calendar(self, first: dt.date, last: dt.date, symbol: str | None) -> list[Row]:
        """See :class:`Source`; year and quarter are the company's fiscal ones."""
        if symbol is None:
            found = self._sandbox.earnings.between(first, last)
        else:
            company = self._company(symbol)
            known = [] if company is None else self._sandbox.earnings.of(company)
            found = [a for a in known if first <= a.date <= last]
        return [self._calendar_row(a) for a in sorted(found, key=lambda a: a.date, reverse=True)]

    def _calendar_row(self, a: Announcement) -> Row:
        sure = a.date <= self._world.today + dt.timedelta(days=HOUR_KNOWN_DAYS)
        return {
            "date": a.date.isoformat(),
            "epsActual": a.eps if a.told else None,
            "epsEstimate": a.eps_estimate,
            "hour": a.hour if sure else "",
            "quarter": a.fiscal_quarter,
            "revenueActual": a.revenue if a.told else None,
            "revenueEstimate": a.revenue_estimate,
            "symbol": a.company.ticker,
            "year": a.fiscal_year,
        }

    def profile(self, symbol: str) -> Row | None:
        """See :class:`Source`; funds have no profile here."""
        company = self._listed(symbol)
        if company is None or company.kind == "etf":
            return None
        shares = self._world.shares_on(company.ticker, self._world.last_session) / 1e6
        close = self._world.close_on(company.ticker, self._world.last_date(company)) or 0.0
        return {
            "country": "US",
            "currency": company.currency,
            "estimateCurrency": company.currency,
            "exchange": EXCHANGES[company.exchange][0],
            "finnhubIndustry": company.industry,
            "ipo": company.listed.isoformat(),
            "logo": f"{company.website}/logo.png",
            "marketCapitalization": round(shares * close, 6),
            "name": company.name,
            "phone": company.phone.replace("-", ""),
            "shareOutstanding": round(shares, 2),
            "ticker": company.ticker,
            "weburl": f"{company.website}/",
        }

    def symbols(self) -> list[Row]:
        """See :class:`Source`."""
        world = self._world
        return [
            {
                "currency": company.currency,
                "description": company.name.upper(),
                "displaySymbol": company.ticker,
                "figi": f"FIC{company.cik:09d}",
                "figiComposite": f"FIC{company.cik:09d}",
                "isin": "",
                "mic": EXCHANGES[company.exchange][1],
                "shareClassFIGI": f"FIS{company.cik:09d}",
                "symbol": company.ticker,
                "symbol2": "",
                "type": "ETP" if company.kind == "etf" else "Common Stock",
            }
            for company in world.all
            if world.delisted(company) is None
        ]

    def market_status(self) -> Row:
        """See :class:`Source`."""
        return status_row(self._sandbox.moment())


def quote_row(now: Tick) -> Row:
    """A price and the session around it in the provider's letters."""
    change = round(now.price - now.previous, 4)
    return {
        "c": now.price,
        "d": change,
        "dp": round(100 * change / now.previous, 4) if now.previous else None,
        "h": now.high,
        "l": now.low,
        "o": now.open,
        "pc": now.previous,
        "t": int(now.at.timestamp()),
    }


def article_rows(story: Story, related: str) -> Iterator[Row]:
    """The copies of a story, each with an id and an address of its own."""
    for copy, number in enumerate(story.finnhub):
        url = story.url if not copy else f"{story.outlet.home}{story.published:%Y/%m/%d}/en/{number}/{story.slug}"
        yield {
            "category": "top news" if story.category == "general" else story.category,
            "datetime": int(story.published.timestamp()),
            "headline": story.text.title,
            "id": number,
            "image": "" if story.release else f"{story.outlet.home}images/{story.text.keyword.replace(' ', '-')}.png",
            "related": related,
            "source": story.outlet.name,
            "summary": story.text.summary,
            "url": url,
        }


def status_row(moment: dt.datetime) -> Row:
    """What the exchange does at a moment."""
    local = moment.astimezone(EASTERN)
    day, clock = local.date(), local.time()
    session: str | None = None
    if nyse.is_session(day):
        close = dt.time(13) if nyse.is_half_day(day) else dt.time(16)
        for name, start, end in (
            ("pre-market", dt.time(4), dt.time(9, 30)),
            ("regular", dt.time(9, 30), close),
            ("post-market", close, dt.time(20)),
        ):
            if start <= clock < end:
                session = name
    return {
        "exchange": "US",
        "holiday": nyse.holiday_name(day),
        "isOpen": session == "regular",
        "session": session,
        "timezone": "America/New_York",
        "t": int(moment.timestamp()),
    }


class RecordedSource:
    """Finnhub's figures as they were recorded below a folder; what was not recorded does not exist."""

    def __init__(self, folder: Path) -> None:
        self._quotes: dict[str, Row] = {}
        self._news: dict[str, dict[int, Row]] = {}
        self._metrics: dict[str, Row] = {}
        self._profiles: dict[str, Row] = {}
        self._calendar: dict[tuple[str, str], Row] = {}
        self._symbols: list[Row] = []
        files = [*(folder / "samples/finnhub").glob("*.json"), *(folder / "providers/finnhub").glob("*.json")]
        for path in sorted(files):
            if not path.name.endswith((".doc_sample.json", ".headers.json")):
                self._add(path.name.lower().replace("-", "_"), json.loads(path.read_text(encoding="utf-8")))

    def _add(self, name: str, body: Any) -> None:
        parts = name.removesuffix(".json").split("_")
        if name.startswith("quote_") and body.get("t"):
            symbol = parts[1].upper()
            if body["t"] > self._quotes.get(symbol, body | {"t": 0})["t"]:
                self._quotes[symbol] = body
        elif name.startswith("company_news_"):
            for row in body:
                self._news.setdefault(parts[2].upper(), {})[row["id"]] = row
        elif name.startswith("metric_"):
            self._metrics[body["symbol"]] = body
        elif name.startswith("profile_"):
            self._profiles[body["ticker"]] = body
        elif name.startswith("calendar_earnings"):
            for row in body["earningsCalendar"]:
                if "symbol" in row:
                    self._calendar[row["symbol"], row["date"]] = row
        elif name.startswith("stock_symbol"):
            self._symbols = body

    def quote(self, symbol: str) -> Row | None:
        """The newest recorded quote."""
        return self._quotes.get(symbol)

    def company_news(self, symbol: str, first: dt.date, last: dt.date) -> list[Row]:
        """The recorded articles of the days."""
        after, before = _midnight(first), _midnight(last + dt.timedelta(days=1))
        rows = [row for row in self._news.get(symbol, {}).values() if after <= row["datetime"] < before]
        return sorted(rows, key=lambda row: (row["datetime"], row["id"]), reverse=True)

    def market_news(self, category: str, above: int) -> list[Row]:
        """None were recorded."""
        del category, above
        return []

    def metric(self, symbol: str, wanted: str) -> Row | None:
        """The recorded figures."""
        known = self._metrics.get(symbol)
        return None if known is None else known | {"metricType": wanted}

    def earnings(self, symbol: str) -> list[Row]:
        """None were recorded."""
        del symbol
        return []

    def calendar(self, first: dt.date, last: dt.date, symbol: str | None) -> list[Row]:
        """The recorded rows of the days."""
        rows = [
            row
            for (ticker, day), row in self._calendar.items()
            if first.isoformat() <= day <= last.isoformat() and symbol in {None, ticker}
        ]
        return sorted(rows, key=lambda row: str(row["date"]), reverse=True)

    def profile(self, symbol: str) -> Row | None:
        """The recorded profile."""
        return self._profiles.get(symbol)

    def symbols(self) -> list[Row]:
        """The recorded list, a cutting."""
        return self._symbols

    def market_status(self) -> Row:
        """No status was recorded: the exchange is closed, without a session."""
        return status_row(eastern(dt.date(2026, 1, 1), dt.time(0)))


def _midnight(day: dt.date) -> int:
    """Midnight UTC of a day in Unix seconds."""
    return int(dt.datetime.combine(day, dt.time(), dt.UTC).timestamp())
