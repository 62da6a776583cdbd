"""Properties of every tidy function: what a stranger sends never ends in anything but rows or a named refusal."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from salescience_pipeline.catalog.datasets import DATASETS
from salescience_pipeline.clients.errors import Contract, ProviderError, TooLarge
from salescience_pipeline.clients.model import Answer
from salescience_pipeline.tidy import (
    companies,
    earnings,
    filings,
    fundamentals,
    indicators,
    insiders,
    metrics,
    news,
    prices,
    profiles,
    quotes,
)
from salescience_pipeline.tidy.model import TidyFunction
from salescience_pipeline_tests.test_tidy.market_samples import (
    CALENDAR,
    COMPANY_NEWS,
    INDICATOR_DETAILS,
    MACD,
    MARKET_NEWS,
    METRICS,
    QUOTE,
    SURPRISES,
    WIDGETS,
)
from salescience_pipeline_tests.test_tidy.samples import (
    CIK,
    FORM_INDEX,
    answer,
    chart,
    check,
    company_facts,
    context,
    fact,
    full_submission,
    left,
    ownership,
    rows_of,
    session_open,
    submissions,
    tiingo_row,
)

ACCESSION = "0009000009-26-000032"
STAMPS = [session_open(day) for day in ("2026-10-30", "2026-11-02", "2026-11-03")]
EVENTS = {
    "splits": {"a": {"date": STAMPS[1], "numerator": 4, "denominator": 1}},
    "dividends": {"b": {"date": STAMPS[2], "amount": 0.25}},
}
PROFILE = {"quoteSummary": {"result": [{"price": {"longName": "Example", "marketCap": 5}}], "error": None}}
LISTING = {"fields": ["cik", "name", "ticker", "exchange"], "data": [[9000001, "Example", "WDGT", "NYSE"]]}

DAILY = {
    "Meta Data": {"2. Symbol": "WDGT"},
    "Time Series (Daily)": {
        "2026-11-19": {"1. open": "10.0", "2. high": "11.5", "3. low": "9.5", "4. close": "11.2", "5. volume": "1200"}
    },
}

TIDY: dict[str, tuple[TidyFunction, str, bytes]] = {
    "prices.tiingo_eod": (prices.tiingo_eod, "tiingo", json.dumps([tiingo_row("2026-11-20", 1.5)] * 2).encode()),
    "prices.yahoo_chart": (
        prices.yahoo_chart,
        "yahoo",
        json.dumps(chart(STAMPS, [25.0, 26.0, 27.0], adjcloses=[24.0, 25.5, 27.0], events=EVENTS)).encode(),
    ),
    "prices.alphavantage_daily": (prices.alphavantage_daily, "alphavantage", json.dumps(DAILY).encode()),
    "companies.sec_company_tickers": (companies.sec_company_tickers, "sec", json.dumps(LISTING).encode()),
    "companies.yahoo_profile": (companies.yahoo_profile, "yahoo", json.dumps(PROFILE).encode()),
    "filings.sec_submissions": (
        filings.sec_submissions,
        "sec",
        json.dumps(submissions({}, {"form": "10-K/A", "accessionNumber": "0009000001-26-000002"})).encode(),
    ),
    "filings.sec_daily_index": (filings.sec_daily_index, "sec", FORM_INDEX.encode()),
    "filings.sec_documents": (filings.sec_documents, "sec", b"<html>"),
    "fundamentals.sec_company_facts": (
        fundamentals.sec_company_facts,
        "sec",
        json.dumps(company_facts(Assets=[fact("2025-12-31", 5), fact("2025-12-31", 5, start="2025-01-01")])).encode(),
    ),
    "insiders.sec_ownership": (insiders.sec_ownership, "sec", ownership().encode()),
    "quotes.finnhub_quotes": (quotes.finnhub_quotes, "finnhub", json.dumps(QUOTE).encode()),
    "news.finnhub_company_news": (news.finnhub_company_news, "finnhub", json.dumps(COMPANY_NEWS).encode()),
    "news.polygon_news": (news.polygon_news, "polygon", json.dumps(MARKET_NEWS).encode()),
    "metrics.finnhub_metrics": (metrics.finnhub_metrics, "finnhub", json.dumps(METRICS).encode()),
    "earnings.finnhub_surprises": (earnings.finnhub_surprises, "finnhub", json.dumps(SURPRISES).encode()),
    "earnings.finnhub_calendar": (earnings.finnhub_calendar, "finnhub", json.dumps(CALENDAR).encode()),
    "profiles.finnhub_profile": (profiles.finnhub_profile, "finnhub", json.dumps(WIDGETS).encode()),
    "indicators.alphavantage_indicators": (
        indicators.alphavantage_indicators,
        "alphavantage",
        json.dumps(MACD).encode(),
    ),
}
"""Every tidy function with its provider and a good answer."""

EVERY = pytest.mark.parametrize("name", TIDY)
MANY = settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def good_answer(name: str, body: bytes) -> Answer:
    """An answer with that body about a subject that says everything."""
    return answer(
        body,
        TIDY[name][1],
        path="/Archives/edgar/data/9000001/000900000926000032/form4.xml",
        ticker="WDGT",
        cik=CIK,
        accession=ACCESSION,
        details={"form": "4"} | INDICATOR_DETAILS,
        last_date=dt.date(2026, 11, 20),
    )


def tidy(name: str, body: bytes) -> int:
    """Rows plus left-out records; the rows are checked."""
    given_answer = good_answer(name, body)
    tidied = TIDY[name][0]([given_answer], context(["WDGT"], ciks={"WDGT": CIK}))
    for table, content in tidied.tables.items():
        check(table, content, [given_answer])
    return sum(content.num_rows for content in tidied.tables.values()) + left(tidied)


def survives(name: str, body: bytes) -> None:
    """Rows that hold, or a refusal by name in one short sentence."""
    refusal: ProviderError | None = None
    try:
        tidy(name, body)
    except (Contract, TooLarge) as error:
        refusal = error
    assert refusal is None or (len(str(refusal)) < 400 and refusal.subject == "WDGT")


def test_every_dataset_of_the_catalogue_has_its_tidy_function_here() -> None:
    assert {dataset.tidy for dataset in DATASETS.values()} == set(TIDY)


@EVERY
def test_the_good_answer_gives_rows(name: str) -> None:
    assert tidy(name, TIDY[name][2]) > 0


@EVERY
def test_no_answers_give_empty_tables_of_the_right_schema(name: str) -> None:
    tidied = TIDY[name][0]([], context())
    written = {table for dataset in DATASETS.values() if dataset.tidy == name for table in dataset.outputs.values()}
    assert set(tidied.tables) == written
    for table, content in tidied.tables.items():
        check(table, content)
        assert content.num_rows == 0


@EVERY
@MANY
@given(body=st.binary(max_size=400))
def test_any_bytes(name: str, body: bytes) -> None:
    survives(name, body)


@EVERY
@MANY
@given(data=st.data())
def test_a_good_answer_with_bytes_changed_cut_or_doubled(name: str, data: st.DataObject) -> None:
    good = TIDY[name][2]
    start = data.draw(st.integers(0, len(good)))
    end = data.draw(st.integers(start, min(len(good), start + 60)))
    survives(name, good[:start] + data.draw(st.binary(max_size=12)) + good[end:])


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(10**25), 10**25)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
    | st.sampled_from(["2026-11-20", "0009000001-26-000009", "../../x", "9000001", "WDGT", "USD", "\ud800"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where something stands in a JSON value."""
    found = [path] if path else []
    items: Sequence[tuple[Any, Any]] = []
    if isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, list):
        items = list(enumerate(value))
    for key, inner in items:
        found += places(inner, (*path, key))
    return found


@pytest.mark.parametrize("name", [name for name, (_, _, good) in TIDY.items() if good[:1] in b"[{"])
@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_a_good_answer_with_anything_in_any_place(name: str, data: st.DataObject) -> None:
    content = json.loads(TIDY[name][2])
    for path in data.draw(st.lists(st.sampled_from(places(content)), min_size=1, max_size=3)):
        holder = content
        try:
            for step in path[:-1]:
                holder = holder[step]
            if data.draw(st.booleans()):
                holder[path[-1]] = data.draw(JSON)
            else:
                del holder[path[-1]]
        except (KeyError, IndexError, TypeError):
            continue
    survives(name, json.dumps(content).encode())


ODD_XML = st.sampled_from(
    [
        "<a>",
        "</value>",
        "&amp;",
        "&x;",
        "<!--",
        "-->",
        "<?x?>",
        "<![CDATA[<a>]]>",
        "<!DOCTYPE x>",
        "<value>7</value>",
        "1e9",
        "",
    ]
)


@MANY
@given(data=st.data())
def test_an_ownership_form_with_odd_markup_in_any_place(data: st.DataObject) -> None:
    text = data.draw(st.sampled_from([ownership(), full_submission(ownership(), ACCESSION)]))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(text)))
        text = text[:at] + data.draw(ODD_XML) + text[at:]
    survives("insiders.sec_ownership", text.encode())


DAYS = st.dates(dt.date(1970, 1, 2), dt.date(2026, 11, 20))
PRICES = st.floats(0.0001, 1e6)


@given(
    drawn=st.dictionaries(
        DAYS,
        st.tuples(PRICES, st.integers(0, 10**12), PRICES, st.sampled_from([0.0, 0.25]), st.sampled_from([1.0, 4.0])),
    ),
    suffix=st.sampled_from(["T00:00:00.000Z", "T00:00:00+00:00", ""]),
    as_csv=st.booleans(),
)
def test_what_tiingo_is_made_of_comes_back(drawn: dict[dt.date, Any], suffix: str, as_csv: bool) -> None:
    rows = [
        tiingo_row(
            day.isoformat(),
            price,
            date=f"{day}{suffix}",
            volume=volume,
            adjClose=adjusted,
            divCash=cash,
            splitFactor=split,
        )
        for day, (price, volume, adjusted, cash, split) in drawn.items()
    ]
    body: Any = rows
    if as_csv:
        header = list(tiingo_row("2026-11-20", 1.0))
        body = "\n".join([",".join(header), *(",".join(str(row[name]) for name in header) for row in rows)])
    tidied = prices.tiingo_eod([answer(body, "tiingo", ticker="WDGT")], context())
    read = {
        row["trade_date"]: (row["close"], row["volume"], row["adj_close"], row["div_cash"], row["split_factor"])
        for row in rows_of(tidied, prices.TIINGO_TABLE)
    }
    assert read == drawn
    assert tidied.left_out == ()


@given(
    closes=st.lists(st.integers(100, 90_000), min_size=2, max_size=8),
    ratios=st.lists(st.sampled_from([None, (2, 1), (3, 2), (1, 10), (20, 1)]), min_size=8, max_size=8),
    cash=st.lists(st.sampled_from([0, 0, 0, 25, 100]), min_size=8, max_size=8),
)
def test_raw_prices_that_yahoo_s_rule_adjusted_come_back_to_the_cent(
    closes: list[int], ratios: list[Any], cash: list[int]
) -> None:
    """The inverse by other means: from raw cents forward to Yahoo's figures, in single precision, day by day."""
    days = [dt.date(2026, 3, 2) + dt.timedelta(days=index) for index in range(len(closes))]
    stamps = [session_open(day.isoformat()) for day in days]
    events: dict[str, Any] = {"splits": {}, "dividends": {}}
    share = 1.0
    adjusted, paid = [0.0] * len(closes), [0.0] * len(closes)
    for index in reversed(range(len(closes))):
        adjusted[index], paid[index] = closes[index] / 100 / share, cash[index] / 100 / share
        if ratios[index]:
            new, old = ratios[index]
            share *= new / old
            events["splits"][str(index)] = {"date": stamps[index], "numerator": new, "denominator": old}
        if cash[index]:
            events["dividends"][str(index)] = {"date": stamps[index], "amount": paid[index]}
    single = pa.array(adjusted, pa.float32()).to_pylist()
    tidied = prices.yahoo_chart(
        [answer(chart(stamps, single, events=events), "yahoo", last_date=dt.date(2026, 11, 20))], context()
    )
    rows = rows_of(tidied, prices.YAHOO_TABLE)
    assert [row["close"] for row in rows] == [close / 100 for close in closes]
    assert [row["div_cash"] for row in rows] == pytest.approx(
        [amount / 100 for amount in cash[: len(closes)]], rel=1e-5
    )
    assert [row["split_factor"] for row in rows] == [
        ratio[0] / ratio[1] if ratio else 1.0 for ratio in ratios[: len(closes)]
    ]


@given(
    st.dictionaries(
        st.tuples(st.one_of(st.none(), DAYS), DAYS, st.integers(0, 999_999)),
        st.one_of(st.integers(-(10**18), 10**18), st.floats(-1e15, 1e15)),
        max_size=12,
    )
)
def test_what_company_facts_are_made_of_comes_back(drawn: dict[Any, float]) -> None:
    facts = [
        fact(end.isoformat(), value, accn=f"0009000001-26-{number:06d}")
        | ({"start": start.isoformat()} if start else {})
        for (start, end, number), value in drawn.items()
    ]
    tidied = fundamentals.sec_company_facts([answer(company_facts(Assets=facts))], context())
    read = {
        (row["period_start"], row["period_end"], int(row["accession"][-6:])): row["value"]
        for row in rows_of(tidied, fundamentals.FACTS_TABLE)
    }
    assert read == {key: float(value) for key, value in drawn.items()}


@EVERY
def test_the_same_answer_gives_the_same_rows(name: str) -> None:
    function, _, body = TIDY[name]
    given_answer = good_answer(name, body)
    first, second = (function([given_answer], context(["WDGT"], ciks={"WDGT": CIK})) for _ in range(2))
    assert first.left_out == second.left_out
    assert all(content.equals(second.tables[table]) for table, content in first.tables.items())
