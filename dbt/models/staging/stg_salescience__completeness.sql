select dataset, partition, subject, status, reason, "rows" as row_count, first_date, last_date, checked_at
from {{ source('lake', 'ops_salescience__completeness') }}
