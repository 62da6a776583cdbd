"""How long one organisation waits behind the backlogs of others: real rows, a clock that is moved by hand."""

from __future__ import annotations

import datetime as dt
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from salescience_pipeline.identifiers import OrganizationId
from salescience_pipeline.ledger import Ledger
from salescience_pipeline.ledger.dispatch import Dispatch
from salescience_pipeline.ledger.job_model import Creation, NewJob, PlannedSource
from salescience_pipeline.ledger.turns import Chunk
from salescience_pipeline.orchestration.submission_runs import YIELDS_AFTER_SECONDS
from salescience_pipeline.orchestration.submissions import EACH, WINDOW, submissions, tags_of

_DAGSTER = yaml.safe_load((Path(__file__).resolve().parents[2] / "dagster.yaml").read_text())["concurrency"]["runs"]
_PLACES = _DAGSTER["max_concurrent_runs"]
_OF_ONE = _DAGSTER["tag_concurrency_limits"][0]["limit"]
_TICK = submissions.minimum_interval_seconds or 0
_STARTS, _WORKS = 4, 1
"""Seconds that a run takes to start, and for a chunk."""
_SMALL = OrganizationId("small")
_RUN = _STARTS + YIELDS_AFTER_SECONDS + _WORKS
"""Seconds for which a run keeps its place when somebody waits who has none."""


@dataclass
class _Run:
    """A run at work on one chunk after the other."""

    run_id: str
    begins: int
    chunk: Chunk
    is_at_work: bool = False


class _Service:
    """The sensor, Dagster's queue and the runs, a second at a time; the ledger is the real one."""

    def __init__(self, ledger: Ledger) -> None:
        self.second, self._began = 0, dt.datetime(2026, 6, 16, 12, tzinfo=dt.UTC)
        self._dispatch = Dispatch(ledger.engine, clock=lambda: self._began + dt.timedelta(seconds=self.second))
        self._queue: list[Chunk] = []
        self.runs: list[_Run] = []
        self.begun: dict[str, int] = {}
        """When the first chunk of each organisation was taken up."""

    def pass_second(self) -> None:
        """What happens in one second."""
        self.second += 1
        if self.second % _TICK == 0:
            self._queue += self._dispatch.pick(window=WINDOW, each=EACH)
            self._queue.sort(key=lambda chunk: -int(tags_of(chunk)["dagster/priority"]))
        for run in list(self.runs):
            self._work(run)
        self._dequeue()

    def _work(self, run: _Run) -> None:
        if not run.is_at_work:
            if self.second < run.begins:
                return
            claimed = self._dispatch.claim(run.chunk.run_key, run.run_id)
            run.is_at_work = True
        else:
            self._dispatch.finish(run.chunk.run_key, run.run_id)
            yielding = self.second - run.begins > YIELDS_AFTER_SECONDS
            claimed = self._dispatch.claim_next(run.chunk, run.run_id, yielding=yielding)
        if claimed is None:
            self.runs.remove(run)
            return
        run.chunk = claimed[0]
        self.begun.setdefault(run.chunk.organization_id, self.second)

    def _dequeue(self) -> None:
        for chunk in list(self._queue):
            of_each = Counter(run.chunk.organization_id for run in self.runs)
            if len(self.runs) < _PLACES and of_each[chunk.organization_id] < _OF_ONE:
                self._queue.remove(chunk)
                self.runs.append(_Run(uuid.uuid4().hex, self.second + _STARTS, chunk))


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """The rules are the same on both databases; one is enough."""
    with Ledger.open(f"sqlite:///{tmp_path / 'ledger.db'}") as opened:
        yield opened


def _submit(ledger: Ledger, name: OrganizationId, count: int) -> None:
    for _ in range(0, count, 100):
        jobs = [
            NewJob(str(uuid.uuid4()), "submit", "submit", {}, [PlannedSource("A:SEC:0", "sec", "A", 0)], "request-1")
            for _ in range(min(count, 100))
        ]
        ledger.jobs.create_together([Creation(name, jobs, "test", 1_000, None)])


@pytest.mark.parametrize(("backlogs", "bound"), [(1, _TICK + _STARTS), (4, _TICK + _RUN + _STARTS)])
def test_003_36_the_wait_behind_backlogs_is_bounded_whatever_their_length(
    ledger: Ledger, backlogs: int, bound: float
) -> None:
    """Behind one there is a place at once; behind several, when the first run has had its ten seconds."""
    service = _Service(ledger)
    for number in range(backlogs):
        _submit(ledger, OrganizationId(f"large-{number}"), 500)
    while service.second < 25:
        service.pass_second()
    assert len(service.runs) == min(_PLACES, backlogs * _OF_ONE)
    _submit(ledger, _SMALL, 1)
    submitted = service.second
    while _SMALL not in service.begun:
        service.pass_second()
        assert service.second - submitted <= bound
