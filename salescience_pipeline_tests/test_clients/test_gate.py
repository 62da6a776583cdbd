"""The gate's pure steps, example by example: slots and who is late for them, quotas, and rules from catalogue and settings."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from salescience_pipeline.catalog.providers import PROVIDERS, Quota
from salescience_pipeline.clients.errors import QuotaExhausted
from salescience_pipeline.clients.gate import gate_rules
from salescience_pipeline.clients.gate_model import GateRule, GateState, Refusal, SymbolUse, Wait, window_bounds
from salescience_pipeline.clients.gate_steps import departed, due, postpone, report, reserve
from salescience_pipeline.clients.model import AnswerClass
from salescience_pipeline.settings import Settings
from salescience_pipeline_tests.test_clients.gates import RULE, T0, permit_of, refusal_of


@pytest.mark.parametrize("rate", [0.2, 1.0, 2.0, 7.5, 8.0, 10.0, 100.0])
def test_slots_keep_the_limit_with_room_for_tolerance_and_jitter(rate: float) -> None:
    rule_ = GateRule("sec", rate)
    over = rule_.spacing - rule_.tolerance
    assert over > rule_.window
    assert rule_.capacity / rule_.window <= rate
    assert rule_.window / rule_.spacing >= 0.95


def test_slots_follow_each_other_and_an_idle_gate_owes_nothing() -> None:
    state, first = permit_of(GateState(), RULE, T0)
    state, second = permit_of(state, RULE, T0)
    state, later = permit_of(state, RULE, T0 + 60)
    assert (first.at, later.at) == (T0, T0 + 60)
    assert second.at == pytest.approx(T0 + RULE.interval)


def test_a_request_can_count_for_several() -> None:
    state, _ = permit_of(GateState(), RULE, T0, cost=5)
    _, after = permit_of(state, RULE, T0)
    assert after.at == pytest.approx(T0 + 5 * RULE.interval)
    with pytest.raises(ValueError, match="cannot count as 6"):
        reserve(state, RULE, T0, holder="b", cost=6)


def test_nothing_is_reserved_for_who_would_not_wait() -> None:
    state, _ = permit_of(GateState(), RULE, T0)
    after, decision = reserve(state, RULE, T0, holder="b", horizon=0.05)
    assert decision == Wait(pytest.approx(T0 + RULE.interval), paused=False)
    assert after == state


def test_a_late_request_delays_only_the_one_a_spacing_behind_it() -> None:
    state, mine = permit_of(GateState(), RULE, T0)
    others = []
    for number in range(RULE.capacity):
        state, other = permit_of(state, RULE, T0, f"q{number}")
        others.append(other)
    state, moved = postpone(state, RULE, T0 + 0.03, mine)
    assert moved is not None
    assert moved.at == T0 + 0.03
    delays = [due(state, RULE, other) - other.at for other in others]
    assert delays == pytest.approx([0.0] * 9 + [0.03], abs=1e-5)
    state, again = postpone(state, RULE, others[-1].at, others[-1])
    assert again is not None
    assert again.at == pytest.approx(T0 + 0.03 + RULE.spacing)


def test_a_slot_reserved_after_the_delay_knows_of_it() -> None:
    state, mine = permit_of(GateState(), RULE, T0)
    state, _ = postpone(state, RULE, T0 + 0.03, mine)
    for number in range(RULE.capacity - 1):
        state, _other = permit_of(state, RULE, T0 + 0.04, f"q{number}")
    state, last = permit_of(state, RULE, T0 + 0.05)
    assert last.at == pytest.approx(T0 + 0.03 + RULE.spacing)
    # Long after, nobody remembers.
    state, much_later = permit_of(state, RULE, T0 + 60)
    assert (much_later.at, state.late) == (T0 + 60, ())


def test_a_request_held_up_on_its_way_out_delays_its_series_too() -> None:
    state, mine = permit_of(GateState(), RULE, T0)
    assert departed(state, RULE, T0 + RULE.tolerance / 2, mine) == state
    for number in range(RULE.capacity):
        state, other = permit_of(state, RULE, T0 + 0.05, f"q{number}")
    state = departed(state, RULE, T0 + 0.2, mine)
    assert due(state, RULE, other) == pytest.approx(T0 + 0.2 + RULE.spacing)


def test_who_is_late_by_almost_a_spacing_has_lost_the_slot() -> None:
    state, mine = permit_of(GateState(), RULE, T0)
    assert postpone(state, RULE, T0 + RULE.grace + 0.01, mine) == (state, None)


def test_threat_18_a_clock_set_back_does_not_stop_anybody() -> None:
    state, _ = permit_of(GateState(), RULE, T0 + 86_400)
    _, permit = permit_of(state, RULE, T0)
    assert permit.at <= T0 + RULE.window


def test_quotas_are_counted_per_calendar_window_and_refused_until_the_next() -> None:
    rule_ = GateRule("tiingo", 10.0, (Quota("hour", 3), Quota("day", 5)))
    midnight = dt.datetime(2026, 11, 20, tzinfo=dt.UTC).timestamp()
    state, now = GateState(), midnight + 22 * 3600
    for _ in range(3):
        state, _permit = permit_of(state, rule_, now)
    refused = refusal_of(state, rule_, now + 60)
    assert (refused.reason, refused.retry_at) == (QuotaExhausted, midnight + 23 * 3600)
    for _ in range(2):
        state, _permit = permit_of(state, rule_, midnight + 23 * 3600)
    assert refusal_of(state, rule_, midnight + 23 * 3600 + 1).retry_at == midnight + 86_400
    state, _permit = permit_of(state, rule_, midnight + 86_400)


def test_a_permit_taken_again_is_counted_once() -> None:
    rule_ = GateRule("tiingo", 10.0, (Quota("day", 5),))
    state, mine = permit_of(GateState(), rule_, T0)
    state, _ = permit_of(state, rule_, T0 + 0.2, replaces=mine)
    assert state.day_used == 1


def test_the_day_of_a_quota_begins_in_the_providers_zone() -> None:
    noon = dt.datetime(2026, 11, 1, 12, tzinfo=dt.UTC).timestamp()  # the day on which New York leaves summer time
    begin, end = window_bounds("day", noon, "America/New_York")
    assert (end - begin) / 3600 == 25
    begin, end = window_bounds("month", noon, "America/New_York")
    assert dt.datetime.fromtimestamp(begin, dt.UTC) == dt.datetime(2026, 11, 1, 4, tzinfo=dt.UTC)
    assert dt.datetime.fromtimestamp(end, dt.UTC) == dt.datetime(2026, 12, 1, 5, tzinfo=dt.UTC)


@example(3599.9999999, "hour", "UTC")
@example(86399.9999999, "day", "UTC")
@given(
    st.floats(0, 4e9), st.sampled_from(["minute", "hour", "day", "month"]), st.sampled_from(["UTC", "America/New_York"])
)
def test_a_window_contains_its_moment_and_ends_where_the_next_begins(at: float, window: str, zone: str) -> None:
    begin, end = window_bounds(window, at, zone)  # type: ignore[arg-type]
    assert begin <= at < end
    assert window_bounds(window, end, zone)[0] == end  # type: ignore[arg-type]


def test_the_symbols_of_a_month_are_an_allowance_too() -> None:
    rule_ = GateRule.of(PROVIDERS["tiingo"])
    full = SymbolUse(used=500, is_new=True)
    _, decision = reserve(GateState(), rule_, T0, holder="a", symbols=full)
    assert isinstance(decision, Refusal)
    assert decision.reason is QuotaExhausted
    permit_of(GateState(), rule_, T0, symbols=replace(full, is_new=False))


def test_a_quota_that_the_provider_announces_is_believed() -> None:
    state, permit = permit_of(GateState(), RULE, T0)
    told = report(state, RULE, T0, permit, AnswerClass.QUOTA_EXHAUSTED, retry_at=T0 + 900)
    assert refusal_of(told, RULE, T0 + 899).retry_at == T0 + 900
    rule_ = GateRule("tiingo", 10.0, (Quota("hour", 50), Quota("day", 1000)))
    untold = report(state, rule_, T0, permit, AnswerClass.QUOTA_EXHAUSTED)
    assert refusal_of(untold, rule_, T0 + 1).retry_at == window_bounds("hour", T0, "UTC")[1]


def test_rules_come_from_the_catalogue_and_the_settings() -> None:
    rules = gate_rules(Settings(_env_file=None, edgar_rate=5.0, edgar_block_seconds=3.0, tiingo_plan="power"))
    assert set(rules) == set(PROVIDERS)
    assert (rules["sec"].rate, rules["sec"].block_seconds) == (5.0, 3.0)
    assert rules["tiingo"].quotas == PROVIDERS["tiingo"].plan("power").quotas
