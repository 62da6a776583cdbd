-- Shared market data only: rows that belong to one organisation never reach a shared mart.
select * exclude (organization_id, run_id)
from {{ source('lake', 'doc_salescience__chunks') }}
where organization_id is null
