"""The documents that are generated, and from what; ``salescience docs`` writes them and ``make check`` holds them current.

What does not belong here: the texts (``catalog.render``).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer

from salescience_pipeline.catalog.graph import asset_graph
from salescience_pipeline.catalog.render import data_dictionary, dbt_sources, job_reference


def generated(root: Path) -> dict[Path, str]:
    """Each generated document below ``root`` with the text it should have."""
    models = {path.stem: path.read_text() for path in sorted((root / "dbt/models").rglob("*.sql"))}
    return {
        root / "docs/data_dictionary.md": data_dictionary(),
        root / "docs/jobs.md": job_reference(),
        root / "dbt/models/sources.yml": dbt_sources(),
        root / "docs/asset_graph.svg": asset_graph(models),
        root / "docs/cli.md": command_reference(),
    }


def command_reference() -> str:
    """Every command with its arguments and options, as Markdown."""
    from salescience_pipeline.cli.app import app  # noqa: PLC0415 - the app imports the module that calls this

    lines = [
        "# The command line",
        "",
        "Generated from the commands themselves by `salescience docs`; do not edit. Errors are one sentence on standard "
        "error and exit code 2.",
        "",
    ]
    root = typer.main.get_command(app)
    lines += _section(root, "salescience")
    return "\n".join(lines).rstrip() + "\n"


# Typer carries a copy of click inside that is not the click package, so commands are taken by their shape.
def _section(command: Any, path: str) -> list[str]:
    context = command.context_class(command, info_name=path)
    if hasattr(command, "list_commands"):
        lines: list[str] = []
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            if child is not None and not child.hidden:
                lines += _section(child, f"{path} {name}")
        return lines
    lines = [f"## {path}", "", *(line.strip() for line in (command.help or "").strip().splitlines()), ""]
    lines += ["```", command.get_usage(context).removeprefix("Usage: "), "```", ""]
    rows = [record for parameter in command.get_params(context) if (record := _row(parameter, context)) is not None]
    if rows:
        lines += ["| option | meaning |", "|---|---|", *rows, ""]
    return lines


def _row(parameter: Any, context: Any) -> str | None:
    record = parameter.get_help_record(context)
    if record is None:
        return None
    names, meaning = (" ".join(text.split()).replace("|", "\\|") for text in record)
    return f"| `{names}` | {meaning} |"
