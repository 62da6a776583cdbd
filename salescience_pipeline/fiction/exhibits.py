"""Exhibits of fictional filings: the subsidiaries of a company, its officers' certifications, an agreement, slides.

Subsidiaries are stable: a company keeps them from year to year, and buys one now and then. What does not belong here: press
releases (``current``), which filing has which exhibit (``filing_plan``).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from salescience_pipeline.fiction.companies import FIRST_CIK, Company, Officer, chance, short_name
from salescience_pipeline.fiction.pages import NOTICE, Page, centered, grid, paragraph
from salescience_pipeline.fiction.sec_calendar import long_date

_KINDS: tuple[tuple[str, str, str], ...] = (
    ("Holdings", "LLC", "Delaware"),
    ("Logistics", "Inc.", "Ohio"),
    ("Europe", "B.V.", "Netherlands"),
    ("Finance", "LLC", "Nevada"),
    ("Canada", "Ltd.", "Ontario"),
    ("Deutschland", "GmbH", "Germany"),
    ("Services", "Corp.", "Texas"),
    ("(UK)", "Limited", "England and Wales"),
    ("Mexico", "S.A. de C.V.", "Mexico"),
    ("Asia", "Pte. Ltd.", "Singapore"),
    ("Properties", "L.P.", "Delaware"),
    ("Ireland", "Limited", "Ireland"),
)
"""What the names of subsidiaries end with, their legal form, and where they are organised."""


@dataclass(frozen=True, slots=True)
class Subsidiary:
    """A company that another one controls."""

    name: str
    place: str
    """State or country of its organisation."""
    since: int
    """First fiscal year in which it is listed."""


def subsidiaries(company: Company, seed: int, year: int) -> tuple[Subsidiary, ...]:
    """Whom ``company`` controls at the end of fiscal ``year``, by name."""
    rng = chance(seed, "subsidiaries", company.cik)
    chosen = rng.sample(_KINDS, rng.randint(4, 8))
    short = short_name(company)
    # The first three were always there; the others were bought one by one.
    years = [0, 0, 0, *(2020 + rng.randint(0, 6) for _ in chosen[3:])]
    every = [
        Subsidiary(f"{short} {kind} {legal}", place, since)
        for (kind, legal, place), since in zip(chosen, years, strict=True)
    ]
    return tuple(sorted((each for each in every if each.since <= year), key=lambda each: each.name))


def subsidiaries_page(company: Company, listed: Sequence[Subsidiary], end: dt.date) -> bytes:
    """Exhibit 21.1, in one of the three forms that filers give it: a table, a table with shares held, lines."""
    page = Page()
    page.add(
        centered(NOTICE),
        centered("Exhibit 21.1"),
        centered(f"SUBSIDIARIES OF {company.name.upper()}"),
        paragraph(f"As of {long_date(end)}, the registrant, which does not exist, had these subsidiaries:"),
    )
    style = (company.cik - FIRST_CIK) % 3
    if style == 0:
        rows = [("Name of Subsidiary", "Jurisdiction of Incorporation"), *((each.name, each.place) for each in listed)]
        page.add(grid(rows))
    elif style == 1:
        head = ("Name", "Jurisdiction of Organization", "Percent Owned")
        page.add(grid([head, *((each.name, each.place, "100%") for each in listed)]))
    else:
        for each in listed:
            page.add(paragraph(f"{each.name} ({each.place})", indent=False))
    return _finish(page, "EX-21.1")


def certification(company: Company, officer: Officer, form: str, number: str, filed: dt.date) -> bytes:
    """Exhibit 31.x (Section 302) or 32.x (Section 906): what an officer certifies of a report."""
    page = Page()
    if number.startswith("31"):
        title, words = (
            "CERTIFICATION PURSUANT TO SECTION 302 OF THE SARBANES-OXLEY ACT OF 2002",
            f"I, {officer.name}, certify that: 1. I have reviewed this report on Form {form} of {company.name}; 2. Based on my "
            "knowledge, nothing in it is true outside of this sandbox.",
        )
    else:
        title, words = (
            "CERTIFICATION PURSUANT TO 18 U.S.C. SECTION 1350, AS ADOPTED PURSUANT TO SECTION 906 OF THE SARBANES-OXLEY ACT",
            f"In connection with the report of {company.name} on Form {form}, {officer.name} certifies that it fairly presents "
            "the condition of a company that was made up.",
        )
    page.add(centered(NOTICE), centered(f"Exhibit {number}"), centered(title), paragraph(words))
    page.add(paragraph(f"Date: {long_date(filed)}", indent=False), paragraph(f"/s/ {officer.name}", indent=False))
    page.add(paragraph(officer.title, indent=False))
    return _finish(page, f"EX-{number}")


def agreement(company: Company, day: dt.date) -> bytes:
    """Exhibit 10.1: an agreement with somebody who was made up too."""
    page = Page()
    page.add(
        centered(NOTICE),
        centered("Exhibit 10.1"),
        centered("SUPPLY AGREEMENT"),
        paragraph(
            f"This agreement of {long_date(day)} is made between {company.name} and Partner of No Consequence, Inc. It runs "
            "for three years and covers deliveries in two regions. Neither side has to do anything."
        ),
    )
    return _finish(page, "EX-10.1")


def slides(company: Company, day: dt.date) -> bytes:
    """Exhibit 99.1: slides for investors."""
    page = Page()
    page.add(
        centered(NOTICE),
        centered("Exhibit 99.1"),
        centered(f"{short_name(company)}: Presentation to Investors"),
        paragraph(f"Slides shown on {long_date(day)}. They are blank, and this sentence stands for them."),
    )
    return _finish(page, "EX-99.1")


def _finish(page: Page, title: str) -> bytes:
    return page.finish(f"<html><head><title>{title}</title></head><body>\n", "</body></html>\n")[0]
