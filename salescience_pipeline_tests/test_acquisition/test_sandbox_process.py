"""The embedded sandbox: started once for a folder, shared, and never confused with another world's or a stranger's."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from salescience_pipeline.acquisition.sandbox_process import Sandbox, SandboxUnavailable, ensure_sandbox
from salescience_pipeline.settings import Settings, SettingsError, World

TODAY = "2026-06-15"


def test_everybody_in_a_folder_shares_one(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, today=TODAY)
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda _: ensure_sandbox(settings), range(4)))
    assert len({sandbox.url for sandbox in found}) == 1
    assert found[0].get("/_sandbox/lease")["leases"] == [os.getpid()]
    # Which folder, which market, which day: another one is not taken for this one.
    for other in (Settings(home=tmp_path, today="2026-06-16"), Settings(home=tmp_path, today=TODAY, sandbox_seed=8)):
        with pytest.raises(SandboxUnavailable, match="another world, seed or date"):
            ensure_sandbox(other)
    assert ensure_sandbox(Settings(home=tmp_path / "other", today=TODAY)).url != found[0].url


def test_it_ends_with_the_last_process_that_leased_it(tmp_path: Path) -> None:
    program = (
        "from pathlib import Path; import sys;"
        "from salescience_pipeline.acquisition.sandbox_process import ensure_sandbox;"
        "from salescience_pipeline.settings import Settings;"
        f"print(ensure_sandbox(Settings(home=Path(sys.argv[1]), today='{TODAY}')).pid)"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=True)
    pid = int(done.stdout)
    state_file = tmp_path / "fictional" / "sandbox.json"
    for _ in range(300):
        if not state_file.exists():
            break
        # A second of polling leases, and the time to shut down.
        subprocess.run(["sleep", "0.05"], check=True)
    assert not state_file.exists(), f"the sandbox {pid} still runs"


def test_the_live_world_has_none(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no sandbox"):
        ensure_sandbox(Settings(home=tmp_path, world=World.LIVE))


@pytest.mark.parametrize(
    "url", ["http://10.0.0.1:80", "https://sandbox.example.com", "http://127.0.0.1.example.com:80"]
)
def test_a_sandbox_is_on_this_machine(tmp_path: Path, url: str) -> None:
    with pytest.raises(SettingsError, match="loopback"):
        ensure_sandbox(Settings(home=tmp_path, sandbox_url=url))


def test_a_named_sandbox_that_does_not_answer_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(SandboxUnavailable, match="No sandbox answers"):
        ensure_sandbox(Settings(home=tmp_path, sandbox_url="http://127.0.0.1:9"))


def test_one_that_cannot_start_names_its_log(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, world=World.CORPUS, corpus=tmp_path / "nothing here")
    with pytest.raises(SandboxUnavailable, match=r"ended with code 2 while starting; see .*sandbox\.log"):
        ensure_sandbox(settings)


def test_a_stale_state_file_is_no_sandbox(tmp_path: Path) -> None:
    folder = tmp_path / "fictional"
    folder.mkdir()
    (folder / "sandbox.json").write_text('{"url": "http://127.0.0.1:9", "pid": 1}')
    assert ensure_sandbox(Settings(home=tmp_path, today=TODAY)).get("/_sandbox/health")["status"] == "ok"


def test_the_shared_one_serves_the_day_that_was_asked_for(sandbox: Sandbox) -> None:
    assert sandbox.get("/_sandbox/world")["today"] == TODAY
