"""The command line as a whole: its commands, and errors as one sentence.

What does not belong here: what a command does (the modules it names).
"""

from __future__ import annotations

import sys

import typer
from pydantic import ValidationError

from salescience_pipeline import __version__
from salescience_pipeline.cli import (
    daily,
    demo,
    documents,
    fill,
    gateway,
    intake,
    lineage,
    mirror,
    schedules,
    serve,
    watchlist,
)
from salescience_pipeline.cli import sealing as _sealing  # noqa: F401 - adds its commands to `keys`
from salescience_pipeline.cli.console import err
from salescience_pipeline.identifiers import InvalidIdentifier
from salescience_pipeline.settings import SettingsError

app = typer.Typer(
    name="salescience",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    help="A self-hosted company-data platform on Dagster: from the provider to SQL, offline against a sandbox or live.",
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("demo")(demo.demo)
app.command("up")(serve.up)
app.command("sandbox")(serve.sandbox)
app.command("plan")(daily.plan)
app.command("backfill")(fill.backfill)
app.command("repair")(fill.repair)
app.command("query")(daily.query)
app.command("lineage")(lineage.lineage)
app.command("verify")(daily.verify)
app.command("maintain")(daily.maintain)
app.command("mirror")(mirror.mirror)
app.command("status")(daily.status)
app.command("docs")(daily.docs)
app.add_typer(watchlist.app, name="watchlist")
app.add_typer(schedules.app, name="schedules")
app.command("gateway")(gateway.gateway)
app.command("intake")(intake.intake)
app.add_typer(intake.dead_letters, name="dead-letters")
app.add_typer(gateway.keys, name="keys")
app.add_typer(gateway.audit, name="audit")
app.add_typer(documents.app, name="documents")


def _version(value: bool) -> None:
    if value:
        sys.stdout.write(f"salescience {__version__}\n")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Show the version."),
) -> None:
    """Nothing to do before a command."""


def _known_errors() -> tuple[type[Exception], ...]:
    """Errors whose message is meant for people; imported when one happened."""
    import duckdb  # noqa: PLC0415

    from salescience_pipeline.acquisition.sandbox_process import SandboxUnavailable  # noqa: PLC0415
    from salescience_pipeline.acquisition.services import SelectionError  # noqa: PLC0415
    from salescience_pipeline.catalog.jobs import UnknownJob  # noqa: PLC0415
    from salescience_pipeline.clients.errors import ProviderError  # noqa: PLC0415
    from salescience_pipeline.lake.errors import LakeError  # noqa: PLC0415
    from salescience_pipeline.ledger.errors import LedgerError  # noqa: PLC0415

    return (SandboxUnavailable, SelectionError, UnknownJob, ProviderError, LakeError, LedgerError, duckdb.Error)


def main() -> None:
    """Run the command line; a known error is one sentence on standard error and exit code 2."""
    try:
        app()
    except (SettingsError, InvalidIdentifier) as error:
        _fail(str(error))
    except ValidationError as error:
        first = error.errors()[0]
        cause = first.get("ctx", {}).get("error")
        name = "SALESCIENCE_" + "_".join(str(part) for part in first["loc"]).upper()
        _fail(str(cause) if isinstance(cause, SettingsError) else f"{name}: {first['msg']}.")
    except Exception as error:
        if isinstance(error, _known_errors()):
            _fail(str(error))
        raise


def _fail(sentence: str) -> None:
    err.print(f"[red]Error:[/red] {sentence}", markup=True)
    raise SystemExit(2)
