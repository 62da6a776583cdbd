-- Each risk factor of a report that is compared stands in exactly one row, and so does each of the report before.
with compared as (
    select distinct cik, accession, previous_accession from {{ ref('mart_documents__risk_changes') }}
),
expected as (
    select
        p.cik, p.accession,
        (select count(*) from {{ ref('stg_salescience__document_risk_factors') }} as r where r.cik = p.cik and r.accession = p.accession) as newer,
        (select count(*) from {{ ref('stg_salescience__document_risk_factors') }} as r where r.cik = p.cik and r.accession = p.previous_accession) as older
    from compared as p
),
told as (
    select
        cik, accession, count(*) filter (change <> 'removed') as newer, count(*) filter (change <> 'added') as older
    from {{ ref('mart_documents__risk_changes') }}
    group by all
)
select *
from expected as e
join told as t on t.cik = e.cik and t.accession = e.accession
where e.newer <> t.newer or e.older <> t.older
