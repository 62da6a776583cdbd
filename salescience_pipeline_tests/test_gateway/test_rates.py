"""Requests of an organisation in a minute, over all gateways: never more than its limit, and nobody else's fewer."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from salescience_pipeline.gateway.problems import Problem
from salescience_pipeline.gateway.rates import Rates
from salescience_pipeline.ledger import Ledger
from salescience_pipeline.settings import Settings
from salescience_pipeline_tests.test_gateway.conftest import ACME, OTHER
from salescience_pipeline_tests.test_gateway.serving import gateway


class Minute:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 60.0 * 1_000

    def __call__(self) -> float:
        return self.now


def _let_through(rates: Rates, limit: int | None, tries: int) -> int:
    done = 0
    for _ in range(tries):
        try:
            if not rates.spend(ACME):
                rates.take(ACME, limit)
        except Problem:
            continue
        done += 1
    return done


@pytest.mark.parametrize("limit", [1, 7, 100])
def test_003_36_two_gateways_together_keep_to_the_limit(ledger: Ledger, limit: int) -> None:
    clock = Minute()
    first, second = (Rates(lambda: ledger.request_limits, 1_000, clock=clock) for _ in range(2))
    passed = 0
    for rates in [first, second] * (2 * limit):
        passed += _let_through(rates, limit, 1)
    assert limit - 2 * max(limit // 20, 1) < passed <= limit
    clock.now += 60
    assert _let_through(first, limit, 2 * limit) == limit


def test_003_36_threads_of_one_gateway_keep_to_the_limit(ledger: Ledger) -> None:
    rates = Rates(lambda: ledger.request_limits, 1_000, clock=Minute())
    passed: list[int] = []
    threads = [threading.Thread(target=lambda: passed.append(_let_through(rates, 50, 25))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(passed) == 50


def test_003_36_a_gateway_whose_clock_is_behind_gains_nothing(ledger: Ledger) -> None:
    ahead, behind = Minute(), Minute()
    ahead.now += 60
    first = Rates(lambda: ledger.request_limits, 10, clock=ahead)
    second = Rates(lambda: ledger.request_limits, 10, clock=behind)
    assert _let_through(first, None, 6) == 6
    assert _let_through(second, None, 20) == 4
    with pytest.raises(Problem) as caught:
        second.take(ACME, None)
    assert int(caught.value.headers["Retry-After"]) > 60


def test_003_36_who_asks_too_often_is_told_when_to_come_again(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, gateway_auth="api_key", requests_per_minute=5)
    settings.root.mkdir(parents=True)
    with Ledger.of(settings) as ledger, gateway(settings) as client:
        keys = {name: ledger.organizations.create_key(name, scopes=["admin"])[0] for name in (ACME, OTHER)}
        ledger.organizations.limit_requests(OTHER, 1_000)
        # A minute may end in the middle.
        answers = [client.get("/jobs", headers={"X-API-Key": keys[ACME]}) for _ in range(12)]
        assert 5 <= sum(answer.status_code == 200 for answer in answers) <= 10
        refused = next(answer for answer in answers if answer.status_code != 200)
        assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
        assert 1 <= int(refused.headers["retry-after"]) <= 61
        others = [client.get("/jobs", headers={"X-API-Key": keys[OTHER]}).status_code for _ in range(12)]
        assert others == [200] * 12
        # What needs no key needs no allowance.
        assert client.get("/health").status_code == 200
