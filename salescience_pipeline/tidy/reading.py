"""How an answer's bytes become plain values: decoding, checked getters, and the account of what was left out.

Every tidy function reads through here, so that hostile bytes end in two ways only: a
:class:`~salescience_pipeline.clients.errors.Contract` (the answer as such is wrong) or a :class:`BadRecord` (one record
of a good answer is wrong and is left out). What does not belong here: anything that knows one provider's fields.
"""

from __future__ import annotations

import datetime as dt
import json
import math
import re
from collections.abc import Iterable, Sequence
from typing import Any, NoReturn, TypeVar

from salescience_pipeline.clients.errors import Contract, Permanent, TooLarge
from salescience_pipeline.clients.model import Answer, AnswerClass
from salescience_pipeline.tidy.model import LeftOut, Tidied

_T = TypeVar("_T")
_E = TypeVar("_E", bound=Permanent)
_INT64 = 2**63
_LAST_SECOND = 2**33
_LISTED_PER_REASON = 50
_ISO_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_NUMBER = re.compile(r"[+-]?([0-9]{1,300}(\.[0-9]{0,300})?|\.[0-9]{1,300})([eE][+-]?[0-9]{1,4})?", re.ASCII)
_SURROGATE_ESCAPE = re.compile(r"\\u[dD][89a-fA-F]")


class BadRecord(ValueError):
    """One record that cannot become a row; the message is the reason, in half a sentence."""


class NoValue(BadRecord):
    """A record that has its documented shape and tells nothing."""


def shown(value: object) -> str:
    """A short quotation of ``value`` for a message; never more than 40 characters of it."""
    text = repr(value[:60] if isinstance(value, str | bytes) else value)
    return text if len(text) <= 40 else f"{text[:36]}..."


def contract(answer: Answer, message: str) -> Contract:
    """The error for an answer without its documented shape; returned, so that ``raise ... from`` keeps the cause."""
    return _refused(Contract, answer, message)


def too_large(answer: Answer, message: str) -> TooLarge:
    """The error for an answer with more in it than we take."""
    return _refused(TooLarge, answer, message)


def _refused(error: type[_E], answer: Answer, message: str) -> _E:
    return error(
        message,
        provider=answer.request.provider,
        endpoint=answer.request.endpoint,
        subject=answer.request.subject.key,
        request_id=answer.request_id,
        status=answer.status,
        attempts=answer.attempts,
    )


def with_data(answers: Sequence[Answer]) -> list[Answer]:
    """The answers that hold data, in their order; "empty" and "not found" are answers without rows."""
    return [answer for answer in answers if answer.answer_class in (AnswerClass.OK, AnswerClass.UNCHANGED)]


def body_of(answer: Answer, max_bytes: int | None = None) -> bytes:
    """The answer's bytes.

    Raises:
        TooLarge: when the body exceeds the request's cap, or ``max_bytes`` where that is given.
    """
    cap = answer.request.max_bytes if max_bytes is None else max_bytes
    if answer.body.size > cap:
        raise too_large(answer, f"The answer holds {answer.body.size} bytes and {cap} are allowed.")
    return answer.body.read()


def text_of(answer: Answer) -> str:
    """The body as text, UTF-8 with or without a byte order mark.

    Raises:
        Contract: when it is not UTF-8.
        TooLarge: when the body exceeds its cap.
    """
    try:
        return body_of(answer).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise contract(answer, "The answer is not UTF-8 text.") from error


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def parse_json(answer: Answer, text: str) -> Any:
    """``text`` as JSON; NaN and Infinity, which JSON does not know, and halves of surrogate pairs are refused.

    Raises:
        Contract: when it is not JSON, or nested too deeply to read.
    """
    try:
        value = json.loads(text, parse_constant=_refuse_constant)
        if _SURROGATE_ESCAPE.search(text):
            # A lone surrogate is a Python string that no file and no Arrow column can hold.
            json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise contract(answer, "The answer is not JSON.") from error
    return value


def load_json(answer: Answer) -> Any:
    """The body as JSON.

    Raises:
        Contract: when it is not JSON in UTF-8.
        TooLarge: when the body exceeds its cap.
    """
    return parse_json(answer, text_of(answer))


def member(answer: Answer, holder: Any, name: str, kind: type | tuple[type, ...], where: str = "the answer") -> Any:
    """The member ``name`` of a JSON object, which must be there and of that ``kind``.

    Raises:
        Contract: naming the member that is missing or of another kind.
    """
    if not isinstance(holder, dict):
        raise contract(answer, f"The part of {where} that should hold '{name}' is not an object.")
    if name not in holder:
        raise contract(answer, f"The field '{name}' is missing in {where}.")
    if not isinstance(holder[name], kind):
        raise contract(answer, f"The field '{name}' of {where} has the wrong type.")
    return holder[name]


def in_some(answer: Answer, records: Sequence[Any], names: Iterable[str]) -> None:
    """Insist that each documented field is in one record at least: one that all of them lack has another name now.

    Null in its place would overwrite what earlier answers told.

    Raises:
        Contract: naming the field.
    """
    objects = [record for record in records if isinstance(record, dict)]
    gone = next((name for name in names if objects and not any(name in record for record in objects)), None)
    if gone is not None:
        raise contract(answer, f"The field '{gone}' is missing in every record of the answer.")


def refuse_unreadable(answers: Sequence[Answer], made: Tidied) -> Tidied:
    """``made``, unless half of what the answers hold, or more, could not be read: that is another shape, not a bad record.

    Rows of what is left would replace good ones, and completeness would tell that nothing is missing.

    Raises:
        Contract: with the first reason.
    """
    bad = [one for one in made.left_out if one.unreadable]
    lost = sum(one.count for one in bad)
    rows = max((table.num_rows for table in made.tables.values()), default=0)
    if lost and lost >= rows:
        first = bad[0]
        raise contract(
            answers[-1],
            f"{lost:,} of {lost + rows:,} records of the answer cannot be read; {first.what}: {first.reason}.",
        )
    return made


def number(value: object, name: str) -> float | None:
    """A finite number, or None for null.

    Raises:
        BadRecord: for anything else, true and false included.
    """
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadRecord(f"{name} is {shown(value)} and no number")
    try:
        result = float(value)
    except OverflowError:
        result = math.inf
    if not math.isfinite(result):
        raise BadRecord(f"{name} is not finite")
    return result


def whole(value: object, name: str) -> int | None:
    """A whole number that fits 64 bits, or None for null; ``12.0`` counts as whole.

    Raises:
        BadRecord: for anything else.
    """
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not -_INT64 <= value < _INT64:
        raise BadRecord(f"{name} is no whole number of 64 bits")
    return value


def decimal(text: str | None, name: str) -> float | None:
    """A number written out in a text (CSV, XML), or None for an empty one; no separators, no ``nan``.

    Raises:
        BadRecord: for anything else.
    """
    if text is None or not (stripped := text.strip()):
        return None
    if not _NUMBER.fullmatch(stripped):
        raise BadRecord(f"{name} is {shown(text)} and no number")
    return number(float(stripped), name)


def string(value: object, name: str) -> str | None:
    """A text that is not empty, or None for null and the empty text.

    Raises:
        BadRecord: for anything else.
    """
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise BadRecord(f"{name} is no text")
    return value


def day(value: object, name: str) -> dt.date | None:
    """An ISO date, or None for null and the empty text.

    Raises:
        BadRecord: for anything else, also for the looser forms that ``date.fromisoformat`` takes.
    """
    if value is None or value == "":
        return None
    if isinstance(value, str) and _ISO_DAY.fullmatch(value):
        try:
            return dt.date.fromisoformat(value)
        except ValueError:
            pass
    raise BadRecord(f"{name} is {shown(value)} and no date")


def moment(value: object, name: str) -> dt.datetime | None:
    """Seconds since the epoch as a moment in UTC, or None for null and 0, which providers send for "never".

    Raises:
        BadRecord: for anything else, and for what lies beyond the year 2242.
    """
    seconds = whole(value, name)
    if not seconds:
        return None
    if not 0 < seconds < _LAST_SECOND:
        raise BadRecord(f"{name} is {shown(value)} and no moment")
    return dt.datetime.fromtimestamp(seconds, dt.UTC)


def small(value: object, name: str, low: int, high: int) -> int | None:
    """A whole number from ``low`` to ``high``, or None for null.

    Raises:
        BadRecord: for anything else.
    """
    result = whole(value, name)
    if result is not None and not low <= result <= high:
        raise BadRecord(f"{name} is {shown(value)} and not within {low} to {high}")
    return result


def needed(value: _T | None, name: str) -> _T:
    """``value``, which a row cannot do without.

    Raises:
        BadRecord: when it is None.
    """
    if value is None:
        raise BadRecord(f"{name} is missing")
    return value


class LeftOuts:
    """The account of what an answer held and no row holds."""

    def __init__(self, subject: str) -> None:
        """Keep the account of one subject."""
        self._subject = subject
        self._listed: list[LeftOut] = []
        self._seen: dict[tuple[str, bool], int] = {}
        self._more: dict[tuple[str, bool], int] = {}

    def add(self, what: str, reason: str, count: int = 1) -> None:
        """Note ``count`` records; after fifty entries with one reason the rest of them become one entry."""
        self._note(what, reason, count, unreadable=False)

    def unreadable(self, what: str, error: BadRecord, count: int = 1) -> None:
        """Note ``count`` records that cannot be read; of an answer that holds little else no row may be made."""
        self._note(what, str(error), count, unreadable=not isinstance(error, NoValue))

    def _note(self, what: str, reason: str, count: int, *, unreadable: bool) -> None:
        if not count:
            return
        kind = (reason, unreadable)
        seen = self._seen[kind] = self._seen.get(kind, 0) + 1
        if seen <= _LISTED_PER_REASON:
            self._listed.append(LeftOut(self._subject, what, reason, count, unreadable))
        else:
            self._more[kind] = self._more.get(kind, 0) + count

    def done(self) -> tuple[LeftOut, ...]:
        """The account, in the order of the records."""
        rest = (
            LeftOut(self._subject, "further records", kind[0], count, kind[1]) for kind, count in self._more.items()
        )
        return (*self._listed, *rest)


def subject_of(answers: Iterable[Answer]) -> str:
    """The key under which ``answers`` are told about: their subject's, or ``*`` when there is none."""
    return next((answer.request.subject.key for answer in answers), "*")
