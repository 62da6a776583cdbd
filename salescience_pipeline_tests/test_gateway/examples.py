"""The source documents' own example requests, and what tests do with them: submit one, work its job off."""

from __future__ import annotations

from typing import Any

import httpx

from salescience_pipeline.identifiers import OrganizationId
from salescience_pipeline.lake.results import Results
from salescience_pipeline.ledger import Ledger
from salescience_pipeline.ledger.job_model import Content, Outcome
from salescience_pipeline.ledger.job_rules import SourceStatus
from salescience_pipeline.settings import Settings

SUBMISSION = {
    "companies": [{"ticker": "AAPL", "sec": True, "yahoo": True}],
    "n_years": 2,
    "form_type": "10-K",
    "organization_id": "acme-corp",
    "user_id": "user-123",
}
WHOSE = {"organization_id": "acme-corp"}
SCENARIO = {
    "scenario_id": "123e4567-e89b-12d3-a456-426614174000",
    "business_type_id": "123e4567-e89b-12d3-a456-426614174001",
}
TASK: dict[str, Any] = {
    "task_name": "Compute Financial Metrics",
    "task_description": "Compute revenue, rebates, and specialty metrics for the given scenarios",
    "payload": [{"revenue": SCENARIO, "rebates": SCENARIO, "specialty": SCENARIO}],
}


def submit_example(client: httpx.Client, **more: object) -> str:
    """Submit the example, changed by ``more``; the id of its first job."""
    answer = client.post("/submit", json={**SUBMISSION, **more})
    assert answer.status_code == 202, answer.text
    return str(answer.json()["job_ids"][0])


def finish_job(settings: Settings, ledger: Ledger, job_id: str, content: bytes = b'{"ticker":"AAPL"}') -> None:
    """Work the job off as runs would: every source gets the same content, kept among the results."""
    digest = Results(settings.lake_dir).put(content)
    organization = OrganizationId("acme-corp")
    # A small job's chunks are given out one after the other, to one run.
    while chunks := ledger.dispatch.pick(window=100):
        for chunk in chunks:
            claimed = ledger.dispatch.claim(chunk.run_key, "run")
            assert claimed is not None
            mine = [source for source in claimed[1].sources if source.provider == chunk.provider]
            outcomes = [
                Outcome(
                    source.key, SourceStatus.SUCCESS, Content(digest, "json", len(content)), {"ticker": source.ticker}
                )
                if source.provider == "yahoo"
                else Outcome(source.key, SourceStatus.SKIPPED, error="=cmd()")
                for source in mine
            ]
            ledger.jobs.settle(organization, job_id, "run", outcomes)
            ledger.dispatch.finish(chunk.run_key, "run")
