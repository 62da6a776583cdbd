"""The financial statements of a report as tagged tables: from the accounts to facts and markup.

What does not belong here: the prose around the statements, and the roll of the accounts themselves.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import partial

from salescience_pipeline.fiction.ixbrl import Dimension, Instance, Period
from salescience_pipeline.fiction.pages import Row, table
from salescience_pipeline.fiction.sec_calendar import long_date
from salescience_pipeline.fiction.statement_lines import BALANCE, CASH, COMPREHENSIVE, INCOME, REVENUE, Line
from salescience_pipeline.fiction.statements import Accounts

SEGMENT_AXIS = "us-gaap:StatementBusinessSegmentsAxis"
PRODUCT_AXIS = "srt:ProductOrServiceAxis"
EQUITY_AXIS = "us-gaap:StatementEquityComponentsAxis"
OBLIGATION_AXIS = "us-gaap:RevenueRemainingPerformanceObligationExpectedTimingOfSatisfactionStartDateAxis"

RESTATED_YEAR = 2024
"""The fiscal year whose revenue the restating company corrects in every annual report from the next one on."""

_RESTATED = {"revenue": 1, "product_revenue": 1, "cost": 1, "segment_0": 1}
"""Items that the correction lowers: sales made for others had been shown gross, so revenue and cost fall alike."""


@dataclass(frozen=True, slots=True)
class Span:
    """A column of a statement: ``count`` quarters that end with quarter ``last`` of fiscal ``year``."""

    year: int
    last: int
    count: int


class Figures:
    """The tagged statements of one report.

    Args:
        accounts: where the numbers come from.
        instance: where the facts go.
        year: fiscal year of the report.
        last: its quarter; 4 is the annual report.
        factor: shares today for one share at listing, so that per-share figures follow splits.
        restates: whether this company corrects :data:`RESTATED_YEAR` in later annual reports.
    """

    def __init__(
        self, accounts: Accounts, instance: Instance, year: int, last: int, factor: float, *, restates: bool
    ) -> None:
        self.accounts, self.instance, self.year, self.last = accounts, instance, year, last
        self.factor, self.annual = Decimal(str(factor)), last == 4
        self.corrects = restates and self.annual and year > RESTATED_YEAR
        if self.annual:
            self.income_spans = [Span(year - back, 4, 4) for back in range(3)]
            self.cash_spans = self.income_spans
        else:
            self.income_spans = [Span(year, last, 1), Span(year - 1, last, 1)]
            if last > 1:
                self.income_spans += [Span(year, last, last), Span(year - 1, last, last)]
            self.cash_spans = [Span(year, last, last), Span(year - 1, last, last)]
        self.instants = [(year, last), (year - 1, 4)]

    # -- values -------------------------------------------------------------------------------------------------------

    @property
    def caption(self) -> str:
        """What the columns are in."""
        unit = "millions" if self.accounts.scale == 6 else "thousands"
        return f"(In {unit}, except number of shares and per-share amounts)"

    def correction(self, span: Span) -> int:
        """By how much this report lowers the revenue of ``span``, in reporting units."""
        if not self.corrects or span != Span(RESTATED_YEAR, 4, 4):
            return 0
        return self.accounts.flow("product_revenue", span.year, span.last, span.count) // 64

    def flow(self, item: str, span: Span) -> int:
        """An item over a span as this report shows it, in reporting units."""
        value = self.accounts.flow(item, span.year, span.last, span.count)
        return value - self.correction(span) * _RESTATED.get(item, 0)

    def dollars(self, units: int) -> Decimal:
        """Reporting units as dollars."""
        return Decimal(units).scaleb(self.accounts.scale).quantize(Decimal(1))

    def period(self, span: Span) -> Period:
        """The days of a span."""
        first = self.accounts.quarter(span.year, span.last - span.count + 1)
        return Period(first.start, self.accounts.quarter(span.year, span.last).end)

    def instant(self, year: int, last: int) -> Period:
        """The end of a quarter."""
        return Period(None, self.accounts.quarter(year, last).end)

    def shares(self, span: Span, *, diluted: bool) -> int:
        """Weighted average shares over a span, splits until this report applied to all columns."""
        return int(self.accounts.average_shares(span.year, span.last, span.count, diluted=diluted) * self.factor)

    def per_share(self, span: Span, *, diluted: bool) -> Decimal:
        """Net income per share, in dollars and cents."""
        income = self.dollars(self.flow("net_income", span))
        return (income / self.shares(span, diluted=diluted)).quantize(Decimal("0.01"))

    # -- cells ----------------------------------------------------------------------------------------------------------

    def money(
        self, concept: str, period: Period, units: int, *, deduct: bool = False, dims: tuple[Dimension, ...] = ()
    ) -> str:
        """Markup of an amount in reporting units."""
        tag = self.instance.number(
            concept,
            period,
            self.dollars(units),
            scale=self.accounts.scale,
            decimals=str(-self.accounts.scale),
            dimensions=dims,
            show_negative=not deduct,
        )
        return f"({tag})" if deduct and units > 0 else tag

    def spans_row(self, line: Line, spans: Sequence[Span]) -> Row:
        """One line over all columns of a flow statement."""
        cells = [
            self.money(line.concept, self.period(span), self.flow(line.item, span), deduct=line.deduct)
            for span in spans
        ]
        return Row(line.label, cells, dollars=line.dollars, total=line.total)

    def span_heads(self, spans: Sequence[Span]) -> list[str]:
        """Column headings of a flow statement."""
        length = {1: "Three", 2: "Six", 3: "Nine"}
        heads = []
        for span in spans:
            kind = "Year Ended" if span.count == 4 else f"{length[span.count]} Months Ended"
            heads.append(f"{kind} {long_date(self.accounts.quarter(span.year, span.last).end)}")
        return heads

    def instant_heads(self) -> list[str]:
        """Column headings of the balance sheet."""
        return [long_date(self.instant(*at).end) for at in self.instants]

    # -- statements -----------------------------------------------------------------------------------------------------

    def income_statement(self) -> str:
        """Statement of operations with disaggregated revenue and per-share figures."""
        rows = [Row("Revenue:")]
        for label, member, item in (
            ("Products", "us-gaap:ProductMember", "product_revenue"),
            ("Services", "us-gaap:ServiceMember", "service_revenue"),
        ):
            dims = (Dimension(PRODUCT_AXIS, member),)
            cells = [
                self.money(REVENUE, self.period(span), self.flow(item, span), dims=dims) for span in self.income_spans
            ]
            rows.append(Row(label, cells, dollars=label == "Products", indent=1))
        rows.extend(self.spans_row(line, self.income_spans) for line in INCOME)
        per_share, count = Row("Earnings (loss) per share:"), Row("Weighted average shares:")
        rows.append(per_share)
        for label, concept, diluted in (
            ("Basic", "us-gaap:EarningsPerShareBasic", False),
            ("Diluted", "us-gaap:EarningsPerShareDiluted", True),
        ):
            cells = [
                self.instance.number(
                    concept,
                    self.period(span),
                    self.per_share(span, diluted=diluted),
                    "USD/shares",
                    digits=2,
                )
                for span in self.income_spans
            ]
            rows.append(Row(label, cells, dollars=True, indent=1))
        rows.append(count)
        for label, concept, diluted in (
            ("Basic", "us-gaap:WeightedAverageNumberOfSharesOutstandingBasic", False),
            ("Diluted", "us-gaap:WeightedAverageNumberOfDilutedSharesOutstanding", True),
        ):
            cells = [
                self.instance.number(concept, self.period(span), self.shares(span, diluted=diluted), "shares")
                for span in self.income_spans
            ]
            rows.append(Row(label, cells, indent=1))
        return table(self.span_heads(self.income_spans), rows, caption=self.caption)

    def comprehensive_income(self) -> str:
        """Net income and what was kept out of it."""
        rows = [self.spans_row(line, self.income_spans) for line in COMPREHENSIVE]
        return table(self.span_heads(self.income_spans), rows, caption=self.caption)

    def balance_sheet(self) -> str:
        """Balance sheet with a line without amount, as the form wants it."""
        rows: list[Row] = []
        for line in BALANCE:
            if line.item == "":
                rows.append(Row(line.label))
            elif line.item == "nil":
                cells = [self.instance.nil(line.concept, self.instant(*at)) for at in self.instants]
                rows.append(Row(line.label, cells))
            elif line.item == "zero":
                rows.append(Row(line.label, [self.money(line.concept, self.instant(*at), 0) for at in self.instants]))
            else:
                cells = [
                    self.money(line.concept, self.instant(*at), self.accounts.quarter(*at).balances[line.item])
                    for at in self.instants
                ]
                rows.append(Row(line.label, cells, dollars=line.dollars, total=line.total))
        return table(self.instant_heads(), rows, caption=self.caption)

    def cash_flows(self) -> str:
        """Cash flow statement; its last line is the balance sheet's cash."""
        rows: list[Row] = []
        for line in CASH:
            if line.item == "":
                rows.append(Row(line.label))
            else:
                rows.append(self.spans_row(line, self.cash_spans))
        for label, shift in (("Cash and cash equivalents, beginning of period", -1), ("..., end of period", 0)):
            cells = []
            for span in self.cash_spans:
                at = (span.year, span.last) if shift == 0 else _before(span)
                quarter = self.accounts.quarter(*at)
                concept = "us-gaap:CashAndCashEquivalentsAtCarryingValue"
                cells.append(self.money(concept, Period(None, quarter.end), quarter.balances["cash"]))
            text = label.replace("...", "Cash and cash equivalents")
            rows.append(Row(text, cells, dollars=True, total=shift == 0))
        return table(self.span_heads(self.cash_spans), rows, caption=self.caption)

    def equity_statement(self) -> str:
        """Changes in equity by component, one block per period."""
        members = (
            "us-gaap:CommonStockIncludingAdditionalPaidInCapitalMember",
            "us-gaap:RetainedEarningsMember",
            "us-gaap:AccumulatedOtherComprehensiveIncomeMember",
        )
        items = ("paid_in", "retained", "aoci", "equity")
        dims: tuple[tuple[Dimension, ...], ...] = (*((Dimension(EQUITY_AXIS, member),) for member in members), ())
        changes = (
            ("Net income (loss)", "us-gaap:NetIncomeLoss", "net_income", 1, False),
            ("Other comprehensive income (loss)", "us-gaap:OtherComprehensiveIncomeLossNetOfTax",
             "other_comprehensive", 2, False),
            ("Share-based compensation", "us-gaap:AdjustmentsToAdditionalPaidInCapitalSharebasedCompensation"
             "RequisiteServicePeriodRecognitionValue", "stock_compensation", 0, False),
            ("Dividends", "us-gaap:DividendsCommonStock", "dividends", 1, True),
            ("Repurchases of common stock", "us-gaap:StockRepurchasedAndRetiredDuringPeriodValue", "buyback", 1, True),
        )  # fmt: skip
        rows: list[Row] = []

        def balance(at: tuple[int, int]) -> Row:
            quarter = self.accounts.quarter(*at)
            when = Period(None, quarter.end)
            cells = [
                self.money("us-gaap:StockholdersEquity", when, quarter.balances[item], dims=dim)
                for item, dim in zip(items, dims, strict=True)
            ]
            return Row(f"Balances as of {long_date(quarter.end)}", cells, dollars=True, total=True)

        spans = self.cash_spans if self.annual else self.cash_spans[:1]
        for number, span in enumerate(reversed(spans)):
            if number == 0:
                rows.append(balance(_before(span)))
            for label, concept, item, column, deduct in changes:
                cells: list[str | None] = [None, None, None, None]
                show = partial(self.money, concept, self.period(span), self.flow(item, span), deduct=deduct)
                cells[column] = show(dims=dims[column])
                cells[3] = show()
                rows.append(Row(label, cells, indent=1))
            rows.append(balance((span.year, span.last)))
        heads = ["Common stock and paid-in capital", "Retained earnings", "Accumulated other", "Total"]
        return table(heads, rows, caption=self.caption)

    def segment_table(self, prefix: str) -> str:
        """Revenue and operating income by segment, with the company's own members."""
        rows: list[Row] = []
        for title, concept, item in (
            ("Revenue", REVENUE, "segment"),
            ("Operating income (loss)", "us-gaap:OperatingIncomeLoss", "segment_income"),
        ):
            rows.append(Row(f"{title}:"))
            for number, name in enumerate(self.accounts.segments):
                dims = (Dimension(SEGMENT_AXIS, f"{prefix}:{member_name(name)}"),)
                cells = [
                    self.money(concept, self.period(span), self.flow(f"{item}_{number}", span), dims=dims)
                    for span in self.income_spans
                ]
                rows.append(Row(name, cells, dollars=number == 0, indent=1))
            total = "revenue" if item == "segment" else "operating_income"
            rows.append(self.spans_row(Line("Total", concept, total, dollars=True, total=True), self.income_spans))
        return table(self.span_heads(self.income_spans), rows, caption=self.caption)

    def obligations(self, first_day: dt.date) -> str:
        """Revenue agreed and still to come, by the day from which it is expected (a typed dimension)."""
        at = self.instant(self.year, self.last)
        amount = self.accounts.quarter(self.year, self.last).balances["deferred"] * 3
        domain = f"{OBLIGATION_AXIS}.domain"
        rows = []
        for label, day, percent in (
            ("Within twelve months", first_day, 70),
            ("Later", first_day.replace(year=first_day.year + 1), 30),
        ):
            dims = (Dimension(OBLIGATION_AXIS, day.isoformat(), domain),)
            share = self.instance.number(
                "us-gaap:RevenueRemainingPerformanceObligationPercentage",
                at,
                Decimal(percent) / 100,
                "pure",
                scale=-2,
                decimals="2",
                dimensions=dims,
            )
            rows.append(Row(f"{label} (from {long_date(day)})", [f"{share}%"], indent=1))
        total = self.money("us-gaap:RevenueRemainingPerformanceObligation", at, amount)
        rows.append(Row("Remaining performance obligations", [total], dollars=True, total=True))
        return table([long_date(at.end)], rows)


def member_name(segment: str) -> str:
    """Name of the extension member of a segment."""
    return f"{segment.replace(' ', '')}Member"


def _before(span: Span) -> tuple[int, int]:
    """The quarter at whose end ``span`` begins."""
    number = span.last - span.count
    return (span.year, number) if number else (span.year - 1, 4)
