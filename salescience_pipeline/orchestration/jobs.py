"""The jobs: what is run together, with one sentence each.

The jobs of the providers come from the catalogue's rows. A row whose dataset is cut by date becomes a job of the asset,
with the row's scope as its default; one that needs tickers becomes a job of one step, which takes the scope at once.
The marts are a job of the second code location. What does not belong here: when they run (``schedules``, ``sensors``).
"""

from __future__ import annotations

from typing import Any

import dagster as dg

from salescience_pipeline.catalog.datasets import DATASETS, Cut
from salescience_pipeline.catalog.jobs import JOBS, Job, Pass
from salescience_pipeline.catalog.scopes import Scope
from salescience_pipeline.orchestration.document_assets import ASSETS as DOCUMENT_ASSETS
from salescience_pipeline.orchestration.selections import build_scope_job, build_selection_jobs


def _assets(*datasets: str) -> dg.AssetSelection:
    keys = [key for name in datasets for key in DATASETS[name].outputs]
    return dg.AssetSelection.assets(*keys)


def build_jobs() -> list[dg.UnresolvedAssetJobDefinition | dg.JobDefinition]:
    """All jobs of the acquisition location."""
    documents = dg.AssetSelection.assets(*DOCUMENT_ASSETS)
    per_ticker = [name for name, dataset in DATASETS.items() if dataset.cut is Cut.TICKER and dataset.in_history]
    return [
        dg.define_asset_job(
            "company_history",
            selection=_assets(*per_ticker) | documents,
            description="Everything about a company from every provider: filings, documents (also read), facts, insiders, "
            "prices, profile.",
        ),
        dg.define_asset_job(
            "company_filings",
            selection=_assets(*(name for name in per_ticker if DATASETS[name].provider == "sec")) | documents,
            description="What SEC holds about a company, its documents read; started for those that filed something new.",
        ),
        dg.define_asset_job(
            "company_documents",
            selection=documents,
            description="Reads the documents of a company that are stored and were not read by this version of the engine.",
        ),
        *(build_scope_job(job) if job.is_cut_by_ticker else _asset_job(job) for job in JOBS.values()),
        *build_selection_jobs(),
    ]


def _asset_job(job: Job) -> dg.UnresolvedAssetJobDefinition:
    return dg.define_asset_job(
        job.dagster_name,
        selection=_assets(*job.datasets),
        description=job.description,
        config=asset_config(job, job.passes[0]),
        tags={"salescience/scope": job.scope.value},
    )


def asset_config(job: Job, one: Pass) -> dict[str, Any]:
    """The run config of a pass of a job over assets: its scope, where its datasets are about tickers, and force."""
    ops: dict[str, Any] = {}
    for name in job.datasets_of(one):
        config: dict[str, Any] = {}
        if DATASETS[name].scope is not Scope.NONE:
            config["scope"] = job.scope.value
        if one.force:
            config["force"] = True
        if config:
            ops[name] = {"config": config}
    return {"ops": ops} if ops else {}
