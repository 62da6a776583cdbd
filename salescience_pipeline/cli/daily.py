"""The commands of every day: plan, query, verify, maintain, status, docs.

What does not belong here: commands with a subject of their own (``fill``, ``watchlist``, ``gateway``...).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from salescience_pipeline.catalog.datasets import DATASETS, Cut
from salescience_pipeline.catalog.scopes import Scope
from salescience_pipeline.cli.console import (
    AsJson,
    Corpus,
    Home,
    Live,
    err,
    out,
    settings_for,
    show_json,
    show_note,
    show_rows,
)
from salescience_pipeline.identifiers import parse_tickers
from salescience_pipeline.settings import SettingsError

Datasets = Annotated[list[str] | None, typer.Argument(help="Datasets; all by default.", metavar="[DATASET]...")]
TickerOption = Annotated[
    str | None, typer.Option("--tickers", "-t", help="Tickers, comma separated; default: the scope's.")
]


def plan(
    datasets: Datasets = None,
    job: Annotated[
        str | None,
        typer.Option("--job", "-j", help="The datasets and the scope of this job, e.g. tiingo-daily-prices."),
    ] = None,
    tickers: TickerOption = None,
    first: Annotated[
        str | None, typer.Option("--from", help="First day, YYYY-MM-DD; default: the last session.")
    ] = None,
    last: Annotated[str | None, typer.Option("--to", help="Last day, YYYY-MM-DD.")] = None,
    n_years: Annotated[int, typer.Option(help="Years of filings to look back.", min=1, max=30)] = 2,
    force: Annotated[bool, typer.Option("--force", help="As if nothing were stored yet.")] = False,
    watchlist: Annotated[
        int | None,
        typer.Option(
            help="What if so many tickers were followed: a day of all jobs beside what the plans allow.", min=1
        ),
    ] = None,
    active: Annotated[int | None, typer.Option(help="With --watchlist: so many of them active.", min=0)] = None,
    freq: Annotated[
        str | None, typer.Option(help="With --watchlist: how often quotes and market news are read, e.g. 15m.")
    ] = None,
    as_json: AsJson = False,
    live: Live = False,
    corpus: Corpus = None,
    home: Home = None,
) -> None:
    """Show what a run would request: how many requests, from whom, how long at the limit, and what needs none.

    Nothing is sent and nothing is written. With --watchlist it shows what a trading day of all jobs would need instead.

    Example: salescience plan --watchlist 1500 --freq 15m
    """
    if watchlist is not None:
        from salescience_pipeline.cli.capacity import show_capacity  # noqa: PLC0415

        settings = settings_for(live=live, corpus=corpus, home=home)
        show_capacity(settings, watchlist=watchlist, active=active, freq=freq, day=None, as_json=as_json)
        return
    if active is not None or freq is not None:
        raise SettingsError("--active and --freq belong to --watchlist.")
    from salescience_pipeline.acquisition.acquire import dataset_named  # noqa: PLC0415
    from salescience_pipeline.acquisition.acquire import plan as make_plan  # noqa: PLC0415
    from salescience_pipeline.acquisition.backfill import backfill_selection  # noqa: PLC0415
    from salescience_pipeline.acquisition.services import Services  # noqa: PLC0415
    from salescience_pipeline.catalog.jobs import job_named  # noqa: PLC0415
    from salescience_pipeline.clients.gate import gate_rules  # noqa: PLC0415

    settings = settings_for(live=live, corpus=corpus, home=home)
    planned_job = job_named(job) if job else None
    names_of_job = planned_job.datasets if planned_job else ()
    scope_of = dict.fromkeys(names_of_job, planned_job.scope) if planned_job else {}
    chosen = [dataset_named(name) for name in datasets or names_of_job or DATASETS]
    wanted = parse_tickers(tickers.split(",")) if tickers else None
    found: list[dict[str, Any]] = []
    with Services.open(settings) as services:
        rates = {provider: rule.rate for provider, rule in gate_rules(settings).items()}
        for dataset in chosen:
            # A history always reaches up to now; only who names one alone is told so.
            until = last if dataset.cut is Cut.DATE or len(chosen) == 1 else None
            selection = backfill_selection(
                services,
                dataset.name,
                tickers=() if dataset.scope is Scope.NONE else wanted or (),
                first=first,
                last=until,
                scope=scope_of.get(dataset.name),
                force=force,
                n_years=n_years,
            )
            made, known = make_plan(services, selection)
            seconds = made.seconds(rates.get(dataset.provider))
            found.append(
                {
                    "dataset": dataset.name,
                    "provider": dataset.provider,
                    "requests": len(made.requests),
                    "minimum": made.minimum,
                    "expected_follow_ups": made.expected_follow_ups,
                    "seconds": round(seconds, 1),
                    "quota_left": known.allowance,
                    "used_today": services.used_today(dataset.provider),
                    "current": len(made.fresh),
                    "refused": [{"subject": refusal.key, "reason": refusal.reason} for refusal in made.refused],
                    "why": made.why,
                }
            )
    if as_json:
        show_json(found)
        return
    rows = [
        (one["dataset"], one["provider"], one["requests"], one["minimum"], one["expected_follow_ups"], one["seconds"],
         one["quota_left"], one["used_today"], one["current"], len(one["refused"]), one["why"])
        for one in found
    ]  # fmt: skip
    columns = ("dataset", "provider", "requests", "minimum", "to follow", "seconds", "quota left", "used today",
               "current", "refused", "why")  # fmt: skip
    show_rows("What a run would request", columns, rows, numbers=columns[2:10])
    for refusal in [refusal for one in found for refusal in one["refused"]][:10]:
        err.print(f"[yellow]{refusal['subject']}[/yellow]: {refusal['reason']}")
    show_note(settings)


def query(
    sql: Annotated[str, typer.Argument(help="One SELECT statement.")],
    limit: Annotated[int, typer.Option("--limit", "-n", help="Rows to show at most.", min=1)] = 50,
    form: Annotated[str, typer.Option("--format", "-f", help="table, csv or json.")] = "table",
    live: Live = False,
    corpus: Corpus = None,
    home: Home = None,
) -> None:
    """Ask the published warehouse; read-only, always one consistent version.

    Example: salescience query "select ticker, max(trade_date) from mart_prices__daily group by ticker"
    """
    import csv  # noqa: PLC0415
    import sys  # noqa: PLC0415

    from salescience_pipeline.lake.warehouse import Warehouse  # noqa: PLC0415

    if form not in {"table", "csv", "json"}:
        raise typer.BadParameter("it is one of table, csv and json", param_hint="--format")
    settings = settings_for(live=live, corpus=corpus, home=home)
    result = Warehouse(settings.warehouse_dir).query(sql, max_rows=limit)
    names, rows = result.rows.column_names, result.rows.to_pylist()
    if form == "json":
        show_json(rows)
    elif form == "csv":
        writer = csv.writer(sys.stdout)
        writer.writerow(names)
        writer.writerows([_cell(row[name]) for name in names] for row in rows)
    else:
        numbers = [field.name for field in result.rows.schema if str(field.type) in {"int32", "int64", "double"}]
        show_rows("", names, ([row[name] for name in names] for row in rows), numbers=numbers)
        more = f", of more: --limit {limit * 10} shows them" if result.truncated else ""
        err.print(f"{len(rows)} rows{more}; warehouse version {result.version}, {result.seconds:.2f} s")
    show_note(settings)


def _cell(value: Any) -> Any:
    """A spreadsheet runs what begins like a formula; a leading quote makes it text."""
    return f"'{value}" if isinstance(value, str) and value[:1] in {"=", "+", "-", "@", "\t", "\r"} else value


def verify(as_json: AsJson = False, live: Live = False, corpus: Corpus = None, home: Home = None) -> None:
    """Re-hash every archived answer and hold every table against its catalogue row; exit code 1 when something is wrong."""
    from rich.progress import Progress  # noqa: PLC0415

    from salescience_pipeline.acquisition.services import Services  # noqa: PLC0415
    from salescience_pipeline.lake.verify import verify as check  # noqa: PLC0415

    settings = settings_for(live=live, corpus=corpus, home=home)
    with Services.open(settings) as services, Progress(console=err, transient=True) as bar:
        tasks: dict[str, Any] = {}

        def told(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what, total=total or 1)
            bar.update(tasks[what], completed=done, total=total or 1)

        report = check(services.archive, services.tables, progress=told)
    if as_json:
        show_json(report.to_dict())
    else:
        out.print(
            f"Archive: {report.archive.answers:,} answers, {report.archive.bodies:,} bodies, "
            f"{report.archive.bytes:,} bytes re-hashed."
        )
        show_rows(
            "Tables",
            ("table", "rows", "files", "problems"),
            [
                (
                    table.name,
                    table.rows,
                    table.files,
                    "; ".join(problem.message for problem in table.problems) or "none",
                )
                for table in report.tables
            ],
            numbers=("rows", "files"),
        )
        for problem in report.archive.problems:
            err.print(f"[red]{problem.message}[/red]")
        out.print(
            "[green]Everything is as it should be.[/green]"
            if report.ok
            else "[red]Something is wrong, see above.[/red]"
        )
    show_note(settings)
    if not report.ok:
        raise typer.Exit(1)


def maintain(
    tables: Annotated[list[str] | None, typer.Argument(help="Tables; all by default.", metavar="[TABLE]...")] = None,
    grace_hours: Annotated[
        int, typer.Option(help="Age in hours from which a file that was replaced is deleted.", min=24)
    ] = 24,
    as_json: AsJson = False,
    live: Live = False,
    corpus: Corpus = None,
    home: Home = None,
) -> None:
    """Keep the lake: merge small files, delete replaced ones, copy the audit of requests; no row changes.

    Safe while runs write and readers read. The job lake_maintenance does the same every night.
    """
    import datetime as dt  # noqa: PLC0415
    from dataclasses import asdict  # noqa: PLC0415

    from rich.progress import Progress  # noqa: PLC0415

    from salescience_pipeline.acquisition.housekeeping import keep_house  # noqa: PLC0415
    from salescience_pipeline.acquisition.services import Services  # noqa: PLC0415

    settings = settings_for(live=live, corpus=corpus, home=home)
    with Services.open(settings) as services, Progress(console=err, transient=True) as bar:
        task = bar.add_task("tables", total=None)
        done = keep_house(
            services,
            tables or (),
            grace=dt.timedelta(hours=grace_hours),
            progress=lambda name, number, total: bar.update(task, description=name, completed=number, total=total),
        )
    if as_json:
        show_json(asdict(done))
    else:
        columns = ("table", "files before", "files after", "rows rewritten", "problem")
        rows = [
            (kept.name, kept.files_before, kept.files_after, kept.rows_rewritten, kept.error or "")
            for kept in done.tables
        ]
        show_rows("Tables", columns, rows, numbers=columns[1:4])
        out.print(done.sentence)
    show_note(settings)
    if done.failed:
        raise typer.Exit(1)


def status(as_json: AsJson = False, live: Live = False, corpus: Corpus = None, home: Home = None) -> None:
    """Show what is stored, how complete it is, and how the providers' gates stand."""
    from salescience_pipeline.acquisition.services import Services  # noqa: PLC0415
    from salescience_pipeline.catalog.tables import TABLES  # noqa: PLC0415

    settings = settings_for(live=live, corpus=corpus, home=home)
    with Services.open(settings) as services:
        tables = [(name, services.tables.row_count(name), services.tables.version(name)) for name in TABLES]
        counted: dict[tuple[str, str], int] = {}
        for state in services.ledger.completeness.all():
            counted[state.dataset, state.status] = counted.get((state.dataset, state.status), 0) + 1
        gates = services.ledger.gate_rows()
    if as_json:
        show_json(
            {
                "world": settings.world.value,
                "home": str(settings.root),
                "tables": [dict(zip(("table", "rows", "version"), row, strict=True)) for row in tables],
                "completeness": [
                    {"dataset": key[0], "status": key[1], "subjects": count} for key, count in counted.items()
                ],
                "gates": [{"provider": gate.provider, "breaker": gate.breaker} for gate in gates],
            }
        )
        return
    show_rows(f"Tables in {settings.root}", ("table", "rows", "version"), tables, numbers=("rows", "version"))
    rows = [(dataset, found, count) for (dataset, found), count in sorted(counted.items())]
    show_rows("Completeness", ("dataset", "status", "subjects"), rows, numbers=("subjects",))
    columns = ("provider", "breaker", "blocked until", "paused until", "quota until")
    gate_rows = [
        (gate.provider, gate.breaker, gate.blocked_until, gate.paused_until, gate.quota_until) for gate in gates
    ]
    show_rows("Gates", columns, gate_rows)
    show_note(settings)


def docs(
    check: Annotated[
        bool, typer.Option("--check", help="Only say whether they are current; exit code 1 if not.")
    ] = False,
) -> None:
    """Write the documents that are generated: the data dictionary, dbt's sources, the asset graph and the list of commands."""
    from salescience_pipeline.cli.documentation import generated  # noqa: PLC0415

    root = Path(__file__).resolve().parents[2]
    stale = []
    for path, text in generated(root).items():
        if path.exists() and path.read_text() == text:
            continue
        stale.append(str(path.relative_to(root)))
        if not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    if check and stale:
        err.print(f"Stale: {', '.join(stale)}; run `salescience docs`.")
        raise typer.Exit(1)
    out.print(f"{'Written' if stale else 'Current'}: {', '.join(stale) or 'everything'}.")
