"""Where Yahoo's answers come from: the seam between the wire format and the two worlds, and the fictional side of it.

What does not belong here: HTTP (``yahoo``), and recorded answers (``yahoo_recorded``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from salescience_pipeline.sandbox.app import Sandbox
from salescience_pipeline.sandbox.yahoo_chart import Charts
from salescience_pipeline.sandbox.yahoo_quotes import Quotes
from salescience_pipeline.sandbox.yahoo_series import Fundamentals


class Source(Protocol):
    """The bodies that the emulated Yahoo sends."""

    def chart(self, symbol: str, params: Mapping[str, str]) -> dict[str, Any]:
        """The body of a chart request; raises :class:`~.yahoo_chart.ChartError`."""

    def modules(self, symbol: str, names: Sequence[str]) -> dict[str, Any] | None:
        """Those of the named modules that exist, or ``None`` for an unknown symbol."""

    def quotes(self, symbols: Sequence[str]) -> list[dict[str, Any]]:
        """Quote rows of the symbols that are known."""

    def found(self, text: str, count: int) -> list[dict[str, Any]]:
        """Search hits, best first."""

    def series(self, symbol: str, types: Sequence[str], window: tuple[int, int]) -> list[dict[str, Any]]:
        """Fundamental series by type within a half-open window of Unix seconds."""


class FictionalSource:
    """Yahoo's answers about the fictional market."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._world = sandbox.world
        self._charts = Charts(sandbox)
        self._fundamentals = Fundamentals(sandbox)
        self._figures = Quotes(sandbox, self._charts, self._fundamentals)

    def chart(self, symbol: str, params: Mapping[str, str]) -> dict[str, Any]:
        """See :class:`Source`."""
        return self._charts.answer(symbol, params)

    def modules(self, symbol: str, names: Sequence[str]) -> dict[str, Any] | None:
        """See :class:`Source`."""
        company = self._charts.listed(symbol)
        if company is None:
            return None
        return {name: made for name in names if (made := self._figures.module(company, name)) is not None}

    def quotes(self, symbols: Sequence[str]) -> list[dict[str, Any]]:
        """See :class:`Source`."""
        companies = dict.fromkeys(c for symbol in symbols if (c := self._charts.listed(symbol)) is not None)
        return [self._figures.quote(company) for company in companies]

    def found(self, text: str, count: int) -> list[dict[str, Any]]:
        """See :class:`Source`."""
        wanted = text.upper()
        named = [
            company
            for company in self._world.all
            if (company.dashed.startswith(wanted) or wanted in company.name.upper())
            and self._charts.listed(company.dashed) is not None
        ]
        named.sort(key=lambda company: (company.dashed != wanted, company.ticker))
        return [self._figures.found(company, rank) for rank, company in enumerate(named[:count])]

    def series(self, symbol: str, types: Sequence[str], window: tuple[int, int]) -> list[dict[str, Any]]:
        """See :class:`Source`."""
        company = self._charts.listed(symbol)
        if company is None:
            return []
        if not types:
            return [self._fundamentals.shares_row(company, window)]
        return [self._fundamentals.series(company, name, window) for name in types]
