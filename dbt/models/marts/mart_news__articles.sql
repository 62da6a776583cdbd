-- One row per article across providers and polls: copies under other ids, addresses and providers share a fingerprint. The
-- text is Polygon's where it has the article (its address leads to the publisher), else the copy that was seen first.
with copies as (
    select * from {{ ref('stg_finnhub__news_articles') }}
    union all by name
    select * from {{ ref('stg_polygon__news_articles') }}
),
about as (
    select source, article_id, ticker from {{ ref('stg_finnhub__news_tickers') }}
    union all by name
    select source, article_id, ticker from {{ ref('stg_polygon__news_tickers') }}
),
tickers as (
    select c.fingerprint, list(distinct a.ticker order by a.ticker) as tickers
    from copies as c
    join about as a on a.source = c.source and a.article_id = c.article_id
    group by c.fingerprint
),
judged as (
    select
        c.fingerprint,
        list(distinct i.ticker order by i.ticker) filter (i.sentiment = 'positive') as positive_for,
        list(distinct i.ticker order by i.ticker) filter (i.sentiment = 'negative') as negative_for
    from copies as c
    join {{ ref('stg_polygon__news_insights') }} as i on i.source = c.source and i.article_id = c.article_id
    group by c.fingerprint
),
groups as (
    select
        fingerprint, string_agg(distinct source, '+' order by source) as sources, count(*) as copies,
        min(first_seen_at) as first_seen_at, max(fetched_at) as last_read_at
    from copies
    group by fingerprint
),
best as (
    select * from copies
    qualify row_number() over (
        partition by fingerprint order by source = 'polygon' desc, first_seen_at, article_id
    ) = 1
)
select
    b.fingerprint, b.published_at, b.published_date_et, b.title, b.publisher, b.author, b.url, b.image_url, b.summary,
    b.category, b.keywords, coalesce(t.tickers, []::varchar[]) as tickers,
    coalesce(j.positive_for, []::varchar[]) as positive_for, coalesce(j.negative_for, []::varchar[]) as negative_for,
    g.sources, g.copies, g.first_seen_at, g.last_read_at, b.source as text_source, b.article_id, b.raw_sha256
from best as b
join groups as g on g.fingerprint = b.fingerprint
left join tickers as t on t.fingerprint = b.fingerprint
left join judged as j on j.fingerprint = b.fingerprint
order by b.published_at, b.fingerprint
