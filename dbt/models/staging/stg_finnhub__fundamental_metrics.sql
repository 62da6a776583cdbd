-- Millions written out: the value in whole dollars and shares stands beside what the source gave.
select
    ticker, as_of_date, metric, period_type, period_end,
    case when unit in ('usd_m', 'shares_m') then value * 1000000 else value end as value,
    value_text,
    case unit when 'usd_m' then 'usd' when 'shares_m' then 'shares' else unit end as unit,
    value as source_value, unit as source_unit, source, fetched_at, raw_sha256
from {{ source('lake', 'core_finnhub__fundamental_metrics') }}
where organization_id is null
