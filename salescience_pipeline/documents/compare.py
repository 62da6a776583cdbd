"""What changed between two filings of a company: sections, risk factors, restated facts. As data, with both places.

Texts are compared paragraph by paragraph; numbers that merely moved with the calendar are no change of a fact: a fact
is restated when both filings give a value for the same concept, period, dimensions and unit, and the values differ.
What does not belong here: finding the two filings.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from difflib import SequenceMatcher

from salescience_pipeline.documents.document import Document
from salescience_pipeline.documents.extract import extract
from salescience_pipeline.documents.fact_model import Fact
from salescience_pipeline.documents.section_model import FURNITURE
from salescience_pipeline.documents.sections import Section, find_sections

_WORD = re.compile(r"\w+")
_DECIMALS = re.compile(r"-?[0-9]{1,3}")
_SAME = 0.5
"""Share of words that two paragraphs have in common when one is a new wording of the other."""
_TITLE_SAME = 0.6
_TEXT_MAX = 2000
_PAIRS_MAX = 40_000
"""Pairs of paragraphs in one place that are held against each other; a rewritten place of more is told as came and went."""
_RISKS_MAX = 400
_PARAGRAPHS_MAX = 4000
"""Beyond this many in one section only what came and went is told, not what was reworded."""


@dataclass(frozen=True, slots=True)
class Passage:
    """A paragraph in one of the filings."""

    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Change:
    """One paragraph that came, went or was reworded.

    Attributes:
        kind: ``added``, ``removed`` or ``changed``.
        old: in the older filing; None when added.
        new: in the newer filing; None when removed.
        similarity: share of words in common, 0 to 1.
    """

    kind: str
    old: Passage | None
    new: Passage | None
    similarity: float


@dataclass(frozen=True, slots=True)
class SectionChange:
    """An item in both filings.

    Attributes:
        part: roman numeral; empty for forms without parts.
        item: its number.
        title: the form's words.
        status: ``unchanged``, ``changed``, ``added`` or ``removed``.
        similarity: share of words in common.
        old_length: characters in the older filing.
        new_length: characters in the newer one.
        confidence: of the less sure of the two sections.
        changes: paragraph by paragraph.
    """

    part: str
    item: str
    title: str
    status: str
    similarity: float
    old_length: int
    new_length: int
    confidence: float
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class RiskChange:
    """A risk factor that came, went or was reworded."""

    kind: str
    title: str
    old_title: str | None
    similarity: float


@dataclass(frozen=True, slots=True)
class Restatement:
    """A fact that the newer filing gives another value for the same period."""

    concept: str
    start: str | None
    end: str | None
    dimensions: tuple[tuple[str, str | None], ...]
    unit: str | None
    old: str
    new: str
    change: float | None
    """New over old minus one; None when the old value is zero."""
    old_start: int
    new_start: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """What changed."""

    sections: tuple[SectionChange, ...]
    risk_factors: tuple[RiskChange, ...]
    restated: tuple[Restatement, ...]

    def as_record(self) -> dict[str, object]:
        """The comparison as JSON."""
        return asdict(self)


def compare(old: Document, new: Document) -> Comparison:
    """What changed between two filings.

    Args:
        old: the earlier filing.
        new: the later one.

    Raises:
        DocumentError: when one of them cannot be read.
    """
    return Comparison(_sections(old, new), _risks(old, new), _restated(old, new))


# -- sections ---------------------------------------------------------------------------------------------------------


def _sections(old: Document, new: Document) -> tuple[SectionChange, ...]:
    before = {(section.part, section.item): section for section in find_sections(old)}
    after = {(section.part, section.item): section for section in find_sections(new)}
    found = []
    for key in dict.fromkeys((*after, *before)):
        one, other = before.get(key), after.get(key)
        first = _passages(old, one) if one is not None else []
        second = _passages(new, other) if other is not None else []
        changes = _changes(first, second)
        known = [section for section in (one, other) if section is not None]
        status = "added" if one is None else "removed" if other is None else "changed" if changes else "unchanged"
        found.append(
            SectionChange(
                key[0],
                key[1],
                known[0].canonical,
                status,
                round(_likeness(_bag(first), _bag(second)), 4),
                sum(len(passage.text) for passage in first),
                sum(len(passage.text) for passage in second),
                min(section.confidence for section in known),
                tuple(changes),
            )
        )
    return tuple(found)


def _passages(document: Document, section: Section) -> list[Passage]:
    return [
        Passage(block.text, block.start, block.end)
        for block in document.main.blocks
        if section.start <= block.start < section.end and block.type not in FURNITURE and block.text.strip()
    ]


def _bag(passages: Sequence[Passage]) -> Counter[str]:
    return Counter(word for passage in passages for word in _WORD.findall(passage.text.lower()))


def _likeness(one: Counter[str], other: Counter[str]) -> float:
    """Words in common over words of both, each counted as often as it occurs."""
    size = one.total() + other.total()
    return 2 * (one & other).total() / size if size else 1.0


def _changes(old: Sequence[Passage], new: Sequence[Passage]) -> list[Change]:
    first = [" ".join(passage.text.split()) for passage in old]
    second = [" ".join(passage.text.split()) for passage in new]
    if first == second:
        return []
    if len(first) + len(second) > _PARAGRAPHS_MAX:
        gone, come = Counter(first) - Counter(second), Counter(second) - Counter(first)
        return [
            *(
                Change("removed", _short(passage), None, 0.0)
                for passage, text in zip(old, first, strict=True)
                if text in gone
            ),
            *(
                Change("added", None, _short(passage), 0.0)
                for passage, text in zip(new, second, strict=True)
                if text in come
            ),
        ]
    found: list[Change] = []
    # A paragraph that is repeated a thousand times is a thousand different ones here: else the matcher takes squared time.
    for kind, a, b, c, d in SequenceMatcher(None, _numbered(first), _numbered(second), autojunk=False).get_opcodes():
        if kind != "equal":
            found += _paired(old[a:b], new[c:d])
    return found


def _numbered(texts: Sequence[str]) -> list[tuple[str, int]]:
    """Every text with how often it has occurred before."""
    seen: Counter[str] = Counter()
    found = []
    for text in texts:
        found.append((text, seen[text]))
        seen[text] += 1
    return found


def _paired(old: Sequence[Passage], new: Sequence[Passage]) -> list[Change]:
    """Reworded paragraphs beside what came and went: each new paragraph with the first unused old one it is like."""
    if len(old) * len(new) > _PAIRS_MAX:
        gone = [Change("removed", _short(passage), None, 0.0) for passage in old]
        return gone + [Change("added", None, _short(passage), 0.0) for passage in new]
    bags = [_bag([passage]) for passage in old]
    used: set[int] = set()
    found: list[Change] = []
    for passage in new:
        bag = _bag([passage])
        best, most = -1, _SAME
        for index, other in enumerate(bags):
            if index not in used and (likeness := _likeness(bag, other)) > most:
                best, most = index, likeness
        if best >= 0:
            used.add(best)
            found.append(Change("changed", _short(old[best]), _short(passage), round(most, 4)))
        else:
            found.append(Change("added", None, _short(passage), 0.0))
    found += [Change("removed", _short(passage), None, 0.0) for index, passage in enumerate(old) if index not in used]
    return found


def _short(passage: Passage) -> Passage:
    return passage if len(passage.text) <= _TEXT_MAX else Passage(passage.text[:_TEXT_MAX], passage.start, passage.end)


# -- risk factors -----------------------------------------------------------------------------------------------------


def _risks(old: Document, new: Document) -> tuple[RiskChange, ...]:
    """Risk factors matched by title first and then by what they say."""
    before = _risk_rows(old)
    after = _risk_rows(new)
    if not before or not after:
        # A quarterly report that names no risk factors has not dropped those of the annual report.
        return ()
    left = {index: (title, bag) for index, (title, bag) in enumerate(before)}
    found: list[RiskChange] = []
    pending = []
    for title, bag in after:
        same = next((index for index, (other, _) in left.items() if other.casefold() == title.casefold()), None)
        if same is None:
            pending.append((title, bag))
            continue
        likeness = _likeness(left.pop(same)[1], bag)
        found.append(RiskChange("unchanged" if likeness == 1 else "changed", title, None, round(likeness, 4)))
    for title, bag in pending:
        best = max(left, key=lambda index: _likeness(left[index][1], bag), default=None)
        if best is not None and (likeness := _likeness(left[best][1], bag)) >= _TITLE_SAME:
            found.append(RiskChange("changed", title, left.pop(best)[0], round(likeness, 4)))
        else:
            found.append(RiskChange("added", title, None, 0.0))
    found += [RiskChange("removed", title, None, 0.0) for title, _ in left.values()]
    return tuple(found)


def _risk_rows(document: Document) -> list[tuple[str, Counter[str]]]:
    rows = extract(document, "risk_factors").plain()["risk_factors"][:_RISKS_MAX]
    return [(str(row["title"]), Counter(_WORD.findall(f"{row['title']} {row['text']}".lower()))) for row in rows]


# -- facts ------------------------------------------------------------------------------------------------------------


def _key(fact: Fact) -> tuple[object, ...]:
    context = fact.context
    return (
        fact.concept,
        context.start,
        context.end,
        tuple(sorted(context.dimensions.items(), key=lambda pair: pair[0])),
        fact.unit.text if fact.unit is not None else None,
    )


def _restated(old: Document, new: Document) -> tuple[Restatement, ...]:
    """Numbers that both filings give for one period and that differ by more than their rounding."""
    before: dict[tuple[object, ...], list[Fact]] = {}
    for fact in old.facts:
        if fact.numeric and not fact.nil:
            before.setdefault(_key(fact), []).append(fact)
    found: dict[tuple[object, ...], Restatement] = {}
    for fact in new.facts:
        key = _key(fact)
        if not fact.numeric or fact.nil or key not in before or key in found:
            continue
        number = fact.number
        values = [other for other in before[key] if other.number is not None]
        if number is None or not values or any(_same_value(fact, other) for other in values):
            continue
        other = values[0]
        assert other.number is not None
        change = float(number / other.number - 1) if other.number else None
        context = fact.context
        dimensions = tuple(sorted(context.dimensions.items(), key=lambda pair: pair[0]))
        unit = fact.unit.text if fact.unit is not None else None
        found[key] = Restatement(
            fact.concept,
            context.start,
            context.end,
            dimensions,
            unit,
            other.value,
            fact.value,
            change,
            other.start,
            fact.start,
        )
    return tuple(found.values())


def _same_value(one: Fact, other: Fact) -> bool:
    """Whether two numbers are equal as far as the coarser of the two is printed."""
    if one.number is None or other.number is None:
        return False
    steps = [int(step) for step in (one.decimals, other.decimals) if step is not None and _DECIMALS.fullmatch(step)]
    return abs(one.number - other.number) <= (10 ** -min(steps) / 2 if steps else 0)
