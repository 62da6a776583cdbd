"""``salescience intake`` and ``salescience dead-letters``: messages from outside, and what could not be done.

What does not belong here: reading messages and judging letters (``gateway``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from salescience_pipeline.cli.console import AsJson, Corpus, Home, Live, out, settings_for, show_json, show_rows

if TYPE_CHECKING:
    from salescience_pipeline.ledger.dead_letters import Letter
    from salescience_pipeline.ledger.ledger import Ledger

dead_letters = typer.Typer(
    no_args_is_help=True, help="What could not be done or understood: look at it, try it again, let it go."
)
_Id = Annotated[int, typer.Argument(help="The letter's number, from `dead-letters list`.", min=1)]
_Org = Annotated[str | None, typer.Option("--org", help="Only this organisation's.")]
_COLUMNS = ("id", "organization_id", "kind", "origin", "at", "status", "reason")
_OPERATOR = "operator"


def intake(live: Live = False, corpus: Corpus = None, home: Home = None) -> None:
    """Take messages of a Kafka topic in as submissions and tasks (extra `kafka`), until Ctrl-C or SIGTERM.

    Offsets are committed after the rows: a message that is delivered again makes nothing twice.
    """
    import logging  # noqa: PLC0415
    import signal  # noqa: PLC0415
    import threading  # noqa: PLC0415

    from salescience_pipeline.gateway.kafka_intake import Intake  # noqa: PLC0415
    from salescience_pipeline.gateway.state import State  # noqa: PLC0415

    settings = settings_for(live=live, corpus=corpus, home=home)
    logging.basicConfig(level=settings.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    stop, state = threading.Event(), State(settings)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: stop.set())
    try:
        Intake(state).run(stop)
    finally:
        state.close()


@dead_letters.command("list")
def list_letters(
    org: _Org = None,
    kind: Annotated[str | None, typer.Option(help="Only these: webhook, job or kafka.")] = None,
    status: Annotated[str, typer.Option(help="dead, requeued or discarded.")] = "dead",
    limit: Annotated[int, typer.Option(help="How many, newest first.", min=1, max=10_000)] = 100,
    as_json: AsJson = False,
    live: Live = False,
    corpus: Corpus = None,
    home: Home = None,
) -> None:
    """Show dead letters, newest first."""
    from salescience_pipeline.identifiers import OrganizationId  # noqa: PLC0415
    from salescience_pipeline.ledger.ledger import Ledger  # noqa: PLC0415

    owner = None if org is None else OrganizationId(org)
    with Ledger.of(settings_for(live=live, corpus=corpus, home=home)) as ledger:
        found = ledger.dead_letters.listed(owner, limit=limit, kind=kind, status=status)
    rows = [{column: getattr(letter, column) for column in _COLUMNS} for letter in found]
    if as_json:
        show_json(rows)
    else:
        show_rows(f"{len(rows)} dead letters", _COLUMNS, [list(row.values()) for row in rows])


@dead_letters.command("show")
def show_letter(letter_id: _Id, live: Live = False, corpus: Corpus = None, home: Home = None) -> None:
    """Show one dead letter whole, as JSON."""
    from dataclasses import asdict  # noqa: PLC0415

    from salescience_pipeline.ledger.ledger import Ledger  # noqa: PLC0415

    with Ledger.of(settings_for(live=live, corpus=corpus, home=home)) as ledger:
        show_json(asdict(_letter(ledger, letter_id)))


@dead_letters.command("requeue")
def requeue_letter(letter_id: _Id, live: Live = False, corpus: Corpus = None, home: Home = None) -> None:
    """Try again what a dead letter is about."""
    from salescience_pipeline.gateway.dead_letters import NotRequeued, requeue  # noqa: PLC0415
    from salescience_pipeline.gateway.state import State  # noqa: PLC0415
    from salescience_pipeline.identifiers import RequestId  # noqa: PLC0415
    from salescience_pipeline.ledger.errors import LedgerError  # noqa: PLC0415

    state = State(settings_for(live=live, corpus=corpus, home=home))
    try:
        requeue(state, _letter(state.ledger, letter_id), actor=_OPERATOR, request_id=str(RequestId.new()))
    except NotRequeued as error:
        raise LedgerError(str(error)) from None
    finally:
        state.close()
    out.print(f"Requeued {letter_id}.")


@dead_letters.command("discard")
def discard_letter(letter_id: _Id, live: Live = False, corpus: Corpus = None, home: Home = None) -> None:
    """Let a dead letter go; it stays in the list of those that were discarded."""
    from salescience_pipeline.identifiers import RequestId  # noqa: PLC0415
    from salescience_pipeline.ledger.dead_letters import DISCARDED  # noqa: PLC0415
    from salescience_pipeline.ledger.errors import LedgerError  # noqa: PLC0415
    from salescience_pipeline.ledger.ledger import Ledger  # noqa: PLC0415

    with Ledger.of(settings_for(live=live, corpus=corpus, home=home)) as ledger:
        _letter(ledger, letter_id)
        said = {"actor": _OPERATOR, "request_id": str(RequestId.new())}
        if not ledger.dead_letters.mark(None, letter_id, DISCARDED, **said):
            raise LedgerError(f"The letter {letter_id} is not dead any more.")
    out.print(f"Discarded {letter_id}.")


def _letter(ledger: Ledger, letter_id: int) -> Letter:
    from salescience_pipeline.ledger.errors import LedgerError  # noqa: PLC0415

    letter = ledger.dead_letters.get(None, letter_id)
    if letter is None:
        raise LedgerError(f"There is no dead letter {letter_id}.")
    return letter
