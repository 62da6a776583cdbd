"""JSON Schemas of callers: read, and refused before anything is done when they are none.

What does not belong here: schemas of our own (``schemas``).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from salescience_pipeline.documents.extract_model import InvalidSchema

_DEPTH_MAX = 20
_TYPES = frozenset({"string", "number", "integer", "boolean", "object", "array", "null"})


def read_schema(text: str) -> dict[str, Any]:
    """A JSON Schema from its text.

    Raises:
        InvalidSchema: when the text is no JSON object.
    """
    try:
        found = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        raise InvalidSchema("The schema is not JSON.") from error
    if not isinstance(found, dict):
        raise InvalidSchema("The schema is not a JSON object.")
    return found


def types_of(schema: Mapping[str, Any]) -> tuple[str, ...]:
    """The types that a schema allows; told by its shape where it does not say."""
    declared = schema.get("type")
    if declared is None:
        return ("object",) if "properties" in schema else ("array",) if "items" in schema else ("string",)
    return tuple(declared) if isinstance(declared, list) else (str(declared),)


def check_schema(schema: Any, depth: int = 0) -> None:
    """Refuse what is no schema before anything is read.

    Raises:
        InvalidSchema: always with the reason in one sentence.
    """
    if not isinstance(schema, Mapping):
        raise InvalidSchema("A schema and each of its parts has to be an object.")
    if depth > _DEPTH_MAX:
        raise InvalidSchema(f"The schema is nested more than {_DEPTH_MAX} deep.")
    unknown = set(map(str, types_of(schema))) - _TYPES
    if unknown:
        raise InvalidSchema(f"JSON Schema has no type {sorted(unknown)[0][:40]!r}.")
    if depth == 0 and "object" not in types_of(schema):
        raise InvalidSchema("The root of a schema has to be an object.")
    properties = schema.get("properties", {})
    if not isinstance(properties, Mapping):
        raise InvalidSchema("The properties of an object have to be an object.")
    for part in properties.values():
        check_schema(part, depth + 1)
    if "array" in types_of(schema):
        check_schema(schema.get("items", {}), depth + 1)
