"""The variables of the systems before this one: which are taken, which mean nothing, and how that is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from salescience_pipeline.acquisition.sandbox_process import Sandbox
from salescience_pipeline.acquisition.services import Services
from salescience_pipeline.clients.endpoints import base_urls
from salescience_pipeline.environment import notices, notices_here
from salescience_pipeline.gateway.kafka_intake import client_config
from salescience_pipeline.settings import Settings, SettingsError, World
from salescience_pipeline_tests.conftest import TODAY
from salescience_pipeline_tests.test_acquisition.runs import TIINGO, TIINGO_HISTORY, run, select
from salescience_pipeline_tests.test_gateway.serving import gateway

_HUB = "Endpoint=sb://acme.servicebus.windows.net/;SharedAccessKeyName=reader;SharedAccessKey=aHVzaA=="
TAKEN = [
    ("LOG_LEVEL", "WARNING", "log_level", "WARNING"),
    ("DATABASE_URL", "postgresql://u:p@db/x", "ledger_url", "postgresql+psycopg2://u:p@db/x"),
    ("SALESCIENCE_DB_URL", "sqlite:////tmp/x.db", "ledger_url", "sqlite:////tmp/x.db"),
    ("TIINGO_SERVICE_URL", "http://tiingo-service:8001", "provider_urls", {"tiingo": "http://tiingo-service:8001"}),
    ("FINNHUB_SERVICE_URL", "http://finnhub-service:8002", "provider_urls", {"finnhub": "http://finnhub-service:8002"}),
    ("POLYGON_SERVICE_URL", "http://polygon-service:8003", "provider_urls", {"polygon": "http://polygon-service:8003"}),
    (
        "ALPHAVANTAGE_SERVICE_URL",
        "http://alphavantage-service:8004",
        "provider_urls",
        {"alphavantage": "http://alphavantage-service:8004"},
    ),
    ("POLYGON_BASE_URL", "https://api.massive.com", "provider_urls", {"polygon": "https://api.massive.com"}),
    ("USE_KAFKA", "True", "takes_kafka", True),
    ("KAFKA_BOOTSTRAP_SERVERS", "localhost:9093", "kafka_servers", "localhost:9093"),
    ("KAFKA_TOPIC", "orchestrator-events", "kafka_topic", "orchestrator-events"),
    ("EVENT_HUB_NAME", "some-hub", "kafka_topic", "some-hub"),
    ("EVENT_MODE", "kafka", "takes_kafka", True),
]
"""Variable of a source, a value, and what it sets here."""


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A folder without ``.env`` and an environment without the sources' variables."""
    monkeypatch.chdir(tmp_path)
    for name, *_ in TAKEN:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(f"SALESCIENCE_{name}", raising=False)
    return monkeypatch


@pytest.mark.parametrize(("name", "value", "setting", "meaning"), TAKEN, ids=[row[0] for row in TAKEN])
def test_000_19_and_001_29_variables_of_the_sources_are_taken(
    nowhere: pytest.MonkeyPatch, name: str, value: str, setting: str, meaning: object
) -> None:
    assert getattr(Settings(), setting) != meaning or name == "KAFKA_TOPIC"
    nowhere.setenv(name, value)
    assert getattr(Settings(), setting) == meaning
    assert notices([name]) == []


def test_000_19_and_001_30_what_means_nothing_is_told_and_never_its_value(
    nowhere: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text("STORAGE_CONNECTION_STRING=AccountKey=hush\nSALESCIENCE_EDGAR_RAET=5\n")
    nowhere.setenv("REDIS_URL", "redis://:hush@localhost:6379/0")
    nowhere.setenv("FIRESTORE_EMULATOR_HOST", "localhost:8080")
    nowhere.setenv("SALESCIENCE_COLOUR_OF_THE_SKY", "hush")
    told = notices_here()
    assert [sentence.split()[0] for sentence in told] == [
        "FIRESTORE_EMULATOR_HOST",
        "REDIS_URL",
        "SALESCIENCE_COLOUR_OF_THE_SKY",
        "SALESCIENCE_EDGAR_RAET",
        "STORAGE_CONNECTION_STRING",
    ]
    assert "no Redis" in told[1]
    assert told[3] == "SALESCIENCE_EDGAR_RAET is no setting; SALESCIENCE_EDGAR_RATE is one."
    assert "hush" not in " ".join(told)
    assert Settings(home=tmp_path).ledger_url.startswith("sqlite:///")


def test_001_29_a_source_s_variable_leads_the_live_world_to_the_emulator(
    nowhere: pytest.MonkeyPatch, sandbox: Sandbox, tmp_path: Path
) -> None:
    nowhere.setenv("TIINGO_SERVICE_URL", f"{sandbox.url}/tiingo")
    settings = Settings(
        home=tmp_path, world=World.LIVE, today=TODAY, tiingo_token="sandbox", edgar_contact="Acme a@example.com"
    )
    assert base_urls(settings)["finnhub", "api"].startswith("https://")
    with Services(settings) as services:
        acquired = run(services, select(TIINGO_HISTORY, ["ALDRN"]))
        assert acquired.is_complete, acquired.failures
        assert services.tables.row_count(TIINGO) > 0


def test_002_15_a_connection_string_of_event_hubs_becomes_settings_of_kafka(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, event_hub_connection=_HUB, kafka_config={"client.id": "mine"})
    assert client_config(settings) == {
        "client.id": "mine",
        "bootstrap.servers": "acme.servicebus.windows.net:9093",
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "PLAIN",
        "sasl.username": "$ConnectionString",
        "sasl.password": _HUB,
    }
    assert "aHVzaA" not in repr(settings)
    for wrong in ("hush", "Endpoint=https://acme.servicebus.windows.net/;SharedAccessKey=hush", "Endpoint=sb://a/"):
        with pytest.raises(SettingsError, match="must be a connection string") as refused:
            client_config(Settings(home=tmp_path, event_hub_connection=wrong))
        assert "hush" not in str(refused.value)


def test_002_15_and_16_amqp_and_its_checkpoint_store_are_refused_with_the_way_around(
    nowhere: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match="AMQP is not spoken here") as refused:
        Settings(event_mode="amqp")
    assert "SALESCIENCE_EVENT_MODE=kafka" in str(refused.value)
    assert notices(["STORAGE_CONNECTION_STRING"]) == [
        "STORAGE_CONNECTION_STRING is ignored: no checkpoint store is needed; offsets lie with the group of consumers."
    ]
    for mode, expected in (("kafka", "kafka"), ("http", "http")):
        with gateway(Settings(home=tmp_path, event_mode=mode, use_kafka=True)) as client:
            assert client.get("/health").json()["event_mode"] == expected
