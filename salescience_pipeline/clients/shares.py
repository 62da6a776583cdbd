"""How the requests that a provider allows in a day are shared between the organisations that ask for them: pure rules.

The day's allowance is cut into equal places: one for each organisation that asked in the last seven days, one for the
product's own schedules, and one for those that have not asked yet. An organisation may always use up its own place. Beyond
it borrows: what the others' places still hold is kept for them, less of it as the day passes, none at its end. So nobody
spends the whole day's allowance in the morning, and nothing lies idle at night. The product's own runs are not held back:
their number is planned. Where there is one organisation, it has everything.

What does not belong here: counting in a database (``ledger.gate_store``), and asking (``gate``).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from salescience_pipeline.clients.errors import QuotaExhausted
from salescience_pipeline.clients.gate_model import GateRule, GateState, Refusal, window_bounds

REMEMBERED_SECONDS = 7 * 86_400.0
"""An organisation keeps its place that long after the last day on which it asked."""


@dataclass(frozen=True, slots=True)
class ShareUse:
    """What the ledger knows of a provider's places: requests of the day by organisation, and how many there are in all."""

    used: Mapping[str, int]
    """By organisation, with 0 for one that asked in the last days and not yet today."""
    organizations: int
    """Organisations that are not shut out, those that never asked included."""


@dataclass(frozen=True, slots=True)
class Share:
    """One organisation's part of a day's allowance."""

    limit: int
    """Requests that the provider allows in the day."""
    place: int
    """Requests that are the organisation's whatever the others do."""
    used: int
    """Requests that it made today."""
    available: int
    """Requests that it may make now, borrowed ones included."""
    left: int
    """Requests that anybody may still make."""
    kept: int
    """Requests of the others' places that are not used yet."""
    day_begins: float
    day_ends: float


def share_of(state: GateState, rule: GateRule, now: float, organization: str, use: ShareUse) -> Share | None:
    """What ``organization`` may still ask for at ``now``; None where the plan has no daily allowance.

    Args:
        state: The provider's row.
        rule: The provider's rule.
        now: The time, in epoch seconds.
        organization: Who asks.
        use: What was used today, by organisation.
    """
    limit = rule.day_limit
    if limit is None:
        return None
    begin, end = window_bounds("day", now, rule.timezone)
    total = state.day_used if state.day_start >= begin else 0
    left = max(limit - total, 0)
    mine = use.used.get(organization, 0)
    if use.organizations <= 1:
        return Share(limit, limit, mine, left, left, 0, begin, end)
    asking = {organization, *use.used}
    newcomers = 1 if use.organizations > len(asking) else 0
    place = max(limit // (len(asking) + 1 + newcomers), 1)
    own_runs = max(total - sum(use.used.values()), 0)
    unused = [max(place - use.used.get(name, 0), 0) for name in asking - {organization}]
    kept = sum(unused) + max(place - own_runs, 0) + newcomers * place
    held_back = math.ceil(kept * (end - now) / (end - begin))
    available = min(max(place - mine, left - held_back, 0), left)
    return Share(limit, place, mine, available, left, kept, begin, end)


def refusal_of(share: Share, cost: int) -> Refusal | None:
    """Why an organisation must not make ``cost`` requests now; None when it may, or when nobody may (the gate says so)."""
    if cost <= share.available or cost > share.left:
        return None
    # What is kept for the others melts evenly: this is when enough of it has.
    length = share.day_ends - share.day_begins
    when = share.day_ends - length * (share.left - cost) / share.kept
    detail = f"allows {share.limit} requests a day, of which {share.place} are this organization's for certain"
    return Refusal(QuotaExhausted, when, detail)
