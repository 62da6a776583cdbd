"""``salescience up`` and ``salescience sandbox``: the long-running commands.

What does not belong here: keeping the processes alive (``supervisor``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from salescience_pipeline.cli.console import (
    Corpus,
    Home,
    Live,
    environment_for,
    out,
    settings_for,
    show_note,
    show_notices,
)

if TYPE_CHECKING:
    from salescience_pipeline.acquisition.services import Services
    from salescience_pipeline.settings import Settings


def up(
    port: Annotated[int, typer.Option(help="Port of the Dagster UI on 127.0.0.1.", min=1, max=65535)] = 3000,
    live: Live = False,
    corpus: Corpus = None,
    home: Home = None,
) -> None:
    """Start everything: the sandbox (unless --live), both code locations, the daemon, the gateway and the Dagster UI.

    Ends all of it on Ctrl-C or SIGTERM. The UI has no authentication, so it listens on this machine only.
    """
    import os  # noqa: PLC0415

    from salescience_pipeline.acquisition.services import Services  # noqa: PLC0415
    from salescience_pipeline.cli.instance import PROJECT, dagster_home  # noqa: PLC0415
    from salescience_pipeline.cli.supervisor import Supervisor, free_or, stack  # noqa: PLC0415
    from salescience_pipeline.marts.project import ensure_manifest  # noqa: PLC0415

    settings = settings_for(live=live, corpus=corpus, home=home)
    show_note(settings)
    show_notices()
    with Services.open(settings) as services:
        for hint in services.require_credentials():
            out.print(f"[yellow]{hint}[/yellow]")
        if services.sandbox is not None:
            added = services.seed_watchlist()
            out.print(
                f"Sandbox: {services.sandbox.url}" + (f", {len(added)} tickers on the watchlist" if added else "")
            )
        ensure_manifest()
        environment = {**os.environ, **environment_for(settings), "DAGSTER_HOME": str(dagster_home(settings))}
        add_partitions(services, environment["DAGSTER_HOME"])
        api_port = free_or(settings.gateway_port)
        children = stack(
            environment, port=port, folder=settings.root / "run", gateway_port=api_port,
            gateway_settings=neighbours(settings, services.sandbox.url if services.sandbox is not None else None),
            intake=settings.takes_kafka,
        )  # fmt: skip
        with Supervisor(children, cwd=PROJECT) as supervisor:
            supervisor.wait_ready(f"http://127.0.0.1:{port}/server_info")
            out.print(f"HTTP API:   http://127.0.0.1:{api_port}/docs")
            out.print(f"Dagster UI: http://127.0.0.1:{port}   (Ctrl-C ends everything)")
            raise typer.Exit(supervisor.run())


def neighbours(settings: Settings, sandbox: str | None) -> dict[str, str]:
    """Environment variables that give the gateway the sandbox's services to talk to, where none are configured."""
    import json  # noqa: PLC0415

    if sandbox is None:
        return {}
    known = {
        "SALESCIENCE_UPSTREAMS": (settings.upstreams, ("research", "backend")),
        "SALESCIENCE_SERVICES": (settings.services, ("revenue", "rebates", "specialty")),
    }
    return {
        variable: json.dumps({name: f"{sandbox}/services/{name}" for name in names})
        for variable, (configured, names) in known.items()
        if not configured
    }


def add_partitions(services: Services, home: str) -> None:
    """Give the watchlist's tickers their partitions, so that there is something to select in the UI."""
    import os  # noqa: PLC0415

    import dagster as dg  # noqa: PLC0415

    from salescience_pipeline.catalog.scopes import Scope  # noqa: PLC0415

    os.environ["DAGSTER_HOME"] = home
    followed = services.ledger.watchlist.tickers(Scope.ENTIRE_WATCHLIST)
    with dg.DagsterInstance.get() as instance:
        instance.add_dynamic_partitions("tickers", [str(ticker) for ticker in followed])


def sandbox(
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1; 0 takes a free one.", min=0, max=65535)] = 8790,
    corpus: Corpus = None,
    home: Home = None,
) -> None:
    """Serve every provider's wire format on this machine, with a fictional market or with recorded filings.

    Point the product at it with SALESCIENCE_SANDBOX_URL, or any other client: the paths are the providers' own.
    """
    import os  # noqa: PLC0415

    from salescience_pipeline.acquisition.sandbox_process import sandbox_command  # noqa: PLC0415

    settings = settings_for(corpus=corpus, home=home)
    show_note(settings)
    command = sandbox_command(settings, port=port)
    os.execv(command[0], command)  # noqa: S606 - our own module with checked arguments
