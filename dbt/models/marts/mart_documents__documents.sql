-- One row per document that was processed: what was found in it, how sure that is, or why it was refused.
select
    d.cik, c.name as company, d.accession, d.filename, d.form, f.filing_date, f.report_date, d.document_type,
    d.document_role, d.exhibit_number, d.exhibit_kind, d.status,
    d.error_name, d.reason, d.kind, d.detected_form, d.backend, d.credits, d.parser_version, d.bytes, d.pages,
    d.block_count, d.table_count, d.cell_count, d.fact_count, d.fact_problem_count, d.section_count, d.chunk_count,
    d.lowest_confidence, coalesce(d.lowest_confidence < 0.7, false) as needs_a_look, d.raw_sha256
from {{ ref('stg_salescience__documents') }} as d
left join {{ ref('stg_sec__filings') }} as f on f.cik = d.cik and f.accession = d.accession
left join {{ ref('stg_sec__companies') }} as c on c.cik = d.cik
order by d.cik, f.filing_date, d.accession, d.filename
