"""The measures behind :mod:`benchmarks.documents`: one function per question, each returns plain numbers."""

from __future__ import annotations

import gc
import json
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from lxml import etree, html

from benchmarks.document_measures_child import understand
from benchmarks.table_score import cell_score, normal, table_score
from salescience_pipeline.documents import Document, parse
from salescience_pipeline.documents.errors import DocumentError
from salescience_pipeline.documents.fact_model import Fact
from salescience_pipeline.documents.numbers import is_dash, shown_number
from salescience_pipeline.documents.transform_errors import TransformError
from salescience_pipeline.documents.transforms_sec import TRANSFORMS

_IX = "{http://www.xbrl.org/2013/inlineXBRL}"
_CASES = "{http://xbrl.org/2011/conformance-rendering/transforms}"
FOLDERS = (
    "corpus/filings",
    "corpus/full_submission",
    "groundtruth/html_old",
    "groundtruth/sections_html",
    "groundtruth/sec_pairs",
    "groundtruth/edgar_crawler/raw",
)


def filings(corpus: Path) -> list[Path]:
    """Every filing document of the recorded data."""
    return sorted(
        path
        for folder in FOLDERS
        for path in (corpus / folder).rglob("*")
        if path.suffix in (".htm", ".html", ".txt", ".nc") and "_R" not in path.parent.name
    )


def inline_filings(corpus: Path) -> list[Path]:
    """The single documents with inline XBRL."""
    return [path for path in filings(corpus) if path.suffix in (".htm", ".html") and b"<ix:header" in path.read_bytes()]


def cpu(work: Callable[[], Any], repeat: int = 1) -> float:
    """The least CPU seconds that ``work`` took in ``repeat`` runs; garbage of others is collected first."""
    best = float("inf")
    for _ in range(repeat):
        gc.collect()
        started = time.process_time()
        work()
        best = min(best, time.process_time() - started)
    return best


def _pair_row(fact: Fact) -> tuple[Any, ...]:
    context = fact.context
    value: object = fact.number if fact.numeric and not fact.nil else fact.value
    return (
        fact.ix_id, fact.concept, context.entity, context.start, context.end, tuple(sorted(context.dimensions.items())),
        fact.unit.text if fact.unit is not None else None, fact.decimals, value, fact.nil, fact.lang,
    )  # fmt: skip


def against_edgar(corpus: Path) -> tuple[int, int]:
    """Facts compared with EDGAR's own instance, and how many differ (``ixt-sec`` included)."""
    compared = differing = 0
    for instance in sorted((corpus / "groundtruth/sec_pairs").glob("*_htm.xml")):
        filing = instance.with_name(instance.name.replace("_htm.xml", ".htm"))
        ours = Counter(map(_pair_row, parse(filing.read_bytes()).facts))
        theirs = Counter(map(_pair_row, parse(instance.read_bytes()).facts))
        compared += sum(theirs.values())
        differing += sum(((ours - theirs) + (theirs - ours)).values())
    return compared, differing


def transform_cases(corpus: Path) -> tuple[int, int]:
    """Conformance cases of the SEC's transforms: how many, how many fail."""
    tree = etree.parse(str(corpus / "groundtruth/ixt_sec/tests.xml"))
    cases = failed = 0
    for group in tree.iter(f"{_CASES}transform"):
        rule = TRANSFORMS[str(group.get("name")).partition(":")[2]]
        for case in group.iter(f"{_CASES}variation"):
            cases += 1
            expected = case.get("output") if case.get("result") == "valid" else None
            try:
                got: str | None = rule(str(case.get("input")))
            except TransformError:
                got = None
            failed += got != expected
    return cases, failed


def placement(paths: Iterable[Path]) -> tuple[int, int, int]:
    """Numbers inside tables: how many, how many stand in the one cell that shows them, how many of those have a row label.

    Which numbers stand inside tables is asked of lxml, not of us.
    """
    total = placed = labelled = 0
    for path in paths:
        data = path.read_bytes()
        document = understand(data)
        ours = [(fact, place) for fact, place in zip(document.facts, document.places, strict=True) if fact.numeric]
        tree = etree.fromstring(data.lstrip(), etree.XMLParser(huge_tree=True, recover=True))
        elements = list(tree.iter(f"{_IX}nonFraction"))
        if len(elements) != len(ours):
            total += len(elements)
            continue
        rows: dict[tuple[int, int], list[Any]] = {}
        for table in document.tables:
            for cell in table.cells:
                rows.setdefault((table.index, cell.row), []).append(cell)
        for element, (fact, place) in zip(elements, ours, strict=True):
            if (
                fact.hidden
                or fact.nil
                or not any(str(outer.tag).endswith("}table") for outer in element.iterancestors())
            ):
                continue
            total += 1
            shown = " ".join("".join(element.itertext()).split())
            if place.cell is None or place.table is None or shown not in place.cell.text:
                continue
            placed += 1
            row = rows[place.table.index, place.cell.row]
            labelled += any(any(map(str.isalpha, cell.text)) for cell in row if cell is not place.cell)
    return total, placed, labelled


def _edgar_rows(path: Path) -> list[list[str]]:
    """The rows with values of the table that EDGAR rendered."""
    tables = html.parse(str(path)).getroot().xpath('//table[contains(@class,"report")]')
    found = []
    for row in tables[0].xpath("./tr|./tbody/tr") if tables else ():
        cells = [" ".join(cell.text_content().split()) for cell in row.xpath("./td") if cell.get("class") != "fn"]
        if len(cells) > 1 and any(shown_number(cell) is not None or is_dash(cell) for cell in cells[1:]):
            found.append(cells)
    return found


def _same_rows(theirs: list[list[str]], ours: list[list[str]]) -> tuple[list[list[str]], list[list[str]]]:
    """The rows that both show: alike in label, equal in the first value, with as many values.

    EDGAR arranges some tables anew (members as columns, rows without facts left out); such rows cannot be compared.
    """
    left: list[list[str]] = []
    right: list[list[str]] = []
    used: set[int] = set()
    for row in theirs:
        values = [normal(text) for text in row[1:] if text]
        for index, other in enumerate(ours):
            others = [normal(text) for text in other[1:] if text]
            if (
                index not in used
                and values
                and len(values) == len(others)
                and values[0] == others[0]
                and cell_score(normal(row[0]), normal(other[0])) > 0.8
            ):
                used.add(index)
                left.append(row)
                right.append(other)
                break
    return left, right


def rendered_tables(corpus: Path) -> tuple[int, int, float]:
    """EDGAR's rendered tables: how many can be compared, rows compared, mean RD-TableBench score."""
    folder = corpus / "groundtruth/sec_pairs"
    scores: list[float] = []
    compared = 0
    for filing in sorted(folder.glob("*.htm")):
        grids = [table.grid() for table in parse(filing.read_bytes()).tables]
        for page in sorted((folder / f"{filing.name.partition('-')[0]}_R").glob("R*.htm")):
            rows = _edgar_rows(page)
            if len(rows) < 3:
                continue
            left, right = max((_same_rows(rows, grid) for grid in grids), key=lambda pair: len(pair[0]))
            if len(left) >= 3:
                compared += len(left)
                scores.append(table_score(left, right))
    return len(scores), compared, sum(scores) / max(1, len(scores))


_LABELS = {
    "TitleElement": "heading",
    "TopSectionTitle": "heading",
    "TextElement": "text",
    "SupplementaryText": "text",
    "TableElement": "table",
}
_TYPES = {
    "Title": "heading",
    "Section Header": "heading",
    "Table": "table",
    "Header": "furniture",
    "Footer": "furniture",
}


def block_types(corpus: Path) -> tuple[int, float]:
    """Labelled blocks compared, and the macro-F1 over heading, text and table (mapping of the reference)."""
    right: Counter[str] = Counter()
    wrong: Counter[str] = Counter()
    missed: Counter[str] = Counter()
    pairs = _labelled(corpus)
    for labels, document in pairs:
        for ours, truth in _paired(labels, document):
            if ours == truth:
                right[truth] += 1
            else:
                missed[truth] += 1
                wrong[ours or ""] += 1
    scores = []
    for kind in ("heading", "text", "table"):
        precision = right[kind] / max(1, right[kind] + wrong[kind])
        recall = right[kind] / max(1, right[kind] + missed[kind])
        scores.append(2 * precision * recall / max(1e-9, precision + recall))
    return sum((right + missed).values()), sum(scores) / 3


def _labelled(corpus: Path) -> list[tuple[list[dict[str, Any]], Document]]:
    rows = [line.split(",") for line in (corpus / "groundtruth/INDEX.csv").read_text().splitlines()]
    return [
        (json.loads((corpus / row[1]).read_text()), parse((corpus / row[2]).read_bytes()))
        for row in rows
        if row[0] == "blocks" and row[2] and "structure-and-text" in row[1]
    ]


def _paired(labels: list[dict[str, Any]], document: Document) -> list[tuple[str | None, str]]:
    """Our type and the true type for each of our blocks that a label covers, and (None, true) for labels without one."""
    ours = [(_TYPES.get(block.type.value, "text"), _letters(block.text)) for block in document.blocks]
    found: list[tuple[str | None, str]] = []
    position = 0
    for label in labels:
        truth = _LABELS.get(label["cls_name"])
        if truth is None:
            continue
        words = _letters(label.get("text_content") or "")
        index = position
        if truth == "table":
            index = next((i for i in range(position, min(position + 12, len(ours))) if ours[i][0] == "table"), -1)
        else:
            fits = (
                i for i in range(position, min(position + 60, len(ours))) if ours[i][1] and _overlap(ours[i][1], words)
            )
            index = next(fits, -1)
        if index < 0:
            found.append((None, truth))
            continue
        found.append((ours[index][0], truth))
        words = words.removeprefix(ours[index][1])
        index += 1
        while truth != "table" and words and index < len(ours) and ours[index][1] and words.startswith(ours[index][1]):
            found.append((ours[index][0], truth))
            words = words.removeprefix(ours[index][1])
            index += 1
        position = index
    return found


def _letters(text: str) -> str:
    return re.sub(r"\W+", "", text).lower()


def _overlap(left: str, right: str) -> bool:
    return right.startswith(left) or left.startswith(right)


def all_go_through(corpus: Path) -> tuple[int, list[str]]:
    """Files read, and those that ended in anything but a result or an error of the engine."""
    failed = []
    paths = filings(corpus)
    for path in paths:
        try:
            understand(path.read_bytes())
        except DocumentError as error:
            failed.append(f"{path.name}: {error.name}")
        except Exception as error:  # noqa: BLE001 - the question is whether there is any
            failed.append(f"{path.name}: {type(error).__name__}")
    return len(paths), failed


_MEMORY_PROBE = """
import sys
from pathlib import Path
from benchmarks.document_measures_child import understand

def peak():
    # getrusage would tell the peak of the process that started this one.
    return next(int(line.split()[1]) / 1024 for line in Path("/proc/self/status").open() if line.startswith("VmHWM"))

base = peak()
understand(Path(sys.argv[1]).read_bytes())
print(base, peak())
"""


def peak_memory(data: bytes) -> tuple[float, float]:
    """Resident megabytes of a fresh process before and at the peak of understanding ``data``."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "filing.htm"
        path.write_bytes(data)
        run = subprocess.run(
            [sys.executable, "-c", _MEMORY_PROBE, str(path)], capture_output=True, text=True, check=True
        )
    base, peak = map(float, run.stdout.split())
    return base, peak


def enlarged(data: bytes, size: int) -> bytes:
    """A filing of about ``size`` bytes: the visible body repeated, so that contexts stay what they were."""
    start = data.find(b"</ix:header>")
    start = data.find(b">", data.find(b"</div", start)) + 1
    end = data.rfind(b"</body")
    body = data[start:end]
    return data[:start] + body * max(1, (size - len(data)) // len(body) + 1) + data[end:]
