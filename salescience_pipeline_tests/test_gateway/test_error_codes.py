"""Every error code that the gateway can answer with stands in docs/gateway.md with its status, and no other does."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import salescience_pipeline.gateway
from salescience_pipeline.gateway.problems import _CODES, _KNOWN, _TITLES
from salescience_pipeline.gateway.query import _STATUS

_ROOM = Path(salescience_pipeline.gateway.__file__).parent
_PAGE = Path(__file__).parents[2] / "docs" / "gateway.md"
_SPELT = re.compile("[a-z][a-z_]+")


def _words(node: ast.expr) -> Iterator[str]:
    """The codes that an argument may be: a word, or one of two."""
    if isinstance(node, ast.IfExp):
        yield from _words(node.body)
        yield from _words(node.orelse)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str) and _SPELT.fullmatch(node.value):
        yield node.value


def _answered() -> dict[str, set[int]]:
    """Code -> statuses, read from the sources: what is raised, refused by the middleware, or said by the query worker."""
    found: dict[str, set[int]] = defaultdict(set)
    for path in sorted(_ROOM.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("Problem", "_refuse", "Refused"):
                numbers = [
                    part.value for part in node.args if isinstance(part, ast.Constant) and type(part.value) is int
                ]
                for code in (code for part in node.args for code in _words(part)):
                    found[code].add(numbers[0] if numbers else _STATUS.get(code, 422))
            if isinstance(node, ast.Dict):
                for key, value in zip(node.keys, node.values, strict=True):
                    if isinstance(key, ast.Constant) and key.value == "code":
                        for code in _words(value):
                            found[code].add(_STATUS.get(code, 422))
    for status, code in _CODES.items():
        found[code].add(status)
    for status, code, _ in _KNOWN.values():
        found[code].add(status)
    return dict(found)


def _documented() -> dict[str, set[int]]:
    section = _PAGE.read_text(encoding="utf-8").partition("\n## Errors\n")[2].partition("\n## ")[0]
    found: dict[str, set[int]] = {}
    for codes, statuses in re.findall(r"^\| (`[^|]+`) \| ([0-9, ]+) \|", section, re.MULTILINE):
        for code in re.findall("`([a-z_]+)`", codes):
            assert code not in found, f"{code} stands there twice"
            found[code] = set(map(int, statuses.split(", ")))
    return found


def test_every_code_is_documented_with_its_status() -> None:
    assert _answered() == _documented()


def test_every_status_has_a_title() -> None:
    assert {status for statuses in _answered().values() for status in statuses} <= set(_TITLES)
