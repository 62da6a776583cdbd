"""Arelle as the oracle for facts: loads one inline filing offline, without its taxonomies, and gives comparable rows.

Arelle has no ``ixt-sec`` transforms in its release; facts under one are marked and compared without their value.
"""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from salescience_pipeline.documents.fact_model import Fact, FactSet
from salescience_pipeline.documents.transforms import IXT_SEC

Row = tuple[Any, ...]
UNCOMPARABLE = "<ixt-sec>"


class Arelle:
    """One offline Arelle controller; make one per process."""

    def __init__(self) -> None:
        from arelle import Cntlr

        self._controller = Cntlr.Cntlr(logFileName="logToBuffer", hasGui=False)
        self._controller.webCache.workOffline = True

    def rows(self, path: Path) -> tuple[list[Row], float]:
        """The facts of ``path`` as rows, and the CPU seconds that loading and reading the values took."""
        from arelle import FileSource

        with tempfile.TemporaryDirectory() as folder:
            # Arelle takes a file for inline XBRL by its suffix, and refuses white space before the declaration.
            copy = Path(folder) / "filing.htm"
            copy.write_bytes(path.read_bytes().lstrip())
            started = time.process_time()
            source = FileSource.openFileSource(str(copy), self._controller)
            model = self._controller.modelManager.load(source, "loading")
            facts = [] if model is None else list(model.facts)
            values = [_value(fact) for fact in facts]
            elapsed = time.process_time() - started
            rows = [_row(fact, value) for fact, value in zip(facts, values, strict=True)]
            self._controller.modelManager.close()
        return rows, elapsed


def _value(fact: Any) -> str:
    if fact.format is not None and fact.format.namespaceURI == IXT_SEC:
        return UNCOMPARABLE
    try:
        return str(fact.value)
    except Exception as error:  # noqa: BLE001 - Arelle raises bare exceptions for a transform that it lacks
        return f"<error {type(error).__name__}>"


def _number(text: str) -> object:
    try:
        return Decimal(text)
    except InvalidOperation:
        return text


def _period(context: Any) -> tuple[str | None, str | None]:
    def text(name: str) -> str | None:
        for element in context.iter("{http://www.xbrl.org/2003/instance}" + name):
            return str(element.text).strip()
        return None

    return text("startDate"), text("endDate") or text("instant")


def _row(fact: Any, value: str) -> Row:
    context = fact.context
    numeric = fact.localName != "nonNumeric"
    unit = None
    if fact.unit is not None:
        unit = tuple(tuple(sorted(str(measure) for measure in part)) for part in fact.unit.measures)
    dimensions = {}
    for dimension, member in context.qnameDims.items():
        dimensions[dimension.clarkNotation] = (
            member.memberQname.clarkNotation if member.isExplicit else member.typedMember.stringValue.strip()
        )
    nil = fact.isNil
    return (
        fact.qname.clarkNotation,
        context.entityIdentifier,
        _period(context),
        tuple(sorted(dimensions.items())),
        unit,
        fact.decimals if numeric else None,
        "" if nil else _number(value) if numeric and value != UNCOMPARABLE else value,
        nil,
        None if numeric else _language(fact),
    )


def _language(fact: Any) -> str | None:
    element = fact
    while element is not None:
        lang = element.get("{http://www.w3.org/XML/1998/namespace}lang")
        if lang:
            return str(lang)
        element = element.getparent()
    return None


def our_rows(facts: FactSet) -> list[Row]:
    """Our facts in the same shape."""
    return [_our_row(fact) for fact in facts]


def _clark(name: str, prefixes: dict[str, str]) -> str:
    prefix, _, local = name.rpartition(":")
    return f"{{{prefixes[prefix]}}}{local}"


def _our_row(fact: Fact) -> Row:
    from salescience_pipeline.documents.namespaces import Scopes

    facts = fact._set
    scopes = facts.__dict__.setdefault("_oracle_scopes", {})
    if fact.document not in scopes:
        scopes[fact.document] = dict(Scopes(facts.sources[fact.document]).all_prefixes)
    prefixes = scopes[fact.document]
    context = fact.context
    dimensions = tuple(
        sorted(
            (_clark(axis, prefixes), member if axis in context.typed or member is None else _clark(member, prefixes))
            for axis, member in context.dimensions.items()
        )
    )
    unit = None
    if fact.unit is not None:
        unit = tuple(tuple(sorted(name for name in part)) for part in (fact.unit.numerator, fact.unit.denominator))
    secret = (fact.format or "").startswith("ixt-sec")
    value: object = UNCOMPARABLE if secret and not fact.nil else fact.value
    if fact.numeric and not fact.nil and not secret:
        value = _number(fact.value)
    return (
        f"{{{fact.namespace}}}{fact.concept.rpartition(':')[2]}",
        (context.scheme, context.entity),
        (context.start, context.end),
        dimensions,
        unit,
        fact.decimals,
        value,
        fact.nil,
        fact.lang,
    )


def differences(ours: list[Row], theirs: list[Row]) -> tuple[list[Row], list[Row]]:
    """Rows that only we have and rows that only they have, counted as multisets."""
    left, right = Counter(ours), Counter(theirs)
    return list((left - right).elements()), list((right - left).elements())
