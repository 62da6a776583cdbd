"""A filing as the engine understood it, as one HTML page that needs nothing else: blocks, items and facts marked.

Every word of the filing is escaped and the page forbids scripts, so that a hostile filing can be looked at safely. What
does not belong here: finding what is marked.
"""

from __future__ import annotations

import html
from bisect import bisect_right
from itertools import accumulate

from salescience_pipeline.documents.document import Document
from salescience_pipeline.documents.fact_model import Fact
from salescience_pipeline.documents.model import Block, Cell, Table
from salescience_pipeline.documents.sections import Section, find_sections
from salescience_pipeline.documents.xmltext import unescaped

_STYLE = """
:root{--line:#d5d9e0;--ink:#1c2430;--soft:#5d6a7c;--fact:#fff3bf;--bg:#fff}
@media(prefers-color-scheme:dark){:root{--line:#39424f;--ink:#e6e9ee;--soft:#9aa6b6;--fact:#5a4a10;--bg:#14181d}}
*{box-sizing:border-box}body{margin:0;font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--bg);display:flex}
nav{position:sticky;top:0;height:100vh;overflow:auto;width:320px;flex:none;padding:16px}
nav{border-right:1px solid var(--line);font-size:13px}
nav a{display:block;color:inherit;text-decoration:none;padding:2px 0}nav a:hover{text-decoration:underline}
nav small,h2 small{color:var(--soft);font-weight:400}main{padding:16px 24px;max-width:1000px;min-width:0;flex:1}
h2{margin:28px 0 8px;padding:6px 10px;border-left:5px solid #2f6fde;background:rgba(47,111,222,.12);font-size:16px}
h2.doubt{border-color:#d9822b;background:rgba(217,130,43,.14)}
.b{display:grid;grid-template-columns:104px 1fr;gap:10px;padding:3px 0;border-top:1px dotted var(--line)}
.t{font-size:11px;color:var(--soft);text-align:right;padding-top:3px}.c{overflow-x:auto;white-space:pre-wrap;min-width:0}
.Title .c,.SectionHeader .c{font-weight:650}.Header,.Footer,.PageNumber{opacity:.55}.ListItem .c{padding-left:18px}
table{border-collapse:collapse;font-size:13px;white-space:normal}
td,th{border:1px solid var(--line);padding:2px 6px;text-align:left;vertical-align:top}
th{background:rgba(127,127,127,.12)}mark{background:var(--fact);color:inherit;border-radius:2px}
@media(max-width:760px){body{display:block}nav{position:static;width:auto;height:auto;max-height:40vh}
.b{grid-template-columns:1fr}.t{text-align:left}}
"""
_SHORT = 400
_DOUBT = 0.7


def to_page(document: Document) -> str:
    """The page.

    Args:
        document: a parsed document; of a submission all its parts are shown one after the other.

    Raises:
        DocumentError: when the document cannot be read.
    """
    return _Page(document).write()


def _escape(text: str) -> str:
    return html.escape(text, quote=True)


class _Page:
    def __init__(self, document: Document) -> None:
        self.document = document
        self.blocks = document.blocks
        self.sections = find_sections(document)
        _ = document.tables
        self.cell_starts: dict[int, list[int]] = {}
        self.by_cell: dict[int, list[Fact]] = {}
        self.by_block: dict[int, list[Fact]] = {}
        starts = list(accumulate((block.start for block in self.blocks), max))
        for fact in document.facts:
            index = bisect_right(starts, fact.start) - 1
            if fact.hidden or index < 0 or fact.start >= self.blocks[index].end:
                continue
            table = self.blocks[index].table
            cell = self._cell_at(table, fact.start) if table is not None else None
            if cell is not None:
                self.by_cell.setdefault(cell.start, []).append(fact)
            else:
                self.by_block.setdefault(index, []).append(fact)

    def _cell_at(self, table: Table, byte: int) -> Cell | None:
        starts = self.cell_starts.get(table.start)
        if starts is None:
            starts = self.cell_starts[table.start] = [cell.start for cell in table.cells]
        index = bisect_right(starts, byte) - 1
        return table.cells[index] if index >= 0 and byte < table.cells[index].end else None

    def write(self) -> str:
        name = _escape(self.document.hints.name or "Filing")
        body = "".join(self._block(index, block) for index, block in enumerate(self.blocks))
        return (
            '<!doctype html><html lang="en"><head><meta charset="utf-8">'
            "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
            '<meta name="viewport" content="width=device-width,initial-scale=1">'
            f"<title>{name}</title><style>{_STYLE}</style></head><body>{self._navigation(name)}<main>{body}</main></body></html>\n"
        )

    def _navigation(self, name: str) -> str:
        facts = self.document.facts
        links = "".join(
            f'<a href="#s{number}">{_escape(self._label(section))} {_escape(section.title[:60])} '
            f"<small>{section.text_length:,} characters, {section.confidence:.2f}</small></a>"
            for number, section in enumerate(self.sections)
        )
        return (
            f"<nav><strong>{name}</strong><p><small>{len(self.blocks):,} blocks, {len(self.document.layout.tables):,} tables, "
            f"{len(facts):,} facts, {len(facts.problems):,} problems, {len(self.sections)} items</small></p>{links}</nav>"
        )

    @staticmethod
    def _label(section: Section) -> str:
        return f"Part {section.part} Item {section.item}" if section.part else f"Item {section.item}"

    def _headings(self, index: int) -> str:
        """The items that begin in a block."""
        block = self.blocks[index]
        before = self.blocks[index - 1].start if index else -1
        found = []
        for number, section in enumerate(self.sections):
            inside = block.start <= section.start < block.end
            if inside and not (before >= block.start and section.start < before):
                doubt = ' class="doubt"' if section.confidence < _DOUBT else ""
                reason = f" {_escape(section.reason)}" if section.reason else ""
                found.append(
                    f'<h2 id="s{number}"{doubt}>{_escape(self._label(section))} {_escape(section.title[:120])} <small>bytes '
                    f"{section.start:,} to {section.end:,}, {section.method}, {section.confidence:.2f}{reason}</small></h2>"
                )
        return "".join(found)

    def _block(self, index: int, block: Block) -> str:
        kind = block.type.value
        content = self._table(block.table) if block.table is not None else self._text(index, block)
        doubt = "" if block.high_confidence else " ?"
        return (
            f'{self._headings(index)}<div class="b {kind.replace(" ", "")}">'
            f'<div class="t" title="bytes {block.start} to {block.end}">'
            f'{_escape(kind)}{doubt}<br>page {block.page}</div><div class="c">{content}</div></div>'
        )

    def _text(self, index: int, block: Block) -> str:
        """The text with the facts in it marked where their words stand."""
        text = _escape(block.text)
        blocks = []
        for fact in self.by_block.get(index, ()):
            if fact.escaped:
                blocks.append(fact.concept)
                continue
            document, start, end = fact.ranges[0]
            source = self.document.facts.sources[document]
            shown = _escape(" ".join(unescaped(source.text(start, end)).split())) if end - start < _SHORT else ""
            if shown and "&lt;" not in shown and f">{shown}<" not in text and shown in text:
                text = text.replace(shown, f'<mark title="{_escape(_told(fact))}">{shown}</mark>', 1)
        named = f' <small title="text blocks that begin here">[{_escape(", ".join(blocks))}]</small>' if blocks else ""
        return text + named

    def _table(self, table: Table) -> str:
        rows: list[list[Cell]] = [[] for _ in range(table.n_rows)]
        for cell in table.cells:
            rows[cell.row].append(cell)
        told = ", ".join(
            part
            for part in (table.caption[:120], f"x {table.scale:,}" if table.scale else "", table.currency or "")
            if part
        )
        parts = [f"<small>{_escape(told)}</small><table>"]
        for number, row in enumerate(rows):
            name = "th" if number < table.header_rows else "td"
            parts.append("<tr>")
            column = 0
            for cell in row:
                if cell.col > column:
                    parts.append(f'<{name} colspan="{cell.col - column}"></{name}>')
                column = max(column, cell.col) + max(1, cell.colspan)
                span = f' colspan="{cell.colspan}"' if cell.colspan > 1 else ""
                facts = self.by_cell.get(cell.start, ())
                text = _escape(cell.text)
                if facts:
                    text = f'<mark title="{_escape("; ".join(map(_told, facts)))}">{text}</mark>'
                parts.append(f"<{name}{span}>{text}</{name}>")
            parts.append("</tr>")
        return "".join([*parts, "</table>"])


def _told(fact: Fact) -> str:
    context = fact.context
    when = context.end if context.start is None else f"{context.start} to {context.end}"
    where = "".join(f" {axis.rpartition(':')[2]}={member}" for axis, member in context.dimensions.items())
    return f"{fact.concept} {when}{where} {fact.unit.text if fact.unit is not None else ''} {fact.value[:60]}".strip()
