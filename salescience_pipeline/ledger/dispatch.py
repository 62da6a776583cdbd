"""From pending sources to runs, as far as the ledger is concerned: which chunk is next, who works on it, who died.

A chunk is what one run does. It goes waiting -> sent (the sensor asked Dagster for a run) -> running (the run claimed it)
-> over; a dead run's chunk becomes waiting again under the next run key, unless three died at work. Not here:
Dagster (``orchestration.submissions`` asks it), and what a run does.
"""

from __future__ import annotations

import datetime as dt
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, Engine, bindparam, delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from salescience_pipeline.identifiers import OrganizationId
from salescience_pipeline.ledger import dead_letters
from salescience_pipeline.ledger.job_model import JobView
from salescience_pipeline.ledger.job_rows import tell
from salescience_pipeline.ledger.job_rules import SourceStatus
from salescience_pipeline.ledger.jobs import Jobs, utc_now
from salescience_pipeline.ledger.scoping import looking, writing
from salescience_pipeline.ledger.service_models import Job, JobSource, RunChunk, RunHeartbeat
from salescience_pipeline.ledger.turns import Chunk, alone, fair, longest_ago, newcomers

MAX_ATTEMPTS, MAX_RUNS = 3, 20
"""Runs that may die at work on a chunk before its sources fail; and runs in all, with those that died before they began."""
SENT_AGAIN_AFTER = dt.timedelta(seconds=60)
"""A chunk that was sent and that no run claimed is sent again; Dagster starts a run key once, however often it is asked."""
HEARTBEAT_SECONDS = 10.0
_IN_FLIGHT = ("sent", "running", "cancelling")
DEAD_AFTER = dt.timedelta(seconds=35)
"""Three missed beats and a half."""


@dataclass(frozen=True, slots=True)
class Beat:
    """The last sign of life of a run."""

    run_id: str
    worker_id: str
    at: dt.datetime
    status: str
    jobs_processed: int
    memory_usage: int
    age: dt.timedelta
    """By the reader's clock."""


def _job() -> tuple[Any, Any]:
    return Job, (Job.organization_id == RunChunk.organization_id) & (Job.job_id == RunChunk.job_id)


_WAITING = (
    select(RunChunk.organization_id, RunChunk.priority)
    .where(RunChunk.status == "waiting")
    .distinct()
    .subquery("waiting")
)


def _newest(status: str) -> Any:
    mine = (RunChunk.organization_id == _WAITING.c.organization_id, RunChunk.status == status)
    return select(func.max(RunChunk.updated_at)).where(*mine).scalar_subquery()


_QUEUES = select(_WAITING, *(_newest(status) for status in (*_IN_FLIGHT, "over")))
"""Who waits, at which priority, and when chunks of theirs last went on: one seek each, however many are over."""
_HEADS = (
    select(RunChunk, Job.request_id, Job.user_id)
    .join(*_job())
    .where(
        RunChunk.status == "waiting",
        RunChunk.organization_id == bindparam("organization_id"),
        RunChunk.priority == bindparam("priority"),
    )
    .order_by(RunChunk.created_at, RunChunk.run_key)
    .limit(bindparam("most"))
)


class Dispatch:
    """The chunks and heartbeats of all organisations."""

    def __init__(self, engine: Engine, *, clock: Callable[[], dt.datetime] = utc_now) -> None:
        """Use the migrated database behind ``engine``."""
        self._engine, self._clock = engine, clock
        self._jobs = Jobs(engine, clock=clock)

    # -- the sensor's side ------------------------------------------------------------------------------------------
    def pick(self, *, window: int, each: int | None = None) -> list[Chunk]:
        """Mark the next chunks as sent and return them, with those that were sent and never claimed.

        Args:
            window: Chunks that may be sent or running at once; what is beyond stays here, where it can be overtaken. As many
                again may be sent of organisations that have none.
            each: How many of them may be one organisation's.
        """
        now = self._clock()
        # Looking for whose turn it is takes a while when much is waiting, and nobody should wait for that: only what is
        # chosen is judged again and marked under the write lock.
        with looking(self._engine, None) as connection:
            waiting, served = self._waiting(connection, window)
        with writing(self._engine, None) as connection:
            flying = _flying(connection)
            heads = alone(waiting, {row.job_id for row in flying if row.status != "cancelling"})
            in_flight = Counter(row.organization_id for row in flying)
            slots = window - len(flying)
            if slots > 0:
                chosen = fair(heads, in_flight, slots, each=each, served=served)
            else:
                chosen = newcomers(heads, in_flight, window + slots)
            firsts = {chunk.run_key for chunk in newcomers(chosen, in_flight, len(chosen))}
            keys = [chunk.run_key for chunk in chosen]
            mark = update(RunChunk).where(RunChunk.run_key.in_(keys), RunChunk.status == "waiting")
            mark = mark.values(status="sent", updated_at=now)
            marked = set(connection.scalars(mark.returning(RunChunk.run_key)))
            stale = select(RunChunk, Job.request_id, Job.user_id).join(*_job())
            stale = stale.where(RunChunk.status == "sent", RunChunk.updated_at < now - SENT_AGAIN_AFTER)
            again = [_chunk(row) for row in connection.execute(stale.limit(window)).mappings()]
        return [
            *again,
            *(
                replace(chunk, status="sent", is_first=chunk.run_key in firsts)
                for chunk in chosen
                if chunk.run_key in marked
            ),
        ]

    @staticmethod
    def _waiting(connection: Connection, window: int) -> tuple[list[Chunk], dict[str, dt.datetime]]:
        """The first waiting chunks of those whose turn may come, and when each of them was last served."""
        queues, served = list(connection.execute(_QUEUES)), {}
        for row in queues:
            moments: list[dt.datetime] = [moment for moment in row[2:] if moment is not None]
            if moments:
                served[str(row.organization_id)] = max(moments)
        order = {name: place for place, name in enumerate(longest_ago(served), start=1)}
        queues.sort(key=lambda row: (-row.priority, order.get(row.organization_id, 0)))
        heads: list[Chunk] = []
        # Who has work in flight may have to wait, and then another one's turn comes: at most two windows are in flight, and
        # one is filled.
        for row in queues[: 3 * window]:
            asked = {"organization_id": row.organization_id, "priority": row.priority, "most": 2 * window}
            found = connection.execute(_HEADS, asked)
            heads += [_chunk(head) for head in found.mappings()]
        return heads, served

    def open_chunks(self) -> list[tuple[Chunk, Beat | None]]:
        """Chunks that a run should be working on, each with the run's last sign of life."""
        with looking(self._engine, None) as connection:
            query = select(RunChunk, Job.request_id, Job.user_id).join(*_job())
            query = query.where(RunChunk.status.in_(_IN_FLIGHT))
            chunks = [_chunk(row) for row in connection.execute(query).mappings()]
            runs = [chunk.run_id for chunk in chunks if chunk.run_id is not None]
            rows = connection.execute(select(RunHeartbeat).where(RunHeartbeat.run_id.in_(runs))).mappings()
            beats = {row["run_id"]: _beat(row, self._clock()) for row in rows}
        return [(chunk, beats.get(chunk.run_id or "")) for chunk in chunks]

    def requeue(self, chunk: Chunk, *, reason: str) -> bool:
        """Take a chunk away from its dead run: waiting again, or failed. False if it moved on itself.

        Only a run that was at work may have died of its chunk; one that died before it began says nothing about it.
        """
        now = self._clock()
        prefix, _, number = chunk.run_key.rpartition(":")
        attempt = chunk.attempt + (chunk.status == "running")
        again = attempt <= MAX_ATTEMPTS and int(number) < MAX_RUNS
        with writing(self._engine, None) as connection:
            if not self._is_open(connection, chunk):
                return False
            values: dict[str, Any] = {"status": "over", "updated_at": now}
            if again:
                values = {
                    "run_key": f"{prefix}:{int(number) + 1}", "attempt": attempt, "status": "waiting",
                    "run_id": None, "updated_at": now,
                }  # fmt: skip
            connection.execute(update(RunChunk).where(RunChunk.run_key == chunk.run_key).values(**values))
            sources: dict[str, Any] = {"status": SourceStatus.PENDING.value, "run_id": None}
            if not again:
                sources = {
                    "status": SourceStatus.FAILED.value,
                    "error_class": "internal",
                    "error": reason[:500],
                    "finished_at": now,
                }
            keys = connection.scalars(
                update(JobSource).where(*_sources(chunk)).values(**sources).returning(JobSource.key)
            ).all()
            _tell(connection, chunk, keys, str(sources["status"]), now)
            if not again:
                body = {"job_id": chunk.job_id, "provider": chunk.provider, "tickers": list(chunk.tickers)}
                dead_letters.bury(
                    connection, kind=dead_letters.JOB, origin=f"job:{chunk.run_key}", reason=reason,
                    body=json.dumps(body), organization=chunk.organization_id, now=now,
                )  # fmt: skip
        self._jobs.settle(chunk.organization_id, chunk.job_id, "", ())
        return True

    def close(self, chunk: Chunk) -> None:
        """A cancelled chunk's run has ended."""
        with writing(self._engine, None) as connection:
            connection.execute(
                update(RunChunk)
                .where(RunChunk.run_key == chunk.run_key)
                .values(status="over", updated_at=self._clock())
            )

    @staticmethod
    def _is_open(connection: Connection, chunk: Chunk) -> bool:
        mine = select(RunChunk.run_key).where(RunChunk.run_key == chunk.run_key, RunChunk.status == chunk.status)
        return connection.scalar(mine.with_for_update()) is not None

    # -- the run's side ---------------------------------------------------------------------------------------------
    def claim(self, run_key: str, run_id: str) -> tuple[Chunk, JobView] | None:
        """Begin to work on a chunk: its pending sources are this run's from now on. None when there is nothing to do."""
        now = self._clock()
        with writing(self._engine, None) as connection:
            query = select(RunChunk, Job.request_id, Job.user_id).join(*_job()).where(RunChunk.run_key == run_key)
            row = connection.execute(query.with_for_update(of=RunChunk)).mappings().first()
            if row is not None and row["status"] == "cancelling" and row["run_id"] is None:
                # Cancelled between the sensor and the run: nobody else will close it.
                connection.execute(update(RunChunk).where(RunChunk.run_key == run_key).values(status="over"))
            if row is None or row["status"] not in ("waiting", "sent"):
                return None
            connection.execute(
                update(RunChunk)
                .where(RunChunk.run_key == run_key)
                .values(status="running", run_id=run_id, updated_at=now)
            )
            chunk = _chunk({**row, "status": "running", "run_id": run_id})
            keys = connection.scalars(
                update(JobSource)
                .where(*_sources(chunk, status=SourceStatus.PENDING))
                .values(
                    status=SourceStatus.PROCESSING.value, run_id=run_id, attempt=JobSource.attempt + 1, started_at=now
                )
                .returning(JobSource.key)
            ).all()
            _tell(connection, chunk, keys, SourceStatus.PROCESSING.value, now)
        self._jobs.settle(chunk.organization_id, chunk.job_id, run_id, ())
        job = self._jobs.view(chunk.organization_id, chunk.job_id)
        return None if job is None else (chunk, job)

    def claim_next(self, done: Chunk, run_id: str, *, yielding: bool = False) -> tuple[Chunk, JobView] | None:
        """Another waiting chunk for a run that is through with ``done``: of the same job, else of its owner and provider.

        A process takes seconds to start, a small chunk less than one to do. None when nothing waits, and, for a run that
        is ``yielding``, when another organisation waits that has no run at work: then its place is wanted.
        """
        same_job = RunChunk.job_id == done.job_id
        like = (
            RunChunk.status == "waiting",
            RunChunk.organization_id == str(done.organization_id),
            same_job | (RunChunk.provider == done.provider),
        )
        query = select(RunChunk.run_key, same_job.label("same_job")).where(*like)
        query = query.order_by(same_job.desc(), RunChunk.priority.desc(), RunChunk.created_at, RunChunk.run_key).limit(
            1
        )
        while True:
            with looking(self._engine, done.organization_id) as connection:
                found = connection.execute(query).first()
            if found is None or (yielding and not found.same_job and self._is_place_wanted(done.organization_id)):
                return None
            claimed = self.claim(found.run_key, run_id)
            if claimed is not None:
                return claimed

    def _is_place_wanted(self, organization: OrganizationId) -> bool:
        """Whether another organisation has chunks to do and no run at work."""
        served = select(RunChunk.organization_id).where(RunChunk.status == "running")
        wanted = select(RunChunk.run_key).where(
            RunChunk.status.in_(("waiting", "sent")),
            RunChunk.organization_id != str(organization),
            RunChunk.organization_id.not_in(served),
        )
        with looking(self._engine, None) as connection:
            return connection.scalar(wanted.limit(1)) is not None

    def finish(self, run_key: str, run_id: str) -> bool:
        """The run is through with the chunk; False when it was taken away meanwhile."""
        with writing(self._engine, None) as connection:
            done = connection.execute(
                update(RunChunk)
                .where(RunChunk.run_key == run_key, RunChunk.run_id == run_id)
                .values(status="over", updated_at=self._clock())
            )
            return done.rowcount == 1

    def beat(self, run_id: str, *, worker_id: str, run_key: str, jobs_processed: int, memory_usage: int) -> bool:
        """Write a sign of life; False when the run's chunk is not its own any more (cancelled, or given to another)."""
        make = postgresql.insert if self._engine.dialect.name == "postgresql" else sqlite.insert
        values = {
            "run_id": run_id, "worker_id": worker_id, "run_key": run_key, "at": self._clock(), "status": "running",
            "jobs_processed": jobs_processed, "memory_usage": memory_usage,
        }  # fmt: skip
        rest = {name: value for name, value in values.items() if name != "run_id"}
        with writing(self._engine, None) as connection:
            connection.execute(
                make(RunHeartbeat).values(**values).on_conflict_do_update(index_elements=["run_id"], set_=rest)
            )
            mine = (RunChunk.run_key == run_key, RunChunk.run_id == run_id, RunChunk.status == "running")
            return connection.scalar(select(RunChunk.run_key).where(*mine)) is not None

    def forget_beats(self, *, older_than: dt.timedelta) -> int:
        """Delete the heartbeats of runs that were last heard of that long ago; returns how many."""
        before = self._clock() - older_than
        with looking(self._engine, None) as connection:
            old = connection.scalars(select(RunHeartbeat.run_id).where(RunHeartbeat.at < before)).all()
        if not old:
            return 0
        with writing(self._engine, None) as connection:
            return connection.execute(delete(RunHeartbeat).where(RunHeartbeat.run_id.in_(old))).rowcount


def _flying(connection: Connection) -> Sequence[Any]:
    """Organisation, job and status of every chunk that is with Dagster."""
    query = select(RunChunk.organization_id, RunChunk.job_id, RunChunk.status)
    return connection.execute(query.where(RunChunk.status.in_(_IN_FLIGHT))).all()


def _beat(row: Mapping[Any, Any], now: dt.datetime) -> Beat:
    values = {name: row[name] for name in Beat.__slots__ if name != "age"}
    return Beat(**values, age=now - row["at"])


def _chunk(row: Mapping[Any, Any]) -> Chunk:
    values = {name: row[name] for name in Chunk.__slots__ if name != "is_first"}
    return Chunk(
        **{**values, "organization_id": OrganizationId(row["organization_id"]), "tickers": tuple(row["tickers"])}
    )


def _sources(chunk: Chunk, *, status: SourceStatus | None = None) -> tuple[Any, ...]:
    """The open sources that the chunk is about: those of its run, or its pending ones."""
    mine = (
        JobSource.organization_id == str(chunk.organization_id),
        JobSource.job_id == chunk.job_id,
        JobSource.provider == chunk.provider,
        JobSource.ticker.in_(chunk.tickers),
    )
    open_ = (SourceStatus.PENDING.value, SourceStatus.PROCESSING.value) if status is None else (status.value,)
    return (*mine, JobSource.status.in_(open_))


def _tell(connection: Connection, chunk: Chunk, keys: Sequence[str], status: str, now: dt.datetime) -> None:
    owner = {"organization_id": str(chunk.organization_id), "job_id": chunk.job_id}
    tell(connection, owner, [(key, status) for key in sorted(keys)], now)
