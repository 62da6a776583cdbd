-- The newest quote of each ticker, by the moment of the trade and not of the poll.
select
    ticker, quote_ts, trade_date, price, change, change_pct, day_open, day_high, day_low, prev_close, polled_at, source,
    raw_sha256
from {{ ref('stg_finnhub__quotes') }}
qualify row_number() over (partition by ticker order by quote_ts desc, polled_at desc) = 1
order by ticker
