"""Every command helps, refuses bad input in one sentence, and answers for programs as well as for people."""

from __future__ import annotations

import json

import pytest

from salescience_pipeline_tests.test_cli.conftest import Command

COMMANDS = [
    (), ("demo",), ("up",), ("sandbox",), ("plan",), ("query",), ("verify",), ("status",), ("docs",), ("watchlist",),
    ("backfill",), ("repair",),
    ("schedules",), ("schedules", "start"), ("schedules", "stop"), ("schedules", "list"),
    ("watchlist", "add"), ("watchlist", "remove"), ("watchlist", "list"),
]  # fmt: skip


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_explains_itself(salescience: Command, words: tuple[str, ...]) -> None:
    done = salescience(*words, "--help")
    assert done.returncode == 0, done.stderr
    assert "Usage" in done.stdout
    assert not done.stderr


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("watchlist", "add", "../../x"), "is not a ticker"),
        (("watchlist", "add", "a|b"), "is not a ticker"),
        (("watchlist", "add", "X" * 300), "is not a ticker"),
        (("watchlist", "add", "AAPL", "--scope", "everything"), "everything"),
        (("watchlist", "add", "AAPL", "--scope", "none"), "none"),
        (("watchlist", "list", "--on", "20260101"), "YYYY-MM-DD"),
        (("plan", "core_moon__prices"), "There is no dataset"),
        (("plan", "core_sec__facts", "--tickers", "AAPL,a b"), "is not a ticker"),
        (("plan", "core_tiingo__eod_prices_daily", "--from", "2026-06-31"), "is not a date"),
        (("plan", "--job", "moon"), "There is no job 'moon'; there are tiingo-daily-prices"),
        (("backfill", "core_moon__prices"), "There is no dataset"),
        (("backfill", "core_tiingo__eod_prices_daily", "-t", "A|B"), "is not a ticker"),
        (("backfill", "core_tiingo__eod_prices_daily", "-s", "moon"), "There is no scope 'moon'"),
        (("backfill", "core_tiingo__eod_prices_daily", "--from", "2026-06-17"), "lies in the future"),
        (("backfill", "core_tiingo__eod_prices_daily", "--from", "2026-06-13", "--to", "2026-06-14"), "a weekend"),
        (("backfill", "core_tiingo__eod_prices_daily", "--from", "2023-12-29", "--to", "2024-01-05"), "lies before"),
        (("backfill", "core_tiingo__eod_prices_daily", "--from", "2026-06-12", "--to", "2026-06-11"), "comes after"),
        (("repair", "core_moon__prices"), "There is no dataset"),
        (("schedules", "start", "moon"), "There is no job"),
        (("schedules", "start"), "start it with `salescience up`"),
        (("query", "select 1"), "No warehouse has been published yet"),
        (("demo", "--corpus", "nowhere"), "There is no folder"),
        (("demo", "--live"), "SALESCIENCE_EDGAR_CONTACT"),
        (("up", "--live"), "SALESCIENCE_EDGAR_CONTACT"),
        (("demo", "--live", "--corpus", "."), "Choose either"),
    ],
    ids=lambda value: " ".join(value)[:40] if isinstance(value, tuple) else "",
)  # fmt: skip
def test_bad_input_is_one_sentence(salescience: Command, words: tuple[str, ...], sentence: str) -> None:
    done = salescience(*words, env={"SALESCIENCE_EDGAR_RATE": "8"})
    assert done.returncode == 2
    assert sentence in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    assert done.stderr.count("Error:") == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SALESCIENCE_WORLD", "moon"),
        ("SALESCIENCE_EDGAR_RATE", "-1"),
        ("SALESCIENCE_TODAY", "tomorrow"),
        ("SALESCIENCE_THREADS", "many"),
    ],
)
def test_a_wrong_setting_names_its_variable(salescience: Command, name: str, value: str) -> None:
    done = salescience("status", env={name: value})
    assert done.returncode == 2
    assert name in done.stderr
    assert "Traceback" not in done.stderr


def test_the_watchlist_remembers(salescience: Command) -> None:
    assert "Added to entire_watchlist: AAPL, BRK.B." in salescience("watchlist", "add", "aapl", "BRK.B").stdout
    assert "nothing, all were on it" in salescience("watchlist", "add", "AAPL").stdout
    assert "Removed from entire_watchlist: AAPL." in salescience("watchlist", "remove", "AAPL").stdout
    now = json.loads(salescience("watchlist", "list", "--json").stdout)
    assert [row["ticker"] for row in now] == ["BRK.B"]
    past = json.loads(salescience("watchlist", "list", "--json", "--history").stdout)
    assert {row["ticker"]: row["until"] is not None for row in past} == {"AAPL": True, "BRK.B": False}


def test_a_ticker_that_only_looks_like_one_is_refused_before_anything_is_written(salescience: Command) -> None:
    done = salescience("watchlist", "add", "GOOD", "b\u0430d")
    assert done.returncode == 2
    assert json.loads(salescience("watchlist", "list", "--json").stdout) == []


def test_generated_documents_are_current(salescience: Command) -> None:
    done = salescience("docs", "--check")
    assert done.returncode == 0, done.stderr
