"""A picture of the asset graph as SVG, drawn from the catalogue and the marts' own references.

Pure: nodes and edges in, text out. What does not belong here: Dagster, which draws its own graph in the UI.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import escape

from salescience_pipeline.catalog.datasets import DATASETS, shared_tables, writers_of
from salescience_pipeline.catalog.providers import PROVIDERS
from salescience_pipeline.catalog.tables import TABLES

_ROW, _BOX_HEIGHT, _TOP, _CHAR = 34, 24, 46, 6.7
_COLUMNS = ("provider", "asset that fetches", "table above them", "mart")
_LEFT = (16, 170, 470, 712)
_FILL = {
    "sec": "#e8f0fe",
    "tiingo": "#e6f6ec",
    "yahoo": "#f3e8fd",
    "finnhub": "#e0f7fa",
    "polygon": "#fce8e6",
    "alphavantage": "#fef7e0",
    "mart": "#fff3e0",
    "table": "#f1f3f4",
}


def edges_of_marts(models: Mapping[str, str]) -> dict[str, set[str]]:
    """What each mart is made of, through its staging models; ``models`` maps a model's name to its SQL."""
    direct = {
        name: set(re.findall(r"ref\('(\w+)'\)", sql)) | set(re.findall(r"source\('lake', '(\w+)'\)", sql))
        for name, sql in models.items()
    }

    def parents(name: str) -> set[str]:
        found: set[str] = set()
        for parent in direct.get(name, set()):
            found |= parents(parent) if parent.startswith("stg_") else {parent}
        return found

    return {name: parents(name) for name in models if name.startswith("mart_")}


def asset_graph(models: Mapping[str, str]) -> str:
    """The picture: providers, assets, shared tables and marts from left to right."""
    marts = edges_of_marts(models)
    documents = [str(name) for name in TABLES if name.startswith("doc_")]
    assets = [key for dataset in DATASETS.values() for key in dataset.outputs]
    columns: tuple[list[str], ...] = (
        [row.id for row in PROVIDERS.values()],
        assets,
        [*map(str, shared_tables()), *documents],
        list(marts),
    )
    edges_of_documents = [("core_sec__documents", table) for table in documents]
    provider_of = {key: dataset.provider for dataset in DATASETS.values() for key in dataset.outputs}
    edges = [(provider, asset) for asset, provider in provider_of.items()]
    edges += [(writer, table) for table in shared_tables() for writer in writers_of(table)]
    edges += edges_of_documents
    edges += [(parent, mart) for mart, parents in marts.items() for parent in sorted(parents)]
    tallest = max(len(column) for column in columns)
    place: dict[str, tuple[float, float, float]] = {}
    for left, names in zip(_LEFT, columns, strict=True):
        first = _TOP + (tallest - len(names)) * _ROW / 2
        for row, name in enumerate(names):
            place[name] = (left, first + row * _ROW, len(_label(name)) * _CHAR + 16)
    width, height = _LEFT[-1] + 260, _TOP + tallest * _ROW + 12
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="monospace" font-size="11">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
        *(
            f'<text x="{left}" y="24" fill="#5f6368" font-size="12">{escape(title)}</text>'
            for left, title in zip(_LEFT, _COLUMNS, strict=True)
        ),
        *(_edge(place[start], place[end]) for start, end in edges if start in place and end in place),
        *(_box(name, *place[name], _fill(name, provider_of)) for name in place),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _label(name: str) -> str:
    return PROVIDERS[name].title if name in PROVIDERS else name


def _fill(name: str, provider_of: Mapping[str, str]) -> str:
    kind = provider_of.get(name, name)
    return _FILL.get(kind, _FILL["mart" if name.startswith("mart_") else "table"])


def _edge(start: tuple[float, float, float], end: tuple[float, float, float]) -> str:
    x1, y1 = start[0] + start[2], start[1] + _BOX_HEIGHT / 2
    x2, y2 = end[0], end[1] + _BOX_HEIGHT / 2
    bend = max((x2 - x1) / 2, 20)
    path = f"M{x1:.0f} {y1:.0f}C{x1 + bend:.0f} {y1:.0f} {x2 - bend:.0f} {y2:.0f} {x2:.0f} {y2:.0f}"
    return f'<path d="{path}" fill="none" stroke="#bdc1c6"/>'


def _box(name: str, x: float, y: float, width: float, fill: str) -> str:
    return (
        f'<g><rect x="{x:.0f}" y="{y:.0f}" width="{width:.0f}" height="{_BOX_HEIGHT}" rx="4" fill="{fill}" stroke="#9aa0a6"/>'
        f'<text x="{x + 8:.0f}" y="{y + 16:.0f}" fill="#202124">{escape(_label(name))}</text></g>'
    )
