"""Polygon, now Massive: its recipe and what its answers mean.

Sources: polygon.io/docs and recorded answers. What does not belong here: sending (``transport``), rows (``tidy.news``).
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from salescience_pipeline.clients.classify import Dialect, Reply, Verdict, by_shape, by_status, lacking, unshaped
from salescience_pipeline.clients.model import Answer, AnswerClass, PlannedRequest, Subject
from salescience_pipeline.clients.plan import Known, Recipe, RequestPlan, Selection
from salescience_pipeline.clients.planning import (
    OneWave,
    call_for_market,
    end_of,
    has_data,
    is_settled,
    json_of,
    runs_of_days,
)

PAGE = 1_000
"""Articles per page: the most that Polygon gives."""
OVERLAP = dt.timedelta(hours=48)
"""How far before the watermark a poll begins: articles come late and are edited."""
LONGEST_WINDOW = 31
"""Days of one window, so that what one failed page costs, and what is held in memory, stays bounded."""
_NEWS_PATH = "/v2/reference/news"
_MINUTE = dt.timedelta(seconds=60)


def _headers(key: str | None) -> Mapping[str, str]:
    return {"Authorization": f"Bearer {key}", "Accept-Encoding": "gzip, deflate"}


# -- what answers mean ------------------------------------------------------------------------------------------------
def classify(reply: Reply) -> Verdict:
    """What an answer of Polygon means; the reason stands under ``error`` or ``message``, a 429 may be empty."""
    if reply.status == 429:
        told = by_status(reply)
        # A fixed minute, of which nobody tells when it began.
        retry_at = (told.retry_at if told is not None else None) or reply.received_at + _MINUTE
        return Verdict(AnswerClass.RATE_LIMITED, "says that we ask too fast", retry_at)
    if reply.status in {413, 499}:
        return Verdict(AnswerClass.TRANSIENT, f"answered with status {reply.status}")
    if reply.status == 403 and reply.is_html:
        return Verdict(AnswerClass.TRANSIENT, "sent a web page where JSON is due")
    verdict = by_status(reply) or by_shape(reply)
    return verdict if verdict.answer_class is not AnswerClass.OK else _by_data(reply)


def _by_data(reply: Reply) -> Verdict:
    data = reply.parsed
    if not isinstance(data, dict):
        return unshaped()
    if data.get("status") not in {"OK", "DELAYED"}:
        return _by_word(data, reply.received_at)
    if reply.request.endpoint != "news":
        empty = data.get("results") in ([], None) and data.get("resultsCount", data.get("count", 0)) == 0
        return Verdict(AnswerClass.OK_EMPTY, "holds nothing for it") if empty else Verdict(AnswerClass.OK)
    results, following = data.get("results", []), data.get("next_url")
    # A page of nothing may leave its list away, one of something may not.
    field = "results" if "results" not in data and data.get("count") else lacking(_listed(results), ("id",))
    follows = following is None or (isinstance(following, str) and urlsplit(following).path.endswith(_NEWS_PATH))
    if field is not None or not follows:
        return unshaped(field or None)
    return Verdict(AnswerClass.OK) if results else Verdict(AnswerClass.OK_EMPTY, "holds nothing for it")


def _listed(results: Any) -> list[Any]:
    """The list, or one that holds what is none, which is no row."""
    return results if isinstance(results, list) else [results]


def _by_word(data: Mapping[str, Any], now: dt.datetime) -> Verdict:
    """An error that came with status 200."""
    word, reason = data.get("status"), f"{data.get('error', '')} {data.get('message', '')}"
    if word == "NOT_AUTHORIZED":
        return Verdict(AnswerClass.ENTITLEMENT, "does not let us use this endpoint")
    if word == "NOT_FOUND":
        return Verdict(AnswerClass.NOT_FOUND, "does not know it")
    if re.search(r"(?i)exceeded the maximum requests", reason):
        return Verdict(AnswerClass.RATE_LIMITED, "says that we ask too fast", now + _MINUTE)
    if re.search(r"(?i)api key", reason):
        return Verdict(AnswerClass.AUTH, "does not accept our credentials")
    return unshaped()


DIALECT = Dialect(provider="polygon", headers=_headers, classify=classify, needs_credential=True, has_plan=True)


# -- requests ---------------------------------------------------------------------------------------------------------
def news(first: dt.date, last: dt.date, *, since: dt.datetime | None = None) -> PlannedRequest:
    """The first page of the market's news that settles the New York days from ``first`` to ``last``, oldest first.

    ``since`` moves the beginning of the window; oldest first, because then pages stay as they are while news comes in.
    """
    params = (
        ("published_utc.gte", _stamp(since or end_of(first - dt.timedelta(days=1)))),
        ("published_utc.lt", _stamp(end_of(last))),
        ("order", "asc"),
        ("sort", "published_utc"),
        ("limit", str(PAGE)),
    )
    return _page(params, Subject("*", details={"date": first.isoformat()}), first, last)


def _page(
    params: tuple[tuple[str, str], ...], subject: Subject, first: dt.date | None, last: dt.date | None
) -> PlannedRequest:
    return PlannedRequest(
        "polygon", "news", "api", _NEWS_PATH, subject, params=params, first_date=first, last_date=last
    )


def _stamp(moment: dt.datetime) -> str:
    return moment.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


# -- recipe -----------------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class News(OneWave):
    """The market's window, from which watchlist, active tickers and market are all served."""

    def plan(self, selection: Selection, known: Known) -> RequestPlan:
        """One window per run of days that are not current; its further pages follow."""
        return call_for_market(
            selection,
            known,
            "polygon",
            "One window of the whole market serves every scope; a page holds 1,000 articles.",
            ask=lambda days: (
                news(first, last, since=_since(first, last, known))
                for first, last in runs_of_days(days, LONGEST_WINDOW)
            ),
        )

    def follow_ups(self, answer: Answer, selection: Selection, known: Known) -> tuple[PlannedRequest, ...]:  # noqa: ARG002
        """The next page, if there is one: of its address only the query is taken, the host and the path are ours."""
        following = json_of(answer).get("next_url") if has_data(answer) else None
        if not isinstance(following, str):
            return ()
        query = parse_qsl(urlsplit(following).query, keep_blank_values=True)
        params = tuple((name, value) for name, value in query if name.lower() != "apikey")
        request = answer.request
        if not params or params == request.params:
            return ()
        return (_page(params, request.subject, request.first_date, request.last_date),)


def _since(first: dt.date, last: dt.date, known: Known) -> dt.datetime | None:
    """Where the window begins: at its first day, or two days before the watermark when that lies earlier.

    The watermark is the last look at the days before (and at these days, when the window reaches up to now). So a look at a
    day always closes the gap that an early look at the day before it left.
    """
    before = [first - dt.timedelta(days=2), first - dt.timedelta(days=1)]
    looked_at = [
        known.coverage[f"*|{day}"].checked_at
        for day in (*before, *((first, last) if last >= known.today else ()))
        if is_settled(f"*|{day}", known)
    ]
    if not looked_at:
        return None
    return min(max(looked_at) - OVERLAP, end_of(before[-1]))


NEWS: Recipe = News()
