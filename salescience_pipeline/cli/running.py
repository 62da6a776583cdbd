"""Runs of Dagster jobs from the command line: in this process, with a bar for people and the log in a file.

What does not belong here: which jobs there are (``orchestration.jobs``).
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from salescience_pipeline.cli.console import err

if TYPE_CHECKING:
    import dagster as dg

    from salescience_pipeline.acquisition.outcome import Acquired


def progress_bar() -> Progress:
    """A line for each dataset: how far it is, how long it took, and a note."""
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description:<34}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[note]}"),
        console=err,
    )


@dataclass
class Watch:
    """Shows how far the acquisitions are, and keeps their results."""

    bar: Progress
    tasks: dict[str, TaskID] = field(default_factory=dict)
    results: list[Acquired] = field(default_factory=list)

    def progress(self, dataset: str, done: int, planned: int, subject: str) -> None:
        """Move the dataset's bar."""
        if dataset not in self.tasks:
            self.tasks[dataset] = self.bar.add_task(dataset, total=planned, note="")
        self.bar.update(self.tasks[dataset], completed=done, total=planned, note=f"[dim]{subject}[/dim]")

    def result(self, acquired: Acquired) -> None:
        """Keep the result and say it beside the bar."""
        self.results.append(acquired)
        name = acquired.dataset.name
        if name not in self.tasks:
            self.tasks[name] = self.bar.add_task(name, total=1, completed=1, note="")
        note = (
            f"{acquired.rows:,} rows, {acquired.sent:,} requests" if acquired.planned else "current, nothing to ask for"
        )
        if acquired.failures:
            note += f", [red]{len(acquired.failures)} failed[/red]"
        self.bar.update(self.tasks[name], note=note)


def run_job(
    job: dg.JobDefinition, instance: dg.DagsterInstance, tags: Mapping[str, str], config: Mapping[str, Any], *, by: str
) -> bool:
    """Run ``job`` in this process on ``instance``, tagged with the command that started it; whether it succeeded."""
    quiet = {"loggers": {"console": {"config": {"log_level": "INFO"}}}}
    result = job.execute_in_process(
        instance=instance,
        tags={"salescience/started_by": by, **tags},
        run_config={**config, **quiet},
        raise_on_error=False,
    )
    return bool(result.success)


@contextlib.contextmanager
def quiet(log: Path) -> Iterator[None]:
    """Send what Dagster and dbt print to a file, so that the progress display stays whole."""
    import logging  # noqa: PLC0415

    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a") as target, contextlib.redirect_stdout(target):
        root = logging.getLogger()
        handler = logging.StreamHandler(target)
        root.addHandler(handler)
        saved = os.dup(2)
        # Dagster's console logger holds the file descriptor, not sys.stderr; the display writes to its own copy.
        err.file = os.fdopen(os.dup(saved), "w")
        os.dup2(target.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(saved, 2)
            root.removeHandler(handler)
            os.close(saved)
