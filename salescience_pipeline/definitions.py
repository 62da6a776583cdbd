"""The acquisition code location: the one place where the rooms meet.

``build_defs`` assembles the same thing for the UI, for tests and for the command line; nothing is read, opened or
started when it is called. What does not belong here: a definition of anything (``orchestration``).
"""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import dagster as dg

from salescience_pipeline.orchestration.assets import build_assets
from salescience_pipeline.orchestration.document_assets import build_document_assets, build_document_sensor
from salescience_pipeline.orchestration.indicator_assets import build_indicator_asset, build_indicator_sensor
from salescience_pipeline.orchestration.io_manager import LakeIOManager
from salescience_pipeline.orchestration.jobs import build_jobs
from salescience_pipeline.orchestration.maintenance import build_audit_asset, build_maintenance_job
from salescience_pipeline.orchestration.metadata import LAKE_IO
from salescience_pipeline.orchestration.quality_checks import (
    build_quality_assets,
    build_quality_checks,
    build_quality_job,
    build_recheck,
    build_recheck_job,
)
from salescience_pipeline.orchestration.resources import ServicesResource
from salescience_pipeline.orchestration.schedules import build_schedules
from salescience_pipeline.orchestration.sensors import build_sensors
from salescience_pipeline.orchestration.submissions import submission, submissions


def build_defs(
    *, services: ServicesResource | None = None, resources: Mapping[str, Any] | None = None
) -> dg.Definitions:
    """All acquisition assets with their checks, jobs, schedules and sensors.

    Args:
        services: replaces the services of the environment's settings.
        resources: further resources by key, or replacements.
    """
    services = services or ServicesResource()
    with _collector_paused():
        return dg.Definitions(
            assets=[
                *build_assets(),
                build_document_assets(),
                build_indicator_asset(),
                *build_quality_assets(),
                build_audit_asset(),
            ],
            asset_checks=[build_quality_checks(), build_recheck()],
            jobs=[*build_jobs(), build_quality_job(), build_recheck_job(), build_maintenance_job(), submission],
            schedules=build_schedules(),
            sensors=[*build_sensors(), build_document_sensor(), build_indicator_sensor(), submissions],
            resources={"services": services, LAKE_IO: LakeIOManager(services=services), **(resources or {})},
            # A process per step costs two to four times the CPU of the steps themselves.
            executor=dg.in_process_executor,
        )


@contextmanager
def _collector_paused() -> Iterator[None]:
    """No garbage collection meanwhile.

    What is built stays, and one full collection walks all of Dagster's half a million objects: as much CPU as building
    every asset.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


defs = build_defs()
