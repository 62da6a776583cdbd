"""``salescience lineage``: where a value came from, back to the bytes that a provider answered with.

What does not belong here: following the trace (``acquisition.lineage``).
"""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from salescience_pipeline.cli.console import (
    AsJson,
    Corpus,
    Home,
    Live,
    err,
    settings_for,
    show_json,
    show_note,
    show_rows,
)

if TYPE_CHECKING:
    from salescience_pipeline.acquisition.lineage import ArchivedAnswer, Traced
    from salescience_pipeline.acquisition.services import Services

_COLUMNS = ("sha256", "provider", "endpoint", "status", "fetched_at", "request_id", "run_id", "url")


def lineage(
    what: Annotated[str, typer.Argument(help="A table of the lake, a mart, or the SHA-256 of an answer.")],
    where: Annotated[
        list[str] | None, typer.Argument(help="column=value, as often as it takes to name the row.")
    ] = None,
    source: Annotated[
        bool,
        typer.Option(
            "--source", help="Write the bytes themselves: of the answer, or of the row's place in its document."
        ),
    ] = False,
    org: Annotated[
        str | None, typer.Option("--org", help="See what this organisation's own requests brought, too.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=100, help="Rows at most.")] = 20,
    as_json: AsJson = False,
    live: Live = False,
    corpus: Corpus = None,
    home: Home = None,
) -> None:
    """Follow a value back: the request and the archived answer behind a row, or behind a digest.

    Example: salescience lineage mart_prices__daily ticker=AAPL trade_date=2026-06-12
    """
    from salescience_pipeline.acquisition.lineage import answer_of, trace  # noqa: PLC0415
    from salescience_pipeline.acquisition.services import SelectionError, Services  # noqa: PLC0415
    from salescience_pipeline.identifiers import OrganizationId  # noqa: PLC0415

    settings = settings_for(live=live, corpus=corpus, home=home)
    organization = None if org is None else OrganizationId(org)
    conditions = dict(item.partition("=")[::2] for item in where or ())
    with Services(settings) as services:
        if len(what) == 64 and not conditions:
            answer = answer_of(services, what, organization)
            if answer is None:
                raise SelectionError(f"The archive has no answer with the digest {what}.")
            if source:
                _write(services, answer.sha256, 0, answer.size)
                return
            _show([answer], asdict(answer), as_json=as_json)
        else:
            traced = trace(services, what, conditions, organization, limit=limit)
            if source:
                _write_spans(services, traced)
                return
            answers = {answer.sha256: answer for row in traced.rows for answer in row.answers}
            _show(list(answers.values()), asdict(traced), as_json=as_json)
            err.print(f"{len(traced.rows)} rows{', and more' if traced.more else ''} of {traced.table}.")
    show_note(settings)


def _show(answers: list[ArchivedAnswer], whole: object, *, as_json: bool) -> None:
    if as_json:
        show_json(whole)
        return
    rows = [
        [answer.sha256 if name == "sha256" else getattr(request, name) for name in _COLUMNS]
        for answer in answers
        for request in answer.requests
    ]
    show_rows("Answers", _COLUMNS, rows)


def _write_spans(services: Services, traced: Traced) -> None:
    for row in traced.rows:
        if row.span is not None:
            _write(services, row.span.sha256, row.span.start, row.span.end)
            sys.stdout.write("\n")


def _write(services: Services, sha256: str, start: int, end: int) -> None:
    """The bytes from ``start`` to ``end`` of an archived answer, on standard output."""
    from salescience_pipeline.clients.model import RawRef  # noqa: PLC0415

    at = 0
    for piece in services.archive.pieces(RawRef(sha256, 0)):
        sys.stdout.buffer.write(piece[max(start - at, 0) : max(end - at, 0)])
        at += len(piece)
    sys.stdout.flush()
