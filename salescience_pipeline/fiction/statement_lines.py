"""The lines of the fictional statements: label, concept and item of the accounts, in the order of the page.

Tables and nothing else; ``figures`` prints them.
"""

from __future__ import annotations

from dataclasses import dataclass

REVENUE = "us-gaap:RevenueFromContractWithCustomerExcludingAssessedTax"


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a statement: label, concept and the item of the accounts that it shows."""

    label: str
    concept: str
    item: str
    dollars: bool = False
    total: bool = False
    deduct: bool = False
    """Whether a positive value is printed in parentheses, because it lowers the sum."""


INCOME = (
    Line("Total revenue", REVENUE, "revenue", total=True),
    Line("Cost of revenue", "us-gaap:CostOfRevenue", "cost"),
    Line("Gross profit", "us-gaap:GrossProfit", "gross_profit", total=True),
    Line("Research and development", "us-gaap:ResearchAndDevelopmentExpense", "research"),
    Line("Selling, general and administrative", "us-gaap:SellingGeneralAndAdministrativeExpense", "selling"),
    Line("Impairment", "us-gaap:AssetImpairmentCharges", "impairment"),
    Line("Total operating expenses", "us-gaap:OperatingExpenses", "operating_expenses", total=True),
    Line("Operating income (loss)", "us-gaap:OperatingIncomeLoss", "operating_income", total=True),
    Line("Interest expense", "us-gaap:InterestExpense", "interest", deduct=True),
    Line("Other income (expense), net", "us-gaap:OtherNonoperatingIncomeExpense", "other_income"),
    Line(
        "Income (loss) before income taxes",
        "us-gaap:IncomeLossFromContinuingOperationsBeforeIncomeTaxesExtraordinaryItemsNoncontrollingInterest",
        "pretax",
        total=True,
    ),
    Line("Income tax expense (benefit)", "us-gaap:IncomeTaxExpenseBenefit", "tax"),
    Line("Net income (loss)", "us-gaap:NetIncomeLoss", "net_income", dollars=True, total=True),
)

COMPREHENSIVE = (
    Line("Net income (loss)", "us-gaap:NetIncomeLoss", "net_income", dollars=True),
    Line("Gains and losses on securities, net of tax", "us-gaap:OtherComprehensiveIncomeLossNetOfTax",
         "other_comprehensive"),
    Line("Comprehensive income (loss)", "us-gaap:ComprehensiveIncomeNetOfTax", "comprehensive_income",
         dollars=True, total=True),
)  # fmt: skip

BALANCE = (
    Line("ASSETS", "", ""),
    Line("Cash and cash equivalents", "us-gaap:CashAndCashEquivalentsAtCarryingValue", "cash", dollars=True),
    Line("Marketable securities", "us-gaap:MarketableSecuritiesCurrent", "securities"),
    Line("Accounts receivable, net", "us-gaap:AccountsReceivableNetCurrent", "receivables"),
    Line("Inventory", "us-gaap:InventoryNet", "inventory"),
    Line("Other current assets", "us-gaap:OtherAssetsCurrent", "other_current"),
    Line("Total current assets", "us-gaap:AssetsCurrent", "current_assets", total=True),
    Line("Property, plant and equipment, net", "us-gaap:PropertyPlantAndEquipmentNet", "ppe"),
    Line("Goodwill", "us-gaap:Goodwill", "goodwill"),
    Line("Intangible assets, net", "us-gaap:FiniteLivedIntangibleAssetsNet", "intangibles"),
    Line("Other assets", "us-gaap:OtherAssetsNoncurrent", "other_assets"),
    Line("Total assets", "us-gaap:Assets", "assets", dollars=True, total=True),
    Line("LIABILITIES AND EQUITY", "", ""),
    Line("Accounts payable", "us-gaap:AccountsPayableCurrent", "payable", dollars=True),
    Line("Accrued liabilities", "us-gaap:AccruedLiabilitiesCurrent", "accrued"),
    Line("Contract liabilities", "us-gaap:ContractWithCustomerLiabilityCurrent", "deferred"),
    Line("Total current liabilities", "us-gaap:LiabilitiesCurrent", "current_liabilities", total=True),
    Line("Long-term debt", "us-gaap:LongTermDebtNoncurrent", "debt"),
    Line("Other liabilities", "us-gaap:OtherLiabilitiesNoncurrent", "other_liabilities"),
    Line("Total liabilities", "us-gaap:Liabilities", "liabilities", total=True),
    Line("Commitments and contingencies (Note 9)", "us-gaap:CommitmentsAndContingencies", "nil"),
    Line("Preferred stock, none issued", "us-gaap:PreferredStockValue", "zero"),
    Line("Common stock and paid-in capital", "us-gaap:CommonStocksIncludingAdditionalPaidInCapital", "paid_in"),
    Line("Retained earnings (accumulated deficit)", "us-gaap:RetainedEarningsAccumulatedDeficit", "retained"),
    Line("Accumulated other comprehensive income (loss)",
         "us-gaap:AccumulatedOtherComprehensiveIncomeLossNetOfTax", "aoci"),
    Line("Total equity", "us-gaap:StockholdersEquity", "equity", total=True),
    Line("Total liabilities and equity", "us-gaap:LiabilitiesAndStockholdersEquity", "liabilities_and_equity",
         dollars=True, total=True),
)  # fmt: skip

CASH = (
    Line("Operating activities:", "", ""),
    Line("Net income (loss)", "us-gaap:NetIncomeLoss", "net_income", dollars=True),
    Line("Depreciation and amortization", "us-gaap:DepreciationDepletionAndAmortization", "depreciation_amortization"),
    Line("Share-based compensation", "us-gaap:ShareBasedCompensation", "stock_compensation"),
    Line("Impairment", "us-gaap:AssetImpairmentCharges", "impairment"),
    Line("Accounts receivable", "us-gaap:IncreaseDecreaseInAccountsReceivable", "change_receivables", deduct=True),
    Line("Inventory", "us-gaap:IncreaseDecreaseInInventories", "change_inventory", deduct=True),
    Line("Accounts payable", "us-gaap:IncreaseDecreaseInAccountsPayable", "change_payable"),
    Line("Accrued liabilities", "us-gaap:IncreaseDecreaseInAccruedLiabilities", "change_accrued"),
    Line("Contract liabilities", "us-gaap:IncreaseDecreaseInContractWithCustomerLiability", "change_deferred"),
    Line("Cash from operating activities", "us-gaap:NetCashProvidedByUsedInOperatingActivities", "operating_cash",
         total=True),
    Line("Investing activities:", "", ""),
    Line("Purchases of securities", "us-gaap:PaymentsToAcquireMarketableSecurities", "purchases", deduct=True),
    Line("Proceeds from securities", "us-gaap:ProceedsFromSaleAndMaturityOfMarketableSecurities", "maturities"),
    Line("Capital spending", "us-gaap:PaymentsToAcquirePropertyPlantAndEquipment", "capital_spending", deduct=True),
    Line("Cash from investing activities", "us-gaap:NetCashProvidedByUsedInInvestingActivities", "investing_cash",
         total=True),
    Line("Financing activities:", "", ""),
    Line("Proceeds from long-term debt", "us-gaap:ProceedsFromIssuanceOfLongTermDebt", "debt_issued"),
    Line("Repayments of long-term debt", "us-gaap:RepaymentsOfLongTermDebt", "debt_repaid", deduct=True),
    Line("Dividends paid", "us-gaap:PaymentsOfDividends", "dividends", deduct=True),
    Line("Repurchases of common stock", "us-gaap:PaymentsForRepurchaseOfCommonStock", "buyback", deduct=True),
    Line("Cash from financing activities", "us-gaap:NetCashProvidedByUsedInFinancingActivities", "financing_cash",
         total=True),
    Line("Change in cash", "us-gaap:CashAndCashEquivalentsPeriodIncreaseDecrease", "net_cash", total=True),
)  # fmt: skip
