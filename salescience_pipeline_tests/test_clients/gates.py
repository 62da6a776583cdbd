"""A gate's state stepped by hand, for the tests of its pure rules."""

from __future__ import annotations

from salescience_pipeline.clients.gate_model import GateRule, GateState, Permit, Refusal
from salescience_pipeline.clients.gate_steps import reserve

T0 = 1_800_000_000.0
RULE = GateRule("sec", 10.0)


def permit_of(
    state: GateState, rule_: GateRule, now: float, holder: str = "me", **kwargs: object
) -> tuple[GateState, Permit]:
    """Ask for a slot and get one."""
    after, decision = reserve(state, rule_, now, holder=holder, **kwargs)  # type: ignore[arg-type]
    assert isinstance(decision, Permit)
    return after, decision


def refusal_of(state: GateState, rule_: GateRule, now: float) -> Refusal:
    """Ask for a slot and be refused, which changes nothing."""
    after, decision = reserve(state, rule_, now, holder="other")
    assert isinstance(decision, Refusal)
    assert after == state
    return decision
