-- A value is never replaced before it was known, and no two values of one fact are valid on the same day.
select *
from {{ ref('mart_fundamentals__facts') }}
where known_until <= known_from
