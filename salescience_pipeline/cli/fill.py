"""``salescience backfill`` and ``salescience repair``: show the plan, ask, and run it through Dagster as one run.

What does not belong here: finding what is missing (``acquisition.repair``).
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from salescience_pipeline.cli.console import (
    AsJson,
    Corpus,
    Home,
    Live,
    environment_for,
    err,
    out,
    settings_for,
    show_json,
    show_note,
    show_rows,
)
from salescience_pipeline.cli.running import Watch, progress_bar, quiet, run_job
from salescience_pipeline.settings import Settings

if TYPE_CHECKING:
    from salescience_pipeline.acquisition.outcome import Acquired
    from salescience_pipeline.clients.plan import RequestPlan

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def backfill(
    dataset: Annotated[str, typer.Argument(help="The dataset, e.g. core_tiingo__eod_prices_daily.")],
    tickers: Annotated[
        str | None, typer.Option("--tickers", "-t", help="Tickers, comma separated; default: the scope's.")
    ] = None,
    scope: Annotated[
        str | None, typer.Option("--scope", "-s", help="The scope whose tickers are meant; default: the dataset's.")
    ] = None,
    first: Annotated[
        str | None, typer.Option("--from", help="First day, YYYY-MM-DD; default: the newest there is.")
    ] = None,
    last: Annotated[
        str | None, typer.Option("--to", help="Last day, YYYY-MM-DD; default: the newest there is.")
    ] = None,
    n_years: Annotated[int, typer.Option(help="Years of filings to look back.", min=1, max=50)] = 2,
    force: Annotated[bool, typer.Option("--force", help="Ask again also for what is stored.")] = False,
    replay: Annotated[
        bool, typer.Option("--replay", help="Rebuild the rows from archived answers; nothing is requested.")
    ] = False,
    yes: Yes = False,
    as_json: AsJson = False,
    live: Live = False,
    corpus: Corpus = None,
    home: Home = None,
) -> None:
    """Fetch a dataset for any tickers and days: shows the requests first, asks, and runs them as one Dagster run.

    Example: salescience backfill core_tiingo__eod_prices_daily --from 2026-06-01 --to 2026-06-12
    """
    from salescience_pipeline.acquisition.acquire import plan  # noqa: PLC0415
    from salescience_pipeline.acquisition.backfill import backfill_selection  # noqa: PLC0415
    from salescience_pipeline.acquisition.services import Services  # noqa: PLC0415

    settings = settings_for(live=live, corpus=corpus, home=home)
    with Services.open(settings) as services:
        selection = backfill_selection(
            services,
            dataset,
            tickers=_split(tickers),
            first=first,
            last=last,
            scope=scope,
            force=force,
            n_years=n_years,
        )
        config = {
            "dataset": dataset,
            "tickers": [str(ticker) for ticker in selection.tickers],
            "first": first,
            "last": last,
            "force": force,
            "n_years": n_years,
            "replay": replay,
        }
        run = ("backfill", {"acquire_selection": {"config": config}})
        if replay:
            results, success, log = _run(settings, run, as_json=as_json)
            _show_results(settings, results, [], success=success, log=log, as_json=as_json)
            return
        made, _ = plan(services, selection)
        _show_and_run(settings, [made], run, yes=yes, as_json=as_json)


def repair(
    datasets: Annotated[
        list[str] | None, typer.Argument(help="Datasets; all by default.", metavar="[DATASET]...")
    ] = None,
    yes: Yes = False,
    as_json: AsJson = False,
    live: Live = False,
    corpus: Corpus = None,
    home: Home = None,
) -> None:
    """Find what failed or is missing in what is stored, and ask for just that, with the fewest requests."""
    from salescience_pipeline.acquisition.repair import find_holes  # noqa: PLC0415
    from salescience_pipeline.acquisition.services import Services  # noqa: PLC0415

    settings = settings_for(live=live, corpus=corpus, home=home)
    with Services.open(settings) as services:
        holes = find_holes(services, datasets or None)
        if not as_json:
            for hole in holes:
                out.print(hole.sentence)
        if not holes:
            _show_nothing(settings, "There are no holes that can be filled.", as_json=as_json)
            return
        run = ("repair", {"repair_holes": {"config": {"datasets": datasets or []}}})
        _show_and_run(settings, [hole.plan for hole in holes], run, yes=yes, as_json=as_json)


def _split(tickers: str | None) -> list[str]:
    return [name.strip() for name in tickers.split(",") if name.strip()] if tickers else []


def _show_nothing(settings: Settings, sentence: str, *, as_json: bool) -> None:
    if as_json:
        show_json({"planned": [], "results": [], "success": True})
    else:
        out.print(f"[green]{sentence}[/green]")
        show_note(settings)


def _show_and_run(
    settings: Settings,
    plans: Sequence[RequestPlan],
    run: tuple[str, Mapping[str, Any]],
    *,
    yes: bool,
    as_json: bool,
) -> None:
    """Show ``plans``, ask unless it is answered, run the job and say what came of it."""
    from salescience_pipeline.clients.gate import gate_rules  # noqa: PLC0415

    rates = {provider: rule.rate for provider, rule in gate_rules(settings).items()}
    planned = [
        {
            "dataset": made.dataset,
            "provider": made.provider,
            "requests": len(made.requests),
            "minimum": made.minimum,
            "expected_follow_ups": made.expected_follow_ups,
            "seconds": round(made.seconds(rates.get(made.provider)), 1),
            "current": len(made.fresh),
            "refused": [{"subject": refusal.key, "reason": refusal.reason} for refusal in made.refused],
            "why": made.why,
        }
        for made in plans
    ]
    if not as_json:
        columns = ("dataset", "provider", "requests", "minimum", "to follow", "seconds", "current", "refused", "why")
        rows = [
            (one["dataset"], one["provider"], one["requests"], one["minimum"], one["expected_follow_ups"], one["seconds"],
             one["current"], len(made.refused), one["why"])
            for one, made in zip(planned, plans, strict=True)
        ]  # fmt: skip
        show_rows("The plan", columns, rows, numbers=columns[2:8])
        for refusal in [refusal for made in plans for refusal in made.refused][:10]:
            err.print(f"[yellow]{refusal.key}[/yellow]: {refusal.reason}")
    if not any(made.requests for made in plans):
        refused = sum(len(made.refused) for made in plans)
        _show_nothing(
            settings,
            f"There is nothing to ask for; {refused:,} cannot be asked for, see above." if refused
            else "Nothing to ask for: all of it is there.",
            as_json=as_json,
        )  # fmt: skip
        return
    if not yes:
        if as_json:
            show_json({"planned": planned, "results": [], "success": None})
            return
        typer.confirm("Send these requests?", abort=True)
    results, success, log = _run(settings, run, as_json=as_json)
    _show_results(settings, results, planned, success=success, log=log, as_json=as_json)


def _run(settings: Settings, run: tuple[str, Mapping[str, Any]], *, as_json: bool) -> tuple[list[Acquired], bool, str]:
    import dagster as dg  # noqa: PLC0415

    from salescience_pipeline.acquisition.acquire import watching  # noqa: PLC0415
    from salescience_pipeline.cli.instance import dagster_home  # noqa: PLC0415
    from salescience_pipeline.definitions import defs  # noqa: PLC0415

    os.environ.update(environment_for(settings))
    os.environ["DAGSTER_HOME"] = str(dagster_home(settings))
    job, ops = run
    log = settings.root / f"{job}.log"
    with dg.DagsterInstance.get() as instance, progress_bar() as bar, quiet(log):
        bar.disable = as_json
        watch = Watch(bar)
        with watching(watch):
            success = run_job(defs.resolve_job_def(job), instance, {}, {"ops": dict(ops)}, by=job)
    return watch.results, success, str(log)


def _show_results(
    settings: Settings,
    results: Sequence[Acquired],
    planned: Sequence[Mapping[str, Any]],
    *,
    success: bool,
    log: str,
    as_json: bool,
) -> None:
    found = [
        {
            "dataset": acquired.dataset.name,
            "requests": acquired.sent,
            "planned": acquired.planned,
            "rows": acquired.rows,
            "subjects": dict(acquired.counts),
            "failed": [{"subject": one.subject, "reason": one.message} for one in acquired.failures],
        }
        for acquired in results
    ]
    if as_json:
        show_json({"planned": planned, "results": found, "success": success})
    else:
        columns = ("dataset", "requests", "planned", "rows", "subjects")
        told = [
            (*(one[name] for name in columns[:4]), ", ".join(f"{count:,} {what}" for what, count in acquired.counts.items()))
            for one, acquired in zip(found, results, strict=True)
        ]  # fmt: skip
        show_rows("What came out", columns, told, numbers=columns[1:4])
        for state in [state for acquired in results for state in acquired.states if state.reason][:10]:
            err.print(f"[yellow]{state.subject} ({state.partition})[/yellow]: {state.reason}")
        show_note(settings)
    if not success:
        err.print(f"[red]Something failed; what came through is stored. The run in the UI and {log} say what.[/red]")
        raise typer.Exit(1)
