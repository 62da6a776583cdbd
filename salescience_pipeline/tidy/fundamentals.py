"""SEC's company facts -> rows: every figure with the filing that reported it.

A company has tens of thousands of them, so the columns are filled by plain appends and the dates are parsed by Arrow. What
does not belong here: choosing the figure that was known on a day (the marts do, by ``filed``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from salescience_pipeline.clients.model import Answer
from salescience_pipeline.identifiers import Cik
from salescience_pipeline.tidy.companies import company_cik
from salescience_pipeline.tidy.model import Tidied, TidyContext
from salescience_pipeline.tidy.reading import (
    BadRecord,
    LeftOuts,
    contract,
    day,
    load_json,
    member,
    needed,
    number,
    string,
    subject_of,
    whole,
    with_data,
)
from salescience_pipeline.tidy.rows import Rows, joined

FACTS_TABLE = "core_sec__facts"

_ACCESSION = re.compile(r"[0-9]{10}-[0-9]{2}-[0-9]{6}", re.ASCII)
_YEARS = range(1, 10_000)


class _Days(dict[Any, Any]):
    """Dates by their text: a company's facts share a few hundred dates."""

    def __missing__(self, text: Any) -> Any:
        parsed = self[text] = needed(day(text, "a date"), "a date")
        return parsed


def sec_company_facts(answers: Sequence[Answer], context: TidyContext) -> Tidied:
    """One row per (taxonomy, concept, unit, start, end, accession): restatements stand beside what they restate.

    All taxonomies are read, a company's own included. Two entries of one key with the same figure are one fact that SEC
    shows in two frames: one row, the other entry counted as left out. With two different figures the one that SEC
    frames is kept, else the first.

    Raises:
        Contract: when an answer is no company facts object, or about another company than was asked for.
        TooLarge: when a body exceeds its cap.
    """
    account = LeftOuts(subject_of(answers))
    parts: dict[Cik, Rows] = {}
    for answer in sorted(with_data(answers), key=lambda answer: answer.fetched_at, reverse=True):
        content = load_json(answer)
        if not isinstance(content, dict):
            raise contract(answer, "The answer is no company facts object.")
        cik = company_cik(answer, content)
        if cik in parts:
            account.add(f"facts of CIK {cik}", "a later answer holds the company's facts")
            continue
        parts[cik] = rows = Rows(FACTS_TABLE, answer, context)
        columns = _Columns(rows)
        for unit, facts in _units(answer, content):
            columns.add_unit(unit, facts, account)
        rows.columns["cik"] = [str(cik)] * len(columns.value)
    return Tidied({FACTS_TABLE: joined(FACTS_TABLE, parts.values())}, account.done())


class _Unit(NamedTuple):
    """What the facts of one list share."""

    taxonomy: str
    concept: str
    label: str | None
    unit: str

    def __str__(self) -> str:
        return f"{self.taxonomy}:{self.concept} in {self.unit}"


def _units(answer: Answer, content: Mapping[str, Any]) -> Iterator[tuple[_Unit, Sequence[Any]]]:
    """Every list of facts with what its facts share."""
    for taxonomy, concepts in member(answer, content, "facts", dict).items():
        if not isinstance(concepts, dict):
            raise contract(answer, "The facts of one taxonomy are no object of concepts.")
        for concept, described in concepts.items():
            units = member(answer, described, "units", dict, "a concept")
            label = described.get("label")
            for unit, facts in units.items():
                if not isinstance(facts, list):
                    raise contract(answer, "The facts of one unit are no list.")
                yield _Unit(taxonomy, concept, label if isinstance(label, str) else None, unit), facts


class _Columns:
    """The columns of one company's facts; appending to them directly is several times faster than row by row."""

    def __init__(self, rows: Rows) -> None:
        columns = rows.columns
        self.value: list[float] = columns["value"]
        self.frame: list[str | None] = columns["frame"]
        self._named = [columns[name] for name in ("taxonomy", "concept", "label", "unit")]
        self._appends = [
            columns[name].append
            for name in ("period_start", "period_end", "accession", "value", "fy", "fp", "form", "filed", "frame")
        ]
        self._days = _Days()

    def add_unit(self, unit: _Unit, facts: Sequence[Any], account: LeftOuts) -> None:
        """Append the facts of one concept in one unit."""
        first = len(self.value)
        places: dict[tuple[Any, Any, str], int] = {}
        for position, fact in enumerate(facts):
            try:
                values = self._values(fact)
            except BadRecord as error:
                account.unreadable(f"{unit}, fact {position + 1}", error)
                continue
            key = values[:3]
            if key in places:
                reason = self._merge(places[key], values)
                account.add(f"{unit}, fact {position + 1}", reason)
                continue
            places[key] = len(self.value)
            for append, value in zip(self._appends, values, strict=True):
                append(value)
        added = len(self.value) - first
        for column, name in zip(self._named, unit, strict=True):
            column.extend([name] * added)

    def _values(self, fact: Any) -> tuple[Any, ...]:
        """Start, end, accession, value, fy, fp, form, filed and frame of one entry."""
        if not isinstance(fact, dict):
            raise BadRecord("it is no object")
        get = fact.get
        accession, fy, start, end = get("accn"), get("fy"), get("start"), get("end")
        if not isinstance(accession, str) or not _ACCESSION.fullmatch(accession):
            raise BadRecord("accn is no accession number")
        if fy is not None and whole(fy, "fy") not in _YEARS:
            raise BadRecord("fy is no year")
        try:
            period = (None if start is None else self._days[start], self._days[end], accession)
            filed = self._days[get("filed")]
        except TypeError as error:
            raise BadRecord("a date is no text") from error
        value = needed(number(get("val"), "val"), "val")
        form = needed(string(get("form"), "form"), "form")
        return *period, value, fy, string(get("fp"), "fp"), form, filed, string(get("frame"), "frame")

    def _merge(self, place: int, values: tuple[Any, ...]) -> str:
        """Fold a second entry of one key into the first; the reason why it has no row of its own."""
        value, frame = values[3], values[8]
        if self.value[place] == value:
            self.frame[place] = self.frame[place] or frame
            return "the same fact of the same filing stands there already"
        if self.frame[place] is None and frame is not None:
            self.value[place], self.frame[place] = value, frame
        return "the same filing holds another figure for the same period"
