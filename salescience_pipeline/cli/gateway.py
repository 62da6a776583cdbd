"""``salescience gateway``, ``salescience keys`` and ``salescience audit``: the service side from the command line.

What does not belong here: routes (``gateway``), and the keys under which words are sealed (``sealing``).
"""

from __future__ import annotations

import datetime as dt
import logging
from pathlib import Path
from typing import Annotated

import typer

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
    show_notices,
    show_rows,
)

keys = typer.Typer(no_args_is_help=True, help="Make, list and revoke the API keys of organisations.")
audit = typer.Typer(no_args_is_help=True, help="Check the record of who did what.")
Organization = Annotated[str, typer.Option("--org", help="The organisation, as acme-corp.")]


def gateway(
    host: Annotated[str | None, typer.Option(help="Address to listen on; SALESCIENCE_GATEWAY_HOST by default.")] = None,
    port: Annotated[
        int | None, typer.Option(help="Port; SALESCIENCE_GATEWAY_PORT by default.", min=0, max=65535)
    ] = None,
    live: Live = False,
    corpus: Corpus = None,
    home: Home = None,
) -> None:
    """Serve the HTTP API over the ledger and the lake.

    Without API keys (the default in the sandbox's worlds) it answers programs on this machine only, and refuses to listen
    anywhere else.
    """
    import uvicorn  # noqa: PLC0415

    from salescience_pipeline.clients import logs  # noqa: PLC0415
    from salescience_pipeline.gateway.app import create_app  # noqa: PLC0415
    from salescience_pipeline.gateway.connections import PatientProtocol  # noqa: PLC0415
    from salescience_pipeline.gateway.hosts import is_loopback  # noqa: PLC0415
    from salescience_pipeline.gateway.state import State  # noqa: PLC0415
    from salescience_pipeline.settings import SettingsError  # noqa: PLC0415

    settings = settings_for(live=live, corpus=corpus, home=home, gateway_host=host, gateway_port=port)
    if not State(settings).needs_key and not is_loopback(settings.gateway_host):
        raise SettingsError(
            f"Without API keys the gateway listens on this machine only, not on {settings.gateway_host}; "
            "set SALESCIENCE_GATEWAY_AUTH=api_key."
        )
    show_note(settings)
    show_notices()
    as_json = settings.log_format == "json"
    logs.install(
        settings.log_level, settings.log_format, secrets=settings.secrets(), more=("uvicorn",) if as_json else ()
    )
    if not as_json:
        # For people a line per request is noise; the figures of all requests are at /metrics.
        logging.getLogger("salescience.access").setLevel("WARNING")
    uvicorn.run(
        create_app(settings, alone=True),
        host=settings.gateway_host,
        port=settings.gateway_port,
        log_level=settings.log_level.lower(),
        log_config=None if as_json else uvicorn.config.LOGGING_CONFIG,
        access_log=False,
        server_header=False,
        http=PatientProtocol,
        # Addresses come from the connection; a header that claims another one is nobody's word.
        proxy_headers=False,
        timeout_graceful_shutdown=10,
    )


@keys.command("create")
def create_key(
    org: Organization,
    scopes: Annotated[str, typer.Option(help="What it is good for, separated by commas.")] = (
        "jobs:read,jobs:write,results:read,results:content"
    ),
    name: Annotated[str, typer.Option(help="What it is for, for people.")] = "",
    days: Annotated[int | None, typer.Option(help="Days until it expires; never by default.", min=1)] = None,
    as_json: AsJson = False,
    live: Live = False,
    corpus: Corpus = None,
    home: Home = None,
) -> None:
    """Make a key and show it, for the only time: the database keeps its SHA-256."""
    from salescience_pipeline.identifiers import OrganizationId  # noqa: PLC0415
    from salescience_pipeline.ledger.ledger import Ledger  # noqa: PLC0415

    lifetime = dt.timedelta(days=days) if days is not None else None
    with Ledger.of(settings_for(live=live, corpus=corpus, home=home)) as ledger:
        key, row = ledger.organizations.create_key(
            OrganizationId(org), scopes=[scope.strip() for scope in scopes.split(",")], name=name, lifetime=lifetime
        )
    if as_json:
        show_json({"key": key, "key_id": row.key_id, "organization_id": row.organization_id, "scopes": row.scopes})
        return
    err.print(f"Key {row.key_id} of {row.organization_id}; this is the only time that it is shown.")
    out.print(key, markup=False)


@keys.command("list")
def list_keys(
    org: Annotated[str | None, typer.Option("--org", help="Only this organisation's.")] = None,
    as_json: AsJson = False,
    live: Live = False,
    corpus: Corpus = None,
    home: Home = None,
) -> None:
    """Show keys by their first characters, with what they may do and when they were last used."""
    from salescience_pipeline.identifiers import OrganizationId  # noqa: PLC0415
    from salescience_pipeline.ledger.ledger import Ledger  # noqa: PLC0415

    with Ledger.of(settings_for(live=live, corpus=corpus, home=home)) as ledger:
        found = ledger.organizations.keys(None if org is None else OrganizationId(org))
    columns = (
        "key_id",
        "organization_id",
        "prefix",
        "name",
        "scopes",
        "created_at",
        "expires_at",
        "revoked_at",
        "last_used_at",
    )
    rows = [{column: getattr(row, column) for column in columns} for row in found]
    if as_json:
        show_json(rows)
    else:
        shown = [[", ".join(row[c]) if c == "scopes" else row[c] for c in columns] for row in rows]
        show_rows(f"{len(rows)} keys", columns, shown)


@keys.command("limits")
def set_limits(
    org: Organization,
    requests: Annotated[int | None, typer.Option(help="Requests in a minute; 0: as the settings say.", min=0)] = None,
    open_jobs: Annotated[int | None, typer.Option(help="Jobs that may be open at once.", min=0)] = None,
    live: Live = False,
    corpus: Corpus = None,
    home: Home = None,
) -> None:
    """Set what an organisation may do at once; gateways know within two seconds."""
    from salescience_pipeline.identifiers import OrganizationId  # noqa: PLC0415
    from salescience_pipeline.ledger.ledger import Ledger  # noqa: PLC0415

    organization = OrganizationId(org)
    with Ledger.of(settings_for(live=live, corpus=corpus, home=home)) as ledger:
        ledger.organizations.ensure(organization)
        if requests is not None:
            ledger.organizations.limit_requests(organization, requests or None)
        if open_jobs is not None:
            ledger.organizations.limit_open_jobs(organization, open_jobs)
    out.print(f"{organization}: set.")


@keys.command("revoke")
def revoke_key(
    key_id: Annotated[str, typer.Argument(help="The key's id, from `keys list`.")],
    live: Live = False,
    corpus: Corpus = None,
    home: Home = None,
) -> None:
    """Make a key worthless; gateways that remember it forget it within two seconds."""
    from salescience_pipeline.ledger.errors import LedgerError  # noqa: PLC0415
    from salescience_pipeline.ledger.ledger import Ledger  # noqa: PLC0415

    with Ledger.of(settings_for(live=live, corpus=corpus, home=home)) as ledger:
        if not ledger.organizations.revoke(key_id):
            raise LedgerError(f"There is no key {key_id[:40]!r} that still works.")
    out.print(f"Revoked {key_id}.")


@audit.command("anchor")
def anchor_audit(live: Live = False, corpus: Corpus = None, home: Home = None) -> None:
    """Write the newest digest of every chain into a signed file outside the database, as the daily housekeeping does."""
    from salescience_pipeline.ledger.ledger import Ledger, anchors_of_settings  # noqa: PLC0415

    settings = settings_for(live=live, corpus=corpus, home=home)
    with Ledger.of(settings) as ledger:
        heads = ledger.audit.heads()
    written = anchors_of_settings(settings).write(heads, dt.datetime.now(dt.UTC).date())
    out.print(
        "Today's anchor is there already." if written is None else f"{len(heads)} chains anchored in {written.name}."
    )


@audit.command("verify")
def verify_audit(
    head: Annotated[
        list[str] | None,
        typer.Option(help="A newest digest that was noted earlier, as organisation=digest; shows a cut tail."),
    ] = None,
    anchors: Annotated[
        Path | None, typer.Option(help="Another copy of the anchors' folder; the settings' by default.")
    ] = None,
    as_json: AsJson = False,
    live: Live = False,
    corpus: Corpus = None,
    home: Home = None,
) -> None:
    """Read every organisation's chain of audit entries through; exit code 1 when one is broken, naming the place.

    The daily anchors are read too: a chain must still hold every entry that they name.
    """
    from salescience_pipeline.ledger.anchors import Anchor, AnchorBroken  # noqa: PLC0415
    from salescience_pipeline.ledger.audit_log import Verdict  # noqa: PLC0415
    from salescience_pipeline.ledger.ledger import Ledger, anchors_of_settings  # noqa: PLC0415

    noted = dict(item.partition("=")[::2] for item in head or [])
    settings = settings_for(live=live, corpus=corpus, home=home, anchors_dir=anchors)
    known: list[Anchor] = []
    broken: list[Verdict] = []
    with Ledger.of(settings) as ledger:
        try:
            known = anchors_of_settings(settings).read()
        except AnchorBroken as error:
            broken = [Verdict("anchors", 0, "", 0, str(error))]
        verdicts = [*broken, *ledger.audit.verify(heads=noted, anchors=known)]
    columns = ("organization_id", "entries", "head", "broken_at", "reason")
    rows = [{column: getattr(verdict, column) for column in columns} for verdict in verdicts]
    if as_json:
        show_json(rows)
    else:
        show_rows(f"Audit, held against {len(known)} anchors", columns, [list(row.values()) for row in rows])
    if any(verdict.broken_at is not None for verdict in verdicts):
        raise typer.Exit(1)
