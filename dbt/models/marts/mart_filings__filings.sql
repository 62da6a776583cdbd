-- One row per filing and filer, with what it amends, what amends it, and how much of it is stored.
with amended as (
    select amends_accession as accession, cik, max_by(accession, filing_date) as amended_by, count(*) as amendments
    from {{ ref('stg_sec__filings') }}
    where amends_accession is not null
    group by all
),
stored as (
    select accession, cik, count(*) as documents, sum(bytes) as document_bytes
    from {{ ref('stg_sec__documents') }}
    group by all
)
select
    f.cik, c.name as company, f.accession, f.form, f.base_form, f.is_amendment, f.amends_accession, a.amended_by,
    coalesce(a.amendments, 0) as amendments, f.filing_date, f.report_date, f.accepted_at,
    array_to_string(f.items, ', ') as items, f.primary_document, f.is_xbrl,
    coalesce(s.documents, 0) as stored_documents, coalesce(s.document_bytes, 0)::bigint as stored_bytes, f.url
from {{ ref('stg_sec__filings') }} as f
left join {{ ref('stg_sec__companies') }} as c on c.cik = f.cik
left join amended as a on a.accession = f.accession and a.cik = f.cik
left join stored as s on s.accession = f.accession and s.cik = f.cik
order by f.cik, f.filing_date
