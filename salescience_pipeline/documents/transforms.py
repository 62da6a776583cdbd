"""Inline XBRL transforms: from what a filing shows ("March 29, 2025", "—", "five years") to the value it means.

The rule sets are the Transformation Registries 1 to 5 (``ixt``) as far as their rules read English or no language at
all, and the SEC's own set (``ixt-sec``). A format outside them is unknown, never guessed. Every function takes the
shown text and returns the lexical value; text that the rule does not accept raises :class:`TransformError`. What does
not belong here: the SEC's own formats (``transforms_sec``).
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from functools import cache

from salescience_pipeline.documents import transforms_sec
from salescience_pipeline.documents.transform_errors import TransformError

Transform = Callable[[str], str]

IXT_SEC = "http://www.sec.gov/inlineXBRL/transformation/2015-08-31"
_REGISTRY = re.compile(r"http://www\.xbrl\.org/(?:2008/)?inlineXBRL/transformation(?:/([0-9]{4})-[0-9]{2}-[0-9]{2})?")
_SPACE = " \t\r\n"

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH_NAMES = (
    "january|february|march|april|may|june|july|august|september|october|november|december|"
    "jan|feb|mar|apr|jun|jul|aug|sep|oct|nov|dec"
)
_MONTH = rf"(?P<m>{_MONTH_NAMES})"
_D, _M, _Y = r"(?P<d>[0-9]{1,2})", r"(?P<m>[0-9]{1,2})", r"(?P<y>[0-9]{4}|[0-9]{1,2})"
_GAP = r"[^0-9]+"


def _year(text: str) -> str:
    """Years of one or two digits are of this century, as the registries say."""
    return {1: "200", 2: "20"}.get(len(text), "") + text


def _month(text: str) -> str:
    return f"{int(text):02d}" if text.isdigit() else f"{_MONTHS.index(text[:3].lower()) + 1:02d}"


def _dated(pattern: str, sample_year: int = 2000) -> Transform:
    """A rule that reads a date by named groups and writes the ISO form of the parts that it found.

    Year and month and day: ``2025-03-29``; month and day: ``--03-29``; year and month: ``2025-03``.
    """
    compiled = re.compile(pattern, re.IGNORECASE)

    def read(text: str) -> str:
        match = compiled.fullmatch(text.strip(_SPACE))
        if match is None:
            raise TransformError(f"{text[:60]!r} is not a date of this format.")
        parts = match.groupdict()
        year, month, day = parts.get("y"), _month(parts["m"]), parts.get("d")
        try:
            dt.date(int(_year(year)) if year else sample_year, int(month), int(day) if day else 1)
        except ValueError as error:
            raise TransformError(f"{text[:60]!r} is a day that does not exist.") from error
        if year is None:
            return f"--{month}-{int(day or 0):02d}"
        return f"{_year(year)}-{month}-{int(day):02d}" if day else f"{_year(year)}-{month}"

    return read


def _number(pattern: str, drop: str, *, point: str = ".", strip_zeros: bool = False) -> Transform:
    """A rule that reads a number: ``drop`` are the grouping characters, ``point`` the decimal mark."""
    compiled = re.compile(pattern)
    table = {ord(character): None for character in drop}
    table[ord(point)] = "."  # type: ignore[assignment]

    def read(text: str) -> str:
        if text.isdecimal() and text.isascii():
            return (text.lstrip("0") or "0") if strip_zeros else text
        text = text.strip(_SPACE)
        if compiled.fullmatch(text) is None:
            raise TransformError(f"{text[:60]!r} is not a number of this format.")
        value = text.translate(table)
        if not value.strip("."):
            raise TransformError(f"{text[:60]!r} has no digit.")
        return _canonical(value) if strip_zeros else value

    return read


def _canonical(value: str) -> str:
    """The number without leading zeros and without zeros behind the last decimal."""
    whole, _, fraction = value.partition(".")
    fraction = fraction.rstrip("0")
    return (whole.lstrip("0") or "0") + (f".{fraction}" if fraction else "")


def _fixed(value: str) -> Transform:
    return lambda _text: value


_DASHES = re.compile("[\u058a\u05be\u2010-\u2015\ufe58\ufe63\uff0d-]")


def _zero_dash(text: str) -> str:
    if _DASHES.fullmatch(text.strip(_SPACE)) is None:
        raise TransformError(f"{text[:60]!r} is not a dash.")
    return "0"


def _plain_dash(text: str) -> str:
    if text.strip(_SPACE) != "-":
        raise TransformError(f"{text[:60]!r} is not a hyphen.")
    return "0"


_UNIT_DECIMAL = re.compile(r"([0-9][0-9,.]*)[^0-9,.]+([0-9]{1,2})[^0-9]*")


def _number_with_units(text: str) -> str:
    """``24 dollars 50 cents`` is 24.50."""
    match = _UNIT_DECIMAL.fullmatch(text.strip(_SPACE))
    if match is None:
        raise TransformError(f"{text[:60]!r} is not an amount with two units.")
    return re.sub("[,.]", "", match[1]) + "." + match[2].zfill(2)


_US_SLASH = _dated(rf"{_M}/{_D}/{_Y}")
_EU_SLASH = _dated(rf"{_D}/{_M}/{_Y}")
_LONG_US = _dated(rf"{_MONTH}\s+{_D},\s+{_Y}")
_LONG_UK = _dated(rf"{_D}\s+{_MONTH}\s+{_Y}")
_DAY_MONTH_EN = _dated(rf"{_D}{_GAP}{_MONTH}[^0-9]{{0,6}}")
_MONTH_DAY_EN = _dated(rf"{_MONTH}{_GAP}{_D}[a-z]{{0,2}}")
_MONTH_YEAR_EN = _dated(rf"{_MONTH}{_GAP}{_Y}")
_YEAR_MONTH_EN = _dated(rf"{_Y}{_GAP}{_MONTH}")
_DAY_MONTH_YEAR_EN = _dated(rf"{_D}{_GAP}{_MONTH}{_GAP}{_Y}")
_MONTH_DAY_YEAR_EN = _dated(rf"{_MONTH}{_GAP}{_D}{_GAP}{_Y}")
_DAY_MONTH = _dated(rf"{_D}{_GAP}{_M}")
_MONTH_DAY = _dated(rf"{_M}{_GAP}{_D}[a-z]*")
_DAY_MONTH_YEAR = _dated(rf"{_D}{_GAP}{_M}{_GAP}{_Y}")
_MONTH_DAY_YEAR = _dated(rf"{_M}{_GAP}{_D}{_GAP}{_Y}")
_YEAR_MONTH_DAY = _dated(rf"{_Y}{_GAP}{_M}{_GAP}{_D}[^0-9]*")
_MONTH_YEAR = _dated(rf"{_M}{_GAP}{_Y}")
_YEAR_MONTH = _dated(rf"{_Y}{_GAP}{_M}[^0-9]*")

_V1: dict[str, Transform] = {
    "dateslashus": _US_SLASH,
    "dateslasheu": _EU_SLASH,
    "datedotus": _dated(rf"{_M}\.{_D}\.{_Y}"),
    "datedoteu": _dated(rf"{_D}\.{_M}\.{_Y}"),
    "datelongus": _LONG_US,
    "dateshortus": _LONG_US,
    "datelonguk": _LONG_UK,
    "dateshortuk": _LONG_UK,
    "datelongdaymonthuk": _DAY_MONTH_EN,
    "dateshortdaymonthuk": _DAY_MONTH_EN,
    "datelongmonthdayus": _MONTH_DAY_EN,
    "dateshortmonthdayus": _MONTH_DAY_EN,
    "dateslashdaymontheu": _dated(rf"{_D}/{_M}"),
    "dateslashmonthdayus": _dated(rf"{_M}/{_D}"),
    "datelongyearmonth": _YEAR_MONTH_EN,
    "dateshortyearmonth": _YEAR_MONTH_EN,
    "datelongmonthyear": _MONTH_YEAR_EN,
    "dateshortmonthyear": _MONTH_YEAR_EN,
    "numcommadot": _number(r"[0-9]{1,3}(,[0-9]{3})*(\.[0-9]+)?", ","),
    "numdash": _plain_dash,
    "numspacedot": _number(r"[0-9]{1,3}([ \xa0][0-9]{3})*(\.[0-9]+)?", " \xa0"),
    "numdotcomma": _number(r"[0-9]{1,3}(\.[0-9]{3})*(,[0-9]+)?", ".", point=","),
    "numcomma": _number(r"[0-9]+(,[0-9]+)?", "", point=","),
    "numspacecomma": _number(r"[0-9]{1,3}([ \xa0][0-9]{3})*(,[0-9]+)?", " \xa0", point=","),
}
_V2: dict[str, Transform] = {
    "booleanfalse": _fixed("false"),
    "booleantrue": _fixed("true"),
    "datedaymonth": _DAY_MONTH,
    "datedaymonthen": _DAY_MONTH_EN,
    "datedaymonthyear": _DAY_MONTH_YEAR,
    "datedaymonthyearen": _DAY_MONTH_YEAR_EN,
    "datemonthday": _MONTH_DAY,
    "datemonthdayen": _MONTH_DAY_EN,
    "datemonthdayyear": _MONTH_DAY_YEAR,
    "datemonthdayyearen": _MONTH_DAY_YEAR_EN,
    "datemonthyearen": _MONTH_YEAR_EN,
    "dateyearmonthen": _YEAR_MONTH_EN,
    "nocontent": _fixed(""),
    "numcommadecimal": _number(r"[0-9]{1,3}([. \xa0]?[0-9]{3})*(,[0-9]+)?", ". \xa0", point=","),
    "numdotdecimal": _number(r"[0-9]{1,3}([, \xa0]?[0-9]{3})*(\.[0-9]+)?", ", \xa0"),
    "numunitdecimal": _number_with_units,
    "zerodash": _zero_dash,
}
_V3: dict[str, Transform] = {
    **_V2,
    "datemonthyear": _MONTH_YEAR,
    "dateyearmonthday": _YEAR_MONTH_DAY,
}
_V4: dict[str, Transform] = {
    "date-day-month": _DAY_MONTH,
    "date-day-month-year": _DAY_MONTH_YEAR,
    "date-day-monthname-en": _DAY_MONTH_EN,
    "date-day-monthname-year-en": _DAY_MONTH_YEAR_EN,
    "date-month-day": _MONTH_DAY,
    "date-month-day-year": _MONTH_DAY_YEAR,
    "date-month-year": _MONTH_YEAR,
    "date-monthname-day-en": _MONTH_DAY_EN,
    "date-monthname-day-year-en": _MONTH_DAY_YEAR_EN,
    "date-monthname-year-en": _MONTH_YEAR_EN,
    "date-year-month": _YEAR_MONTH,
    "date-year-month-day": _YEAR_MONTH_DAY,
    "date-year-monthname-en": _YEAR_MONTH_EN,
    "fixed-empty": _fixed(""),
    "fixed-false": _fixed("false"),
    "fixed-true": _fixed("true"),
    "fixed-zero": _fixed("0"),
    "num-comma-decimal": _number(r"[0-9. \xa0]*(,[0-9 \xa0]+)?", ". \xa0", point=",", strip_zeros=True),
    "num-dot-decimal": _number(r"[0-9, \xa0]*(\.[0-9 \xa0]+)?", ", \xa0", strip_zeros=True),
    "num-unit-decimal": lambda text: _canonical(_number_with_units(text)),
}
_APOS = "'`\u00b4\u2019\u2032"
_V5: dict[str, Transform] = {
    **_V4,
    "num-comma-decimal-apos": _number(
        rf"[0-9.{_APOS} \xa0]*(,[0-9 \xa0]+)?", f". \xa0{_APOS}", point=",", strip_zeros=True
    ),
    "num-dot-decimal-apos": _number(rf"[0-9,{_APOS} \xa0]*(\.[0-9 \xa0]+)?", f", \xa0{_APOS}", strip_zeros=True),
}
_BY_YEAR: dict[str | None, dict[str, Transform]] = {
    None: _V1,
    "2010": _V1,
    "2011": _V2,
    "2015": _V3,
    "2020": _V4,
    "2022": _V5,
}


@cache
def find_transform(namespace: str, local_name: str) -> Transform | None:
    """The rule for a format, or None when the engine does not know it.

    Args:
        namespace: the URI that the format's prefix is bound to.
        local_name: e.g. ``num-dot-decimal``.
    """
    if namespace == IXT_SEC:
        return transforms_sec.TRANSFORMS.get(local_name)
    match = _REGISTRY.fullmatch(namespace)
    return _BY_YEAR.get(match[1], {}).get(local_name) if match is not None else None
