-- A bar contains its own open and close, to half a cent of rounding.
select *
from {{ ref('mart_prices__daily') }}
where high + 0.005 < greatest(open, close, low) or low - 0.005 > least(open, close, high) or volume < 0
