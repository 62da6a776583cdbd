"""``salescience watchlist``: which tickers are followed, since when, and by whom.

What does not belong here: what a list means on a date (``ledger.watchlist``).
"""

from __future__ import annotations

import getpass
from collections.abc import Sequence
from typing import Annotated

import typer

from salescience_pipeline.catalog.scopes import Scope
from salescience_pipeline.cli.console import AsJson, Corpus, Home, Live, out, settings_for, show_json, show_rows
from salescience_pipeline.identifiers import parse_date

app = typer.Typer(no_args_is_help=True, help="Add, remove and list the tickers that are followed.")
ScopeOption = Annotated[
    str, typer.Option("--scope", "-s", help="The list: entire_watchlist, active_symbols or indices.", show_default=True)
]
Tickers = Annotated[list[str], typer.Argument(help="Tickers, as AAPL or BRK.B.", metavar="TICKER...")]


@app.command()
def add(
    tickers: Tickers,
    scope: ScopeOption = "entire_watchlist",
    live: Live = False,
    corpus: Corpus = None,
    home: Home = None,
) -> None:
    """Follow tickers; the watchlist sensor gives each a partition and its history."""
    from salescience_pipeline.ledger.ledger import Ledger  # noqa: PLC0415

    with Ledger.of(settings_for(live=live, corpus=corpus, home=home)) as ledger:
        added = ledger.watchlist.add(scope, tickers, by=getpass.getuser())
    out.print(f"Added to {scope.lower()}: {', '.join(added) or 'nothing, all were on it'}.")


@app.command()
def remove(
    tickers: Tickers,
    scope: ScopeOption = "entire_watchlist",
    live: Live = False,
    corpus: Corpus = None,
    home: Home = None,
) -> None:
    """Stop following tickers; what is stored stays, and the history of the list remembers them."""
    from salescience_pipeline.ledger.ledger import Ledger  # noqa: PLC0415

    with Ledger.of(settings_for(live=live, corpus=corpus, home=home)) as ledger:
        removed = ledger.watchlist.remove(scope, tickers, by=getpass.getuser())
    out.print(f"Removed from {scope.lower()}: {', '.join(removed) or 'nothing, none was on it'}.")


@app.command("list")
def list_(
    scope: Annotated[str | None, typer.Option("--scope", "-s", help="Only this list.")] = None,
    on: Annotated[str | None, typer.Option(help="The list as it was on this day, YYYY-MM-DD.")] = None,
    history: Annotated[bool, typer.Option("--history", help="Also what was removed, with dates.")] = False,
    as_json: AsJson = False,
    live: Live = False,
    corpus: Corpus = None,
    home: Home = None,
) -> None:
    """Show the tickers that are followed now, or were on a day."""
    from salescience_pipeline.ledger.ledger import Ledger  # noqa: PLC0415

    with Ledger.of(settings_for(live=live, corpus=corpus, home=home)) as ledger:
        if on is not None:
            day = parse_date(on)
            wanted = [Scope(scope)] if scope else [held for held in Scope if held is not Scope.NONE]
            rows = [(held.value, ticker) for held in wanted for ticker in ledger.watchlist.tickers(held, on=day)]
            _show(as_json, f"Watchlist on {day.isoformat()}", ("scope", "ticker"), rows)
            return
        entries = ledger.watchlist.entries(scope, past=history)
    rows_now = [
        (entry.scope.value, entry.ticker, f"{entry.valid_from:%Y-%m-%d}", entry.added_by)
        + ((f"{entry.valid_to:%Y-%m-%d}" if entry.valid_to else None, entry.removed_by) if history else ())
        for entry in entries
    ]
    columns = ("scope", "ticker", "since", "added by") + (("until", "removed by") if history else ())
    _show(as_json, f"Watchlist, {len(rows_now)} entries", columns, rows_now)


def _show(as_json: bool, title: str, columns: tuple[str, ...], rows: Sequence[tuple[str | None, ...]]) -> None:
    if as_json:
        show_json([dict(zip(columns, row, strict=True)) for row in rows])
    else:
        show_rows(title, columns, rows)
