-- Which term stands in which chunk, and how often: sorted by term, so that a query reads only the rows of its own words.
select term, chunk_id, count(*)::integer as frequency
from (select chunk_id, unnest({{ search_terms('text') }}) as term from {{ ref('mart_search__chunks') }})
group by term, chunk_id
order by term, chunk_id
