-- Who is what to whom: officers, directors, large owners, subsidiaries and auditors, as filings say it, once per relation
-- with the first and the last filing that did. Insiders come from their own forms, with their CIK; whoever signed a report of
-- the same company under the same first and last name is the same person, and others are known by their name.
with insiders as (
    select
        issuer_cik, {{ name_words('owner_name') }} as words, min('person:' || owner_cik) as entity_key
    from {{ ref('stg_sec__insider_transactions') }}
    group by all
    having count(distinct owner_cik) = 1 and len(words) > 1
),
said as (
    select
        coalesce(i.entity_key, s.entity_key) as subject_key, s.canonical_name as subject_name, s.entity_kind as subject_kind, r.predicate,
        o.entity_key as object_key, o.canonical_name as object_name, o.entity_cik as object_cik,
        nullif(r.relation_detail, '') as relation_detail, r.confidence, r.accession, r.filename, r.src_start, r.src_end,
        r.raw_sha256, f.filing_date, f.form
    from {{ ref('stg_salescience__document_relations') }} as r
    join {{ ref('stg_salescience__document_entities') }} as s
      on s.accession = r.accession and s.filename = r.filename and s.entity_no = r.subject_no
    join {{ ref('stg_salescience__document_entities') }} as o
      on o.accession = r.accession and o.filename = r.filename and o.entity_no = r.object_no
    join {{ ref('stg_sec__filings') }} as f on f.cik = r.cik and f.accession = r.accession
    left join insiders as i
      on i.issuer_cik = o.entity_cik and s.entity_kind = 'person' and s.entity_cik is null
     and i.words = {{ name_words('s.canonical_name') }}
    where r.predicate <> 'event'
    union all
    select
        'person:' || i.owner_cik, i.owner_name, 'person', role.predicate, 'company:' || i.issuer_cik, null, i.issuer_cik,
        role.detail, 1.0, i.accession, null, null, null, i.raw_sha256, i.filing_date, i.form
    from {{ ref('stg_sec__insider_transactions') }} as i,
    lateral (
        values ('officer_of', i.is_officer, i.officer_title), ('director_of', i.is_director, null),
            ('owner_of', i.is_ten_percent_owner, 'ten percent or more')
    ) as role (predicate, holds, detail)
    where role.holds
)
select
    s.subject_key, arg_max(s.subject_name, s.filing_date) as subject_name, any_value(s.subject_kind) as subject_kind,
    s.predicate, s.object_key, coalesce(any_value(c.name), arg_max(s.object_name, s.filing_date), s.object_key) as object_name,
    any_value(s.object_cik) as object_cik, arg_max(s.relation_detail, s.filing_date) as relation_detail,
    min(s.filing_date) as first_filed, max(s.filing_date) as last_filed, count(distinct s.accession) as filings,
    max(s.confidence) as confidence, arg_max(s.form, (s.filing_date, s.accession)) as form,
    arg_max(s.accession, (s.filing_date, s.accession)) as accession,
    arg_max(s.filename, (s.filing_date, s.accession)) as filename,
    arg_max(s.src_start, (s.filing_date, s.accession)) as src_start,
    arg_max(s.src_end, (s.filing_date, s.accession)) as src_end,
    arg_max(s.raw_sha256, (s.filing_date, s.accession)) as raw_sha256
from said as s
left join {{ ref('stg_sec__companies') }} as c on c.cik = s.object_cik
group by s.subject_key, s.predicate, s.object_key
order by s.object_key, s.predicate, s.subject_key
