"""The words of fictional news: outlets that do not exist, headlines and sentences about companies that do not exist.

What does not belong here: which story appears when and where (``news``).
"""

from __future__ import annotations

import random
from dataclasses import dataclass

_PEOPLE = ("Ada Larkfield", "Basil Thornquist", "Clara Mossgate", "Emil Vanebrook", "Greta Holmwick", "Ivo Sedgeford")


@dataclass(frozen=True, slots=True)
class Outlet:
    """Who publishes a story."""

    name: str
    host: str
    wire: bool = False
    """Distributes what companies say about themselves."""

    @property
    def home(self) -> str:
        """The address of its front page."""
        return f"https://{self.host}/"


OUTLETS = (
    Outlet("The Fogbank Ledger", "fogbank-ledger.example.com"),
    Outlet("Prairie End Markets", "prairie-end-markets.example.com"),
    Outlet("Tarnside Investor", "tarnside-investor.example.com"),
    Outlet("Lower Elms Business Post", "lower-elms-post.example.com"),
)
WIRES = (
    Outlet("Lanternwire", "lanternwire.example.com", wire=True),
    Outlet("Rainmark Newswire", "rainmark-newswire.example.com", wire=True),
)

SENTIMENTS = ("positive", "neutral", "negative")

_STORIES: tuple[tuple[str, str, str, int], ...] = (
    (
        "{short} opens a new site near {city}",
        "{short} said that its new site will employ {n} people. Analysts who do not exist welcomed the step.",
        "expansion",
        0,
    ),
    (
        "Why shares of {short} moved this week",
        "The shares ({ticker}) moved with their sector. Nothing else was known when this invented text was written.",
        "shares",
        1,
    ),
    (
        "{short} delays a product until next season",
        "A supplier could not deliver in time, {short} said. The delay concerns about {n} orders.",
        "product delay",
        2,
    ),
    (
        "{short}: three figures that holders of {ticker} watch",
        "Margins, orders and cash: a look at the figures of a company that has been made up.",
        "analysis",
        1,
    ),
    (
        "A fictional bank raises its view of {short}",
        "The bank now expects more of {ticker}. It gave order growth and lower freight costs as its reasons.",
        "rating",
        0,
    ),
    (
        "{short} faces a question about its {n} oldest contracts",
        "An imaginary regulator asked {short} to explain how it counts the revenue of long contracts.",
        "regulation",
        2,
    ),
    (
        "{industry}: what the week brought for {short} and others",
        "Orders in the sector were quiet. {short} was among the names that the trade talked about.",
        "sector",
        1,
    ),
)
_RELEASES: tuple[tuple[str, str, str, int], ...] = (
    (
        "{short} Announces a Three-Year Supply Agreement",
        "{city} - {short} (ticker {ticker}) today announced an agreement with a partner that has been made up.",
        "agreement",
        0,
    ),
    (
        "{short} Appoints a New Head of Operations",
        "{city} - {short} (ticker {ticker}) today named a new head of operations, who does not exist.",
        "management",
        1,
    ),
    (
        "{short} to Present at the Example Falls Investor Day",
        "{city} - {short} (ticker {ticker}) will present at an event that will not take place.",
        "investor event",
        1,
    ),
)
RESULTS = (
    "{short} Reports Results for Quarter {quarter} of Fiscal {year}",
    "{city} - {short} (ticker {ticker}) today told its imaginary owners how quarter {quarter} of fiscal {year} went.",
    "earnings",
    1,
)
_MARKET: tuple[tuple[str, str, str], ...] = (
    ("Invented markets close {tone} in quiet trade", "Fictional shares ended the day {tone}.", "markets"),
    ("What the fictional central bank may say next", "Rates are expected to stay where nobody set them.", "rates"),
    ("Freight rates ease on routes that are not on any map", "Carriers reported more empty holds.", "freight"),
    ("Orders of durable goods: {tone} for a third month", "The made-up statistics office gave no reason.", "economy"),
)
_OTHER = {
    "forex": ("The imaginary crown is {tone} against the dollar", "Dealers spoke of little business.", "currencies"),
    "crypto": ("A coin that does not exist trades {tone}", "Its only exchange was shut for repairs.", "coins"),
    "merger": ("Two unnamed firms call their merger off", "They had not agreed on a name.", "mergers"),
}
_REASONS = (
    "{short} is named as one that gains from what the story tells.",
    "{short} is mentioned without a judgement.",
    "{short} is named as one that loses by what the story tells.",
)


@dataclass(frozen=True, slots=True)
class Text:
    """The words of one story."""

    title: str
    summary: str
    keyword: str
    tone: int
    """Index into :data:`SENTIMENTS`."""


def company_text(rng: random.Random, words: dict[str, str], *, release: bool) -> Text:
    """A story about a company, or what the company says about itself."""
    title, summary, keyword, tone = rng.choice(_RELEASES if release else _STORIES)
    words = {**words, "n": str(rng.randrange(20, 900, 10))}
    return Text(title.format(**words), summary.format(**words) + " (fictional)", keyword, tone)


def results_text(words: dict[str, str], year: int, quarter: int) -> Text:
    """The press release about a quarter."""
    title, summary, keyword, tone = RESULTS
    words = {**words, "year": str(year), "quarter": str(quarter)}
    return Text(title.format(**words), summary.format(**words) + " (fictional)", keyword, tone)


def market_text(rng: random.Random, category: str) -> Text:
    """A story about no company."""
    title, summary, keyword = _OTHER[category] if category in _OTHER else rng.choice(_MARKET)
    tone = rng.choice(("higher", "lower", "unchanged"))
    return Text(title.format(tone=tone), summary.format(tone=tone) + " (fictional)", keyword, 1)


def reason(short: str, tone: int) -> str:
    """Why an outlet's machine gives a story its tone for a company."""
    return _REASONS[tone].format(short=short)


def writer(rng: random.Random, outlet: Outlet) -> str:
    """Who signs; a wire signs itself."""
    return outlet.name if outlet.wire else rng.choice(_PEOPLE)
