"""What a document is: its form, its role in the filing, the kind of exhibit, the items in it; with reasons.

What the submission says comes first, then what the document says of itself, then what its items suggest. Exhibit
numbers and their kinds are those of Item 601 of Regulation S-K. What does not belong here: where the items are
(``sections``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from salescience_pipeline.documents.forms import form_of, normal_form
from salescience_pipeline.documents.sections import find_sections
from salescience_pipeline.documents.source import Kind

if TYPE_CHECKING:
    from salescience_pipeline.documents.document import Document

EXHIBIT_KINDS = {
    "1": "underwriting agreement",
    "2": "acquisition plan",
    "3": "articles and bylaws",
    "4": "instruments of security holders",
    "5": "legal opinion",
    "8": "tax opinion",
    "9": "voting trust agreement",
    "10": "material contract",
    "11": "computation of earnings per share",
    "12": "computation of ratios",
    "13": "annual report to security holders",
    "14": "code of ethics",
    "15": "letter on unaudited information",
    "16": "letter of the former accountant",
    "17": "letter of a departing director",
    "18": "letter on accounting principles",
    "19": "insider trading policy",
    "20": "other statements to security holders",
    "21": "subsidiaries",
    "22": "guarantors and guaranteed securities",
    "23": "consents",
    "24": "power of attorney",
    "25": "trustee eligibility",
    "27": "financial data schedule",
    "31": "certification under section 302",
    "32": "certification under section 906",
    "33": "servicing assessment",
    "34": "attestation on servicing",
    "35": "servicer compliance statement",
    "95": "mine safety disclosure",
    "96": "technical report",
    "97": "clawback policy",
    "99": "additional exhibit",
    "101": "XBRL",
    "104": "cover page data",
}
EXHIBIT_KINDS_20F = {
    "1": "articles and bylaws",
    "2": "instruments of security holders",
    "4": "material contract",
    "8": "subsidiaries",
    "11": "code of ethics",
    "12": "certification under section 302",
    "13": "certification under section 906",
    "15": "additional exhibit",
}
"""Where Form 20-F numbers its exhibits in its own way (its Instructions as to Exhibits)."""
_ROOTS = {
    "xbrl": ("EX-101.INS", "XBRL instance"),
    "schema": ("EX-101.SCH", "XBRL schema"),
    "linkbase": ("EX-101", "XBRL linkbase"),
}
_EXHIBIT_TYPE = re.compile(r"EX-([0-9]{1,3})(?:[.\-]?([0-9A-Z.\-]+))?", re.IGNORECASE)
_EXHIBIT_LINE = re.compile(r"\s*\(?exhibit\s+(?:no\.?\s*)?([0-9]{1,3})(?:[.\-]([0-9A-Za-z.]{1,4}))?\b", re.IGNORECASE)
_WORDS: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (number, re.compile(words, re.IGNORECASE))
    for number, words in (
        ("32", r"section 906 of the sarbanes|18 u\.?s\.?c\.?\s*(?:section|\u00a7)?\s*1350"),
        ("31", r"certification.{0,200}section 302|i,.{3,60},\s*certify that"),
        ("21", r"(?:list of |significant )?subsidiaries of (?:the )?\S"),
        (
            "23",
            r"consent of (?:independent|registered|counsel|ernst|deloitte|kpmg|pricewaterhouse)|we (?:hereby )?consent to the",
        ),
        ("24", r"power of attorney\s*(?:know all|$)|know all (?:men|persons|by these)"),
        ("16", r"office of the chief accountant.{0,400}we have read"),
        ("5", r"we have acted as.{0,40}counsel"),
        (
            "99",
            r"for immediate release|press release|\bannounce[sd]\b.{0,60}(?:results|quarter|agreement)",
        ),
        ("10", r"(?:employment|credit|purchase|lease|license|indemnification|loan|severance) agreement"),
        (
            "3",
            r"(?:amended and restated )?(?:certificate|articles) of incorporation|(?:amended and restated )?by-?laws",
        ),
    )
)
_RENDERED = frozenset({"XML", "JSON", "GRAPHIC", "ZIP", "EXCEL", "PDF", "COVER"})
_OPENING = 12
_OWNERSHIP = re.compile(rb"<documentType>\s*([^<]{1,6})<")
_SUBMISSION_TYPE = re.compile(rb"<submissionType>\s*([^<]{1,20})<")


@dataclass(frozen=True, slots=True)
class Classification:
    """What a document is.

    Attributes:
        form: form type of the filing (``10-K``, ``8-K/A``); empty when unknown.
        role: ``main``, ``exhibit`` or ``data``.
        exhibit: number of an exhibit (``21.1``); empty for others.
        kind: what kind of exhibit or data in words; empty for main documents.
        sections: the items found, as ``II.7`` or ``5.02``.
        confidence: 0 to 1.
        reason: what it was recognised by, one sentence.
    """

    form: str
    role: str
    exhibit: str
    kind: str
    sections: tuple[str, ...]
    confidence: float
    reason: str


def classify(document: Document) -> Classification:  # noqa: PLR0911 - one answer per kind of evidence
    """What a document is; of a submission its main document.

    Args:
        document: a parsed document.

    Raises:
        DocumentError: when the document cannot be read.
    """
    document = document.main
    declared = document.part.type if document.part is not None else document.hints.document_type
    match = _EXHIBIT_TYPE.match(declared)
    if match is not None:
        number, kind = _exhibit(match[1], match[2], normal_form(document.hints.form))
        return Classification(
            normal_form(document.hints.form), "exhibit", number, kind, (), 0.99, "The submission declares the exhibit."
        )
    if document.source.kind is Kind.XML:
        return _data(document)
    if declared.upper() in _RENDERED:
        kind = "rendered or packed copy"
        return Classification(
            normal_form(document.hints.form), "data", "", kind, (), 0.99, "The submission declares the type."
        )
    form, origin = form_of(document)
    sections = find_sections(document)
    found = tuple(f"{section.part}.{section.item}" if section.part else section.item for section in sections)
    if origin == "header":
        return Classification(form, "main", "", "", found, 0.99, "The submission declares the form.")
    opening = [block.text for block in document.blocks[:_OPENING]]
    if origin != "dei" and (exhibit := _by_opening(opening)) is not None and not sections:
        return Classification(form, "exhibit", *exhibit[:2], (), exhibit[2], exhibit[3])
    if origin == "dei":
        return Classification(form, "main", "", "", found, 0.99, "The cover page data name the form.")
    if origin == "cover":
        return Classification(form, "main", "", "", found, 0.95 if found else 0.8, "The cover names the form.")
    if origin == "hint":
        return Classification(form, "main", "", "", found, 0.9 if found else 0.6, "The caller named the form.")
    if found:
        guess = _form_by_items(found)
        return Classification(guess, "main", "", "", found, 0.5, "Only the items suggest the form.")
    return Classification("", "main", "", "", (), 0.2, "Nothing says what the document is.")


def classify_parts(document: Document) -> tuple[Classification, ...]:
    """What each readable document of a submission is; one entry for a single document."""
    return tuple(classify(part) for part in document.parts)


def _exhibit(number: str, rest: str | None, form: str = "") -> tuple[str, str]:
    full = f"{number}.{rest}" if rest else number
    kinds = EXHIBIT_KINDS | EXHIBIT_KINDS_20F if form.startswith("20-F") else EXHIBIT_KINDS
    return full, kinds.get(number.lstrip("0"), "exhibit")


def _by_opening(opening: list[str]) -> tuple[str, str, float, str] | None:
    """Number, kind, confidence and reason of an exhibit by its first lines; None when they are not those of one."""
    for text in opening[:4]:
        line = _EXHIBIT_LINE.match(text)
        if line is not None and len(text) < 200:
            return (*_exhibit(line[1], line[2]), 0.95, "Its first lines give the number of the exhibit.")
    together = " ".join(text[:600] for text in opening)
    for number, words in _WORDS:
        if words.search(together):
            return number, EXHIBIT_KINDS[number], 0.7, "Its first lines are worded like this kind of exhibit."
    return None


def _data(document: Document) -> Classification:
    root, _, _ = document.source.root
    head = document.source.data[:20_000]
    if root == "ownershipdocument":
        match = _OWNERSHIP.search(head)
        form = match[1].decode("ascii", "replace").strip() if match is not None else ""
        return Classification(form, "main", "", "ownership form", (), 0.99, "The document type is part of the data.")
    if root == "edgarsubmission":
        match = _SUBMISSION_TYPE.search(head)
        form = match[1].decode("ascii", "replace").strip() if match is not None else ""
        return Classification(form, "main", "", "structured form", (), 0.99, "The submission type is part of the data.")
    exhibit, kind = _ROOTS.get(root, ("", "data"))
    return Classification(
        normal_form(document.hints.form),
        "data",
        exhibit.removeprefix("EX-"),
        kind,
        (),
        0.9 if exhibit else 0.5,
        f"Its root element is {root}.",
    )


def _form_by_items(found: tuple[str, ...]) -> str:
    if any("." in name and not name[0].isalpha() for name in found):
        return "8-K"
    numbers = {name.rpartition(".")[2] for name in found}
    if len(numbers) < len(found) or numbers <= {"1", "1A", "2", "3", "4", "5", "6"}:
        return "10-Q"
    return "20-F" if numbers & {"16A", "17", "18", "19"} else "10-K"
