"""Schemas that are ready to be asked. Tables of JSON Schema; how they are filled stands in :mod:`extract`.

Beside the words of JSON Schema a property may say where it is to be found: ``x-concepts`` the local names of XBRL concepts,
best first (US GAAP, IFRS and dei share one list); ``x-labels`` patterns over the label of a table row in lower case with
single blanks for everything but letters and digits; ``x-rows`` the kind of list that an array is made of; ``x-period`` of
a whole schema that its figures run from the start of the year, as cash flow statements do.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from salescience_pipeline.documents.extract_model import InvalidSchema


def _number(concepts: str, *labels: str, per_share: bool = False) -> dict[str, Any]:
    found: dict[str, Any] = {"type": ["number", "null"], "x-concepts": concepts.split(), "x-labels": list(labels)}
    return found | {"x-unscaled": True} if per_share else found


def _per_share(concepts: str, *labels: str) -> dict[str, Any]:
    """An amount per share: never scaled, and printed to the cent, which tells it from the number of shares."""
    return _number(concepts, *labels, per_share=True) | {"x-cents": True}


def _text(concepts: str = "", **more: Any) -> dict[str, Any]:
    return {"type": ["string", "null"], "x-concepts": concepts.split(), **more}


def _object(title: str, properties: dict[str, Any]) -> dict[str, Any]:
    return {"title": title, "type": "object", "properties": properties}


def _rows(title: str, name: str, kind: str, properties: dict[str, Any]) -> dict[str, Any]:
    items = {"type": "object", "properties": properties}
    return _object(title, {name: {"type": "array", "x-rows": kind, "items": items}})


_PERIOD = {
    "period_end": {**_text("DocumentPeriodEndDate", format="date"), "x-is": "period_end"},
    "currency": {"type": ["string", "null"], "x-is": "currency"},
}

INCOME_STATEMENT = _object(
    "Income statement",
    {
        **_PERIOD,
        "revenue": _number(
            "RevenueFromContractWithCustomerExcludingAssessedTax Revenues SalesRevenueNet Revenue "
            "RevenueFromContractWithCustomerIncludingAssessedTax RevenuesNetOfInterestExpense",
            r"(?:total |net )*(?:revenues?|sales)(?: net| total)?$",
            r"total (?:net )?(?:revenues?|sales)",
            r"(?:revenues?|net sales)",
        ),
        "cost_of_revenue": _number(
            "CostOfRevenue CostOfGoodsAndServicesSold CostOfSales CostsAndExpenses",
            r"total costs? of (?:sales|revenue|goods|products)",
            r"costs? of (?:sales|revenues?|goods|products|services)",
        ),
        "gross_profit": _number("GrossProfit", r"gross (?:profit|margin)"),
        "research_and_development": _number("ResearchAndDevelopmentExpense", r"research (?:and|development)"),
        "selling_general_administrative": _number("SellingGeneralAndAdministrativeExpense", r"selling .*general"),
        "operating_income": _number(
            "OperatingIncomeLoss ProfitLossFromOperatingActivities",
            r"(?:income|loss|profit|earnings) (?:loss )?from operations",
            r"operating (?:income|profit|loss|earnings)",
        ),
        "interest_expense": _number(
            "InterestExpense InterestExpenseNonoperating InterestExpenseOperating FinanceCosts", r"interest expense"
        ),
        "income_before_tax": _number(
            "IncomeLossFromContinuingOperationsBeforeIncomeTaxesExtraordinaryItemsNoncontrollingInterest "
            "IncomeLossFromContinuingOperationsBeforeIncomeTaxesMinorityInterestAndIncomeLossFromEquityMethodInvestments "
            "ProfitLossBeforeTax",
            r"(?:income|loss|earnings|profit).* before .*tax",
        ),
        "income_tax": _number(
            "IncomeTaxExpenseBenefit IncomeTaxExpenseContinuingOperations",
            r"(?:provision|benefit|credit).* (?:for )?income tax",
            r"income tax",
        ),
        "net_income": _number(
            "NetIncomeLoss ProfitLoss NetIncomeLossAvailableToCommonStockholdersBasic",
            r"net (?:income|loss|earnings).* attributable to (?!.*non ?controlling)",
            r"net (?:income|loss|earnings)(?: loss)?$",
            r"net (?:income|loss|earnings)",
        ),
        "eps_basic": _per_share(
            "EarningsPerShareBasic EarningsPerShareBasicAndDiluted BasicEarningsLossPerShare",
            r"basic",
            r"(?:net )?(?:income|loss|earnings).* per .*share.*basic",
            r"(?:net )?(?:income|loss|earnings).* per .*share",
        ),
        "eps_diluted": _per_share(
            "EarningsPerShareDiluted EarningsPerShareBasicAndDiluted DilutedEarningsLossPerShare",
            r"diluted",
            r"(?:net )?(?:income|loss|earnings).* per .*share.*dilut",
        ),
    },
)

BALANCE_SHEET = _object(
    "Balance sheet",
    {
        **_PERIOD,
        "cash": _number(
            "CashAndCashEquivalentsAtCarryingValue CashCashEquivalentsRestrictedCashAndRestrictedCashEquivalents "
            "CashAndCashEquivalents CashAndDueFromBanks Cash",
            r"cash and cash equivalents|cash and equivalents|cash",
        ),
        "receivables": _number(
            "AccountsReceivableNetCurrent ReceivablesNetCurrent TradeAndOtherCurrentReceivables", r".*receivables?"
        ),
        "inventory": _number("InventoryNet Inventories", r"(?:total )?inventor"),
        "current_assets": _number("AssetsCurrent CurrentAssets", r"total current assets"),
        "property_plant_equipment": _number(
            "PropertyPlantAndEquipmentNet PropertyPlantAndEquipment "
            "PropertyPlantAndEquipmentAndFinanceLeaseRightOfUseAssetAfterAccumulatedDepreciationAndAmortization",
            r"(?!gross)(?!.*(?:at cost|gross$|payable)).*property.* (?:plant|equipment).*",
        ),
        "goodwill": _number("Goodwill", r"goodwill"),
        "total_assets": _number("Assets", r"total assets|total$"),
        "current_liabilities": _number("LiabilitiesCurrent CurrentLiabilities", r"total current liabilities"),
        "long_term_debt": _number(
            "LongTermDebtNoncurrent LongTermDebt LongTermDebtAndCapitalLeaseObligations",
            r"long term debt(?! due within| current (?:portion|maturities))",
        ),
        "total_liabilities": _number("Liabilities", r"total liabilities$"),
        "retained_earnings": _number(
            "RetainedEarningsAccumulatedDeficit RetainedEarnings", r"retained earnings|accumulated deficit|reinvested"
        ),
        "equity": _number(
            "StockholdersEquity StockholdersEquityIncludingPortionAttributableToNoncontrollingInterest Equity",
            r"total (?:\w+ )?(?:share|stock)holders equity",
            r"total equity|total (?:share|stock)holders|net worth|total partners",
        ),
        "liabilities_and_equity": _number(
            "LiabilitiesAndStockholdersEquity EquityAndLiabilities", r"total liabilities and"
        ),
    },
)

CASH_FLOW = _object(
    "Cash flow statement",
    {
        **_PERIOD,
        "net_income": _number("ProfitLoss NetIncomeLoss", r"net (?:income|loss|earnings)"),
        "depreciation": _number(
            "DepreciationDepletionAndAmortization DepreciationAmortizationAndAccretionNet "
            "DepreciationAndAmortization Depreciation",
            r"depreciation",
        ),
        "share_based_compensation": _number("ShareBasedCompensation", r".*(?:share|stock) based compensation"),
        "operating": _number(
            "NetCashProvidedByUsedInOperatingActivities CashFlowsFromUsedInOperatingActivities",
            r"(?:net )?cash .*(?:operating activities|operations)",
            r"cash generated by operating",
        ),
        "capital_expenditure": _number(
            "PaymentsToAcquirePropertyPlantAndEquipment PaymentsToAcquireProductiveAssets",
            r".*(?:purchases?|acquisitions?|additions|payments).* (?:property|plant|equipment)|capital expenditures?",
        ),
        "investing": _number(
            "NetCashProvidedByUsedInInvestingActivities CashFlowsFromUsedInInvestingActivities",
            r"(?:net )?cash .*investing",
        ),
        "dividends_paid": _number("PaymentsOfDividends PaymentsOfDividendsCommonStock", r".*dividends"),
        "share_repurchases": _number(
            "PaymentsForRepurchaseOfCommonStock", r".*(?:repurchases?|purchase) of .*(?:stock|shares)"
        ),
        "financing": _number(
            "NetCashProvidedByUsedInFinancingActivities CashFlowsFromUsedInFinancingActivities",
            r"(?:net )?cash .*financing",
        ),
        "change_in_cash": _number(
            "CashCashEquivalentsRestrictedCashAndRestrictedCashEquivalentsPeriodIncreaseDecreaseIncludingExchangeRateEffect "
            "CashAndCashEquivalentsPeriodIncreaseDecrease",
            r"(?:net )?(?:increase|decrease|change).* cash",
        ),
    },
) | {"x-period": "year to date"}


SHARES = _object(
    "Shares",
    {
        "as_of": {"type": ["string", "null"], "format": "date", "x-is": "shares_date"},
        "outstanding": {**_number("EntityCommonStockSharesOutstanding", per_share=True), "x-is": "shares_outstanding"},
        "weighted_basic": _number(
            "WeightedAverageNumberOfSharesOutstandingBasic WeightedAverageShares",
            r".*(?:weighted|average).*(?:basic|outstanding)",
        ),
        "weighted_diluted": _number(
            "WeightedAverageNumberOfDilutedSharesOutstanding AdjustedWeightedAverageShares",
            r".*(?:weighted|average).*dilut",
        ),
        "public_float": _number("EntityPublicFloat", per_share=True),
        "classes": {
            "type": "array",
            "x-rows": "share_classes",
            "items": {
                "type": "object",
                "properties": {
                    "title": _text("Security12bTitle"),
                    "ticker": _text("TradingSymbol"),
                    "exchange": _text("SecurityExchangeName"),
                    "outstanding": _number("EntityCommonStockSharesOutstanding"),
                },
            },
        },
    },
)

AUDITOR = _object(
    "Auditor",
    {
        "name": {**_text("AuditorName"), "x-is": "auditor_name"},
        "location": {**_text("AuditorLocation"), "x-is": "auditor_location"},
        "pcaob_id": {**_text("AuditorFirmId"), "x-is": "auditor_id"},
        "since": {"type": ["integer", "null"], "x-is": "auditor_since"},
    },
)

OFFICERS = _rows(
    "Officers and directors",
    "people",
    "people",
    {
        "name": _text(),
        "position": _text(),
        "age": {"type": ["integer", "null"]},
        "signed": {"type": ["boolean", "null"]},
    },
)
SUBSIDIARIES = _rows("Subsidiaries", "subsidiaries", "subsidiaries", {"name": _text(), "jurisdiction": _text()})
EVENTS = _rows("8-K events", "events", "events", {"item": _text(), "title": _text(), "text": _text()})
RISK_FACTORS = _rows(
    "Risk factors", "risk_factors", "risk_factors", {"group": _text(), "title": _text(), "text": _text()}
)
_NUMBER: dict[str, Any] = {"type": ["number", "null"]}
INSIDER = _object(
    "Insider transactions",
    {
        "issuer": _text(),
        "issuer_cik": _text(),
        "ticker": _text(),
        "period": _text(format="date"),
        "owners": {
            "type": "array",
            "x-rows": "insider_owners",
            "items": {
                "type": "object",
                "properties": {
                    "name": _text(),
                    "cik": _text(),
                    "director": {"type": ["boolean", "null"]},
                    "officer": {"type": ["boolean", "null"]},
                    "ten_percent_owner": {"type": ["boolean", "null"]},
                    "title": _text(),
                },
            },
        },
        "transactions": {
            "type": "array",
            "x-rows": "insider_transactions",
            "items": {
                "type": "object",
                "properties": {
                    "security": _text(),
                    "date": _text(format="date"),
                    "code": _text(),
                    "shares": _NUMBER,
                    "price": _NUMBER,
                    "acquired_disposed": _text(),
                    "owned_after": _NUMBER,
                    "direct_indirect": _text(),
                    "derivative": {"type": ["boolean", "null"]},
                },
            },
        },
    },
)

SCHEMAS: dict[str, dict[str, Any]] = {
    "income_statement": INCOME_STATEMENT,
    "balance_sheet": BALANCE_SHEET,
    "cash_flow": CASH_FLOW,
    "shares": SHARES,
    "auditor": AUDITOR,
    "officers_and_directors": OFFICERS,
    "subsidiaries": SUBSIDIARIES,
    "events_8k": EVENTS,
    "insider_transactions": INSIDER,
    "risk_factors": RISK_FACTORS,
}
"""The ready schemas by name."""

KNOWN: dict[str, Mapping[str, Any]] = {
    name: prop
    for schema in (SHARES, CASH_FLOW, BALANCE_SHEET, INCOME_STATEMENT)
    for name, prop in schema["properties"].items()
    if prop.get("x-concepts") or prop.get("x-is")
}
"""Properties of ready schemas by name, for schemas of others that use the same words."""

SYNONYMS = {
    "revenues": "revenue", "sales": "revenue", "net_sales": "revenue", "total_revenue": "revenue", "net_revenue": "revenue",
    "cost_of_sales": "cost_of_revenue", "gross_margin": "gross_profit", "operating_profit": "operating_income",
    "net_earnings": "net_income", "profit": "net_income", "net_profit": "net_income", "earnings_per_share": "eps_diluted",
    "eps": "eps_diluted", "basic_eps": "eps_basic", "diluted_eps": "eps_diluted", "assets": "total_assets",
    "liabilities": "total_liabilities", "stockholders_equity": "equity", "shareholders_equity": "equity",
    "total_equity": "equity", "cash_and_cash_equivalents": "cash", "capex": "capital_expenditure",
    "operating_cash_flow": "operating", "shares_outstanding": "outstanding", "inventories": "inventory",
    "accounts_receivable": "receivables", "debt": "long_term_debt", "income_tax_expense": "income_tax",
    "r_and_d": "research_and_development", "fiscal_year_end": "period_end", "period": "period_end",
}  # fmt: skip
"""Other words for the names in :data:`KNOWN`."""


def schema_named(name: str) -> dict[str, Any]:
    """A ready schema.

    Raises:
        InvalidSchema: when there is none of that name.
    """
    if name not in SCHEMAS:
        raise InvalidSchema(f"There is no schema {name[:60]!r}; there are {', '.join(SCHEMAS)}.")
    return SCHEMAS[name]
