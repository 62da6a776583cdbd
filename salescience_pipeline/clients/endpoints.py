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

_KEYS: Mapping[str, str] = {
    "tiingo": "tiingo_token",
    "finnhub": "finnhub_token",
    "polygon": "polygon_key",
    "alphavantage": "alphavantage_key",
    "reducto": "reducto_key",
}
"""Provider -> the setting that holds its key."""

SANDBOX_CREDENTIALS: Mapping[str, Credential] = {
    "sec": "Sandbox sandbox@example.com",
    **dict.fromkeys(_KEYS, "sandbox"),
}


def base_urls(settings: Settings, sandbox_origin: str | None = None) -> dict[tuple[str, str], str]:
    """The base URL of every (provider, host role): the catalogue's in the live world, else below ``sandbox_origin``.

    Raises:
        SettingsError: when the world needs a sandbox and none is given.
    """
    if settings.is_live:
        own = settings.provider_urls
        return {(row.id, role): own.get(row.id, url) for row in PROVIDERS.values() for role, url in row.hosts.items()}
    origin = (sandbox_origin or settings.sandbox_url or "").rstrip("/")
    if not origin:
        raise SettingsError(f"The {settings.world} world needs a sandbox, and none is running.")
    return {(row.id, role): origin + row.sandbox_path for row in PROVIDERS.values() for role in row.hosts}


def credentials(settings: Settings) -> dict[str, Credential]:
    """As whom each provider knows us, without white space around it.

    A provider whose setting is missing or unusable is left out: the transport refuses it with a sentence when it is asked.
    """
    if not settings.is_live:
        return dict(SANDBOX_CREDENTIALS)
    found: dict[str, Credential] = {}
    contact = (settings.edgar_contact or "").strip()
    # SEC shuts out who names no address to write to, and a header takes nothing but printable ASCII.
    if "@" in contact and _fits_a_header(contact):
        found["sec"] = contact
    for provider, setting in _KEYS.items():
        secret: SecretStr | None = getattr(settings, setting)
        key = secret.get_secret_value().strip() if secret is not None else ""
        if key and _fits_a_header(key):
            found[provider] = SecretStr(key)
    return found


def _fits_a_header(value: str) -> bool:
    return value.isascii() and value.isprintable()
