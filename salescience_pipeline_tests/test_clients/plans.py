"""What the recipes' tests share: a small market, what is known about it, and plans that are checked as they are made."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Mapping
from typing import Any

from salescience_pipeline.catalog.datasets import DATASETS
from salescience_pipeline.clients import registry
from salescience_pipeline.clients.model import Answer, AnswerClass, Body, PlannedRequest, RawRef
from salescience_pipeline.clients.plan import Coverage, Known, Recipe, RequestPlan, Selection
from salescience_pipeline.identifiers import Cik, RequestId, Ticker

NOW = dt.datetime(2026, 11, 20, 23, 0, tzinfo=dt.UTC)
TODAY = dt.date(2026, 11, 20)
FRIDAY = TODAY
MONDAY = dt.date(2026, 11, 16)
WEEK = [MONDAY + dt.timedelta(days=number) for number in range(5)]
TICKERS = tuple(map(Ticker, ("ALDRN", "BRNWD.B", "CALDQ", "DOVEK")))
CIKS = {ticker: Cik.of(9_900_001 + number) for number, ticker in enumerate(TICKERS)}
START = dt.date(2024, 1, 1)


def known(coverage: Mapping[str, Coverage] | None = None, **more: Any) -> Known:
    return Known(
        **({"now": NOW, "today": TODAY, "last_session": FRIDAY, "ciks": CIKS, "coverage": coverage or {}} | more)
    )


def covered(
    status: str = "complete",
    *,
    first: dt.date | None = START,
    last: dt.date | None = FRIDAY,
    age: dt.timedelta = dt.timedelta(hours=1),
) -> Coverage:
    return Coverage(first, last, NOW - age, status)


def plan_of(dataset: str, state: Known, tickers: Iterable[Ticker] = TICKERS, **more: Any) -> RequestPlan:
    plan = recipe(dataset).plan(Selection(dataset, tuple(tickers), **more), state)
    assert len(plan.requests) == plan.minimum
    assert (plan.dataset, plan.provider) == (dataset, DATASETS[dataset].provider)
    assert plan.why.endswith(".")
    urls = [request.canonical_url for request in plan.requests]
    assert len(urls) == len(set(urls)), "the same address twice is never the minimum"
    return plan


def recipe(dataset: str) -> Recipe:
    return registry.recipe(DATASETS[dataset])


def answer(request: PlannedRequest, data: object, answer_class: AnswerClass = AnswerClass.OK) -> Answer:
    body = Body(json.dumps(data).encode())
    return Answer(request, answer_class, NOW, RequestId.new(), RawRef(body.sha256, body.size), body, 200)


def keys(plan: RequestPlan) -> list[str]:
    return [request.subject.key for request in plan.requests]
