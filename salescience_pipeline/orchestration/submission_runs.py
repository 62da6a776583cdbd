"""What a run of the ``submission`` job does: acquire its chunk in small batches and write each source's progress.

Imported when a run starts and not before. A heartbeat thread says every ten seconds that the run lives and hears
whether it is still wanted; a run whose chunk was cancelled or given to another stops after its batch. What does not
belong here: acquiring (``acquisition``), and what a source came to as rows (``ledger.jobs``).
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

import dagster as dg

from salescience_pipeline.acquisition import kept_answers
from salescience_pipeline.acquisition import submissions as asked
from salescience_pipeline.acquisition.acquire import acquire
from salescience_pipeline.acquisition.outcome import Acquired
from salescience_pipeline.acquisition.sandbox_process import SandboxUnavailable
from salescience_pipeline.acquisition.services import SelectionError, Services
from salescience_pipeline.catalog.datasets import Cut
from salescience_pipeline.clients import logs, tracing
from salescience_pipeline.clients.errors import ProviderError
from salescience_pipeline.identifiers import OrganizationId, RequestId, Ticker, parse_tickers
from salescience_pipeline.lake.errors import LakeError
from salescience_pipeline.lake.results import Results
from salescience_pipeline.ledger.dispatch import HEARTBEAT_SECONDS
from salescience_pipeline.ledger.job_model import Content, JobView, Outcome, SourceView
from salescience_pipeline.ledger.job_rules import SourceStatus
from salescience_pipeline.ledger.ledger import Ledger
from salescience_pipeline.ledger.turns import Chunk
from salescience_pipeline.orchestration.partitions import TICKERS
from salescience_pipeline.orchestration.submissions import worker_id
from salescience_pipeline.settings import SettingsError

_log = logging.getLogger(__name__)
BATCH_TICKERS = 5
"""Tickers after which progress is written: a client sees it move, and a killed run loses little."""
GOES_ON_SECONDS, YIELDS_AFTER_SECONDS = 120.0, 10.0
"""How long a run looks for more of its organisation's work, and after how long it does so only while nobody else's waits."""
_PAGE = os.sysconf("SC_PAGE_SIZE")


class Heartbeat:
    """A thread that writes a sign of life every ten seconds; ``wanted`` turns false when the chunk is not ours any more."""

    def __init__(self, ledger: Ledger, run_id: str, run_key: str, *, every: float = HEARTBEAT_SECONDS) -> None:
        """Nothing is written before the block is entered."""
        self._ledger, self._run_id, self._run_key, self._every = ledger, run_id, run_key, every
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)
        self.wanted, self.done = True, 0

    def __enter__(self) -> Self:
        self._beat()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def turn_to(self, run_key: str) -> None:
        """The chunk that the run works on from now on."""
        if run_key != self._run_key:
            self._run_key = run_key
            self._beat()

    def _run(self) -> None:
        while not self._stop.wait(self._every):
            self._beat()

    def _beat(self) -> None:
        self.wanted = self._ledger.dispatch.beat(
            self._run_id, worker_id=worker_id(), run_key=self._run_key, jobs_processed=self.done, memory_usage=_memory()
        )


def _memory() -> int:
    """Resident bytes of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE


def run_chunk(context: dg.OpExecutionContext, run_key: str, services: Services) -> None:
    """Work on the chunk; everything that came through is stored before the run fails for what did not.

    Raises:
        Failure: naming the sources that failed.
    """
    settings = services.settings
    logs.install(settings.log_level, settings.log_format, secrets=settings.secrets())
    if settings.otlp_endpoint is not None and not tracing.is_on():
        tracing.enable("salescience-run", endpoint=settings.otlp_endpoint)
    ledger = services.ledger
    claimed = ledger.dispatch.claim(run_key, context.run_id)
    if claimed is None:
        context.log.info(f"Nothing to do for {run_key}: it was cancelled, finished, or given to another run.")
        return
    failed: list[str] = []
    started = time.monotonic()
    with Heartbeat(ledger, context.run_id, run_key) as heart:
        while claimed is not None:
            chunk, job = claimed
            heart.turn_to(chunk.run_key)
            failed += _traced(context, services, heart, chunk, job)
            ledger.dispatch.finish(chunk.run_key, context.run_id)
            worked = time.monotonic() - started
            yielding = worked > YIELDS_AFTER_SECONDS
            over = worked > GOES_ON_SECONDS
            claimed = None if over else ledger.dispatch.claim_next(chunk, context.run_id, yielding=yielding)
    if failed:
        raise dg.Failure(f"{len(failed)} sources failed: {'; '.join(failed[:5])}", allow_retries=False)


def _traced(
    context: dg.OpExecutionContext, services: Services, heart: Heartbeat, chunk: Chunk, job: JobView
) -> list[str]:
    """Do one chunk for who asked for it: its request's id in log lines, spans and requests, its share of the providers."""
    services.request_id = RequestId(job.request_id)
    services.on_behalf_of = OrganizationId(job.organization_id)
    with (
        logs.about(request_id=job.request_id, run_id=context.run_id, job_id=job.job_id),
        tracing.span(f"run {chunk.provider}", job.request_id, dagster_run__id=context.run_id, salescience_job=job.name),
    ):
        about = f"[{job.request_id}] job {job.job_id}: {chunk.provider}, {len(chunk.tickers)} tickers"
        context.log.info(about)
        _log.info(about)
        failed = _chunk(context, services, heart, chunk, job)
        _log.log(logging.WARNING if failed else logging.INFO, f"{len(failed)} sources of {chunk.run_key} failed")
    return failed


def _chunk(
    context: dg.OpExecutionContext, services: Services, heart: Heartbeat, chunk: Chunk, job: JobView
) -> list[str]:
    """Do one chunk; the sentences of what failed."""
    if job.kind == "trigger":
        return _run_named_job(context, services, job)
    failed: list[str] = []
    for batch in _batches(parse_tickers(chunk.tickers)):
        if not heart.wanted:
            context.log.info("The job was cancelled; the rest is left.")
            break
        failed += _work(context, services, chunk, job, batch)
        heart.done += len(batch)
    return failed


def _run_named_job(context: dg.OpExecutionContext, services: Services, job: JobView) -> list[str]:
    """Run one of the providers' jobs as its own Dagster job would, and settle its one source; what failed."""
    from salescience_pipeline.acquisition.backfill import selections_of_job  # noqa: PLC0415 - submissions need neither
    from salescience_pipeline.catalog.jobs import job_named  # noqa: PLC0415
    from salescience_pipeline.orchestration.selections import run_selections  # noqa: PLC0415

    (source,) = job.sources
    owner = OrganizationId(job.organization_id)

    def settle(status: SourceStatus, details: dict[str, object], error: str | None = None) -> None:
        outcome = Outcome(source.key, status, None, details, error_class="failed" if error else None, error=error)
        services.ledger.jobs.settle(owner, job.job_id, context.run_id, [outcome])

    try:
        wanted = selections_of_job(
            services, job_named(job.name), scope=str(job.request["scope"]), day=job.request.get("day")
        )
        done = run_selections(context, services, wanted)
    except dg.Failure as failure:
        settle(SourceStatus.FAILED, {}, failure.description or "It failed.")
        return [f"{job.name}: {failure.description}"]
    except (ProviderError, LakeError, SelectionError, SandboxUnavailable, SettingsError) as error:
        settle(SourceStatus.FAILED, {}, str(error))
        return [f"{job.name}: {error}"]
    settle(
        SourceStatus.SUCCESS, {"rows": sum(acquired.rows for acquired in done), "requests": sum(a.sent for a in done)}
    )
    return []


def _batches(tickers: Sequence[Ticker]) -> Iterator[Sequence[Ticker]]:
    for start in range(0, len(tickers), BATCH_TICKERS):
        yield tickers[start : start + BATCH_TICKERS]


def _work(
    context: dg.OpExecutionContext, services: Services, chunk: Chunk, job: JobView, batch: Sequence[Ticker]
) -> list[str]:
    """Acquire one batch and settle its sources; the sentences of those that failed."""
    n_years, form = int(job.request.get("n_years") or 1), str(job.request.get("form_type") or "10-K")
    sources = {ticker: [source for source in _mine(job, chunk) if source.ticker == ticker] for ticker in batch}
    try:
        # Many may have asked for the same before the first of them was served.
        found = kept_answers.find(services, chunk.provider, batch, n_years, form)[0] or _fetched(
            context, services, chunk.provider, batch, n_years, form
        )
    except (ProviderError, LakeError, SelectionError, SandboxUnavailable, SettingsError) as error:
        found = {
            ticker: [asked.Found("failed", error_class=type(error).__name__, error=str(error))] for ticker in batch
        }
    failed: list[str] = []
    for ticker in batch:
        failed += _settle(context, services.ledger, job, sources[ticker], found.get(ticker, []))
    return failed


def _mine(job: JobView, chunk: Chunk) -> list[SourceView]:
    return [source for source in job.sources if source.provider == chunk.provider and not source.status.is_final]


def _fetched(
    context: dg.OpExecutionContext, services: Services, provider: str, batch: Sequence[Ticker], n_years: int, form: str
) -> dict[Ticker, list[asked.Found]]:
    """Acquire the batch; what the lake holds of it then."""
    _acquire(context, services, provider, batch, n_years, form)
    results = Results(services.settings.lake_dir)
    return kept_answers.read_after_a_run(services, results, provider, batch, n_years, form)


def _acquire(
    context: dg.OpExecutionContext, services: Services, provider: str, batch: Sequence[Ticker], n_years: int, form: str
) -> None:
    wanted = asked.selections(provider, batch, n_years, form)
    for selection in wanted:
        _tell(context, acquire(services, selection, run_id=context.run_id))
    if provider == "sec" and (late := asked.too_few(services, batch, n_years, form)):
        for selection in asked.selections(provider, late, n_years + 1, form)[1:]:
            _tell(context, acquire(services, replace(selection, tickers=tuple(late)), run_id=context.run_id))


def _tell(context: dg.OpExecutionContext, acquired: Acquired) -> None:
    """Tell Dagster which partitions of the dataset's assets are there now, as the asset's own run would."""
    context.log.info(f"[{logs.request_id()}] {acquired.sentence()}")
    _log.info(acquired.sentence())
    if acquired.dataset.cut is not Cut.TICKER or not acquired.planned:
        return
    open_ = acquired.open_partitions()
    good = sorted({state.partition for state in acquired.states} - open_)
    context.instance.add_dynamic_partitions(TICKERS.name or "", good)
    for asset_key in acquired.dataset.outputs:
        for partition in good:
            context.log_event(dg.AssetMaterialization(asset_key=asset_key, partition=partition))


def _settle(
    context: dg.OpExecutionContext,
    ledger: Ledger,
    job: JobView,
    sources: Sequence[SourceView],
    found: Sequence[asked.Found],
) -> list[str]:
    """Write what one ticker's sources came to."""
    placeholder = next((source for source in sources if source.provider == "sec" and source.ordinal is None), None)
    if placeholder is not None:
        many = found[0].status == "success" or len(found) > 1
        outcomes = [
            _outcome(f"{placeholder.key}:{place}" if many else placeholder.key, item, place if many else None)
            for place, item in enumerate(found)
        ]
        ledger.jobs.settle(
            OrganizationId(job.organization_id),
            job.job_id,
            context.run_id,
            outcomes,
            replaces=placeholder.key if many else None,
        )
    else:
        outcomes = []
        for source in sources:
            place = source.ordinal or 0
            # One reason for all of a company's filings, when it is the company that could not be had.
            outcomes.append(_outcome(source.key, found[min(place, len(found) - 1)], source.ordinal))
        ledger.jobs.settle(OrganizationId(job.organization_id), job.job_id, context.run_id, outcomes)
    return [f"{outcome.key}: {outcome.error}" for outcome in outcomes if outcome.status is SourceStatus.FAILED]


def _outcome(key: str, found: asked.Found, ordinal: int | None) -> Outcome:
    content = None if found.sha256 is None else Content(found.sha256, found.kind or "json", found.size)
    return Outcome(key, SourceStatus(found.status), content, found.details, found.error_class, found.error, ordinal)
