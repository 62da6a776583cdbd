"""The providers: where they are, how they know us, how fast we may ask, and under which terms.

A limit is what we allow ourselves, not what the provider publishes: the margin is the difference, and its reason stands
beside it. What does not belong here: addresses of single endpoints (``clients``), and which plan a user pays for
(``settings``).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Window = Literal["minute", "hour", "day", "month"]


@dataclass(frozen=True, slots=True)
class Quota:
    """At most ``limit`` of ``counts`` per calendar ``window`` (UTC unless the provider row says otherwise)."""

    window: Window
    limit: int
    counts: Literal["requests", "symbols"] = "requests"


@dataclass(frozen=True, slots=True)
class Plan:
    """One of the provider's price plans: what its key may do."""

    name: str
    rate: float
    """Requests per second over all processes."""
    quotas: tuple[Quota, ...] = ()


@dataclass(frozen=True, slots=True)
class Provider:
    """One provider of data."""

    id: str
    title: str
    module: str
    """Module of ``clients`` that speaks its wire format."""
    hosts: dict[str, str]
    """Host role -> base URL in the live world."""
    sandbox_path: str
    """Path under the sandbox's origin that stands for all hosts of this provider."""
    plans: tuple[Plan, ...]
    docs_url: str
    terms: str
    block_seconds: float = 600.0
    """Pause for every process after a block page, in seconds."""
    timezone: str = "UTC"
    """Zone in which a day's or a month's quota starts anew."""
    settings_hint: str = ""
    """What the live world needs, for messages."""
    plan_by_name: dict[str, Plan] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Index the plans by name."""
        object.__setattr__(self, "plan_by_name", {plan.name: plan for plan in self.plans})

    def plan(self, name: str | None = None) -> Plan:
        """The plan of that name, the first one by default."""
        return self.plans[0] if name is None else self.plan_by_name[name]

    @property
    def pool(self) -> str:
        """The Dagster pool in which this provider's steps wait for each other."""
        return self.id


_ROWS: tuple[Provider, ...] = (
    Provider(
        id="sec",
        title="SEC EDGAR",
        module="edgar",
        hosts={"www": "https://www.sec.gov", "data": "https://data.sec.gov", "efts": "https://efts.sec.gov"},
        sandbox_path="/edgar",
        # SEC publishes 10/s per user over all machines; people were blocked at 9.7/s, so 8/s is the default.
        plans=(Plan("fair", 8.0),),
        docs_url="https://www.sec.gov/search-filings/edgar-application-programming-interfaces",
        terms="Public domain; the User-Agent must name a contact and 10 requests a second must never be exceeded.",
        timezone="America/New_York",
        settings_hint="SALESCIENCE_EDGAR_CONTACT, a company name and an e-mail address for the User-Agent",
    ),
    Provider(
        id="yahoo",
        title="Yahoo Finance",
        module="yahoo",
        hosts={
            "query1": "https://query1.finance.yahoo.com",
            "query2": "https://query2.finance.yahoo.com",
            "cookie": "https://fc.yahoo.com",
        },
        sandbox_path="/yahoo",
        # Nothing is published and blocks come at small volumes: be slow.
        plans=(Plan("unofficial", 2.0),),
        docs_url="https://finance.yahoo.com",
        terms="Unofficial and for personal use; may change at any time, so it is never the only source.",
    ),
    Provider(
        id="tiingo",
        title="Tiingo",
        module="tiingo",
        hosts={"api": "https://api.tiingo.com", "media": "https://apimedia.tiingo.com"},
        sandbox_path="/tiingo",
        plans=(
            Plan("free", 5.0, (Quota("hour", 50), Quota("day", 1_000), Quota("month", 500, "symbols"))),
            Plan("power", 10.0, (Quota("hour", 10_000), Quota("day", 100_000))),
        ),
        docs_url="https://www.tiingo.com/documentation/end-of-day",
        terms="Internal use; redistribution needs a licence.",
        settings_hint="SALESCIENCE_TIINGO_TOKEN, the API token of your Tiingo account",
    ),
    Provider(
        id="finnhub",
        title="Finnhub",
        module="finnhub",
        hosts={"api": "https://finnhub.io"},
        sandbox_path="/finnhub",
        # A sliding minute of 60 (free) and 30/s on every plan: evenly spaced requests keep both, bursts would not.
        # The paid plans differ by their requests a minute, so they are named by it.
        plans=(Plan("free", 1.0), Plan("paid-150", 2.5), Plan("paid-300", 5.0), Plan("paid-900", 15.0)),
        docs_url="https://finnhub.io/docs/api",
        terms="Free keys are for personal use; news and fundamentals stay their owners'.",
        settings_hint="SALESCIENCE_FINNHUB_TOKEN, the API key of your Finnhub account",
    ),
    Provider(
        id="polygon",
        title="Polygon (Massive)",
        module="polygon",
        # Polygon.io became Massive in October 2025; SALESCIENCE_BASE_URLS names another host
        # (https://api.polygon.io) where one is needed; the archive knows both by this one.
        hosts={"api": "https://api.massive.com"},
        sandbox_path="/polygon",
        # Free keys have a fixed minute of 5 whose beginning nobody knows: 12 s between requests keeps every minute.
        # Paid ones have no hard cap and are asked to stay below 100/s.
        plans=(Plan("free", 5 / 60), Plan("paid", 50.0)),
        docs_url="https://massive.com/docs/rest/stocks/news",
        terms="Internal use; redistribution needs a licence.",
        settings_hint="SALESCIENCE_POLYGON_KEY, the API key of your Polygon (Massive) account",
    ),
    Provider(
        id="alphavantage",
        title="Alpha Vantage",
        module="alphavantage",
        hosts={"api": "https://www.alphavantage.co"},
        sandbox_path="/alphavantage",
        # The paid plans are sold by requests a minute and have no daily cap.
        plans=(
            Plan("free", 1.0, (Quota("day", 25),)),
            *(Plan(f"premium-{minute}", minute / 60) for minute in (75, 150, 300, 600, 1200)),
        ),
        docs_url="https://www.alphavantage.co/documentation",
        terms="Free keys are for personal use.",
        # Nowhere stated; midnight in New York is what users see.
        timezone="America/New_York",
        settings_hint="SALESCIENCE_ALPHAVANTAGE_KEY, your Alpha Vantage API key",
    ),
    Provider(
        id="reducto",
        title="Reducto",
        module="reducto",
        hosts={"api": "https://platform.reducto.ai"},
        sandbox_path="/reducto",
        # 1,000 requests a second are allowed and 200 for the state of jobs; each document costs credits, so be slow.
        plans=(Plan("standard", 50.0),),
        docs_url="https://docs.reducto.ai",
        terms="Documents are sent to Reducto; each page costs credits.",
        settings_hint="SALESCIENCE_REDUCTO_KEY, your Reducto API key",
    ),
)

PROVIDERS: dict[str, Provider] = {provider.id: provider for provider in _ROWS}
