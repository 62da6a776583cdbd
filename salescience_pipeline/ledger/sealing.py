"""Columns that hold what an organisation wrote: sealed on their way into the database, opened on their way out.

A statement needs to know nothing of it. Whose key seals is known from the transaction (``scoping`` says for whom it
works); what a housekeeping transaction writes is the product's own words and stays in clear, as do empty values and the
rows of before there was a vault. What does not belong here: keys (``vault``).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import JSON, Dialect, Engine, String, Text
from sqlalchemy.types import TypeDecorator, TypeEngine

from salescience_pipeline.identifiers import OrganizationId
from salescience_pipeline.ledger.vault import PREFIX, KeyUnavailable, OrganizationShredded, Vault

SHREDDED = "[shredded]"
"""What stands for a value whose key was destroyed, where housekeeping meets one."""
_vaults: WeakKeyDictionary[Dialect, Vault] = WeakKeyDictionary()
_owner: ContextVar[OrganizationId | None] = ContextVar("organization_of_transaction", default=None)


def attach(engine: Engine, vault: Vault) -> None:
    """Seal what goes into the database behind ``engine`` from now on."""
    _vaults[engine.dialect] = vault


@contextmanager
def working_for(organization: OrganizationId | None) -> Iterator[None]:
    """For whom the transaction inside the block works; None for housekeeping."""
    token = _owner.set(organization)
    try:
        yield
    finally:
        _owner.reset(token)


def vault_of(engine: Engine) -> Vault | None:
    """The vault that was attached to ``engine``."""
    return _vaults.get(engine.dialect)


def seal(dialect: Dialect, purpose: str, text: str, *, owner: OrganizationId | None = None) -> str:
    """``text`` sealed for ``owner``, by default whom the transaction works for; as it is without a vault or an owner."""
    vault, owner = _vaults.get(dialect), owner or _owner.get()
    return text if vault is None or owner is None or not text else vault.seal(owner, purpose, text.encode())


def unseal(dialect: Dialect, purpose: str, text: str) -> str:
    """What :func:`seal` was given.

    Raises:
        LedgerError: when it cannot be opened (see ``Vault.open``).
    """
    if not text.startswith(PREFIX):
        return text
    vault, owner = _vaults.get(dialect), _owner.get()
    if vault is None:
        raise KeyUnavailable("A value is sealed, and this ledger was opened without keys.")
    return vault.open(text, purpose, owner=owner).decode()


@dataclass(frozen=True, slots=True)
class Owned:
    """A value to be sealed for ``owner``, in a transaction that writes for several."""

    owner: OrganizationId
    value: Any


class SealedText(TypeDecorator[str]):
    """Text that is sealed; ``length`` is that of the clear text, which SQLite's column has kept as its name."""

    impl = Text
    cache_ok = True

    def __init__(self, purpose: str, length: int | None = None) -> None:
        super().__init__()
        self.purpose, self.length = purpose, length

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """PostgreSQL counts a column's characters; SQLite does not, and could not change a column's type."""
        kept = dialect.name == "sqlite" and self.length is not None
        return dialect.type_descriptor(String(self.length) if kept else Text())

    def process_bind_param(self, value: str | Owned | None, dialect: Dialect) -> str | None:
        """Seal."""
        owner, text = (value.owner, value.value) if isinstance(value, Owned) else (None, value)
        return None if text is None else seal(dialect, self.purpose, text, owner=owner)

    def process_result_value(self, value: Any, dialect: Dialect) -> str | None:
        """Open."""
        if value is None:
            return None
        try:
            return unseal(dialect, self.purpose, str(value))
        except OrganizationShredded:
            if _owner.get() is not None:
                raise
            return SHREDDED


class SealedJson(TypeDecorator[Any]):
    """A JSON value that is sealed; the column then holds a JSON string."""

    impl = JSON
    cache_ok = True

    def __init__(self, purpose: str, *, none_as_null: bool = False) -> None:
        super().__init__(none_as_null=none_as_null)
        self.purpose = purpose
        self.none_as_null = none_as_null

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        """Seal; what is empty says nothing."""
        owner, plain = (value.owner, value.value) if isinstance(value, Owned) else (None, value)
        if plain is None or plain in ({}, []):
            return plain
        sealed = seal(dialect, self.purpose, json.dumps(plain), owner=owner)
        return sealed if sealed.startswith(PREFIX) else plain

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        """Open."""
        if not isinstance(value, str) or not value.startswith(PREFIX):
            return value
        try:
            return json.loads(unseal(dialect, self.purpose, value))
        except OrganizationShredded:
            if _owner.get() is not None:
                raise
            return {}
