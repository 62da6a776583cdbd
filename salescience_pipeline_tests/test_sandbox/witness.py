"""Comparing an answer of ours with one that was recorded: keys, types and nesting, never values.

The recorded answers lie in the folder that SALESCIENCE_CORPUS names. Without it a test compares with look-alikes of our
own making, which hold the same shapes with invented values, and says so.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any


def corpus() -> Path | None:
    """The folder of recorded answers, if there is one."""
    named = os.environ.get("SALESCIENCE_CORPUS")
    return Path(named) if named else None


def recorded(relative: str) -> Any:
    """A recorded answer as a dict of ``status``, ``headers`` (lower case) and ``body``; ``None`` without the corpus."""
    folder = corpus()
    if folder is None:
        return None
    text = (folder / relative).read_text(encoding="utf-8")
    try:
        value = json.loads(text)
    except ValueError:
        value = text
    if isinstance(value, dict) and "response" in value:
        response = value["response"]
        headers = {name.lower(): text for name, text in response["headers"].items()}
        return {
            "status": response["status"],
            "headers": headers,
            "body": response.get("bodyJson", response.get("bodyText")),
        }
    return {"status": None, "headers": {}, "body": value}


def recorded_or(relative: str, lookalike: Any) -> Any:
    """The recorded body, or our look-alike of it where nothing is recorded."""
    found = recorded(relative)
    return lookalike if found is None else found["body"]


def kind(value: Any) -> str:
    """The JSON type of a value; whole and broken numbers are one type, because JSON has only one."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    return {str: "string", list: "array", dict: "object"}[type(value)]


def differences(
    ours: Any,
    theirs: Any,
    *,
    may_lack: frozenset[str] = frozenset(),
    may_add: frozenset[str] = frozenset(),
    at: str = "$",
) -> list[str]:
    """Where the shapes differ: a key that only one side has, or another JSON type.

    Args:
        ours: the sandbox's value.
        theirs: the recorded value.
        may_lack: names of keys that ours may leave out.
        may_add: names of keys that ours may have beyond the recorded ones.
        at: path of the value, for the message.

    Null agrees with everything, and arrays are compared by their first elements.
    """
    if kind(ours) != kind(theirs):
        return [] if "null" in (kind(ours), kind(theirs)) else [f"{at}: {kind(ours)} where {kind(theirs)} is recorded"]
    if isinstance(ours, dict):
        found = [f"{at}.{name}: missing" for name in theirs if name not in ours and name not in may_lack]
        found += [f"{at}.{name}: not recorded" for name in ours if name not in theirs and name not in may_add]
        for name in ours:
            if name in theirs:
                inner = (ours[name], theirs[name])
                found += differences(*inner, may_lack=may_lack, may_add=may_add, at=f"{at}.{name}")
        return found
    if isinstance(ours, list) and ours and theirs:
        return differences(ours[0], theirs[0], may_lack=may_lack, may_add=may_add, at=f"{at}[0]")
    return []
