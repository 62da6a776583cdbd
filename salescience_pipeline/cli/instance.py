"""The Dagster instance of a world: one folder each, from the clone's own ``dagster.yaml``.

What does not belong here: what runs in it.
"""

from __future__ import annotations

import os
from pathlib import Path

from salescience_pipeline.settings import Settings, SettingsError

PROJECT = Path(__file__).resolve().parents[2]
"""The clone; ``dagster.yaml``, ``workspace.yaml`` and ``dbt`` stand in it."""

_SHIPPED_STORAGE = ".salescience/fictional/dagster"


def dagster_home(settings: Settings) -> Path:
    """The ``DAGSTER_HOME`` to use: the environment's, else the world's own folder with a ``dagster.yaml`` in it.

    The plain ``dagster dev`` in the clone uses the same storage for the fictional world, so that what one shows the other
    shows too.

    Raises:
        SettingsError: when the product is not run from a clone.
    """
    if os.environ.get("DAGSTER_HOME"):
        return Path(os.environ["DAGSTER_HOME"]).expanduser().resolve()
    shipped = PROJECT / "dagster.yaml"
    if not shipped.exists():
        raise SettingsError("There is no dagster.yaml; run from a clone of the repository, or set DAGSTER_HOME.")
    storage = settings.root / "dagster"
    storage.mkdir(parents=True, exist_ok=True)
    text = shipped.read_text().replace(_SHIPPED_STORAGE, str(storage))
    target = storage / "dagster.yaml"
    if not target.exists() or target.read_text() != text:
        target.write_text(text)
    return storage
