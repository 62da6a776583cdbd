"""The checks of every acquisition asset, run inside the asset's own step.

A check in a step of its own doubles the processes of a small asset, so the asset yields its results. Each answers one
question: does the table have the catalogue's shape, is every key there once, did as much come as was planned, is
everything complete, and is it fresh? The questions stand here, how a run answers them in ``check_results``.
"""

from __future__ import annotations

import dagster as dg

from salescience_pipeline.catalog.datasets import Dataset

SCHEMA, KEYS, PLAN, COMPLETE, FRESH = (
    "schema_is_the_catalogues",
    "keys_are_unique",
    "requests_match_the_plan",
    "everything_is_complete",
    "data_is_fresh",
)
_DESCRIPTIONS = {
    SCHEMA: "The stored table has the columns, types and nullability of its catalogue row.",
    KEYS: "No key stands twice among the rows of this run's slice.",
    PLAN: "As many subjects came to an end as were planned, with no more requests than the plan and its retries explain.",
    COMPLETE: "Every subject of the selection is complete, empty or known not to exist; the metadata names the others.",
    FRESH: "The newest partition asked for holds what should be out by now.",
}


def specs_of(dataset: Dataset) -> list[dg.AssetCheckSpec]:
    """The checks that the dataset's asset yields; its first output carries those about the run as a whole."""
    specs: list[dg.AssetCheckSpec] = []
    for position, key in enumerate(dataset.outputs):
        names = (SCHEMA, KEYS, PLAN, COMPLETE, FRESH) if position == 0 else (SCHEMA, KEYS)
        specs += [dg.AssetCheckSpec(name, asset=key, description=_DESCRIPTIONS[name]) for name in names]
    return specs
