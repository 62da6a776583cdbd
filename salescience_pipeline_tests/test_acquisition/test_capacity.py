"""Capacity by arithmetic: golden figures of a day, and each limit that does not hold is told."""

from __future__ import annotations

import datetime as dt

import pytest

from salescience_pipeline.acquisition.capacity import capacity, parse_cadence
from salescience_pipeline.acquisition.services import SelectionError

FRIDAY = dt.date(2026, 5, 29)
FREE = dict.fromkeys(("tiingo", "finnhub", "polygon", "alphavantage"), "free")


def test_1_500_tickers_every_quarter_of_an_hour() -> None:
    made = capacity(1_500, FRIDAY, FREE, cadence=parse_cadence("15m"))
    assert made.active == 150
    assert {load.job: (load.runs, load.requests_a_run) for load in made.jobs} == {
        "tiingo-daily-prices": (2, 25),
        "tiingo-daily-prices-indices": (2, 1),
        # From 09:30 to 16:05.
        "finnhub-quote-portfolio": (27, 150),
        "finnhub-quote-indices": (27, 10),
        "finnhub-company-news-universe": (1, 1_500),
        "finnhub-company-news-portfolio": (14, 150),
        "finnhub-fundamentals-earnings": (1, 49),
        "polygon-news-universe": (1, 0),
        "polygon-news-portfolio": (14, 0),
        "polygon-news-market": (96, 1),
        "alpha-vantage-technical-indicators": (1, 7_500),
    }
    loads = {load.provider: load for load in made.providers}
    assert {name: (load.requests, load.allowed) for name, load in loads.items()} == {
        "tiingo": (52, 1_000),
        "finnhub": (7_969, 86_400),
        "polygon": (96, 7_200),
        "alphavantage": (7_500, 25),
    }
    assert made.bottleneck.provider == "alphavantage"
    assert loads["alphavantage"].problems == ("Alpha Vantage's free plan allows 25 requests a day, 7,500 are needed.",)
    assert loads["alphavantage"].plan_that_holds == "premium-75"
    assert loads["tiingo"].problems == ("Tiingo's free plan allows 500 symbols per month, about 504 are needed.",)
    assert loads["tiingo"].plan_that_holds == "power"
    assert loads["finnhub"].problems == loads["polygon"].problems == ()
    assert loads["finnhub"].seconds == 7_969.0


def test_a_poll_that_takes_longer_than_its_cadence_is_told_with_the_plan_that_keeps_up() -> None:
    made = capacity(1_000, FRIDAY, FREE, active=400)
    loads = {load.provider: load for load in made.providers}
    assert (
        "finnhub-quote-portfolio takes 400 s at Finnhub's free plan and is due every 300 s."
        in loads["finnhub"].problems
    )
    assert loads["finnhub"].plan_that_holds == "paid-150"
    big = {load.provider: load for load in capacity(5_000, FRIDAY, FREE).providers}["tiingo"]
    assert "Tiingo's free plan allows 50 requests per hour, one run needs 80." in big.problems


def test_a_half_day_and_a_monday_have_fewer_runs() -> None:
    def runs(day: dt.date) -> dict[str, int]:
        return {load.job: load.runs for load in capacity(100, day, FREE).jobs}

    assert runs(dt.date(2026, 11, 27))["finnhub-quote-portfolio"] == 44
    assert runs(FRIDAY)["finnhub-quote-portfolio"] == 80
    assert runs(dt.date(2026, 6, 1))["finnhub-fundamentals-earnings"] == 0


@pytest.mark.parametrize("text", ["", "often", "0m", "30s", "2d", "25h", "-5m", "15m15m"])
def test_what_is_no_cadence_is_refused(text: str) -> None:
    with pytest.raises(SelectionError, match="is no cadence; write it as 15m or 1h"):
        parse_cadence(text)


def test_numbers_that_cannot_be_meant_are_refused() -> None:
    with pytest.raises(SelectionError, match="A watchlist holds from 1 to 100,000"):
        capacity(10, FRIDAY, FREE, active=11)
    with pytest.raises(SelectionError, match="2026-05-30 is no trading day"):
        capacity(10, dt.date(2026, 5, 30), FREE)
