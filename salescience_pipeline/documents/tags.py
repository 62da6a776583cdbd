"""What a start or end tag means for the layout of a document, worked out once per spelling.

Filings repeat a few thousand spellings of tags a hundred thousand times; the scanner looks each of them up here. What
does not belong here: what follows from it for a paragraph (``flow``).
"""

from __future__ import annotations

import re
from enum import IntEnum
from functools import lru_cache
from typing import NamedTuple

from salescience_pipeline.documents.source import parse_attributes


class Op(IntEnum):
    """What the scanner has to do."""

    NOTHING = 0
    INLINE_OPEN = 1
    INLINE_CLOSE = 2
    BLOCK_OPEN = 3
    BLOCK_CLOSE = 4
    CELL_OPEN = 5
    CELL_CLOSE = 6
    ROW_OPEN = 7
    ROW_CLOSE = 8
    TABLE_OPEN = 9
    TABLE_CLOSE = 10
    LINE_BREAK = 11
    RULE = 12
    IMAGE = 13
    LINK_OPEN = 14
    PAGE = 15
    LITERAL = 16
    """Not a tag: a "<" in running text."""
    HIDDEN = 17
    """Nothing of it is shown up to its end."""


class Style(NamedTuple):
    """How text looks at one place."""

    bold: bool = False
    italic: bool = False
    underlined: bool = False
    centered: bool = False
    hidden: bool = False
    size: float = 0.0


PLAIN = Style()


class Tag:
    """One spelling of a tag."""

    __slots__ = (
        "break_after",
        "break_before",
        "changes",
        "colspan",
        "heading",
        "href",
        "merged",
        "name",
        "op",
        "rowspan",
        "self_closed",
        "text",
    )

    def __init__(self, op: Op, name: bytes) -> None:
        """A tag that does nothing but ``op``."""
        self.op = int(op)
        self.name = name
        self.changes: dict[str, object] = {}
        self.merged: dict[Style, Style] = {}
        self.colspan = 1
        self.rowspan = 1
        self.self_closed = False
        self.break_before = False
        self.break_after = False
        self.heading = 0
        self.href: str | None = None
        self.text = ""

    def apply(self, style: Style) -> Style:
        """The style inside an element with this tag, ``style`` being the one around it."""
        merged = self.merged.get(style)
        if merged is None:
            merged = self.merged[style] = style._replace(**self.changes) if self.changes else style  # type: ignore[arg-type]
        return merged


NOTHING = Tag(Op.NOTHING, b"")
"""What every tag that means nothing for the layout shares."""

_NAME = re.compile(rb"/?([A-Za-z][A-Za-z0-9:_.\-]*)")
_INLINE = frozenset(
    b"span font b strong i em u ins a big small sup sub tt code abbr cite label s strike del q acronym kbd var".split()
)
_BLOCKS = frozenset(
    b"p div center h1 h2 h3 h4 h5 h6 ul ol li dl dt dd blockquote body html pre address section article header footer "
    b"main aside nav form fieldset figure figcaption caption title document type sequence filename description text".split()
)
_DECLARATION = re.compile(r"([a-z\-]+)\s*:\s*([^;]+)")
_SIZE = re.compile(r"([0-9.]+)\s*(pt|px|em|rem|%)?")
_FONT_SIZES = {"1": 7.5, "2": 10.0, "3": 12.0, "4": 13.5, "5": 18.0, "6": 24.0, "7": 36.0}
_HEADING_SIZES = {1: 24.0, 2: 18.0, 3: 14.0, 4: 12.0, 5: 10.0, 6: 8.0}
_REMEMBERED_MAX = 100
"""Characters of a declaration that is kept."""
_MAX_COLSPAN = 1000
_MAX_ROWSPAN = 10_000
_BREAKS = ("always", "page", "left", "right")
_FIXED_OPS: dict[bytes, tuple[Op, Op]] = {
    b"table": (Op.TABLE_OPEN, Op.TABLE_CLOSE),
    b"tr": (Op.ROW_OPEN, Op.ROW_CLOSE),
    b"td": (Op.CELL_OPEN, Op.CELL_CLOSE),
    b"th": (Op.CELL_OPEN, Op.CELL_CLOSE),
    b"br": (Op.LINE_BREAK, Op.NOTHING),
    b"hr": (Op.RULE, Op.NOTHING),
    b"img": (Op.IMAGE, Op.NOTHING),
    b"page": (Op.PAGE, Op.NOTHING),
    b"script": (Op.HIDDEN, Op.NOTHING),
    b"style": (Op.HIDDEN, Op.NOTHING),
    b"head": (Op.HIDDEN, Op.NOTHING),
}
_CHANGES_BY_NAME: dict[bytes, dict[str, object]] = {
    b"b": {"bold": True},
    b"strong": {"bold": True},
    b"th": {"bold": True},
    b"i": {"italic": True},
    b"em": {"italic": True},
    b"cite": {"italic": True},
    b"u": {"underlined": True},
    b"ins": {"underlined": True},
    b"center": {"centered": True},
    b"title": {"hidden": True},
}


def read_tag(raw: bytes, encoding: str) -> Tag:
    """The meaning of the tag whose bytes from behind ``<`` up to and including ``>`` are ``raw``."""
    match = _NAME.match(raw)
    if match is None:
        return Tag(Op.NOTHING if raw[:1] in b"!?/" else Op.LITERAL, b"")
    name = match[1].lower()
    closing = raw[:1] == b"/"
    local = name.rpartition(b":")[2] if name.startswith((b"xhtml:", b"html:", b"h:")) else name
    if local in _FIXED_OPS:
        op = _FIXED_OPS[local][closing]
    elif local in _BLOCKS:
        op = Op.BLOCK_CLOSE if closing else Op.BLOCK_OPEN
    elif local in _INLINE:
        op = Op.INLINE_CLOSE if closing else Op.INLINE_OPEN
    elif local.endswith(b":header") and not closing:
        return Tag(Op.HIDDEN, b"header")
    else:
        return NOTHING
    tag = Tag(op, local)
    if closing or op == Op.HIDDEN:
        return tag
    tag.self_closed = raw.endswith(b"/>")
    tag.changes = dict(_CHANGES_BY_NAME.get(local, {}))
    if local[:1] == b"h" and len(local) == 2 and local[1:].isdigit():
        tag.heading = int(local[1:])
        tag.changes.update(bold=True, size=_HEADING_SIZES.get(tag.heading, 0.0))
    if len(raw) > match.end() + 1:
        _read_attributes(tag, parse_attributes(raw[match.end() : -1], encoding))
    return tag


def _read_attributes(tag: Tag, attributes: dict[str, str]) -> None:
    attributes = {name.lower(): value for name, value in attributes.items()}
    if tag.op == Op.CELL_OPEN:
        tag.colspan = _span(attributes.get("colspan"), _MAX_COLSPAN)
        tag.rowspan = _span(attributes.get("rowspan"), _MAX_ROWSPAN)
    align = attributes.get("align", "").strip().lower()
    if align:
        tag.changes["centered"] = align in ("center", "middle")
    if tag.name == b"font" and (size := attributes.get("size", "").strip()):
        tag.changes["size"] = _font_size(size)
    if "style" in attributes:
        _read_style(tag, attributes["style"].lower())
    if tag.name == b"a" and (href := attributes.get("href")):
        tag.href = href
        tag.op = int(Op.LINK_OPEN)
    tag.text = attributes.get("alt", "") if tag.op == Op.IMAGE else ""


def _span(text: str | None, most: int) -> int:
    try:
        return min(max(int(text or 1), 1), most)
    except ValueError:
        return 1


def _font_size(text: str) -> float:
    """Points of the seven HTML font sizes, absolute or relative to 3."""
    if text[:1] in "+-" and text[1:].isdecimal() and len(text) < 4:
        text = str(min(7, max(1, 3 + int(text))))
    return _FONT_SIZES.get(text, 0.0)


def _read_style(tag: Tag, style: str) -> None:
    for declaration in style.split(";"):
        # A picture written into a style is no declaration to remember.
        read = _declared if len(declaration) < _REMEMBERED_MAX else _declared.__wrapped__
        for name, value in read(declaration):
            if name == "break_before":
                tag.break_before = bool(value)
            elif name == "break_after":
                tag.break_after = bool(value)
            else:
                tag.changes[name] = value


@lru_cache(maxsize=4096)
def _declared(declaration: str) -> tuple[tuple[str, object], ...]:  # noqa: PLR0911 - one way out per property
    """What one declaration of a style changes. Filings write few hundred different ones."""
    match = _DECLARATION.search(declaration)
    if match is None:
        return ()
    key, value = match[1], match[2].strip()
    if key == "font-weight":
        return (("bold", value in ("bold", "bolder", "600", "700", "800", "900")),)
    if key == "font-style":
        return (("italic", value in ("italic", "oblique")),)
    if key in ("text-decoration", "text-decoration-line"):
        return (("underlined", "underline" in value),)
    if key == "text-align":
        return (("centered", value == "center"),)
    if key == "display" and value == "none":
        return (("hidden", True),)
    if key == "font-size":
        return _size(value)
    if key == "font":
        return (("bold", "bold" in value or " 700" in f" {value}"), ("italic", "italic" in value), *_size(value))
    if key in ("page-break-before", "break-before"):
        return (("break_before", value in _BREAKS),)
    if key in ("page-break-after", "break-after"):
        return (("break_after", value in _BREAKS),)
    return ()


def _size(value: str) -> tuple[tuple[str, object], ...]:
    """The font size that a value gives, in points; nothing for other units."""
    match = _SIZE.search(value)
    if match is None:
        return ()
    number = float(match[1]) if match[1].count(".") < 2 and match[1] != "." else 0.0
    if match[2] == "pt":
        return (("size", number),)
    return (("size", number * 0.75),) if match[2] == "px" else ()
