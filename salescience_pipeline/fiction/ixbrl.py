"""Inline XBRL: collect facts while a report is written, and write the tags, the header and the extracted instance.

An :class:`Instance` is given to the code that writes a report. Each call of :meth:`Instance.number` or
:meth:`Instance.text` returns the markup to print and remembers the fact, so that the known truth of a document and its
markup cannot differ. What does not belong here: which facts a report has, and how its pages look.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from decimal import Decimal
from html import escape
from itertools import count

NAMESPACES = {
    "ix": "http://www.xbrl.org/2013/inlineXBRL",
    "ixt": "http://www.xbrl.org/inlineXBRL/transformation/2020-02-12",
    "link": "http://www.xbrl.org/2003/linkbase",
    "xbrli": "http://www.xbrl.org/2003/instance",
    "xbrldi": "http://xbrl.org/2006/xbrldi",
    "xlink": "http://www.w3.org/1999/xlink",
    "xsi": "http://www.w3.org/2001/XMLSchema-instance",
    "iso4217": "http://www.xbrl.org/2003/iso4217",
}
"""Namespaces that are the same in every report; the taxonomies carry the year of the report."""

UNITS = {
    "USD": ("usd", "<xbrli:measure>iso4217:USD</xbrli:measure>"),
    "shares": ("shares", "<xbrli:measure>xbrli:shares</xbrli:measure>"),
    "pure": ("number", "<xbrli:measure>xbrli:pure</xbrli:measure>"),
    "USD/shares": (
        "usdPerShare",
        "<xbrli:divide><xbrli:unitNumerator><xbrli:measure>iso4217:USD</xbrli:measure></xbrli:unitNumerator>"
        "<xbrli:unitDenominator><xbrli:measure>xbrli:shares</xbrli:measure></xbrli:unitDenominator></xbrli:divide>",
    ),
}
"""Unit as companyfacts spells it -> id and measures in the document."""


@dataclass(frozen=True, slots=True)
class Period:
    """What a fact is about in time: an instant (no ``start``) or a duration, both days included."""

    start: dt.date | None
    end: dt.date


@dataclass(frozen=True, slots=True)
class Dimension:
    """One qualifier of a context: an explicit member (a qualified name) or a typed value."""

    axis: str
    member: str
    typed: str | None = None
    """Qualified name of the typed domain element; ``None`` for an explicit member."""


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact of a report, as a processor must read it.

    ``value`` is a ``Decimal`` in whole units (not scaled), a ``str`` for text, or ``None`` for a nil fact.
    ``decimals`` is the attribute's text ("-3", "2", "INF"), ``None`` for text and nil facts.
    """

    concept: str
    period: Period
    value: Decimal | str | None
    unit: str | None = None
    decimals: str | None = None
    dimensions: tuple[Dimension, ...] = ()


@dataclass
class Instance:
    """The facts of one report in document order, with the contexts and units that they need."""

    cik: int
    year: int
    """Year of the taxonomies."""
    prefix: str
    """Prefix of the company's own extension."""
    stem: str
    """Name of the document without its suffix; the extension schema is called the same."""
    namespace: str
    facts: list[Fact] = field(default_factory=list)
    hidden: list[str] = field(default_factory=list)
    _contexts: dict[tuple[Period, tuple[Dimension, ...]], str] = field(default_factory=dict)
    _units: dict[str, str] = field(default_factory=dict)
    _ids: count[int] = field(default_factory=lambda: count(1))

    def _context(self, period: Period, dimensions: tuple[Dimension, ...]) -> str:
        return self._contexts.setdefault((period, dimensions), f"c-{len(self._contexts) + 1}")

    def _unit(self, unit: str) -> str:
        return self._units.setdefault(unit, UNITS[unit][0])

    def number(
        self,
        concept: str,
        period: Period,
        value: Decimal | int,
        unit: str = "USD",
        *,
        scale: int = 0,
        decimals: str | None = None,
        dimensions: tuple[Dimension, ...] = (),
        digits: int = 0,
        show_negative: bool = True,
    ) -> str:
        """Markup of a numeric fact.

        Args:
            concept: qualified name.
            period: instant or duration.
            value: the value in whole units (dollars, shares...), sign included.
            unit: a key of :data:`UNITS`.
            scale: power of ten of the printed number: 3 prints thousands, -2 prints a percentage.
            decimals: the attribute's text; by default exact to the printed digits.
            dimensions: qualifiers, empty for the whole company.
            digits: digits printed after the point.
            show_negative: print parentheses around a negative number; a cost that is printed as a deduction has none.
        """
        value = Decimal(value)
        decimals = decimals if decimals is not None else str(digits - scale)
        self.facts.append(Fact(concept, period, value, unit, decimals, dimensions))
        shown = abs(value).scaleb(-scale)
        attributes = (
            f'unitRef="{self._unit(unit)}" contextRef="{self._context(period, dimensions)}" decimals="{decimals}"'
            f' name="{concept}"{f""" scale="{scale}" """.rstrip() if scale else ""}'
        )
        if not shown:
            return f'<ix:nonFraction {attributes} format="ixt:fixed-zero" id="f-{next(self._ids)}">&#8212;</ix:nonFraction>'
        sign = ' sign="-"' if value < 0 else ""
        tag = (
            f'<ix:nonFraction {attributes} format="ixt:num-dot-decimal"{sign} id="f-{next(self._ids)}">'
            f"{shown:,.{digits}f}</ix:nonFraction>"
        )
        return f"({tag})" if value < 0 and show_negative else tag

    def nil(self, concept: str, period: Period, unit: str = "USD") -> str:
        """Markup of a fact that is reported without a value."""
        self.facts.append(Fact(concept, period, None, unit))
        return (
            f'<ix:nonFraction unitRef="{self._unit(unit)}" contextRef="{self._context(period, ())}" xsi:nil="true"'
            f' name="{concept}" id="f-{next(self._ids)}"></ix:nonFraction>'
        )

    def text(
        self,
        concept: str,
        period: Period,
        value: str,
        *,
        shown: str | None = None,
        fmt: str | None = None,
        dimensions: tuple[Dimension, ...] = (),
    ) -> str:
        """Markup of a text fact: ``value`` is what a processor reads, ``shown`` and ``fmt`` how it is printed."""
        self.facts.append(Fact(concept, period, value, dimensions=dimensions))
        form = f' format="ixt:{fmt}"' if fmt else ""
        return (
            f'<ix:nonNumeric contextRef="{self._context(period, dimensions)}" name="{concept}"{form}'
            f' id="f-{next(self._ids)}">{escape(shown if shown is not None else value, quote=False)}</ix:nonNumeric>'
        )

    def hide(self, concept: str, period: Period, value: str, *, fmt: str | None = None) -> None:
        """Put a text fact into the hidden section of the header."""
        self.hidden.append(self.text(concept, period, value, fmt=fmt))

    def block(self, concept: str, period: Period, html: str, *, rest: str | None = None) -> tuple[str, str]:
        """Markup of a text block, the value being the markup itself; with ``rest`` it is continued further down.

        Returns:
            The opening part and the continuation (empty without ``rest``), to be placed apart from each other.
        """
        self.facts.append(Fact(concept, period, html + (rest or "")))
        number = next(self._ids)
        link = f' continuedAt="f-{number}-1"' if rest is not None else ""
        first = (
            f'<ix:nonNumeric contextRef="{self._context(period, ())}" name="{concept}" escape="true"'
            f'{link} id="f-{number}">{html}</ix:nonNumeric>'
        )
        return first, "" if rest is None else f'<ix:continuation id="f-{number}-1">{rest}</ix:continuation>'

    # -- the parts of the document around the facts -------------------------------------------------------------------

    def namespaces(self) -> dict[str, str]:
        """Prefix -> namespace of everything the report uses."""
        taxonomies = {
            "dei": f"http://xbrl.sec.gov/dei/{self.year}",
            "us-gaap": f"http://fasb.org/us-gaap/{self.year}",
            "srt": f"http://fasb.org/srt/{self.year}",
            self.prefix: self.namespace,
        }
        return NAMESPACES | taxonomies

    def open_html(self) -> str:
        """The document's opening tag."""
        spaces = " ".join(f'xmlns:{prefix}="{uri}"' for prefix, uri in self.namespaces().items())
        return f'<html {spaces} xmlns="http://www.w3.org/1999/xhtml" xml:lang="en-US">'

    def header(self) -> str:
        """The hidden ``ix:header``: to be written last, as it lists the contexts and units that were used."""
        return (
            f'<div style="display:none"><ix:header><ix:hidden>{"".join(self.hidden)}</ix:hidden>'
            f'<ix:references xml:lang="en-US"><link:schemaRef xlink:type="simple" xlink:href="{self.stem}.xsd"/>'
            f"</ix:references><ix:resources>{self._contexts_xml()}{self._units_xml()}</ix:resources></ix:header></div>"
        )

    def _contexts_xml(self) -> str:
        parts = []
        for (period, dimensions), name in self._contexts.items():
            segment = "".join(map(_member, dimensions))
            segment = f"<xbrli:segment>{segment}</xbrli:segment>" if segment else ""
            when = (
                f"<xbrli:instant>{period.end}</xbrli:instant>"
                if period.start is None
                else f"<xbrli:startDate>{period.start}</xbrli:startDate><xbrli:endDate>{period.end}</xbrli:endDate>"
            )
            parts.append(
                f'<xbrli:context id="{name}"><xbrli:entity><xbrli:identifier scheme="http://www.sec.gov/CIK">'
                f"{self.cik:010d}</xbrli:identifier>{segment}</xbrli:entity><xbrli:period>{when}</xbrli:period>"
                "</xbrli:context>"
            )
        return "".join(parts)

    def _units_xml(self) -> str:
        return "".join(f'<xbrli:unit id="{name}">{UNITS[unit][1]}</xbrli:unit>' for unit, name in self._units.items())

    def extracted(self) -> str:
        """The plain XBRL instance that EDGAR extracts from the document (``..._htm.xml``)."""
        spaces = {k: v for k, v in self.namespaces().items() if k not in {"ix", "ixt", "xbrli"}}
        attributes = " ".join(f'xmlns:{prefix}="{uri}"' for prefix, uri in spaces.items())
        contexts = self._contexts_xml().replace("xbrli:", "")
        units = self._units_xml().replace("<xbrli:", "<").replace("</xbrli:", "</")
        # The prefix stays where it is content (a measure such as xbrli:shares), so it is declared as well.
        lines = [
            '<?xml version="1.0" encoding="utf-8"?>',
            f'<xbrl xmlns="{NAMESPACES["xbrli"]}" xmlns:xbrli="{NAMESPACES["xbrli"]}" {attributes}>',
            f'<link:schemaRef xlink:href="{self.stem}.xsd" xlink:type="simple"/>',
            contexts,
            units,
        ]
        for fact in self.facts:
            context = self._contexts[fact.period, fact.dimensions]
            unit = f' unitRef="{self._units[fact.unit]}"' if fact.unit else ""
            if fact.value is None:
                lines.append(f'<{fact.concept} contextRef="{context}"{unit} xsi:nil="true"/>')
            elif isinstance(fact.value, Decimal):
                attributes = f'contextRef="{context}"{unit} decimals="{fact.decimals}"'
                lines.append(f"<{fact.concept} {attributes}>{fact.value:f}</{fact.concept}>")
            else:
                lines.append(
                    f'<{fact.concept} contextRef="{context}">{escape(fact.value, quote=False)}</{fact.concept}>'
                )
        lines.append("</xbrl>\n")
        return "\n".join(lines)


def _member(dimension: Dimension) -> str:
    if dimension.typed is None:
        return f'<xbrldi:explicitMember dimension="{dimension.axis}">{dimension.member}</xbrldi:explicitMember>'
    return (
        f'<xbrldi:typedMember dimension="{dimension.axis}"><{dimension.typed}>{dimension.member}</{dimension.typed}>'
        "</xbrldi:typedMember>"
    )
