-- A line of a statement is never replaced before it was known, and never known before its period has ended.
select *
from {{ ref('mart_fundamentals__statements') }}
where known_until <= known_from or known_from < period_end
