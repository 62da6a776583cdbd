"""Where the providers are and as whom we ask, by world: the one place that decides whether a request leaves this machine.

In the sandbox's worlds no real credential is ever used, also when one is configured. What does not belong here: sending.
"""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import SecretStr

from salescience_pipeline.catalog.providers import PROVIDERS
from salescience_pipeline.settings import Settings, SettingsError

Credential = SecretStr | str
"""A key is a ``SecretStr`` and is redacted wherever it turns up; a plain string is no secret (a contact)."""

SANDBOX_CREDENTIALS: Mapping[str, Credential] = {"sec": "Sandbox sandbox@example.com", "tiingo": "sandbox"}


def base_urls(settings: Settings, sandbox_origin: str | None = None) -> dict[tuple[str, str], str]:
    """The base URL of every (provider, host role): the catalogue's in the live world, else below ``sandbox_origin``.

    Raises:
        SettingsError: when the world needs a sandbox and none is given.
    """
    if settings.is_live:
        return {(row.id, role): url for row in PROVIDERS.values() for role, url in row.hosts.items()}
    origin = (sandbox_origin or settings.sandbox_url or "").rstrip("/")
    if not origin:
        raise SettingsError(f"The {settings.world} world needs a sandbox, and none is running.")
    return {(row.id, role): origin + row.sandbox_path for row in PROVIDERS.values() for role in row.hosts}


def credentials(settings: Settings) -> dict[str, Credential]:
    """As whom each provider knows us; a provider whose setting is missing is left out and refused when it is asked."""
    if not settings.is_live:
        return dict(SANDBOX_CREDENTIALS)
    found: dict[str, Credential | None] = {"sec": settings.edgar_contact, "tiingo": settings.tiingo_token}
    return {provider: credential for provider, credential in found.items() if credential and _value(credential).strip()}


def _value(credential: Credential) -> str:
    return credential.get_secret_value() if isinstance(credential, SecretStr) else credential
