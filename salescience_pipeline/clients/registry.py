"""Finding what a catalogue row names: a dataset's recipe, a provider's dialect.

Adding a provider needs no edit here; the rows name the modules. What does not belong here: anything about one provider.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from typing import cast

from salescience_pipeline.catalog.datasets import Dataset
from salescience_pipeline.catalog.providers import PROVIDERS
from salescience_pipeline.clients.classify import Dialect, Extras
from salescience_pipeline.clients.model import PlannedRequest
from salescience_pipeline.clients.plan import Recipe


@cache
def dialect(provider: str) -> Dialect:
    """How ``provider`` is spoken to.

    Raises:
        KeyError: when the catalogue has no such provider.
    """
    module = import_module(f"salescience_pipeline.clients.{PROVIDERS[provider].module}")
    return cast("Dialect", module.DIALECT)


def params(
    request: PlannedRequest, credentials: Mapping[str, str], extras: Extras | None
) -> tuple[tuple[str, str], ...]:
    """What the address of ``request`` carries beyond its own parameters: a key, a crumb. All of it is secret."""
    own = dialect(request.provider).params(credentials.get(request.provider))
    return (*own, *(extras.params if extras is not None else ()))


def recipe(dataset: Dataset) -> Recipe:
    """The recipe that ``dataset`` names."""
    module, _, name = dataset.recipe.partition(".")
    return cast("Recipe", getattr(import_module(f"salescience_pipeline.clients.{module}"), name))
