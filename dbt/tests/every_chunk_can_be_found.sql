-- The terms of a chunk are all in the postings, each as often as it stands there.
select c.chunk_id
from {{ ref('mart_search__chunks') }} as c
left join (select chunk_id, sum(frequency) as terms from {{ ref('mart_search__postings') }} group by all) as p
  on p.chunk_id = c.chunk_id
where c.term_count <> coalesce(p.terms, 0)
