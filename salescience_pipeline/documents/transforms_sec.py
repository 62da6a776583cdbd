"""The SEC's own inline XBRL transforms (``ixt-sec``): ballot boxes, durations, numbers in words, codes for names.

Behaviour is that of the SEC's conformance cases: XML white space around the text is ignored, a no-break space around it
makes it invalid, inside it counts as a space. Names are looked up in :mod:`geography`. What does not belong here: the
formats of the general registry (``transforms``).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal

from salescience_pipeline.documents import geography
from salescience_pipeline.documents.transform_errors import TransformError

_XML_SPACE = " \t\r\n"
_LONGEST = 2000
_DASH = re.compile("[-\u058a\u05be\u2010-\u2015\ufe58\ufe63\uff0d]")


def _clean(text: str) -> str:
    """Trim XML white space, fold inner spaces.

    Raises:
        TransformError: when a no-break space stands at either end, or it is longer than any number or name is.
    """
    text = text.strip(_XML_SPACE)
    if len(text) > _LONGEST:
        raise TransformError(f"{text[:60]!r} is too long for a number or a name.")
    if text[:1].isspace() or text[-1:].isspace():
        raise TransformError(f"{text[:60]!r} starts or ends with a space that is not XML white space.")
    return " ".join(text.split())


def _ballot(unticked: str, ticked: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        text = text.strip(_XML_SPACE)
        if text == "\u2610":
            return unticked
        if text in ("\u2611", "\u2612"):
            return ticked
        raise TransformError(f"{text[:60]!r} is not a ballot box.")

    return read


_PLAIN_NUMBER = re.compile(r"(-?)([0-9]+(?:\.[0-9]*)?|\.[0-9]+)")


def _duration(units: tuple[tuple[str, int], ...], first: str, multiple: int = 1) -> Callable[[str], str]:
    """A rule for a number of ``first`` units, the fraction carried over into ``units`` (designator, per bigger unit)."""

    def read(text: str) -> str:
        match = _PLAIN_NUMBER.fullmatch(_clean(text))
        if match is None:
            raise TransformError(f"{text[:60]!r} is not a plain number.")
        amount = Decimal(match[2]) * multiple
        whole = int(amount)
        date, time = (f"{whole}{first}", "") if first != "H" else ("", f"{whole}H")
        rest = amount - whole
        for designator, per in units:
            rest *= per
            count = int(rest)
            rest -= count
            if count and designator == "H":
                time += f"{count}H"
            elif count:
                date = (date if whole else "") + f"{count}{designator}"
                whole = 1
        return f"{match[1]}P{date}{'T' if time else ''}{time}"

    return read


_SMALL = {
    "zero": 0,
    "one": 1,
    "two": 2,
    "three": 3,
    "four": 4,
    "five": 5,
    "six": 6,
    "seven": 7,
    "eight": 8,
    "nine": 9,
    "ten": 10,
    "eleven": 11,
    "twelve": 12,
    "thirteen": 13,
    "fourteen": 14,
    "fifteen": 15,
    "sixteen": 16,
    "seventeen": 17,
    "eighteen": 18,
    "nineteen": 19,
}
_TENS = {"twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90}
_SCALES = {"thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_NOTHING = frozenset({"no", "none", "nil", "zero"})


def _words_to_number(words: list[str]) -> int:
    """The number that English words say; every word must count.

    Raises:
        TransformError: for an unknown word or a combination that is no number.
    """
    if not words:
        raise TransformError("There is no number.")
    if len(words) == 1:
        if words[0] in _NOTHING:
            return 0
        if words[0].isascii() and words[0].replace(",", "").isdigit():
            return int(words[0].replace(",", ""))
    total = group = 0
    last = 1000
    for word in words:
        if word == "and":
            continue
        if word in _SMALL and word != "zero" and last >= (20 if _SMALL[word] < 10 else 100):
            group += _SMALL[word]
            last = 1
        elif word in _TENS and last >= 100:
            group += _TENS[word]
            last = 20
        elif word == "hundred" and 0 < group < 100:
            group *= 100
            last = 100
        elif word in _SCALES and group:
            total += group * _SCALES[word]
            group, last = 0, 1000
        else:
            raise TransformError(f"{' '.join(words)[:60]!r} is not a number in words.")
    return total + group


def _number_words(text: str) -> str:
    return str(_words_to_number(_DASH.sub(" ", _clean(text)).lower().split()))


_DURATION_SPLIT = re.compile(r"(.+?)[\s,]*\b(years?|months?|weeks?|days?|hours?)\b(?:\s*,)?(?:\s+and\b)?\s*")


def _duration_words(text: str) -> str:
    """``twelve years, six months and four days`` is P12Y6M4D."""
    rest = _DASH.sub(" ", _clean(text)).lower()
    found: dict[str, int] = {}
    while rest:
        match = _DURATION_SPLIT.match(rest)
        if match is None:
            raise TransformError(f"{text[:60]!r} is not a duration in words.")
        count = _words_to_number(
            match[1].replace(",", " ").split() if not match[1][:1].isdigit() else [match[1].strip()]
        )
        unit = match[2].rstrip("s")
        unit, count = ("day", 7 * count) if unit == "week" else (unit, count)
        found[unit] = found.get(unit, 0) + count
        rest = rest[match.end() :]
    if not found:
        raise TransformError(f"{text[:60]!r} is not a duration in words.")
    letters = {"year": "Y", "month": "M", "day": "D"}
    date = "".join(f"{found[unit]}{letter}" for unit, letter in letters.items() if found.get(unit))
    hours = f"T{found['hour']}H" if found.get("hour") else ""
    if not date and not hours:
        unit = next(iter(found))
        return f"P0{letters[unit]}" if unit in letters else "PT0H"
    return f"P{date}{hours}"


_ORDINAL = {"1st": 1, "2nd": 2, "3rd": 3, "4th": 4, "first": 1, "second": 2, "third": 3, "fourth": 4, "last": 4}
_QUARTER_ENDS = {1: "03-31", 2: "06-30", 3: "09-30", 4: "12-31"}
_QUARTER_PART = r"(?:the )?(1st|2nd|3rd|4th|first|second|third|fourth|last) quarter(?:[ -]end)?|q(?:uarter )?([1-4])"
_QUARTER = re.compile(
    rf"(?:{_QUARTER_PART})(?:,? |')([0-9]{{4}})|([0-9]{{4}})(?:,? |')(?:{_QUARTER_PART})", re.IGNORECASE
)


def _quarter_end(text: str) -> str:
    match = _QUARTER.fullmatch(_clean(text))
    if match is None:
        raise TransformError(f"{text[:60]!r} is not a quarter of a year.")
    quarter = match[1] or match[2] or match[5] or match[6]
    number = _ORDINAL.get(quarter.lower()) or int(quarter)
    return f"{match[3] or match[4]}-{_QUARTER_ENDS[number]}"


def _fold(name: str) -> str:
    """Lower the first letter of every word: ``Aland islands`` is ``Aland Islands``, ``ALAND`` is not."""
    return " ".join(word[:1].lower() + word[1:] for word in name.split())


def _lookup(table: dict[str, str], fold: Callable[[str], str], what: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        code = table.get(fold(_clean(text)))
        if code is None:
            raise TransformError(f"{text[:60]!r} is not the name of {what}.")
        return code

    return read


_COUNTRIES = {_fold(name): code for code, _edgar, names in geography.COUNTRIES for name in names}
_EDGAR_PLACES = {_fold(name): code for _iso, code, names in geography.COUNTRIES if code for name in names} | {
    _fold(name): code for code, names in geography.EDGAR_ONLY for name in names
}
_LEGAL_FORM = re.compile(r"(?:,? (?:inc\.?|llc|l\.l\.c\.|corporation|corp\.?))+$")


def _fold_exchange(name: str) -> str:
    name = _LEGAL_FORM.sub("", name.lower().rstrip(" .,"))
    return name.removeprefix("the ").rstrip(" ,")


def _special_number(value: str) -> Callable[[str], str]:
    return lambda _text: value


TRANSFORMS: dict[str, Callable[[str], str]] = {
    "boolballotbox": _ballot("false", "true"),
    "yesnoballotbox": _ballot("No", "Yes"),
    "countrynameen": _lookup(_COUNTRIES, _fold, "a country"),
    "edgarprovcountryen": _lookup(_EDGAR_PLACES, _fold, "a province or country"),
    "stateprovnameen": _lookup(geography.STATES, str.lower, "a state or province"),
    "exchnameen": _lookup(geography.EXCHANGES, _fold_exchange, "an exchange"),
    "entityfilercategoryen": _lookup(geography.FILER_CATEGORIES, str.lower, "a filer category"),
    "duryear": _duration((("M", 12), ("D", 30)), "Y"),
    "durmonth": _duration((("D", 30),), "M"),
    "durweek": _duration((), "D", multiple=7),
    "durday": _duration((("H", 24),), "D"),
    "durhour": _duration((), "H"),
    "durwordsen": _duration_words,
    "numwordsen": _number_words,
    "datequarterend": _quarter_end,
    "numinf": _special_number("INF"),
    "numneginf": _special_number("-INF"),
    "numnan": _special_number("NaN"),
}
"""Format name (without prefix) -> rule."""
