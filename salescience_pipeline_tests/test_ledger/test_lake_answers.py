"""Answers of the lake in the ledger: counted, kept, forgotten."""

from __future__ import annotations

import datetime as dt

from salescience_pipeline.ledger import Ledger
from salescience_pipeline.ledger.lake_answers import FORGOTTEN_AFTER, Kept, LakeAnswers

_NOON = dt.datetime(2026, 6, 16, 12, tzinfo=dt.UTC)


def test_what_was_written_is_counted_by_scope(ledger: Ledger) -> None:
    answers = ledger.lake_answers
    assert answers.generations(["sec:AAPL", "sec:*"]) == {"sec:*": 0, "sec:AAPL": 0}
    answers.count({"sec:AAPL", "sec:MSFT"})
    answers.count({"sec:AAPL"})
    answers.count(set())
    assert answers.generations(["sec:AAPL", "sec:MSFT", "sec:*"]) == {"sec:*": 0, "sec:AAPL": 2, "sec:MSFT": 1}


def test_an_answer_takes_the_place_of_the_one_before_and_is_forgotten_in_time(ledger: Ledger) -> None:
    clock = [_NOON]
    answers = LakeAnswers(ledger.engine, clock=lambda: clock[0])
    found = [{"status": "success", "details": {"accession": "0000000001-26-000001"}}]
    answers.keep("sec", 2, "10-K", {"AAPL": Kept("one", found), "MSFT": Kept("one", [])})
    answers.keep("sec", 1, "10-K", {})
    answers.keep("sec", 2, "10-K", {"AAPL": Kept("two", found)})
    assert answers.find("sec", ["AAPL", "MSFT", "NVDA"], 2, "10-K") == {
        "AAPL": Kept("two", found), "MSFT": Kept("one", []),
    }  # fmt: skip
    assert answers.find("sec", ["AAPL"], 3, "10-K") == answers.find("yahoo", ["AAPL"], 2, "10-K") == {}
    clock[0] += FORGOTTEN_AFTER + dt.timedelta(seconds=1)
    answers.keep("yahoo", 2, "10-K", {"AAPL": Kept("three", [])})
    assert answers.find("sec", ["AAPL", "MSFT"], 2, "10-K") == {}
