-- What ready schemas found in filings: a value per row, typed where it is a number, with the bytes that it was read from.
select
    x.cik, c.name as company, x.accession, x.filename, f.form, f.filing_date, f.report_date, x.schema_name, x.json_path,
    x.value_json, try_cast(x.value_json as double) as value, x.read_from, x.confidence, x.page, x.src_start, x.src_end,
    x.schema_sha256, x.raw_sha256
from {{ ref('stg_salescience__document_extractions') }} as x
join {{ ref('stg_sec__filings') }} as f on f.cik = x.cik and f.accession = x.accession
left join {{ ref('stg_sec__companies') }} as c on c.cik = x.cik
order by x.cik, f.filing_date, x.accession, x.schema_name, x.json_path
