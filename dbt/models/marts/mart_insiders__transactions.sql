-- Transactions (not holdings) of insiders, with their value and sign; a form that was amended keeps its own rows and says
-- by which filing.
select
    i.issuer_cik, coalesce(c.name, '') as issuer, i.ticker, i.accession, i.form, f.amended_by, i.filing_date, i.owner_cik,
    i.owner_name, i.is_director, i.is_officer, i.is_ten_percent_owner, i.officer_title, i.transaction_table,
    i.line_no, i.security_title, i.trans_date, i.trans_code, i.acquired_disposed, i.shares, i.price,
    i.shares * i.price as amount,
    case i.acquired_disposed when 'A' then i.shares when 'D' then -i.shares end as signed_shares,
    i.shares_after, i.ownership
from {{ ref('stg_sec__insider_transactions') }} as i
left join {{ ref('stg_sec__companies') }} as c on c.cik = i.issuer_cik
left join {{ ref('mart_filings__filings') }} as f on f.accession = i.accession and f.cik = i.issuer_cik
where not i.is_holding
order by i.issuer_cik, i.trans_date, i.accession, i.transaction_table, i.line_no
