"""``salescience demo``: the main job from end to end, as real Dagster runs, with what came out at the end.

What does not belong here: the jobs that it runs (``orchestration``).
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from salescience_pipeline.cli.console import (
    Corpus,
    Home,
    Live,
    environment_for,
    err,
    out,
    settings_for,
    show_note,
    show_rows,
)
from salescience_pipeline.cli.running import Watch, progress_bar, quiet, run_job
from salescience_pipeline.settings import Settings, World

if TYPE_CHECKING:
    import dagster as dg
    from rich.progress import Progress

    from salescience_pipeline.acquisition.outcome import Acquired
    from salescience_pipeline.acquisition.services import Services

_RECORDED_RATE = 200.0
_INVENTED_RATE = 10.0
"""Requests per second to the sandbox's Finnhub: the few of a demonstration fit its minute, and nobody has to wait for it."""

_ANSWERS = {
    "Companies by market value": """
        select c.ticker, c.name, c.sector, round(c.market_cap / 1e9, 2) as market_cap_bn, f.filings, f.insider_forms
        from mart_companies__companies c
        join (select cik, count(*) as filings, count(*) filter (base_form in ('3', '4', '5')) as insider_forms
              from mart_filings__filings group by cik) f using (cik)
        where c.market_cap is not null order by c.market_cap desc limit 5""",
    "Price and return over a year, two sources": """
        select ticker, max(trade_date) as last_day, arg_max(close, trade_date) as close,
               round(100 * (arg_max(tiingo_adj_close, trade_date) / arg_min(tiingo_adj_close, trade_date) - 1), 1)
                   as return_pct,
               count(*) filter (sources = 'tiingo+yahoo') as days_with_both
        from mart_prices__daily where trade_date >= (select max(trade_date) from mart_prices__daily) - interval 1 year
        group by ticker order by return_pct desc limit 5""",
    "Figures that were restated: first reported, and now": """
        select f.company, f.concept, f.period_end, f.value / 1e6 as first_musd, f.known_from, n.value / 1e6 as now_musd,
               n.known_from as since
        from mart_fundamentals__facts f
        join mart_fundamentals__facts n
          on (f.cik, f.taxonomy, f.concept, f.unit, f.period_end) = (n.cik, n.taxonomy, n.concept, n.unit, n.period_end)
         and f.period_start is not distinct from n.period_start
        where f.restatement = 0 and n.restatement > 0 and n.known_until is null and f.unit = 'USD'
        order by f.period_end desc, f.concept limit 5""",
    "What filings say: full-text search for 'supplier may fail'": """
        select ticker, form, item, filing_date, score, left(replace(text, chr(10), ' '), 60) as text
        from search_filings('supplier may fail', hits := 3)""",
    "Risk factors from one annual report to the next": """
        select company, filing_date, count(*) filter (change = 'added') as new, count(*) filter (change = 'removed') as gone,
               count(*) filter (change = 'reworded') as reworded, count(*) filter (change = 'unchanged') as same
        from mart_documents__risk_changes group by all order by filing_date desc, company limit 3""",
}


def demo(
    live: Live = False,
    corpus: Corpus = None,
    home: Home = None,
    tickers: Annotated[
        str | None,
        typer.Option("--tickers", "-t", help="Tickers to follow, comma separated; default: the world's ten."),
    ] = None,
) -> None:
    """Run the main job for a watchlist, from the provider to the marts, and show what came out.

    Offline against the sandbox by default. Run it again: what has not changed is not fetched again.
    """
    from salescience_pipeline.acquisition.services import Services  # noqa: PLC0415
    from salescience_pipeline.catalog.scopes import Scope  # noqa: PLC0415
    from salescience_pipeline.cli.instance import dagster_home  # noqa: PLC0415

    started = time.monotonic()
    settings = settings_for(live=live, corpus=corpus, home=home)
    if settings.world is World.CORPUS and "edgar_rate" not in settings.model_fields_set:
        # Nobody is spared by asking a folder slowly; most of what old submissions name is not recorded.
        settings = settings_for(corpus=corpus, home=home, edgar_rate=_RECORDED_RATE)
    if settings.world is World.FICTIONAL and "finnhub_rate" not in settings.model_fields_set:
        settings = settings_for(home=home, finnhub_rate=_INVENTED_RATE)
    os.environ.update(environment_for(settings))
    os.environ["DAGSTER_HOME"] = str(dagster_home(settings))
    show_note(settings)
    with Services.open(settings) as services:
        for hint in services.require_credentials():
            err.print(f"[yellow]{hint}[/yellow]")
        services.seed_watchlist()
        if tickers:
            services.ledger.watchlist.add(Scope.ENTIRE_WATCHLIST, tickers.split(","), by="demo")
        followed = [str(ticker) for ticker in services.scope_tickers(Scope.ENTIRE_WATCHLIST)]
        results, failed = _run_everything(settings, services, followed)
        _show_results(services, results, time.monotonic() - started)
        if settings.world is World.CORPUS:
            from salescience_pipeline.cli.reconcile import reconcile  # noqa: PLC0415

            failed = not reconcile(services) or failed
        else:
            _show_answers(services)
        _show_next(settings)
    if failed:
        raise typer.Exit(1)


def _run_everything(settings: Settings, services: Services, followed: Sequence[str]) -> tuple[list[Acquired], bool]:
    import dagster as dg  # noqa: PLC0415

    from salescience_pipeline.acquisition.acquire import watching  # noqa: PLC0415
    from salescience_pipeline.definitions import defs  # noqa: PLC0415

    log = settings.root / "demo.log"
    failed = False
    with dg.DagsterInstance.get() as instance, progress_bar() as bar, quiet(log):
        instance.add_dynamic_partitions("tickers", list(followed))
        watch = Watch(bar)
        with watching(watch):
            for job, tags, config in _steps(settings, services, instance, followed):
                failed = not run_job(defs.resolve_job_def(job), instance, tags, config, by="demo") or failed
        failed = not _run_marts(bar, instance) or failed
    if failed:
        err.print(f"[red]Something failed; the runs in the UI and {log} say what.[/red]")
    return watch.results, failed


_Step = tuple[str, Mapping[str, str], Mapping[str, Any]]


def _steps(
    settings: Settings, services: Services, instance: dg.DagsterInstance, followed: Sequence[str]
) -> Iterator[_Step]:
    """The jobs of the demonstration with their partitions, in order."""
    from salescience_pipeline.catalog.datasets import DATASETS, Cut  # noqa: PLC0415
    from salescience_pipeline.orchestration.partitions import contiguous  # noqa: PLC0415
    from salescience_pipeline.orchestration.sensors import partition_tags  # noqa: PLC0415

    yield "sec_company_tickers", {}, {}
    recorded = settings.world is World.CORPUS
    if not recorded:
        day = services.last_session().isoformat()
        # The newest day first: one call for the whole market, before the histories make it superfluous.
        yield "tiingo_daily_prices", partition_tags(day, day), {}
        yield "sec_daily_index", partition_tags(day, day), {}
    job = "company_filings" if recorded else "company_history"
    options: dict[str, Any] = {"n_years": 50} if recorded else {}
    config = {name: {"config": options} for name, dataset in DATASETS.items() if dataset.cut is Cut.TICKER and options}
    if recorded:
        assert services.sandbox is not None
        rows = services.sandbox.get("/_sandbox/corpus/manifest")["files"]
        forms = sorted({row["form"] for row in rows if row.get("form")} - {"3", "4", "5"})
        config["core_sec__documents"] = {"config": options | {"forms": forms}}
        config = {name: value for name, value in config.items() if DATASETS[name].provider == "sec"}
    ordered = instance.get_dynamic_partitions("tickers")
    for first, last in contiguous(followed, ordered):
        yield job, partition_tags(first, last), {"ops": config} if config else {}
    if recorded and (changed := _later_snapshots(services)):
        forced = {
            name: {"config": value["config"] | {"force": name == "core_sec__filings_history"}}
            for name, value in config.items()
        }
        for first, last in contiguous(changed, ordered):
            yield job, partition_tags(first, last), {"ops": forced}


def _later_snapshots(services: Services) -> list[str]:
    """Switch the sandbox to the later recordings of companies that have two; the tickers of those companies."""
    assert services.sandbox is not None
    files = services.sandbox.get("/_sandbox/corpus/manifest")["files"]
    services.sandbox.post("/_sandbox/corpus", {"later": True})
    return sorted({file["ticker"] for file in files if file["kind"] == "later_submission" and file["ticker"]})


def _run_marts(bar: Progress, instance: dg.DagsterInstance) -> bool:
    """Build and publish the warehouse, unless it was built from just what the lake holds."""
    from salescience_pipeline.marts.warehouse import WarehouseResource  # noqa: PLC0415

    task = bar.add_task("marts (dbt)", total=1, note="")
    resource = WarehouseResource()
    if resource.is_current():
        bar.update(task, completed=1, note="current, nothing to build")
        return True
    bar.update(task, note="[dim]loading dbt[/dim]")
    from salescience_pipeline.marts.definitions import defs  # noqa: PLC0415

    bar.update(task, note="[dim]building and testing[/dim]")
    good = run_job(defs.resolve_job_def("build_marts"), instance, {}, {}, by="demo")
    version = resource.services().warehouse.current().version if good else None
    bar.update(
        task, completed=1, note=f"warehouse version {version}" if good else "[red]failed, nothing published[/red]"
    )
    return good


def _show_results(services: Services, results: Sequence[Acquired], seconds: float) -> None:
    merged: dict[str, list[Acquired]] = {}
    for acquired in results:
        merged.setdefault(acquired.dataset.name, []).append(acquired)
    rows = []
    for name, runs in merged.items():
        counts: dict[str, int] = {}
        for run in runs:
            for found, count in run.counts.items():
                counts[found] = counts.get(found, 0) + count
        told = ", ".join(f"{count:,} {found}" for found, count in sorted(counts.items()))
        fresh = sum(len(run.plan.fresh) for run in runs)
        told = ", ".join(filter(None, [told, f"{fresh:,} current" if fresh else ""]))
        table = next(iter(runs[0].dataset.outputs.values()))
        sent, planned, written = (sum(getattr(run, what) for run in runs) for what in ("sent", "planned", "rows"))
        rows.append((name, sent, planned, written, services.tables.row_count(table), told))
    columns = ("dataset", "requests", "planned", "written", "in table", "subjects")
    show_rows(f"What came out, in {seconds:.0f} s", columns, rows, numbers=columns[1:5])
    sent = sum(acquired.sent for acquired in results)
    if sent == 0:
        out.print("[green]Nothing was fetched again: everything stored is current.[/green]\n")


def _show_answers(services: Services) -> None:
    from salescience_pipeline.lake.errors import NothingPublished  # noqa: PLC0415

    for title, sql in _ANSWERS.items():
        try:
            result = services.warehouse.query(sql)
        except NothingPublished:
            return
        names = result.rows.column_names
        numbers = [field.name for field in result.rows.schema if str(field.type) in {"int32", "int64", "double"}]
        show_rows(title, names, ([row[name] for name in names] for row in result.rows.to_pylist()), numbers=numbers)


def _show_next(settings: Settings) -> None:
    option = {World.LIVE: " --live", World.CORPUS: f" --corpus {settings.corpus}", World.FICTIONAL: ""}[settings.world]
    ticker = "TICKER"
    out.print(
        f"\nFiles: {settings.root}\n"
        f"  lake/       raw answers and Delta tables      warehouse/warehouse.duckdb   the marts, for any DuckDB\n\n"
        f"Next:\n"
        f"  salescience up{option}            the Dagster UI with these runs, on http://127.0.0.1:3000\n"
        f'  salescience query{option} "from mart_prices__daily limit 5"\n'
        f"  salescience plan{option}          what another run would request (nothing, while all is current)\n"
        f"  salescience watchlist add{option} {ticker}     then: the watchlist sensor, or `salescience demo` again\n"
        f"  salescience verify{option}        re-hash the archive and check every table",
        highlight=False,
        markup=False,
    )
    show_note(settings)
