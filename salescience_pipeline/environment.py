"""Variables of the environment that mean nothing here, told once when a server starts: a typing error should not stay unseen.

What does not belong here: settings (``settings`` reads those that mean something).
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Mapping

from pydantic_settings import DotEnvSettingsSource

from salescience_pipeline.settings import Settings

_ELSEWHERE = frozenset({"SALESCIENCE_DAGSTER_POSTGRES_URL", "SALESCIENCE_WAREHOUSE_BUILD"})
"""Read by Dagster's own files and by dbt."""
WITHOUT_MEANING: Mapping[str, str] = {
    "REDIS_URL": "there is no Redis; jobs lie in the service database (SALESCIENCE_DATABASE_URL)",
    "FIRESTORE_DATABASE": "there is no Firestore; what was fetched lies in the lake (SALESCIENCE_HOME)",
    "FIRESTORE_EMULATOR_HOST": "there is no Firestore to emulate; `salescience sandbox` emulates the providers",
    "STORAGE_CONNECTION_STRING": "no checkpoint store is needed; offsets lie with the group of consumers",
}
"""Variables of systems that this one takes the place of, and what became of them."""


def notices(names: Iterable[str]) -> list[str]:
    """One sentence for each variable that means nothing: those of the systems before this one, and misspelled settings.

    Args:
        names: The names of the variables that are set.
    """
    known = {alias for name in Settings.model_fields for alias in _aliases(name)}
    told = []
    for name in sorted({name.upper() for name in names}):
        if name in WITHOUT_MEANING:
            told.append(f"{name} is ignored: {WITHOUT_MEANING[name]}.")
        elif name.startswith("SALESCIENCE_") and name not in known | _ELSEWHERE:
            close = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.8)
            told.append(f"{name[:100]} is no setting{f'; {close[0]} is one' if close else ''}.")
    return told


def notices_here() -> list[str]:
    """:func:`notices` of this process and of the file ``.env`` where it was started."""
    return notices({*os.environ, *DotEnvSettingsSource(Settings).env_vars})


def _aliases(field: str) -> list[str]:
    alias = Settings.model_fields[field].validation_alias
    return [str(choice).upper() for choice in getattr(alias, "choices", [f"SALESCIENCE_{field}"])]
