-- One row per ticker that is followed or listed now, with what SEC and Yahoo know of the company.
with newest_profile as (
    select * from {{ ref('stg_yahoo__company_profiles') }}
    qualify row_number() over (partition by ticker order by as_of_date desc) = 1
)
select
    t.ticker, t.cik, coalesce(c.name, t.name) as name, t.exchange, c.sic, c.sic_description, p.sector, p.industry,
    c.state_of_incorporation, c.fiscal_year_end, p.country, p.market_cap, p.shares_outstanding,
    array_to_string(c.former_names, '; ') as former_names, t.is_current
from {{ ref('stg_sec__company_tickers') }} as t
left join {{ ref('stg_sec__companies') }} as c on c.cik = t.cik
left join newest_profile as p on p.ticker = t.ticker
qualify row_number() over (partition by t.ticker order by t.is_current desc, t.last_seen_on desc, t.cik) = 1
order by t.ticker
