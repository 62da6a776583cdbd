"""The look of filed pages: paragraphs, headings, tables, and the record of where each item begins and ends.

Written as filing software writes them: one style attribute on everything, tables with a cell for the currency sign.
Everything is ASCII with character references, so that a byte offset is a character offset. What does not belong here:
words and numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

FONT = "color:#000000;font-family:'Times New Roman',serif;font-size:10pt;line-height:120%"
NOTICE = "This document is fictional: the company, its people and its figures are invented by a test sandbox."


@dataclass(frozen=True, slots=True)
class Item:
    """One item of a form as it stands in a document: where it is, in bytes of the served file."""

    part: str
    """``I``, ``II``...; empty on forms without parts."""
    item: str
    """``1A``, ``7``, ``2.02``."""
    title: str
    anchor: str
    start: int
    """Offset of the first byte of the heading."""
    end: int
    """Offset after the item's last byte."""


def text(words: str, *, bold: bool = False, italic: bool = False) -> str:
    """A styled run of text; ``words`` is markup already."""
    weight = "font-weight:700" if bold else "font-weight:400"
    slant = ";font-style:italic" if italic else ""
    return f'<span style="{FONT};{weight}{slant}">{words}</span>'


def paragraph(words: str, *, indent: bool = True) -> str:
    """A justified paragraph."""
    space = "text-indent:18pt;" if indent else ""
    return f'<div style="margin-top:6pt;{space}text-align:justify">{text(words)}</div>\n'


def centered(words: str, *, bold: bool = True) -> str:
    """A centred line, as on cover pages."""
    return f'<div style="text-align:center">{text(words, bold=bold)}</div>\n'


def heading(words: str, *, anchor: str = "", italic: bool = False) -> str:
    """A bold line that begins a section; ``anchor`` is the target of links."""
    name = f' id="{anchor}"' if anchor else ""
    return f'<div{name} style="margin-top:12pt">{text(words, bold=True, italic=italic)}</div>\n'


def bullet(words: str) -> str:
    """One point of a list, set with a hanging indent as word processors export it."""
    return (
        f'<div style="margin-top:3pt;padding-left:36pt;text-indent:-18pt">{text("&#8226;")}'
        f'<span style="{FONT};padding-left:12pt">{words}</span></div>\n'
    )


def page_break(number: int) -> str:
    """The foot of a page with its number, and the break after it."""
    return (
        f'<div style="height:42.75pt;position:relative;width:100%"><div style="bottom:0;position:absolute;width:100%;'
        f'text-align:center">{text(str(number))}</div></div><hr style="page-break-after:always"/>\n'
    )


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a table: a label and its cells, each markup; ``None`` is an empty cell."""

    label: str
    cells: Sequence[str | None] = ()
    dollars: bool = False
    """Whether a currency sign stands before each number."""
    total: bool = False
    """Whether a rule is drawn above the numbers and the label is bold."""
    indent: int = 0


def table(head: Sequence[str], rows: Iterable[Row], *, caption: str = "") -> str:
    """A table of figures: a label column, then three cells (sign, number, space) per column of numbers.

    Args:
        head: markup of the column headings, without the label column.
        rows: the rows in order.
        caption: a line above the columns ("in thousands").
    """
    parts = [
        '<div style="margin-top:9pt;text-align:left"><table style="border-collapse:collapse;width:100%">'
        f'<tr><td style="width:58%"></td>{"<td></td>" * (3 * len(head))}</tr>'
    ]
    if caption:
        span = 3 * len(head)
        parts.append(
            f'<tr><td style="padding:2px 1pt"></td><td colspan="{span}" style="padding:2px 1pt;text-align:center">'
            f"{text(caption, italic=True)}</td></tr>"
        )
    parts.append('<tr><td style="padding:2px 1pt"></td>')
    parts.extend(
        '<td colspan="3" style="border-bottom:1pt solid #000;padding:2px 1pt;text-align:center;vertical-align:bottom">'
        f"{text(cell, bold=True)}</td>"
        for cell in head
    )
    parts.append("</tr>\n")
    for number, row in enumerate(rows):
        shade = "background-color:#cceeff;" if number % 2 == 0 else ""
        rule = "border-top:1pt solid #000;" if row.total else ""
        indent = f"padding-left:{9 * row.indent}pt;" if row.indent else ""
        parts.append(
            f'<tr><td style="{shade}{indent}padding:2px 1pt;text-align:left;vertical-align:bottom">'
            f"{text(row.label, bold=row.total)}</td>"
        )
        for index in range(len(head)):
            cell = row.cells[index] if index < len(row.cells) else None
            sign = text("$") if row.dollars and cell is not None else ""
            parts.append(
                f'<td style="{shade}{rule}padding:2px 1pt">{sign}</td><td style="{shade}{rule}padding:2px 1pt;'
                f'text-align:right;vertical-align:bottom">{text(cell) if cell is not None else ""}</td>'
                f'<td style="{shade}padding:2px 1pt"></td>'
            )
        parts.append("</tr>\n")
    parts.append("</table></div>\n")
    return "".join(parts)


def grid(rows: Iterable[Sequence[str]]) -> str:
    """A plain table of text cells (cover pages, exhibit lists)."""
    parts = ['<div style="margin-top:6pt"><table style="border-collapse:collapse;width:100%">']
    for row in rows:
        cells = "".join(f'<td style="padding:2px 1pt;vertical-align:top">{text(cell)}</td>' for cell in row)
        parts.append(f"<tr>{cells}</tr>\n")
    parts.append("</table></div>\n")
    return "".join(parts)


@dataclass
class Page:
    """The body of a document under construction, with its items and the page numbers at its breaks."""

    parts: list[str] = field(default_factory=list)
    _marks: list[tuple[int, str, str, str, str]] = field(default_factory=list)
    _ends: list[int] = field(default_factory=list)
    _page: int = 1
    _filled: int = 0

    def add(self, *markup: str) -> None:
        """Append markup; a page break is put in when the page is full."""
        for part in markup:
            self.parts.append(part)
            self._filled += len(part)
        if self._filled > 16_000:
            self.turn()

    def turn(self) -> None:
        """End the page."""
        self.parts.append(page_break(self._page))
        self._page += 1
        self._filled = 0

    def begin(self, part: str, item: str, title: str, *, label: str | None = None) -> None:
        """Begin an item: its heading is printed and its place is remembered; the item before it ends here."""
        self.close()
        anchor = anchor_of(part, item)
        self._marks.append((len(self.parts), part, item, title, anchor))
        self.add(heading(f"{label or f'Item {item}.'}&#160;&#160;&#160;&#160;{title}", anchor=anchor))

    def close(self) -> None:
        """End the current item, before a part heading or the signatures."""
        if len(self._ends) < len(self._marks):
            self._ends.append(len(self.parts))

    def finish(self, before: str, after: str) -> tuple[bytes, tuple[Item, ...]]:
        """The whole document and its items, ``before`` and ``after`` being the markup around the body."""
        self.close()
        offsets = [len(before)]
        for part in self.parts:
            offsets.append(offsets[-1] + len(part))
        data = "".join((before, *self.parts, after)).encode("ascii")
        items = tuple(
            Item(part, item, title, anchor, offsets[start], offsets[end])
            for (start, part, item, title, anchor), end in zip(self._marks, self._ends, strict=True)
        )
        return data, items


def anchor_of(part: str, item: str) -> str:
    """The link target of an item, the same in the table of contents and at the heading."""
    name = item.replace(".", "_").lower()
    return f"part_{part.lower()}_item_{name}" if part else f"item_{name}"


def contents(rows: Iterable[tuple[str, str, str]]) -> str:
    """A linked table of contents of (part, item, title); the part's name is printed where it changes."""
    parts = [centered("TABLE OF CONTENTS"), '<div><table style="border-collapse:collapse;width:100%">']
    current = ""
    for part, item, title in rows:
        if part and part != current:
            current = part
            parts.append(f'<tr><td colspan="2" style="padding:2px 1pt">{text(f"PART {part}", bold=True)}</td></tr>\n')
        link = f'<a href="#{anchor_of(part, item)}" style="{FONT}">'
        parts.append(
            f'<tr><td style="padding:2px 1pt;width:15%">{link}Item {item}.</a></td>'
            f'<td style="padding:2px 1pt">{link}{title}</a></td></tr>\n'
        )
    parts.append("</table></div>\n")
    return "".join(parts)
