-- One row per ticker and day, the sources side by side: a day that only one of them knows is kept, with the other null.
-- Raw and adjusted series, and the two methods of adjustment, are never mixed: each has columns of its own. The company is
-- the one that had the ticker on the day: a recycled ticker has two of them, a renamed company two tickers.
with holders as (
    select ticker, cik, case when is_current then date '9999-12-31' else last_seen_on end as held_until
    from {{ ref('stg_sec__company_tickers') }}
    qualify row_number() over (partition by ticker, held_until order by first_seen_on desc, cik) = 1
),
prices as (
select
    coalesce(t.ticker, y.ticker) as ticker,
    coalesce(t.trade_date, y.trade_date) as trade_date,
    coalesce(t.currency, y.currency) as currency,
    coalesce(t.raw_open, y.raw_open) as open,
    coalesce(t.raw_high, y.raw_high) as high,
    coalesce(t.raw_low, y.raw_low) as low,
    coalesce(t.raw_close, y.raw_close) as close,
    coalesce(t.raw_volume, y.raw_volume) as volume,
    coalesce(t.div_cash, y.div_cash) as div_cash,
    coalesce(t.split_factor, y.split_factor) as split_factor,
    case when t.ticker is not null and y.ticker is not null then 'tiingo+yahoo'
         when t.ticker is not null then 'tiingo' else 'yahoo' end as sources,
    t.raw_close as tiingo_close,
    t.adj_close as tiingo_adj_close,
    y.raw_close as yahoo_close,
    y.adj_close as yahoo_adj_close,
    t.raw_sha256 as tiingo_raw_sha256,
    y.raw_sha256 as yahoo_raw_sha256
from {{ ref('stg_tiingo__eod_prices') }} as t
full join {{ ref('stg_yahoo__eod_prices') }} as y
    on t.ticker = y.ticker and t.trade_date = y.trade_date
)
select p.ticker, h.cik, p.* exclude (ticker)
from prices as p
asof left join holders as h on p.ticker = h.ticker and p.trade_date <= h.held_until
order by p.ticker, p.trade_date
