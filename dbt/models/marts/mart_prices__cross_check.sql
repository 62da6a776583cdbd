-- Each day on which both sources have a price: raw against raw, adjusted return against adjusted return. The two adjust
-- by different rules, so their adjusted levels drift apart by design, while their daily returns must agree.
with both_sources as (
    select
        ticker, trade_date, tiingo_close, yahoo_close,
        tiingo_adj_close / lag(tiingo_adj_close) over by_day - 1 as tiingo_adj_return,
        yahoo_adj_close / lag(yahoo_adj_close) over by_day - 1 as yahoo_adj_return
    from {{ ref('mart_prices__daily') }}
    where sources = 'tiingo+yahoo'
    window by_day as (partition by ticker order by trade_date)
)
select
    ticker, trade_date, tiingo_close, yahoo_close, tiingo_adj_return, yahoo_adj_return,
    abs(tiingo_close - yahoo_close) / nullif(greatest(tiingo_close, yahoo_close), 0) as close_difference,
    abs(tiingo_adj_return - yahoo_adj_return) as return_difference,
    coalesce(close_difference > 0.005 or return_difference > 0.005, false) as is_flagged
from both_sources
order by ticker, trade_date
