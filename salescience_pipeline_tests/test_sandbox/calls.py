"""How tests ask each emulated provider: its paths, its key, and the answers that several files look at.

What does not belong here: starting a server (:mod:`.serving`), and what an answer must look like (:mod:`.witness`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx

from salescience_pipeline_tests.test_sandbox.serving import TODAY, Served

CALDQ, TORVA, OAKMR = 9900003, 9900010, 9900011
"""Numbers of companies at EDGAR: an ordinary one, one that files much, one that is delisted."""

PRICES = "/tiingo/tiingo/daily/ALDRN/prices"
CHART = "/yahoo/v8/finance/chart"
POLYGON_NEWS = "/v2/reference/news"
DAILY = {"interval": "daily", "series_type": "close"}


@dataclass(frozen=True)
class Caller:
    """Someone with a key who asks one provider for JSON."""

    base: str
    headers: dict[str, str]

    def ask(self, served: Served, path: str, **params: Any) -> httpx.Response:
        """The answer, whatever it is."""
        return served.get(f"{self.base}{path}", headers=self.headers, params=params)

    def get(self, served: Served, path: str, **params: Any) -> Any:
        """The body of an answer that must be good."""
        response = self.ask(served, path, **params)
        assert response.status_code == 200, response.text
        assert response.headers["content-type"].startswith("application/json")
        return response.json()


FINNHUB = Caller("/finnhub/api/v1", {"X-Finnhub-Token": "any"})
POLYGON = Caller("/polygon", {"Authorization": "Bearer any-key-of-ours"})


def alphavantage(served: Served, function: str, key: str = "any", **params: Any) -> httpx.Response:
    """What Alpha Vantage says to a call: always with status 200."""
    response = served.get("/alphavantage/query", params={"function": function, "apikey": key, **params})
    assert response.status_code == 200, response.text
    return response


def alphavantage_json(served: Served, function: str, key: str = "any", **params: Any) -> Any:
    """The body of such an answer, which must be JSON."""
    response = alphavantage(served, function, key, **params)
    assert response.headers["content-type"].startswith("application/json")
    return response.json()


def pages_of_polygon(served: Served, path: str, **params: Any) -> tuple[list[dict[str, Any]], int]:
    """All rows of a list of Polygon's by following ``next_url``, and how many requests that took."""
    body, rows, asked = POLYGON.get(served, path, **params), [], 1
    rows += body.get("results", [])
    while "next_url" in body:
        body = served.get(body["next_url"], headers=POLYGON.headers).json()
        rows += body["results"]
        asked += 1
    return rows, asked


def finnhub_news(served: Served, ticker: str, first: str, last: str) -> list[dict[str, Any]]:
    """A company's articles of the days from ``first`` to ``last`` at Finnhub, newest first."""
    return FINNHUB.get(served, "/company-news", symbol=ticker, **{"from": first, "to": last})


def polygon_news(served: Served, ticker: str, first: str, last: str) -> list[dict[str, Any]]:
    """The same at Polygon."""
    window = {"published_utc.gte": first, "published_utc.lte": f"{last}T23:59:59Z"}
    return POLYGON.get(served, POLYGON_NEWS, ticker=ticker, limit=1000, **window)["results"]


def quarter_of_news(served: Served, ticker: str = "CALDQ") -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """A company's articles since September, at Finnhub and at Polygon."""
    return finnhub_news(served, ticker, "2026-09-01", TODAY), polygon_news(served, ticker, "2026-09-01", TODAY)


def recent_filings(served: Served, cik: int = CALDQ) -> list[dict[str, Any]]:
    """The rows of a company's recent filings at EDGAR."""
    page = served.get(f"/edgar/submissions/CIK{cik:010d}.json").json()["filings"]["recent"]
    return [dict(zip(page, values, strict=True)) for values in zip(*page.values(), strict=True)]


def folder_of(row: dict[str, Any], cik: int = CALDQ) -> str:
    """The path of such a filing's folder."""
    return f"/edgar/Archives/edgar/data/{cik}/{row['accessionNumber'].replace('-', '')}"
