"""Officers and directors: who signed a filing in which capacity, and tables of names, ages and positions.

What does not belong here: dealings of insiders (``ownership``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import takewhile

from salescience_pipeline.documents.extract_cells import Row, of_block, of_cell, rows_of
from salescience_pipeline.documents.extract_figures import Figures
from salescience_pipeline.documents.extract_model import NOTHING, Leaf
from salescience_pipeline.documents.items import title_words
from salescience_pipeline.documents.model import Block
from salescience_pipeline.documents.numbers import shown_number

_SIGNED = re.compile(r"(?:by:?\s*)?/s/\s*(.{2,80}?)\s*$", re.IGNORECASE | re.DOTALL)
_DATE = re.compile(
    r"(?:dated?:?\s*)?(?:[A-Z][a-z]{2,8}\.?\s+[0-9]{1,2},?\s+[0-9]{4}|[0-9]{1,2}[/\-][0-9]{1,2}[/\-][0-9]{2,4})\s*"
)
_ROLE = re.compile(
    r"officer|director|president|chair|treasurer|secretary|controller|counsel|partner|trustee|manager|principal|executive|vice",
    re.IGNORECASE,
)
_WITH_TITLE = re.compile(
    r"([^,]{3,60}(?:,\s*(?:Jr|Sr|II|III|M\.?D|Ph\.?D|Esq)\.?)?),\s+"
    r"((?:(?:senior|executive|vice|chief|principal|corporate|assistant|acting|interim|managing|general|authorized|duly|co-|its)\b.{0,80}"
    r"|(?:president|chair|director|secretary|treasurer|controller|trustee|partner).{0,80}))",
    re.IGNORECASE,
)
"""A name and an office in one line: "Jane Roe, President, Chief"."""
_SINCE = re.compile(r",?\s+since\s+(?:[A-Z][a-z]+\s+)?(?:19|20)[0-9]{2}\b")
_NOTE = re.compile(r"(?:\s+\((?:[A-Z]|[0-9]{1,2}|\*)\)|\s*\*+)+$")
_BROKEN_OFF = (" and", ",", "&", " Chief", " Vice", " of", " the")
_FIRM = re.compile(r"\b(?:LLP|L\.L\.P\.|LLC|P\.?C\.|PLLC|Inc\.?|Corp\.?|Ltd\.?)\s*$", re.IGNORECASE)


def people(figures: Figures) -> list[Row]:
    """Officers and directors: who signed in which capacity, and tables that give names, ages and positions."""
    found: dict[str, Row] = {}
    # The capacity in which somebody signs is his office; a list of directors often names former ones.
    for row in (*_signers(figures), *_listed_people(figures)):
        name = row["name"].value
        key = re.sub(r"[^a-z]", "", str(name).lower())
        if not key:
            continue
        known = found.setdefault(key, row)
        for field, leaf in row.items():
            if known.get(field, NOTHING).value is None:
                known[field] = leaf
    return list(found.values())


def _name(text: str) -> str:
    name = " ".join(text.replace("*", " ").split()).strip(" ,_")
    return name.title() if name.isupper() else name


def _signers(figures: Figures) -> Iterator[Row]:
    blocks = figures.document.main.blocks
    for index, block in enumerate(blocks):
        if block.table is not None:
            if "/s/" in block.text.lower():
                yield from _signature_table(figures, block)
        elif (match := _SIGNED.match(block.text)) is not None and len(block.text) < 200:
            below = list(
                takewhile(
                    lambda other: other.table is None and not _SIGNED.match(other.text), blocks[index + 1 : index + 4]
                )
            )
            lines = [
                (line, other) for other in (block, *below) if len(other.text) < 200 for line in other.text.split("\n")
            ]
            at = next(
                (k for k, (line, _) in enumerate(lines) if _ROLE.search(line) and "/s/" not in line.lower()), None
            )
            title = (_whole([line for line, _ in lines[at:]]), lines[at][1]) if at is not None else None
            signed, _, rest = match[1].partition("\n")
            inline = _WITH_TITLE.fullmatch(signed.strip())
            if inline is not None:
                # The office stands behind the name, and may go on in the lines below.
                signed = inline[1]
                following = [*rest.split("\n"), *(line for other in below for line in other.text.split("\n"))]
                title = (_whole([inline[2], *(line for line in following if line.strip())]), block)
            name = _name(signed)
            if title is not None and not _FIRM.search(name):
                yield _person(
                    of_block(figures, block, name, 0.8),
                    of_block(figures, title[1], title[0], 0.75),
                    block,
                    figures,
                )


def _person(name: Leaf, title: Leaf, block: Block, figures: Figures) -> Row:
    words = str(title.value)
    if words.lower().startswith(str(name.value).lower()):
        title = Leaf(
            words[len(str(name.value)) :].strip(" ,\u2013\u2014-"), title.confidence, title.method, title.citations
        )
    return {"name": name, "position": title, "age": NOTHING, "signed": of_block(figures, block, True, 0.95)}


def _signature_table(figures: Figures, block: Block) -> Iterator[Row]:
    rows = rows_of(block)
    for index, row in enumerate(rows):
        for position, cell in enumerate(row):
            match = _SIGNED.search(cell.text)
            if match is None:
                continue
            later = rows[index + 1 : index + 4]
            stop = next((k for k, other in enumerate(later) if any("/s/" in c.text.lower() for c in other)), len(later))
            near = [*row[position + 1 :], *(c for other in later[:stop] for c in other if abs(c.col - cell.col) <= 3)]
            titles = [c for c in near if _ROLE.search(c.text) and not _DATE.fullmatch(c.text)]
            name = _name(_repeated_half(match[1]))
            if titles and not _FIRM.search(name):
                # Signatures that stand side by side have their titles below them: the one with the name in it, or the next.
                title = next((c for c in titles if c.text.lower().startswith(name.lower())), None) or min(
                    titles, key=lambda c: (abs(c.col - cell.col) if c.row != cell.row else 0, c.row)
                )
                words = _whole([title.text, *(c.text for c in near if c.col == title.col and c.row > title.row)])
                yield _person(of_cell(figures, cell, value=name), of_cell(figures, title, value=words), block, figures)


def _whole(lines: Sequence[str]) -> str:
    """A title with the lines below it as long as it breaks off in the middle (``Executive Vice President and``)."""
    text = lines[0].strip()
    for line in lines[1:3]:
        if not text.endswith(_BROKEN_OFF):
            break
        text = f"{text} {line.strip()}"
    return text


def _repeated_half(text: str) -> str:
    """One name where it is signed and printed, as in JANE ROE Jane Roe or JANE ROE (Jane Roe)."""
    words = text.replace("(", " ").replace(")", " ").split()
    half = len(words) // 2
    if len(words) % 2 == 0 and half and _letters(words[:half]) == _letters(words[half:]):
        return " ".join(words[half:])
    return text


def _letters(words: Sequence[str]) -> list[str]:
    return [re.sub(r"\W", "", word).lower() for word in words]


def _office(text: str) -> str:
    """The office without the life that some tables tell behind it, and without the mark of a note."""
    told = _SINCE.search(text)
    return _NOTE.sub("", text[: told.start()].strip() if told is not None else text)


def _listed_people(figures: Figures) -> Iterator[Row]:
    for block in figures.document.main.blocks:
        if block.table is None:
            continue
        rows = rows_of(block)
        for head in range(min(3, len(rows))):
            names = {title_words(cell.text): cell.col for cell in rows[head]}
            name = next((col for text, col in names.items() if text.startswith("name")), None)
            age = next((col for text, col in names.items() if text == "age"), None)
            title = next(
                (col for text, col in names.items() if _ROLE.search(text) or re.match(r"position|title|office", text)),
                None,
            )
            if name is None or title is None or age is None:
                continue
            for row in rows[head + 1 :]:
                cells = {cell.col: cell for cell in row}
                if (
                    name in cells
                    and title in cells
                    and age in cells
                    and (years := shown_number(cells[age].text)) is not None
                ):
                    yield {
                        "name": of_cell(figures, cells[name], value=_name(cells[name].text), confidence=0.9),
                        "position": of_cell(figures, cells[title], value=_office(cells[title].text), confidence=0.9),
                        "age": of_cell(figures, cells[age], value=int(years), confidence=0.9),
                        "signed": NOTHING,
                    }
            break
