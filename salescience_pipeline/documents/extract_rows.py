"""Lists that a filing holds: subsidiaries, officers and directors, events, risk factors, share classes, insider dealings.

Each function gives rows; a row is a name -> value mapping, every value with its place. What columns a schema wants is decided
in :mod:`extract`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from salescience_pipeline.documents.classify import classify
from salescience_pipeline.documents.document import Document
from salescience_pipeline.documents.extract_cells import Row, of_block, of_cell, rows_of
from salescience_pipeline.documents.extract_figures import Figures, as_number
from salescience_pipeline.documents.extract_model import NOTHING, Leaf, Scalar
from salescience_pipeline.documents.extract_people import people
from salescience_pipeline.documents.geography import COUNTRIES, EDGAR_ONLY, STATES
from salescience_pipeline.documents.model import Block, BlockType
from salescience_pipeline.documents.numbers import shown_number
from salescience_pipeline.documents.ownership import Element, read_ownership
from salescience_pipeline.documents.sections import find_sections, section_text

_MORE_PLACES = [
    "england and wales",
    "england & wales",
    "england",
    "scotland",
    "wales",
    "northern ireland",
    "u.k.",
    "uk",
    "u.s.",
    "u.s.a.",
    "usa",
    "united states",
    "hong kong",
    "prc",
    "p.r.c.",
    "people's republic of china",
    "korea",
    "the netherlands",
    "russia",
    "vietnam",
    "taiwan",
    "macau",
    "ontario",
    "quebec",
    "alberta",
    "british columbia",
    "nova scotia",
    "bvi",
    "u.a.e.",
    "uae",
    "dubai",
    "czech republic",
    "ivory coast",
    "turkey",
    "bolivia",
    "venezuela",
    "tanzania",
]
_PLACES = frozenset(
    {
        *STATES,
        *(name.lower() for _, _, names in COUNTRIES for name in names),
        *(name.lower() for _, names in EDGAR_ONLY for name in names),
        *_MORE_PLACES,
    }
)
_HEADING = re.compile(
    r"subsidiar|jurisdiction|incorporat|organi[sz]|name of|^name$|ownership|percent|state or|country", re.IGNORECASE
)
_IN_BRACKETS = re.compile(r"(?P<name>.{2,120}?)\s*\((?P<place>[^()]{2,60})\)\s*\*?")
_OF_PLACE = re.compile(
    r"(?P<name>.{2,120}?),?\s+an?\s+(?P<place>[A-Z][A-Za-z .]{2,30}?)\s+"
    r"(?:corporation|limited|company|llc|partnership|general|trust)\b.*",
    re.DOTALL,
)
_SPLIT = re.compile(r"(?P<name>.{2,120}?)\s*(?:\.{3,}|\s[-\u2013\u2014]\s|:|\t)\s*(?P<place>.{2,60})")
_COMMON = re.compile(r"common|ordinary|capital stock", re.IGNORECASE)
_RISK_TITLE_MIN = 25
_TEXT_MAX = 20_000


def _is_place(text: str) -> bool:
    words = text.strip(" .,*()").lower()
    return (
        words in _PLACES
        or words.rstrip(".") in _PLACES
        or any(part.strip() in _PLACES for part in re.split(r",|/| and ", words) if len(part.strip()) > 3)
    )


# -- subsidiaries -----------------------------------------------------------------------------------------------------


def subsidiaries(figures: Figures) -> list[Row]:
    """The list of an EX-21: name and jurisdiction."""
    found: list[Row] = []
    for part in figures.document.parts:
        if classify(part).kind == "subsidiaries":
            found += _subsidiaries_of(figures, part)
    return found


def _subsidiaries_of(figures: Figures, part: Document) -> list[Row]:
    found: list[Row] = []
    for block in part.blocks:
        if block.table is not None:
            found += _subsidiary_rows(figures, block)
        elif block.type not in (BlockType.HEADER, BlockType.FOOTER, BlockType.PAGE_NUMBER, BlockType.TITLE):
            for line in block.text.split("\n"):
                row = _subsidiary_line(figures, block, line)
                if row is not None:
                    found.append(row)
    return found


def _subsidiary_rows(figures: Figures, block: Block) -> Iterator[Row]:
    rows = rows_of(block)
    with_place = sum(any(_is_place(cell.text) for cell in row[1:]) for row in rows)
    for row in rows:
        name = row[0]
        if not any(character.isalpha() for character in name.text) or len(name.text) > 200:
            continue
        place = next((cell for cell in row[1:] if _is_place(cell.text)), None)
        if place is None and len(row) > 1 and not _HEADING.search(row[0].text) and not _HEADING.search(row[-1].text):
            place = next((cell for cell in reversed(row[1:]) if shown_number(cell.text) is None), None)
        if place is None and (with_place or _HEADING.search(name.text)):
            continue
        confidence = 0.9 if place is not None and _is_place(place.text) else 0.6
        yield {
            "name": of_cell(figures, name, confidence=confidence),
            "jurisdiction": of_cell(figures, place, confidence=confidence) if place is not None else NOTHING,
        }


def _subsidiary_line(figures: Figures, block: Block, line: str) -> Row | None:
    text = " ".join(line.split())
    for pattern in (_IN_BRACKETS, _OF_PLACE, _SPLIT):
        match = pattern.fullmatch(text)
        if match is not None and _is_place(match["place"]):
            return {
                "name": of_block(figures, block, match["name"].strip(" ,"), 0.8),
                "jurisdiction": of_block(figures, block, match["place"].strip(), 0.8),
            }
    return None


# -- events and risk factors ------------------------------------------------------------------------------------------


def events(figures: Figures) -> list[Row]:
    """The items of a current report."""
    document = figures.document.main
    found = []
    for section in find_sections(document):
        text = section_text(document, section)
        citation = (figures.places.cite(section.start, section.end, text, "block"),)
        found.append(
            {
                "item": Leaf(section.item, section.confidence, "section", citation),
                "title": Leaf(section.canonical, section.confidence, "section", citation),
                "text": Leaf(text[:_TEXT_MAX], section.confidence, "section", citation),
            }
        )
    return found


def risk_factors(figures: Figures) -> list[Row]:
    """The risk factors of Item 1A: a heading with text behind it; headings that only gather others are groups."""
    document = figures.document.main
    section = next((section for section in find_sections(document) if section.item == "1A"), None)
    if section is None:
        return []
    blocks = [
        block
        for block in document.blocks
        if section.start < block.start < section.end
        and block.type not in (BlockType.HEADER, BlockType.FOOTER, BlockType.PAGE_NUMBER)
    ]
    found: list[Row] = []
    group: Block | None = None
    title: Block | None = None
    body: list[Block] = []

    def close() -> None:
        if title is not None and body:
            text = "\n".join(block.text for block in body)
            place = figures.places.cite(body[0].start, body[-1].end, text, "block")
            confidence = 0.85 * section.confidence
            found.append(
                {
                    "group": of_block(figures, group, group.text, confidence) if group is not None else NOTHING,
                    "title": of_block(figures, title, " ".join(title.text.split()), confidence, "section"),
                    "text": Leaf(text[:_TEXT_MAX], confidence, "section", (place,)),
                }
            )

    for index, block in enumerate(blocks):
        if not _is_risk_heading(block):
            body.append(block)
            continue
        following = blocks[index + 1] if index + 1 < len(blocks) else None
        if following is not None and _is_risk_heading(following) and title is not block:
            close()
            group, title, body = block, None, []
        else:
            close()
            title, body = block, []
    close()
    return found


def _is_risk_heading(block: Block) -> bool:
    if block.table is not None or len(block.text) > 600:
        return False
    emphasised = block.bold or block.italic or block.underlined
    return (block.type is BlockType.SECTION_HEADER and (emphasised or block.text.isupper())) or (
        emphasised and len(block.text) >= _RISK_TITLE_MIN
    )


# -- shares and insiders ----------------------------------------------------------------------------------------------


def share_classes(figures: Figures) -> list[Row]:
    """The classes of securities that the cover page registers, by their member of the class axis."""
    names = {
        "title": "Security12bTitle",
        "ticker": "TradingSymbol",
        "exchange": "SecurityExchangeName",
        "outstanding": "EntityCommonStockSharesOutstanding",
    }
    found: dict[tuple[tuple[str, str | None], ...], Row] = {}
    for field, concept in names.items():
        for fact in figures.facts_by_name.get(concept, ()):
            number = fact.number
            leaf = figures.of_fact(fact, as_number(number) if number is not None else None)
            found.setdefault(tuple(sorted(fact.context.dimensions.items())), {}).setdefault(field, leaf)
    # A filer with one class of common shares counts them without naming the class.
    counted = found.get(())
    common = [row for row in found.values() if "title" in row and _COMMON.search(str(row["title"].value))]
    if counted is not None and set(counted) == {"outstanding"} and len(common) == 1 and "outstanding" not in common[0]:
        common[0]["outstanding"] = found.pop(())["outstanding"]
    return [{name: row.get(name, NOTHING) for name in names} for row in found.values()]


def _element(figures: Figures, element: Element | None, make: Callable[[str], Scalar] = str) -> Leaf:
    if element is None or not element.text:
        return NOTHING
    try:
        value = make(element.text)
    except ValueError:
        return NOTHING
    return Leaf(value, 0.99, "element", (figures.places.cite(element.start, element.end, element.text, "element"),))


def _boolean(text: str) -> bool:
    if text.lower() not in ("1", "0", "true", "false"):
        raise ValueError(text)
    return text.lower() in ("1", "true")


def _decimal(text: str) -> Scalar:
    number = shown_number(text)
    if number is None:
        raise ValueError(text)
    return as_number(number)


def insider_form(figures: Figures) -> Row:
    """Issuer and period of an ownership form."""
    for part in figures.document.parts:
        form = read_ownership(part.source)
        if form is None:
            continue
        root = form.root
        return {
            "issuer": _element(figures, root.value("issuer", "issuerName")),
            "issuer_cik": _element(figures, root.value("issuer", "issuerCik")),
            "ticker": _element(figures, root.value("issuer", "issuerTradingSymbol")),
            "period": _element(figures, root.value("periodOfReport")),
        }
    return {}


def insider_owners(figures: Figures) -> list[Row]:
    """The reporting owners of an ownership form and their relation to the issuer."""
    found = []
    for part in figures.document.parts:
        form = read_ownership(part.source)
        for owner in form.owners if form is not None else ():
            relation = "reportingOwnerRelationship"
            found.append(
                {
                    "name": _element(figures, owner.value("rptOwnerName")),
                    "cik": _element(figures, owner.value("rptOwnerCik")),
                    "director": _element(figures, owner.value(relation, "isDirector"), _boolean),
                    "officer": _element(figures, owner.value(relation, "isOfficer"), _boolean),
                    "ten_percent_owner": _element(figures, owner.value(relation, "isTenPercentOwner"), _boolean),
                    "title": _element(figures, owner.value(relation, "officerTitle")),
                }
            )
    return found


def insider_transactions(figures: Figures) -> list[Row]:
    """The transactions of an ownership form, of both tables."""
    found = []
    for part in figures.document.parts:
        form = read_ownership(part.source)
        for each, derivative in form.transactions if form is not None else ():
            amounts = "transactionAmounts"
            place = figures.places.cite(each.start, each.end, each.text, "element")
            found.append(
                {
                    "security": _element(figures, each.value("securityTitle")),
                    "date": _element(figures, each.value("transactionDate")),
                    "code": _element(figures, each.value("transactionCoding", "transactionCode")),
                    "shares": _element(figures, each.value(amounts, "transactionShares"), _decimal),
                    "price": _element(figures, each.value(amounts, "transactionPricePerShare"), _decimal),
                    "acquired_disposed": _element(figures, each.value(amounts, "transactionAcquiredDisposedCode")),
                    "owned_after": _element(
                        figures, each.value("postTransactionAmounts", "sharesOwnedFollowingTransaction"), _decimal
                    ),
                    "direct_indirect": _element(figures, each.value("ownershipNature", "directOrIndirectOwnership")),
                    "derivative": Leaf(derivative, 0.99, "element", (place,)),
                }
            )
    return found


SOURCES: dict[str, Callable[[Figures], list[Row]]] = {
    "subsidiaries": subsidiaries,
    "people": people,
    "events": events,
    "risk_factors": risk_factors,
    "share_classes": share_classes,
    "insider_owners": insider_owners,
    "insider_transactions": insider_transactions,
}
"""Kinds of lists by the name that ``x-rows`` gives them."""
