-- Lineage: each price can be traced to the raw answer it was made of.
select *
from {{ ref('mart_prices__daily') }}
where tiingo_raw_sha256 is null and yahoo_raw_sha256 is null
