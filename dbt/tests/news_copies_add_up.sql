-- Every article that was read stands in exactly one row of the mart: nothing is lost and nothing is counted twice.
select *
from (
    select
        (select coalesce(sum(copies), 0) from {{ ref('mart_news__articles') }}) as in_mart,
        (select count(*) from {{ ref('stg_finnhub__news_articles') }})
        + (select count(*) from {{ ref('stg_polygon__news_articles') }}) as read
)
where in_mart <> read
