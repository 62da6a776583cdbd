-- Each metric and period as it was last read, in whole dollars and shares; moments keep one row per day of reading.
select
    ticker, metric, period_type, period_end, value, value_text, unit, source_value, source_unit, as_of_date,
    fetched_at as known_from, source, raw_sha256
from {{ ref('stg_finnhub__fundamental_metrics') }}
qualify row_number() over (
    partition by ticker, metric, period_type, period_end order by as_of_date desc, fetched_at desc
) = 1
order by ticker, metric, period_end
