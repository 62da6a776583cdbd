"""Fill a JSON Schema from a filing: every value with its place in the file and how sure it is.

    >>> extract(document, "income_statement").plain()["revenue"]
    391035000000

For each property, sources are asked in the order of their trust: XBRL facts, rows of the statement's table, lines
"label: value", patterns. Nothing is made up: what no source says is None with confidence 0. Instructions inside a
document are text like any other. What does not belong here: finding single values and lists (``extract_figures``,
``extract_rows``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import Any

from salescience_pipeline.documents.document import Document
from salescience_pipeline.documents.extract_cells import Row
from salescience_pipeline.documents.extract_figures import Figures, as_number
from salescience_pipeline.documents.extract_model import NOTHING, Extraction, InvalidSchema, Leaf, Scalar, Tree
from salescience_pipeline.documents.extract_rows import SOURCES, insider_form
from salescience_pipeline.documents.items import title_words
from salescience_pipeline.documents.model import Table
from salescience_pipeline.documents.numbers import shown_number
from salescience_pipeline.documents.schema_check import check_schema, types_of
from salescience_pipeline.documents.schemas import KNOWN, SYNONYMS, schema_named

_CAMEL = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[0-9]+")
_DATE_FORMATS = ("%Y-%m-%d", "%B %d, %Y", "%B %d %Y", "%b %d, %Y", "%b. %d, %Y", "%m/%d/%Y", "%d %B %Y", "%m/%d/%y")
_LIST_WORDS = (
    ("subsidiaries", ("subsidiar",)),
    ("people", ("officer", "director", "people", "executive", "signator")),
    ("risk_factors", ("risk",)),
    ("events", ("event", "item")),
    ("insider_transactions", ("transaction",)),
    ("insider_owners", ("owner", "insider")),
    ("share_classes", ("class", "securit")),
)
_AUDITOR_SIGNED = re.compile(
    r"/s/\s*([^\n]{3,70}?(?:LLP|L\.L\.P\.|LLC|P\.C\.|PLLC|& Co\.?|S\.?A\.|AG|Ltd\.?))", re.IGNORECASE
)
_AUDITOR_SINCE = re.compile(
    r"auditors?\s+since\s+(?:at least\s+)?(?:fiscal\s+)?(?:year\s+)?(?:[A-Z][a-z]+\s+)?((?:19|20)[0-9]{2})",
    re.IGNORECASE,
)
_AUDITOR_ID = re.compile(r"PCAOB\s+(?:firm\s+)?ID(?:\s+(?:No\.?|number))?\s*[:#]?\s*([0-9]{1,5})", re.IGNORECASE)
_SHARES = re.compile(
    r"([0-9]{1,3}(?:,[0-9]{3})+)\s+(?:shares|units)|(?:outstanding|shares)[^.]{0,200}?\b([0-9]{1,3}(?:,[0-9]{3}){1,})\b",
    re.IGNORECASE,
)
_AS_OF = re.compile(r"(?i:as of|on|at)\s+([A-Z][a-z]{2,8}\.?\s+[0-9]{1,2},?\s+[0-9]{4})")
_COVER_BLOCKS = 90
_SIGNATURE_MAX = 2000
"""Characters: a longer block is no signature."""
_PERIOD = re.compile(
    r"(?:year|period|quarter|months|weeks)\s+ended:?\s+([A-Z][a-z]{2,8}\.?\s+[0-9]{1,2}\s*,?\s+[0-9]{4})"
    r"|date of report[^:]{0,60}:?\s*([A-Z][a-z]{2,8}\.?\s+[0-9]{1,2}\s*,?\s+[0-9]{4})",
    re.IGNORECASE,
)


def extract(document: Document, schema: str | Mapping[str, Any]) -> Extraction:
    """Fill a schema from a document.

    Args:
        document: a parsed document; of a submission all its parts count.
        schema: name of a ready schema (:data:`schemas.SCHEMAS`) or a JSON Schema whose root is an object.

    Raises:
        InvalidSchema: for an unknown name or a schema that is none.
        DocumentError: when the document cannot be read.
    """
    asked: Mapping[str, Any] = schema_named(schema) if isinstance(schema, str) else schema
    check_schema(asked)
    return Extraction(asked, _Filler(document, asked).fill())


class _Filler:
    def __init__(self, document: Document, schema: Mapping[str, Any]) -> None:
        self.document = document
        self.schema = schema
        self.figures = Figures(document)

    def fill(self) -> Tree:
        return self._object(self.schema, {})

    def _object(self, schema: Mapping[str, Any], given: Row) -> dict[str, Tree]:
        properties = schema.get("properties", {})
        if not given and "transactions" in properties:
            given = insider_form(self.figures)
        return {str(name): self._value(str(name), part, given) for name, part in properties.items()}

    def _value(self, name: str, schema: Mapping[str, Any], given: Row) -> Tree:
        types = types_of(schema)
        if "object" in types:
            return self._object(schema, {})
        if "array" in types:
            return self._array(name, schema)
        if name in given:
            return _typed(given[name], schema)
        return _typed(self._leaf(name, schema), schema)

    # -- lists --------------------------------------------------------------------------------------------------------

    def _array(self, name: str, schema: Mapping[str, Any]) -> list[Tree]:
        items = schema.get("items", {})
        rows = self._rows(name, schema, items)
        if "object" not in types_of(items):
            first = [next(iter(row.values()), NOTHING) for row in rows]
            return [_typed(leaf, items) for leaf in first]
        properties: Mapping[str, Any] = items.get("properties", {})
        return [
            {str(field): _typed(_field(row, str(field)), part) for field, part in properties.items()} for row in rows
        ]

    def _rows(self, name: str, schema: Mapping[str, Any], items: Mapping[str, Any]) -> list[Row]:
        kind = schema.get("x-rows")
        if kind is not None:
            if kind not in SOURCES:
                raise InvalidSchema(f"There is no list {str(kind)[:40]!r}; there are {', '.join(SOURCES)}.")
            return SOURCES[kind](self.figures)
        words = f"{name} {schema.get('title', '')} {schema.get('description', '')}".lower()
        for guess, hints in _LIST_WORDS:
            if any(hint in words for hint in hints) and (rows := SOURCES[guess](self.figures)):
                return rows
        return self._table_rows(items)

    def _table_rows(self, items: Mapping[str, Any]) -> list[Row]:
        """The rows of the table whose column headings say what the schema's columns are called."""
        wanted = {str(name): frozenset(title_words(str(name)).split()) for name in items.get("properties", {})}
        best: Table | None = None
        best_columns: dict[str, int] = {}
        for table in self.document.tables:
            heads: dict[int, set[str]] = {}
            for cell in table.cells:
                if cell.row < max(1, table.header_rows):
                    heads.setdefault(cell.col, set()).update(title_words(cell.text).split())
            columns = {
                name: col for name, words in wanted.items() for col, have in heads.items() if words and words <= have
            }
            if len(set(columns.values())) > max(1, len(set(best_columns.values()))):
                best, best_columns = table, columns
        if best is None:
            return []
        rows: dict[int, Row] = {}
        for cell in best.cells:
            for name, col in best_columns.items():
                if cell.col == col and cell.row >= max(1, best.header_rows):
                    place = self.figures.places.cite(cell.start, cell.end, cell.text, "cell")
                    rows.setdefault(cell.row, {})[name] = Leaf(cell.text, 0.6, "table", (place,))
        return [rows[row] for row in sorted(rows)]

    # -- single values ------------------------------------------------------------------------------------------------

    def _leaf(self, name: str, schema: Mapping[str, Any]) -> Leaf:
        if not any(key.startswith("x-") for key in schema):
            plain = "_".join(word.lower() for word in _CAMEL.findall(name)) or name
            known = KNOWN.get(SYNONYMS.get(plain, plain))
            if known is not None:
                schema = {**known, **schema}
        special = schema.get("x-is")
        if special is not None:
            return self._special(str(special), schema)
        numeric = bool({"number", "integer"} & set(types_of(schema)))
        longest = self.schema.get("x-period") == "year to date"
        fact = self.figures.fact(schema.get("x-concepts", ()), numeric=True if numeric else None, year_to_date=longest)
        if fact is not None:
            return self.figures.of_fact(fact)
        if "x-pattern" in schema:
            return self._by_pattern(str(schema["x-pattern"]))
        if schema.get("x-labels"):
            patterns = tuple(re.compile(label) for label in schema["x-labels"])
            if self._statement is not None:
                row = self.figures.row(
                    self._statement[0], patterns, scaled=not schema.get("x-unscaled"), cents=bool(schema.get("x-cents"))
                )
                if row is not None:
                    return Leaf(row.value, min(row.confidence, self._statement[1]), row.method, row.citations)
            return NOTHING
        return self._by_words(name, numeric=numeric)

    @cached_property
    def _statement(self) -> tuple[Table, float] | None:
        """The table that the whole schema is about, and how sure that is."""
        labels = [
            [re.compile(label) for label in part.get("x-labels", ())]
            for part in self.schema.get("properties", {}).values()
            if isinstance(part, Mapping) and part.get("x-labels")
        ]
        return self.figures.statement(labels)

    def _by_pattern(self, pattern: str) -> Leaf:
        try:
            compiled = re.compile(pattern)
        except re.error as error:
            raise InvalidSchema(f"The pattern {pattern[:40]!r} is no regular expression.") from error
        found = self.figures.pattern(compiled, 1 if compiled.groups else 0)
        return found[1] if found is not None else NOTHING

    def _by_words(self, name: str, *, numeric: bool) -> Leaf:
        """A property that nothing is known of but its name: a concept, a line, or a row that has the same words."""
        words = [word.lower() for word in _CAMEL.findall(name)] or title_words(name).split()
        wanted = frozenset(words)
        if not wanted:
            return NOTHING
        for concept in self.figures.facts_by_name:
            if frozenset(word.lower() for word in _CAMEL.findall(concept)) == wanted:
                fact = self.figures.fact([concept], numeric=True if numeric else None)
                if fact is not None:
                    return self.figures.of_fact(fact)
        line = self.figures.key_value(wanted)
        if line is not None and (not numeric or shown_number(line[0]) is not None):
            return line[1]
        if not numeric:
            return NOTHING
        for table, rows in self.figures.labelled_rows:
            if any(wanted <= frozenset(label.split()) for label, _ in rows):
                exact = re.compile(re.escape(" ".join(words)) + "$")
                found = self.figures.row(table, (exact, re.compile(".*" + ".*".join(map(re.escape, words)))))
                if found is not None:
                    return Leaf(found.value, 0.5, found.method, found.citations)
        return NOTHING

    def _special(self, kind: str, schema: Mapping[str, Any]) -> Leaf:
        concepts: Sequence[str] = schema.get("x-concepts", ())
        fact = self.figures.fact(concepts) if concepts else None
        if kind == "currency":
            return self._currency()
        if kind.startswith("shares"):
            return self._cover_shares(fact, want_date=kind == "shares_date")
        if fact is not None:
            return self.figures.of_fact(fact)
        if kind == "period_end":
            return self._cover_period()
        if kind in ("auditor_name", "auditor_location"):
            return self._auditor()[kind == "auditor_location"]
        pattern = {"auditor_since": _AUDITOR_SINCE, "auditor_id": _AUDITOR_ID}.get(kind)
        if pattern is None:
            raise InvalidSchema(f"There is no question {kind[:40]!r}.")
        found = self.figures.pattern(pattern, confidence=0.85)
        return found[1] if found is not None else NOTHING

    def _cover_period(self) -> Leaf:
        """The period that the cover names."""
        for block in self.document.main.blocks[:_COVER_BLOCKS]:
            match = _PERIOD.search(block.text[:2000])
            if match is not None:
                text = " ".join((match[1] or match[2]).replace(" ,", ",").split())
                day = text if not text.isupper() else text.title()
                place = self.figures.places.cite(block.start, block.end, block.text, "block")
                return Leaf(day.title() if day.islower() else day, 0.85, "pattern", (place,))
        return NOTHING

    def _currency(self) -> Leaf:
        for concept in ("Assets", "StockholdersEquity", "NetIncomeLoss", "ProfitLoss", "Liabilities", "Cash"):
            fact = self.figures.fact([concept], numeric=True)
            if fact is not None and fact.unit is not None:
                return self.figures.of_fact(fact, fact.unit.text)
        table = self._statement[0] if self._statement is not None else None
        if table is None or table.currency is None:
            return NOTHING
        place = self.figures.places.cite(table.start, table.end, table.caption, "block")
        return Leaf(table.currency, 0.6, "table", (place,))

    def _cover_shares(self, fact: Any, *, want_date: bool) -> Leaf:
        """Shares outstanding on the cover: the fact, the sum over the classes, or the sentence."""
        facts = [fact] if fact is not None else self.figures.facts_by_name.get("EntityCommonStockSharesOutstanding", [])
        if facts:
            leaves = [self.figures.of_fact(each) for each in facts]
            citations = tuple(citation for leaf in leaves for citation in leaf.citations)
            if want_date:
                return Leaf(max(each.context.end or "" for each in facts)[:10], 0.98, "fact", citations)
            total = sum(each.number for each in facts if each.number is not None)
            return Leaf(as_number(total), 0.98 if len(facts) == 1 else 0.9, "fact", citations) if total else NOTHING
        for block in self.document.main.blocks[:_COVER_BLOCKS]:
            lowered = block.text.lower()
            if "outstanding" not in lowered or not ("shares" in lowered or "units" in lowered):
                continue
            match = (_AS_OF if want_date else _SHARES).search(block.text)
            if match is not None:
                value = next(group for group in match.groups() if group)
                place = self.figures.places.cite(block.start, block.end, block.text, "block")
                return Leaf(value, 0.7, "pattern", (place,))
        return NOTHING

    def _auditor(self) -> tuple[Leaf, Leaf]:
        """Who signed the audit report, and where: the line below the signature."""
        blocks = self.document.main.blocks
        for index, block in enumerate(blocks):
            text = block.text if len(block.text) < _SIGNATURE_MAX else ""
            match = _AUDITOR_SIGNED.search(text) if "/s/" in text.lower() else None
            if match is None:
                continue
            cite = self.figures.places.cite
            name = Leaf(" ".join(match[1].split()), 0.8, "pattern", (cite(block.start, block.end, text, "block"),))
            for other in blocks[index : index + 4]:
                place = re.search(r"^([A-Z][A-Za-z. ]+,\s+[A-Z][A-Za-z. ]{1,20})\s*$", other.text, re.MULTILINE)
                if place is not None:
                    return name, Leaf(place[1], 0.75, "pattern", (cite(other.start, other.end, other.text, "block"),))
            return name, NOTHING
        return NOTHING, NOTHING


def _field(row: Row, name: str) -> Leaf:
    """The value of a row under a name, or under one that has it as a part (``jurisdiction_of_incorporation``)."""
    if name in row:
        return row[name]
    words = set(title_words(name).split())
    return next((leaf for field, leaf in row.items() if set(title_words(field).split()) & words), NOTHING)


def _typed(leaf: Leaf, schema: Mapping[str, Any]) -> Leaf:
    """The value in the type that the schema wants; what cannot be turned into it is nothing."""
    if leaf.value is None:
        return NOTHING
    value = _convert(leaf.value, types_of(schema), str(schema.get("format", "")))
    allowed = schema.get("enum")
    if value is None or (isinstance(allowed, list) and value not in allowed):
        return NOTHING
    return (
        leaf
        if value == leaf.value and type(value) is type(leaf.value)
        else Leaf(value, leaf.confidence, leaf.method, leaf.citations)
    )


def _convert(value: Scalar, types: tuple[str, ...], kind: str) -> Scalar:
    if "string" in types:
        text = str(value)
        return _iso_date(text) if kind == "date" else text
    if "boolean" in types:
        return (
            value
            if isinstance(value, bool)
            else {"true": True, "yes": True, "false": False, "no": False}.get(str(value).lower())
        )
    if isinstance(value, bool):
        return None
    number = value if isinstance(value, int | float) else None
    if number is None:
        shown = shown_number(str(value))
        number = as_number(shown) if shown is not None else None
    if "number" in types:
        return number
    return int(number) if "integer" in types and number is not None and number == int(number) else None


def _iso_date(text: str) -> str | None:
    words = " ".join(text.split()).strip(" .")
    for pattern in _DATE_FORMATS:
        try:
            return datetime.strptime(words, pattern).date().isoformat()  # noqa: DTZ007 - a date has no zone
        except ValueError:
            continue
    return None
