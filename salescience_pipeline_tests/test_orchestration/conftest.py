"""A Dagster instance on disk and the definitions over the test's own home."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from salescience_pipeline.catalog.datasets import DATASETS
from salescience_pipeline.definitions import build_defs
from salescience_pipeline.orchestration.resources import ServicesResource
from salescience_pipeline.orchestration.sensors import partition_tags


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """An instance with run and event storage, in memory but for its artefacts."""
    with dg.DagsterInstance.ephemeral(tempdir=str(tmp_path)) as opened:
        yield opened


@pytest.fixture
def resource(overrides: dict[str, str]) -> Iterator[ServicesResource]:
    """The services as sensors and schedules get them."""
    made = ServicesResource(overrides=overrides)
    yield made
    made.get().close()


class Runner:
    """Runs jobs of the acquisition location in this process."""

    def __init__(self, defs: dg.Definitions, instance: dg.DagsterInstance) -> None:
        self.defs, self.instance = defs, instance

    def run(
        self, job: str, first: str | None = None, last: str | None = None, **config: Any
    ) -> dg.ExecuteInProcessResult:
        """Run ``job`` for a partition or a range of them; ``config`` goes to each of its datasets."""
        definition = self.defs.resolve_job_def(job)
        tags: Mapping[str, str] = partition_tags(first, last or first) if first is not None else {}
        ops = {node.name: {"config": config} for node in definition.nodes if node.name in DATASETS} if config else {}
        loggers = {"console": {"config": {"log_level": "CRITICAL"}}}
        return definition.execute_in_process(
            instance=self.instance, tags=tags, run_config={"ops": ops, "loggers": loggers}, raise_on_error=False
        )

    def materialized(self, asset: str) -> set[str]:
        """The partitions of ``asset`` that Dagster takes for materialised."""
        return set(self.instance.get_materialized_partitions(dg.AssetKey(asset)))

    def add_tickers(self, tickers: Sequence[str]) -> None:
        """Give tickers their partitions."""
        self.instance.add_dynamic_partitions("tickers", list(tickers))


@pytest.fixture
def runner(resource: ServicesResource, instance: dg.DagsterInstance) -> Runner:
    """The jobs over the test's own home."""
    return Runner(build_defs(services=resource), instance)


def failure_of(result: dg.ExecuteInProcessResult) -> str:
    """What the failed step of a run says."""
    failures = [event for event in result.all_events if event.is_step_failure]
    assert failures, "no step failed"
    data = failures[0].step_failure_data
    assert data.user_failure_data is not None, data.error
    return str(data.user_failure_data.description)
