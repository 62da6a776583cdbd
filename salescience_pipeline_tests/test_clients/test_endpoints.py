"""Where requests go and as whom, by world."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr

from salescience_pipeline.catalog.providers import PROVIDERS
from salescience_pipeline.clients.endpoints import base_urls, credentials
from salescience_pipeline.settings import Settings, SettingsError, World


def settings(world: World, **more: object) -> Settings:
    return Settings(_env_file=None, world=world, **more)  # type: ignore[arg-type,call-arg]


def test_the_live_world_goes_to_the_catalogue_s_hosts() -> None:
    urls = base_urls(settings(World.LIVE), "http://127.0.0.1:1")
    assert urls["sec", "data"] == "https://data.sec.gov"
    assert urls["yahoo", "cookie"] == "https://fc.yahoo.com"
    assert all(url.startswith("https://") for url in urls.values())
    assert set(urls) == {(row.id, role) for row in PROVIDERS.values() for role in row.hosts}


@pytest.mark.parametrize("world", [World.FICTIONAL, World.CORPUS])
def test_every_other_world_stays_on_this_machine(world: World, tmp_path: Path) -> None:
    urls = base_urls(settings(world, corpus=tmp_path), "http://127.0.0.1:8765/")
    assert urls["sec", "www"] == urls["sec", "data"] == "http://127.0.0.1:8765/edgar"
    assert urls["tiingo", "api"] == "http://127.0.0.1:8765/tiingo"
    with pytest.raises(SettingsError, match="needs a sandbox"):
        base_urls(settings(world, corpus=tmp_path))


def test_a_sandbox_that_runs_already_is_used() -> None:
    urls = base_urls(settings(World.FICTIONAL, sandbox_url="http://127.0.0.1:9"))
    assert urls["yahoo", "query1"] == "http://127.0.0.1:9/yahoo"


def test_real_credentials_are_used_in_the_live_world_only() -> None:
    keys = {
        "tiingo": ("tiingo_token", SecretStr("real-token")),
        "finnhub": ("finnhub_token", SecretStr("real-finnhub")),
        "polygon": ("polygon_key", SecretStr("real-polygon")),
        "alphavantage": ("alphavantage_key", SecretStr("real-alphavantage")),
        "reducto": ("reducto_key", SecretStr("real-reducto")),
    }
    given = {"edgar_contact": "Company ops@example.com"} | dict(keys.values())
    assert credentials(settings(World.FICTIONAL, **given)) == {
        "sec": "Sandbox sandbox@example.com",
        **dict.fromkeys(keys, "sandbox"),
    }
    assert credentials(settings(World.LIVE, **given)) == {
        "sec": "Company ops@example.com",
        **{provider: secret for provider, (_, secret) in keys.items()},
    }


@pytest.mark.parametrize(
    "contact", [None, " ", "Company without an address", "a@b.example\nX-Evil: 1", "Gr\u00fcn a@b.example"]
)
@pytest.mark.parametrize("token", [None, "", " \n", "two\nlines"])
def test_what_is_missing_or_unusable_in_the_live_world_is_left_out(contact: str | None, token: str | None) -> None:
    assert credentials(settings(World.LIVE, edgar_contact=contact, tiingo_token=token)) == {}


def test_white_space_around_a_credential_is_no_part_of_it() -> None:
    given = credentials(settings(World.LIVE, edgar_contact=" Company ops@example.com\n", tiingo_token="real-token\n"))
    assert given == {"sec": "Company ops@example.com", "tiingo": SecretStr("real-token")}
