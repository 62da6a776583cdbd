"""Validated identifiers: the only way a string becomes a path, a partition key or a piece of SQL.

Each type is a ``str`` (or a ``date``) that could not be constructed if it were unsafe, so that the rooms behind can use
it without looking again. What does not belong here: anything that looks a value up (a ticker that is well formed may
still be unknown to every provider).
"""

from __future__ import annotations

import datetime as dt
import re
import uuid
from collections.abc import Iterable
from typing import ClassVar, Self


class InvalidIdentifier(ValueError):
    """A string that is not what it should name; the message is one sentence that says which and why."""


def _shown(text: object) -> str:
    """Quote ``text`` for a message, shortened so that a 10 MB "ticker" does not become a 10 MB log line."""
    shown = repr(text)
    return shown if len(shown) <= 40 else f"{shown[:36]}...'"


class _Identifier(str):
    """A string that matches ``pattern``; subclasses say how the raw text is normalised first."""

    __slots__ = ()
    pattern: ClassVar[re.Pattern[str]]
    forbidden: ClassVar[str] = ".."
    kind: ClassVar[str]
    hint: ClassVar[str]

    def __new__(cls, text: str) -> Self:
        """Validate ``text``.

        Raises:
            InvalidIdentifier: when ``text`` is not a string of this kind.
        """
        if type(text) is cls:
            return text
        if not isinstance(text, str):
            raise InvalidIdentifier(f"{_shown(text)} is not {cls.kind}: {cls.hint}.")
        value = cls.normalise(text) if len(text) <= 400 else text
        if cls.forbidden in value or not cls.pattern.fullmatch(value):
            raise InvalidIdentifier(f"{_shown(text)} is not {cls.kind}: {cls.hint}.")
        return super().__new__(cls, value)

    @classmethod
    def normalise(cls, text: str) -> str:
        """The canonical spelling of ``text``; the pattern is checked afterwards."""
        return text.strip()


class Ticker(_Identifier):
    """A trading symbol in our canonical form: upper case, a dot before a share class (``BRK.B``).

    The provider's own spelling (``BRK-B``) is made by :func:`provider_symbol` on the way out only.
    """

    __slots__ = ()
    pattern = re.compile(r"[A-Z0-9^][A-Z0-9.\-^=]{0,14}", re.ASCII)
    kind = "a ticker"
    hint = "1 to 15 letters, digits, '.', '-', '^' or '=', starting with a letter, a digit or '^'"

    @classmethod
    def normalise(cls, text: str) -> str:
        """Strip and upper-case; what is not ASCII stays as it is and is refused."""
        return text.strip().upper() if text.isascii() else text


class Cik(_Identifier):
    """A Central Index Key as SEC's JSON host spells it: ten digits, zero padded."""

    __slots__ = ()
    pattern = re.compile(r"(?!0{10})[0-9]{10}", re.ASCII)
    kind = "a CIK"
    hint = "one to ten digits, not all zero"

    @classmethod
    def normalise(cls, text: str) -> str:
        """Pad with zeros to ten digits."""
        text = text.strip()
        return text.zfill(10) if text.isascii() and text.isdigit() else text

    @classmethod
    def of(cls, number: int | str) -> Self:
        """Make a CIK from the integer or the string that an answer holds."""
        return cls(str(number))

    @property
    def unpadded(self) -> str:
        """The spelling in paths under ``/Archives/edgar/data/``."""
        return self.lstrip("0")


class Accession(_Identifier):
    """A filing's accession number with dashes, ``0000320193-25-000057``.

    The first ten digits name the *submitter* (often a filing agent): the issuer must never be derived from them.
    """

    __slots__ = ()
    pattern = re.compile(r"[0-9]{10}-[0-9]{2}-[0-9]{6}", re.ASCII)
    kind = "an accession number"
    hint = "18 digits as 0000320193-25-000057, dashes optional"

    @classmethod
    def normalise(cls, text: str) -> str:
        """Put the dashes back into the 18-digit form."""
        text = text.strip()
        if len(text) == 18 and text.isascii() and text.isdigit():
            return f"{text[:10]}-{text[10:12]}-{text[12:]}"
        return text

    @property
    def nodash(self) -> str:
        """The 18 digits that name the filing's folder."""
        return self.replace("-", "")


class OrganizationId(_Identifier):
    """The organisation that asked for something: lower case, digits and dashes, 63 characters at most."""

    __slots__ = ()
    pattern = re.compile(r"[a-z0-9][a-z0-9\-]{0,62}", re.ASCII)
    kind = "an organization id"
    hint = "1 to 63 lower-case letters, digits or dashes, not starting with a dash"


class RequestId(_Identifier):
    """The id that follows one request through log lines, run tags, provider headers and the audit."""

    __slots__ = ()
    pattern = re.compile(r"[A-Za-z0-9_\-]{8,64}", re.ASCII)
    kind = "a request id"
    hint = "8 to 64 letters, digits, '_' or '-'"

    @classmethod
    def new(cls) -> Self:
        """A fresh random id (UUID version 4)."""
        return cls(str(uuid.uuid4()))


class FileName(_Identifier):
    """One path segment from outside (a document of a filing): no separator, no leading dot, no control character."""

    __slots__ = ()
    pattern = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-+ ()&,'~]{0,254}", re.ASCII)
    # "apple.inc..txt" was filed; two dots inside one segment lead nowhere.
    forbidden = "/"
    kind = "a file name"
    hint = "one path segment of letters, digits and ._-+ ()&,'~"


class TableName(_Identifier):
    """``<layer>_<source>__<what>``: asset key, Delta folder, DuckDB table, dbt source and docs anchor in one word."""

    __slots__ = ()
    pattern = re.compile(r"(raw|core|doc|mart|ops)_[a-z0-9]{1,32}__[a-z][a-z0-9_]{0,63}", re.ASCII)
    kind = "a table name"
    hint = "<layer>_<source>__<what> in lower case, the layer one of raw, core, doc, mart, ops"


class Sha256(_Identifier):
    """A SHA-256 digest in lower-case hexadecimal: the name of a body in the archive."""

    __slots__ = ()
    pattern = re.compile(r"[0-9a-f]{64}", re.ASCII)
    kind = "a SHA-256 digest"
    hint = "64 hexadecimal digits in lower case"

    @classmethod
    def normalise(cls, text: str) -> str:
        """Nothing is normalised: one digest has one spelling."""
        return text


def parse_date(text: str) -> dt.date:
    """Read an ISO date (``2026-11-20``), the spelling of every date partition.

    Raises:
        InvalidIdentifier: for anything else, also for the looser forms that ``date.fromisoformat`` accepts.
    """
    if isinstance(text, str) and re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text, re.ASCII):
        try:
            return dt.date.fromisoformat(text)
        except ValueError:
            pass
    raise InvalidIdentifier(f"{_shown(text)} is not a date: write it as YYYY-MM-DD.")


def parse_tickers(texts: Iterable[str]) -> tuple[Ticker, ...]:
    """Validate many tickers at once; order kept, repeats dropped.

    Raises:
        InvalidIdentifier: naming the first one that is not a ticker.
    """
    return tuple(dict.fromkeys(Ticker(text) for text in texts))
