"""One Yahoo chart answer as bars with their splits and dividends: what ``prices.yahoo_chart`` makes rows of.

What does not belong here: other Yahoo endpoints, and the table's schema.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from salescience_pipeline.catalog.symbols import to_canonical
from salescience_pipeline.clients.model import Answer
from salescience_pipeline.identifiers import InvalidIdentifier, Ticker
from salescience_pipeline.tidy.reading import BadRecord, LeftOuts, contract, load_json, member, number, shown, whole

_PRICES = ("open", "high", "low", "close")

_TINY, _HUGE = 1e-9, 1e12
"""What is outside (zero excepted) is no price, no volume and no ratio of shares; keeps every product finite."""

_MAX_VOLUME = 2**63

_BETWEEN_SESSIONS = dt.timedelta(days=4)


@dataclass(frozen=True, slots=True)
class Bar:
    """One trading day as Yahoo gives it: every figure adjusted for the splits after it, float32 noise included."""

    trade_date: dt.date
    open: float | None
    high: float | None
    low: float | None
    close: float | None
    volume: int | None
    adj_close: float | None


@dataclass(frozen=True, slots=True)
class Chart:
    """The bars of one answer, oldest first, and what happened on the way."""

    answer: Answer
    ticker: Ticker
    currency: str
    bars: Sequence[Bar]
    splits: Mapping[dt.date, float]
    """New shares per old share, by the first day on which the new ones trade."""
    payments: Mapping[dt.date, float]
    """Cash per share by ex-date, adjusted for later splits as Yahoo gives it."""
    knows_later_splits: bool
    """Whether no split can have happened that the answer does not name."""
    has_adjclose: bool

    @property
    def adj_method(self) -> str:
        """Name of the adjustment behind ``adj_*``."""
        return "yahoo" if self.has_adjclose else "split_only"

    def later_splits(self, trade_date: dt.date) -> float:
        """How many of today's shares one share of that day has become."""
        return math.prod(ratio for since, ratio in self.splits.items() if since > trade_date)

    def split_on(self, trade_date: dt.date) -> float:
        """New shares per old share from that day on."""
        return self.splits.get(trade_date, 1.0)

    def dividend_on(self, trade_date: dt.date) -> float | None:
        """Cash per share as paid; None where it is not known how many shares one has become since."""
        paid = self.payments.get(trade_date, 0.0)
        if paid and not self.knows_later_splits:
            return None
        return without_noise(paid * self.later_splits(trade_date))

    def traded(self, bar: Bar) -> dict[str, float | int | None]:
        """Open, high, low, close and volume as traded; None where later splits are not known."""
        if not self.knows_later_splits:
            return dict.fromkeys((*_PRICES, "volume"))
        factor = self.later_splits(bar.trade_date)
        prices = {name: _scaled(getattr(bar, name), factor) for name in _PRICES}
        volume = None if bar.volume is None else round(bar.volume / factor)
        return {**prices, "volume": volume if volume is None or volume < _MAX_VOLUME else None}

    def adjusted(self, bar: Bar) -> dict[str, float | None]:
        """The adjusted series; open, high and low by the factor between Yahoo's two closes."""
        factor: float | None = 1.0
        if self.has_adjclose:
            factor = bar.adj_close / bar.close if bar.adj_close is not None and bar.close else None
        prices = {f"adj_{name}": _scaled(getattr(bar, name), factor) for name in ("open", "high", "low")}
        close = bar.adj_close if self.has_adjclose else bar.close
        return {
            **prices,
            "adj_close": _scaled(close, 1.0),
            "adj_volume": None if bar.volume is None else float(bar.volume),
        }


def without_noise(value: float) -> float:
    """``value`` without the noise of float32: six significant digits, and never less than two decimals.

    A float32 carries a little more than seven digits, so 130.27999877929688 becomes 130.28, and a price of 628,930.56
    keeps its cents.
    """
    if not value:
        return value
    return round(value, max(2, 5 - math.floor(math.log10(abs(value)))))


def _scaled(value: float | None, factor: float | None) -> float | None:
    return None if value is None or factor is None else without_noise(value * factor)


def read_chart(answer: Answer, last_session: dt.date, account: LeftOuts) -> Chart:
    """Read ``answer``; ``last_session`` is the last trading day whose prices should be final.

    Raises:
        Contract: when it is no daily chart of its subject.
    """
    result = _only_result(answer)
    meta = member(answer, result, "meta", dict, "the chart")
    ticker = _ticker(answer, meta)
    zone = _zone(answer, meta)
    stamps = result.get("timestamp")
    quote = _series(answer, result, "quote") or {}
    adjclose = _series(answer, result, "adjclose")
    if stamps is None:
        lost = max((len(column) for column in quote.values() if isinstance(column, list)), default=0)
        if lost:
            account.add("bars", "the answer holds no time stamps", lost)
        return Chart(answer, ticker, "", (), {}, {}, knows_later_splits=True, has_adjclose=False)
    if not isinstance(stamps, list):
        raise contract(answer, "The field 'timestamp' of the chart has the wrong type.")
    if stamps and meta.get("dataGranularity", "1d") != "1d":
        raise contract(answer, f"The chart's bars are of {shown(meta['dataGranularity'])} and not of one day.")
    columns = {name: _column(answer, quote, name, len(stamps)) for name in (*_PRICES, "volume")}
    if adjclose is not None:
        columns["adjclose"] = _column(answer, adjclose, "adjclose", len(stamps))
    currency = member(answer, meta, "currency", str, "the chart's meta") if stamps else ""
    live = _live_dates(answer, meta, zone, last_session)
    bars = _bars(stamps, columns, zone, live, account)
    events = result.get("events") or {}
    if not isinstance(events, dict):
        raise contract(answer, "The field 'events' of the chart has the wrong type.")
    splits, payments = _splits(answer, events, zone), _payments(answer, events, zone)
    dates = {bar.trade_date for bar in bars}
    for kind, happened in (("split", splits), ("dividend", payments)):
        for when in sorted(set(happened) - dates):
            account.add(f"{kind} of {when}", "the answer holds no bar of that day")
    return Chart(
        answer,
        ticker,
        currency,
        bars,
        splits,
        payments,
        knows_later_splits=_reaches_last_trade(answer, meta, zone, bars),
        has_adjclose=adjclose is not None,
    )


def _only_result(answer: Answer) -> Mapping[str, Any]:
    chart = member(answer, load_json(answer), "chart", dict)
    results = member(answer, chart, "result", list, "the chart")
    if len(results) != 1 or not isinstance(results[0], dict):
        raise contract(answer, f"The chart holds {len(results)} results and not the one that was asked for.")
    return results[0]


def _ticker(answer: Answer, meta: Mapping[str, Any]) -> Ticker:
    symbol = member(answer, meta, "symbol", str, "the chart's meta")
    try:
        ticker = to_canonical("yahoo", symbol)
    except InvalidIdentifier as error:
        raise contract(answer, f"The chart's symbol {shown(symbol)} is no ticker.") from error
    asked = answer.request.subject.ticker
    if asked is not None and asked != ticker:
        raise contract(answer, f"The chart is about {ticker} and not about {asked}.")
    return ticker


def _zone(answer: Answer, meta: Mapping[str, Any]) -> ZoneInfo:
    name = member(answer, meta, "exchangeTimezoneName", str, "the chart's meta")
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise contract(answer, f"The chart's time zone {shown(name)} is unknown.") from error


def _series(answer: Answer, result: Mapping[str, Any], name: str) -> Mapping[str, Any] | None:
    """The one object in the list ``indicators.<name>``; None when there is no such list."""
    indicators = member(answer, result, "indicators", dict, "the chart")
    series = indicators.get(name)
    if series is None:
        return None
    if not isinstance(series, list) or len(series) != 1 or not isinstance(series[0], dict):
        raise contract(answer, f"The field '{name}' of the chart's indicators is no list of one object.")
    return series[0]


def _column(answer: Answer, series: Mapping[str, Any], name: str, length: int) -> Sequence[Any]:
    values: Sequence[Any] = member(answer, series, name, list, "the chart's indicators") if length else ()
    if len(values) != length:
        raise contract(answer, f"The field '{name}' holds {len(values)} values for {length} time stamps.")
    return values


def _local_date(stamp: object, zone: ZoneInfo, name: str) -> dt.date:
    """The trading date of a time stamp: the exchange's own, since the offset changes within an answer."""
    seconds = whole(stamp, name)
    if seconds is None:
        raise BadRecord(f"{name} is missing")
    try:
        return dt.datetime.fromtimestamp(seconds, zone).date()
    except (OverflowError, ValueError, OSError) as error:
        raise BadRecord(f"{name} is out of range") from error


def _live_dates(answer: Answer, meta: Mapping[str, Any], zone: ZoneInfo, last_session: dt.date) -> tuple[dt.date, ...]:
    """From which day on a bar is of a session that was not over when the answer was made; empty when none is.

    The trading calendar of the caller says so, and so does the answer's own trading period: a replayed answer is read
    under a later calendar.
    """
    fetched = answer.fetched_at.astimezone(zone)
    firsts = [max(fetched.date(), last_session + dt.timedelta(days=1))]
    period = meta.get("currentTradingPeriod")
    regular = period.get("regular") if isinstance(period, dict) else None
    if isinstance(regular, dict):
        try:
            start, end = _local_date(regular.get("start"), zone, "start"), whole(regular.get("end"), "end")
        except BadRecord:
            start, end = None, None
        if start is not None and end is not None and answer.fetched_at.timestamp() < end:
            firsts.append(start)
    return tuple(firsts)


def _bars(
    stamps: Sequence[Any],
    columns: Mapping[str, Sequence[Any]],
    zone: ZoneInfo,
    live: Sequence[dt.date],
    account: LeftOuts,
) -> tuple[Bar, ...]:
    bars: dict[dt.date, Bar] = {}
    empty = 0
    for index, stamp in enumerate(stamps):
        try:
            bar = _bar(stamp, {name: values[index] for name, values in columns.items()}, zone)
        except BadRecord as error:
            account.unreadable(f"bar {index + 1}", error)
            continue
        if bar.open is bar.high is bar.low is bar.close is None:
            empty += 1
        elif bar.trade_date >= min(live):
            account.add(f"bar of {bar.trade_date}", "the session was not over")
        elif bar.trade_date in bars:
            account.add(f"bar of {bar.trade_date}", "the answer holds two bars of that day")
        else:
            bars[bar.trade_date] = bar
    if empty:
        account.add("bars", "the bar holds no price", empty)
    return tuple(bars[trade_date] for trade_date in sorted(bars))


def _bar(stamp: Any, cells: Mapping[str, Any], zone: ZoneInfo) -> Bar:
    volume = whole(cells["volume"], "volume")
    if volume is not None and not 0 <= volume < _HUGE:
        raise BadRecord(f"volume is {shown(volume)} and no number of shares")
    return Bar(
        _local_date(stamp, zone, "timestamp"),
        **{name: _amount(cells[name], name) for name in _PRICES},
        volume=volume,
        adj_close=_amount(cells.get("adjclose"), "adjclose"),
    )


def _amount(value: Any, name: str) -> float | None:
    """A sum of money, negative ones (oil futures have seen them) included."""
    amount = number(value, name)
    if amount and not _TINY < abs(amount) < _HUGE:
        raise BadRecord(f"{name} is {shown(amount)} and no sum of money")
    return amount


def _events(answer: Answer, events: Mapping[str, Any], kind: str) -> list[Mapping[str, Any]]:
    happened = events.get(kind) or {}
    if not isinstance(happened, dict) or not all(isinstance(event, dict) for event in happened.values()):
        raise contract(answer, f"The field '{kind}' of the chart's events is no object of objects.")
    return list(happened.values())


def _splits(answer: Answer, events: Mapping[str, Any], zone: ZoneInfo) -> dict[dt.date, float]:
    """Splits by date; a broken one breaks every price before it, so it is never just left out."""
    splits: dict[dt.date, float] = {}
    for event in _events(answer, events, "splits"):
        try:
            when = _local_date(event.get("date"), zone, "date")
            new, old = number(event.get("numerator"), "numerator"), number(event.get("denominator"), "denominator")
        except BadRecord as error:
            raise contract(answer, f"A split of the chart cannot be read: {error}.") from error
        if not new or not old or not _is_ratio(new / old):
            raise contract(answer, f"The split of {when} has no ratio.")
        splits[when] = splits.get(when, 1.0) * (new / old)
    if not _is_ratio(math.prod(splits.values())) or not all(map(_is_ratio, splits.values())):
        raise contract(answer, "The splits of the chart multiply to no ratio.")
    return splits


def _is_ratio(value: float) -> bool:
    """Whether one share can have become ``value`` shares; serial reverse splits come to a millionth and less."""
    return _TINY < value < 1 / _TINY


def _payments(answer: Answer, events: Mapping[str, Any], zone: ZoneInfo) -> dict[dt.date, float]:
    """Dividends and a fund's distributed gains by ex-date: both are cash that the price falls by."""
    payments: dict[dt.date, float] = {}
    for event in (*_events(answer, events, "dividends"), *_events(answer, events, "capitalGains")):
        try:
            when, amount = _local_date(event.get("date"), zone, "date"), _amount(event.get("amount"), "amount")
        except BadRecord as error:
            raise contract(answer, f"A dividend of the chart cannot be read: {error}.") from error
        if amount is None:
            raise contract(answer, f"The dividend of {when} has no amount.")
        payments[when] = payments.get(when, 0.0) + amount
    return payments


def _reaches_last_trade(answer: Answer, meta: Mapping[str, Any], zone: ZoneInfo, bars: Sequence[Bar]) -> bool:
    """Whether the answer's window reaches the last trade, so that it names every split that prices are adjusted for.

    A window that was asked for up to the last finished session counts, although the answer may come while the next one
    runs: between two sessions lie at most four days.
    """
    try:
        last_trade = _local_date(meta.get("regularMarketTime"), zone, "regularMarketTime")
    except BadRecord:
        last_trade = answer.fetched_at.astimezone(zone).date()
    if answer.request.last_date is not None:
        return answer.request.last_date >= last_trade - _BETWEEN_SESSIONS
    if meta.get("range"):
        return True
    return bool(bars) and bars[-1].trade_date >= last_trade - _BETWEEN_SESSIONS
