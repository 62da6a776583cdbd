"""News answers -> articles, the tickers they are about, and what the source makes of them.

One article has one row per source and id. The same release often comes under several ids, addresses and providers: such
copies share a ``fingerprint``. What does not belong here: choosing one of the copies (that is the marts').
"""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from salescience_pipeline.catalog.sessions import NEW_YORK
from salescience_pipeline.catalog.symbols import to_canonical
from salescience_pipeline.clients.model import Answer
from salescience_pipeline.identifiers import InvalidIdentifier, Ticker
from salescience_pipeline.tidy.model import Tidied, TidyContext
from salescience_pipeline.tidy.reading import (
    BadRecord,
    LeftOuts,
    contract,
    in_some,
    load_json,
    moment,
    needed,
    shown,
    string,
    subject_of,
    whole,
    with_data,
)
from salescience_pipeline.tidy.rows import Rows, joined

_STAMP = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})", re.ASCII
)
_WEB_BEGIN, _WEB_END = re.compile(r"^(?:https?://)?(?:www\.)?"), re.compile(r"(?:\.(?:com|net|org))?/*$")

_FINNHUB_FIELDS = ("id", "datetime", "headline", "source", "url", "summary", "related", "category")
_POLYGON_FIELDS = ("id", "published_utc", "title", "publisher", "article_url", "tickers")
"""What every record has, by the documentation of the two."""


def fingerprint(title: str, publisher: str | None, published_at: dt.datetime) -> str:
    """The group of an article: 32 hexadecimal digits of its headline, publisher and minute.

    The headline counts without case and runs of white space, the publisher without case, the dress of a web address
    (``https://www.x.com`` is ``X``) and punctuation. ``published_at`` is an aware moment.
    """
    headline = " ".join(title.lower().split())
    site = _WEB_END.sub("", _WEB_BEGIN.sub("", (publisher or "").strip().lower()))
    minute = published_at.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M")
    return hashlib.sha256("\n".join((headline, re.sub(r"[\W_]+", "", site), minute)).encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class _Article:
    """One record of an answer, checked."""

    values: Mapping[str, Any]
    symbols: Sequence[object]
    """Whom it is about, as the source spells them."""
    insights: Sequence[object] = ()


def finnhub_company_news(answers: Sequence[Answer], context: TidyContext) -> Tidied:
    """Rows of Finnhub's company news of one ticker; ids are kept as text.

    Each article is about the ticker that was asked for and about those that it names as related. Of several answers with
    one article the newest becomes the row.

    Raises:
        Contract: when an answer is no list of news about one ticker.
        TooLarge: when a body exceeds its cap.
    """
    return _news("finnhub", answers, context, _finnhub_records, _finnhub_article)


def polygon_news(answers: Sequence[Answer], context: TidyContext) -> Tidied:
    """Rows of Polygon's news: every ticker of an article counts, whoever is followed.

    Of several answers with one article the newest becomes the row. Marks of listings that are no tickers (of funds and
    foreign exchanges) are left out and counted, the article stays.

    Raises:
        Contract: when an answer is no page of news.
        TooLarge: when a body exceeds its cap.
    """
    return _news("polygon", answers, context, _polygon_records, _polygon_article)


def _news(
    source: str,
    answers: Sequence[Answer],
    context: TidyContext,
    records_of: Callable[[Answer], list[Any]],
    read: Callable[[Answer, Mapping[str, Any]], _Article],
) -> Tidied:
    account = LeftOuts(subject_of(answers))
    names = [f"core_{source}__news_articles", f"core_{source}__news_tickers"]
    names += ["core_polygon__news_insights"] if source == "polygon" else []
    parts: dict[str, list[Rows]] = {name: [] for name in names}
    seen: set[str] = set()
    for answer in sorted(with_data(answers), key=lambda answer: answer.fetched_at, reverse=True):
        rows = {name: Rows(name, answer, context) for name in names}
        for index, record in enumerate(records_of(answer)):
            if not isinstance(record, dict):
                account.add(f"record {index + 1}", "it is no object")
                continue
            try:
                article = read(answer, record)
            except BadRecord as error:
                account.unreadable(f"article {shown(record.get('id'))}", error)
                continue
            key = article.values["article_id"]
            if key in seen:
                account.add(f"article {key}", "another row holds the same article")
                continue
            seen.add(key)
            rows[names[0]].add(first_seen_at=answer.fetched_at, **article.values)
            about = {"article_id": key, "published_date_et": article.values["published_date_et"]}
            for ticker in _tickers(source, article.symbols, f"article {key}", account):
                rows[names[1]].add(ticker=ticker, **about)
            for ticker, judged in _judged(source, article.insights, f"article {key}", account):
                rows[names[2]].add(ticker=ticker, **about, **judged)
        for name in names:
            parts[name].append(rows[name])
    return Tidied({name: joined(name, parts[name]) for name in names}, account.done())


def _tickers(source: str, symbols: Sequence[object], what: str, account: LeftOuts) -> list[Ticker]:
    """The canonical tickers, each once."""
    found: dict[Ticker, None] = {}
    for symbol in symbols:
        try:
            ticker = to_canonical(source, symbol)  # type: ignore[arg-type]  # what is no text is refused there
        except InvalidIdentifier:
            account.add(f"ticker {shown(symbol)} of {what}", "it is no ticker")
            continue
        if ticker in found:
            account.add(f"ticker {ticker} of {what}", "the article names it twice")
        found[ticker] = None
    return list(found)


def _judged(
    source: str, insights: Sequence[object], what: str, account: LeftOuts
) -> list[tuple[Ticker, dict[str, str | None]]]:
    judged: dict[Ticker, dict[str, str | None]] = {}
    for insight in insights:
        symbol = insight.get("ticker") if isinstance(insight, dict) else None
        name = f"judgement of {shown(symbol)} in {what}"
        try:
            ticker = to_canonical(source, symbol)  # type: ignore[arg-type]  # what is no text is refused there
            assert isinstance(insight, dict)
            values = {
                "sentiment": string(insight.get("sentiment"), "sentiment"),
                "reasoning": string(insight.get("sentiment_reasoning"), "sentiment_reasoning"),
            }
        except (InvalidIdentifier, BadRecord):
            account.add(name, "it is no judgement of a ticker")
            continue
        if ticker in judged:
            account.add(name, "the article judges it twice")
        else:
            judged[ticker] = values
    return list(judged.items())


def _common(title: object, publisher: str | None, published_at: dt.datetime) -> dict[str, Any]:
    headline = needed(string(title, "headline"), "headline")
    return {
        "title": headline,
        "publisher": publisher,
        "published_at": published_at,
        "published_date_et": published_at.astimezone(NEW_YORK).date(),
        "fingerprint": fingerprint(headline, publisher, published_at),
    }


# -- Finnhub ----------------------------------------------------------------------------------------------------------
def _finnhub_records(answer: Answer) -> list[Any]:
    records = load_json(answer)
    if not isinstance(records, list) or answer.request.subject.ticker is None:
        raise contract(answer, "The answer is no list of news about one ticker.")
    in_some(answer, records, _FINNHUB_FIELDS)
    return records


def _finnhub_article(answer: Answer, record: Mapping[str, Any]) -> _Article:
    published = needed(moment(record.get("datetime"), "datetime"), "datetime")
    values = _common(record.get("headline"), string(record.get("source"), "source"), published)
    values["article_id"] = str(needed(whole(record.get("id"), "id"), "id"))
    for name, column in (("url", "url"), ("image", "image_url"), ("summary", "summary"), ("category", "category")):
        values[column] = string(record.get(name), name)
    related = (string(record.get("related"), "related") or "").split(",")
    asked = answer.request.subject.ticker
    others = [symbol.strip() for symbol in related if symbol.strip() and symbol.strip().upper() != asked]
    return _Article(values, [asked, *others])


# -- Polygon ----------------------------------------------------------------------------------------------------------
def _polygon_records(answer: Answer) -> list[Any]:
    page = load_json(answer)
    records = page.get("results", []) if isinstance(page, dict) else None
    if not isinstance(records, list):
        raise contract(answer, "The answer is no page of news.")
    in_some(answer, records, _POLYGON_FIELDS)
    return records


def _polygon_article(_answer: Answer, record: Mapping[str, Any]) -> _Article:
    publisher = record.get("publisher")
    if not isinstance(publisher, dict):
        raise BadRecord("publisher is no object")
    published = _stamp(record.get("published_utc"))
    values = _common(record.get("title"), string(publisher.get("name"), "publisher"), published)
    values["article_id"] = needed(string(record.get("id"), "id"), "id")
    for name, column in (
        ("author", "author"),
        ("article_url", "url"),
        ("image_url", "image_url"),
        ("description", "summary"),
    ):
        values[column] = string(record.get(name), name)
    keywords = _list(record, "keywords")
    values["keywords"] = [str(needed(string(word, "keyword"), "keyword")) for word in keywords] or None
    return _Article(values, _list(record, "tickers"), _list(record, "insights"))


def _list(record: Mapping[str, Any], name: str) -> list[Any]:
    value = record.get(name)
    if value is not None and not isinstance(value, list):
        raise BadRecord(f"{name} is no list")
    return value or []


def _stamp(value: object) -> dt.datetime:
    if isinstance(value, str) and _STAMP.fullmatch(value):
        try:
            return dt.datetime.fromisoformat(value).astimezone(dt.UTC).replace(microsecond=0)
        except (ValueError, OverflowError):
            pass
    raise BadRecord(f"published_utc is {shown(value)} and no moment")
