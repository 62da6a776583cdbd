-- Every number of a filing's XBRL with its line of descent: the cell that shows it, the words beside and above that cell, the
-- item it belongs to, and its bytes in the document as filed.
with cells as (
    select * from {{ ref('stg_salescience__document_cells') }}
),
row_labels as (
    select accession, filename, table_no, row_no, arg_min(text, column_no) as row_label
    from cells
    where not is_header and shown_value is null
    group by all
),
column_labels as (
    select
        b.accession, b.filename, b.table_no, b.cell_no, string_agg(h.text, ' / ' order by h.row_no, h.column_no) as column_label
    from cells as b
    join cells as h
      on h.accession = b.accession and h.filename = b.filename and h.table_no = b.table_no and h.is_header
     and h.column_no <= b.column_no and b.column_no < h.column_no + h.colspan and h.column_no > 0
    where not b.is_header
    group by all
)
select
    x.cik, c.name as company, x.accession, x.filename, x.fact_no, f.form, f.filing_date,
    x.taxonomy, x.concept, x.period_start, x.period_end, x.dimensions, x.unit, x.value, x.exact_value, x.decimals,
    x.is_hidden, case when x.src_start < s.src_end then s.item end as item, x.table_no, x.cell_no, cells.text as cell_text, r.row_label, h.column_label,
    x.src_start, x.src_end, x.raw_sha256
from {{ ref('stg_salescience__document_facts') }} as x
join {{ ref('stg_sec__filings') }} as f on f.cik = x.cik and f.accession = x.accession
left join {{ ref('stg_sec__companies') }} as c on c.cik = x.cik
left join cells
  on cells.accession = x.accession and cells.filename = x.filename and cells.table_no = x.table_no
 and cells.cell_no = x.cell_no
left join row_labels as r
  on r.accession = x.accession and r.filename = x.filename and r.table_no = x.table_no and r.row_no = cells.row_no
left join column_labels as h
  on h.accession = x.accession and h.filename = x.filename and h.table_no = x.table_no and h.cell_no = x.cell_no
asof left join (
    select accession, filename, item, src_start, src_end
    from {{ ref('stg_salescience__document_sections') }}
    qualify row_number() over (partition by accession, filename, src_start order by section_no) = 1
) as s
  on s.accession = x.accession and s.filename = x.filename and s.src_start <= x.src_start
where x.value is not null
order by x.cik, f.filing_date, x.accession, x.fact_no
