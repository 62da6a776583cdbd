"""Which sources a company of a submission means: a pure function of its identifiers and its flags.

The flags are tri-state. None given: a ticker means SEC and Yahoo, a CIK means SEC, and Yahoo as well when a ticker is known
for it. Any flag given: exactly what is set to true. What does not belong here: looking anything up.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from salescience_pipeline.catalog.forms import ANNUAL_FORMS
from salescience_pipeline.identifiers import Cik, Ticker
from salescience_pipeline.ledger.job_model import PlannedSource


class UnplannableCompany(ValueError):
    """A company that names nothing that could be fetched; the message is one sentence."""


@dataclass(frozen=True, slots=True)
class Company:
    """One company of a submission, its identifiers resolved as far as they could be."""

    ticker: Ticker | None
    cik: Cik | None
    sec: bool | None = None
    yahoo: bool | None = None


def plan_sources(company: Company) -> tuple[str, ...]:
    """The providers that are meant, ``sec`` before ``yahoo``.

    Raises:
        UnplannableCompany: without any identifier, for flags that are all false, and for Yahoo without a ticker.
    """
    if company.ticker is None and company.cik is None:
        raise UnplannableCompany("A company needs a ticker, a CIK or a name that is known.")
    if company.sec is None and company.yahoo is None:
        return ("sec", "yahoo") if company.ticker is not None else ("sec",)
    chosen = tuple(name for name, flag in (("sec", company.sec), ("yahoo", company.yahoo)) if flag)
    if not chosen:
        raise UnplannableCompany("A company whose sources are all set to false asks for nothing.")
    if "yahoo" in chosen and company.ticker is None:
        raise UnplannableCompany("Yahoo knows companies by their ticker, and none is known for this CIK.")
    return chosen


def job_sources(companies: Iterable[Company], *, n_years: int, form: str) -> list[PlannedSource]:
    """The sources of one job, in the order in which the companies were named; a company named twice counts once.

    Raises:
        UnplannableCompany: for the first company that cannot be planned.
    """
    wanted: dict[Ticker, set[str]] = {}
    for company in companies:
        providers = plan_sources(company)
        # A company that no exchange lists goes by its CIK, which no ticker looks like.
        ticker = company.ticker or Ticker(str(company.cik))
        wanted.setdefault(ticker, set()).update(providers)
    return [source for ticker, providers in wanted.items() for source in _of_ticker(ticker, providers, n_years, form)]


def _of_ticker(ticker: Ticker, providers: set[str], n_years: int, form: str) -> list[PlannedSource]:
    planned: list[PlannedSource] = []
    if "sec" in providers:
        if form in ANNUAL_FORMS:
            planned += [PlannedSource(f"{ticker}:SEC:{place}", "sec", ticker, place) for place in range(n_years)]
        else:
            planned.append(PlannedSource(f"{ticker}:SEC", "sec", ticker))
    if "yahoo" in providers:
        planned.append(PlannedSource(f"{ticker}:Yahoo", "yahoo", ticker))
    return planned


def match_name(name: str, listed: Sequence[Mapping[str, str]]) -> list[Mapping[str, str]]:
    """The listed companies that ``name`` may mean: those of exactly that name, else those that contain it.

    Args:
        name: As somebody wrote it; case, punctuation and legal endings do not matter.
        listed: Rows with ``name`` and ``ticker``.
    """
    wanted = _plain(name)
    if not wanted:
        return []
    exact = [row for row in listed if _plain(row["name"]) == wanted]
    return exact or [row for row in listed if f" {wanted} " in f" {_plain(row['name'])} "]


_ENDINGS = frozenset(
    {"inc", "corp", "corporation", "co", "company", "ltd", "limited", "plc", "sa", "ag", "nv", "the", "de"}
)


def _plain(name: str) -> str:
    words = "".join(character if character.isalnum() else " " for character in name.casefold()).split()
    return " ".join(word for word in words if word not in _ENDINGS)
