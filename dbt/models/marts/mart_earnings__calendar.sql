-- One row per company and fiscal quarter as it was last read; how often its date moved is told by the readings before, all of
-- which stay in staging. A report whose quarter the source leaves away stands for itself.
with readings as (
    select *, coalesce(fiscal_year || 'Q' || fiscal_quarter, report_date::varchar) as quarter
    from {{ ref('stg_finnhub__earnings_calendar') }}
),
changes as (
    select
        ticker, quarter, count(distinct report_date) - 1 as times_moved, min(as_of_date) as first_read_on,
        arg_min(report_date, (as_of_date, fetched_at)) as first_report_date, count(distinct as_of_date) as readings
    from readings
    group by ticker, quarter
)
select
    r.ticker, r.quarter, r.fiscal_year, r.fiscal_quarter, r.report_date, r.part_of_day, r.eps_estimate, r.eps_actual,
    round(r.eps_actual - r.eps_estimate, 6) as eps_surprise, r.revenue_estimate, r.revenue_actual,
    r.eps_actual is not null as is_reported, c.first_report_date, c.times_moved, c.first_read_on, c.readings,
    r.as_of_date, r.raw_sha256
from readings as r
join changes as c on c.ticker = r.ticker and c.quarter = r.quarter
-- A day further ahead is the newer word when one reading holds both.
qualify row_number() over (
    partition by r.ticker, r.quarter order by r.as_of_date desc, r.fetched_at desc, r.report_date desc
) = 1
order by r.ticker, r.report_date
