"""Finnhub as emulated: every endpoint, its figures against the market they come from, its refusals, recorded shapes."""

from __future__ import annotations

import datetime as dt
import json

import httpx
import pytest

from salescience_pipeline.sandbox import app
from salescience_pipeline.sandbox.filings import Cabinet
from salescience_pipeline.sandbox.finnhub_source import RecordedSource, status_row
from salescience_pipeline.sandbox.world import World
from salescience_pipeline_tests.test_sandbox import news_lookalikes as lookalikes
from salescience_pipeline_tests.test_sandbox.serving import LAST, TODAY, Served
from salescience_pipeline_tests.test_sandbox.witness import corpus, differences, recorded

WORLD = World(7, 12, dt.date.fromisoformat(TODAY))
KEY = {"X-Finnhub-Token": "any"}
_DAY = dt.date.fromisoformat(TODAY)
SERVES = ("--providers", "finnhub,tiingo")


def ask(served: Served, path: str, **params) -> httpx.Response:
    return served.get(f"/finnhub/api/v1{path}", headers=KEY, params=params)


def get(served: Served, path: str, **params):
    response = ask(served, path, **params)
    assert response.status_code == 200, response.text
    assert response.headers["content-type"].startswith("application/json")
    return response.json()


def theirs(path: str, lookalike):
    """The recorded body, or our look-alike where nothing is recorded."""
    found = recorded(path)
    return lookalike if found is None else found["body"]


# -- quote ------------------------------------------------------------------------------------------------------------


@pytest.mark.corpus
@pytest.mark.parametrize("company", WORLD.all, ids=lambda c: c.ticker)
def test_a_quote_is_the_last_bar_in_the_recorded_shape(sandbox, company):
    quote = get(sandbox, "/quote", symbol=company.ticker)
    assert differences(quote, theirs("providers/finnhub/quote-AAPL.json", lookalikes.FINNHUB_QUOTE)) == []
    if WORLD.delisted(company) is not None:
        assert quote["c"] == quote["t"] == 0
        return
    before, bar = WORLD.bars(company.ticker, _DAY - dt.timedelta(days=7), _DAY)[-2:]
    assert (quote["c"], quote["o"], quote["h"], quote["l"]) == (bar.close, bar.open, bar.high, bar.low)
    assert quote["pc"] == pytest.approx(before.close / bar.split_factor, abs=1e-4)
    assert quote["d"] == pytest.approx(quote["c"] - quote["pc"], abs=1e-4)
    assert quote["dp"] == pytest.approx(100 * (quote["c"] / quote["pc"] - 1), abs=1e-3)
    assert dt.datetime.fromtimestamp(quote["t"], dt.UTC).isoformat() == f"{LAST}T21:00:00+00:00"


@pytest.mark.corpus
@pytest.mark.parametrize("symbol", ["NOPE", "BRNWD-B", "%5EGSPC", "OAKMR"])
def test_an_unknown_symbol_is_200_with_zeros(sandbox, symbol):
    expected = theirs(
        "providers/finnhub/quote-unknown.json", {**dict.fromkeys("cholt", 0), "pc": 0, "d": None, "dp": None}
    )
    assert get(sandbox, "/quote", symbol=symbol) == expected


def test_paths_work_with_and_without_the_prefix_of_the_api(sandbox):
    answers = {
        sandbox.get(path, headers=KEY).text
        for path in (
            "/finnhub/quote?symbol=CALDQ",
            "/finnhub/api/v1/quote?symbol=CALDQ",
            "/finnhub/api/v1//quote?symbol=CALDQ",
        )
    }
    assert len(answers) == 1
    assert set(sandbox.stats()["providers"]["finnhub"]["endpoints"]) == {"quote"}


def test_the_close_before_a_split_is_told_in_new_shares(sandbox):
    event = {"kind": "split", "ticker": "LYRWD", "date": LAST, "value": 2.0}
    assert sandbox.http.post("/_sandbox/world", json={"events": [event]}).status_code == 200
    before = WORLD.close_on("LYRWD", dt.date(2026, 11, 18))
    assert get(sandbox, "/quote", symbol="LYRWD")["pc"] == pytest.approx(before / 2, abs=1e-4)


def test_a_moment_within_the_session_gives_a_price_on_the_way_to_the_close(sandbox):
    def at(clock: str) -> dict:
        moved = sandbox.http.post("/_sandbox/world", json={"at": f"{TODAY}T{clock}-05:00"})
        assert moved.status_code == 200, moved.text
        return get(sandbox, "/quote", symbol="CALDQ")

    before = at("08:00:00")
    assert before["t"] < dt.datetime(2026, 11, 20, tzinfo=dt.UTC).timestamp()
    seen = [at(clock) for clock in ("09:30:00", "11:00:00", "13:00:00", "15:00:00", "16:00:00", "19:00:00")]
    bar = World(7, 12, _DAY, today_closed=True).bars("CALDQ", _DAY, _DAY)[0]
    assert seen[0]["c"] == bar.open
    assert all(bar.low <= quote["c"] <= bar.high for quote in seen)
    assert [quote["t"] for quote in seen[:5]] == sorted({quote["t"] for quote in seen[:5]})
    assert {quote["pc"] for quote in seen} == {before["c"]}
    assert seen[4] == seen[5]
    assert (seen[4]["c"], seen[4]["h"], seen[4]["l"]) == (bar.close, bar.high, bar.low)


# -- news -------------------------------------------------------------------------------------------------------------


@pytest.mark.corpus
def test_company_news_have_the_recorded_shape_and_are_newest_first(sandbox):
    rows = get(sandbox, "/company-news", symbol="CALDQ", **{"from": "2026-10-01", "to": TODAY})
    assert differences(rows, theirs("providers/finnhub/company-news-AAPL.json", lookalikes.FINNHUB_NEWS)) == []
    stamps = [row["datetime"] for row in rows]
    assert stamps == sorted(stamps, reverse=True)
    assert len({row["id"] for row in rows}) == len(rows)
    assert {row["related"] for row in rows} == {"CALDQ"}
    assert all(isinstance(row["id"], int) and row["datetime"] % 60 == 0 for row in rows)


def test_both_days_of_a_range_of_news_are_included(sandbox):
    every = get(sandbox, "/company-news", symbol="CALDQ", **{"from": "2026-10-01", "to": TODAY})
    day = dt.datetime.fromtimestamp(every[len(every) // 2]["datetime"], dt.UTC).date().isoformat()
    one = get(sandbox, "/company-news", symbol="CALDQ", **{"from": day, "to": day})
    expected = [row for row in every if dt.datetime.fromtimestamp(row["datetime"], dt.UTC).date().isoformat() == day]
    assert one == expected != []


@pytest.mark.corpus
def test_a_press_release_comes_several_times_under_other_ids_and_addresses(sandbox):
    """In the recorded answer too: one headline, one time, one source, three ids, three addresses."""
    rows = get(sandbox, "/company-news", symbol="CALDQ", **{"from": "2026-01-01", "to": TODAY})
    for answer in (rows, theirs("samples/finnhub/company_news_AAPL_2020-12-08_duplicates.json", rows)):
        groups: dict[tuple, list] = {}
        for row in answer:
            groups.setdefault((row["headline"], row["datetime"], row["source"]), []).append(row)
        copies = [group for group in groups.values() if len(group) > 1]
        assert copies
        for group in copies:
            assert len({row["id"] for row in group}) == len({row["url"] for row in group}) == len(group)


def test_unknown_symbols_and_days_without_news_are_an_empty_list(sandbox):
    assert get(sandbox, "/company-news", symbol="NOPE", **{"from": "2026-01-01", "to": TODAY}) == []
    assert get(sandbox, "/company-news", symbol="CALDQ", **{"from": "2026-11-21", "to": "2026-12-31"}) == []
    assert get(sandbox, "/company-news", symbol="CALDQ", **{"from": TODAY, "to": "2026-01-01"}) == []


def test_market_news_continue_above_an_id(sandbox):
    rows = get(sandbox, "/news", category="general")
    assert len(rows) > 10
    assert {row["related"] for row in rows} == {""}
    ids = [row["id"] for row in rows]
    assert ids == sorted(ids, reverse=True)
    assert get(sandbox, "/news", category="general", minId=str(ids[3])) == rows[:3]
    assert get(sandbox, "/news", category="general", minId=str(ids[0])) == []
    assert {row["category"] for row in get(sandbox, "/news", category="forex")} == {"forex"}


def test_the_free_plan_has_a_year_of_news_a_month_of_calendar_and_four_quarters(sandbox):
    free = {"X-Finnhub-Token": "free-1"}
    years = {"symbol": "CALDQ", "from": "2023-01-01", "to": TODAY}
    everything = get(sandbox, "/company-news", **years)
    rows = sandbox.get("/finnhub/company-news", headers=free, params=years).json()
    oldest = dt.datetime.fromtimestamp(rows[-1]["datetime"], dt.UTC).date()
    assert rows == everything[: len(rows)]
    assert dt.date(2025, 11, 20) <= oldest < dt.date(2025, 12, 20)
    assert len(sandbox.get("/finnhub/stock/earnings?symbol=CALDQ", headers=free).json()) == 4
    assert len(get(sandbox, "/stock/earnings", symbol="CALDQ")) > 20
    past = {"from": "2026-01-01", "to": TODAY}
    days = [
        row["date"]
        for row in sandbox.get("/finnhub/calendar/earnings", headers=free, params=past).json()["earningsCalendar"]
    ]
    assert min(days) >= "2026-10-20"
    assert min(row["date"] for row in get(sandbox, "/calendar/earnings", **past)["earningsCalendar"]) < "2026-02-01"


# -- earnings ---------------------------------------------------------------------------------------------------------


@pytest.mark.corpus
def test_the_calendar_has_the_recorded_shape_and_hides_what_is_not_told(sandbox):
    body = get(sandbox, "/calendar/earnings", **{"from": "2026-10-01", "to": "2027-02-28"})
    assert differences(body, theirs("providers/finnhub/calendar-earnings-aapl.json", lookalikes.FINNHUB_CALENDAR)) == []
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


def test_the_calendar_agrees_with_the_8k_in_edgar(sandbox):
    """Every report that was told stands in EDGAR as an 8-K with item 2.02 of the same day, and the other way round."""
    rows = get(sandbox, "/calendar/earnings", **{"from": "2025-01-01", "to": TODAY})["earningsCalendar"]
    cabinet = Cabinet(WORLD)
    filed = {
        (company.ticker, filing.filed.isoformat())
        for company in WORLD.companies
        for filing in cabinet.of(company).all
        if filing.form == "8-K" and "2.02" in filing.items and filing.filed >= dt.date(2025, 1, 1)
    }
    assert {(row["symbol"], row["date"]) for row in rows} == filed


def test_earnings_per_share_are_those_of_the_10q(sandbox):
    filings = Cabinet(WORLD)
    company = WORLD.company("ALDRN")
    rows = {row["period"]: row for row in get(sandbox, "/stock/earnings", symbol="ALDRN", limit="6")}
    reports = [filing for filing in filings.of(company).all if filing.form == "10-Q"][:3]
    for filing in reports:
        end = filing.report.isoformat()
        facts = [
            fact
            for fact in filings.facts(filing)
            if fact.concept == "us-gaap:EarningsPerShareDiluted"
            and not fact.dimensions
            and fact.period.end == filing.report
        ]
        quarter = min(facts, key=lambda fact: filing.report - fact.period.start)
        assert rows[end]["actual"] == float(quarter.value)


@pytest.mark.corpus
def test_surprises_add_up_and_carry_calendar_quarters(sandbox):
    rows = get(sandbox, "/stock/earnings", symbol="CALDQ")
    assert (
        differences(rows, theirs("samples/finnhub/stock_earnings.doc_sample.json", lookalikes.FINNHUB_EARNINGS)) == []
    )
    periods = [row["period"] for row in rows]
    assert periods == sorted(periods, reverse=True)
    for row in rows:
        assert row["surprise"] == pytest.approx(row["actual"] - row["estimate"], abs=1e-4)
        assert row["surprisePercent"] == pytest.approx(100 * row["surprise"] / abs(row["estimate"]), abs=1e-3)
        year, month, _ = map(int, row["period"].split("-"))
        assert (row["year"], row["quarter"]) == (year, (month + 2) // 3)
    # The fiscal year of this company ends in September: the calendar counts differently, so nobody may join on it.
    fiscal = get(sandbox, "/calendar/earnings", symbol="CALDQ", **{"from": "2026-10-01", "to": TODAY})
    assert (fiscal["earningsCalendar"][0]["year"], fiscal["earningsCalendar"][0]["quarter"]) == (2026, 4)
    assert (rows[0]["year"], rows[0]["quarter"]) == (2026, 3)


def test_a_report_moves_in_the_calendar_and_with_its_press_release(sandbox):
    calendar = {"from": "2026-11-21", "to": "2027-03-01", "symbol": "QUILN"}
    (old, *_) = reversed(get(sandbox, "/calendar/earnings", **calendar)["earningsCalendar"])
    event = {"kind": "moved_earnings", "ticker": "QUILN", "date": old["date"], "value": "2026-12-09"}
    response = sandbox.http.post("/_sandbox/world", json={"events": [event]})
    assert response.status_code == 200
    assert response.json()["events"] == [event]
    (new, *_) = reversed(get(sandbox, "/calendar/earnings", **calendar)["earningsCalendar"])
    assert new == {**old, "date": "2026-12-09"}
    market = get(sandbox, "/calendar/earnings", **{"from": "2026-12-09", "to": "2026-12-09"})["earningsCalendar"]
    assert "QUILN" in {row["symbol"] for row in market}
    again = {**event, "date": "2026-12-09", "value": "2026-12-10"}
    assert sandbox.http.post("/_sandbox/world", json={"events": [again]}).status_code == 200
    (new, *_) = reversed(get(sandbox, "/calendar/earnings", **calendar)["earningsCalendar"])
    assert new["date"] == "2026-12-10"
    sandbox.http.delete("/_sandbox/world")
    (back, *_) = reversed(get(sandbox, "/calendar/earnings", **calendar)["earningsCalendar"])
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


# -- profile, metrics, lists ------------------------------------------------------------------------------------------


@pytest.mark.corpus
def test_the_profile_counts_shares_and_value_in_millions(sandbox):
    profile = get(sandbox, "/stock/profile2", symbol="BRNWD.B")
    assert differences(profile, theirs("providers/finnhub/profile-AAPL.json", lookalikes.FINNHUB_PROFILE)) == []
    shares = WORLD.shares_on("BRNWD.B", WORLD.last_session)
    assert profile["shareOutstanding"] == pytest.approx(shares / 1e6)
    close = WORLD.close_on("BRNWD.B", WORLD.last_session)
    assert profile["marketCapitalization"] == pytest.approx(shares * close / 1e6)
    assert get(sandbox, "/stock/profile2", symbol="NOPE") == get(sandbox, "/stock/profile2", symbol="FIXLG") == {}


@pytest.mark.corpus
def test_every_metric_key_is_one_that_was_recorded(sandbox):
    """Ours may lack what invented accounts do not support; what we send has the recorded names and types."""
    ours = get(sandbox, "/stock/metric", symbol="CALDQ", metric="all")
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
    ours = get(sandbox, "/stock/metric", symbol="FENWK", metric="all")
    metric, series = ours["metric"], ours["series"]
    bars = WORLD.bars("FENWK", _DAY - dt.timedelta(days=430), _DAY)[-252:]
    assert metric["52WeekHigh"] == max(bar.high for bar in bars)
    assert metric["52WeekLowDate"] == min(bars, key=lambda bar: bar.low).date.isoformat()
    assert metric["10DayAverageTradingVolume"] == pytest.approx(sum(bar.volume for bar in bars[-10:]) / 1e7, abs=1e-4)
    # Percent points in one place, fractions in the other.
    assert metric["netProfitMarginAnnual"] == pytest.approx(100 * series["annual"]["netMargin"][0]["v"], abs=0.01)
    assert metric["currentRatioQuarterly"] == series["quarterly"]["currentRatio"][0]["v"]
    assert metric["peTTM"] == pytest.approx(bars[-1].close / metric["epsTTM"], rel=1e-3)
    quarters = get(sandbox, "/stock/earnings", symbol="FENWK", limit="4")
    assert metric["epsTTM"] == pytest.approx(sum(row["actual"] for row in quarters), abs=0.05)
    newest = series["quarterly"]["eps"][0]
    assert newest["period"] == quarters[0]["period"]
    assert newest["v"] == pytest.approx(quarters[0]["actual"], abs=0.01)
    fund = get(sandbox, "/stock/metric", symbol="FIXLG", metric="all")
    assert fund["series"] == {}
    assert fund["metric"]["beta"] == 1.0
    assert get(sandbox, "/stock/metric", symbol="NOPE", metric="all") == {
        "metric": {},
        "metricType": "all",
        "series": {},
        "symbol": "NOPE",
    }


@pytest.mark.corpus
def test_the_list_of_symbols_names_everybody_who_is_listed(sandbox):
    rows = get(sandbox, "/stock/symbol", exchange="US")
    assert differences(rows, theirs("providers/finnhub/stock-symbol-US.json", lookalikes.FINNHUB_SYMBOLS)) == []
    assert {row["symbol"] for row in rows} == {c.ticker for c in WORLD.all if WORLD.delisted(c) is None}
    assert get(sandbox, "/stock/symbol", exchange="XX") == []


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
    sample = theirs("samples/finnhub/stock_market-status.doc_sample.json", lookalikes.FINNHUB_STATUS)
    assert differences(row, sample) == []
    assert (row["session"], row["holiday"], row["isOpen"]) == (session, holiday, session == "regular")


# -- refusals ---------------------------------------------------------------------------------------------------------


def test_a_key_comes_in_the_header_or_in_the_query(sandbox):
    assert sandbox.get("/finnhub/quote?symbol=CALDQ&token=abc").status_code == 200
    assert sandbox.get("/finnhub/quote?symbol=CALDQ").status_code == 401


@pytest.mark.corpus
@pytest.mark.parametrize(
    ("path", "key", "status", "recording", "lookalike"),
    [
        ("/quote?symbol=CALDQ", "wrong-1", 401, "providers/finnhub/errors/401_invalid_key.json", "Invalid API key"),
        (
            "/stock/candle?symbol=CALDQ",
            "any",
            403,
            "providers/finnhub/errors/403_candle-AAPL.json",
            "You don't have access to this resource.",
        ),
        (
            "/news-sentiment?symbol=CALDQ",
            "any",
            403,
            "providers/finnhub/errors/403_news-sentiment-AAPL.json",
            "You don't have access to this resource.",
        ),
    ],
)
def test_refusals_are_the_recorded_ones(sandbox, path, key, status, recording, lookalike):
    response = sandbox.get(f"/finnhub{path}", headers={"X-Finnhub-Token": key})
    assert response.status_code == status
    assert response.json() == theirs(recording, {"error": lookalike})


@pytest.mark.corpus
def test_thirty_in_a_second_and_sixty_in_a_minute(sandbox):
    expected = theirs(
        "samples/finnhub/error_429.json",
        {"error": "API limit reached. Please try again later. Remaining Limit: 0"},
    )
    assert (
        sandbox.http.post("/_sandbox/limits", json={"finnhub": {"per_second": 3, "per_minute": 5}}).status_code == 200
    )
    codes = []
    for step in (0, 0, 0, 0, 2, 0, 0):
        sandbox.http.post("/_sandbox/clock", json={"advance": step})
        response = ask(sandbox, "/quote", symbol="CALDQ")
        codes.append(response.status_code)
        if response.status_code == 429:
            assert response.json() == expected
    assert codes == [200, 200, 200, 429, 200, 200, 429]
    sandbox.http.post("/_sandbox/limits", json={"finnhub": "real"})
    limits = sandbox.get("/_sandbox/limits").json()["limits"]["finnhub"]
    assert (limits["per_second"], limits["per_minute"]) == (30, 60)


def test_a_limit_may_be_told_with_200_and_a_penalty_with_a_page(sandbox):
    sandbox.http.post("/_sandbox/switches", json={"finnhub": {"refusal_as_200": True}})
    sandbox.fault(provider="finnhub", kind="limit", times=1)
    response = ask(sandbox, "/quote", symbol="CALDQ")
    assert response.status_code == 200
    assert response.json()["error"].startswith("API limit reached")
    sandbox.http.post("/_sandbox/switches", json={"finnhub": {"penalised": True}})
    away = ask(sandbox, "/quote", symbol="CALDQ")
    assert away.status_code == 302
    page = sandbox.get(away.headers["location"])
    assert page.headers["content-type"].startswith("text/html")


@pytest.mark.parametrize(
    "path",
    [
        "/quote",
        "/company-news?symbol=CALDQ&from=2026-01-01",
        "/company-news?symbol=CALDQ&from=soon&to=later",
        "/news?category=sport",
        "/news?category=general&minId=last",
        "/stock/earnings?symbol=CALDQ&limit=many",
        "/calendar/earnings?from=2026-13-01&to=2026-12-01",
        "/stock/profile2",
        "/stock/market-status?exchange=MARS",
    ],
)
def test_parameters_that_make_no_sense_are_422_with_an_error(sandbox, path):
    response = sandbox.get(f"/finnhub{path}", headers=KEY)
    assert response.status_code == 422
    assert isinstance(response.json()["error"], str)


def test_an_unknown_path_is_404(sandbox):
    assert ask(sandbox, "/stock/weather").status_code == 404


# -- the corpus world -------------------------------------------------------------------------------------------------


@pytest.mark.corpus
def test_in_the_corpus_world_only_recordings_are_served(tmp_path):
    """On a machine without the recordings the folder holds one look-alike of each."""
    folder = corpus()
    if folder is None:
        folder, made = tmp_path, tmp_path / "providers/finnhub"
        made.mkdir(parents=True)
        (made / "quote-AAPL.json").write_text(json.dumps({**lookalikes.FINNHUB_QUOTE, "t": 1_700_000_000}))
        (made / "company-news-AAPL.json").write_text(
            json.dumps([{**lookalikes.FINNHUB_NEWS[0], "datetime": 1_779_554_718, "id": 5, "related": "AAPL"}])
        )
        (made / "profile-AAPL.json").write_text(json.dumps({**lookalikes.FINNHUB_PROFILE, "ticker": "AAPL"}))
    sandbox = app.Sandbox(WORLD, kind="corpus", corpus=folder)
    sandbox.load(["finnhub"])
    source = RecordedSource(folder)
    newest = max(
        (json.loads(path.read_text())["t"] for path in folder.glob("*/finnhub/quote[-_]AAPL*.json")), default=None
    )
    assert source.quote("AAPL")["t"] == newest
    assert source.profile("AAPL")["ticker"] == "AAPL"
    rows = source.company_news("AAPL", dt.date(2026, 5, 23), dt.date(2026, 5, 23))
    assert rows
    assert all(row["related"] == "AAPL" for row in rows)
    assert source.company_news("AAPL", dt.date(2019, 1, 1), dt.date(2019, 12, 31)) == []
    assert source.quote("CALDQ") is source.profile("CALDQ") is source.metric("CALDQ", "all") is None
