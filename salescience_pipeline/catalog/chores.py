"""The chores: what is done every day with all that is stored, as rows; no provider's job, and no scope.

What does not belong here: the jobs of the providers (``jobs``), and how a chore is done.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Chore:
    """One chore with the line that it runs by."""

    name: str
    cron: str
    """In New York time, when no job of the providers is due."""
    description: str

    @property
    def dagster_name(self) -> str:
        """The name of its Dagster job and of its schedule."""
        return self.name.replace("-", "_")


_ROWS: tuple[Chore, ...] = (
    Chore("data-quality", "0 21 * * *", "The quality checks, every evening after the exchanges' corrections."),
    Chore(
        "repair",
        "45 22 * * *",
        "Asks for what failed or is missing, every night after the last job of the day and when the providers' quotas have "
        "begun anew.",
    ),
    Chore(
        "recheck",
        "15 4 * * 0",
        "Fetches a few filed documents again, others every week, and holds them against what is stored.",
    ),
    Chore("lake-maintenance", "30 3 * * *", "Housekeeping of the lake, every night."),
)

CHORES: dict[str, Chore] = {chore.name: chore for chore in _ROWS}
