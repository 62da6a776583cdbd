-- Per check and subject: how much was found, when it began and when it was last so, and the newest finding in words.
select
    check_name, dataset, subject, count(*) as findings, min(on_date) as first_date, max(on_date) as last_date,
    arg_max(sentence, on_date) as newest_finding, max(checked_at) as checked_at
from {{ ref('stg_salescience__quality_findings') }}
group by check_name, dataset, subject
order by check_name, dataset, subject
