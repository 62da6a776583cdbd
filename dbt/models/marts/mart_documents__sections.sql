-- One row per item of a filing: its text, how sure it is, and where it stands in the document as filed.
select
    s.cik, c.name as company, s.accession, s.filename, s.section_no, f.form, f.filing_date, f.report_date,
    s.part, s.item, s.title, s.canonical_title, s.text, s.text_length,
    s.text_length - lag(s.text_length) over same_item as text_length_change,
    s.detection, s.confidence, s.confidence_reason, s.is_incorporated_by_reference,
    s.src_start, s.src_end, s.raw_sha256
from {{ ref('stg_salescience__document_sections') }} as s
join {{ ref('stg_sec__filings') }} as f on f.cik = s.cik and f.accession = s.accession
left join {{ ref('stg_sec__companies') }} as c on c.cik = s.cik
window same_item as (
    partition by s.cik, f.base_form, s.part, s.item order by f.filing_date, s.accession, s.filename, s.section_no
)
order by s.cik, f.filing_date, s.accession, s.section_no
