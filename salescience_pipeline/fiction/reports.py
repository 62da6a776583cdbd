"""Fictional annual and quarterly reports: a whole 10-K, 10-Q or 10-K/A as one inline XBRL document.

The order and titles of the items are those of the forms; the words come from ``prose``, the tagged tables from
``figures``. What does not belong here: when a report is filed and how EDGAR serves it (``filings``).
"""

from __future__ import annotations

import random
from decimal import Decimal

from salescience_pipeline.fiction import prose
from salescience_pipeline.fiction.companies import chance
from salescience_pipeline.fiction.cover import Cover
from salescience_pipeline.fiction.figures import Figures, member_name
from salescience_pipeline.fiction.ixbrl import Instance, Period
from salescience_pipeline.fiction.notes import write_notes
from salescience_pipeline.fiction.pages import (
    Page,
    Row,
    bullet,
    centered,
    contents,
    grid,
    heading,
    paragraph,
    table,
    text,
)
from salescience_pipeline.fiction.report_forms import ANNUAL, QUARTERLY, SHORT, SHORT_QUARTERLY
from salescience_pipeline.fiction.report_model import Order, Report
from salescience_pipeline.fiction.sec_calendar import long_date


def write_report(order: Order) -> Report:
    """Write the report of ``order``; the same order gives the same bytes."""
    return _Writer(order).write()


class _Writer:
    def __init__(self, order: Order) -> None:
        self.order, self.company = order, order.company
        self.prefix = "".join(c for c in order.company.ticker.lower() if c.isalnum())
        taxonomy = min(order.filed.year, 2025)
        namespace = f"{order.company.website.replace('https', 'http')}/{order.stem.rsplit('-', 1)[-1]}"
        self.instance = Instance(order.company.cik, taxonomy, self.prefix, order.stem, namespace)
        self.figures = Figures(
            order.accounts, self.instance, order.year, order.last, order.factor, restates=order.restates
        )
        self.annual = order.form.startswith("10-K")
        self.rng: random.Random = chance(order.seed, "report", order.company.cik, order.form, order.year, order.last)
        # Risks change slowly: their words depend on the company and only now and then on the year.
        self.slow: random.Random = chance(order.seed, "risks", order.company.cik, order.year // 3)
        self.words = prose.words(order.company, order.year, order.accounts.segments)
        self.page = Page()
        first = order.accounts.quarter(order.year, 1).start
        self.end = order.accounts.quarter(order.year, order.last).end
        self.period = Period(first, self.end)
        self.cover = Cover(order, self.instance, self.period, self.page)

    def write(self) -> Report:
        self.cover.write()
        if self.order.form.endswith("/A"):
            self._amendment()
        elif self.annual:
            self.page.add(contents(ANNUAL))
            self.page.turn()
            self._annual()
        else:
            self.page.add(contents(QUARTERLY))
            self.page.turn()
            self._quarterly()
        self._signatures()
        instance = self.instance
        before = (
            "<?xml version='1.0' encoding='ASCII'?>\n"
            "<!-- Fictional inline XBRL document, written by the salescience sandbox -->\n"
            f'{instance.open_html()}<head><meta http-equiv="Content-Type" content="text/html"/>\n'
            f"<title>{instance.stem}</title></head><body>{instance.header()}\n"
        )
        main, items = self.page.finish(before, "</body></html>\n")
        return Report(main, instance.extracted().encode(), self._schema(), tuple(instance.facts), items)

    # -- items ----------------------------------------------------------------------------------------------------------

    def _part(self, name: str, title: str = "") -> None:
        self.page.close()
        self.page.add(centered(f"PART {name}{f' &#8212; {title}' if title else ''}"))

    def _ramble(self, paragraphs: int) -> None:
        for _ in range(paragraphs):
            self.page.add(paragraph(prose.ramble(self.rng, self.words, self.rng.randint(3, 5))))

    def _annual(self) -> None:
        titles = {item: (part, title) for part, item, title in ANNUAL}
        writers = {
            "1": self._business,
            "1A": self._risks,
            "5": self._market,
            "7": self._discussion,
            "8": self._statements,
            "10": self._officers,
            "15": self._exhibits,
        }
        current = ""
        for item, (part, title) in titles.items():
            if part != current:
                self._part(part)
                current = part
            self.page.begin(part, item, title)
            if item in writers:
                writers[item]()
            else:
                self.page.add(paragraph(SHORT[item].format(**self.words)))
                if item in {"1C", "2", "3", "7A", "9A"}:
                    self._ramble(3)

    def _quarterly(self) -> None:
        self._part("I", "FINANCIAL INFORMATION")
        current = "I"
        for part, item, title in QUARTERLY:
            if part != current:
                self._part(part, "OTHER INFORMATION")
                current = part
            self.page.begin(part, item, title)
            match part, item:
                case "I", "1":
                    self._statements()
                case "I", "2":
                    self._discussion()
                case "II", "2":
                    self._repurchases()
                case "II", "6":
                    self._exhibits()
                case _:
                    self.page.add(paragraph(SHORT_QUARTERLY[part, item].format(**self.words)))
                    if (part, item) in {("I", "3"), ("I", "4"), ("II", "1A")}:
                        self._ramble(2)

    def _amendment(self) -> None:
        page = self.page
        page.add(
            heading("EXPLANATORY NOTE"),
            paragraph(
                f"This Amendment No. 1 to the annual report of {self.company.name} for the fiscal year ended "
                f"{long_date(self.end)} is filed only to give the information of Part III, which the original report took "
                "from a proxy statement that was then late. Nothing else is changed. The company is fictional."
            ),
        )
        rows = [row for row in ANNUAL if row[0] == "III" or row[1] == "15"]
        page.add(contents(rows))
        for part, item, title in rows:
            page.begin(part, item, title)
            if item == "10":
                self._officers()
            elif item == "15":
                self._exhibits()
            else:
                page.add(paragraph(SHORT[item].format(**self.words)))
                self._ramble(2)

    def _business(self) -> None:
        for number, words in enumerate(prose.business(self.words)):
            if number in {2, 6, 8}:
                self.page.add(heading({2: "Segments", 6: "Supply and Research", 8: "People"}[number], italic=True))
            self.page.add(paragraph(words))
        self._ramble(4)

    def _risks(self) -> None:
        self.page.add(
            paragraph(
                "An investment in an invented company carries no risk, because it cannot be made. What follows has the "
                "form of risk factors all the same."
            )
        )
        group = ""
        for name, title, paragraphs in prose.risks(self.slow, self.words):
            if name != group:
                group = name
                self.page.add(heading(f"Risks of {group.lower()}"))
            self.page.add(heading(f"{title}.", italic=True), *(paragraph(words) for words in paragraphs))

    def _market(self) -> None:
        self.page.add(
            paragraph(
                f"The common stock is said to trade on {self.company.exchange} under the symbol {self.company.dashed}. "
                f"There were about {self.rng.randint(900, 9000):,} holders of record."
            )
        )
        self._repurchases()

    def _repurchases(self) -> None:
        order, last = self.order, self.order.accounts.quarter(self.order.year, self.order.last)
        spent = last.flows["buyback"]
        rows = []
        for number in range(3):
            shares = int(Decimal(spent) * 10**order.accounts.scale / 3 / max(Decimal(str(order.price)), Decimal(1)))
            rows.append(Row(f"Month {number + 1}", [f"{shares:,}", f"{order.price:,.2f}"]))
        self.page.add(
            paragraph("Purchases of own shares in the last quarter:"),
            table(["Shares bought", "Average price"], rows),
        )

    def _discussion(self) -> None:
        figures, accounts = self.figures, self.order.accounts
        now, before = figures.income_spans[0], figures.income_spans[1]
        unit = "million" if accounts.scale == 6 else "thousand"
        page = self.page
        page.add(heading("Overview", italic=True))
        self._ramble(2)
        page.add(heading("Results of Operations", italic=True))
        for label, item in (
            ("Revenue", "revenue"),
            ("Cost of revenue", "cost"),
            ("Gross profit", "gross_profit"),
            ("Research and development", "research"),
            ("Selling, general and administrative", "selling"),
            ("Operating income", "operating_income"),
            ("Net income", "net_income"),
        ):
            new, old = figures.flow(item, now), figures.flow(item, before)
            verb = "rose" if new >= old else "fell"
            share = f" ({abs(new - old) / abs(old):.1%})" if old else ""
            page.add(
                paragraph(
                    f"{label} {verb} by ${abs(new - old):,} {unit}{share}, from ${old:,} {unit} to ${new:,} {unit}. "
                    + prose.ramble(self.rng, self.words, 2)
                )
            )
        rows = [
            Row(name, [f"{figures.flow(f'segment_{number}', span):,}" for span in (now, before)], dollars=number == 0)
            for number, name in enumerate(accounts.segments)
        ]
        rows.append(Row("Revenue", [f"{figures.flow('revenue', span):,}" for span in (now, before)], total=True))
        page.add(table(figures.span_heads([now, before]), rows, caption=figures.caption))
        page.add(heading("Liquidity and Capital Resources", italic=True))
        cash = accounts.quarter(self.order.year, self.order.last).balances["cash"]
        page.add(
            paragraph(
                f"Cash and cash equivalents were ${cash:,} {unit} on {long_date(self.end)}. Operations brought "
                f"${figures.flow('operating_cash', figures.cash_spans[0]):,} {unit}. We think that this is enough for "
                "the twelve months to come and for the time after them."
            )
        )
        self._ramble(2)
        page.add(heading("Critical Accounting Estimates", italic=True))
        self._ramble(3 if self.annual else 1)

    def _statements(self) -> None:
        figures, page = self.figures, self.page
        if self.annual:
            page.add(heading("Report of Independent Registered Public Accounting Firm"))
            page.add(
                paragraph(
                    f"To the owners of {self.company.name}: we are an auditor that does not exist, and we have audited "
                    "accounts of a company that does not exist. In our opinion they fit together."
                ),
                paragraph(
                    f"{self.cover.dei('AuditorName', 'Imaginary Auditors LLP')}, "
                    f"{self.cover.dei('AuditorLocation', 'Nowhere, Delaware')} "
                    f"(Firm ID {self.cover.dei('AuditorFirmId', '99999')})"
                ),
            )
        kind = "CONSOLIDATED" if self.annual else "CONDENSED CONSOLIDATED"
        for title, make in (
            ("STATEMENTS OF OPERATIONS", figures.income_statement),
            ("STATEMENTS OF COMPREHENSIVE INCOME", figures.comprehensive_income),
            ("BALANCE SHEETS", figures.balance_sheet),
            ("STATEMENTS OF EQUITY", figures.equity_statement),
            ("STATEMENTS OF CASH FLOWS", figures.cash_flows),
        ):
            page.add(centered(f"{self.company.name}"), centered(f"{kind} {title}"), make())
            page.add(paragraph("The notes are part of these statements.", indent=False))
            page.turn()
        page.add(centered(f"NOTES TO {kind} FINANCIAL STATEMENTS"))
        write_notes(page, figures, self.words, self.period, annual=self.annual, rng=self.rng)

    def _officers(self) -> None:
        rows = [(o.name, o.title, f"born {o.born}") for o in self.company.officers]
        self.page.add(paragraph("The executive officers, who are invented, are:"), grid(rows))
        self._ramble(2)

    def _exhibits(self) -> None:
        listed = [("21.1", "Subsidiaries of the registrant (fictional)")] if self.order.form == "10-K" else []
        rows = [
            *listed,
            ("31.1", "Certification of the chief executive officer (fictional)"),
            ("32.1", "Certification under Section 1350 (fictional)"),
            ("101.INS", "Inline XBRL instance document"),
            ("104", "Cover page interactive data file"),
        ]
        self.page.add(grid([("Number", "Description"), *rows]))
        for words in ("Schedules that are not listed are not needed.", "The exhibits exist as far as they are served."):
            self.page.add(bullet(words))

    def _signatures(self) -> None:
        officer = self.company.officers[0] if self.company.officers else None
        self.page.close()
        self.page.add(
            centered("SIGNATURES"),
            paragraph("The registrant, which does not exist, has had this report signed on its behalf."),
            grid(
                (
                    ("Date: " + long_date(self.order.filed), self.company.name),
                    (text("By:", bold=True), f"/s/ {officer.name}" if officer else "/s/"),
                    ("", officer.title if officer else ""),
                )
            ),
        )

    def _schema(self) -> bytes:
        """The extension schema: the segment members, and imports of the taxonomies that the report uses."""
        members = "".join(
            f'<xs:element id="{self.prefix}_{member_name(name)}" name="{member_name(name)}" type="nonnum:domainItemType"'
            ' substitutionGroup="xbrli:item" abstract="true" nillable="true" xbrli:periodType="duration"/>\n'
            for name in self.order.accounts.segments
        )
        year = self.instance.year
        return (
            '<?xml version="1.0" encoding="utf-8"?>\n<!-- Fictional extension taxonomy of the salescience sandbox -->\n'
            f'<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:xbrli="http://www.xbrl.org/2003/instance" '
            f'xmlns:nonnum="http://www.xbrl.org/dtr/type/non-numeric" xmlns:{self.prefix}="{self.instance.namespace}" '
            f'targetNamespace="{self.instance.namespace}" elementFormDefault="qualified">\n'
            f'<xs:import namespace="http://fasb.org/us-gaap/{year}" '
            f'schemaLocation="https://xbrl.fasb.org/us-gaap/{year}/elts/us-gaap-{year}.xsd"/>\n'
            f"{members}</xs:schema>\n"
        ).encode()
