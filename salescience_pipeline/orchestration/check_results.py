"""What a run answers to the checks of its asset, from the stored tables and from what became of each subject.

What does not belong here: the checks as Dagster knows them (``checks``).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence

import dagster as dg

from salescience_pipeline.acquisition.outcome import Acquired, Status
from salescience_pipeline.acquisition.services import Services
from salescience_pipeline.catalog.datasets import Cut, Dataset
from salescience_pipeline.catalog.tables import TABLES
from salescience_pipeline.clients.plan import Selection
from salescience_pipeline.orchestration.checks import COMPLETE, FRESH, KEYS, PLAN, SCHEMA
from salescience_pipeline.orchestration.metadata import check_metadata


def results_of(
    dataset: Dataset, acquired: Acquired, services: Services, selection: Selection
) -> Iterator[dg.AssetCheckResult]:
    """The results for one run; results that are yielded before a failure are kept."""
    for position, (key, table_name) in enumerate(dataset.outputs.items()):
        differences = services.tables.schema_differences(table_name)
        yield check_result(key, SCHEMA, passed=not differences, differences="; ".join(differences) or "none")
        totals = acquired.tables.get(table_name)
        duplicates = services.tables.duplicate_keys(table_name) if totals is not None and totals.commits else []
        shown = "; ".join(str(duplicate) for duplicate in duplicates[:5])
        yield check_result(
            key, KEYS, passed=not duplicates, rows=totals.rows if totals else 0, columns=", ".join(TABLES[table_name].key),
            duplicates=shown or "none",
        )  # fmt: skip
        if position == 0:
            yield _plan_result(key, acquired)
            yield _complete_result(key, acquired)
            yield _fresh_result(key, dataset, acquired, services, selection)


def check_result(
    key: str,
    name: str,
    *,
    passed: bool,
    severity: dg.AssetCheckSeverity = dg.AssetCheckSeverity.ERROR,
    **figures: object,
) -> dg.AssetCheckResult:
    """The verdict of a check, with the figures behind it as metadata."""
    return dg.AssetCheckResult(
        asset_key=key, check_name=name, passed=passed, severity=severity, metadata=check_metadata(figures)
    )


def _plan_result(key: str, acquired: Acquired) -> dg.AssetCheckResult:
    ended = acquired.sent - acquired.retries + acquired.from_archive
    return check_result(
        key, PLAN,
        passed=ended <= acquired.planned and len(acquired.plan.requests) <= max(acquired.plan.minimum, 0),
        severity=dg.AssetCheckSeverity.WARN,
        planned=acquired.planned, minimum=acquired.minimum, sent=acquired.sent, retries=acquired.retries,
        from_archive=acquired.from_archive, plan=acquired.plan.why,
    )  # fmt: skip


def _complete_result(key: str, acquired: Acquired) -> dg.AssetCheckResult:
    open_states = [state for state in acquired.states if not Status(state.status).is_settled]
    unknown = [state.subject for state in acquired.states if state.status == Status.NOT_FOUND]
    return check_result(
        key, COMPLETE,
        passed=not open_states and not acquired.failures,
        severity=dg.AssetCheckSeverity.ERROR if acquired.failures else dg.AssetCheckSeverity.WARN,
        **{status: count for status, count in acquired.counts.items()},  # noqa: C416 - a copy with str keys
        current=len(acquired.plan.fresh),
        open="; ".join(f"{state.subject} ({state.partition}): {state.reason}" for state in open_states[:20]) or "none",
        unknown_to_the_provider=", ".join(unknown[:50]) or "none",
    )  # fmt: skip


def _fresh_result(
    key: str, dataset: Dataset, acquired: Acquired, services: Services, selection: Selection
) -> dg.AssetCheckResult:
    if dataset.cut is Cut.DATE:
        expected = services.last_session() if dataset.trading_days_only else services.today()
        newest = max(selection.dates, default=expected)
        wanted = min(newest, expected)
        complete = (state.last_date for state in acquired.states if state.status == Status.COMPLETE)
        found = max((day for day in complete if day is not None), default=None)
        asked = any(state.status not in (Status.EMPTY, Status.NOT_FOUND) for state in acquired.states)
        passed = not asked or (found is not None and found >= _session_at_or_before(wanted, services, dataset))
        return check_result(
            key,
            FRESH,
            passed=passed,
            severity=dg.AssetCheckSeverity.WARN,
            newest_wanted=wanted,
            newest_found=found or "none",
        )
    checked = services.oldest_check(dataset.name, selection.tickers)
    limit = dataset.refresh_after or dt.timedelta(days=5)
    passed = checked is None or services.now() - checked <= limit + dt.timedelta(hours=4)
    return check_result(
        key, FRESH, passed=passed, severity=dg.AssetCheckSeverity.WARN, oldest_check=checked or "none", limit=str(limit)
    )


def _session_at_or_before(day: dt.date, services: Services, dataset: Dataset) -> dt.date:
    if not dataset.trading_days_only:
        return day
    days: Sequence[dt.date] = services.sessions(day - dt.timedelta(days=10), day)
    return days[-1] if days else day
