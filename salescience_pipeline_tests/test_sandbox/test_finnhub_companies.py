"""Finnhub as emulated: earnings and their calendar, profile, metrics, lists; figures against the market they come from."""

from __future__ import annotations

import datetime as dt

import pytest

from salescience_pipeline.sandbox.finnhub_source import status_row
from salescience_pipeline_tests.test_sandbox import news_lookalikes as lookalikes
from salescience_pipeline_tests.test_sandbox.calls import FINNHUB
from salescience_pipeline_tests.test_sandbox.serving import DAY, TODAY, WORLD
from salescience_pipeline_tests.test_sandbox.witness import differences, recorded, recorded_or

# -- earnings ----------------------------------------------------------------------------------------------------------


@pytest.mark.corpus
def test_the_calendar_has_the_recorded_shape_and_hides_what_is_not_told(sandbox):
    body = FINNHUB.get(sandbox, "/calendar/earnings", **{"from": "2026-10-01", "to": "2027-02-28"})
    assert (
        differences(body, recorded_or("providers/finnhub/calendar-earnings-aapl.json", lookalikes.FINNHUB_CALENDAR))
        == []
    )
    rows = body["earningsCalendar"]
    days = [row["date"] for row in rows]
    assert days == sorted(days, reverse=True)
    ahead = [row for row in rows if row["date"] > TODAY]
    past = [row for row in rows if row["date"] <= TODAY]
    assert ahead
    assert past
    for row in ahead:
        assert row["epsActual"] is row["revenueActual"] is None
        assert isinstance(row["epsEstimate"], float)
    for row in past:
        assert isinstance(row["epsActual"], float)
        assert isinstance(row["revenueActual"], int)
        assert row["hour"] in {"bmo", "amc"}
    assert {row["hour"] for row in rows if row["date"] > "2026-12-31"} == {""}


def test_the_calendar_agrees_with_the_8k_in_edgar(sandbox, cabinet):
    """Every report that was told stands in EDGAR as an 8-K with item 2.02 of the same day, and the other way round."""
    rows = FINNHUB.get(sandbox, "/calendar/earnings", **{"from": "2025-01-01", "to": TODAY})["earningsCalendar"]
    filed = {
        (company.ticker, filing.filed.isoformat())
        for company in WORLD.companies
        for filing in cabinet.of(company).all
        if filing.form == "8-K" and "2.02" in filing.items and filing.filed >= dt.date(2025, 1, 1)
    }
    assert {(row["symbol"], row["date"]) for row in rows} == filed


def test_earnings_per_share_are_those_of_the_10q(sandbox, cabinet):
    company = WORLD.company("ALDRN")
    rows = {row["period"]: row for row in FINNHUB.get(sandbox, "/stock/earnings", symbol="ALDRN", limit="6")}
    reports = [filing for filing in cabinet.of(company).all if filing.form == "10-Q"][:3]
    for filing in reports:
        end = filing.report.isoformat()
        facts = [
            fact
            for fact in cabinet.facts(filing)
            if fact.concept == "us-gaap:EarningsPerShareDiluted"
            and not fact.dimensions
            and fact.period.end == filing.report
        ]
        quarter = min(facts, key=lambda fact: filing.report - fact.period.start)
        assert rows[end]["actual"] == float(quarter.value)


@pytest.mark.corpus
def test_surprises_add_up_and_carry_calendar_quarters(sandbox):
    rows = FINNHUB.get(sandbox, "/stock/earnings", symbol="CALDQ")
    assert (
        differences(rows, recorded_or("samples/finnhub/stock_earnings.doc_sample.json", lookalikes.FINNHUB_EARNINGS))
        == []
    )
    periods = [row["period"] for row in rows]
    assert periods == sorted(periods, reverse=True)
    for row in rows:
        assert row["surprise"] == pytest.approx(row["actual"] - row["estimate"], abs=1e-4)
        assert row["surprisePercent"] == pytest.approx(100 * row["surprise"] / abs(row["estimate"]), abs=1e-3)
        year, month, _ = map(int, row["period"].split("-"))
        assert (row["year"], row["quarter"]) == (year, (month + 2) // 3)
    # The fiscal year of this company ends in September: the calendar counts differently, so nobody may join on it.
    fiscal = FINNHUB.get(sandbox, "/calendar/earnings", symbol="CALDQ", **{"from": "2026-10-01", "to": TODAY})
    assert (fiscal["earningsCalendar"][0]["year"], fiscal["earningsCalendar"][0]["quarter"]) == (2026, 4)
    assert (rows[0]["year"], rows[0]["quarter"]) == (2026, 3)


def test_a_report_moves_in_the_calendar_and_with_its_press_release(sandbox):
    calendar = {"from": "2026-11-21", "to": "2027-03-01", "symbol": "QUILN"}
    (old, *_) = reversed(FINNHUB.get(sandbox, "/calendar/earnings", **calendar)["earningsCalendar"])
    event = {"kind": "moved_earnings", "ticker": "QUILN", "date": old["date"], "value": "2026-12-09"}
    response = sandbox.http.post("/_sandbox/world", json={"events": [event]})
    assert response.status_code == 200
    assert response.json()["events"] == [event]
    (new, *_) = reversed(FINNHUB.get(sandbox, "/calendar/earnings", **calendar)["earningsCalendar"])
    assert new == {**old, "date": "2026-12-09"}
    market = FINNHUB.get(sandbox, "/calendar/earnings", **{"from": "2026-12-09", "to": "2026-12-09"})[
        "earningsCalendar"
    ]
    assert "QUILN" in {row["symbol"] for row in market}
    again = {**event, "date": "2026-12-09", "value": "2026-12-10"}
    assert sandbox.http.post("/_sandbox/world", json={"events": [again]}).status_code == 200
    (new, *_) = reversed(FINNHUB.get(sandbox, "/calendar/earnings", **calendar)["earningsCalendar"])
    assert new["date"] == "2026-12-10"
    sandbox.http.delete("/_sandbox/world")
    (back, *_) = reversed(FINNHUB.get(sandbox, "/calendar/earnings", **calendar)["earningsCalendar"])
    assert back == old


@pytest.mark.parametrize(
    "event",
    [
        {"ticker": "NOPE", "date": "2026-11-25", "value": "2026-12-09"},
        {"ticker": "QUILN", "date": "2026-11-24", "value": "2026-12-09"},
        {"ticker": "QUILN", "date": "2026-11-25", "value": "2026-11-20"},
        {"ticker": "QUILN", "date": "soon", "value": "2026-12-09"},
        {"ticker": "QUILN", "date": "2026-11-25"},
        {"ticker": "CALDQ", "date": "2026-10-29", "value": "2026-12-09"},
    ],
)
def test_a_move_that_makes_no_sense_is_refused_with_a_sentence(sandbox, event):
    response = sandbox.http.post("/_sandbox/world", json={"events": [{"kind": "moved_earnings", **event}]})
    assert response.status_code == 400
    assert response.json()["error"].endswith(".")
    assert sandbox.get("/_sandbox/world").json()["events"] == []


# -- profile, metrics, lists -------------------------------------------------------------------------------------------


@pytest.mark.corpus
def test_the_profile_counts_shares_and_value_in_millions(sandbox):
    profile = FINNHUB.get(sandbox, "/stock/profile2", symbol="BRNWD.B")
    assert differences(profile, recorded_or("providers/finnhub/profile-AAPL.json", lookalikes.FINNHUB_PROFILE)) == []
    shares = WORLD.shares_on("BRNWD.B", WORLD.last_session)
    assert profile["shareOutstanding"] == pytest.approx(shares / 1e6)
    close = WORLD.close_on("BRNWD.B", WORLD.last_session)
    assert profile["marketCapitalization"] == pytest.approx(shares * close / 1e6)
    assert (
        FINNHUB.get(sandbox, "/stock/profile2", symbol="NOPE")
        == FINNHUB.get(sandbox, "/stock/profile2", symbol="FIXLG")
        == {}
    )


@pytest.mark.corpus
def test_every_metric_key_is_one_that_was_recorded(sandbox):
    """Ours may lack what invented accounts do not support; what we send has the recorded names and types."""
    ours = FINNHUB.get(sandbox, "/stock/metric", symbol="CALDQ", metric="all")
    found = recorded("providers/finnhub/metric-AAPL.json")
    if found is not None:
        lacking = frozenset(
            {*found["body"]["metric"], *found["body"]["series"]["annual"], *found["body"]["series"]["quarterly"]}
        )
        assert differences(ours, found["body"], may_lack=lacking) == []
        assert len(ours["metric"]) > 0.65 * len(found["body"]["metric"])
    else:
        names = frozenset({*ours["metric"], *ours["series"]["annual"], *ours["series"]["quarterly"]})
        assert differences(ours, lookalikes.FINNHUB_METRIC, may_add=names) == []


def test_metrics_follow_from_bars_and_accounts(sandbox):
    ours = FINNHUB.get(sandbox, "/stock/metric", symbol="FENWK", metric="all")
    metric, series = ours["metric"], ours["series"]
    bars = WORLD.bars("FENWK", DAY - dt.timedelta(days=430), DAY)[-252:]
    assert metric["52WeekHigh"] == max(bar.high for bar in bars)
    assert metric["52WeekLowDate"] == min(bars, key=lambda bar: bar.low).date.isoformat()
    assert metric["10DayAverageTradingVolume"] == pytest.approx(sum(bar.volume for bar in bars[-10:]) / 1e7, abs=1e-4)
    # Percent points in one place, fractions in the other.
    assert metric["netProfitMarginAnnual"] == pytest.approx(100 * series["annual"]["netMargin"][0]["v"], abs=0.01)
    assert metric["currentRatioQuarterly"] == series["quarterly"]["currentRatio"][0]["v"]
    assert metric["peTTM"] == pytest.approx(bars[-1].close / metric["epsTTM"], rel=1e-3)
    quarters = FINNHUB.get(sandbox, "/stock/earnings", symbol="FENWK", limit="4")
    assert metric["epsTTM"] == pytest.approx(sum(row["actual"] for row in quarters), abs=0.05)
    newest = series["quarterly"]["eps"][0]
    assert newest["period"] == quarters[0]["period"]
    assert newest["v"] == pytest.approx(quarters[0]["actual"], abs=0.01)
    fund = FINNHUB.get(sandbox, "/stock/metric", symbol="FIXLG", metric="all")
    assert fund["series"] == {}
    assert fund["metric"]["beta"] == 1.0
    assert FINNHUB.get(sandbox, "/stock/metric", symbol="NOPE", metric="all") == {
        "metric": {},
        "metricType": "all",
        "series": {},
        "symbol": "NOPE",
    }


@pytest.mark.corpus
def test_the_list_of_symbols_names_everybody_who_is_listed(sandbox):
    rows = FINNHUB.get(sandbox, "/stock/symbol", exchange="US")
    assert differences(rows, recorded_or("providers/finnhub/stock-symbol-US.json", lookalikes.FINNHUB_SYMBOLS)) == []
    assert {row["symbol"] for row in rows} == {c.ticker for c in WORLD.all if WORLD.delisted(c) is None}
    assert FINNHUB.get(sandbox, "/stock/symbol", exchange="XX") == []


@pytest.mark.corpus
@pytest.mark.parametrize(
    ("moment", "session", "holiday"),
    [
        ("2026-11-20T13:00+00:00", "pre-market", None),
        ("2026-11-20T14:30+00:00", "regular", None),
        ("2026-11-20T21:00+00:00", "post-market", None),
        ("2026-11-21T02:00+00:00", None, None),
        ("2026-11-27T18:30+00:00", "post-market", None),  # a half day ends at 13:00
        ("2026-11-26T16:00+00:00", None, "Thanksgiving Day"),
        ("2026-04-03T16:00+00:00", None, "Good Friday"),
        ("2026-07-03T16:00+00:00", None, "Independence Day"),
        ("2025-01-09T16:00+00:00", None, "Special Closure"),
        ("2026-01-19T16:00+00:00", None, "Martin Luther King, Jr. Day"),
    ],
)
def test_the_status_follows_the_clock_of_new_york(moment, session, holiday):
    row = status_row(dt.datetime.fromisoformat(moment))
    sample = recorded_or("samples/finnhub/stock_market-status.doc_sample.json", lookalikes.FINNHUB_STATUS)
    assert differences(row, sample) == []
    assert (row["session"], row["holiday"], row["isOpen"]) == (session, holiday, session == "regular")
