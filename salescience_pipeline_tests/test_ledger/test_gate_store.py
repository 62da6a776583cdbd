"""The gate over a real database, from one thread to eight processes; no assertion depends on how fast the machine is."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import subprocess
import sys
import threading
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from salescience_pipeline.catalog.providers import Quota
from salescience_pipeline.clients.errors import Blocked, CircuitOpen, QuotaExhausted, RateLimited
from salescience_pipeline.clients.gate import Gate, GateRule
from salescience_pipeline.clients.gate_model import Breaker, GateState
from salescience_pipeline.clients.model import AnswerClass
from salescience_pipeline.ledger import Ledger
from salescience_pipeline.ledger.models import ProviderGate
from salescience_pipeline_tests.clocks import Seconds

T0 = dt.datetime(2026, 11, 20, 22, 30, tzinfo=dt.UTC).timestamp()


@pytest.fixture
def clock() -> Seconds:
    return Seconds(T0)


@pytest.fixture
def gate(ledger: Ledger, clock: Seconds) -> Callable[..., Gate]:
    def make(**rule: Any) -> Gate:
        rules = {"sec": GateRule("sec", **{"rate": 10.0, **rule})}
        return Gate(ledger.gate_store, rules, clock=clock, sleep=clock.sleep)

    return make


def test_the_table_has_exactly_the_fields_of_the_state() -> None:
    fields = {field.name for field in dataclasses.fields(GateState)}
    assert set(ProviderGate.__table__.columns.keys()) == fields | {"provider"}


def test_what_is_saved_is_read_back_field_by_field(ledger: Ledger) -> None:
    values: dict[str, Any] = {
        field.name: number + 0.123456 if field.type == "float" else number
        for number, field in enumerate(dataclasses.fields(GateState), start=1_700_000_000)
    }
    state = GateState(
        **{**values, "breaker": Breaker.HALF_OPEN, "probe_holder": "x" * 32, "late": ((7, 1_700_000_000.25),)}
    )
    with ledger.gate_store.transaction("sec") as row:
        assert row.state == GateState()
        row.save(state)
    assert ledger.gate_store.read("sec") == state
    assert ledger.gate_store.read("yahoo") == GateState()


def test_an_exception_under_the_lock_changes_nothing_and_locks_nobody_out(ledger: Ledger) -> None:
    def break_off() -> None:
        with ledger.gate_store.transaction("sec") as row:
            row.save(GateState(tat=5.0))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        break_off()
    with ledger.gate_store.transaction("sec") as row:
        assert row.state == GateState()


def test_no_step_is_lost_between_threads(ledger: Ledger) -> None:
    def count() -> None:
        for _ in range(25):
            with ledger.gate_store.transaction("sec") as row:
                row.save(dataclasses.replace(row.state, throttled=row.state.throttled + 1))

    threads = [threading.Thread(target=count) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ledger.gate_store.read("sec").throttled == 200


def test_a_dropped_connection_is_replaced(ledger: Ledger) -> None:
    if ledger.engine.dialect.name == "postgresql":
        ledger.gate_store.read("sec")
        with ledger.engine.connect() as connection:
            connection.exec_driver_sql(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE pid <> pg_backend_pid() AND datname = current_database()"
            )
    assert ledger.gate_store.read("sec") == GateState()


def test_acquire_sleeps_to_the_slot_and_returns_there(gate: Callable[..., Gate], clock: Seconds) -> None:
    one = gate()
    permits = [one.acquire("sec") for _ in range(5)]
    assert permits[0].at == T0
    assert all(later.at - sooner.at == pytest.approx(0.1035, abs=1e-5) for sooner, later in pairwise(permits))
    assert clock.now == pytest.approx(permits[-1].at)


def test_who_wakes_too_late_gets_a_slot_that_is_not_over(ledger: Ledger, clock: Seconds) -> None:
    naps = iter([0.5, 0.0])

    def oversleep(seconds: float) -> None:
        clock.sleep(seconds + next(naps, 0.0))

    one = Gate(ledger.gate_store, {"sec": GateRule("sec", 10.0)}, clock=clock, sleep=oversleep)
    one.acquire("sec")
    permit = one.acquire("sec")
    assert clock.now - permit.at <= one.rules["sec"].tolerance
    assert permit.at >= T0 + 0.5


def test_a_late_departure_is_written_down_and_a_prompt_one_is_not(
    ledger: Ledger, gate: Callable[..., Gate], clock: Seconds
) -> None:
    one = gate()
    one.sent("sec", one.acquire("sec"))
    assert ledger.gate_store.read("sec").late == ()
    permit = one.acquire("sec")
    clock.now += 0.2
    one.sent("sec", permit)
    assert ledger.gate_store.read("sec").late == ((permit.seq, clock.now),)


def test_a_queue_longer_than_the_patience_is_an_error_and_reserves_nothing(gate: Callable[..., Gate]) -> None:
    one = gate(rate=0.1)
    one.acquire("sec", max_wait=0)
    with pytest.raises(CircuitOpen, match="queue for SEC EDGAR") as caught:
        one.acquire("sec", max_wait=5)
    assert caught.value.retry_at == dt.datetime.fromtimestamp(T0 + 10.35, dt.UTC)


def test_a_long_pause_is_an_error_and_a_short_one_is_slept(gate: Callable[..., Gate], clock: Seconds) -> None:
    one = gate()
    one.report("sec", one.acquire("sec"), AnswerClass.RATE_LIMITED, dt.datetime.fromtimestamp(T0 + 3600, dt.UTC))
    with pytest.raises(RateLimited) as caught:
        one.acquire("sec")
    assert caught.value.retry_at == dt.datetime.fromtimestamp(T0 + 3600, dt.UTC)
    clock.now = T0 + 3590
    assert one.acquire("sec").at == T0 + 3600


def test_an_open_breaker_refuses_at_once_or_is_sat_out(gate: Callable[..., Gate], clock: Seconds) -> None:
    one = gate()
    for _ in range(3):
        one.report("sec", one.acquire("sec"), AnswerClass.TRANSIENT)
    opened = clock.now
    with pytest.raises(CircuitOpen, match="failed 3 times in a row"):
        one.acquire("sec")
    assert clock.now == opened
    permit = one.acquire("sec", patience=60)
    assert permit.probe
    assert permit.at == pytest.approx(opened + 60)


def test_a_block_while_others_sleep_stops_them_too(ledger: Ledger, clock: Seconds) -> None:
    rules = {"sec": GateRule("sec", 10.0)}
    other = Gate(ledger.gate_store, rules, clock=clock, sleep=clock.sleep)
    shown = other.acquire("sec")

    def sleep_while_the_block_comes(seconds: float) -> None:
        clock.sleep(seconds)
        other.report("sec", shown, AnswerClass.BLOCKED)

    sleeper = Gate(ledger.gate_store, rules, clock=clock, sleep=sleep_while_the_block_comes)
    with pytest.raises(Blocked) as caught:
        sleeper.acquire("sec")
    assert caught.value.retry_at is not None
    assert caught.value.retry_at.timestamp() == pytest.approx(clock.now + 600, abs=1e-3)
    (row,) = ledger.gate_rows()
    assert (row.provider, row.breaker, row.open_count) == ("sec", "open", 1)


def test_a_spent_quota_names_the_next_window(gate: Callable[..., Gate]) -> None:
    one = gate(quotas=(Quota("hour", 2),))
    one.acquire("sec")
    one.acquire("sec")
    with pytest.raises(QuotaExhausted, match="allows 2 requests per hour") as caught:
        one.acquire("sec")
    assert caught.value.retry_at == dt.datetime(2026, 11, 20, 23, 0, tzinfo=dt.UTC)


def test_distinct_symbols_of_a_month_are_counted_once(gate: Callable[..., Gate], clock: Seconds) -> None:
    one = gate(quotas=(Quota("month", 2, "symbols"),))
    for symbol in ("AAPL", "KO", "AAPL", "KO"):
        one.acquire("sec", symbol=symbol)
    with pytest.raises(QuotaExhausted, match="2 different symbols per month"):
        one.acquire("sec", symbol="MSFT")
    one.acquire("sec")
    clock.now = dt.datetime(2026, 12, 1, tzinfo=dt.UTC).timestamp()
    one.acquire("sec", symbol="MSFT")


def test_a_good_answer_that_changes_nothing_writes_nothing(ledger: Ledger, gate: Callable[..., Gate]) -> None:
    one = gate()
    permit = one.acquire("sec")
    before = ledger.gate_store.read("sec")
    with ledger.gate_store.transaction("sec"):
        # The row is locked, and yet the report returns: it had nothing to write.
        one.report("sec", permit, AnswerClass.OK)
    assert ledger.gate_store.read("sec") == before


def crowd(url: str, rule: dict[str, Any], seconds: float, scripts: list[list[str]]) -> list[list[dict[str, Any]]]:
    """Run one worker process per script to the end; the lines that each of them printed."""
    command = [sys.executable, "-m", "salescience_pipeline_tests.test_ledger.gate_worker", url, json.dumps(rule)]
    workers = [
        subprocess.Popen(
            [*command, str(seconds), json.dumps(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for script in scripts
    ]
    said = []
    for worker in workers:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("go\n")
        worker.stdin.flush()
    for worker in workers:
        said.append([json.loads(line) for line in worker.communicate(timeout=120)[0].splitlines()])
        assert worker.returncode == 0
    return said


def test_eight_processes_share_one_limit_and_nobody_starves(ledger_url: str) -> None:
    said = crowd(ledger_url, {"rate": 20.0}, 2.5, [[]] * 8)
    slots = sorted(line["slot"] for lines in said for line in lines)
    assert len(slots) > 20
    # The slots are the promise; how long a process then takes to write its line down is not.
    assert min(last - first for first, last in zip(slots, slots[20:], strict=False)) > 1.0
    assert min(len(lines) for lines in said) >= 1


def test_processes_share_one_breaker_and_one_probe(ledger_url: str, ledger: Ledger) -> None:
    rule = {"rate": 100.0, "open_seconds": 0.5, "success_threshold": 3}
    said = crowd(ledger_url, rule, 3.0, [["transient"] * 4] * 4)
    lines = [line for lines in said for line in lines]
    probes = sorted((line["left"], line["done"]) for line in lines if line.get("probe"))
    assert len(probes) >= 4
    assert all(later[0] >= sooner[1] for sooner, later in pairwise(probes))
    assert {line["refused"] for line in lines if "refused" in line} == {"CircuitOpen"}
    failed = [line for line in lines if line.get("outcome") == "transient" and not line["probe"]]
    # Three open it; what the three other processes had under way at that moment comes on top.
    (row,) = ledger.gate_rows()
    assert 3 <= len(failed) <= row.open_count * (3 + 3)


def test_a_block_seen_by_one_process_stops_all(ledger_url: str) -> None:
    said = crowd(ledger_url, {"rate": 50.0, "block_seconds": 60.0}, 1.5, [["blocked"], []])
    lines = [line for lines in said for line in lines]
    (shown,) = [line for line in lines if line.get("outcome") == "blocked"]
    later = [line for line in lines if line.get("slot", 0) > shown["done"]]
    # The other one may hold a permit at the moment at which the block is written down, and none comes after.
    assert len(later) <= 1
    assert not [line for line in later if line["slot"] > shown["done"] + 0.5]
    assert {line["refused"] for line in lines if "refused" in line} == {"Blocked"}
