"""Where Polygon's rows come from: the seam between the wire format and the two worlds, and both of its sides.

What does not belong here: HTTP, filters and pages (``polygon``, ``polygon_query``).
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol

from salescience_pipeline.fiction import nyse
from salescience_pipeline.fiction.adjust import Chain
from salescience_pipeline.fiction.companies import Company
from salescience_pipeline.fiction.news import NEWS_FROM, Story
from salescience_pipeline.fiction.sec_calendar import eastern
from salescience_pipeline.fiction.world import Bar
from salescience_pipeline.sandbox.app import Sandbox

Row = dict[str, Any]
EXCHANGES = {"Nasdaq": "XNAS", "NYSE": "XNYS", "NYSE Arca": "ARCX"}
_CLOSE = dt.time(16)
_AHEAD = dt.timedelta(days=365)
_SHARES_PER_TRADE = 110


class Source(Protocol):
    """The rows that the emulated Polygon sends."""

    def news(self, first: dt.date | None, last: dt.date | None, ticker: str | None, *, newest: bool) -> Iterator[Row]:
        """Articles of UTC days, either end open, in order of publication and id."""

    def grouped(self, day: dt.date, *, adjusted: bool) -> list[Row]:
        """Everybody's bar of a day."""

    def bars(self, ticker: str, first: dt.date, last: dt.date, *, adjusted: bool) -> list[Row]:
        """Daily bars, both ends included, oldest first; nothing for an unknown ticker."""

    def tickers(self, on: dt.date | None) -> list[Row]:
        """Everybody, delisted ones included, as of a day."""

    def details(self, ticker: str) -> Row | None:
        """One ticker in detail."""

    def splits(self, ticker: str | None) -> list[Row]:
        """Splits of one ticker or of all."""

    def dividends(self, ticker: str | None) -> list[Row]:
        """Dividends of one ticker or of all."""

    def upcoming(self) -> list[Row]:
        """Closures of the coming year."""


def _listing(company: Company, *, active: bool) -> Row:
    """What the list of tickers and a ticker's details both say."""
    return {
        "ticker": company.ticker,
        "name": company.name,
        "market": "stocks",
        "locale": "us",
        "primary_exchange": EXCHANGES[company.exchange],
        "type": "ETF" if company.kind == "etf" else "CS",
        "active": active,
        "currency_name": company.currency.lower(),
        "cik": f"{company.cik:010d}",
        "composite_figi": f"FIC{company.cik:09d}",
        "share_class_figi": f"FIS{company.cik:09d}",
    }


class FictionalSource:
    """Polygon's rows about the fictional market."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._world = sandbox.world

    def _company(self, ticker: str) -> Company | None:
        """The company with this ticker; case matters, and a dot stands before the class."""
        company = self._world.company(ticker)
        return company if company is not None and company.ticker == ticker else None

    # -- news -------------------------------------------------------------------------------------------------------

    def news(self, first: dt.date | None, last: dt.date | None, ticker: str | None, *, newest: bool) -> Iterator[Row]:
        """See :class:`Source`."""
        company = self._company(ticker) if ticker is not None else None
        if ticker is not None and company is None:
            return
        now = self._sandbox.moment()
        first, last = max(first or NEWS_FROM, NEWS_FROM), min(last or now.date(), now.date())
        for k in range((last - first).days + 1):
            day = last - dt.timedelta(days=k) if newest else first + dt.timedelta(days=k)
            rows = [row for story in self._sandbox.news.day(day, company) for row in article_rows(story)]
            rows.sort(key=lambda row: (row["published_utc"], row["id"]), reverse=newest)
            yield from rows

    # -- bars -------------------------------------------------------------------------------------------------------

    def grouped(self, day: dt.date, *, adjusted: bool) -> list[Row]:
        """See :class:`Source`; stamped with the close of the day."""
        world, rows = self._world, []
        if not nyse.is_session(day) or day > world.last_session:
            return []
        at = int(eastern(day, _CLOSE).timestamp() * 1000)
        for company in world.all:
            if world.company(company.ticker) is not company:
                continue
            splits = Chain(world.splits(company.ticker) if adjusted else {})
            rows += [{"T": company.ticker, **_bar_row(bar, splits, at)} for bar in world.bars(company.ticker, day, day)]
        return rows

    def bars(self, ticker: str, first: dt.date, last: dt.date, *, adjusted: bool) -> list[Row]:
        """See :class:`Source`; stamped with the midnight in New York that begins the day."""
        company = self._company(ticker)
        if company is None:
            return []
        splits = Chain(self._world.splits(company.ticker) if adjusted else {})
        return [
            _bar_row(bar, splits, int(eastern(bar.date, dt.time()).timestamp() * 1000))
            for bar in self._world.bars(company.ticker, first, last)
        ]

    # -- reference --------------------------------------------------------------------------------------------------

    def tickers(self, on: dt.date | None) -> list[Row]:
        """See :class:`Source`."""
        world = self._world
        on = on or world.today
        rows = []
        for company in world.all:
            if company.listed > on:
                continue
            gone = world.delisted(company)
            row = _listing(company, active=gone is None or gone >= on) | {
                "last_updated_utc": f"{world.last_session}T00:00:00Z",
            }
            if gone is not None and gone < on:
                row["delisted_utc"] = f"{gone + dt.timedelta(days=1)}T00:00:00Z"
            rows.append(row)
        return rows

    def details(self, ticker: str) -> Row | None:
        """See :class:`Source`; a delisted ticker has no details."""
        company = self._company(ticker)
        world = self._world
        if company is None or world.delisted(company) is not None:
            return None
        shares = world.shares_on(company.ticker, world.last_session)
        close = world.close_on(company.ticker, world.last_date(company)) or 0.0
        row = _listing(company, active=True) | {
            "market_cap": round(shares * close, 2),
        }
        if company.kind != "etf":
            row |= {
                "phone_number": company.phone,
                "address": {
                    "address1": company.address.upper(),
                    "city": company.city.upper(),
                    "state": company.state,
                    "postal_code": company.postal_code,
                },
                "description": company.description,
                "sic_code": company.sic,
                "sic_description": company.sic_description.upper(),
                "ticker_root": company.ticker.split(".", maxsplit=1)[0],
                "homepage_url": company.website,
                "total_employees": company.employees,
            }
        return row | {
            "list_date": company.listed.isoformat(),
            "branding": {"logo_url": f"{company.website}/logo.svg", "icon_url": f"{company.website}/icon.png"},
            "share_class_shares_outstanding": shares,
            "weighted_shares_outstanding": shares,
        }

    def _wanted(self, ticker: str | None) -> list[Company]:
        if ticker is None:
            return [c for c in self._world.all if self._world.company(c.ticker) is c]
        company = self._company(ticker)
        return [] if company is None else [company]

    def splits(self, ticker: str | None) -> list[Row]:
        """See :class:`Source`; four for one is from 1 to 4, one for ten from 10 to 1."""
        rows = []
        for company in self._wanted(ticker):
            for day, factor in self._world.splits(company.ticker).items():
                ratio = Fraction(factor).limit_denominator(1000)
                rows.append(
                    {
                        "execution_date": day.isoformat(),
                        "split_from": ratio.denominator,
                        "split_to": ratio.numerator,
                        "ticker": company.ticker,
                    }
                )
        return rows

    def dividends(self, ticker: str | None) -> list[Row]:
        """See :class:`Source`; the days around the ex-date are set by rule."""
        return [
            {
                "cash_amount": cash,
                "currency": company.currency,
                "declaration_date": (day - dt.timedelta(days=21)).isoformat(),
                "dividend_type": "CD",
                "ex_dividend_date": day.isoformat(),
                "frequency": 4,
                "pay_date": (day + dt.timedelta(days=14)).isoformat(),
                "record_date": day.isoformat(),
                "ticker": company.ticker,
            }
            for company in self._wanted(ticker)
            for day, cash in self._world.dividends(company.ticker).items()
        ]

    def upcoming(self) -> list[Row]:
        """See :class:`Source`."""
        return closures(self._world.today)


def article_rows(story: Story) -> Iterator[Row]:
    """A story under each of its ids."""
    for copy, name in enumerate(story.polygon):
        host = story.outlet.home
        row: Row = {
            "id": name,
            "publisher": {
                "name": story.outlet.name,
                "homepage_url": host,
                "logo_url": f"{host}logo.svg",
                "favicon_url": f"{host}favicon.ico",
            },
            "title": story.text.title,
            "author": story.author,
            "published_utc": f"{story.published:%Y-%m-%dT%H:%M:%SZ}",
            # Another address than the one that other providers hand out for the same story.
            "article_url": f"{host}feed/{name[:12]}/{story.slug}" if not copy else f"{host}feed/{name[:12]}/again",
            "tickers": list(story.tickers),
            "description": story.text.summary,
            "keywords": [story.text.keyword],
        }
        if not story.release:
            row["image_url"] = f"{host}images/{story.text.keyword.replace(' ', '-')}.png"
        if story.insights:
            row["insights"] = [
                {"ticker": ticker, "sentiment": sentiment, "sentiment_reasoning": why}
                for ticker, sentiment, why in story.insights
            ]
        yield row


def _bar_row(bar: Bar, splits: Chain, at: int) -> Row:
    """A bar in the provider's letters, divided by the splits that came later."""
    shares = splits.after(bar.date)
    prices = {name: round(value / shares, 4) for name, value in zip("ochl", _ochl(bar), strict=True)}
    average = round((bar.open + bar.high + bar.low + 2 * bar.close) / 5 / shares, 4)
    volume = round(bar.volume * shares)
    return {
        "v": float(volume),
        "vw": average,
        "o": prices["o"],
        "c": prices["c"],
        "h": prices["h"],
        "l": prices["l"],
        "t": at,
        "n": max(1, volume // _SHARES_PER_TRADE),
    }


def _ochl(bar: Bar) -> tuple[float, float, float, float]:
    return bar.open, bar.close, bar.high, bar.low


def closures(today: dt.date) -> list[Row]:
    """Holidays and half days of the year from ``today`` on, for both exchanges."""
    rows: list[Row] = []
    day = today
    while day < today + _AHEAD:
        name = nyse.holiday_name(day)
        if name is not None:
            rows += [
                {"exchange": exchange, "name": name, "date": day.isoformat(), "status": "closed"}
                for exchange in ("NYSE", "NASDAQ")
            ]
        elif nyse.is_half_day(day):
            occasion = {7: "Independence Day", 11: "Thanksgiving Day", 12: "Christmas"}[day.month]
            begin, end = (eastern(day, clock).astimezone(dt.UTC) for clock in (dt.time(9, 30), dt.time(13)))
            rows += [
                {
                    "exchange": exchange,
                    "name": occasion,
                    "date": day.isoformat(),
                    "status": "early-close",
                    "open": f"{begin:%Y-%m-%dT%H:%M:%S}.000Z",
                    "close": f"{end:%Y-%m-%dT%H:%M:%S}.000Z",
                }
                for exchange in ("NYSE", "NASDAQ")
            ]
        day += dt.timedelta(days=1)
    return rows


class RecordedSource:
    """Polygon's rows below a folder: recordings, and the vendor's own test answers about real securities.

    What is not there does not exist; only the bars as they stand are known, adjusted or not.
    """

    def __init__(self, folder: Path) -> None:
        self._news: dict[str, Row] = {}
        self._bars: dict[str, dict[dt.date, Row]] = {}
        self._tickers: dict[str, Row] = {}
        self._splits: list[Row] = []
        for path in sorted((folder / "providers/polygon").glob("*.json")):
            body = json.loads(path.read_text(encoding="utf-8"))
            if path.name.startswith("news_"):
                self._news |= {row["id"]: row for row in body["results"]}
            elif path.name.startswith("aggs_"):
                for row in body["results"]:
                    self._bars.setdefault(body["ticker"], {})[_day_of(row)] = row
            elif path.name.startswith("ticker_"):
                self._tickers[body["results"]["ticker"]] = body["results"]
            elif path.name.startswith("splits"):
                self._splits = body["results"]

    def news(self, first: dt.date | None, last: dt.date | None, ticker: str | None, *, newest: bool) -> Iterator[Row]:
        """The recorded articles."""
        rows = sorted(self._news.values(), key=lambda row: (row["published_utc"], row["id"]), reverse=newest)
        for row in rows:
            day = dt.date.fromisoformat(row["published_utc"][:10])
            if (first or day) <= day <= (last or day) and (ticker is None or ticker in row["tickers"]):
                yield row

    def grouped(self, day: dt.date, *, adjusted: bool) -> list[Row]:
        """The recorded bars of the day."""
        del adjusted
        return [{"T": ticker, **rows[day]} for ticker, rows in sorted(self._bars.items()) if day in rows]

    def bars(self, ticker: str, first: dt.date, last: dt.date, *, adjusted: bool) -> list[Row]:
        """The recorded bars of the range."""
        del adjusted
        return [row for day, row in sorted(self._bars.get(ticker, {}).items()) if first <= day <= last]

    def tickers(self, on: dt.date | None) -> list[Row]:
        """The tickers with recorded details."""
        del on
        return list(self._tickers.values())

    def details(self, ticker: str) -> Row | None:
        """The recorded details."""
        return self._tickers.get(ticker)

    def splits(self, ticker: str | None) -> list[Row]:
        """The recorded splits."""
        return [row for row in self._splits if ticker in {None, row["ticker"]}]

    def dividends(self, ticker: str | None) -> list[Row]:
        """None were recorded."""
        del ticker
        return []

    def upcoming(self) -> list[Row]:
        """No closures belong to the recordings."""
        return []


def _day_of(row: Row) -> dt.date:
    """The day of a recorded bar in New York: its stamp lies within the first hours of it."""
    return dt.datetime.fromtimestamp(row["t"] / 1000, dt.UTC).date()
