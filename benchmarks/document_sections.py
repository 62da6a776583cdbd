"""Figures of the later stages: items against labels, 8-K items, printed statements against their facts, search.

Used by :mod:`benchmarks.documents`. Truth sets are read here and nowhere else. The section labels have conventions of their
own: a section ends where the next item begins, so that a heading "Part II" and the furniture of the page between the two
belong to it; links back to the table of contents were taken out; white space, also the kind that does not break, was folded
before characters were counted; and there is no Item 16, so that Item 15 runs on over it and over the signatures. ``length`` is
measured plainly, bytes of our span against the label; ``length_as_labelled`` measures as the labels were made, which says
how much of the difference is convention.
"""

from __future__ import annotations

import csv
import html
import json
import re
import statistics
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from salescience_pipeline.documents import Document, Hints, parse
from salescience_pipeline.documents.extract import extract
from salescience_pipeline.documents.items import header_item
from salescience_pipeline.documents.search import Filed, SearchIndex
from salescience_pipeline.documents.sections import Section, find_sections, section_text

_CLOSE = 0.05
_BACK_LINK = re.compile(
    rb'<a\b[^>]*href="#[^"]*"[^>]*>(?:<[^>]*>|\s)*(?:back to |return to )?'
    rb"(?:table of contents|index)\b(?:[^<]|<(?!/?a\b)[^>]*>)*</a>",
    re.IGNORECASE,
)
_INLINE = re.compile(rb"</?ix:(?!header)[^>]*>", re.IGNORECASE)
_HEADER = re.compile(rb"<ix:header.*?</ix:header>", re.IGNORECASE | re.DOTALL)
_WORD = re.compile(r"[a-z0-9]+")
_CHUNKS = 16_000
_QUERIES = (
    "impairment of goodwill", "revenue recognition for subscription services", "cybersecurity incident response plan",
    "share repurchase program authorization", "climate change regulation", "foreign currency hedging derivatives",
    "supply chain disruption", "effective tax rate reconciliation", "unrecognized tax benefits", "pension discount rate",
    "stock-based compensation expense", "credit facility covenants", "operating lease liabilities", "antitrust litigation",
)  # fmt: skip


@dataclass
class Items:
    """Counts over the labelled filings of one form."""

    labels: int = 0
    found: int = 0
    absent: int = 0
    invented: int = 0
    close: int = 0
    close_as_labelled: int = 0
    theirs: int = 0
    """Found by edgartools."""
    seconds: list[float] = field(default_factory=list)


def _peer_items(text: str, form: str) -> set[str]:
    """The items that edgartools finds, named as the labels name them."""
    from edgar.documents import parse_html
    from edgar.documents.config import ParserConfig

    sections: Any = parse_html(text, ParserConfig(form=form)).sections
    found = set()
    for section in sections.values():
        part, item = getattr(section, "part", None), getattr(section, "item", None)
        if item:
            found.add(_label(form, str(part or ""), str(item)))
    return found


def _label(form: str, part: str, item: str) -> str:
    return f"part{ {'I': 1, 'II': 2}.get(part, 0) }item{item.lower()}" if form == "10-Q" else item.upper()


def labelled_items(corpus: Path) -> dict[str, Items]:
    """Our items and those of edgartools against the labels, by form."""
    counts = {"10-K": Items(), "10-Q": Items()}
    with (corpus / "groundtruth/INDEX.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["set"] == "sections"]
    for row in rows:
        data = (corpus / row["html"]).read_bytes()
        form = Path(row["label"]).name[:4]
        count = counts[form]
        document = parse(data)
        _ = document.blocks
        start = time.process_time()
        found = find_sections(document)
        sections = {_label(form, section.part, section.item): section for section in found}
        starts = sorted(section.start for section in found)
        count.seconds.append(time.process_time() - start)
        theirs = _peer_items(data.decode("utf-8", "replace"), form)
        for label in json.loads((corpus / row["label"]).read_text("utf-8")):
            name, length = label["identifier"], label["character_count"]
            section = sections.get(name)
            if not length:
                count.absent += 1
                count.invented += section is not None
                continue
            count.labels += 1
            count.found += section is not None
            count.theirs += name in theirs
            if section is not None:
                count.close += _is_close(section.end - section.start, length)
                following = bisect_left(starts, section.end)
                last = name == "15" or following == len(starts)
                end = len(data) if last else starts[following]
                count.close_as_labelled += _is_close(_characters(data[section.start : end]), length)
    return counts


def _characters(markup: bytes) -> int:
    """Characters of a piece of a filing, counted as the labels were."""
    text = _BACK_LINK.sub(b"", markup).replace(b"&#160;", b" ").decode("utf-8", "replace")
    return len(" ".join(text.split()))


def _is_close(ours: int, label: int) -> bool:
    return abs(ours - label) <= _CLOSE * label


def current_reports(corpus: Path) -> tuple[Counter[str], list[str]]:
    """8-K items against another program's texts and against the headers of the submissions.

    Returns:
        Counts ``items``, ``found``, ``same`` (begins and ends with the same words, or is as long), ``header``,
        ``header_found``, and what differs, one line each. The other program leaves tables of numbers out.
    """
    folder = corpus / "groundtruth/edgar_crawler"
    counts: Counter[str] = Counter()
    differing = []
    for path in sorted((folder / "raw").iterdir()):
        wanted = {
            name.removeprefix("item_"): text
            for name, text in json.loads((folder / "items_8-K" / f"{path.stem}.json").read_text("utf-8")).items()
            if name.startswith("item_") and text
        }
        document = parse(path.read_bytes(), Hints(form="8-K"))
        sections = {section.item: section for section in find_sections(document)}
        for item, text in wanted.items():
            counts["items"] += 1
            section = sections.get(item)
            if section is None:
                differing.append(f"{path.name} {item}: not found")
                continue
            counts["found"] += 1
            if _same_span(document, section, text):
                counts["same"] += 1
            else:
                differing.append(f"{path.name} {item}: other span")
        submission = document.submission
        old = all("." not in item for item in sections)
        for title in submission.items if submission is not None else ():
            counts["header"] += 1
            counts["header_found"] += header_item(title, old_numbering=old) in sections
    return counts, differing


def _same_span(document: Document, section: Section, theirs: str) -> bool:
    ours = _WORD.findall(section_text(document, section).lower())
    other = _WORD.findall(html.unescape(theirs).lower())
    if ours[:6] != other[:6]:
        return False
    if abs(len(ours) - len(other)) <= max(1, _CLOSE * len(other)):
        return True
    # Rows of numbers that the other text leaves out: then all it has stands in ours, in its order.
    position = iter(ours)
    return len(ours) > len(other) and all(word in position for word in other)


def printed_statements(paths: Iterable[Path]) -> tuple[int, int, int]:
    """Values that are read from printed tables against the facts that stand in them.

    The inline tags of each filing are taken out, so that only the print is left; the truth are the tagged values.

    Returns:
        Values that facts give, values that the print gives too, how many of these are equal.
    """
    known = read = equal = 0
    for path in paths:
        data = path.read_bytes()
        tagged, bare = parse(data), parse(_INLINE.sub(b"", _HEADER.sub(b"", data)))
        for name in ("income_statement", "balance_sheet", "cash_flow"):
            truth = dict(extract(tagged, name).leaves())
            for key, leaf in extract(bare, name).leaves():
                if truth[key].method != "fact" or not isinstance(truth[key].value, int | float):
                    continue
                known += 1
                read += leaf.value is not None
                equal += leaf.value is not None and abs(float(leaf.value)) == abs(float(truth[key].value or 0))
    return known, read, equal


def search_figures(paths: Iterable[Path]) -> dict[str, float]:
    """Milliseconds per query (median) over 16,000 chunks, and how often a risk factor is found by its title alone."""
    paths = list(paths)
    index = SearchIndex()
    for path in paths:
        if len(index) >= _CHUNKS:
            break
        index.add(parse(path.read_bytes()), Filed(str(path)), chunk_size=700)
    found: dict[str, float] = {"chunks": len(index)}
    for mode in ("bm25", "hybrid"):
        index.search(_QUERIES[0], mode=mode)
        times = []
        for query in _QUERIES * 3:
            start = time.perf_counter()
            index.search(query, mode=mode)
            times.append(time.perf_counter() - start)
        found[f"{mode}_ms"] = statistics.median(times) * 1000
    return found | _title_recall(paths)


def _title_recall(paths: Iterable[Path]) -> dict[str, float]:
    """Share of risk factors whose text is among the first ten when their title is asked for."""
    titles, texts = [], []
    for path in paths:
        rows: Any = extract(parse(path.read_bytes()), "risk_factors").plain()["risk_factors"]
        for row in rows:
            if row["title"] and row["text"] and len(row["text"]) > 300:
                titles.append(row["title"])
                texts.append(row["text"][:1500])
    with SearchIndex() as index:
        index.add_texts(Filed("risks"), texts)
        result = {}
        for mode in ("bm25", "vector", "hybrid"):
            hits = [
                number in {hit.start for hit in index.search(title, mode=mode)} for number, title in enumerate(titles)
            ]
            result[f"recall_{mode}"] = sum(hits) / max(1, len(hits))
    return result | {"titles": float(len(titles))}
