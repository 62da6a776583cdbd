"""Numbers as financial tables show them: ``$ 1,234``, ``(5.2)%``, ``—``.

What does not belong here: numbers of XBRL facts (``transforms``), and words for scales of a table (``tables``).
"""

from __future__ import annotations

import re
from decimal import Decimal

_NUMBER = re.compile(
    r"(?P<open>[(\[]?)\s*(?P<minus>[-\u2212\u2013]?)\s*(?:(?:US|C|A|HK|NT|S)?[$\u20ac\u00a3\u00a5]|Rs\.?|R\$)?\s*(?P<inner>[(\[]?)\s*"
    r"(?P<minus2>[-\u2212\u2013]?)\s*(?P<digits>[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?|[0-9]+(?:\.[0-9]+)?|\.[0-9]+)"
    r"\s*%?\s*[)\]]?\s*%?\s*(?:x|bps|pts)?\s*(?:\([0-9a-z]{1,2}\))?\s*[*\u2020\u2021]*"
)
_YEAR = re.compile(r"(?:19|20)[0-9]{2}")
_NOTHING = frozenset("-\u2013\u2014\u2012\u2015\u2212")


def shown_number(text: str) -> Decimal | None:
    """The number that ``text`` shows, None when it shows something else or a dash."""
    match = _NUMBER.fullmatch(text.strip())
    if match is None:
        return None
    number = Decimal(match["digits"].replace(",", ""))
    negative = match["open"] or match["inner"] or match["minus"] or match["minus2"]
    return -number if negative else number


def is_dash(text: str) -> bool:
    """Whether ``text`` shows a dash in a number's place, with or without a currency sign."""
    text = text.strip().lstrip("$\u20ac\u00a3\u00a5").strip().rstrip("%").strip()
    return len(text) <= 2 and bool(text) and all(character in _NOTHING for character in text)


def is_year(text: str) -> bool:
    """Whether ``text`` is a calendar year and nothing else."""
    return _YEAR.fullmatch(text) is not None
