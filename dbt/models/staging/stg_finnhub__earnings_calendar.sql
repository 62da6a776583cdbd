-- Names that say whose quarter it is: the company's own, which is not the calendar's that the surprises count by.
select
    ticker, report_date, as_of_date, hour as part_of_day, fiscal_year, fiscal_quarter, eps_estimate, eps_actual,
    revenue_estimate, revenue_actual, source, fetched_at, raw_sha256
from {{ source('lake', 'core_finnhub__earnings_calendar') }}
where organization_id is null
