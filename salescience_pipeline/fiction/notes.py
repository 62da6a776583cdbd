"""The notes to the statements of a fictional report: text blocks, some of them continued on another page, and tables.

What does not belong here: the primary statements (``figures``) and the other items of the form (``reports``).
"""

from __future__ import annotations

import datetime as dt
import random
from decimal import Decimal

from salescience_pipeline.fiction import prose
from salescience_pipeline.fiction.figures import RESTATED_YEAR, Figures, Span
from salescience_pipeline.fiction.ixbrl import Period
from salescience_pipeline.fiction.pages import Page, Row, heading, paragraph, table
from salescience_pipeline.fiction.sec_calendar import long_date


def write_notes(
    page: Page, figures: Figures, words: dict[str, str], period: Period, *, annual: bool, rng: random.Random
) -> None:
    """Append all notes to ``page``; facts go to the instance of ``figures``."""
    instance = figures.instance

    def ramble(count: int) -> str:
        return prose.ramble(rng, words, count)

    page.add(heading("Note 1 &#8212; Accounting Policies"))
    rules = prose.policies(words)
    opening = "".join(paragraph(f"{title}. {body}") for title, body in rules[:4])
    closing = "".join(paragraph(f"{title}. {body}") for title, body in rules[4:])
    first, rest = instance.block("us-gaap:SignificantAccountingPoliciesTextBlock", period, opening, rest=closing)
    page.add(first)
    page.turn()
    page.add(rest)

    page.add(heading("Note 2 &#8212; Revenue"))
    quarter = figures.accounts.quarter(figures.year, figures.last)
    day = quarter.end + dt.timedelta(days=1)
    obligations = figures.obligations(day)
    first, _ = instance.block(
        "us-gaap:RevenueFromContractWithCustomerTextBlock", period, paragraph(ramble(3)) + paragraph(ramble(3))
    )
    page.add(first, obligations)
    if figures.corrects:
        _revision(page, figures)

    page.add(heading("Note 3 &#8212; Earnings Per Share"))
    rows = [
        Row(
            "Net income (loss)",
            [f"{figures.flow('net_income', span):,}" for span in figures.income_spans],
            dollars=True,
        ),
        Row("Diluted shares", [f"{figures.shares(span, diluted=True):,}" for span in figures.income_spans]),
    ]
    page.add(paragraph(ramble(2)), table(figures.span_heads(figures.income_spans), rows, caption=figures.caption))

    page.add(heading("Note 4 &#8212; Inventory"))
    _split(
        page,
        figures,
        "inventory",
        ("Raw materials", "us-gaap:InventoryRawMaterials", 0.35),
        ("Finished goods", "us-gaap:InventoryFinishedGoods", 0.65),
        ("Inventory", "us-gaap:InventoryNet"),
    )

    page.add(heading("Note 5 &#8212; Property, Plant and Equipment"), paragraph(ramble(2)))
    _equipment(page, figures)

    page.add(heading("Note 6 &#8212; Debt"))
    rate = instance.number(
        "us-gaap:DebtInstrumentInterestRateStatedPercentage",
        figures.instant(*figures.instants[0]),
        Decimal("0.0440"),
        "pure",
        scale=-2,
        decimals="4",
        digits=2,
    )
    page.add(paragraph(f"The notes bear interest at {rate}%. {ramble(3)}"))

    page.add(heading("Note 7 &#8212; Income Taxes"))
    _tax(page, figures, ramble(3))

    page.add(heading("Note 8 &#8212; Equity"))
    _equity(page, figures, ramble(3))

    page.add(heading("Note 9 &#8212; Commitments and Contingencies"))
    first, _ = instance.block("us-gaap:CommitmentsAndContingenciesDisclosureTextBlock", period, paragraph(ramble(5)))
    page.add(first)

    page.add(heading("Note 10 &#8212; Segments"))
    page.add(paragraph(ramble(2)), figures.segment_table(instance.prefix))

    page.add(heading("Note 11 &#8212; Later Events"))
    text = "Nothing happened after the end of the period that would have to be told, as far as the sandbox knows."
    first, _ = instance.block("us-gaap:SubsequentEventsTextBlock", period, paragraph(text))
    page.add(first)
    if annual:
        for number in range(12, 18):
            page.add(heading(f"Note {number} &#8212; Further Matters"), *(paragraph(ramble(5)) for _ in range(3)))


def _revision(page: Page, figures: Figures) -> None:
    """Tell what was restated: revenue and cost of one earlier year, both lower by the same amount."""
    span = Span(RESTATED_YEAR, 4, 4)
    amount = figures.correction(span)
    old = figures.flow("revenue", span) + amount
    page.add(
        paragraph(
            f"Restatement. For fiscal {RESTATED_YEAR} some sales made on behalf of others had been shown gross. Revenue "
            f"of that year, first reported as {old:,}, and cost of revenue are now shown lower by {amount:,}. Gross "
            "profit, net income and the balance sheet are unchanged."
        )
    )


def _split(
    page: Page,
    figures: Figures,
    item: str,
    first: tuple[str, str, float],
    second: tuple[str, str, float],
    total: tuple[str, str],
) -> None:
    """A balance in two parts that sum to it."""
    values = [(figures.instant(*at), figures.accounts.quarter(*at).balances[item]) for at in figures.instants]
    one = [figures.money(first[1], at, int(value * first[2])) for at, value in values]
    two = [figures.money(second[1], at, value - int(value * first[2])) for at, value in values]
    both = [figures.money(total[1], at, value) for at, value in values]
    rows = [Row(first[0], one, dollars=True), Row(second[0], two), Row(total[0], both, total=True)]
    page.add(table(figures.instant_heads(), rows, caption=figures.caption))


def _equipment(page: Page, figures: Figures) -> None:
    """Equipment at cost, its wear, and what is left as in the balance sheet."""
    wear = "us-gaap:AccumulatedDepreciationDepletionAndAmortizationPropertyPlantAndEquipment"
    pairs = [(figures.instant(*at), figures.accounts.quarter(*at).balances["ppe"]) for at in figures.instants]
    cost = [figures.money("us-gaap:PropertyPlantAndEquipmentGross", at, net + net * 7 // 10) for at, net in pairs]
    less = [figures.money(wear, at, net * 7 // 10, deduct=True) for at, net in pairs]
    left = [figures.money("us-gaap:PropertyPlantAndEquipmentNet", at, net) for at, net in pairs]
    rows = [Row("At cost", cost, dollars=True), Row("Less wear so far", less), Row("Net", left, total=True)]
    page.add(table(figures.instant_heads(), rows, caption=figures.caption))


def _tax(page: Page, figures: Figures, words: str) -> None:
    """The rates of tax, as pure numbers printed in percent."""
    rows = []
    for label, concept in (
        ("Rate of the law", "us-gaap:EffectiveIncomeTaxRateReconciliationAtFederalStatutoryIncomeTaxRate"),
        ("Effective rate", "us-gaap:EffectiveIncomeTaxRateContinuingOperations"),
    ):
        cells = []
        for span in figures.income_spans:
            before, tax = figures.flow("pretax", span), figures.flow("tax", span)
            real = (Decimal(tax) / before).quantize(Decimal("0.001")) if before else Decimal(0)
            value = Decimal("0.21") if label.startswith("Rate") else real
            cell = figures.instance.number(
                concept, figures.period(span), value, "pure", scale=-2, decimals="3", digits=1
            )
            cells.append(f"{cell}%")
        rows.append(Row(label, cells))
    page.add(paragraph(words), table(figures.span_heads(figures.income_spans), rows))


def _equity(page: Page, figures: Figures, words: str) -> None:
    """Shares in issue and the dividend per share."""
    instance, at = figures.instance, figures.instant(*figures.instants[0])
    quarter = figures.accounts.quarter(*figures.instants[0])
    outstanding = int(quarter.shares_outstanding * figures.factor)
    # In the order in which the sentence prints them: facts are kept in document order.
    allowed = instance.number(
        "us-gaap:CommonStockSharesAuthorized", at, 4_000_000_000, "shares", scale=6, decimals="-6"
    )
    par = instance.number("us-gaap:CommonStockParOrStatedValuePerShare", at, Decimal("0.01"), "USD/shares", digits=2)
    issued = instance.number("us-gaap:CommonStockSharesIssued", at, outstanding, "shares")
    held = instance.number("us-gaap:CommonStockSharesOutstanding", at, outstanding, "shares")
    span = figures.cash_spans[0]
    shares = figures.shares(span, diluted=False)
    each = (figures.dollars(figures.flow("dividends", span)) / shares).quantize(Decimal("0.01"))
    dividend = instance.number(
        "us-gaap:CommonStockDividendsPerShareDeclared", figures.period(span), each, "USD/shares", digits=2
    )
    page.add(
        paragraph(
            f"The charter allows {allowed} million shares of ${par} par value; {issued} were issued and {held} outstanding "
            f"on {long_date(at.end)}. Dividends of ${dividend} a share were declared. {words}"
        )
    )
