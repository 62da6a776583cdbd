-- What insiders did with their shares per company and month. Only purchases (P) and sales (S) on the market are a decision
-- about the price; grants, exercises and taxes are counted apart. Forms that were amended count once, as amended.
select
    t.issuer_cik, any_value(t.issuer) as issuer, date_trunc('month', t.trans_date)::date as activity_month,
    count(distinct t.owner_cik) filter (t.trans_code = 'P') as buyers,
    count(distinct t.owner_cik) filter (t.trans_code = 'S') as sellers,
    coalesce(sum(t.shares) filter (t.trans_code = 'P'), 0) as shares_bought,
    coalesce(sum(t.shares) filter (t.trans_code = 'S'), 0) as shares_sold,
    coalesce(sum(t.amount) filter (t.trans_code = 'P'), 0) as amount_bought,
    coalesce(sum(t.amount) filter (t.trans_code = 'S'), 0) as amount_sold,
    coalesce(sum(t.amount * case t.trans_code when 'P' then 1 when 'S' then -1 end), 0) as net_amount,
    count(*) filter (t.trans_code in ('P', 'S')) as market_transactions,
    count(*) filter (t.trans_code not in ('P', 'S')) as other_transactions,
    count(distinct t.accession) as filings
from {{ ref('mart_insiders__transactions') }} as t
where t.amended_by is null and t.trans_date is not null and t.transaction_table = 'ND'
group by t.issuer_cik, activity_month
order by t.issuer_cik, activity_month
