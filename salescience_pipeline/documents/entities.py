"""Who and what a filing speaks of: companies, people, tickers, money, dates, percents; and how they are related.

Identities come from where they are certain (cover page data, ownership forms, signatures, the list of subsidiaries, the
audit report); amounts, dates and percents from the text. Nothing is guessed from running prose about who is who. What
does not belong here: whether two filings speak of the same company.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from salescience_pipeline.documents.classify import classify
from salescience_pipeline.documents.extract import extract
from salescience_pipeline.documents.extract_figures import Figures
from salescience_pipeline.documents.extract_model import Citation, Leaf
from salescience_pipeline.documents.model import Block
from salescience_pipeline.documents.section_model import FURNITURE

if TYPE_CHECKING:
    from salescience_pipeline.documents.document import Document

_MONTHS = "January|February|March|April|May|June|July|August|September|October|November|December"
_PATTERNS = (
    (
        "money",
        re.compile(
            r"(?:US\$|C\$|A\$|HK\$|\$|\u20ac|\u00a3|\u00a5)\s?[0-9]{1,3}(?:,?[0-9]{3}){0,5}(?:\.[0-9]{1,4})?(?:\s(?:thousand|million|billion|trillion))?\b"
        ),
    ),
    ("percent", re.compile(r"\b[0-9]{1,3}(?:\.[0-9]{1,4})?\s?(?:%|percent\b)")),
    ("date", re.compile(rf"\b(?:{_MONTHS})\s[0-9]{{1,2}},\s[0-9]{{4}}\b")),
)
_SPACE = re.compile(r"\s+")
_KEY = re.compile(r"[^a-z0-9]+")
_OFFICER = re.compile(r"officer|president|treasurer|secretary|controller|counsel|chief|principal", re.IGNORECASE)
_DIRECTOR = re.compile(
    r"(?<!managing )(?<!senior )(?<!associate )\bdirectors?\b(?! (?:of|for)\b)|\bchair",
    re.IGNORECASE,
)
"""A member of the board; not a Senior Director of Accounting."""


@dataclass(frozen=True, slots=True)
class Mention:
    """A place where an entity is named.

    Attributes:
        block: index of the block; None for what is not shown.
        start: first character in the block's text; -1 where only the bytes are known.
        end: character behind it; -1 likewise.
        source_start: first byte of the block or element in the file.
        source_end: byte behind it.
        text: as written.
        method: ``fact``, ``element``, ``table``, ``pattern``...
        confidence: 0 to 1.
    """

    block: int | None
    start: int
    end: int
    source_start: int
    source_end: int
    text: str
    method: str
    confidence: float


@dataclass(slots=True, eq=False)
class Entity:
    """Something that is spoken of.

    Attributes:
        kind: ``company``, ``person``, ``ticker``, ``exchange``, ``money``, ``date`` or ``percent``.
        canonical: its name.
        cik: for companies and people that have one.
        ticker: for companies that have one.
        mentions: where it is named.
    """

    kind: str
    canonical: str
    cik: str | None = None
    ticker: str | None = None
    mentions: list[Mention] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Relation:
    """What one entity is to another.

    Attributes:
        subject: who.
        predicate: ``officer_of``, ``director_of``, ``owner_of``, ``subsidiary_of``, ``auditor_of`` or ``event``.
        object: to whom.
        detail: the words that say it (a title, an item's number).
        source: where it is said.
        confidence: 0 to 1.
    """

    subject: Entity
    predicate: str
    object: Entity
    detail: str
    source: Mention
    confidence: float


@dataclass(slots=True)
class Graph:
    """Entities and relations of one filing."""

    entities: list[Entity] = field(default_factory=list)
    relations: list[Relation] = field(default_factory=list)


def read_entities(document: Document, *, amounts: bool = True, filer_cik: str | None = None) -> Graph:
    """The entities of a filing and their relations.

    Args:
        document: a parsed document; of a submission all its parts count.
        amounts: whether money, dates and percents of the text are wanted too.
        filer_cik: whose filing it is, for a document that does not say so itself (an exhibit).

    Raises:
        DocumentError: when the document cannot be read.
    """
    return _Reader(document, filer_cik).read(amounts=amounts)


class _Reader:
    def __init__(self, document: Document, filer_cik: str | None) -> None:
        self.document = document
        self.filer_cik = filer_cik
        self.what = classify(document)
        self.figures = Figures(document)
        self.graph = Graph()
        self.known: dict[tuple[str, str], Entity] = {}

    def read(self, *, amounts: bool) -> Graph:
        filer = self._filer()
        self._insiders()
        if filer is None and self.filer_cik is not None and not self.graph.entities:
            filer = Entity("company", f"CIK {self.filer_cik}", cik=self.filer_cik)
            self.graph.entities.append(filer)
        if filer is not None:
            self._subsidiaries(filer)
        # Those who sign an exhibit may be anybody: a customer, a bank, an auditor.
        if filer is not None and self.what.role != "exhibit":
            self._people(filer)
            self._auditor(filer)
            self._events(filer)
        if amounts:
            self._amounts()
        return self.graph

    def _entity(self, kind: str, leaf: Leaf, *, cik: str | None = None, ticker: str | None = None) -> Entity:
        name = _SPACE.sub(" ", str(leaf.value)).strip()
        key = (kind, _KEY.sub(" ", name.lower()).strip())
        entity = self.known.get(key)
        if entity is None:
            entity = self.known[key] = Entity(kind, name)
            self.graph.entities.append(entity)
        entity.cik = entity.cik or cik
        entity.ticker = entity.ticker or ticker
        entity.mentions += [self._mention(citation, name, leaf) for citation in leaf.citations[:1]]
        return entity

    def _mention(self, citation: Citation, name: str, leaf: Leaf) -> Mention:
        start = -1
        if citation.block is not None:
            start = self.document.blocks[citation.block].text.find(name)
        end = start + len(name) if start >= 0 else -1
        return Mention(
            citation.block,
            start,
            end,
            citation.start,
            citation.end,
            citation.content or name,
            leaf.method,
            leaf.confidence,
        )

    def _relate(self, subject: Entity, predicate: str, other: Entity, detail: str, leaf: Leaf) -> None:
        source = self._mention(leaf.citations[0], detail, leaf)
        self.graph.relations.append(Relation(subject, predicate, other, detail, source, leaf.confidence))

    def _fact(self, concept: str) -> Leaf | None:
        fact = self.figures.fact([concept])
        return self.figures.of_fact(fact) if fact is not None else None

    def _filer(self) -> Entity | None:
        """The registrant, by the data of its cover page or by the header of the submission."""
        name, cik = self._fact("EntityRegistrantName"), self._fact("EntityCentralIndexKey")
        tickers = [self.figures.of_fact(fact) for fact in self.figures.facts_by_name.get("TradingSymbol", ())]
        for ticker in tickers:
            self._entity("ticker", ticker)
        for fact in self.figures.facts_by_name.get("SecurityExchangeName", ()):
            self._entity("exchange", self.figures.of_fact(fact))
        if name is not None:
            number = str(cik.value) if cik is not None else None
            return self._entity("company", name, cik=number, ticker=str(tickers[0].value) if tickers else None)
        submission = self.document.submission
        if submission is not None and (words := submission.first("COMPANY CONFORMED NAME")):
            raw = words.encode(self.document.source.encoding, "replace")
            at = max(0, self.document.source.data.find(raw))
            citation = Citation(at, at + len(raw), None, 1, words, "element")
            return self._entity(
                "company", Leaf(words, 0.98, "element", (citation,)), cik=submission.first("CENTRAL INDEX KEY") or None
            )
        return None

    def _leaves(self, schema: str, name: str) -> Iterator[dict[str, Leaf]]:
        result: Any = extract(self.document, schema).result
        yield from result.get(name, ())

    def _insiders(self) -> None:
        result: Any = extract(self.document, "insider_transactions").result
        if not result["owners"] or result["issuer"].value is None:
            return
        ticker = result["ticker"].value
        issuer = self._entity("company", result["issuer"], cik=result["issuer_cik"].value, ticker=ticker)
        if ticker is not None:
            self._entity("ticker", result["ticker"])
        for owner in result["owners"]:
            if owner["name"].value is None:
                continue
            person = self._entity("person", owner["name"], cik=owner["cik"].value)
            if owner["officer"].value:
                self._relate(person, "officer_of", issuer, str(owner["title"].value or "officer"), owner["officer"])
            if owner["director"].value:
                self._relate(person, "director_of", issuer, "director", owner["director"])
            self._relate(person, "owner_of", issuer, "reporting owner", owner["name"])

    def _people(self, filer: Entity) -> None:
        for row in self._leaves("officers_and_directors", "people"):
            if row["name"].value is None:
                continue
            person = self._entity("person", row["name"])
            title = row["position"]
            if title.value is None:
                continue
            words = str(title.value)
            if _OFFICER.search(words) and not words.lower().startswith("former"):
                self._relate(person, "officer_of", filer, words, title)
            if _DIRECTOR.search(words):
                self._relate(person, "director_of", filer, words, title)

    def _subsidiaries(self, filer: Entity) -> None:
        for row in self._leaves("subsidiaries", "subsidiaries"):
            if row["name"].value is not None:
                subsidiary = self._entity("company", row["name"])
                self._relate(subsidiary, "subsidiary_of", filer, str(row["jurisdiction"].value or ""), row["name"])

    def _auditor(self, filer: Entity) -> None:
        result: Any = extract(self.document, "auditor").result
        if result["name"].value is not None:
            auditor = self._entity("company", result["name"])
            self._relate(auditor, "auditor_of", filer, str(result["location"].value or ""), result["name"])

    def _events(self, filer: Entity) -> None:
        if not self.what.form.startswith("8-K"):
            return
        for row in self._leaves("events_8k", "events"):
            self._relate(filer, "event", filer, f"{row['item'].value} {row['title'].value}", row["item"])

    def _amounts(self) -> None:
        for block in self.document.blocks:
            if block.table is None and block.type not in FURNITURE:
                self._amounts_of(block)

    def _amounts_of(self, block: Block) -> None:
        for kind, pattern in _PATTERNS:
            for match in pattern.finditer(block.text):
                text = _SPACE.sub(" ", match[0])
                key = (kind, text)
                entity = self.known.get(key)
                if entity is None:
                    entity = self.known[key] = Entity(kind, text)
                    self.graph.entities.append(entity)
                entity.mentions.append(
                    Mention(block.index, match.start(), match.end(), block.start, block.end, match[0], "pattern", 0.9)
                )
