-- Pieces of filings to search in, with what they can be filtered by. `search_filings('words')` ranks them.
with symbols as (
    select cik, min(ticker) as ticker
    from {{ ref('stg_sec__company_tickers') }}
    where is_current
    group by cik
)
select
    row_number() over (order by x.cik, f.filing_date, x.accession, x.filename, x.chunk_no) as chunk_id,
    x.cik, t.ticker, c.name as company, x.accession, x.filename, x.chunk_no, f.form, f.filing_date, s.item, x.page, x.text,
    len({{ search_terms('x.text') }})::integer as term_count, x.src_start, x.src_end, x.raw_sha256
from {{ ref('stg_salescience__document_chunks') }} as x
join {{ ref('stg_sec__filings') }} as f on f.cik = x.cik and f.accession = x.accession
left join {{ ref('stg_salescience__document_sections') }} as s
  on s.accession = x.accession and s.filename = x.filename and s.section_no = x.section_no
left join {{ ref('stg_sec__companies') }} as c on c.cik = x.cik
left join symbols as t on t.cik = x.cik
order by chunk_id
