"""Every dataset's plan against the sandbox, through the real gate, ledger and archive: requests are what was planned."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from salescience_pipeline.catalog.datasets import DATASETS
from salescience_pipeline.catalog.providers import PROVIDERS
from salescience_pipeline.catalog.symbols import to_canonical
from salescience_pipeline.clients import edgar_api, registry, tiingo
from salescience_pipeline.clients.endpoints import SANDBOX_CREDENTIALS
from salescience_pipeline.clients.errors import Blocked, QuotaExhausted
from salescience_pipeline.clients.gate import Gate, GateRule
from salescience_pipeline.clients.model import Answer, AnswerClass
from salescience_pipeline.clients.plan import FilingRef, Known, Selection
from salescience_pipeline.clients.planning import json_of
from salescience_pipeline.clients.pool import Failed
from salescience_pipeline.clients.retry import RetryRule
from salescience_pipeline.clients.transport import Transport
from salescience_pipeline.identifiers import Accession, Cik, FileName, Ticker
from salescience_pipeline.lake.archive import Archive
from salescience_pipeline.ledger.gate_store import SqliteGateStore
from salescience_pipeline.ledger.ledger import Ledger
from salescience_pipeline_tests.test_clients.wire_server import bases
from salescience_pipeline_tests.test_sandbox.serving import LAST, TODAY, Served, running

SESSION = dt.date.fromisoformat(LAST)
NOW = dt.datetime.fromisoformat(f"{TODAY}T17:00:00+00:00")
NAMES = {"sec": "edgar", "tiingo": "tiingo", "yahoo": "yahoo"}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Served]:
    with running() as served:
        yield served


class Bench:
    """The rooms around a transport, all of them real."""

    def __init__(self, served: Served, folder: Path) -> None:
        served.reset()
        self.served = served
        ledger_file = folder / "ledger.db"
        self.ledger = Ledger.open(f"sqlite:///{ledger_file}")
        self.store = SqliteGateStore(str(ledger_file))
        self.archive = Archive(folder / "lake")
        rules = {row.id: GateRule.of(row, plan=row.plans[-1].name, rate=500.0) for row in PROVIDERS.values()}
        # An opened breaker is sat out, so it is short here.
        self.gate = Gate(self.store, {name: replace(rule, open_seconds=0.1) for name, rule in rules.items()})
        self.transport = Transport(
            self.gate,
            self.archive,
            bases(served.url),
            SANDBOX_CREDENTIALS,
            run_id="run-1",
            retry=RetryRule(first_wait=0.01),
        )
        listed = json_of(self.transport.send(edgar_api.company_tickers()))["data"][:5]
        self.ciks = {to_canonical("sec", symbol): Cik.of(cik) for cik, _, symbol, _ in listed}
        served.reset()

    def known(self, **more: object) -> Known:
        return Known(NOW, dt.date.fromisoformat(TODAY), SESSION, ciks=self.ciks, **more)  # type: ignore[arg-type]

    def fetch(self, dataset: str, known: Known, **more: object) -> tuple[int, list[Answer | Failed]]:
        """The plan's minimum, and the outcomes."""
        selection = Selection(dataset, tuple(self.ciks), **more)  # type: ignore[arg-type]
        recipe = registry.recipe(DATASETS[dataset])
        plan = recipe.plan(selection, known)
        outcomes = self.transport.send_all(
            plan.requests,
            follow_ups=lambda answer: recipe.follow_ups(answer, selection, known),
            fallbacks=lambda failed: recipe.fallbacks(failed.request, failed.error, selection, known),  # type: ignore[arg-type]
        )
        return plan.minimum, list(outcomes)

    def counted(self, provider: str) -> int:
        return int(self.served.stats()["providers"].get(NAMES[provider], {}).get("requests", 0))

    def close(self) -> None:
        self.transport.close()
        self.archive.close()
        self.store.close()
        self.ledger.close()


@pytest.fixture
def bench(sandbox: Served, tmp_path: Path) -> Iterator[Bench]:
    made = Bench(sandbox, tmp_path)
    yield made
    made.close()


@pytest.mark.parametrize(
    ("dataset", "extra"),
    [
        ("core_sec__company_tickers", 0),
        ("core_sec__filings_history", 0),
        ("core_sec__facts", 0),
        ("core_tiingo__eod_prices_history", 0),
        ("core_yahoo__eod_prices", 0),
        ("core_yahoo__company_profiles", 2),  # cookie and crumb, once per transport
    ],
)
def test_requests_are_the_minimum(bench: Bench, dataset: str, extra: int) -> None:
    minimum, outcomes = bench.fetch(dataset, bench.known())
    assert minimum in {1, 5}
    assert [outcome.answer_class for outcome in outcomes if isinstance(outcome, Answer)] == [AnswerClass.OK] * minimum
    provider = DATASETS[dataset].provider
    assert bench.counted(provider) == minimum + extra == bench.transport.usage.requests[provider] - (provider == "sec")


def test_a_week_of_prices_is_one_call_per_ticker_and_the_newest_day_one_for_all(bench: Bench) -> None:
    week = tuple(SESSION - dt.timedelta(days=back) for back in range(4))
    minimum, outcomes = bench.fetch("core_tiingo__eod_prices_daily", bench.known(), dates=week)
    assert minimum == len(outcomes) == bench.counted("tiingo") == 5
    bench.served.reset()
    minimum, outcomes = bench.fetch("core_tiingo__eod_prices_daily", bench.known(), dates=(SESSION,))
    (bulk,) = [one for one in outcomes if one.request.endpoint == "eod_bulk"]
    assert isinstance(bulk, Answer)
    acting = [row["ticker"] for row in json_of(bulk) if tiingo.has_action(row)]
    assert minimum == 1
    assert bench.counted("tiingo") == 1 + len(acting)


def test_unknown_tickers_are_not_found_and_lose_nobody_else(bench: Bench) -> None:
    bench.ciks[Ticker("NOPE")] = Cik("4040404")
    for dataset in ("core_tiingo__eod_prices_history", "core_yahoo__eod_prices", "core_sec__filings_history"):
        _, outcomes = bench.fetch(dataset, bench.known())
        classes = {one.request.subject.key: one.answer_class for one in outcomes if isinstance(one, Answer)}
        assert classes.pop("NOPE") is AnswerClass.NOT_FOUND
        assert set(classes.values()) == {AnswerClass.OK}
        assert len(classes) == 5


def _filings(bench: Bench) -> list[FilingRef]:
    _, outcomes = bench.fetch("core_sec__filings_history", bench.known())
    refs = []
    for outcome in outcomes:
        assert isinstance(outcome, Answer)
        recent = json_of(outcome)["filings"]["recent"]
        columns = zip(
            recent["accessionNumber"], recent["form"], recent["filingDate"], recent["primaryDocument"], strict=True
        )
        for accession, form, filed, name in columns:
            file = FileName(name.rpartition("/")[2]) if name else None
            subject = outcome.request.subject
            assert subject.cik is not None
            day = dt.date.fromisoformat(filed)
            refs.append(FilingRef(subject.cik, Accession(accession), form, day, file, subject.ticker))
    return refs


def test_documents_are_fetched_whole_in_spite_of_every_fault_and_once_for_ever(bench: Bench) -> None:
    refs = _filings(bench)
    bench.served.reset()
    for kind, cik in zip(("status", "cut", "cut_gzip", "empty", "reset"), bench.ciks.values(), strict=True):
        bench.served.fault(
            provider="edgar", kind=kind, match=f"/Archives/edgar/data/{cik.unpadded}/", per_url=True, times=2
        )
    minimum, outcomes = bench.fetch("core_sec__documents", bench.known(filings=refs), n_years=1)
    assert minimum >= 15
    assert all(isinstance(outcome, Answer) for outcome in outcomes), outcomes
    faults = sum(rule["done"] for rule in bench.served.http.get("/_sandbox/faults").json()["faults"])
    assert faults == 10
    assert bench.counted("sec") == minimum + faults
    bench.served.reset()
    _, again = bench.fetch("core_sec__documents", bench.known(filings=refs), n_years=1)
    assert [outcome.attempts for outcome in again if isinstance(outcome, Answer)] == [0] * minimum
    assert bench.counted("sec") == 0


def test_insider_forms_come_as_xml(bench: Bench) -> None:
    refs = _filings(bench)
    minimum, outcomes = bench.fetch("core_sec__insider_transactions", bench.known(filings=refs), n_years=1)
    assert minimum == len(outcomes) > 0
    for outcome in outcomes:
        assert isinstance(outcome, Answer)
        assert b"<ownershipDocument" in outcome.body.read()[:500]


def test_the_index_of_a_past_day_is_there_and_unchanged_when_asked_again(bench: Bench) -> None:
    day = dt.date(2026, 11, 18)
    first = bench.transport.send(edgar_api.daily_index(day))
    again = bench.transport.send(edgar_api.daily_index(day))
    assert (first.answer_class, again.answer_class) == (AnswerClass.OK, AnswerClass.UNCHANGED)
    assert again.body.read() == first.body.read()
    assert bench.transport.send(edgar_api.daily_index(dt.date(2026, 11, 11))).answer_class is AnswerClass.OK_EMPTY


def test_a_block_page_keeps_everybody_quiet(bench: Bench) -> None:
    bench.served.fault(provider="edgar", kind="block_page", times=1)
    with pytest.raises(Blocked):
        bench.transport.send(edgar_api.company_tickers())
    with pytest.raises(Blocked):
        bench.transport.send(edgar_api.company_tickers())
    assert bench.counted("sec") == 1


def test_a_spent_quota_stops_the_others_before_they_are_sent(bench: Bench) -> None:
    spent = json.dumps({"detail": "Error: You have run over your hourly request allocation."})
    bench.served.fault(provider="tiingo", kind="status", params={"status": 429, "body": spent}, times=1)
    _, outcomes = bench.fetch("core_tiingo__eod_prices_history", bench.known())
    refused = [outcome for outcome in outcomes if isinstance(outcome, Failed)]
    assert refused
    assert {type(outcome.error) for outcome in refused} == {QuotaExhausted}
    assert bench.counted("tiingo") + sum(outcome.error.attempts == 0 for outcome in refused) == 5  # type: ignore[union-attr]
