"""``salescience schedules``: start, stop and list what runs by itself, through the running Dagster.

What does not belong here: when a schedule ticks (``orchestration.schedules``).
"""

from __future__ import annotations

import datetime as dt
import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from salescience_pipeline.cli.console import AsJson, Corpus, Home, Live, out, settings_for, show_json, show_rows
from salescience_pipeline.settings import Settings, SettingsError

app = typer.Typer(no_args_is_help=True, help="Start, stop and list the schedules of the jobs; all are shipped stopped.")
Names = Annotated[
    list[str] | None, typer.Argument(help="Jobs, e.g. tiingo-daily-prices; all by default.", metavar="[JOB]...")
]
Port = Annotated[
    int | None, typer.Option(help="Port of the Dagster UI on this machine; default: that of `salescience up`.")
]

_LIST = """{ repositoriesOrError { __typename ... on RepositoryConnection { nodes { name location { name }
  schedules { name scheduleState { id status } } } } ... on PythonError { message } } }"""
_START = """mutation($selector: ScheduleSelector!) { startSchedule(scheduleSelector: $selector) { __typename
  ... on PythonError { message } ... on UnauthorizedError { message } } }"""
_STOP = """mutation($id: String!) { stopRunningSchedule(id: $id) { __typename
  ... on PythonError { message } ... on UnauthorizedError { message } } }"""


@app.command()
def start(names: Names = None, port: Port = None, live: Live = False, corpus: Corpus = None, home: Home = None) -> None:
    """Start the schedules of all jobs, or of those named; starting one that runs changes nothing."""
    wanted = _names_of(names)
    url = _url(settings_for(live=live, corpus=corpus, home=home), port)
    chosen = _chosen(url, wanted, everything=not names)
    for schedule in chosen:
        if schedule["status"] != "RUNNING":
            _ask(url, _START, {"selector": schedule["selector"]}, "startSchedule", "ScheduleStateResult")
    out.print(f"{len(chosen)} schedules are running.")


@app.command()
def stop(names: Names = None, port: Port = None, live: Live = False, corpus: Corpus = None, home: Home = None) -> None:
    """Stop the schedules of all jobs, or of those named; runs that are under way come to their end."""
    wanted = _names_of(names)
    url = _url(settings_for(live=live, corpus=corpus, home=home), port)
    chosen = _chosen(url, wanted, everything=not names)
    for schedule in chosen:
        if schedule["status"] == "RUNNING":
            _ask(url, _STOP, {"id": schedule["id"]}, "stopRunningSchedule", "ScheduleStateResult")
    out.print(f"{len(chosen)} schedules are stopped.")


@app.command("list")
def list_(
    names: Names = None,
    port: Port = None,
    as_json: AsJson = False,
    live: Live = False,
    corpus: Corpus = None,
    home: Home = None,
) -> None:
    """Show each schedule with its job, its cron line (New York time), whether it runs, and its next tick.

    Without a running Dagster it shows what there is.
    """
    from salescience_pipeline.catalog.crons import next_tick  # noqa: PLC0415
    from salescience_pipeline.catalog.sessions import NEW_YORK  # noqa: PLC0415

    settings = settings_for(live=live, corpus=corpus, home=home)
    running: dict[str, str] = {}
    if port is not None or _port_file(settings).exists():
        running = {schedule["name"]: schedule["status"] for schedule in _schedules(_url(settings, port))}
    now = dt.datetime.now(dt.UTC)
    found = []
    for name, job, scope, cron in _lines(names):
        tick = next_tick(cron, now)
        found.append(
            {
                "schedule": name,
                "job": job,
                "scope": scope,
                "cron": cron,
                "status": running.get(name, "STOPPED" if running else "NOT UP").lower(),
                "next": f"{tick.astimezone(NEW_YORK):%Y-%m-%d %H:%M}" if tick else None,
            }
        )
    if as_json:
        show_json(found)
        return
    columns = ("schedule", "job", "scope", "cron", "status", "next")
    show_rows("Schedules, New York time", columns, [tuple(row[name] for name in columns) for row in found])


def _lines(names: list[str] | None) -> list[tuple[str, str, str, str]]:
    """Schedule, job, scope and cron line of the jobs and chores of those names, of all by default.

    Raises:
        UnknownJob: naming those that there are.
    """
    from salescience_pipeline.catalog.chores import CHORES  # noqa: PLC0415
    from salescience_pipeline.catalog.jobs import JOBS, UnknownJob  # noqa: PLC0415

    found: list[tuple[str, str, str, str]] = []
    for name in names or [*JOBS, *CHORES]:
        spelled = name.strip().lower().replace("_", "-")
        if spelled in JOBS:
            job = JOBS[spelled]
            found += [
                (job.schedule_name(number), job.name, job.scope.value, one.cron)
                for number, one in enumerate(job.passes)
            ]
        elif spelled in CHORES:
            found.append((CHORES[spelled].dagster_name, spelled, "", CHORES[spelled].cron))
        else:
            raise UnknownJob(f"There is no job {name[:60]!r}; there are {', '.join([*JOBS, *CHORES])}.")
    return found


def _names_of(jobs: list[str] | None) -> set[str]:
    """The schedules of the jobs of those names, of all jobs by default."""
    return {line[0] for line in _lines(jobs)}


def _chosen(url: str, wanted: set[str], *, everything: bool) -> list[dict[str, Any]]:
    """The schedules of those names, or all there are.

    Raises:
        SettingsError: when Dagster does not have them, as while it starts or when the code does not load.
    """
    found = _schedules(url)
    missing = wanted - {schedule["name"] for schedule in found}
    if missing:
        raise SettingsError(
            f"Dagster has no schedule {min(missing)} yet; wait until `salescience up` has loaded the code."
        )
    return [schedule for schedule in found if everything or schedule["name"] in wanted]


def _port_file(settings: Settings) -> Any:
    return settings.root / "run" / "webserver.port"


def _url(settings: Settings, port: int | None) -> str:
    """Where the Dagster UI of this world answers.

    Raises:
        SettingsError: when none is known.
    """
    if port is None:
        note = _port_file(settings)
        if not note.exists():
            raise SettingsError(
                f"No Dagster of the {settings.world.value} world is up; start it with `salescience up`, or name its --port."
            )
        port = int(note.read_text())
    return f"http://127.0.0.1:{port}/graphql"


def _ask(url: str, query: str, variables: Mapping[str, Any], field: str, expected: str) -> dict[str, Any]:
    body = json.dumps({"query": query, "variables": variables}).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})  # noqa: S310 - our own loopback address
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - as above
            told = json.load(answer)
    except (urllib.error.URLError, TimeoutError, ValueError) as error:
        place = url.removesuffix("/graphql")
        raise SettingsError(f"Dagster does not answer on {place}; start it with `salescience up`.") from error
    found: dict[str, Any] = (told.get("data") or {}).get(field) or {}
    if found.get("__typename") != expected:
        errors = told.get("errors") or [{"message": "an answer that is not known"}]
        raise SettingsError(f"Dagster refused: {found.get('message') or errors[0].get('message')}")
    return found


def _schedules(url: str) -> list[dict[str, Any]]:
    """All schedules of all code locations, with their selectors."""
    answer = _ask(url, _LIST, {}, "repositoriesOrError", "RepositoryConnection")
    return [
        {
            "name": schedule["name"],
            "status": schedule["scheduleState"]["status"],
            "id": schedule["scheduleState"]["id"],
            "selector": {
                "repositoryName": repository["name"],
                "repositoryLocationName": repository["location"]["name"],
                "scheduleName": schedule["name"],
            },
        }
        for repository in answer["nodes"]
        for schedule in repository["schedules"]
    ]
