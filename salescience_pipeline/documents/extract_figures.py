"""Single values of a filing: from XBRL facts, from rows of tables, from lines of the form "label: value".

A source is asked for a value and answers with the value, its place and how sure it is. Which source is asked first, and how
schemas are walked, stands in :mod:`extract`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING

from salescience_pipeline.documents.extract_model import Leaf, Places, Scalar
from salescience_pipeline.documents.fact_model import Fact
from salescience_pipeline.documents.items import title_words
from salescience_pipeline.documents.model import BlockType, Cell, Table

if TYPE_CHECKING:
    from salescience_pipeline.documents.document import Document

_QUARTER_MIN, _YEAR_MAX = 60, 400
"""Days: durations of a report's period."""
_YEAR = re.compile(r"\b((?:19|20)[0-9]{2})\b")
_TEXT_MAX = 2000
_CENTS = re.compile(r"\.[0-9]{2,}\D*$")
_SURELY_UNITS = 10_000_000
"""A larger figure is printed in single dollars; companies in thousands of millions do not exist."""
_MARK = re.compile(
    r"\s*\((?:notes? )?(?:[A-Z]|[0-9]{1,2})(?:\s*(?:,|&|and)\s*(?:[A-Z]|[0-9]{1,2}))*\)\s*$", re.IGNORECASE
)
"""Behind a label: which note says more ("Sales (C & E)")."""
_KEY_VALUE = re.compile(r"\s*([A-Z][^:\n]{1,60}):\s*(\S.{0,300})")


def as_number(value: Decimal) -> int | float:
    """A JSON number: whole numbers stay whole."""
    return int(value) if value == value.to_integral_value() and abs(value) < 10**18 else float(value)


def _days(fact: Fact) -> int:
    context = fact.context
    if context.start is None or context.end is None:
        return 0
    try:
        return (date.fromisoformat(context.end[:10]) - date.fromisoformat(context.start[:10])).days
    except ValueError:
        return 0


class Figures:
    """Answers questions about one filing; of a submission its facts are those of all its documents."""

    def __init__(self, document: Document) -> None:
        """Nothing is read before it is asked for."""
        self.document = document

    @cached_property
    def places(self) -> Places:
        """Blocks and pages by byte."""
        return Places(self.document)

    # -- facts --------------------------------------------------------------------------------------------------------

    @cached_property
    def facts_by_name(self) -> dict[str, list[Fact]]:
        """Facts that are not nil, by the local name of their concept."""
        found: dict[str, list[Fact]] = {}
        for fact in self.document.facts:
            if not fact.nil:
                found.setdefault(fact.concept.rpartition(":")[2], []).append(fact)
        return found

    @cached_property
    def period_end(self) -> str | None:
        """The last day of the period that the report is about."""
        named = self.facts_by_name.get("DocumentPeriodEndDate")
        if named:
            return named[0].value[:10]
        ends = Counter(
            fact.context.end[:10]
            for fact in self.document.facts
            if fact.context.end is not None and not fact.context.dimensions
        )
        return ends.most_common(1)[0][0] if ends else None

    @cached_property
    def is_annual(self) -> bool:
        """Whether the report is about a year."""
        named = self.facts_by_name.get("DocumentFiscalPeriodFocus")
        if named:
            return named[0].value.strip().upper() == "FY"
        kinds = self.facts_by_name.get("DocumentType")
        return kinds is not None and kinds[0].value.strip().upper().startswith(("10-K", "20-F", "40-F"))

    def fact(self, concepts: Iterable[str], *, numeric: bool | None = None, year_to_date: bool = False) -> Fact | None:
        """The fact of the report's own period without dimensions, of the first concept that has one.

        An annual report is about its longest duration, a quarterly one about its shortest of at least two months.

        Args:
            concepts: local names, best first.
            numeric: whether only numbers, or only texts, are wanted.
            year_to_date: whether the longest duration is wanted in any case.
        """
        for concept in concepts:
            facts = [fact for fact in self.facts_by_name.get(concept, ()) if numeric is None or fact.numeric == numeric]
            plain = [fact for fact in facts if not fact.context.dimensions]
            if not plain:
                continue
            at_end = [fact for fact in plain if (fact.context.end or "")[:10] == self.period_end]
            durations = [fact for fact in at_end if _QUARTER_MIN <= _days(fact) <= _YEAR_MAX]
            if durations:
                return (max if self.is_annual or year_to_date else min)(durations, key=_days)
            if at_end:
                return at_end[0]
            # Cover pages count shares on a later day; texts are about whatever day.
            if not plain[0].numeric or concept.startswith(("Entity", "Document")):
                return max(plain, key=lambda fact: fact.context.end or "")
        return None

    def of_fact(self, fact: Fact, value: Scalar = None) -> Leaf:
        """The value of a fact with its place."""
        if value is None:
            number = fact.number
            value = as_number(number) if number is not None else " ".join(fact.value.split())[:_TEXT_MAX]
        shown = self._shown(fact)
        return Leaf(value, 0.98, "fact", (self.places.cite(fact.start, fact.end, shown, "fact"),))

    def _shown(self, fact: Fact) -> str:
        if fact.escaped:
            return fact.concept
        document, start, end = fact.ranges[0]
        source = self.document.facts.sources[document]
        return (
            source.text(start, end)
            if end - start < _TEXT_MAX and b"<" not in source.data[start:end]
            else fact.value[:200]
        )

    # -- tables -------------------------------------------------------------------------------------------------------

    @cached_property
    def labelled_rows(self) -> list[tuple[Table, list[tuple[str, list[Cell]]]]]:
        """Per table its rows as (label in title words, cells that show numbers)."""
        found = []
        for table in self.document.tables:
            rows: dict[int, list[Cell]] = {}
            for cell in table.cells:
                rows.setdefault(cell.row, []).append(cell)
            labelled = [
                (title_words(_MARK.sub("", cells[0].text)), [cell for cell in cells[1:] if cell.value is not None])
                for row, cells in rows.items()
                if row >= table.header_rows and cells
            ]
            labelled = [(label, values) for label, values in labelled if label and values]
            if labelled:
                found.append((table, labelled))
        return found

    def statement(self, labels: Sequence[Sequence[re.Pattern[str]]]) -> tuple[Table, float] | None:
        """The table whose rows answer most of the questions, and how sure that is; None when none answers three.

        Args:
            labels: per question the patterns of the row labels, best first.
        """
        best: Table | None = None
        most = 2.5
        for table, rows in self.labelled_rows:
            if len(rows) < 4:
                continue
            names = [label for label, _ in rows]
            score = sum(any(pattern.match(name) for pattern in each for name in names) for each in labels)
            # Of two that answer as many, the one that was printed first and for more than one period.
            weight = score + (0.5 if any(len(values) > 1 for _, values in rows) else 0)
            if weight > most:
                best, most = table, weight
        return (best, 0.75 if 2 * most >= len(labels) else 0.55) if best is not None else None

    def row(
        self, table: Table, patterns: Sequence[re.Pattern[str]], *, scaled: bool = True, cents: bool = False
    ) -> Leaf | None:
        """The value of the current period in the first row that a pattern fits, multiplied as the table says.

        With ``cents`` only an amount that is printed to the cent counts.
        """
        rows = next(rows for other, rows in self.labelled_rows if other is table)
        column = self._current_column(table)
        for pattern in patterns:
            for label, values in rows:
                if not pattern.match(label):
                    continue
                cell = next((cell for cell in values if column is not None and cell.col == column), values[0])
                if cell.value is None or (cents and not _CENTS.search(cell.text)):
                    continue
                scaled = scaled and "per share" not in label
                scale = table.scale if scaled and table.scale is not None else 1
                # Without a word about thousands or millions a whole number may mean either.
                confidence = 0.75 if not scaled or table.scale is not None or abs(cell.value) >= _SURELY_UNITS else 0.4
                citation = self.places.cite(cell.start, cell.end, f"{label}: {cell.text}", "cell")
                return Leaf(as_number(cell.value * scale), confidence, "table", (citation,))
        return None

    @staticmethod
    def _current_column(table: Table) -> int | None:
        """The column whose heading names the latest year; None when headings name none."""
        years: dict[int, int] = {}
        for cell in table.cells:
            if cell.row < table.header_rows and (match := _YEAR.search(cell.text)) is not None and cell.colspan == 1:
                years[cell.col] = int(match[1])
        return min((column for column in years if years[column] == max(years.values())), default=None)

    # -- lines --------------------------------------------------------------------------------------------------------

    @cached_property
    def key_values(self) -> list[tuple[str, str, int, int]]:
        """(label in title words, value, first byte, byte behind) of lines "label: value" and of two-column rows."""
        found = []
        for block in self.document.blocks:
            if block.table is None:
                match = _KEY_VALUE.match(block.text) if ":" in block.text[:70] else None
                if match is not None and (block.type is BlockType.KEY_VALUE or len(block.text) < 200):
                    found.append((title_words(match[1]), match[2].strip(), block.start, block.end))
                continue
            rows: dict[int, list[Cell]] = {}
            for cell in block.table.cells:
                rows.setdefault(cell.row, []).append(cell)
            found += [
                (title_words(cells[0].text), cells[1].text, cells[0].start, cells[1].end)
                for cells in rows.values()
                if len(cells) == 2 and len(cells[0].text) < 100
            ]
        return found

    def key_value(self, words: frozenset[str]) -> tuple[str, Leaf] | None:
        """The line whose label has exactly these words, or else all of them and at most two more."""
        near = None
        for label, value, start, end in self.key_values:
            have = frozenset(label.split())
            if words <= have and len(have) <= len(words) + 2:
                leaf = Leaf(value, 0.6, "key_value", (self.places.cite(start, end, f"{label}: {value}", "block"),))
                if have == words:
                    return value, leaf
                near = near or (value, leaf)
        return near

    # -- patterns -----------------------------------------------------------------------------------------------------

    def pattern(
        self, pattern: re.Pattern[str], group: int | str = 1, *, confidence: float = 0.6
    ) -> tuple[str, Leaf] | None:
        """The first place in the text that fits a pattern."""
        for block in self.document.blocks:
            if block.table is not None and len(block.text) > 20_000:
                continue
            match = pattern.search(block.text)
            if match is not None and match[group]:
                text = " ".join(match[group].split())
                around = block.text[max(0, match.start() - 80) : match.end() + 80]
                return text, Leaf(
                    text, confidence, "pattern", (self.places.cite(block.start, block.end, around, "block"),)
                )
        return None
