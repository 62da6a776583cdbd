"""The gate before every provider, shared by all threads, processes and (over PostgreSQL) machines.

:class:`Gate` applies the pure steps of ``gate_steps`` to one row per provider in a :class:`GateStore`, and sleeps until
the slot it was given. Nothing may be sent to a provider without a permit from here.

What does not belong here: databases (``ledger.gate_store`` implements the store), HTTP and retries.
"""

from __future__ import annotations

import datetime as dt
import time
import uuid
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Protocol
from zoneinfo import ZoneInfo

from salescience_pipeline.catalog.providers import PROVIDERS
from salescience_pipeline.clients.errors import CircuitOpen, RateLimited, Retryable
from salescience_pipeline.clients.gate_model import (
    Decision,
    GateRule,
    GateState,
    Permit,
    Refusal,
    SymbolUse,
    Wait,
    window_bounds,
)
from salescience_pipeline.clients.gate_steps import admits, departed, due, postpone, report, reserve
from salescience_pipeline.clients.model import AnswerClass
from salescience_pipeline.clients.shares import REMEMBERED_SECONDS, ShareUse, refusal_of, share_of
from salescience_pipeline.settings import Settings, SettingsError

__all__ = ["Gate", "GateRow", "GateRule", "GateState", "GateStore", "Permit", "SymbolUse", "gate_rules"]

_LOOK = 0.02
"""Seconds before its time at which a sleeping permit looks at the row again; far less than ``spacing - grace``."""


def gate_rules(settings: Settings) -> dict[str, GateRule]:
    """The rule of every provider in the catalogue, with what the settings say about some of them.

    Raises:
        SettingsError: when a provider is to be asked faster than its plan allows, in the live world.
    """
    rules = {provider.id: GateRule.of(provider) for provider in PROVIDERS.values()}
    rules["sec"] = GateRule.of(PROVIDERS["sec"], rate=settings.edgar_rate, block_seconds=settings.edgar_block_seconds)
    rules["yahoo"] = GateRule.of(PROVIDERS["yahoo"], rate=settings.yahoo_rate)
    plans: dict[str, tuple[str, float | None]] = {
        "tiingo": (settings.tiingo_plan, settings.tiingo_rate),
        "finnhub": (settings.finnhub_plan, settings.finnhub_rate),
        "polygon": (settings.polygon_plan, settings.polygon_rate),
        "alphavantage": (settings.alphavantage_plan, settings.alphavantage_rate),
    }
    for provider, (plan, rate) in plans.items():
        _refuse_haste(settings, provider, plan, rate)
        rules[provider] = GateRule.of(PROVIDERS[provider], plan=plan, rate=rate)
    return rules


def _refuse_haste(settings: Settings, provider: str, plan: str, rate: float | None) -> None:
    allowed = PROVIDERS[provider].plan(plan).rate
    if settings.is_live and rate is not None and rate > allowed:
        raise SettingsError(
            f"SALESCIENCE_{provider.upper()}_RATE is {rate:g}, but {PROVIDERS[provider].title}'s {plan} plan allows "
            f"{allowed:g} requests per second."
        )


class GateRow(Protocol):
    """One provider's row while its lock is held."""

    @property
    def state(self) -> GateState:
        """The state as stored (a fresh one for a provider never asked)."""
        ...

    def save(self, state: GateState) -> None:
        """Write ``state``; it becomes visible when the transaction ends."""
        ...

    def symbol_use(self, month: dt.date, symbol: str) -> SymbolUse:
        """How many symbols were asked for in ``month``, and whether ``symbol`` is not among them."""
        ...

    def add_symbol(self, month: dt.date, symbol: str) -> None:
        """Remember that ``symbol`` was asked for in ``month``."""
        ...

    def share_use(self, since: float, day: float) -> ShareUse:
        """The organisations that asked on a day that began at ``since`` or later, and what they used of ``day``."""
        ...

    def add_share(self, organization: str, day: float, cost: int) -> None:
        """Count ``cost`` requests of ``organization`` in the day that began at ``day``."""
        ...


class GateStore(Protocol):
    """Where the rows live; ``ledger.gate_store`` implements it for SQLite and for PostgreSQL."""

    def now(self) -> float:
        """The clock that all users of this store share, in epoch seconds."""
        ...

    def read(self, provider: str) -> GateState:
        """The state as last committed, without a lock."""
        ...

    def transaction(self, provider: str) -> AbstractContextManager[GateRow]:
        """Lock the provider's row; what was saved is committed at the end, or forgotten when an exception leaves."""
        ...


class Gate:
    """The gate of all providers over one shared store; safe for threads, processes and, on PostgreSQL, machines."""

    def __init__(
        self,
        store: GateStore,
        rules: Mapping[str, GateRule],
        *,
        clock: Callable[[], float] | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Use the store's own clock unless another is given; ``sleep`` must make that clock advance."""
        self._store, self.rules = store, dict(rules)
        self._clock = clock or store.now
        self._sleep = sleep
        self._lead = 0.0
        """Running mean of a transaction's duration: a slot before its own commit could never be kept."""

    def acquire(
        self,
        provider: str,
        cost: int = 1,
        *,
        symbol: str | None = None,
        organization: str | None = None,
        max_wait: float = 120.0,
        patience: float = 0.0,
    ) -> Permit:
        """Wait for the next slot and return at that moment; the caller sends at once and then calls :meth:`report`.

        Args:
            provider: Id of the catalogue row.
            cost: How many requests this one counts as, at most half the rate.
            symbol: The symbol asked for, where the plan limits distinct symbols.
            organization: Whose share of the day's allowance it comes from (``shares``); None for the product's own runs.
            max_wait: Seconds to wait for a turn, a pause of the provider included.
            patience: Seconds to sit out a breaker, a block or a quota, instead of being refused at once.

        Raises:
            CircuitOpen: the breaker is open, or the queue is longer than ``max_wait``.
            RateLimited: the provider asked for a pause longer than ``max_wait``.
            Blocked: the provider shut us out.
            QuotaExhausted: an allowance is spent until the window ends.
            KeyError: there is no rule for ``provider``.
        """
        rule, holder = self.rules[provider], uuid.uuid4().hex
        started = self._clock()
        deadline, unused = started + max_wait, None
        while True:
            decision = self._reserve(
                rule, holder, cost=cost, symbol=symbol, organization=organization, deadline=deadline, unused=unused
            )
            if isinstance(decision, Permit):
                kept = self._wait_for(rule, decision)
                if kept is not None:
                    return kept
                unused = decision
                continue
            now = self._clock()
            if isinstance(decision, Wait) or decision.retry_at > started + patience:
                raise _error(provider, decision)
            pause = max(decision.retry_at - now, 0.0)
            self._sleep(pause)
            deadline += pause

    def sent(self, provider: str, permit: Permit) -> None:
        """Tell, right after the request's bytes have left, that they have; optional, and free unless they were late.

        Between :meth:`acquire` and the wire lie a connection to be opened and a machine with other things to do. Who
        comes a spacing later keeps its distance from what was really sent.
        """
        rule = self.rules[provider]
        now = self._clock()
        if now - permit.at > rule.tolerance:
            with self._store.transaction(provider) as row:
                row.save(departed(row.state, rule, now, permit))

    def report(
        self, provider: str, permit: Permit, outcome: AnswerClass | None, retry_at: dt.datetime | float | None = None
    ) -> None:
        """Tell how the request went; ``None`` as outcome gives an unused permit back.

        Args:
            provider: Id of the catalogue row.
            permit: What :meth:`acquire` returned.
            outcome: The answer's class.
            retry_at: When the provider says we may come back.
        """
        rule = self.rules[provider]
        told = retry_at.timestamp() if isinstance(retry_at, dt.datetime) else retry_at
        # Nearly every answer is a good one that changes nothing: look first, lock only when there is something to say.
        seen = self._store.read(provider)
        if report(seen, rule, self._clock(), permit, outcome, retry_at=told) == seen:
            return
        with self._store.transaction(provider) as row:
            state = report(row.state, rule, self._clock(), permit, outcome, retry_at=told)
            if state != row.state:
                row.save(state)

    def _reserve(
        self,
        rule: GateRule,
        holder: str,
        *,
        cost: int,
        symbol: str | None,
        organization: str | None,
        deadline: float,
        unused: Permit | None,
    ) -> Decision:
        begun = self._clock()
        with self._store.transaction(rule.provider) as row:
            # Read inside the lock: the wait for it must not make the slot late.
            locked = self._clock()
            now = locked + self._lead
            use = None
            month = dt.datetime.fromtimestamp(now, ZoneInfo(rule.timezone)).date().replace(day=1)
            if symbol is not None and rule.symbol_limit is not None:
                use = row.symbol_use(month, symbol)
            shared = organization if rule.day_limit is not None and unused is None else None
            if shared is not None and (refusal := _beyond_share(row, rule, now, shared, cost)) is not None:
                return refusal
            state, decision = reserve(
                row.state,
                rule,
                now,
                holder=holder,
                cost=cost,
                horizon=max(deadline - now, 0.0),
                symbols=use,
                replaces=unused,
            )
            if state != row.state:
                row.save(state)
            if isinstance(decision, Permit) and use is not None and use.is_new and symbol is not None:
                row.add_symbol(month, symbol)
            if isinstance(decision, Permit) and shared is not None:
                row.add_share(shared, window_bounds("day", decision.at, rule.timezone)[0], cost)
        spent = min(max(self._clock() - max(locked, begun), 0.0), 0.1)
        self._lead += 0.1 * (spent - self._lead)
        return decision

    def _wait_for(self, rule: GateRule, permit: Permit) -> Permit | None:
        """Sleep until the permit may be used; None when it cannot be used any more."""
        while True:
            moved, ahead = False, permit.at - self._clock()
            if ahead > _LOOK:
                # What happened meanwhile (a block, an opened breaker, a late request) counts: look just before.
                self._sleep(ahead - min(2 * self._lead, _LOOK / 2))
                state = self._store.read(rule.provider)
                if not admits(state, permit, max(self._clock(), permit.at)):
                    return None
                moved = due(state, rule, permit) > permit.at
                ahead = permit.at - self._clock()
            if not moved:
                if ahead > 0:
                    self._sleep(ahead)
                if self._clock() - permit.at <= rule.tolerance:
                    return permit
            with self._store.transaction(rule.provider) as row:
                now = self._clock() + self._lead
                state, later = postpone(row.state, rule, now, permit)
                if later is None or not admits(row.state, permit, now):
                    return None
                row.save(state)
            permit = later


def _beyond_share(row: GateRow, rule: GateRule, now: float, organization: str, cost: int) -> Refusal | None:
    day = window_bounds("day", now, rule.timezone)[0]
    share = share_of(row.state, rule, now, organization, row.share_use(day - REMEMBERED_SECONDS, day))
    return None if share is None else refusal_of(share, cost)


def _error(provider: str, decision: Wait | Refusal) -> Retryable:
    title = PROVIDERS[provider].title if provider in PROVIDERS else provider
    until = decision.until if isinstance(decision, Wait) else decision.retry_at
    moment = dt.datetime.fromtimestamp(until, dt.UTC)
    spelled = moment.strftime("%Y-%m-%d %H:%M:%S UTC")
    if isinstance(decision, Refusal):
        return decision.reason(
            f"{title} {decision.detail}; nothing is sent before {spelled}.", provider=provider, retry_at=moment
        )
    if decision.paused:
        return RateLimited(
            f"{title} asked for a pause; nothing is sent before {spelled}.", provider=provider, retry_at=moment
        )
    return CircuitOpen(
        f"The queue for {title} is full; the next free slot is at {spelled}.", provider=provider, retry_at=moment
    )
