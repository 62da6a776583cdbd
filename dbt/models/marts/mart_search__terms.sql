-- In how many chunks each term stands.
select term, count(*) as chunks, sum(frequency)::bigint as occurrences
from {{ ref('mart_search__postings') }}
group by term
order by term
