-- What became of each risk factor from one annual report to the next: the same, reworded, new or gone. Two are the same one
-- when they have the same title; of the others those that share at least 60 % of their words, each with its nearest.
with risks as (
    select
        r.cik, f.base_form, f.filing_date, r.accession, r.filename, r.risk_no, r.risk_group, r.title, r.text_length,
        r.confidence, r.src_start, r.src_end, r.raw_sha256,
        trim(regexp_replace(lower(r.title), '[^a-z0-9]+', ' ', 'g')) as title_key,
        regexp_replace(r.text, '\s+', ' ', 'g') as body,
        list_distinct(regexp_extract_all(lower(r.title || ' ' || r.text), '\w+')) as words
    from {{ ref('stg_salescience__document_risk_factors') }} as r
    join {{ ref('stg_sec__filings') }} as f on f.cik = r.cik and f.accession = r.accession
    where f.base_form in ('10-K', '20-F', '40-F') and not f.is_amendment
),
numbered as (
    -- A title that stands twice in one report meets its namesakes in order.
    select *, row_number() over (partition by cik, accession, title_key order by filename, risk_no) as namesake
    from risks
),
reports as (
    select
        cik, accession, filing_date,
        lag(accession) over previous as previous_accession, lag(filing_date) over previous as previous_filing_date
    from (select distinct cik, base_form, accession, filing_date from risks)
    window previous as (partition by cik, base_form order by filing_date, accession)
    qualify previous_accession is not null
),
same_title as (
    select p.cik, p.accession, n.filename, n.risk_no, o.filename as old_filename, o.risk_no as old_risk_no
    from reports as p
    join numbered as n on n.cik = p.cik and n.accession = p.accession
    join numbered as o
      on o.cik = p.cik and o.accession = p.previous_accession and o.title_key = n.title_key and o.namesake = n.namesake
),
likeness as (
    select
        p.cik, p.accession, n.filename, n.risk_no, o.filename as old_filename, o.risk_no as old_risk_no,
        2.0 * len(list_intersect(n.words, o.words)) / (len(n.words) + len(o.words)) as share
    from reports as p
    join numbered as n on n.cik = p.cik and n.accession = p.accession
    join numbered as o on o.cik = p.cik and o.accession = p.previous_accession
    anti join same_title as a on a.accession = p.accession and a.cik = p.cik and a.filename = n.filename and a.risk_no = n.risk_no
    anti join same_title as b
      on b.accession = p.accession and b.cik = p.cik and b.old_filename = o.filename and b.old_risk_no = o.risk_no
),
reworded as (
    select cik, accession, filename, risk_no, old_filename, old_risk_no
    from likeness
    where share >= 0.6
    qualify row_number() over (partition by cik, accession, filename, risk_no order by share desc, old_filename, old_risk_no) = 1
        and row_number() over (partition by cik, accession, old_filename, old_risk_no order by share desc, filename, risk_no) = 1
),
pairs as (
    from same_title union all from reworded
),
changes as (
    select
        r.cik, r.accession, n.filename, n.risk_no, r.previous_accession, o.filename as previous_filename,
        o.risk_no as previous_risk_no,
        case when n.title_key = o.title_key and n.body = o.body then 'unchanged' else 'reworded' end as change,
        2.0 * len(list_intersect(n.words, o.words)) / (len(n.words) + len(o.words)) as similarity
    from pairs as p
    join reports as r on r.cik = p.cik and r.accession = p.accession
    join numbered as n
      on n.cik = p.cik and n.accession = r.accession and n.filename = p.filename and n.risk_no = p.risk_no
    join numbered as o
      on o.cik = p.cik and o.accession = r.previous_accession and o.filename = p.old_filename and o.risk_no = p.old_risk_no
    union all
    select r.cik, r.accession, n.filename, n.risk_no, r.previous_accession, null, null, 'added', null
    from reports as r
    join numbered as n on n.cik = r.cik and n.accession = r.accession
    anti join pairs as p
      on p.cik = r.cik and p.accession = r.accession and p.filename = n.filename and p.risk_no = n.risk_no
    union all
    select r.cik, r.accession, null, null, r.previous_accession, o.filename, o.risk_no, 'removed', null
    from reports as r
    join numbered as o on o.cik = r.cik and o.accession = r.previous_accession
    anti join pairs as p
      on p.cik = r.cik and p.accession = r.accession and p.old_filename = o.filename and p.old_risk_no = o.risk_no
)
select
    x.cik, c.name as company, coalesce(n.base_form, o.base_form) as form, r.filing_date, x.accession, r.previous_filing_date,
    x.previous_accession, x.change, coalesce(n.title, o.title) as title,
    case when o.title <> n.title then o.title end as previous_title, coalesce(n.risk_group, o.risk_group) as risk_group,
    round(x.similarity, 4) as similarity, n.text_length, o.text_length as previous_text_length,
    least(n.confidence, o.confidence) as confidence, x.filename, x.risk_no, n.src_start, n.src_end, x.previous_filename,
    x.previous_risk_no, o.src_start as previous_src_start, o.src_end as previous_src_end,
    coalesce(n.raw_sha256, o.raw_sha256) as raw_sha256
from changes as x
join reports as r on r.cik = x.cik and r.accession = x.accession
left join {{ ref('stg_sec__companies') }} as c on c.cik = x.cik
left join numbered as n
  on n.cik = x.cik and n.accession = x.accession and n.filename = x.filename and n.risk_no = x.risk_no
left join numbered as o
  on o.cik = x.cik and o.accession = x.previous_accession and o.filename = x.previous_filename
 and o.risk_no = x.previous_risk_no
order by x.cik, r.filing_date, x.accession, x.risk_no nulls last, x.previous_risk_no
