"""The rooms opened from the settings: ledger, archive, tables, warehouse, gate and transport, and the calendar.

One object per process and run. Everything is opened on first use, so that a command that only reads the warehouse starts
neither a database nor a sandbox. What does not belong here: what to do with them.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from types import TracebackType
from typing import Literal, Self
from zoneinfo import ZoneInfo

import pyarrow.compute as pc

from salescience_pipeline.acquisition.sandbox_process import Sandbox, ensure_sandbox
from salescience_pipeline.catalog import sessions as calendar
from salescience_pipeline.catalog.providers import PROVIDERS
from salescience_pipeline.catalog.scopes import Scope
from salescience_pipeline.clients.endpoints import base_urls, credentials
from salescience_pipeline.clients.gate import Gate, gate_rules
from salescience_pipeline.clients.gate_model import window_bounds
from salescience_pipeline.clients.gate_steps import allowance
from salescience_pipeline.clients.shares import REMEMBERED_SECONDS, share_of
from salescience_pipeline.clients.transport import Transport
from salescience_pipeline.identifiers import Cik, OrganizationId, RequestId, Ticker, parse_date
from salescience_pipeline.lake.archive import Archive
from salescience_pipeline.lake.tables import Tables, Where
from salescience_pipeline.lake.warehouse import Warehouse
from salescience_pipeline.ledger.ledger import Ledger
from salescience_pipeline.settings import Settings, SettingsError


class SelectionError(ValueError):
    """Something was asked for that cannot be: an empty list, a day in the future, an unknown dataset."""


def _utc_now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


class Services:
    """What a run works with."""

    def __init__(
        self,
        settings: Settings,
        *,
        clock: Callable[[], dt.datetime] | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Nothing is opened yet.

        Args:
            settings: Of one world.
            clock: Gives aware moments, to completeness, gate and archive alike; the machine's clock (the database's for the
                gate) by default. With a clock of its own a day of waiting at the providers' limits takes no time.
            sleep: Waits that many seconds; must make ``clock`` advance.
        """
        self.settings, self._given_clock, self._sleep = settings, clock, sleep
        self._clock = clock or _utc_now
        self._transports: list[Transport] = []
        self.request_id: RequestId | None = None
        """Whose request everything is for that is sent from now on; None: every request for itself."""
        self.on_behalf_of: OrganizationId | None = None
        """Out of whose share of a provider's day it comes; None: the product's own."""

    @classmethod
    def open(cls, settings: Settings | None = None) -> Self:
        """Services of ``settings``, the environment's by default."""
        return cls(settings or Settings())

    # -- the rooms --------------------------------------------------------------------------------------------------
    @cached_property
    def ledger(self) -> Ledger:
        """The service database of this world, migrated."""
        self.settings.root.mkdir(parents=True, exist_ok=True)
        return Ledger.of(self.settings)

    @cached_property
    def archive(self) -> Archive:
        """The raw answers."""
        return Archive(self.settings.lake_dir)

    @cached_property
    def tables(self) -> Tables:
        """The Delta tables."""
        return Tables(self.settings.lake_dir)

    @cached_property
    def warehouse(self) -> Warehouse:
        """The published DuckDB versions."""
        return Warehouse(self.settings.warehouse_dir)

    @cached_property
    def sandbox(self) -> Sandbox | None:
        """The sandbox of this world, started when it is not there; None in the live world."""
        return None if self.settings.is_live else ensure_sandbox(self.settings)

    def transport(self, run_id: str, *, mode: Literal["live", "replay"] = "live") -> Transport:
        """The way out for one run; ``replay`` answers from the archive and sends nothing."""
        # Replay must not even start a sandbox; with no address there is nowhere to send to.
        origin = self.sandbox.url if mode == "live" and self.sandbox is not None else None
        opened = Transport(
            gate=Gate(self.ledger.gate_store, gate_rules(self.settings), clock=self._gate_clock, sleep=self._sleep),
            store=self.archive,
            base_urls=base_urls(self.settings, origin) if mode == "live" else {},
            credentials=credentials(self.settings),
            run_id=run_id,
            request_id=self.request_id,
            on_behalf_of=self.on_behalf_of,
            mode=mode,
            threads=self.settings.threads,
            spool_dir=self.settings.root / "spool",
            max_body_bytes=self.settings.max_body_bytes,
            clock=self._clock,
            sleep=self._sleep,
        )
        self._transports.append(opened)
        return opened

    def allowance(self, provider: str) -> int | None:
        """Requests that the provider's quotas still allow whoever we act for, as all processes together have used them.

        None without a quota.
        """
        store, rule = self.ledger.gate_store, gate_rules(self.settings)[provider]
        if not rule.quotas:
            return None
        now = self._gate_clock() if self._gate_clock is not None else store.now()
        state = store.read(provider)
        everybody = allowance(state, rule, now)
        if self.on_behalf_of is None or everybody is None:
            return everybody
        day = window_bounds("day", now, rule.timezone)[0]
        use = store.share_use(provider, day - REMEMBERED_SECONDS, day)
        share = share_of(state, rule, now, self.on_behalf_of, use)
        return everybody if share is None else min(everybody, share.available)

    def rate(self, provider: str) -> float:
        """Requests a second that we allow ourselves at ``provider``, over all processes."""
        return gate_rules(self.settings)[provider].rate

    def used_today(self, provider: str) -> int:
        """Requests to ``provider`` since its day began, retries included."""
        zone = ZoneInfo(PROVIDERS[provider].timezone)
        # The clock of the gate and of the audit, which a frozen day does not stop.
        seconds = self._gate_clock() if self._gate_clock is not None else self.ledger.gate_store.now()
        today = dt.datetime.fromtimestamp(seconds, zone).date()
        return self.archive.audit.sent_since(provider, dt.datetime.combine(today, dt.time(), zone))

    @property
    def _gate_clock(self) -> Callable[[], float] | None:
        given = self._given_clock
        return None if given is None else lambda: given().timestamp()

    def close(self) -> None:
        """Close what was opened."""
        while self._transports:
            self._transports.pop().close()
        for name in ("archive", "ledger"):
            opened = self.__dict__.pop(name, None)
            if opened is not None:
                opened.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def require_credentials(self) -> tuple[str, ...]:
        """Refuse the live world without the contact that SEC asks for; returns a hint per provider that stays out.

        Raises:
            SettingsError: naming the setting.
        """
        if not self.settings.is_live:
            return ()
        have = credentials(self.settings)
        missing = [row for row in PROVIDERS.values() if row.settings_hint and row.id not in have]
        if any(row.id == "sec" for row in missing):
            raise SettingsError(
                f"The live world needs {PROVIDERS['sec'].settings_hint}: SEC shuts out who does not say it."
            )
        return tuple(f"{row.title} stays out until you set {row.settings_hint}." for row in missing)

    # -- the calendar -----------------------------------------------------------------------------------------------
    def now(self) -> dt.datetime:
        """The clock, UTC; frozen at noon in New York where the settings freeze the day."""
        if self.settings.today is None:
            return self._clock()
        noon = dt.datetime.combine(parse_date(self.settings.today), dt.time(12), calendar.NEW_YORK)
        return noon.astimezone(dt.UTC)

    def today(self) -> dt.date:
        """The date in New York."""
        return self.now().astimezone(calendar.NEW_YORK).date()

    def last_session(self) -> dt.date:
        """The newest trading day whose end-of-day prices should be out; of a frozen day (noon), the one before it."""
        return calendar.last_session_out(self.now())

    def sessions(self, first: dt.date, last: dt.date) -> list[dt.date]:
        """Trading days from ``first`` to ``last``, both included."""
        return calendar.sessions(first, last)

    # -- what is followed, and who is who ---------------------------------------------------------------------------
    def seed_watchlist(self) -> tuple[Ticker, ...]:
        """Fill an untouched watchlist with the sandbox world's own lists; the live world starts empty."""
        if self.sandbox is None:
            return ()
        world = self.sandbox.get("/_sandbox/world")
        lists = {
            Scope.ENTIRE_WATCHLIST: world.get("watchlist", []),
            Scope.ACTIVE_SYMBOLS: world.get("active", []),
            Scope.INDICES: world.get("indices", []),
        }
        return self.ledger.watchlist.seed(lists, by=f"sandbox:{self.settings.world.value}")

    def scope_tickers(self, scope: Scope, *, on: dt.date | None = None) -> tuple[Ticker, ...]:
        """The tickers of a scope now, or as a day ended.

        Raises:
            SelectionError: when the scope holds none.
        """
        tickers = self.ledger.watchlist.tickers(scope, on=on)
        if not tickers and on is None and self.seed_watchlist():
            # The sandbox is there without another command, and so are the companies of its world.
            tickers = self.ledger.watchlist.tickers(scope)
        if not tickers and scope is not Scope.NONE:
            raise SelectionError(
                f"The scope {scope.value} is empty; add tickers with `salescience watchlist add --scope {scope.value} TICKER`."
            )
        return tickers

    def ciks(self, tickers: Sequence[Ticker] | None = None) -> Mapping[Ticker, Cik]:
        """The company that each ticker belongs to now; unknown tickers are left out.

        A ticker of ten digits is a CIK: the symbol of a company that no exchange lists.
        """
        where = Where(values={"is_current": [True]} | ({"ticker": list(tickers)} if tickers is not None else {}))
        rows = self.tables.read("core_sec__company_tickers", where, columns=["ticker", "cik"])
        unlisted = {ticker: Cik(ticker) for ticker in tickers or () if _is_cik(ticker)}
        return unlisted | {Ticker(row["ticker"]): Cik(row["cik"]) for row in rows.to_pylist()}

    def oldest_check(self, dataset: str, tickers: Sequence[Ticker]) -> dt.datetime | None:
        """When the least recently checked of ``tickers`` was checked; None when one never was."""
        states = self.ledger.completeness.states(dataset, partitions=[str(ticker) for ticker in tickers] or None)
        return min((state.checked_at for state in states), default=None)

    def tickers_with_unread_filings(self) -> tuple[Ticker, ...]:
        """Tickers of the watchlist whose company has filings that only the daily index knows."""
        followed = self.ledger.watchlist.tickers(Scope.ENTIRE_WATCHLIST)
        ciks = self.ciks(followed)
        rows = self.tables.read(
            "core_sec__filings",
            Where(values={"cik": [str(cik) for cik in ciks.values()]}),
            columns=["cik", "primary_document"],
        )
        waiting = set(rows.filter(pc.is_null(rows["primary_document"]))["cik"].to_pylist())
        return tuple(ticker for ticker in followed if ciks.get(ticker) in waiting)


def _is_cik(text: str) -> bool:
    """Whether a symbol is a CIK in ten digits."""
    return len(text) == 10 and text.isdigit() and text.strip("0") != ""
