"""The shape of providers' answers against their own history: which fields, of which types, how often without a value.

Looked at are the good answers that the archive got since the last look, in JSON, in CSV and EDGAR's indexes; the shape of
each endpoint is kept in the lake. A drifted field is named; what it means for rows is the tidy function's to say. What does
not belong here: values.
"""

from __future__ import annotations

import csv
import itertools
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from salescience_pipeline.acquisition.services import Services
from salescience_pipeline.catalog.tables import TABLES
from salescience_pipeline.clients.model import RawRef
from salescience_pipeline.lake.tables import Slice

FIELDS = "ops_salescience__answer_fields"
SOURCE = "drift"
_MOST_ANSWERS, _MOST_RECORDS, _MOST_BYTES = 50, 2_000, 20_000_000
"""Per endpoint and look: enough to know a shape by, little enough to look every night."""
_MOST_INDEX_CHARACTERS = 100_000
_LEAST_RECORDS = 20
"""Records below which a field's absence, or its nulls, may be chance."""
_MORE_NULLS = 0.25
_DEEPEST = 4
_BELOW = " > "
"""Names of fields hold dots and slashes themselves."""
_KEYED = 30
"""Objects with more keys than this, or with keys that begin with a digit, are lists by another name."""


@dataclass(frozen=True, slots=True)
class DriftFinding:
    """One field of one endpoint that is not what it was."""

    provider: str
    endpoint: str
    field: str
    sentence: str
    observed: float | None = None
    expected: float | None = None


@dataclass
class _Shape:
    """What was seen of one endpoint."""

    answers: int = 0
    newest: int = 0
    parents: Counter[str] = field(default_factory=Counter)
    """Records by the path of the object that holds them."""
    present: Counter[str] = field(default_factory=Counter)
    """Fields with a value."""
    types: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))


@dataclass(frozen=True, slots=True)
class _Field:
    types: tuple[str, ...]
    null_rate: float
    records: int
    answer_no: int


def find_drift(services: Services) -> list[DriftFinding]:
    """Compare the answers since the last look with what is known of their endpoints, and remember the new shape.

    An endpoint that is looked at for the first time has nothing to be compared with.
    """
    known = _known(services)
    since = max((one.answer_no for fields in known.values() for one in fields.values()), default=0)
    found: list[DriftFinding] = []
    for key, shape in sorted(_shapes(services, since).items()):
        now = _fields_of(shape)
        before = known.get(key, {})
        differences = list(_differences(*key, before, now)) if before else []
        found += differences
        # What few records lack may come again; what was told to be gone is gone.
        told = {one.field for one in differences}
        kept = {} if _is_enough(shape) else {path: one for path, one in before.items() if path not in told}
        _remember(services, key, kept | now)
    return found


def _is_enough(shape: _Shape) -> bool:
    return max(shape.parents.values(), default=0) >= _LEAST_RECORDS


def _known(services: Services) -> dict[tuple[str, str], dict[str, _Field]]:
    known: dict[tuple[str, str], dict[str, _Field]] = defaultdict(dict)
    for row in services.tables.read(FIELDS).to_pylist():
        known[row["provider"], row["endpoint"]][row["field"]] = _Field(
            tuple(row["json_types"]), row["null_rate"], row["records"], row["answer_no"]
        )
    return known


def _shapes(services: Services, since: int) -> dict[tuple[str, str], _Shape]:
    shapes: dict[tuple[str, str], _Shape] = defaultdict(_Shape)
    for number, row in services.archive.audit.answers(after=since):
        shape = shapes[row.provider, row.endpoint]
        shape.newest = number
        if row.answer_class != "ok" or not row.complete or row.body_sha256 is None or row.bytes > _MOST_BYTES:
            continue
        if shape.answers >= _MOST_ANSWERS or not _may_have_fields(row.content_type or ""):
            continue
        content = content_of(row.content_type or "", services.archive.open(RawRef(row.body_sha256, row.bytes)).read())
        if content is None:
            continue
        shape.answers += 1
        _look(content, "", shape, 0)
    return {key: shape for key, shape in shapes.items() if shape.answers}


def _may_have_fields(content_type: str) -> bool:
    return any(word in content_type.lower() for word in ("json", "csv", "text/plain"))


def content_of(content_type: str, body: bytes) -> Any:
    """A body as values whose fields can be compared: JSON as it is, CSV and EDGAR's indexes as records by their header.

    None for what has no fields: prose, a page, something broken.
    """
    if "json" in content_type.lower():
        try:
            return json.loads(body)
        except ValueError:
            return None
    text = body.decode("utf-8-sig", "replace")
    if "csv" in content_type.lower():
        try:
            return [
                {str(name): _cell(value) for name, value in record.items()}
                for record in itertools.islice(csv.DictReader(text.splitlines(), strict=True), _MOST_RECORDS)
            ]
        except csv.Error:
            return None
    lines = text[:_MOST_INDEX_CHARACTERS].splitlines()
    rule = next((number for number, line in enumerate(lines) if len(line) > 20 and not line.strip("-")), 0)
    if not rule:
        return None
    header = [name.strip() for name in re.split(r"\||\s{2,}", lines[rule - 1].strip())]
    return [dict.fromkeys(header, "") for line in lines[rule + 1 :] if line.strip()]


def _cell(value: object) -> object:
    """A cell as the type that it looks like: nothing, a number, a text."""
    if not isinstance(value, str) or not value.strip():
        return None
    try:
        return float(value)
    except ValueError:
        return value


def _look(value: Any, path: str, shape: _Shape, depth: int) -> None:
    """Count the fields of ``value`` and of what it holds."""
    if depth > _DEEPEST:
        return
    if isinstance(value, list):
        for item in value[:_MOST_RECORDS]:
            if isinstance(item, dict | list):
                _look(item, f"{path}[]", shape, depth + 1)
        return
    if not isinstance(value, dict):
        return
    if _is_keyed(value):
        for item in list(value.values())[:_MOST_RECORDS]:
            if isinstance(item, dict | list):
                _look(item, f"{path}{{}}", shape, depth + 1)
        return
    shape.parents[path] += 1
    for name, held in value.items():
        below = f"{path}{_BELOW}{name}" if path else name
        kind = _kind(held)
        shape.types[below]
        if kind is not None:
            shape.types[below].add(kind)
            shape.present[below] += 1
        if isinstance(held, dict | list):
            _look(held, below, shape, depth + 1)


def _is_keyed(value: dict[str, Any]) -> bool:
    if len(value) > _KEYED and all(isinstance(item, dict | list) for item in value.values()):
        return True
    return bool(value) and all(name[:4].isdigit() for name in value)


def _kind(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, str):
        return "string"
    return "object" if isinstance(value, dict) else "list"


def _parent(path: str) -> str:
    return path.rpartition(_BELOW)[0]


def _fields_of(shape: _Shape) -> dict[str, _Field]:
    made = {}
    for path, kinds in shape.types.items():
        records = shape.parents[_parent(path)]
        made[path] = _Field(tuple(sorted(kinds)), 1 - shape.present[path] / records, records, shape.newest)
    return made


def _differences(
    provider: str, endpoint: str, before: dict[str, _Field], now: dict[str, _Field]
) -> Iterator[DriftFinding]:
    parents = Counter({_parent(path): one.records for path, one in now.items()})
    for path in sorted({*before, *now}):
        old, new = before.get(path), now.get(path)
        if old is None and new is not None:
            if not new.types or _parent(path) not in {_parent(name) for name in before}:
                continue
            told = f"{provider} sends a new field {path} ({', '.join(new.types)}) in {endpoint}."
            yield DriftFinding(provider, endpoint, path, told, new.records)
        elif new is None and old is not None:
            looked_at = parents[_parent(path)]
            # A field that was mostly missing, or few records, may be missing by chance.
            if old.null_rate < 1 - _MORE_NULLS and looked_at * (1 - old.null_rate) >= 3:
                told = f"{provider} no longer sends the field {path} in {endpoint}."
                yield DriftFinding(provider, endpoint, path, told, 0, old.records)
        elif old is not None and new is not None:
            strange = sorted(set(new.types) - set(old.types))
            if strange and old.types:
                told = f"The field {path} of {provider}'s {endpoint} is {', '.join(strange)} and was {', '.join(old.types)}."
                yield DriftFinding(provider, endpoint, path, told)
            elif min(old.records, new.records) >= _LEAST_RECORDS and new.null_rate - old.null_rate > _MORE_NULLS:
                told = (
                    f"The field {path} of {provider}'s {endpoint} has no value in {new.null_rate:.0%} of the records, "
                    f"it was {old.null_rate:.0%}."
                )
                yield DriftFinding(provider, endpoint, path, told, new.null_rate, old.null_rate)


def _remember(services: Services, key: tuple[str, str], fields: dict[str, _Field]) -> None:
    now = services.now()
    newest = max((one.answer_no for one in fields.values()), default=0)
    rows = [
        {
            "provider": key[0], "endpoint": key[1], "field": path, "json_types": list(one.types), "null_rate": one.null_rate,
            "records": one.records, "answer_no": newest, "checked_at": now, "source": SOURCE, "fetched_at": now,
            "raw_sha256": "", "run_id": "",
        }
        for path, one in fields.items()
    ]  # fmt: skip
    table = pa.Table.from_pylist(rows, schema=TABLES[FIELDS].schema)
    services.tables.write(FIELDS, table, Slice(values={"provider": [key[0]], "endpoint": [key[1]]}))
