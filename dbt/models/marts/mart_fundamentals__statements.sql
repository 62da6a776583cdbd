-- The lines of the three financial statements per company and period, as each filing reported them, with the days on which
-- that was the newest value known: `known_from <= D and (known_until is null or D < known_until)` is what was known on day D.
-- Only facts without dimensions count: they are the consolidated figures.
with lines (statement, line_no, line, concept, preference) as (
    values
        ('income', 1, 'Revenue', 'RevenueFromContractWithCustomerExcludingAssessedTax', 1),
        ('income', 1, 'Revenue', 'Revenues', 2),
        ('income', 1, 'Revenue', 'SalesRevenueNet', 3),
        ('income', 1, 'Revenue', 'RevenueFromContractWithCustomerIncludingAssessedTax', 4),
        ('income', 2, 'Cost of revenue', 'CostOfRevenue', 1),
        ('income', 2, 'Cost of revenue', 'CostOfGoodsAndServicesSold', 2),
        ('income', 3, 'Gross profit', 'GrossProfit', 1),
        ('income', 4, 'Research and development', 'ResearchAndDevelopmentExpense', 1),
        ('income', 5, 'Selling, general and administrative', 'SellingGeneralAndAdministrativeExpense', 1),
        ('income', 6, 'Operating expenses', 'OperatingExpenses', 1),
        ('income', 7, 'Operating income', 'OperatingIncomeLoss', 1),
        ('income', 8, 'Interest expense', 'InterestExpense', 1),
        ('income', 9, 'Income before taxes',
            'IncomeLossFromContinuingOperationsBeforeIncomeTaxesExtraordinaryItemsNoncontrollingInterest', 1),
        ('income', 9, 'Income before taxes',
            'IncomeLossFromContinuingOperationsBeforeIncomeTaxesMinorityInterestAndIncomeLossFromEquityMethodInvestments', 2),
        ('income', 10, 'Income taxes', 'IncomeTaxExpenseBenefit', 1),
        ('income', 11, 'Net income', 'NetIncomeLoss', 1),
        ('income', 11, 'Net income', 'ProfitLoss', 2),
        ('income', 12, 'Earnings per share, basic', 'EarningsPerShareBasic', 1),
        ('income', 13, 'Earnings per share, diluted', 'EarningsPerShareDiluted', 1),
        ('balance', 1, 'Cash and cash equivalents', 'CashAndCashEquivalentsAtCarryingValue', 1),
        ('balance', 2, 'Receivables', 'AccountsReceivableNetCurrent', 1),
        ('balance', 3, 'Inventories', 'InventoryNet', 1),
        ('balance', 4, 'Current assets', 'AssetsCurrent', 1),
        ('balance', 5, 'Property, plant and equipment', 'PropertyPlantAndEquipmentNet', 1),
        ('balance', 6, 'Goodwill', 'Goodwill', 1),
        ('balance', 7, 'Total assets', 'Assets', 1),
        ('balance', 8, 'Payables', 'AccountsPayableCurrent', 1),
        ('balance', 9, 'Current liabilities', 'LiabilitiesCurrent', 1),
        ('balance', 10, 'Long-term debt', 'LongTermDebtNoncurrent', 1),
        ('balance', 11, 'Total liabilities', 'Liabilities', 1),
        ('balance', 12, 'Retained earnings', 'RetainedEarningsAccumulatedDeficit', 1),
        ('balance', 13, 'Equity', 'StockholdersEquity', 1),
        ('balance', 13, 'Equity', 'StockholdersEquityIncludingPortionAttributableToNoncontrollingInterest', 2),
        ('balance', 14, 'Liabilities and equity', 'LiabilitiesAndStockholdersEquity', 1),
        ('cash flow', 1, 'Cash from operations', 'NetCashProvidedByUsedInOperatingActivities', 1),
        ('cash flow', 2, 'Capital expenditure', 'PaymentsToAcquirePropertyPlantAndEquipment', 1),
        ('cash flow', 3, 'Cash from investing', 'NetCashProvidedByUsedInInvestingActivities', 1),
        ('cash flow', 4, 'Dividends paid', 'PaymentsOfDividends', 1),
        ('cash flow', 4, 'Dividends paid', 'PaymentsOfDividendsCommonStock', 2),
        ('cash flow', 5, 'Share repurchases', 'PaymentsForRepurchaseOfCommonStock', 1),
        ('cash flow', 6, 'Cash from financing', 'NetCashProvidedByUsedInFinancingActivities', 1)
),
reported as (
    select
        x.cik, l.statement, l.line_no, l.line, x.concept, x.period_start, x.period_end, x.unit, x.value, x.exact_value,
        f.form, f.accession, f.filing_date, x.filename, x.fact_no, x.src_start, x.src_end, x.raw_sha256
    from {{ ref('stg_salescience__document_facts') }} as x
    join lines as l on l.concept = x.concept and x.taxonomy = 'us-gaap'
    join {{ ref('stg_sec__filings') }} as f on f.cik = x.cik and f.accession = x.accession
    where x.dimensions = '{}' and x.value is not null and x.period_end is not null and x.unit is not null
    -- A filing may show a figure in several places and roundings; a day may bring an amendment beside its original.
    qualify row_number() over (
        partition by x.cik, l.statement, l.line_no, x.period_start, x.period_end, x.unit, f.filing_date
        order by f.accession desc, l.preference,
            case when x.decimals = 'INF' then 99 else try_cast(x.decimals as integer) end desc nulls last, x.fact_no
    ) = 1
),
changes as (
    select * from reported
    window same_line as (
        partition by cik, statement, line_no, period_start, period_end, unit order by filing_date, accession
    )
    qualify value is distinct from lag(value) over same_line or row_number() over same_line = 1
)
select
    r.cik, c.name as company, r.statement, r.line_no, r.line, r.concept, r.period_start, r.period_end,
    case when r.period_start is null then 0 else round(date_diff('day', r.period_start, r.period_end) / 30.4)::integer end
        as period_months,
    r.unit, r.value, r.exact_value, r.form, r.accession, r.filing_date as known_from,
    lead(r.filing_date) over same_line as known_until,
    row_number() over same_line - 1 as restatement,
    r.filename, r.fact_no, r.src_start, r.src_end, r.raw_sha256
from changes as r
left join {{ ref('stg_sec__companies') }} as c on c.cik = r.cik
window same_line as (
    partition by r.cik, r.statement, r.line_no, r.period_start, r.period_end, r.unit order by r.filing_date, r.accession
)
order by r.cik, r.statement, r.period_end, r.line_no
