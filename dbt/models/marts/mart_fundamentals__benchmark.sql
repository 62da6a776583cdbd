-- Each company beside the others of its industry (SIC code), per fiscal year: margins and growth as they are known now, with
-- the median of the industry and the company's rank in it.
with current_values as (
    select cik, statement, line, period_start, period_end, value
    from {{ ref('mart_fundamentals__statements') }}
    where known_until is null and unit = 'USD'
),
years as (
    select
        cik, period_end,
        max(value) filter (line = 'Revenue') as revenue,
        max(value) filter (line = 'Gross profit') as gross_profit,
        max(value) filter (line = 'Operating income') as operating_income,
        max(value) filter (line = 'Net income') as net_income
    from current_values
    where statement = 'income' and date_diff('day', period_start, period_end) between 340 and 390
    group by all
),
figures as (
    select
        y.cik, c.name as company, c.sic, c.sic_description, y.period_end, year(y.period_end)::bigint as period_year,
        y.revenue,
        y.gross_profit / nullif(y.revenue, 0) as gross_margin,
        y.operating_income / nullif(y.revenue, 0) as operating_margin,
        y.net_income / nullif(y.revenue, 0) as net_margin,
        y.revenue / nullif(lag(y.revenue) over (partition by y.cik order by y.period_end), 0) - 1 as revenue_growth
    from years as y
    join {{ ref('stg_sec__companies') }} as c on c.cik = y.cik
    where c.sic is not null and y.revenue is not null
    -- A company that moved the end of its year may have two ends in one: the later one counts.
    qualify row_number() over (partition by y.cik, year(y.period_end) order by y.period_end desc) = 1
)
select
    f.*,
    count(*) over industry as companies,
    median(f.operating_margin) over industry as industry_operating_margin,
    median(f.net_margin) over industry as industry_net_margin,
    median(f.revenue_growth) over industry as industry_revenue_growth,
    rank() over (partition by f.sic, f.period_year order by f.revenue desc) as revenue_rank
from figures as f
window industry as (partition by f.sic, f.period_year)
order by f.sic, f.period_year, f.revenue desc
