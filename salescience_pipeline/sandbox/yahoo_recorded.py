"""Yahoo's answers as they were recorded: charts, modules and quotes out of a folder, for the corpus world.

Nothing is invented here: a symbol without a recording is unknown, and a window outside the recorded days is empty.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from salescience_pipeline.sandbox.yahoo_chart import ChartError

_FIELDS = ("open", "high", "low", "close", "volume")
_FOLDERS = ("samples/yahoo", "providers/yahoo")


@dataclass
class _Chart:
    """All recorded daily bars of one symbol."""

    meta: dict[str, Any]
    rows: dict[int, dict[str, Any]] = field(default_factory=dict)
    events: dict[str, dict[str, Any]] = field(default_factory=dict)

    def add(self, result: dict[str, Any]) -> None:
        quote = result["indicators"]["quote"][0]
        adjusted = (result["indicators"].get("adjclose") or [{}])[0].get("adjclose") or []
        for i, at in enumerate(result.get("timestamp", ())):
            row = {name: quote[name][i] for name in _FIELDS}
            self.rows[at] = {**row, "adjclose": adjusted[i] if i < len(adjusted) else None}
        for kind, events in result.get("events", {}).items():
            self.events.setdefault(kind, {}).update(events)


def _bodies(folder: Path) -> Iterator[tuple[str, Any]]:
    """File names and answer bodies, in a fixed order; answers that their collectors made up are left out."""
    for path in sorted(path for part in _FOLDERS for path in (folder / part).glob("*.json")):
        if ".fake." in path.name or path.name.endswith(".headers.json"):
            continue
        value = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(value, dict) and "response" in value:
            value = value["response"].get("bodyJson")
        if isinstance(value, dict):
            yield path.name, value


class RecordedSource:
    """The recorded answers below ``folder``."""

    def __init__(self, folder: Path) -> None:
        self._charts: dict[str, _Chart] = {}
        self._modules: dict[str, dict[str, Any]] = {}
        self._quotes: dict[str, dict[str, Any]] = {}
        self._hits: dict[str, dict[str, Any]] = {}
        for name, body in _bodies(folder):
            self._add(name, body)

    def _add(self, name: str, body: dict[str, Any]) -> None:
        for result in (body.get("chart") or {}).get("result") or ():
            meta = result["meta"]
            if meta.get("dataGranularity") == "1d":
                self._charts.setdefault(meta["symbol"], _Chart(meta)).add(result)
        if name.startswith("quoteSummary-"):
            symbol = name.removesuffix(".json").split("-", 2)[2]
            for modules in (body.get("quoteSummary") or {}).get("result") or ():
                self._modules.setdefault(symbol, {}).update(modules)
        for row in (body.get("quoteResponse") or {}).get("result") or ():
            self._quotes[row["symbol"]] = row
        for hit in body.get("quotes") or ():
            if "symbol" in hit:
                self._hits[hit["symbol"]] = hit

    def chart(self, symbol: str, params: Mapping[str, str]) -> dict[str, Any]:
        """The recorded bars inside the window; a named range means all of them."""
        chart = self._charts.get(symbol.upper())
        if chart is None:
            raise ChartError(404, "Not Found", "No data found, symbol may be delisted")
        if (params.get("interval") or "1d") != "1d":
            raise ChartError(422, "Unprocessable Entity", "Invalid input - only interval=1d was recorded")
        try:
            first, last = int(params.get("period1") or 0), int(params.get("period2") or 2**40)
        except ValueError as error:
            raise ChartError(400, "Bad Request", "Invalid input - period1 and period2 are seconds") from error
        if last <= (chart.meta.get("firstTradeDate") or 0):
            text = f"Data doesn't exist for startDate = {first}, endDate = {last}"
            raise ChartError(400, "Bad Request", text)
        result: dict[str, Any] = {"meta": chart.meta}
        stamps = sorted(at for at in chart.rows if first <= at < last)
        if not stamps:
            result["indicators"] = {"quote": [{}], "adjclose": [{}]}
            return {"chart": {"result": [result], "error": None}}
        result["timestamp"] = stamps
        asked = params.get("events", "").replace("|", ",").replace("splits", "split")
        events = {
            kind: inside
            for kind, known in chart.events.items()
            if kind[:3] in asked and (inside := {k: v for k, v in known.items() if first <= int(k) < last})
        }
        if events:
            result["events"] = events
        result["indicators"] = {
            "quote": [{name: [chart.rows[at][name] for at in stamps] for name in _FIELDS}],
            "adjclose": [{"adjclose": [chart.rows[at]["adjclose"] for at in stamps]}],
        }
        return {"chart": {"result": [result], "error": None}}

    def modules(self, symbol: str, names: Sequence[str]) -> dict[str, Any] | None:
        """The recorded modules."""
        known = self._modules.get(symbol.upper())
        return None if known is None else {name: known[name] for name in names if name in known}

    def quotes(self, symbols: Sequence[str]) -> list[dict[str, Any]]:
        """The recorded rows."""
        return [self._quotes[s] for s in dict.fromkeys(symbol.upper() for symbol in symbols) if s in self._quotes]

    def found(self, text: str, count: int) -> list[dict[str, Any]]:
        """The recorded hits whose symbol begins with ``text``."""
        return [hit for symbol, hit in sorted(self._hits.items()) if symbol.startswith(text.upper())][:count]

    def series(self, symbol: str, types: Sequence[str], window: tuple[int, int]) -> list[dict[str, Any]]:
        """No series were recorded: every type comes without values."""
        del window
        if symbol.upper() not in self._modules:
            return []
        return [{"meta": {"symbol": [symbol.upper()], "type": [name]}} for name in types]
