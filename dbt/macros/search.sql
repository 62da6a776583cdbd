{#- The words of a text that search knows: lower case, without accents, common endings cut off. The same for texts and for
    queries, and free of extensions, which would have to be downloaded. -#}
{% macro search_terms(text) -%}
list_transform(
    list_filter(
        regexp_extract_all(strip_accents(lower({{ text }})), '[a-z][a-z]+|[0-9]{4}'),
        lambda word: word not in ('the', 'of', 'and', 'to', 'in', 'or', 'for', 'as', 'our', 'we', 'on', 'by', 'are', 'is',
            'that', 'with', 'at', 'from', 'an', 'be', 'this', 'its', 'it', 'was', 'were', 'which', 'has', 'have')
    ),
    lambda word: regexp_replace(word, '^(.{4,}?)(?:ations|ation|ments|ment|ings|ing|ies|ied|ed|es|s|ly)$', '\1')
)
{%- endmacro %}

{#- `select * from search_filings('goodwill impairment', hits := 5, of_ticker := 'ABC')`: BM25 (Robertson and Zaragoza 2009,
    k1 = 1.2, b = 0.75) over the postings. DuckDB looks at what a macro reads when it is made, so it is made last. -#}
{% macro create_search() -%}
{%- set chunks = load_relation(ref('mart_search__chunks')) -%}
{%- set postings = load_relation(ref('mart_search__postings')) -%}
{%- set terms = load_relation(ref('mart_search__terms')) -%}
{%- if execute and chunks is not none and postings is not none and terms is not none -%}
create or replace macro {{ target.schema }}.search_filings(
    words, hits := 10, of_ticker := null, of_form := null, of_item := null, filed_from := null, filed_until := null
) as table
with asked as (
    select distinct unnest({{ search_terms('words') }}) as term
),
size as (
    select count(*) as chunks, avg(term_count) as mean from {{ chunks }}
),
ranked as (
    select
        p.chunk_id,
        sum(
            ln(1 + (size.chunks - t.chunks + 0.5) / (t.chunks + 0.5))
            * p.frequency * 2.2 / (p.frequency + 1.2 * (0.25 + 0.75 * c.term_count / size.mean))
        ) as score
    from asked
    join {{ terms }} as t on t.term = asked.term
    join {{ postings }} as p on p.term = asked.term
    join {{ chunks }} as c on c.chunk_id = p.chunk_id
    cross join size
    where (of_ticker is null or c.ticker = of_ticker) and (of_form is null or c.form = of_form)
        and (of_item is null or c.item = of_item) and (filed_from is null or c.filing_date >= filed_from::date)
        and (filed_until is null or c.filing_date <= filed_until::date)
    group by p.chunk_id
    order by score desc, p.chunk_id
    limit hits
)
select
    round(r.score, 4) as score, c.ticker, c.company, c.form, c.item, c.filing_date, c.accession, c.filename, c.page, c.text,
    c.src_start, c.src_end
from ranked as r
join {{ chunks }} as c on c.chunk_id = r.chunk_id
order by r.score desc, r.chunk_id
{%- endif -%}
{%- endmacro %}
