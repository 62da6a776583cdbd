"""From our errors to Dagster's three retry mechanisms (op retries, run retries, automation).

A run is retried by the daemon only when a retry can help: after a crash, or when something failed that may come back. A
wrong key, a spent quota or an answer of the wrong shape stops the retries, because each would only ask in vain. What
does not belong here: retrying single requests (``clients.retry``).
"""

from __future__ import annotations

from collections.abc import Sequence

import dagster as dg

from salescience_pipeline.acquisition.outcome import Acquired, Failure, summary_of
from salescience_pipeline.orchestration.resources import MAX_RETRIES_TAG

__all__ = [
    "ERROR_CLASS_TAG",
    "MAX_RETRIES_TAG",
    "failure_of",
    "failure_of_all",
    "failures_table",
    "is_worth_a_retry",
    "stop_run_retries",
]

ERROR_CLASS_TAG = "salescience/error_class"
_NO_USE_IN_RETRYING = frozenset({"quota_exhausted", "blocked"})
"""Retryable in principle, but not within the minutes of a run retry."""


def failure_of(acquired: Acquired) -> dg.Failure:
    """The Dagster failure that names what is missing; returned, not raised, so that the caller's traceback is short."""
    failures = acquired.failures
    return dg.Failure(
        description=f"{acquired.dataset.title}: {summary_of(failures)}. What came through is stored; "
        "the next run asks only for the rest.",
        metadata={
            "failed": dg.MetadataValue.md(failures_table(failures)),
            "complete": dg.MetadataValue.int(acquired.counts.get("complete", 0)),
        },
        allow_retries=is_worth_a_retry(failures),
    )


def failure_of_all(acquired: Sequence[Acquired]) -> dg.Failure:
    """The same for a run of several selections: each with its own summary."""
    if len(acquired) == 1:
        return failure_of(acquired[0])
    failures = [failure for one in acquired for failure in one.failures]
    return dg.Failure(
        description="; ".join(f"{one.dataset.title}: {summary_of(one.failures)}" for one in acquired)
        + ". What came through is stored; the next run asks only for the rest.",
        metadata={"failed": dg.MetadataValue.md(failures_table(failures))},
        allow_retries=is_worth_a_retry(failures),
    )


def is_worth_a_retry(failures: Sequence[Failure]) -> bool:
    """Whether any of ``failures`` may be gone in a few minutes."""
    return any(failure.is_retryable and failure.error_class not in _NO_USE_IN_RETRYING for failure in failures)


def stop_run_retries(context: dg.AssetExecutionContext | dg.OpExecutionContext, failures: Sequence[Failure]) -> None:
    """Tag the run with the classes of its failures, and with no further retries when none would help.

    ``Failure(allow_retries=False)`` stops op retries only; the run-retry daemon looks at the run's tags.
    """
    classes = sorted({failure.error_class for failure in failures})
    tags = {ERROR_CLASS_TAG: ",".join(classes)}
    if not is_worth_a_retry(failures):
        tags[MAX_RETRIES_TAG] = "0"
    context.instance.add_run_tags(context.run.run_id, tags)


def failures_table(failures: Sequence[Failure], *, limit: int = 50) -> str:
    """The failures as a Markdown table for the UI."""
    lines = ["| subject | class | what happened | again after |", "|---|---|---|---|"]
    for failure in failures[:limit]:
        again = (
            failure.retry_at.isoformat(timespec="seconds")
            if failure.retry_at
            else ("now" if failure.is_retryable else "-")
        )
        message = failure.message.replace("|", "\\|").replace("\n", " ")
        lines.append(f"| {failure.subject} | {failure.error_class} | {message} | {again} |")
    if len(failures) > limit:
        lines.append(f"| ... | | {len(failures) - limit} more | |")
    return "\n".join(lines)
