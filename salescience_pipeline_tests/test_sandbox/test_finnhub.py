"""Finnhub as emulated: quotes, news, refusals and limits, the recorded world."""

from __future__ import annotations

import datetime as dt
import json

import pytest

from salescience_pipeline.fiction.world import World
from salescience_pipeline.sandbox import app
from salescience_pipeline.sandbox.finnhub_source import RecordedSource
from salescience_pipeline_tests.test_sandbox import news_lookalikes as lookalikes
from salescience_pipeline_tests.test_sandbox.calls import FINNHUB
from salescience_pipeline_tests.test_sandbox.serving import DAY, LAST, TODAY, WORLD
from salescience_pipeline_tests.test_sandbox.witness import corpus, differences, recorded_or

# -- quote -------------------------------------------------------------------------------------------------------------


@pytest.mark.corpus
@pytest.mark.parametrize("company", WORLD.all, ids=lambda c: c.ticker)
def test_a_quote_is_the_last_bar_in_the_recorded_shape(sandbox, company):
    quote = FINNHUB.get(sandbox, "/quote", symbol=company.ticker)
    assert differences(quote, recorded_or("providers/finnhub/quote-AAPL.json", lookalikes.FINNHUB_QUOTE)) == []
    if WORLD.delisted(company) is not None:
        assert quote["c"] == quote["t"] == 0
        return
    before, bar = WORLD.bars(company.ticker, DAY - dt.timedelta(days=7), DAY)[-2:]
    assert (quote["c"], quote["o"], quote["h"], quote["l"]) == (bar.close, bar.open, bar.high, bar.low)
    assert quote["pc"] == pytest.approx(before.close / bar.split_factor, abs=1e-4)
    assert quote["d"] == pytest.approx(quote["c"] - quote["pc"], abs=1e-4)
    assert quote["dp"] == pytest.approx(100 * (quote["c"] / quote["pc"] - 1), abs=1e-3)
    assert dt.datetime.fromtimestamp(quote["t"], dt.UTC).isoformat() == f"{LAST}T21:00:00+00:00"


@pytest.mark.corpus
@pytest.mark.parametrize("symbol", ["NOPE", "BRNWD-B", "%5EGSPC", "OAKMR"])
def test_an_unknown_symbol_is_200_with_zeros(sandbox, symbol):
    expected = recorded_or(
        "providers/finnhub/quote-unknown.json", {**dict.fromkeys("cholt", 0), "pc": 0, "d": None, "dp": None}
    )
    assert FINNHUB.get(sandbox, "/quote", symbol=symbol) == expected


def test_paths_work_with_and_without_the_prefix_of_the_api(sandbox):
    answers = {
        sandbox.get(path, headers=FINNHUB.headers).text
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
    assert FINNHUB.get(sandbox, "/quote", symbol="LYRWD")["pc"] == pytest.approx(before / 2, abs=1e-4)


def test_a_moment_within_the_session_gives_a_price_on_the_way_to_the_close(sandbox):
    def at(clock: str) -> dict:
        moved = sandbox.http.post("/_sandbox/world", json={"at": f"{TODAY}T{clock}-05:00"})
        assert moved.status_code == 200, moved.text
        return FINNHUB.get(sandbox, "/quote", symbol="CALDQ")

    before = at("08:00:00")
    assert before["t"] < dt.datetime(2026, 11, 20, tzinfo=dt.UTC).timestamp()
    seen = [at(clock) for clock in ("09:30:00", "11:00:00", "13:00:00", "15:00:00", "16:00:00", "19:00:00")]
    bar = World(7, 12, DAY, today_closed=True).bars("CALDQ", DAY, DAY)[0]
    assert seen[0]["c"] == bar.open
    assert all(bar.low <= quote["c"] <= bar.high for quote in seen)
    assert [quote["t"] for quote in seen[:5]] == sorted({quote["t"] for quote in seen[:5]})
    assert {quote["pc"] for quote in seen} == {before["c"]}
    assert seen[4] == seen[5]
    assert (seen[4]["c"], seen[4]["h"], seen[4]["l"]) == (bar.close, bar.high, bar.low)


# -- news --------------------------------------------------------------------------------------------------------------


@pytest.mark.corpus
def test_company_news_have_the_recorded_shape_and_are_newest_first(sandbox):
    rows = FINNHUB.get(sandbox, "/company-news", symbol="CALDQ", **{"from": "2026-10-01", "to": TODAY})
    assert differences(rows, recorded_or("providers/finnhub/company-news-AAPL.json", lookalikes.FINNHUB_NEWS)) == []
    stamps = [row["datetime"] for row in rows]
    assert stamps == sorted(stamps, reverse=True)
    assert len({row["id"] for row in rows}) == len(rows)
    assert {row["related"] for row in rows} == {"CALDQ"}
    assert all(isinstance(row["id"], int) and row["datetime"] % 60 == 0 for row in rows)


def test_both_days_of_a_range_of_news_are_included(sandbox):
    every = FINNHUB.get(sandbox, "/company-news", symbol="CALDQ", **{"from": "2026-10-01", "to": TODAY})
    day = dt.datetime.fromtimestamp(every[len(every) // 2]["datetime"], dt.UTC).date().isoformat()
    one = FINNHUB.get(sandbox, "/company-news", symbol="CALDQ", **{"from": day, "to": day})
    expected = [row for row in every if dt.datetime.fromtimestamp(row["datetime"], dt.UTC).date().isoformat() == day]
    assert one == expected != []


@pytest.mark.corpus
def test_a_press_release_comes_several_times_under_other_ids_and_addresses(sandbox):
    """In the recorded answer too: one headline, one time, one source, three ids, three addresses."""
    rows = FINNHUB.get(sandbox, "/company-news", symbol="CALDQ", **{"from": "2026-01-01", "to": TODAY})
    for answer in (rows, recorded_or("samples/finnhub/company_news_AAPL_2020-12-08_duplicates.json", rows)):
        groups: dict[tuple, list] = {}
        for row in answer:
            groups.setdefault((row["headline"], row["datetime"], row["source"]), []).append(row)
        copies = [group for group in groups.values() if len(group) > 1]
        assert copies
        for group in copies:
            assert len({row["id"] for row in group}) == len({row["url"] for row in group}) == len(group)


def test_unknown_symbols_and_days_without_news_are_an_empty_list(sandbox):
    assert FINNHUB.get(sandbox, "/company-news", symbol="NOPE", **{"from": "2026-01-01", "to": TODAY}) == []
    assert FINNHUB.get(sandbox, "/company-news", symbol="CALDQ", **{"from": "2026-11-21", "to": "2026-12-31"}) == []
    assert FINNHUB.get(sandbox, "/company-news", symbol="CALDQ", **{"from": TODAY, "to": "2026-01-01"}) == []


def test_market_news_continue_above_an_id(sandbox):
    rows = FINNHUB.get(sandbox, "/news", category="general")
    assert len(rows) > 10
    assert {row["related"] for row in rows} == {""}
    ids = [row["id"] for row in rows]
    assert ids == sorted(ids, reverse=True)
    assert FINNHUB.get(sandbox, "/news", category="general", minId=str(ids[3])) == rows[:3]
    assert FINNHUB.get(sandbox, "/news", category="general", minId=str(ids[0])) == []
    assert {row["category"] for row in FINNHUB.get(sandbox, "/news", category="forex")} == {"forex"}


def test_the_free_plan_has_a_year_of_news_a_month_of_calendar_and_four_quarters(sandbox):
    free = {"X-Finnhub-Token": "free-1"}
    years = {"symbol": "CALDQ", "from": "2023-01-01", "to": TODAY}
    everything = FINNHUB.get(sandbox, "/company-news", **years)
    rows = sandbox.get("/finnhub/company-news", headers=free, params=years).json()
    oldest = dt.datetime.fromtimestamp(rows[-1]["datetime"], dt.UTC).date()
    assert rows == everything[: len(rows)]
    assert dt.date(2025, 11, 20) <= oldest < dt.date(2025, 12, 20)
    assert len(sandbox.get("/finnhub/stock/earnings?symbol=CALDQ", headers=free).json()) == 4
    assert len(FINNHUB.get(sandbox, "/stock/earnings", symbol="CALDQ")) > 20
    past = {"from": "2026-01-01", "to": TODAY}
    days = [
        row["date"]
        for row in sandbox.get("/finnhub/calendar/earnings", headers=free, params=past).json()["earningsCalendar"]
    ]
    assert min(days) >= "2026-10-20"
    assert (
        min(row["date"] for row in FINNHUB.get(sandbox, "/calendar/earnings", **past)["earningsCalendar"])
        < "2026-02-01"
    )


# -- refusals ----------------------------------------------------------------------------------------------------------


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
    assert response.json() == recorded_or(recording, {"error": lookalike})


@pytest.mark.corpus
def test_thirty_in_a_second_and_sixty_in_a_minute(sandbox):
    expected = recorded_or(
        "samples/finnhub/error_429.json",
        {"error": "API limit reached. Please try again later. Remaining Limit: 0"},
    )
    assert (
        sandbox.http.post("/_sandbox/limits", json={"finnhub": {"per_second": 3, "per_minute": 5}}).status_code == 200
    )
    codes = []
    for step in (0, 0, 0, 0, 2, 0, 0):
        sandbox.http.post("/_sandbox/clock", json={"advance": step})
        response = FINNHUB.ask(sandbox, "/quote", symbol="CALDQ")
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
    response = FINNHUB.ask(sandbox, "/quote", symbol="CALDQ")
    assert response.status_code == 200
    assert response.json()["error"].startswith("API limit reached")
    sandbox.http.post("/_sandbox/switches", json={"finnhub": {"penalised": True}})
    away = FINNHUB.ask(sandbox, "/quote", symbol="CALDQ")
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
    response = sandbox.get(f"/finnhub{path}", headers=FINNHUB.headers)
    assert response.status_code == 422
    assert isinstance(response.json()["error"], str)


def test_an_unknown_path_is_404(sandbox):
    assert FINNHUB.ask(sandbox, "/stock/weather").status_code == 404


# -- the corpus world --------------------------------------------------------------------------------------------------


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
