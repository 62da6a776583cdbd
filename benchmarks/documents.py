"""What the documents engine can do, beside its peers in the same run: ``python -m benchmarks.documents``.

Needs SALESCIENCE_CORPUS, the folder with the recorded filings, and the ``bench`` extra. Figures are CPU ratios of this run;
the last line is one JSON object with all of them.
"""

from __future__ import annotations

import json
import os
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import document_measures as measures
from benchmarks import document_sections as stages
from benchmarks.document_measures_child import understand
from salescience_pipeline.documents import parse

_SPEED_SAMPLE = 8


@dataclass(frozen=True)
class Row:
    """One line of the report."""

    key: str
    figure: str
    value: object
    bar: str
    met: bool


def _truth_rows(corpus: Path) -> list[Row]:
    compared, differing = measures.against_edgar(corpus)
    cases, failed = measures.transform_cases(corpus)
    labelled, f1 = measures.block_types(corpus)
    tables, rows, score = measures.rendered_tables(corpus)
    total, placed, named = measures.placement(measures.inline_filings(corpus))
    files, broken = measures.all_go_through(corpus)
    for line in broken:
        print("   ", line)
    return [
        Row("edgar_differences", f"facts against EDGAR's instance ({compared} facts)", differing, "0", differing == 0),
        Row("ixt_sec_failures", f"ixt-sec conformance cases ({cases})", failed, "0 fail", failed == 0),
        Row("block_macro_f1", f"block types, macro-F1 ({labelled} labels)", round(f1, 4), ">= 0.95", f1 >= 0.95),
        Row(
            "placement",
            f"facts in the cell that shows them ({total} in tables)",
            round(placed / total, 5),
            ">= 0.995",
            placed / total >= 0.995,
        ),
        Row("row_labels", "placed facts with a row label", round(named / placed, 4), "-", True),
        Row(
            "rd_tablebench",
            f"cells against EDGAR's R tables ({tables} tables, {rows} rows)",
            round(score, 4),
            ">= 0.98",
            score >= 0.98,
        ),
        Row("files_failed", f"files that do not go through (of {files})", len(broken), "0", not broken),
    ]


def _memory_rows(corpus: Path) -> list[Row]:
    largest = max(measures.inline_filings(corpus), key=lambda path: path.stat().st_size).read_bytes()
    base, peak = measures.peak_memory(largest)
    size = len(largest) / 1e6
    big = measures.enlarged(largest, 25_000_000)
    _, big_peak = measures.peak_memory(big)
    growth = (big_peak - base) / max(0.1, peak - base) / (len(big) / len(largest))
    return [
        Row(
            "peak_mb", f"peak memory, {size:.1f} MB filing (base {base:.0f} MB)", round(peak, 1), "<= 80 MB", peak <= 80
        ),
        Row(
            "growth",
            f"memory growth over file growth, {len(big) / 1e6:.0f} MB filing ({big_peak:.0f} MB)",
            round(growth, 2),
            "<= 1",
            growth <= 1,
        ),
    ]


def _speed_rows(corpus: Path) -> list[Row]:
    from edgar.documents import parse_html
    from edgar.documents.config import ParserConfig
    from lxml import etree

    paths = sorted(measures.inline_filings(corpus), key=lambda path: path.stat().st_size, reverse=True)
    paths = paths[:: max(1, len(paths) // _SPEED_SAMPLE)][:_SPEED_SAMPLE]
    ours = bare = walked = theirs = 0.0
    size = 0
    for path in paths:
        data = path.read_bytes()
        size += len(data)
        text = data.decode("utf-8", "replace")
        ours += measures.cpu(lambda data=data: understand(data), 3)  # type: ignore[misc]

        def lxml_parse(data: bytes = data) -> Any:
            return etree.fromstring(data.lstrip(), etree.XMLParser(huge_tree=True))

        bare += measures.cpu(lxml_parse, 3)
        walked += measures.cpu(lambda read=lxml_parse: sum(1 for _ in read().iter()), 3)  # type: ignore[misc]
        config = ParserConfig(form="10-K" if "10-K" in str(path) else "10-Q" if "10-Q" in str(path) else "8-K")
        theirs += measures.cpu(lambda text=text, config=config: parse_html(text, config).sections)  # type: ignore[misc]
    print(f"    {size / 1e6:.1f} MB: ours {size / ours / 1e6:.1f} MB/s, lxml {size / bare / 1e6:.0f} MB/s,", end=" ")
    print(f"lxml and walk {size / walked / 1e6:.0f} MB/s, edgartools {size / theirs / 1e6:.2f} MB/s")
    return [
        Row(
            "x_edgartools",
            "blocks + tables + sections + facts against edgartools parse + sections",
            round(theirs / ours, 1),
            ">= 10x",
            theirs / ours >= 10,
        ),
        Row(
            "of_lxml",
            "the same, as a share of the speed of bare lxml",
            round(bare / ours, 3),
            ">= 0.2",
            bare / ours >= 0.2,
        ),
        Row("of_lxml_walk", "the same, as a share of lxml parse and walk", round(walked / ours, 3), "-", True),
    ]


def _arelle_rows(corpus: Path) -> list[Row]:
    from benchmarks.arelle_oracle import Arelle, differences, our_rows

    paths = measures.inline_filings(corpus)
    ours_cpu = full_cpu = 0.0
    rows = []
    for path in paths:
        data = path.read_bytes()
        ours_cpu += measures.cpu(lambda data=data: parse(data).facts, 2)  # type: ignore[misc]
        full_cpu += measures.cpu(lambda data=data: [fact.value for fact in parse(data).facts])  # type: ignore[misc]
        rows.append(our_rows(parse(data).facts))
    arelle = Arelle()
    arelle_cpu = 0.0
    compared = differing = 0
    for path, ours in zip(paths, rows, strict=True):
        theirs, seconds = arelle.rows(path)
        arelle_cpu += seconds
        left, right = differences(ours, theirs)
        compared += len(theirs)
        differing += max(len(left), len(right))
    return [
        Row(
            "arelle_differences",
            f"facts against Arelle ({compared} facts, {len(paths)} filings)",
            differing,
            "0",
            not differing,
        ),
        Row(
            "x_arelle",
            "speed of facts against Arelle, CPU",
            round(arelle_cpu / ours_cpu, 1),
            ">= 20x",
            arelle_cpu / ours_cpu >= 20,
        ),
        Row("x_arelle_text", "the same with every text block written out", round(arelle_cpu / full_cpu, 1), "-", True),
    ]


def _section_rows(corpus: Path) -> list[Row]:
    counts = stages.labelled_items(corpus)
    rows = []
    for form, bar in (("10-K", 0.995), ("10-Q", 0.99)):
        count = counts[form]
        key, share = form.lower().replace("-", ""), count.found / count.labels
        figure = f"items found on {form}s ({count.labels} labels; edgartools {count.theirs / count.labels:.4f})"
        rows.append(Row(f"items_{key}", figure, round(share, 4), f">= {bar}", share >= bar))
    labels = sum(count.labels for count in counts.values())
    close = sum(count.close for count in counts.values()) / labels
    alike = sum(count.close_as_labelled for count in counts.values()) / labels
    invented = sum(count.invented for count in counts.values())
    absent = sum(count.absent for count in counts.values())
    reports, differing = stages.current_reports(corpus)
    for line in differing:
        print("   ", line)
    same, header = reports["same"] / reports["items"], reports["header_found"] / reports["header"]
    return [
        *rows,
        Row("items_invented", f"items found that the labels say are absent (of {absent})", invented, "-", True),
        Row(
            "length",
            "HTML length within 5 % of the label, as bytes of our span",
            round(close, 4),
            ">= 0.95",
            close >= 0.95,
        ),
        Row(
            "length_as_labelled",
            "the same as the labels were made (to the next item, no back links, Item 15 to the end)",
            round(alike, 4),
            "-",
            True,
        ),
        Row(
            "items_8k",
            f"8-K items with the same text span ({reports['items']} items)",
            round(same, 4),
            ">= 0.99",
            same >= 0.99,
        ),
        Row(
            "items_8k_header",
            f"8-K items of SGML headers ({reports['header']})",
            round(header, 4),
            ">= 0.99",
            header >= 0.99,
        ),
    ]


def _later_rows(corpus: Path) -> list[Row]:
    paths = [path for path in measures.inline_filings(corpus) if "10-" in str(path)]
    known, read, equal = stages.printed_statements(paths)
    found = stages.search_figures(paths)
    return [
        Row(
            "print_read",
            f"statement values read from print alone (of {known} tagged)",
            round(read / known, 4),
            "-",
            True,
        ),
        Row("print_equal", "of these, equal to the tagged value", round(equal / max(1, read), 4), "-", True),
        Row(
            "bm25_ms",
            f"BM25 query over {found['chunks']:.0f} chunks, ms",
            round(found["bm25_ms"], 1),
            "<= 25",
            found["bm25_ms"] <= 25,
        ),
        Row("hybrid_ms", "hybrid query, ms", round(found["hybrid_ms"], 1), "<= 80", found["hybrid_ms"] <= 80),
        *(
            Row(
                f"recall_{mode}",
                f"risk factors found by title, first 10 ({found['titles']:.0f}), {mode}",
                round(found[f"recall_{mode}"], 4),
                "-",
                True,
            )
            for mode in ("bm25", "vector", "hybrid")
        ),
    ]


def main() -> int:
    """Print the report; 1 when a bar is missed."""
    folder = os.environ.get("SALESCIENCE_CORPUS")
    if not folder:
        print("Set SALESCIENCE_CORPUS to the folder with the recorded filings.", file=sys.stderr)
        return 2
    warnings.simplefilter("ignore")
    corpus = Path(folder)
    rows: list[Row] = []
    for part in (_truth_rows, _section_rows, _later_rows, _memory_rows, _speed_rows, _arelle_rows):
        for row in part(corpus):
            print(f"{'ok ' if row.met else 'LOW'} {row.figure:<78} {row.value!s:>10}   {row.bar}", flush=True)
            rows.append(row)
    print(json.dumps({row.key: row.value for row in rows}))
    return 0 if all(row.met for row in rows) else 1


if __name__ == "__main__":
    raise SystemExit(main())
