select check_name, dataset, subject, on_date, detail, observed, expected, sentence, checked_at
from {{ source('lake', 'ops_salescience__quality_findings') }}
