-- Events that companies told in current reports (8-K), item by item, with the words they told them in.
select
    e.cik, c.name as company, e.accession, e.filename, e.event_no, f.form, f.filing_date, f.report_date as event_date,
    e.item, e.title, e.text, e.confidence, e.src_start, e.src_end, e.raw_sha256
from {{ ref('stg_salescience__document_events') }} as e
join {{ ref('stg_sec__filings') }} as f on f.cik = e.cik and f.accession = e.accession
left join {{ ref('stg_sec__companies') }} as c on c.cik = e.cik
order by e.cik, f.filing_date, e.accession, e.event_no
