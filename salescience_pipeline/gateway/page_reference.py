"""The API's own description as a page: every operation of the OpenAPI document, with its parameters, its body and a request.

Served from here, because a page that takes its scripts from somewhere else is empty on a machine without the internet and
trusts that somewhere with the caller's key. What does not belong here: what an operation means (its route says it).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_MAX_DEPTH = 6
_EXAMPLES = {"organization_id": "acme-corp"}
_ORDER = ("get", "post", "put", "patch", "delete")


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path, as people read it."""

    anchor: str
    method: str
    path: str
    summary: str
    description: str
    parameters: tuple[Mapping[str, Any], ...]
    query: str
    """What of the query must be given, with examples."""
    body: str
    """An example of the body as JSON; empty without one."""
    answers: tuple[tuple[str, str], ...]
    """(status, meaning) of answers that are no errors."""
    needs_key: bool


def groups(document: Mapping[str, Any]) -> dict[str, list[Operation]]:
    """The operations by their first tag, in the order of the document."""
    found: dict[str, list[Operation]] = {}
    for path, operations in document["paths"].items():
        for method in sorted(operations, key=_ORDER.index):
            operation = operations[method]
            tag = next(iter(operation.get("tags", ())), "other")
            found.setdefault(tag, []).append(_operation(document, path, method, operation))
    return found


def _operation(document: Mapping[str, Any], path: str, method: str, operation: Mapping[str, Any]) -> Operation:
    parameters = tuple(
        {
            "name": one["name"], "where": one["in"], "required": one.get("required", False),
            "type": _type(one["schema"]), "description": one.get("description", ""),
        }
        for one in operation.get("parameters", ())
    )  # fmt: skip
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    body = ""
    if content is not None:
        example = content.get("example", _example(document, content["schema"]))
        body = json.dumps(example, indent=2, ensure_ascii=False)
    needed = [one["name"] for one in operation.get("parameters", ()) if one["in"] == "query" and one.get("required")]
    query = "?" * bool(needed) + "&".join(f"{name}={_EXAMPLES.get(name, '...')}" for name in needed)
    answers = tuple(
        (status, of.get("description", "")) for status, of in operation["responses"].items() if status.startswith("2")
    )
    return Operation(
        f"{method}-{operation['operationId']}", method.upper(), path, operation.get("summary", ""),
        operation.get("description", ""), parameters, query, body, answers, bool(operation.get("security")),
    )  # fmt: skip


def _type(schema: Mapping[str, Any]) -> str:
    kinds = [_type(kind) for kind in schema.get("anyOf", ())]
    if kinds:
        return " or ".join(dict.fromkeys(kinds))
    if "enum" in schema:
        return ", ".join(map(str, schema["enum"]))
    parts = [str(schema.get("type", "any"))]
    parts += [f"{word} {schema[key]:g}" for key, word in (("minimum", "from"), ("maximum", "to")) if key in schema]
    return " ".join(parts)


def _example(document: Mapping[str, Any], schema: Mapping[str, Any], depth: int = 0) -> Any:
    """A small value of that shape: what the schema gives as an example, else what its kind suggests."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return _example(document, document["components"]["schemas"][name], depth)
    given = [schema[key] for key in ("example", "default", "const") if schema.get(key) is not None]
    given += [schema[key][0] for key in ("examples", "enum") if schema.get(key)]
    if given or depth > _MAX_DEPTH:
        return given[0] if given else None
    choices = schema.get("anyOf") or schema.get("oneOf")
    # Of an object they only say which fields belong together.
    if choices and "properties" not in schema:
        return _example(document, choices[0], depth + 1)
    return _of_kind(document, schema, depth)


def _of_kind(document: Mapping[str, Any], schema: Mapping[str, Any], depth: int) -> Any:
    match schema.get("type"):
        case "object" if "properties" in schema:
            return dict(_fields(document, schema, depth))
        case "object":
            more, names = schema.get("additionalProperties"), schema.get("propertyNames", {}).get("enum", ["name"])
            return {names[0]: _example(document, more, depth + 1)} if isinstance(more, Mapping) else {}
        case "array":
            return [_example(document, schema["items"], depth + 1)]
        case "integer" | "number":
            return schema.get("minimum", 1)
        case "boolean":
            return True
    by_format = {"uuid": "123e4567-e89b-12d3-a456-426614174000", "date-time": "2026-01-02T10:00:00Z"}
    return by_format.get(str(schema.get("format")), "...")


def _fields(document: Mapping[str, Any], schema: Mapping[str, Any], depth: int) -> Iterator[tuple[str, Any]]:
    """What must be given, and what the schema has an example of."""
    needed: Sequence[str] = schema.get("required", ())
    for name, of in schema["properties"].items():
        if name in needed or of.get("examples"):
            yield name, _example(document, of, depth + 1)
