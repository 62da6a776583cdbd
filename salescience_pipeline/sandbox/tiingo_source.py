"""Where Tiingo's figures come from: the seam between the wire format and the two worlds, and both of its sides.

What does not belong here: HTTP (``tiingo``).
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
import zipfile
from collections import OrderedDict
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Protocol

from salescience_pipeline.fiction.adjust import Adjustment
from salescience_pipeline.fiction.world import Bar, Company
from salescience_pipeline.sandbox.answers import Prepared
from salescience_pipeline.sandbox.app import Sandbox

Row = dict[str, Any]
"""A price row with the provider's column names; ``date`` is a date."""
EXCHANGES = {"Nasdaq": "NASDAQ", "NYSE": "NYSE", "NYSE Arca": "NYSE ARCA"}
_CACHED_ADJUSTMENTS = 4096


class Source(Protocol):
    """The figures that the emulated Tiingo sends."""

    @property
    def version(self) -> int:
        """Changes when figures that were given before are no longer right."""

    def meta(self, ticker: str) -> dict[str, Any] | None:
        """The metadata answer, or ``None`` for an unknown ticker (any case, a dash before the class)."""

    def rows(self, ticker: str, first: dt.date | None, last: dt.date | None) -> list[Row]:
        """Price rows of a known ticker, both ends included, oldest first; an end may be left open."""

    def newest(self, ticker: str) -> list[Row]:
        """The newest row of a known ticker, or nothing."""

    def everyone(self) -> list[Row]:
        """The newest row of everyone listed, each with a ``ticker``."""

    def listing(self) -> Prepared:
        """The zipped list of tickers."""


class FictionalSource:
    """Tiingo's figures about the fictional market."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._world = sandbox.world
        self._adjustments: OrderedDict[tuple[str, int], Adjustment] = OrderedDict()

    @property
    def version(self) -> int:
        """See :class:`Source`."""
        return self._world.version

    def _company(self, ticker: str) -> Company | None:
        return None if "." in ticker else self._world.company(ticker)

    def meta(self, ticker: str) -> dict[str, Any] | None:
        """See :class:`Source`."""
        company = self._company(ticker)
        if company is None:
            return None
        return {
            "ticker": company.dashed,
            "name": company.name,
            "description": company.description,
            "startDate": self._world.first_date(company).isoformat(),
            "endDate": self._world.last_date(company).isoformat(),
            "exchangeCode": EXCHANGES[company.exchange],
        }

    def rows(self, ticker: str, first: dt.date | None, last: dt.date | None) -> list[Row]:
        """See :class:`Source`."""
        company = self._company(ticker)
        if company is None:
            return []
        world = self._world
        first, last = first or world.first_date(company), last or world.last_date(company)
        return self._table(company, world.bars(company.ticker, first, last), first)

    def newest(self, ticker: str) -> list[Row]:
        """See :class:`Source`."""
        company = self._company(ticker)
        return [] if company is None else self.rows(ticker, self._world.last_date(company), None)

    def _adjustment(self, company: Company, first: dt.date) -> Adjustment:
        """The adjustment for days from ``first`` on; a recent range needs few of the old closes."""
        key = (company.ticker, self._world.version)
        made = self._adjustments.get(key)
        if made is None or made.since > first:
            made = self._adjustments[key] = Adjustment(self._world, company.ticker, since=first)
            if len(self._adjustments) > _CACHED_ADJUSTMENTS:
                self._adjustments.popitem(last=False)
        return made

    def _table(self, company: Company, bars: Iterable[Bar], first: dt.date) -> list[dict[str, Any]]:
        """Price rows with real dates, in the order of the columns."""
        adjustment = self._adjustment(company, first)
        rows = []
        for bar in bars:
            shares = adjustment.splits.after(bar.date)
            factor = adjustment.crsp.after(bar.date) / shares
            rows.append(
                {
                    "date": bar.date,
                    "close": bar.close,
                    "high": bar.high,
                    "low": bar.low,
                    "open": bar.open,
                    "volume": bar.volume,
                    "adjClose": round(bar.close * factor, 10),
                    "adjHigh": round(bar.high * factor, 10),
                    "adjLow": round(bar.low * factor, 10),
                    "adjOpen": round(bar.open * factor, 10),
                    "adjVolume": round(bar.volume * shares),
                    "divCash": bar.div_cash,
                    "splitFactor": bar.split_factor,
                }
            )
        return rows

    def everyone(self) -> list[Row]:
        """See :class:`Source`."""
        world = self._world
        day = world.last_session
        rows: list[Row] = []
        for company in world.all:
            if world.company(company.ticker) is not company:
                continue  # its ticker belongs to another company now
            for bar in world.bars(company.ticker, day, day):
                # The newest bar has no event after it: adjusted equals raw, and no history need be drawn.
                row: Row = {"ticker": company.dashed, "date": bar.date}
                for name in ("close", "high", "low", "open", "volume"):
                    row[name] = getattr(bar, name)
                for name in ("Close", "High", "Low", "Open", "Volume"):
                    row[f"adj{name}"] = row[name.lower()]
                rows.append(row | {"divCash": bar.div_cash, "splitFactor": bar.split_factor})
        return rows

    def listing(self) -> Prepared:
        """See :class:`Source`; delisted companies included."""
        world = self._world
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\r\n")
        writer.writerow(("ticker", "exchange", "assetType", "priceCurrency", "startDate", "endDate"))
        for company in sorted(world.all, key=lambda c: c.dashed):
            writer.writerow(
                (
                    company.dashed,
                    EXCHANGES[company.exchange],
                    "ETF" if company.kind == "etf" else "Stock",
                    company.currency,
                    world.first_date(company).isoformat(),
                    world.last_date(company).isoformat(),
                )
            )
        # Rebuilt every evening; the same content always gives the same archive, so that validators hold.
        built = dt.datetime.combine(world.last_session, dt.time(23, 28, 33), dt.UTC)
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            member = zipfile.ZipInfo("supported_tickers.csv", built.timetuple()[:6])
            member.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(member, text.getvalue())
        headers = {"Accept-Ranges": "bytes", "Server": "AmazonS3"}
        return Prepared(
            packed.getvalue(), "application/zip", headers=headers, last_modified=built, etag=True, zippable=False
        )


class RecordedSource:
    """Tiingo's figures as they were recorded below a folder; what was not recorded does not exist."""

    version = 0

    def __init__(self, folder: Path) -> None:
        self._rows: dict[str, dict[dt.date, Row]] = {}
        self._meta: dict[str, dict[str, Any]] = {}
        self._folder = folder
        for path in sorted([*(folder / "providers/tiingo").glob("*_prices_*.json"), *_samples(folder)]):
            ticker = path.name.removeprefix("prices_").split("_")[0]
            for row in json.loads(path.read_text(encoding="utf-8")):
                day = dt.date.fromisoformat(row["date"][:10])
                self._rows.setdefault(ticker, {})[day] = row | {"date": day}
        for path in sorted((folder / "providers/tiingo").glob("*_meta.json")):
            self._meta[path.name.split("_")[0]] = json.loads(path.read_text(encoding="utf-8"))

    def meta(self, ticker: str) -> dict[str, Any] | None:
        """The recorded metadata; for a ticker with prices only, what these tell."""
        symbol = ticker.upper()
        if symbol in self._meta:
            return self._meta[symbol]
        days = sorted(self._rows.get(symbol, ()))
        if not days:
            return None
        empty = dict.fromkeys(("name", "description", "exchangeCode"))
        return {"ticker": symbol, **empty, "startDate": days[0].isoformat(), "endDate": days[-1].isoformat()}

    def rows(self, ticker: str, first: dt.date | None, last: dt.date | None) -> list[Row]:
        """The recorded rows of the range."""
        known = self._rows.get(ticker.upper(), {})
        return [known[day] for day in sorted(known) if (first or day) <= day <= (last or day)]

    def newest(self, ticker: str) -> list[Row]:
        """The newest recorded row."""
        return self.rows(ticker, None, None)[-1:]

    def everyone(self) -> list[Row]:
        """The newest recorded row of each ticker."""
        return [{"ticker": ticker, **self.newest(ticker)[0]} for ticker in sorted(self._rows)]

    def listing(self) -> Prepared:
        """The recorded list, or one without a row."""
        path = self._folder / "providers/tiingo/supported_tickers_small.zip"
        if path.is_file():
            built = dt.datetime.fromtimestamp(int(path.stat().st_mtime), dt.UTC)
            body = path.read_bytes()
        else:
            built, packed = dt.datetime(2020, 1, 1, tzinfo=dt.UTC), io.BytesIO()
            with zipfile.ZipFile(packed, "w") as archive:
                header = "ticker,exchange,assetType,priceCurrency,startDate,endDate\r\n"
                archive.writestr(zipfile.ZipInfo("supported_tickers.csv", built.timetuple()[:6]), header)
            body = packed.getvalue()
        return Prepared(body, "application/zip", last_modified=built, etag=True, zippable=False)


def _samples(folder: Path) -> list[Path]:
    return list((folder / "samples/tiingo").glob("prices_*.json"))
