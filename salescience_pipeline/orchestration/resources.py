"""Thin Dagster resources that return the plain objects of the other rooms.

Configuration of the product is the environment's (:mod:`salescience_pipeline.settings`); a resource only allows to
override single settings, which tests and notebooks use. What does not belong here: opening the rooms
(``acquisition.services``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dagster as dg
from pydantic import Field, PrivateAttr

if TYPE_CHECKING:
    from salescience_pipeline.acquisition.services import Services
    from salescience_pipeline.settings import Settings

_WORLD_KEY = "salescience/world"
MAX_RETRIES_TAG = "dagster/max_retries"
"""The run tag that the daemon looks at before it retries a run."""


class WrongWorld(dg.Failure):
    """The Dagster instance holds runs of another world than the settings ask for."""


class ServicesResource(dg.ConfigurableResource[Any]):
    """Clients, lake and ledger of this process, opened when a run starts and closed when it ends."""

    overrides: dict[str, str] = Field(
        default={}, description="Settings that replace the environment's, by their field name; empty in production."
    )

    _services: Any = PrivateAttr(default=None)

    def settings(self) -> Settings:
        """The settings with the overrides applied."""
        from salescience_pipeline.settings import Settings  # noqa: PLC0415 - the definitions need none of it

        return Settings(**self.overrides)  # type: ignore[arg-type]  # pydantic parses the strings

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:
        """Open everything; refuse a Dagster instance that belongs to another world."""
        try:
            settings = self.settings()
            if context.instance is not None:
                refuse_other_world(context.instance, settings)
            self._open(settings)
        except (ValueError, WrongWorld):
            # What is set wrong (SettingsError, pydantic's errors) stays so: a retried run would only say it again.
            if context.instance is not None and context.run is not None:
                context.instance.add_run_tags(context.run.run_id, {MAX_RETRIES_TAG: "0"})
            raise

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:  # noqa: ARG002 - Dagster's signature
        """Close connections and pools."""
        if self._services is not None:
            self._services.close()
            self._services = None

    def get(self) -> Services:
        """The open services; opened now when no run did it (sensors, schedules, notebooks)."""
        services: Services | None = self._services
        return services if services is not None else self._open(self.settings())

    def _open(self, settings: Settings) -> Services:
        from salescience_pipeline.acquisition.services import Services  # noqa: PLC0415 - the definitions need none of it

        self._services = opened = Services.open(settings)
        return opened


def refuse_other_world(instance: dg.DagsterInstance, settings: Settings) -> None:
    """Keep runs of fictional, recorded and live data in instances of their own: the first run decides.

    Raises:
        WrongWorld: when the instance has seen another world before.
    """
    seen = instance.run_storage.get_cursor_values({_WORLD_KEY}).get(_WORLD_KEY)
    if seen is None:
        instance.run_storage.set_cursor_values({_WORLD_KEY: settings.world.value})
    elif seen != settings.world.value:
        raise WrongWorld(
            f"This Dagster instance holds runs of the {seen} world, but SALESCIENCE_WORLD asks for {settings.world.value}; "
            "set DAGSTER_HOME to another folder, or use `salescience up`, which keeps one for each world.",
            allow_retries=False,
        )
