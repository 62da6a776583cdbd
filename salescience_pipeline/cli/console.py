"""What the commands share: the console, the options that choose a world, and tables that look alike.

What does not belong here: a command.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from salescience_pipeline.environment import notices_here
from salescience_pipeline.settings import Settings, SettingsError, World

# A pipe has no width of its own; 80 columns would cut every table in two.
_WIDTH = None if sys.stdout.isatty() else 150
_SHORT = 12
_PROSE = frozenset({"why", "problems", "subjects", "reason"})
out = Console(highlight=False, width=_WIDTH)
err = Console(stderr=True, highlight=False, width=None if sys.stderr.isatty() else 150)

Live = Annotated[bool, typer.Option("--live", help="Use the real providers instead of the sandbox.")]
Corpus = Annotated[
    Path | None, typer.Option("--corpus", help="Serve this folder of recorded filings instead of the fictional market.")
]
Home = Annotated[Path | None, typer.Option("--home", help="Root of everything that is written.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs instead of a table for people.")]


def settings_for(*, live: bool = False, corpus: Path | None = None, home: Path | None = None, **more: Any) -> Settings:
    """The environment's settings with what the command line says on top.

    Raises:
        SettingsError: when the options contradict each other.
    """
    if live and corpus is not None:
        raise SettingsError("Choose either --live or --corpus: one is the real providers, the other a recording.")
    chosen: dict[str, Any] = {name: value for name, value in more.items() if value is not None}
    if live:
        chosen["world"] = World.LIVE
    if corpus is not None:
        if not corpus.is_dir():
            raise SettingsError(f"There is no folder {corpus}.")
        chosen |= {"world": World.CORPUS, "corpus": corpus.resolve()}
    if home is not None:
        chosen["home"] = home
    return Settings(**chosen)


def environment_for(settings: Settings) -> dict[str, str]:
    """The environment variables that make another process see the same world."""
    found = {
        "SALESCIENCE_WORLD": settings.world.value,
        "SALESCIENCE_HOME": str(settings.home.expanduser().resolve()),
    }
    if settings.corpus is not None:
        found["SALESCIENCE_CORPUS"] = str(settings.corpus)
    if settings.today is not None:
        found["SALESCIENCE_TODAY"] = settings.today
    for rate in {"edgar_rate", "finnhub_rate"} & settings.model_fields_set:
        found[f"SALESCIENCE_{rate.upper()}"] = str(getattr(settings, rate))
    return found


def show_note(settings: Settings) -> None:
    """Say that data is not real and current, wherever it is not."""
    if settings.provenance_note:
        err.print(f"[yellow]{settings.provenance_note}[/yellow]")


def show_notices() -> None:
    """Say which variables of the environment mean nothing here."""
    for notice in notices_here():
        err.print(f"[yellow]{escape(notice)}[/yellow]")


def show_rows(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[object]], *, numbers: Sequence[str] = ()
) -> None:
    """Print ``rows`` as a table; columns named in ``numbers`` are set to the right."""
    table = Table(title=title, title_justify="left", title_style="bold", header_style="bold", expand=False)
    shown = [[_shown(value) for value in row] for row in rows]
    for place, column in enumerate(columns):
        longest = max((len(row[place]) for row in shown), default=0)
        table.add_column(
            column,
            justify="right" if column in numbers else "left",
            overflow="ellipsis",
            no_wrap=column not in _PROSE,
            # Short values (dates, figures) stay whole; when the screen is narrow, long texts give way.
            min_width=max(longest, len(column)) if longest <= _SHORT else None,
        )
    for row in shown:
        table.add_row(*row)
    out.print(table)


def _shown(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.2f}" if abs(value) >= 0.01 or value == 0 else f"{value:.4g}"
    return escape(str(value))


def show_json(value: Any) -> None:
    """Print one JSON value on standard output."""
    json.dump(value, sys.stdout, default=str, ensure_ascii=False)
    sys.stdout.write("\n")
