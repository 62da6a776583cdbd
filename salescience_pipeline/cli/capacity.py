"""``salescience plan --watchlist N --freq 15m``: what a day of all jobs would need, beside what the price plans allow.

What does not belong here: the arithmetic (``acquisition.capacity``).
"""

from __future__ import annotations

import datetime as dt

from salescience_pipeline.cli.console import out, show_json, show_rows
from salescience_pipeline.settings import Settings


def show_capacity(
    settings: Settings, *, watchlist: int, active: int | None, freq: str | None, day: dt.date | None, as_json: bool
) -> None:
    """Show jobs, providers, what does not hold and the bottleneck; nothing is opened.

    Raises:
        SelectionError: for numbers that cannot be meant.
    """
    from salescience_pipeline.acquisition.capacity import capacity, parse_cadence  # noqa: PLC0415
    from salescience_pipeline.catalog.sessions import sessions  # noqa: PLC0415

    today = dt.datetime.now(dt.UTC).date()
    # A Friday: each of the jobs runs on it, the reports of a Monday come in on Tuesday.
    fridays = [one for one in sessions(today - dt.timedelta(days=30), today) if one.weekday() == 4]
    made = capacity(
        watchlist,
        day or fridays[-1],
        {
            "tiingo": settings.tiingo_plan,
            "finnhub": settings.finnhub_plan,
            "polygon": settings.polygon_plan,
            "alphavantage": settings.alphavantage_plan,
        },
        active=active,
        cadence=parse_cadence(freq) if freq is not None else None,
    )
    problems = [problem for load in made.providers for problem in load.problems]
    if as_json:
        show_json(
            {
                "tickers": made.tickers,
                "active": made.active,
                "day": made.day.isoformat(),
                "jobs": [
                    {
                        "job": load.job, "provider": load.provider, "runs": load.runs, "requests_a_run": load.requests_a_run,
                        "requests": load.requests, "seconds_a_run": load.seconds_a_run, "cadence": load.cadence,
                    }
                    for load in made.jobs
                ],
                "providers": [
                    {
                        "provider": load.provider, "plan": load.plan, "requests": load.requests, "allowed": load.allowed,
                        "used": round(load.used, 4), "seconds": load.seconds, "holds": not load.problems,
                        "problems": list(load.problems), "plan_that_holds": load.plan_that_holds,
                    }
                    for load in made.providers
                ],
                "bottleneck": made.bottleneck.provider,
                "holds": not problems,
            }
        )  # fmt: skip
        return
    columns = ("job", "provider", "runs", "requests a run", "requests", "seconds a run")
    show_rows(
        f"A trading day with {made.tickers:,} tickers, {made.active:,} of them active",
        columns,
        [(one.job, one.provider, one.runs, one.requests_a_run, one.requests, one.seconds_a_run) for one in made.jobs],
        numbers=columns[2:],
    )
    limits = ("provider", "plan", "requests", "allowed", "used", "seconds", "holds", "plan that holds")
    show_rows(
        "Beside what the plans allow in a day",
        limits,
        [
            (one.provider, one.plan, one.requests, one.allowed, f"{one.used:,.0%}", one.seconds,
             "no" if one.problems else "yes", one.plan_that_holds or "none")
            for one in made.providers
        ],
        numbers=limits[2:6],
    )  # fmt: skip
    for problem in problems:
        out.print(f"[yellow]{problem}[/yellow]")
    worst = made.bottleneck
    out.print(f"The bottleneck is {worst.provider}: {worst.used:,.0%} of what its {worst.plan} plan allows in a day.")
