"""The jobs: what is run together, with one sentence each.

Ticker jobs run assets that are partitioned by ticker, date jobs those that are partitioned by date. The marts are a job of
the second code location.
"""

from __future__ import annotations

import dagster as dg

from salescience_pipeline.catalog.datasets import DATASETS, Cut


def _assets(*datasets: str) -> dg.AssetSelection:
    keys = [key for name in datasets for key in DATASETS[name].outputs]
    return dg.AssetSelection.assets(*keys)


def build_jobs() -> list[dg.UnresolvedAssetJobDefinition]:
    """All jobs of the acquisition location."""
    per_ticker = [name for name, dataset in DATASETS.items() if dataset.cut is Cut.TICKER and dataset.in_history]
    return [
        dg.define_asset_job(
            "company_history",
            selection=_assets(*per_ticker),
            description="Everything about a company from every provider: filings, documents, facts, insiders, prices, profile.",
        ),
        dg.define_asset_job(
            "company_filings",
            selection=_assets(*(name for name in per_ticker if DATASETS[name].provider == "sec")),
            description="What SEC holds about a company; started for those that filed something new.",
        ),
        *(
            dg.define_asset_job(
                job_name_of(name),
                selection=_assets(name),
                description=f"{dataset.title}: {dataset.description}",
            )
            for name, dataset in DATASETS.items()
            if dataset.cut is not Cut.TICKER
        ),
    ]


def job_name_of(dataset: str) -> str:
    """The job that runs one date-partitioned or unpartitioned dataset."""
    return dataset.split("_", 1)[1].replace("__", "_")
