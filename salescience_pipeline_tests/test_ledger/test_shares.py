"""The day's requests of a provider between organisations: the rule with plain numbers, then over both databases."""

from __future__ import annotations

import datetime as dt
import threading

from hypothesis import given
from hypothesis import strategies as st

from salescience_pipeline.catalog.providers import Quota
from salescience_pipeline.clients.errors import QuotaExhausted
from salescience_pipeline.clients.gate import Gate, GateRule
from salescience_pipeline.clients.gate_model import GateState
from salescience_pipeline.clients.shares import Share, ShareUse, refusal_of, share_of
from salescience_pipeline.identifiers import OrganizationId
from salescience_pipeline.ledger import Ledger
from salescience_pipeline_tests.clocks import Seconds

MORNING = dt.datetime(2026, 11, 20, tzinfo=dt.UTC).timestamp()
DAY = 86_400.0
RULE = GateRule("alphavantage", 1_000.0, (Quota("day", 24),))
ACME, OTHER, THIRD = (OrganizationId(name) for name in ("acme", "other", "third"))


def share(now: float, used: dict[str, int], *, who: str = "acme", known: int = 2, own: int = 0) -> Share:
    total = sum(used.values()) + own
    found = share_of(GateState(day_start=MORNING, day_used=total), RULE, now, who, ShareUse(used, known))
    assert found is not None
    return found


def test_003_36_the_day_is_cut_into_places_and_what_is_unused_is_lent_as_it_passes() -> None:
    # Places: acme, the other, the product's own runs; of 24 each holds 8.
    morning = share(MORNING, {"other": 0})
    assert (morning.place, morning.available, morning.kept) == (8, 8, 16)
    assert share(MORNING, {"acme": 8, "other": 0}).available == 0
    # At noon half of what the others' places hold is lent.
    assert share(MORNING + DAY / 2, {"acme": 8, "other": 0}).available == 8
    assert share(MORNING + DAY - 1, {"acme": 8, "other": 0}).available == 15
    # What the others have used is not kept for them any more.
    assert share(MORNING, {"acme": 8, "other": 8}, own=4).available == 0
    assert share(MORNING, {"acme": 4, "other": 8}, own=4).available == 4


def test_003_36_one_organization_has_everything_and_one_that_never_asked_has_a_place() -> None:
    assert share(MORNING, {}, known=1).available == 24
    assert share(MORNING, {}, known=2).place == 8
    assert share(MORNING, {"acme": 1, "other": 1}, known=3).place == 6
    unlimited = GateRule("sec", 10.0)
    assert share_of(GateState(), unlimited, MORNING, "acme", ShareUse({}, 5)) is None


def test_003_36_who_is_refused_is_told_when_enough_has_been_lent() -> None:
    spent = share(MORNING, {"acme": 8, "other": 0})
    refusal = refusal_of(spent, 1)
    assert refusal is not None
    assert refusal.reason is QuotaExhausted
    assert MORNING < refusal.retry_at < MORNING + DAY
    assert share(refusal.retry_at, {"acme": 8, "other": 0}).available == 1
    assert share(refusal.retry_at - 60, {"acme": 8, "other": 0}).available == 0
    assert refusal_of(share(MORNING, {"other": 0}), 1) is None
    # Nothing is left for anybody: that is for the gate to say.
    assert refusal_of(share(MORNING, {"acme": 24, "other": 0}), 1) is None


@given(
    st.dictionaries(st.sampled_from(["acme", "other", "third"]), st.integers(0, 24), max_size=3),
    st.integers(0, 24),
    st.floats(0, DAY - 1),
    st.integers(2, 6),
)
def test_003_36_no_share_exceeds_what_is_left_nor_undercuts_its_place(
    used: dict[str, int], own: int, passed: float, known: int
) -> None:
    found = share(MORNING + passed, used, known=known, own=own)
    assert 0 <= found.available <= found.left
    assert found.available >= min(found.place - found.used, found.left)
    refused = refusal_of(found, 1)
    assert (refused is None) == (found.available >= 1 or found.left == 0)
    if refused is not None:
        assert MORNING + passed <= refused.retry_at + 1e-3
        assert refused.retry_at <= MORNING + DAY


def _gate(ledger: Ledger, clock: Seconds) -> Gate:
    return Gate(ledger.gate_store, {"alphavantage": RULE}, clock=clock, sleep=clock.sleep)


def _spend(gate: Gate, who: str | None) -> int:
    """How many requests ``who`` is let through until it is refused."""
    for number in range(100):
        try:
            gate.acquire("alphavantage", organization=who)
        except QuotaExhausted:
            return number
    raise AssertionError("nobody was refused")


def test_003_36_one_organization_cannot_spend_the_whole_day(ledger: Ledger) -> None:
    for name in (ACME, OTHER):
        ledger.organizations.ensure(name)
    clock = Seconds(MORNING + 60.0)
    gate = _gate(ledger, clock)
    assert _spend(gate, "acme") == 8
    # The other one, which never asked before, and the product's own runs find theirs.
    assert _spend(gate, "other") == 8
    assert _spend(gate, None) == 8
    # The next day everything begins anew, and both places are remembered.
    clock.now = MORNING + DAY + 60.0
    use = ledger.gate_store.share_use("alphavantage", MORNING - DAY, MORNING + DAY)
    assert dict(use.used) == {"acme": 0, "other": 0}
    assert _spend(gate, "acme") == 8
    # Late in the day it may have what nobody came for.
    clock.now = MORNING + 2 * DAY - 60.0
    assert _spend(gate, "acme") == 15
    assert gate._store.read("alphavantage").day_used == 23


def test_003_36_threads_of_one_organization_count_together(ledger: Ledger) -> None:
    for name in (ACME, OTHER, THIRD):
        ledger.organizations.ensure(name)
    let_through: list[int] = []

    def spend() -> None:
        let_through.append(_spend(_gate(ledger, Seconds(MORNING + 60.0)), "acme"))

    threads = [threading.Thread(target=spend) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # Places of acme, of the product's own runs, and of those that have not asked yet.
    assert sum(let_through) == 8
    assert dict(ledger.gate_store.share_use("alphavantage", MORNING, MORNING).used) == {"acme": 8}


def test_003_36_an_organization_that_is_shut_out_holds_no_place(ledger: Ledger) -> None:
    ledger.organizations.ensure(ACME)
    assert ledger.gate_store.share_use("alphavantage", MORNING, MORNING) == ShareUse({}, 1)
    # Alone again it has the day for itself; what refuses it then is the provider's own limit.
    assert _spend(_gate(ledger, Seconds(MORNING)), "acme") == 24
