"""Who exists in the fictional market: twelve companies and three funds written by hand, any number more by rule.

Names, people, tickers and CIKs are invented; the tickers were compared with the SEC's list and are used by nobody there.
What does not belong here: prices (``world``) and filings.
"""

from __future__ import annotations

import datetime as dt
import random
from dataclasses import dataclass, replace
from functools import lru_cache

FIRST_CIK = 9_900_001
FIRST_FUND_CIK = 9_990_001
FIRST_PERSON_CIK = 7_000_001
FIRST_NEWCOMER = 30_000
"""Index of the first company that bears a recycled ticker; the largest market ends below it."""
_NEWCOMERS = 1_000

FIRST_FILING_DAY = dt.date(2019, 1, 1)
"""Nothing was filed, and no result told, before this day."""


def chance(*key: object) -> random.Random:
    """A generator that depends on ``key`` only: a string seed gives the same draws on every platform and in every run."""
    return random.Random("|".join(map(str, key)))  # noqa: S311 - invented data, nothing secret


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


@dataclass(frozen=True, slots=True)
class Officer:
    """A person who runs a company; ``cik`` is the reporting owner's, ``pay`` the year's total in USD."""

    name: str
    title: str
    cik: int
    born: int
    pay: int


@dataclass(frozen=True, slots=True)
class FormerName:
    """A name that a company bore from ``first`` to ``last``."""

    name: str
    first: dt.date
    last: dt.date


@dataclass(frozen=True, slots=True)
class Company:
    """One listed security and who stands behind it."""

    ticker: str
    """Canonical: upper case, a dot before the share class."""
    cik: int
    name: str
    exchange: str
    """``Nasdaq``, ``NYSE`` or ``NYSE Arca``."""
    sic: str
    sic_description: str
    sector: str
    industry: str
    state: str
    fiscal_year_end: str
    """Month and day, ``1231``."""
    listed: dt.date
    delisted: dt.date | None
    """The last session, if trading ended."""
    base_price: float
    """Price level at the start of 2015, in ``currency`` per share."""
    shares: int
    """Shares outstanding before any split."""
    currency: str = "USD"
    kind: str = "company"
    """``company`` or ``etf``."""
    former_names: tuple[FormerName, ...] = ()
    officers: tuple[Officer, ...] = ()
    city: str = "Example Falls"
    address: str = "1 Example Street"
    postal_code: str = "00000"
    phone: str = "555-0100"
    employees: int = 1000
    ein: str = "000000000"
    description: str = ""
    website: str = "https://example.com"
    pays_dividend: bool | None = None
    """``None`` leaves it to the seed."""
    splits: tuple[tuple[dt.date, float], ...] | None = None
    """Day and factor of each split; ``None`` leaves it to the seed."""
    spare: bool = False
    """Kept off the watchlist, for a user to add."""

    @property
    def dashed(self) -> str:
        """The ticker as SEC, Yahoo and Tiingo spell it: a dash before the share class."""
        return self.ticker.replace(".", "-")


@dataclass(frozen=True, slots=True)
class _Trade:
    sic: str
    sic_description: str
    sector: str
    industry: str
    word: str


_TRADES = (
    _Trade("7372", "Services-Prepackaged Software", "Technology", "Software - Application", "Software"),
    _Trade("3674", "Semiconductors & Related Devices", "Technology", "Semiconductors", "Devices"),
    _Trade("2834", "Pharmaceutical Preparations", "Healthcare", "Drug Manufacturers - General", "Remedies"),
    _Trade("3841", "Surgical & Medical Instruments & Apparatus", "Healthcare", "Medical Devices", "Instruments"),
    _Trade("5411", "Retail-Grocery Stores", "Consumer Defensive", "Grocery Stores", "Provisions"),
    _Trade("2080", "Beverages", "Consumer Defensive", "Beverages - Non-Alcoholic", "Beverages"),
    _Trade("3711", "Motor Vehicles & Passenger Car Bodies", "Consumer Cyclical", "Auto Manufacturers", "Motors"),
    _Trade("5311", "Retail-Department Stores", "Consumer Cyclical", "Department Stores", "Stores"),
    _Trade("3560", "General Industrial Machinery & Equipment", "Industrials", "Specialty Machinery", "Machinery"),
    _Trade("4213", "Trucking (No Local)", "Industrials", "Trucking", "Freight"),
    _Trade("4911", "Electric Services", "Utilities", "Utilities - Regulated Electric", "Power"),
    _Trade("2821", "Plastic Materials, Synth Resins & Nonvulcan Elastomers", "Basic Materials", "Chemicals", "Resins"),
)
_HEADS = _words(
    "Alder Amber Ash Birch Bram Brook Calder Cedar Clover Copper Dove Elm Fen Fern Flint Gorse Grave Hazel Heather Holm "
    "Iron Juni Kestrel Lark Lyre Maple Marsh Moss Nor Oak Otter Pebble Plover Quill Raven Reed Row Sable Sedge Slate "
    "Sparrow Tarn Thistle Tor Umber Vale Wander Willow Wren Yarrow"
)
_TAILS = _words(
    "beck bourne bridge combe cote dale dell fell field ford garth gate grove hale haven holt hurst keld kirk lea lock "
    "marsh mere mont moor more ness quist rigg shaw stead thorn thwaite vane wick win wold wood worth"
)
_GIVEN = _words(
    "Ada Alma Anselm Astrid Basil Cedric Clara Cosmo Delia Edda Emil Esme Felix Flora Greta Hector Ida Ivo Jonas Juno "
    "Kasimir Leta Linus Lotte Magnus Mina Nadia Nestor Odile Oskar Petra Quentin Rhea Rufus Selma Silas Tilda Ursula "
    "Viggo Wilma"
)
_STATES = (("CA", "Fogbank"), ("TX", "Drywell"), ("NY", "Lower Elms"), ("WA", "Rainmark"), ("IL", "Prairie End"))
_TITLES = ("President and Chief Executive Officer", "Chief Financial Officer", "General Counsel")


@dataclass(frozen=True, slots=True)
class _Draft:
    """What is fixed by hand about one of the first twelve companies; the rest comes by rule."""

    ticker: str
    name: str
    exchange: str
    trade: int
    price: float
    shares: int
    year_end: str = "1231"
    listed: dt.date = dt.date(2005, 3, 1)
    delisted: dt.date | None = None
    pays: bool = False
    splits: tuple[tuple[dt.date, float], ...] = ()
    former: tuple[FormerName, ...] = ()
    spare: bool = False


_DRAFTS = (
    _Draft("ALDRN", "Alderbourne Software", "Nasdaq", 0, 38.0, 410_000_000, splits=((dt.date(2020, 8, 31), 4.0),)),
    _Draft("BRNWD.B", "Brambleworth Provisions", "NYSE", 4, 64.0, 120_000_000, "0131", pays=True),
    _Draft("CALDQ", "Calderquist Devices", "Nasdaq", 1, 27.5, 650_000_000, "0930", pays=True),
    _Draft("DOVEK", "Dovekeld Remedies", "NYSE", 2, 92.0, 210_000_000, pays=True),
    _Draft("FENWK", "Fenwold Beverages", "NYSE", 5, 55.0, 330_000_000, pays=True),
    _Draft(
        "IRNVL",
        "Ironvale Machinery",
        "NYSE",
        8,
        110.0,
        95_000_000,
        pays=True,
        former=(FormerName("Ironvale Pump Works (fictional)", dt.date(2005, 3, 1), dt.date(2021, 5, 14)),),
    ),
    _Draft("KESTL", "Kestrelmoor Motors", "Nasdaq", 6, 2.9, 800_000_000, splits=((dt.date(2023, 3, 6), 0.1),)),
    _Draft("LYRWD", "Lyrewold Instruments", "Nasdaq", 3, 71.0, 140_000_000, "0630"),
    _Draft("QUILN", "Quillness Stores", "NYSE", 7, 24.0, 500_000_000, "0131", pays=True),
    _Draft("TORVA", "Torvane Power", "NYSE", 10, 47.0, 260_000_000, pays=True, listed=dt.date(2018, 6, 14)),
    _Draft("OAKMR", "Oakmere Freight", "Nasdaq", 9, 33.0, 88_000_000, delisted=dt.date(2024, 2, 16)),
    _Draft("WRNFD", "Wrenfell Resins", "NYSE", 11, 18.5, 175_000_000, pays=True, spare=True),
)
_FUNDS = (
    ("FIXLG", "Fictional Large Companies Index Fund", 205.0, 900_000_000),
    ("FIXMK", "Fictional Whole Market Index Fund", 103.0, 400_000_000),
    ("FIXSM", "Fictional Small Companies Index Fund", 119.0, 250_000_000),
)
_LETTERS = "ABCDEGHIJKLMNOPRSTUV"  # a fifth letter F, Q, X or Y would mean something to a reader of tickers


def generated_ticker(index: int) -> str:
    """Ticker of the company with this index, from the twelfth on: unique, five letters."""
    first, rest = divmod(index, 8000)
    return ("ZZ", "ZX", "XQ", "ZJ")[first] + "".join(_LETTERS[rest // step % 20] for step in (400, 20, 1))


def _officers(seed: int, index: int) -> tuple[Officer, ...]:
    rng = chance(seed, "officers", index)
    return tuple(
        Officer(
            name=f"{rng.choice(_GIVEN)} {rng.choice(_HEADS)}{rng.choice(_TAILS)}",
            title=title,
            cik=FIRST_PERSON_CIK + index * 8 + k,
            born=rng.randint(1955, 1985),
            pay=rng.randrange(400_000, 6_000_000, 1000),
        )
        for k, title in enumerate(_TITLES)
    )


def _describe(name: str, trade: _Trade, city: str) -> str:
    return (
        f"{name} is an invented company of the sandbox. It is said to work in {trade.industry.lower()} from {city}, "
        "a place that does not exist. (fictional)"
    )


def _finish(seed: int, index: int, draft: _Draft, rng: random.Random, *, by_rule: bool) -> Company:
    trade = _TRADES[draft.trade]
    state, city = rng.choice(_STATES)
    name = f"{draft.name} Inc. (fictional)"
    return Company(
        ticker=draft.ticker,
        cik=FIRST_CIK + index,
        name=name,
        exchange=draft.exchange,
        sic=trade.sic,
        sic_description=trade.sic_description,
        sector=trade.sector,
        industry=trade.industry,
        state=state,
        fiscal_year_end=draft.year_end,
        listed=draft.listed,
        delisted=draft.delisted,
        base_price=draft.price,
        shares=draft.shares,
        former_names=draft.former,
        officers=_officers(seed, index),
        city=city,
        address=f"{rng.randint(1, 999)} {rng.choice(_HEADS)}{rng.choice(_TAILS)} Road",
        postal_code="00000",
        phone=f"555-{100 + index % 100:04d}",
        employees=rng.randrange(300, 60_000),
        ein=f"00{index:07d}",
        description=_describe(name, trade, city),
        website=f"https://{draft.ticker.lower().replace('.', '-')}.example.com",
        pays_dividend=None if by_rule else draft.pays,
        splits=None if by_rule else draft.splits,
        spare=draft.spare,
    )


def _invent(seed: int, index: int) -> Company:
    """A company by rule; its index and the seed decide everything."""
    rng = chance(seed, "company", index)
    trade = rng.randrange(len(_TRADES))
    draft = _Draft(
        ticker=generated_ticker(index),
        name=f"{rng.choice(_HEADS)}{rng.choice(_TAILS)} {_TRADES[trade].word} {index}",
        exchange=rng.choice(("Nasdaq", "NYSE")),
        trade=trade,
        price=round(rng.lognormvariate(3.6, 0.6), 2),
        shares=rng.randrange(20_000_000, 900_000_000, 1_000_000),
        year_end=rng.choice(("1231", "1231", "1231", "0930", "0630", "0131")),
    )
    return _finish(seed, index, draft, rng, by_rule=True)


@lru_cache(maxsize=8)
def short_name(company: Company) -> str:
    """The name as running text abbreviates it."""
    return company.name.split(" Inc.")[0].split(" (")[0]


def operating_companies(seed: int, count: int) -> tuple[Company, ...]:
    """The first ``count`` companies of the market.

    Raises:
        ValueError: for a count below 1 or above 30,000 (there are no more tickers).
    """
    if not 1 <= count <= 30_000:
        raise ValueError(f"A world holds 1 to 30000 companies, not {count}.")
    made = [
        _finish(seed, index, draft, chance(seed, "company", index), by_rule=False)
        for index, draft in enumerate(_DRAFTS[:count])
    ]
    made.extend(_invent(seed, index) for index in range(len(_DRAFTS), count))
    return tuple(made)


def newcomer(seed: int, number: int, before: Company, listed: dt.date) -> Company:
    """A company of later times that bears the ticker of one that is gone; only the ticker is the same.

    Args:
        seed: chooses the market.
        number: counts such companies.
        before: who had the ticker.
        listed: the first session.

    Raises:
        ValueError: when there are no more numbers for such companies.
    """
    if number >= _NEWCOMERS:
        raise ValueError(f"No more than {_NEWCOMERS} tickers can be recycled.")
    index = FIRST_NEWCOMER + number
    made = _invent(seed, index)
    site = f"https://{before.ticker.lower().replace('.', '-')}-again.example.com"
    return replace(made, ticker=before.ticker, listed=listed, splits=(), pays_dividend=False, website=site)


@lru_cache(maxsize=1)
def etfs() -> tuple[Company, ...]:
    """The three index funds; they do not depend on the seed (their prices do)."""
    return tuple(
        Company(
            ticker=ticker,
            cik=FIRST_FUND_CIK + k,
            name=f"{name} (fictional)",
            exchange="NYSE Arca",
            sic="6221",
            sic_description="Commodity Contracts Brokers & Dealers",
            sector="",
            industry="",
            state="NY",
            fiscal_year_end="0930",
            listed=dt.date(2005, 3, 1),
            delisted=None,
            base_price=price,
            shares=shares,
            kind="etf",
            description=f"{name} is an invented index fund of the sandbox. (fictional)",
            pays_dividend=True,
            splits=(),
        )
        for k, (ticker, name, price, shares) in enumerate(_FUNDS)
    )


def split_schedule(seed: int, company: Company) -> tuple[tuple[dt.date, float], ...]:
    """Day and factor of every split of a company; by rule about one company in ten has one."""
    if company.splits is not None:
        return company.splits
    rng = chance(seed, "splits", company.ticker)
    if rng.random() >= 0.1:
        return ()
    day = dt.date(rng.randint(2016, 2026), rng.randint(1, 12), rng.randint(1, 28))
    return ((day, rng.choice((2.0, 2.0, 3.0, 4.0, 1.5, 0.1))),)
