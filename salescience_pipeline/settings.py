"""The settings of the whole product: read from the environment once, frozen, every field explained.

Nothing else reads ``os.environ`` for configuration. Paths are derived here from one root and one *world*, so that
fictional, recorded and live data can never share a lake, a ledger or a warehouse. What does not belong here: constants
that nobody sets.
"""

from __future__ import annotations

from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

from pydantic import AliasChoices, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

_SEC_LIMIT = 10.0
"""Requests per second and user, over all machines: SEC's fair-access rule."""


_NAMED_URLS = ("tiingo", "finnhub", "polygon", "alphavantage")


class World(StrEnum):
    """Where the data comes from; each world has a folder, a ledger and a warehouse of its own."""

    FICTIONAL = "fictional"
    """The sandbox's own seeded market: invented companies, prices and filings."""
    CORPUS = "corpus"
    """The sandbox serving a folder of recorded filings and answers under EDGAR's own URLs."""
    LIVE = "live"
    """The real providers."""


class SettingsError(ValueError):
    """A setting that is missing or wrong, said in one sentence that names the environment variable."""


def _base_url(provider: str) -> Any:
    """A setting that names where one provider is, also by the variable of the service that once stood before it."""
    names = [f"{before}{provider.upper()}_BASE_URL" for before in ("SALESCIENCE_", "")]
    return Field(
        None,
        validation_alias=AliasChoices(*names, f"{provider.upper()}_SERVICE_URL", f"{provider}_base_url"),
        pattern="^https?://",
        description=f"As base_urls, for {provider} alone; what is there must speak the provider's own protocol.",
    )


class Settings(BaseSettings):
    """All settings; environment variables carry the prefix ``SALESCIENCE_``."""

    model_config = SettingsConfigDict(
        env_prefix="SALESCIENCE_",
        env_file=".env",
        env_file_encoding="utf-8",
        extra="ignore",
        frozen=True,
        populate_by_name=True,
    )

    world: World = Field(World.FICTIONAL, description="Where the data comes from: fictional, corpus or live.")
    home: Path = Field(
        Path(".salescience"), description="Root of everything this product writes, one folder per world below it."
    )
    corpus: Path | None = Field(
        None, description="Folder of recorded filings and answers; needed by the corpus world and by some tests."
    )
    database_url: SecretStr | None = Field(
        None,
        validation_alias=AliasChoices("SALESCIENCE_DATABASE_URL", "SALESCIENCE_DB_URL", "DATABASE_URL", "database_url"),
        description="The service database (ledger); SQLite beside the lake by default, or a PostgreSQL URL.",
    )
    master_keys: SecretStr | None = Field(
        None,
        description="Master keys of what organisations wrote: base64 of 32 bytes each, separated by commas; the first wraps, "
        "all unwrap. Without it one is kept in `master.key` beside the ledger. Every machine needs the same.",
    )
    keys_dir: Path | None = Field(
        None,
        description="Folder of the wrapped data keys of organisations, shared by all machines; never back it up with the "
        "database. `keys` beside the lake by default.",
    )
    anchors_dir: Path | None = Field(
        None,
        description="Folder of the audit's daily anchors; best where files can be written and not deleted. `anchors` beside "
        "the lake by default.",
    )
    edgar_contact: str | None = Field(
        None,
        description="Company name and e-mail for EDGAR's User-Agent; compulsory in the live world.",
    )
    edgar_rate: float = Field(
        8.0,
        gt=0,
        le=1_000,
        description="Requests per second to SEC, over all processes and machines together; 10 at most in the live world.",
    )
    edgar_block_seconds: float = Field(
        600.0, ge=1, description="Pause for every process after SEC shows its block page, in seconds."
    )
    tiingo_token: SecretStr | None = Field(
        None,
        validation_alias=AliasChoices("SALESCIENCE_TIINGO_TOKEN", "TIINGO_API_KEY", "tiingo_token"),
        description="Tiingo API token; compulsory for Tiingo in the live world.",
    )
    tiingo_plan: str = Field("free", pattern="^(free|power)$", description="The Tiingo plan, which sets the quotas.")
    tiingo_rate: float | None = Field(
        None,
        gt=0,
        description="Requests per second to Tiingo, all processes together; the plan's own by default. In the live world it "
        "may not exceed the plan's, in the sandbox it may (benchmarks, tests).",
    )
    finnhub_token: SecretStr | None = Field(
        None,
        validation_alias=AliasChoices("SALESCIENCE_FINNHUB_TOKEN", "FINNHUB_API_KEY", "finnhub_token"),
        description="Finnhub API key; compulsory for Finnhub in the live world.",
    )
    finnhub_plan: str = Field(
        "free",
        pattern="^(free|paid-150|paid-300|paid-900)$",
        description="The Finnhub plan: free (60 requests a minute), or the requests a minute of a paid one.",
    )
    finnhub_rate: float | None = Field(
        None, gt=0, description="Requests per second to Finnhub, all processes together; as tiingo_rate."
    )
    polygon_key: SecretStr | None = Field(
        None,
        validation_alias=AliasChoices("SALESCIENCE_POLYGON_KEY", "POLYGON_API_KEY", "MASSIVE_API_KEY", "polygon_key"),
        description="Polygon (Massive) API key; compulsory for Polygon in the live world.",
    )
    polygon_plan: str = Field(
        "free", pattern="^(free|paid)$", description="The Polygon plan: free (5 requests a minute) or paid."
    )
    polygon_rate: float | None = Field(
        None, gt=0, description="Requests per second to Polygon, all processes together; as tiingo_rate."
    )
    alphavantage_key: SecretStr | None = Field(
        None,
        validation_alias=AliasChoices("SALESCIENCE_ALPHAVANTAGE_KEY", "ALPHAVANTAGE_API_KEY", "alphavantage_key"),
        description="Alpha Vantage API key; compulsory for Alpha Vantage in the live world.",
    )
    alphavantage_plan: str = Field(
        "free",
        pattern="^(free|premium-(75|150|300|600|1200))$",
        description="The Alpha Vantage plan: free (25 requests a day), or the requests a minute of a premium one.",
    )
    alphavantage_rate: float | None = Field(
        None, gt=0, description="Requests per second to Alpha Vantage, all processes together; as tiingo_rate."
    )
    yahoo_rate: float = Field(2.0, gt=0, le=50, description="Requests per second to Yahoo, all processes together.")
    base_urls: dict[str, str] = Field(
        default={},
        description="JSON object of provider id to base URL that replaces the provider's own hosts: a proxy, or a test server.",
    )
    tiingo_base_url: str | None = _base_url("tiingo")
    finnhub_base_url: str | None = _base_url("finnhub")
    polygon_base_url: str | None = _base_url("polygon")
    alphavantage_base_url: str | None = _base_url("alphavantage")
    sandbox_url: str | None = Field(
        None, description="A sandbox that already runs; without it one is started when it is needed."
    )
    sandbox_seed: int = Field(7, ge=0, description="Seed of the fictional market.")
    sandbox_companies: int | None = Field(
        None, ge=1, le=10_000, description="Size of the fictional market; the sandbox has a default of its own."
    )
    today: Annotated[str | None, NoDecode] = Field(
        None, pattern=r"^\d{4}-\d{2}-\d{2}$", description="Freeze the calendar at this date (tests and demonstrations)."
    )
    documents_backend: str = Field(
        "local",
        pattern="^(local|reducto)$",
        description="Who cuts filings into blocks: the engine here (local), or the Reducto API (in the sandbox's worlds its "
        "emulator).",
    )
    reducto_key: SecretStr | None = Field(
        None,
        validation_alias=AliasChoices("SALESCIENCE_REDUCTO_KEY", "REDUCTO_API_KEY", "reducto_key"),
        description="Reducto API key; compulsory for the reducto backend in the live world.",
    )
    reducto_webhook_url: str = Field(
        "",
        description="Address under which Reducto reaches the port below (https://...); with it the ends of jobs are told by "
        "webhook, without it they are polled.",
    )
    reducto_webhook_port: int = Field(
        0,
        ge=0,
        le=65_535,
        description="Port on 127.0.0.1 that takes Reducto's webhooks, behind a proxy; 0 for a free one.",
    )
    exhibits: list[Annotated[str, Field(pattern=r"^[A-Z0-9][A-Z0-9 /-]{0,19}:[1-9][0-9]{0,2}$")]] | None = Field(
        None,
        description='JSON list of the exhibits that are kept beside main documents, as FORM:NUMBER (`["10-K:21"]`), `[]` for '
        "none; by default lists of subsidiaries, reports incorporated by reference, and press releases. They come with the "
        "complete submission, in one request in place of that for the main document.",
    )
    document_workers: int = Field(
        2, ge=1, le=64, description="Processes that read documents at once in one run, each with a budget of its own."
    )
    threads: int = Field(8, ge=1, le=64, description="Requests in flight at once in one run.")
    max_body_bytes: int = Field(500_000_000, ge=1, description="Cap on one decoded answer, in bytes.")
    gateway_host: str = Field("127.0.0.1", description="Address on which `salescience gateway` listens.")
    gateway_port: int = Field(8100, ge=0, le=65_535, description="Port of the gateway; 0 takes a free one.")
    gateway_auth: str = Field(
        "auto",
        pattern="^(auto|none|api_key|jwt)$",
        description="Who may ask the gateway: `api_key`, `jwt` (tokens of an identity provider, and API keys), or `none` for "
        "programs on this machine only; `auto` is `none` in the sandbox's worlds and `api_key` in the live one.",
    )
    jwt_issuer: str | None = Field(None, description="The issuer (`iss`) whose tokens are taken, to the letter.")
    jwt_audience: str | None = Field(None, description="The audience (`aud`) that a token must name: this gateway.")
    jwt_jwks_url: str | None = Field(
        None, description="Where the issuer's public keys are (JWKS), https only; or `SALESCIENCE_JWT_JWKS_FILE`."
    )
    jwt_jwks_file: Path | None = Field(None, description="A file with the issuer's public keys (JWKS).")
    jwt_algorithms: list[str] = Field(
        default=["RS256", "PS256", "ES256", "EdDSA"],
        description="JSON list of the algorithms that tokens may be signed with; only asymmetric ones are taken.",
    )
    jwt_organization_claim: str = Field("org_id", description="The claim that names the organisation, as its id.")
    jwt_scope_claim: str = Field("scope", description="The claim of scopes: words in one text, or a list.")
    jwt_needs_nbf: bool = Field(
        True,
        description="Whether a token must say from when it is valid (`nbf`); where its issuer never does, `false` has it say "
        "when it was issued (`iat`) instead.",
    )
    gateway_origins: list[str] = Field(
        default=[], description="JSON list of web origins whose pages may call the gateway (CORS); `*` is refused."
    )
    requests_per_minute: int = Field(
        60_000,
        ge=1,
        description="Requests that an organisation may make to the gateways in a minute, all of them together, where it has "
        "no limit of its own (`salescience keys limits`).",
    )
    upstreams: dict[str, str] = Field(
        default={},
        description="JSON object of the services behind the gateway: writer, research and backend, with their URLs.",
    )
    upstream_seconds: float = Field(
        30.0,
        gt=0,
        le=300,
        description="Seconds that a request to a service behind the gateway may take, retries included.",
    )
    upstream_retry_seconds: float = Field(1.0, ge=0, le=30, description="Seconds between two tries of such a request.")
    health_seconds: float = Field(30.0, gt=0, le=3_600, description="Seconds between two looks at those services.")
    services: dict[str, str] = Field(
        default={}, description="JSON object of service name (revenue, rebates...) to URL for /api/orchestrate."
    )
    alert_url: SecretStr | None = Field(
        None,
        description="Where what people must know of is told once when it begins and once when it is over: an address that "
        "takes JSON by POST, as the incoming webhook of a chat.",
    )
    webhook_networks: list[str] = Field(
        default=[],
        description="JSON list of networks in which webhooks may be although they are not public, as 10.1.0.0/16.",
    )
    use_kafka: bool = Field(
        False,
        validation_alias=AliasChoices("SALESCIENCE_USE_KAFKA", "USE_KAFKA", "use_kafka"),
        description="Whether `salescience up` also takes messages of a Kafka topic in (extra `kafka`).",
    )
    kafka_servers: str | None = Field(
        None,
        validation_alias=AliasChoices("SALESCIENCE_KAFKA_SERVERS", "KAFKA_BOOTSTRAP_SERVERS", "kafka_servers"),
        description="Kafka brokers as host:port,host:port.",
    )
    kafka_topic: str = Field(
        "orchestrator-events",
        validation_alias=AliasChoices("SALESCIENCE_KAFKA_TOPIC", "KAFKA_TOPIC", "EVENT_HUB_NAME", "kafka_topic"),
        pattern=r"^[A-Za-z0-9._-]{1,200}$",
        description="The topic of submissions and tasks; what nobody can read goes to <topic>.dlq.",
    )
    kafka_group: str = Field("salescience", min_length=1, description="The group of consumers.")
    kafka_organization: str | None = Field(
        None, description="The organisation that the topic belongs to; compulsory in the live world, else `local`."
    )
    kafka_config: dict[str, SecretStr] = Field(
        default={}, description="JSON object of more librdkafka settings, as security.protocol and sasl.password."
    )
    event_hub_connection: SecretStr | None = Field(
        None,
        validation_alias=AliasChoices(
            "SALESCIENCE_EVENT_HUB_CONNECTION", "EVENT_HUB_CONNECTION_STRING", "event_hub_connection"
        ),
        description="Connection string of an Azure Event Hubs namespace, which speaks Kafka's protocol: gives brokers, TLS and "
        "SASL.",
    )
    event_mode: str | None = Field(
        None,
        validation_alias=AliasChoices("SALESCIENCE_EVENT_MODE", "EVENT_MODE", "event_mode"),
        pattern="^(http|kafka|amqp)$",
        description="How tasks come in besides HTTP: `kafka` as use_kafka, `http` by nothing else; `amqp` is refused with the "
        "way around it.",
    )
    orchestrate_direct: bool = Field(
        False, description="Whether /api/orchestrate/direct answers in the live world too; it is meant for tests."
    )
    log_level: str = Field(
        "INFO",
        validation_alias=AliasChoices("SALESCIENCE_LOG_LEVEL", "LOG_LEVEL", "log_level"),
        pattern="^(DEBUG|INFO|WARNING|ERROR)$",
        description="Level of our own log lines.",
    )
    log_format: str = Field(
        "text",
        pattern="^(text|json)$",
        description="Form of our own log lines: `json` is one object per line, with the request's id in each, and a line per "
        "request to the gateway.",
    )
    otlp_endpoint: str | None = Field(
        None,
        pattern="^https?://",
        description="Where traces go (OTLP over HTTP), as http://127.0.0.1:4318/v1/traces; needs the extra `otel`.",
    )

    @model_validator(mode="after")
    def _world_has_what_it_needs(self) -> Settings:
        if self.world is World.CORPUS and self.corpus is None:
            raise SettingsError("The corpus world needs SALESCIENCE_CORPUS, the folder of recorded filings.")
        if self.event_mode == "amqp":
            raise SettingsError(
                "AMQP is not spoken here; Azure Event Hubs takes Kafka's protocol too: set SALESCIENCE_EVENT_HUB_CONNECTION "
                "and SALESCIENCE_EVENT_MODE=kafka."
            )
        if self.is_live and self.edgar_rate > _SEC_LIMIT:
            raise SettingsError("SALESCIENCE_EDGAR_RATE may be 10 at most: SEC shuts out who asks faster.")
        return self

    @cached_property
    def root(self) -> Path:
        """The folder of this world, absolute."""
        return (self.home / self.world.value).expanduser().resolve()

    @property
    def lake_dir(self) -> Path:
        """Root of archive and Delta tables."""
        return self.root / "lake"

    @property
    def warehouse_dir(self) -> Path:
        """Folder of the published DuckDB versions and the ``warehouse.duckdb`` link."""
        return self.root / "warehouse"

    @property
    def ledger_url(self) -> str:
        """SQLAlchemy URL of the service database; PostgreSQL is normalised to the psycopg2 driver.

        The bare ``postgresql://`` scheme means psycopg 3 from SQLAlchemy 2.1 on, which dagster-postgres does not ship.
        """
        if self.database_url is None:
            return f"sqlite:///{self.root / 'ledger.db'}"
        url = self.database_url.get_secret_value()
        for bare in ("postgresql://", "postgres://"):
            if url.startswith(bare):
                return "postgresql+psycopg2://" + url.removeprefix(bare)
        return url

    def secrets(self) -> list[str]:
        """The values of all secret settings, for the redactor."""
        held = (getattr(self, name) for name in type(self).model_fields)
        return [value.get_secret_value() for value in held if isinstance(value, SecretStr)]

    @property
    def provider_urls(self) -> dict[str, str]:
        """Base URLs that replace the providers' own, by provider id."""
        named = {provider: getattr(self, f"{provider}_base_url") for provider in _NAMED_URLS}
        return {provider: url for provider, url in named.items() if url is not None} | self.base_urls

    @property
    def takes_kafka(self) -> bool:
        """Whether tasks come in over Kafka as well."""
        return self.use_kafka if self.event_mode is None else self.event_mode == "kafka"

    @property
    def is_live(self) -> bool:
        """Whether requests leave this machine."""
        return self.world is World.LIVE

    @property
    def provenance_note(self) -> str | None:
        """The sentence that goes wherever data is shown, when the data is not real and current."""
        if self.world is World.FICTIONAL:
            return "Fictional data: invented companies, prices and filings from the sandbox."
        if self.world is World.CORPUS:
            return "Recorded data: served by the sandbox from a folder of old filings and answers."
        return None
