"""Limits of providers: windows and calendars under a clock moved by hand, then enforced over HTTP."""

from __future__ import annotations

import pytest

from salescience_pipeline.sandbox.limits import Limit, Limits
from salescience_pipeline_tests.test_sandbox.calls import PRICES
from salescience_pipeline_tests.test_sandbox.serving import PRICE_PROVIDERS, TOKEN, running


class _Hand:
    """A clock moved by hand."""

    def __init__(self) -> None:
        import datetime as dt

        self.seconds = 0.0
        self.begin = dt.datetime(2026, 11, 20, 23, 0, tzinfo=dt.UTC)

    def monotonic(self) -> float:
        return self.seconds

    def now(self):
        import datetime as dt

        return self.begin + dt.timedelta(seconds=self.seconds)


def _limits(**values) -> tuple[Limits, _Hand]:
    clock = _Hand()
    limits = Limits(clock)  # type: ignore[arg-type]
    limits.set("p", Limit(**values))
    return limits, clock


def test_a_block_lasts_and_is_extended_by_asking():
    limits, clock = _limits(per_second=10, block_seconds=600)
    assert [limits.check("p", "", None) for _ in range(11)] == [None] * 10 + ["block"]
    clock.seconds = 599
    assert limits.check("p", "", None) == "block"
    clock.seconds = 601  # the first block would be over, had nobody asked
    assert limits.check("p", "", None) == "block"
    clock.seconds = 601 + 600
    assert limits.check("p", "", None) is None


def test_sliding_windows_slide():
    limits, clock = _limits(per_second=2, per_minute=3)
    assert [limits.check("p", "", None) for _ in range(3)] == [None, None, "second"]
    clock.seconds = 1.0
    assert [limits.check("p", "", None) for _ in range(2)] == [None, "minute"]
    clock.seconds = 60.0
    assert limits.check("p", "", None) is None


def test_hours_days_and_months_are_those_of_the_utc_calendar():
    limits, clock = _limits(per_hour=1, per_day=2, symbols_per_month=1)
    assert limits.check("p", "", "A") is None
    assert limits.check("p", "", "A") == "hour"
    clock.seconds = 3600  # midnight UTC: a new hour and a new day
    assert limits.check("p", "", "B") == "symbols"
    assert limits.check("p", "", "A") is None
    assert limits.check("p", "", None) == "hour"
    clock.seconds = 2 * 3600
    assert limits.check("p", "", None) is None
    clock.seconds = 3 * 3600
    assert limits.check("p", "", None) == "day"
    clock.seconds = 11 * 24 * 3600  # December
    assert limits.check("p", "", "B") is None


def test_accounts_do_not_share_a_budget():
    limits, _ = _limits(per_hour=1)
    assert [limits.check("p", account, None) for account in ("a", "b", "a")] == [None, None, "hour"]


def test_real_limits_are_enforced_over_http_and_the_clock_ends_them(sandbox):
    assert sandbox.http.post("/_sandbox/limits", json={"tiingo": "real"}).status_code == 200
    statuses = [sandbox.get(PRICES, headers=TOKEN).status_code for _ in range(51)]
    assert statuses == [200] * 50 + [429]
    assert sandbox.get(PRICES, headers={"Authorization": "Token another"}).status_code == 200
    sandbox.http.post("/_sandbox/clock", json={"advance": 3600})
    assert sandbox.get(PRICES, headers=TOKEN).status_code == 200


@pytest.mark.parametrize("form", ["real", "file"])
def test_limits_can_be_given_at_the_start(form, tmp_path):
    chosen = "real"
    if form == "file":
        (tmp_path / "limits.json").write_text('{"tiingo": {"per_hour": 1}, "yahoo": null}')
        chosen = str(tmp_path / "limits.json")
    with running(*PRICE_PROVIDERS, "--limits", chosen) as served:
        limits = served.get("/_sandbox/limits").json()["limits"]
        assert limits["tiingo"]["per_hour"] == (50 if form == "real" else 1)
        assert ("yahoo" in limits) == (form == "real")


def test_the_symbol_cap_answers_with_status_200(sandbox):
    sandbox.http.post("/_sandbox/limits", json={"tiingo": {"symbols_per_month": 2}})
    paths = [PRICES.replace("ALDRN", ticker) for ticker in ("ALDRN", "CALDQ", "DOVEK", "aldrn")]
    answers = [sandbox.get(path, headers=TOKEN) for path in paths]
    assert [a.status_code for a in answers] == [200] * 4
    assert [isinstance(a.json(), list) for a in answers] == [True, True, False, True]
    assert "500 symbol look up" in answers[2].json()["detail"]
    sandbox.http.post("/_sandbox/switches", json={"tiingo": {"symbol_cap_as_text": True}})
    answer = sandbox.get(paths[2], headers=TOKEN)
    assert answer.headers["content-type"].startswith("text/plain")


def test_nothing_is_enforced_unless_asked_for(sandbox):
    assert sandbox.get("/_sandbox/limits").json() == {"limits": {}}
    assert [sandbox.get(PRICES, headers=TOKEN).status_code for _ in range(60)] == [200] * 60


@pytest.mark.parametrize(
    "limits", [{"nobody": "real"}, {"tiingo": {"per_week": 1}}, {"tiingo": {"per_hour": "x"}}, "some"]
)
def test_limits_that_make_no_sense_are_refused(sandbox, limits):
    assert sandbox.http.post("/_sandbox/limits", json=limits).status_code == 400
    assert sandbox.get("/_sandbox/limits").json() == {"limits": {}}


def test_a_fault_acts_before_a_limit(sandbox):
    sandbox.http.post("/_sandbox/limits", json={"tiingo": {"per_hour": 0}})
    sandbox.fault(provider="tiingo", kind="status", params={"status": 500})
    assert sandbox.get(PRICES, headers=TOKEN).status_code == 500
