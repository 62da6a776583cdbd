"""The rows of Finnhub, Polygon and Alpha Vantage: limits, keys and cuts as the sources give them."""

from __future__ import annotations

import pytest

from salescience_pipeline.catalog.datasets import DATASETS, Cut
from salescience_pipeline.catalog.indicators import INDICATORS
from salescience_pipeline.catalog.providers import PROVIDERS, Quota
from salescience_pipeline.catalog.scopes import Scope
from salescience_pipeline.catalog.tables import TABLES
from salescience_pipeline.clients.gate import gate_rules
from salescience_pipeline.clients.gate_model import GateRule
from salescience_pipeline.settings import Settings, SettingsError

# The day of reading joins the key of the calendar, whose dates move.
KEYS = {
    "core_finnhub__quotes": ("source", "ticker", "quote_ts"),
    "core_finnhub__news_articles": ("source", "article_id"),
    "core_finnhub__news_tickers": ("source", "article_id", "ticker"),
    "core_polygon__news_articles": ("source", "article_id"),
    "core_polygon__news_tickers": ("source", "article_id", "ticker"),
    "core_polygon__news_insights": ("source", "article_id", "ticker"),
    "core_finnhub__fundamental_metrics": ("source", "ticker", "as_of_date", "metric", "period_type", "period_end"),
    "core_finnhub__earnings_surprises": ("source", "ticker", "period_end"),
    "core_finnhub__earnings_calendar": ("source", "ticker", "report_date", "as_of_date"),
    "core_finnhub__company_profiles": ("source", "ticker", "as_of_date"),
    "core_alphavantage__technical_indicators": (
        "source", "ticker", "indicator", "params_key", "interval", "ts_date", "series",
    ),
    "core_alphavantage__eod_prices": ("source", "ticker", "trade_date"),
}  # fmt: skip


@pytest.mark.parametrize("table", KEYS)
def test_keys_are_the_reference_s(table: str) -> None:
    assert TABLES[table].key == KEYS[table]


@pytest.mark.parametrize(
    ("provider", "per_minute", "per_second"), [("finnhub", 60, 30), ("polygon", 5, 1), ("alphavantage", 60, 1)]
)
def test_no_minute_and_no_second_of_a_free_key_holds_too_many(provider: str, per_minute: int, per_second: int) -> None:
    rule = GateRule.of(PROVIDERS[provider])
    assert int(60 / rule.interval) + 1 <= per_minute, "in any sliding minute, its first instant included"
    assert rule.capacity <= per_second


def test_alpha_vantage_s_free_key_has_a_day_of_25() -> None:
    free, *paid = PROVIDERS["alphavantage"].plans
    assert free.quotas == (Quota("day", 25),)
    assert not any(plan.quotas for plan in paid)


@pytest.mark.parametrize("provider", ["tiingo", "finnhub", "polygon", "alphavantage"])
def test_plan_and_rate_come_from_the_settings(provider: str) -> None:
    plan = PROVIDERS[provider].plans[-1]
    rules = gate_rules(Settings(_env_file=None, **{f"{provider}_plan": plan.name}))
    assert (rules[provider].rate, rules[provider].quotas) == (plan.rate, plan.quotas)
    hasty = {f"{provider}_rate": 1000.0}
    assert gate_rules(Settings(_env_file=None, **hasty))[provider].rate == 1000.0, "the sandbox is nobody's to spare"
    with pytest.raises(SettingsError, match=f"SALESCIENCE_{provider.upper()}_RATE"):
        gate_rules(Settings(_env_file=None, world="live", **hasty))


def test_every_plan_of_the_catalogue_may_be_chosen() -> None:
    for provider in ("tiingo", "finnhub", "polygon", "alphavantage"):
        for plan in PROVIDERS[provider].plans:
            Settings(_env_file=None, **{f"{provider}_plan": plan.name})


def test_indicators_are_named_by_their_parameters() -> None:
    assert {name: row.params_key for name, row in INDICATORS.items()} == {
        "SMA": "time_period=20;series=close",
        "EMA": "time_period=20;series=close",
        "RSI": "time_period=14;series=close",
        "MACD": "fastperiod=12;slowperiod=26;signalperiod=9;series=close",
        "BBANDS": "time_period=20;nbdevup=2;nbdevdn=2;matype=0;series=close",
    }


def test_what_is_asked_for_in_rotation_is_no_part_of_a_company_s_history() -> None:
    outside = {name for name, row in DATASETS.items() if not row.in_history}
    assert outside == {"core_alphavantage__technical_indicators", "core_alphavantage__eod_prices"}


def test_the_market_s_lists_need_no_ticker() -> None:
    whole = {name for name, row in DATASETS.items() if row.scope is Scope.NONE and row.cut is Cut.DATE}
    assert whole == {"core_finnhub__earnings_calendar", "core_polygon__news_articles"}
