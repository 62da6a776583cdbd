"""What the documents tell people to type exists: commands with their options, make targets, links to files and headings."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from salescience_pipeline.cli.app import app

PROJECT = Path(__file__).resolve().parents[1]
DOCUMENTS = sorted(
    path
    for path in (PROJECT / "README.md", *PROJECT.glob("docs/*.md"), *PROJECT.glob("*/README.md"))
    if path.name not in {"cli.md", "data_dictionary.md"}
)
_PLACEHOLDER = re.compile(r"^[A-Z_]+$|[<>{}\[\]|]|\.\.\.")


def commands(text: str) -> Iterator[list[str]]:
    """The words of each command that a document shows: lines of shell blocks, and code in the text."""
    blocks = re.findall(r"```(?:bash|sh|console)\n(.*?)```", text, re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    lines += re.findall(r"(?<!`)`([^`\n]+)`(?!`)", text)
    for line in lines:
        shown = line.partition(" #")[0].strip()
        found = re.match(r"(?:[A-Z_]+=\S+ )*(?:\.venv/bin/)?salescience (\S.*)", shown)
        if found:
            yield shlex.split(found.group(1))


def _targets(words: list[str]) -> list[str]:
    """``list|show|discard`` is three commands told as one."""
    return words[0].split("|") if words else []


def _resolve(command: Any, words: list[str]) -> tuple[Any, list[str]]:
    """The command that the leading words name, and the words after it."""
    while words and hasattr(command, "list_commands"):
        context = command.context_class(command, info_name="x")
        children = [command.get_command(context, name) for name in _targets(words)]
        assert all(children), f"there is no command {words[0]}"
        command, words = children[0], words[1:]
    return command, words


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(PROJECT)))
def test_every_command_that_a_document_shows_exists(path: Path) -> None:
    root = typer.main.get_command(app)
    for words in commands(path.read_text()):
        command, rest = _resolve(root, words)
        context = command.context_class(command, info_name="x")
        known = {
            name for parameter in command.get_params(context) for name in (*parameter.opts, *parameter.secondary_opts)
        }
        for word in rest:
            if word.startswith("-") and not _PLACEHOLDER.search(word):
                assert word.partition("=")[0] in known, f"{path.name}: {' '.join(words)} has no option {word}"


def test_the_readme_shows_commands() -> None:
    assert len(list(commands((PROJECT / "README.md").read_text()))) > 10


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(PROJECT)))
def test_every_link_and_make_target_leads_somewhere(path: Path) -> None:
    text = path.read_text()
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        place, _, anchor = target.partition("#")
        if "://" in target:
            continue
        file = (path.parent / place).resolve() if place else path
        assert file.exists(), f"{path.name}: {target}"
        if anchor:
            headings = re.findall(r"^#+ (.*)$", file.read_text(), re.MULTILINE)
            assert anchor in {re.sub(r"[^a-z0-9 -]", "", line.lower()).replace(" ", "-") for line in headings}, target
    makefile = (PROJECT / "Makefile").read_text()
    for target in re.findall(r"(?:^|`)make ([a-z]+)\b", text, re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), f"{path.name}: make {target}"
    for name in re.findall(r"python -m (benchmarks\.[a-z]+)", text):
        assert (PROJECT / (name.replace(".", "/") + ".py")).exists(), f"{path.name}: {name}"
