"""Dead letters: what could not be done is kept with its reason, seen by its owner only, and can be tried again."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

from salescience_pipeline.ledger import Ledger
from salescience_pipeline.ledger.dispatch import MAX_ATTEMPTS
from salescience_pipeline.ledger.job_rules import JobStatus
from salescience_pipeline.settings import Settings
from salescience_pipeline_tests.commands import environment, salescience
from salescience_pipeline_tests.test_gateway.conftest import ACME, OTHER, new_job, submit
from salescience_pipeline_tests.test_gateway.serving import gateway

_REASON = "The process that worked on it ended; it was tried three times."


def _kill_all_runs(ledger: Ledger, job_id: str) -> None:
    """Let every run of a job's SEC chunk die, as often as it is tried."""
    for number in range(1, MAX_ATTEMPTS + 1):
        claimed = ledger.dispatch.claim(f"{job_id}:sec:0:{number}", f"run-{number}")
        assert claimed is not None
        assert ledger.dispatch.requeue(claimed[0], reason=_REASON)


def test_003_15_a_chunk_whose_runs_all_died_is_a_dead_letter_once(ledger: Ledger) -> None:
    job = new_job()
    submit(ledger, job)
    _kill_all_runs(ledger, job.job_id)
    (letter,) = ledger.dead_letters.listed(ACME)
    assert (letter.kind, letter.origin, letter.reason) == ("job", f"job:{job.job_id}:sec:0:{MAX_ATTEMPTS}", _REASON)
    assert json.loads(letter.body) == {"job_id": job.job_id, "provider": "sec", "tickers": ["AAPL"]}
    assert ledger.dead_letters.get(OTHER, letter.id) is None
    assert not ledger.dead_letters.mark(OTHER, letter.id, "discarded", actor="t", request_id="request-1")
    assert ledger.dead_letters.mark(ACME, letter.id, "discarded", actor="t", request_id="request-1")
    assert not ledger.dead_letters.mark(ACME, letter.id, "requeued", actor="t", request_id="request-1")
    # The operator sees all of them, nobody's included.
    ledger.dead_letters.bury(kind="kafka", origin="kafka:t-0-1", reason="?", body="x", organization=None)
    assert [found.kind for found in ledger.dead_letters.listed(None, status=None)] == ["kafka", "job"]
    assert ledger.dead_letters.listed(ACME) == []


def test_a_dead_job_is_tried_again_over_http_and_from_the_command_line(tmp_path: Path) -> None:
    settings, whose = Settings(home=tmp_path), {"organization_id": "acme"}
    jobs = [new_job(), new_job()]
    with gateway(settings) as client, Ledger.of(settings) as ledger:
        assert client.get("/dead-letters", params=whose).json() == {"dead_letters": [], "next": None}
        for job in jobs:
            submit(ledger, job)
            _kill_all_runs(ledger, job.job_id)
            claimed = ledger.dispatch.claim(f"{job.job_id}:yahoo:0:1", "run-y")
            assert claimed is not None
        page = client.get("/dead-letters", params={**whose, "limit": 1}).json()
        (second,) = page["dead_letters"]
        (first,) = client.get("/dead-letters", params={**whose, "cursor": page["next"]}).json()["dead_letters"]
        path = f"/dead-letters/{first['id']}"
        shown = client.get(path, params=whose).json()
        assert json.loads(shown["body"])["job_id"] == jobs[0].job_id
        # Its job goes on with the other provider: not yet.
        early = client.post(f"{path}/requeue", params=whose)
        assert (early.status_code, early.json()["code"]) == (409, "not_requeued")
        for job in jobs:
            ledger.jobs.cancel(ACME, job.job_id, actor="t", request_id="request-1")
        again = client.post(f"{path}/requeue", params=whose)
        assert (again.status_code, again.json()["status"]) == (200, "requeued")
        view = ledger.jobs.view(ACME, jobs[0].job_id)
        assert view is not None
        assert view.status is JobStatus.PENDING
        assert client.post(f"{path}/requeue", params=whose).status_code == 409
        for method, where in (("GET", path), ("POST", f"{path}/requeue"), ("DELETE", path)):
            assert client.request(method, where, params={"organization_id": "other"}).status_code == 404
        assert client.get("/dead-letters/x", params=whose).status_code == 404

    command = partial(salescience, "dead-letters", env=environment(tmp_path))
    assert [row["id"] for row in json.loads(command("list", "--org", "acme", "--json").stdout)] == [second["id"]]
    assert json.loads(command("show", str(second["id"])).stdout)["kind"] == "job"
    assert command("requeue", str(second["id"])).returncode == 0
    refused = command("discard", str(second["id"]))
    assert (refused.returncode, "not dead any more" in refused.stderr) == (2, True)
