-- Names that say whose price it is and whether it is adjusted; nothing is computed here.
select
    ticker, trade_date, currency, adj_method,
    open as raw_open, high as raw_high, low as raw_low, close as raw_close, volume as raw_volume,
    adj_open, adj_high, adj_low, adj_close, adj_volume, div_cash, split_factor,
    source, fetched_at, raw_sha256
from {{ source('lake', 'core_yahoo__eod_prices') }}
where organization_id is null
