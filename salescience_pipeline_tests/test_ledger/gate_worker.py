"""A process of its own that goes through the gate; the tests start several on one database.

``python -m salescience_pipeline_tests.test_ledger.gate_worker URL RULE SECONDS SCRIPT`` prints one JSON line per request:
its slot and when it left and was done, by the store's clock. SCRIPT names what the provider answers.
"""

from __future__ import annotations

import json
import sys
import time

from salescience_pipeline.clients.errors import Retryable
from salescience_pipeline.clients.gate import Gate, GateRule
from salescience_pipeline.clients.model import AnswerClass
from salescience_pipeline.ledger import Ledger


def main() -> None:
    """Ask until the time is over."""
    url, rule_text, seconds, script = sys.argv[1:]
    with Ledger.open(url) as ledger:
        gate = Gate(ledger.gate_store, {"sec": GateRule("sec", **json.loads(rule_text))})
        outcomes = iter(json.loads(script))
        print("ready", flush=True)
        sys.stdin.readline()
        end = ledger.gate_store.now() + float(seconds)
        while ledger.gate_store.now() < end:
            try:
                permit = gate.acquire("sec")
            except Retryable as refused:
                print(json.dumps({"refused": type(refused).__name__}), flush=True)
                time.sleep(0.05)
                continue
            left = ledger.gate_store.now()
            outcome = AnswerClass(next(outcomes, "ok"))
            # A request takes a while: a second probe would overlap with the first.
            time.sleep(0.05 if permit.probe else 0.0)
            gate.report("sec", permit, outcome)
            line = {"slot": permit.at, "left": left, "done": ledger.gate_store.now()}
            print(json.dumps({**line, "probe": permit.probe, "outcome": str(outcome)}), flush=True)


if __name__ == "__main__":
    main()
