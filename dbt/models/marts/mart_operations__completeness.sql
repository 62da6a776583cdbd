-- Per dataset and status: how many subjects, and the newest check; the rows behind it stand in staging.
select
    dataset, status, count(*) as subjects, sum(row_count)::bigint as row_count, min(first_date) as first_date,
    max(last_date) as last_date, max(checked_at) as checked_at
from {{ ref('stg_salescience__completeness') }}
group by dataset, status
order by dataset, status
