"""The concepts that fictional reports use: label and meaning of each, in our own words, as companyfacts prints them.

A table and nothing else; a report that uses a concept without a row here fails a test.
"""

from __future__ import annotations

_GAAP: dict[str, tuple[str, str]] = {
    "AccountsPayableCurrent": ("Accounts Payable, Current", "What is owed to suppliers and due within a year."),
    "AccountsReceivableNetCurrent": ("Accounts Receivable, Net, Current", "What customers owe, less expected losses."),
    "AccruedLiabilitiesCurrent": ("Accrued Liabilities, Current", "Costs incurred but not yet billed, due in a year."),
    "AccumulatedOtherComprehensiveIncomeLossNetOfTax": (
        "Accumulated Other Comprehensive Income (Loss), Net of Tax",
        "Gains and losses kept out of net income so far, after tax.",
    ),
    "AdjustmentsToAdditionalPaidInCapitalSharebasedCompensationRequisiteServicePeriodRecognitionValue": (
        "Paid-in Capital from Share-Based Compensation",
        "Rise of paid-in capital because of pay in shares.",
    ),
    "DividendsCommonStock": ("Dividends, Common Stock", "Dividends taken from retained earnings."),
    "StockRepurchasedAndRetiredDuringPeriodValue": ("Stock Repurchased and Retired", "Own shares bought, at cost."),
    "AmortizationOfIntangibleAssets": ("Amortization of Intangible Assets", "Cost of intangibles used up."),
    "Assets": ("Assets", "Everything the company owns that is recognised in the balance sheet."),
    "AssetsCurrent": ("Assets, Current", "Assets expected to turn into cash within a year."),
    "AssetImpairmentCharges": ("Asset Impairment Charges", "Write-down of assets to what can be recovered."),
    "CashAndCashEquivalentsAtCarryingValue": ("Cash and Cash Equivalents", "Cash and deposits available at once."),
    "CashAndCashEquivalentsPeriodIncreaseDecrease": ("Change in Cash and Cash Equivalents", "Change over the period."),
    "CommitmentsAndContingencies": ("Commitments and Contingencies", "A line that points to a note; it has no amount."),
    "CommonStockDividendsPerShareDeclared": ("Dividends Declared per Share", "Dividends declared on one share."),
    "CommonStockSharesAuthorized": ("Common Stock, Shares Authorized", "The most shares the charter allows."),
    "CommonStockSharesIssued": ("Common Stock, Shares Issued", "Shares issued so far."),
    "CommonStockSharesOutstanding": ("Common Stock, Shares Outstanding", "Shares held by others than the company."),
    "CommonStockParOrStatedValuePerShare": ("Common Stock, Par Value", "Par value of one share."),
    "CommonStocksIncludingAdditionalPaidInCapital": (
        "Common Stock and Additional Paid in Capital",
        "What owners have paid in, par value included.",
    ),
    "ComprehensiveIncomeNetOfTax": (
        "Comprehensive Income (Loss), Net of Tax",
        "Net income and other gains, after tax.",
    ),
    "ContractWithCustomerLiabilityCurrent": ("Contract Liability, Current", "Received for work due within a year."),
    "CostOfRevenue": ("Cost of Revenue", "What the goods and services sold have cost."),
    "DepreciationDepletionAndAmortization": ("Depreciation and Amortization", "Cost of long-lived assets used up."),
    "DebtInstrumentInterestRateStatedPercentage": ("Stated Interest Rate", "The rate in the contract."),
    "EarningsPerShareBasic": ("Earnings Per Share, Basic", "Net income for one weighted average share."),
    "EarningsPerShareDiluted": ("Earnings Per Share, Diluted", "The same with shares that may still be issued."),
    "EffectiveIncomeTaxRateContinuingOperations": ("Effective Income Tax Rate", "Income tax over income before tax."),
    "EffectiveIncomeTaxRateReconciliationAtFederalStatutoryIncomeTaxRate": (
        "Federal Statutory Income Tax Rate",
        "The rate of the law.",
    ),
    "FiniteLivedIntangibleAssetsNet": ("Finite-Lived Intangible Assets, Net", "Intangibles that are used up, net."),
    "Goodwill": ("Goodwill", "What was paid for acquired businesses beyond their identified assets."),
    "GrossProfit": ("Gross Profit", "Revenue less its cost."),
    "IncomeLossFromContinuingOperationsBeforeIncomeTaxesExtraordinaryItemsNoncontrollingInterest": (
        "Income (Loss) Before Income Taxes",
        "Income before tax.",
    ),
    "IncomeTaxExpenseBenefit": ("Income Tax Expense (Benefit)", "Tax on the income of the period."),
    "IncomeTaxesPaidNet": ("Income Taxes Paid, Net", "Tax paid in cash, less refunds."),
    "IncreaseDecreaseInAccountsPayable": ("Increase (Decrease) in Accounts Payable", "Change over the period."),
    "IncreaseDecreaseInAccountsReceivable": ("Increase (Decrease) in Accounts Receivable", "Change over the period."),
    "IncreaseDecreaseInAccruedLiabilities": ("Increase (Decrease) in Accrued Liabilities", "Change over the period."),
    "IncreaseDecreaseInContractWithCustomerLiability": (
        "Increase (Decrease) in Contract Liability",
        "Change over the period.",
    ),
    "IncreaseDecreaseInInventories": ("Increase (Decrease) in Inventories", "Change over the period."),
    "InterestExpense": ("Interest Expense", "Cost of borrowed money."),
    "InterestPaidNet": ("Interest Paid", "Interest paid in cash."),
    "InventoryNet": ("Inventory, Net", "Goods held for sale, at the lower of cost and what they bring."),
    "InventoryFinishedGoods": ("Inventory, Finished Goods", "Goods ready for sale."),
    "InventoryRawMaterials": ("Inventory, Raw Materials", "Goods to be worked up."),
    "Liabilities": ("Liabilities", "Everything the company owes."),
    "LiabilitiesAndStockholdersEquity": ("Liabilities and Equity", "Sum of what is owed and what belongs to owners."),
    "LiabilitiesCurrent": ("Liabilities, Current", "What is due within a year."),
    "LongTermDebtNoncurrent": ("Long-Term Debt, Noncurrent", "Borrowings due after a year."),
    "MarketableSecuritiesCurrent": ("Marketable Securities, Current", "Securities that may be sold within a year."),
    "NetCashProvidedByUsedInFinancingActivities": ("Net Cash from Financing", "Cash from owners and lenders, net."),
    "NetCashProvidedByUsedInInvestingActivities": ("Net Cash from Investing", "Cash from long-lived assets, net."),
    "NetCashProvidedByUsedInOperatingActivities": ("Net Cash from Operations", "Cash from the business, net."),
    "NetIncomeLoss": ("Net Income (Loss)", "What is left for owners after all costs and tax."),
    "OperatingExpenses": ("Operating Expenses", "Costs of running the business besides the cost of revenue."),
    "OperatingIncomeLoss": ("Operating Income (Loss)", "Gross profit less operating expenses."),
    "OtherAssetsCurrent": ("Other Assets, Current", "Small current assets."),
    "OtherAssetsNoncurrent": ("Other Assets, Noncurrent", "Small long-lived assets."),
    "OtherComprehensiveIncomeLossNetOfTax": ("Other Comprehensive Income (Loss)", "Gains kept out of net income."),
    "OtherLiabilitiesNoncurrent": ("Other Liabilities, Noncurrent", "Small long-term obligations."),
    "OtherNonoperatingIncomeExpense": ("Other Income (Expense), Net", "Income from outside the business, net."),
    "PaymentsForRepurchaseOfCommonStock": ("Payments for Repurchase of Common Stock", "Cash paid for own shares."),
    "PaymentsOfDividends": ("Payments of Dividends", "Cash paid to owners as dividends."),
    "PaymentsToAcquireMarketableSecurities": ("Payments to Acquire Securities", "Cash paid for securities."),
    "PaymentsToAcquirePropertyPlantAndEquipment": ("Capital Spending", "Cash paid for plant and equipment."),
    "PreferredStockValue": ("Preferred Stock, Value", "Value of preferred shares in issue."),
    "ProceedsFromIssuanceOfLongTermDebt": ("Proceeds from Long-Term Debt", "Cash borrowed for more than a year."),
    "ProceedsFromSaleAndMaturityOfMarketableSecurities": ("Proceeds from Securities", "Cash from securities."),
    "PropertyPlantAndEquipmentNet": ("Property, Plant and Equipment, Net", "Buildings and machines, less wear."),
    "PropertyPlantAndEquipmentGross": ("Property, Plant and Equipment, Gross", "Buildings and machines at cost."),
    "AccumulatedDepreciationDepletionAndAmortizationPropertyPlantAndEquipment": (
        "Accumulated Depreciation",
        "Wear of buildings and machines so far.",
    ),
    "RepaymentsOfLongTermDebt": ("Repayments of Long-Term Debt", "Cash paid back to lenders."),
    "ResearchAndDevelopmentExpense": ("Research and Development Expense", "Cost of research and development."),
    "RetainedEarningsAccumulatedDeficit": ("Retained Earnings (Accumulated Deficit)", "Income kept in the company."),
    "RevenueFromContractWithCustomerExcludingAssessedTax": (
        "Revenue from Contract with Customer, Excluding Assessed Tax",
        "Revenue from customers, without taxes collected for others.",
    ),
    "RevenueRemainingPerformanceObligation": ("Remaining Performance Obligation", "Agreed revenue still to come."),
    "RevenueRemainingPerformanceObligationPercentage": ("Remaining Obligation, Share", "Share of it in the period."),
    "SellingGeneralAndAdministrativeExpense": ("Selling, General and Administrative", "Cost of selling and offices."),
    "ShareBasedCompensation": ("Share-Based Compensation", "Pay in shares, a cost without cash."),
    "StockholdersEquity": ("Stockholders' Equity", "What belongs to the owners."),
    "WeightedAverageNumberOfDilutedSharesOutstanding": (
        "Diluted Shares, Weighted Average",
        "Shares and likely shares.",
    ),
    "WeightedAverageNumberOfSharesOutstandingBasic": ("Basic Shares, Weighted Average", "Shares over the period."),
}
_DEI: dict[str, tuple[str, str]] = {
    "EntityCommonStockSharesOutstanding": (
        "Entity Common Stock, Shares Outstanding",
        "Shares outstanding at the date on the cover page.",
    ),
    "EntityPublicFloat": ("Entity Public Float", "Market value of shares held by others than insiders."),
}

CONCEPTS: dict[str, tuple[str, str]] = {
    **{f"us-gaap:{name}": row for name, row in _GAAP.items()},
    **{f"dei:{name}": row for name, row in _DEI.items()},
}
"""Qualified name -> (label, meaning) of every numeric concept of a standard taxonomy that the reports use."""
