-- Each value of a fact with the days on which it was the newest one known: what was known on day D is
-- `known_from <= D and (known_until is null or D < known_until)`. SEC's `frame` marks the last filed value and would look
-- ahead, so it is not used. A value that is filed again unchanged does not end its own validity.
with by_filing as (
    select * from {{ ref('stg_sec__facts') }}
    -- The same filing may report a fact twice; its last line is not better than its first, the accession order decides.
    qualify row_number() over (
        partition by cik, taxonomy, concept, unit, period_start, period_end, filed order by accession desc
    ) = 1
),
changes as (
    select * from by_filing
    window same_fact as (
        partition by cik, taxonomy, concept, unit, period_start, period_end order by filed, accession
    )
    qualify value is distinct from lag(value) over same_fact or row_number() over same_fact = 1
)
select
    f.cik, c.name as company, f.taxonomy, f.concept, f.label, f.unit, f.period_start, f.period_end,
    coalesce(date_diff('day', f.period_start, f.period_end) + 1, 0) as period_days,
    f.value, f.form, f.accession, f.filed as known_from,
    lead(f.filed) over same_fact as known_until,
    row_number() over same_fact - 1 as restatement
from changes as f
left join {{ ref('stg_sec__companies') }} as c on c.cik = f.cik
window same_fact as (
    partition by f.cik, f.taxonomy, f.concept, f.unit, f.period_start, f.period_end order by f.filed, f.accession
)
order by f.cik, f.taxonomy, f.concept, f.period_end
