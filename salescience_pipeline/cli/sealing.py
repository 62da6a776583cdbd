"""``salescience keys rotate|reseal|rewrap|shred``: the keys under which organisations' own words are sealed.

What does not belong here: sealing itself (``ledger.vault``), and the API's keys (``gateway``).
"""

from __future__ import annotations

import getpass
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from salescience_pipeline.cli.console import AsJson, Corpus, Home, Live, err, out, settings_for, show_json
from salescience_pipeline.cli.gateway import Organization, keys

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from salescience_pipeline.ledger.ledger import Ledger


@contextmanager
def _ledger(*, live: bool, corpus: Path | None, home: Path | None) -> Iterator[tuple[Ledger, dict[str, str]]]:
    """The ledger with its keys, and who does it, for the audit."""
    from salescience_pipeline.identifiers import RequestId  # noqa: PLC0415 - a command that only shows help needs neither
    from salescience_pipeline.ledger.ledger import Ledger  # noqa: PLC0415

    with Ledger.of(settings_for(live=live, corpus=corpus, home=home)) as ledger:
        yield ledger, {"actor": f"cli:{getpass.getuser()}", "request_id": str(RequestId.new())}


@keys.command("rotate")
def rotate(org: Organization, live: Live = False, corpus: Corpus = None, home: Home = None) -> None:
    """Give an organisation a new data key; older ones still open what they sealed (see `keys reseal`)."""
    from salescience_pipeline.identifiers import OrganizationId  # noqa: PLC0415

    with _ledger(live=live, corpus=corpus, home=home) as (ledger, by):
        version = ledger.sealed.rotate(OrganizationId(org), **by)
    out.print(f"{org} seals with data key {version} from now on.")


@keys.command("reseal")
def reseal(
    org: Annotated[str | None, typer.Option("--org", help="Only this organisation; all by default.")] = None,
    live: Live = False,
    corpus: Corpus = None,
    home: Home = None,
) -> None:
    """Seal everything anew with the newest data keys, and what is still in clear for the first time."""
    from salescience_pipeline.identifiers import OrganizationId  # noqa: PLC0415

    with _ledger(live=live, corpus=corpus, home=home) as (ledger, by):
        chosen = [OrganizationId(org)] if org is not None else ledger.sealed.organizations()
        for organization in chosen:
            if ledger.sealed.vault.is_shredded(organization):
                err.print(f"{organization} was shredded; there is nothing to seal.")
                continue
            out.print(f"{organization}: {ledger.sealed.reseal(organization, **by)} rows.")


@keys.command("rewrap")
def rewrap(live: Live = False, corpus: Corpus = None, home: Home = None) -> None:
    """Wrap all data keys with the first of SALESCIENCE_MASTER_KEYS; afterwards the others may go."""
    from salescience_pipeline.ledger.ledger import anchors_of_settings  # noqa: PLC0415

    with _ledger(live=live, corpus=corpus, home=home) as (ledger, _):
        wrapped = ledger.sealed.vault.rewrap()
        signed = anchors_of_settings(settings_for(live=live, corpus=corpus, home=home)).sign_again()
    out.print(f"{wrapped} data keys are wrapped and {signed} anchors signed by the first master key.")


@keys.command("shred")
def shred(
    org: Annotated[str, typer.Argument(help="The organisation, as acme-corp.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do it without asking; it cannot be undone.")] = False,
    as_json: AsJson = False,
    live: Live = False,
    corpus: Corpus = None,
    home: Home = None,
) -> None:
    """Destroy an organisation's data keys, for ever: nothing that it wrote can be read again, also not from backups."""
    from salescience_pipeline.identifiers import OrganizationId  # noqa: PLC0415

    organization = OrganizationId(org)
    if not yes:
        typer.confirm(
            f"Nothing of {organization} can be read afterwards, from no copy of the database. Go on?", abort=True
        )
    with _ledger(live=live, corpus=corpus, home=home) as (ledger, by):
        done = ledger.sealed.shred(organization, **by)
    if as_json:
        show_json({name: getattr(done, name) for name in done.__slots__})
        return
    out.print(
        f"{organization}: {done.data_keys} data keys destroyed, {done.api_keys} API keys revoked, "
        f"{sum(done.rows.values())} rows deleted."
    )
