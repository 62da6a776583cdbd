"""Answers about companies -> rows: SEC's list of tickers over time, SEC's own record of a company, Yahoo's profiles.

The record stands on the submissions page, whose filings ``tidy.filings`` reads. What does not belong here: choosing one
truth among the sources.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc

from salescience_pipeline.catalog.symbols import to_canonical
from salescience_pipeline.catalog.tables import TABLES
from salescience_pipeline.clients.model import Answer
from salescience_pipeline.identifiers import Cik, InvalidIdentifier
from salescience_pipeline.tidy.model import Tidied, TidyContext
from salescience_pipeline.tidy.reading import (
    BadRecord,
    LeftOuts,
    contract,
    load_json,
    member,
    needed,
    number,
    shown,
    string,
    subject_of,
    with_data,
)
from salescience_pipeline.tidy.rows import Rows, joined

TICKERS_TABLE = "core_sec__company_tickers"
PROFILES_TABLE = "core_yahoo__company_profiles"
COMPANIES_TABLE = "core_sec__companies"

_TOO_LONG = 10**10
"""What no CIK reaches; a longer integer is not even written out."""

_NEW_YORK = ZoneInfo("America/New_York")

_Pair = tuple[str, str]


def exchange_day(answer: Answer) -> dt.date:
    """The day in New York on which the answer arrived."""
    return answer.fetched_at.astimezone(_NEW_YORK).date()


def sec_company_tickers(answers: Sequence[Answer], context: TidyContext) -> Tidied:
    """One row per (ticker, CIK) of SEC's list, continued from the rows in ``context.stored``.

    SEC's list only knows today. Its successive copies, folded oldest first by :func:`merge_company_tickers`, say since
    when and until when a ticker belonged to a company. Both shapes of the list are read, with and without exchanges.
    The rows are those that a copy made new or changed: to be written by key over what is stored.

    Raises:
        Contract: when an answer is neither shape of the list.
        TooLarge: when a body exceeds its cap.
    """
    account = LeftOuts(subject_of(answers))
    stored = context.stored.get(TICKERS_TABLE, TABLES[TICKERS_TABLE].empty())
    written = TABLES[TICKERS_TABLE].empty()
    for answer in sorted(with_data(answers), key=lambda answer: answer.fetched_at):
        fresh = _listed(answer, context, account)
        known = _upserted(stored, written)
        written = _upserted(written, merge_company_tickers(known, fresh))
    return Tidied({TICKERS_TABLE: written}, account.done())


def merge_company_tickers(stored: pa.Table, fresh: pa.Table) -> pa.Table:
    """The rows that a fresh copy of SEC's list makes new or changes.

    ``fresh`` holds the copy, one row per pair with ``first_seen_on`` and ``last_seen_on`` on the day of the copy.
    A pair that was already current keeps its ``first_seen_on`` and is now last seen on the new day; a pair that is gone
    is no longer current and keeps the day on which it was last seen; one that came back starts a new row. A copy that is
    older than the newest day stored tells nothing new and changes nothing.

    Both tables and the result have the schema of the catalogue's ``core_sec__company_tickers``.
    """
    if not fresh.num_rows:
        return fresh
    day: dt.date = fresh["last_seen_on"][0].as_py()
    newest = pc.max(stored["last_seen_on"]).as_py()
    if newest is not None and day < newest:
        return fresh.schema.empty_table()
    current = stored.filter(stored["is_current"])
    since = dict(zip(_pairs(current), current["first_seen_on"].to_pylist(), strict=True))
    pairs = _pairs(fresh)
    first_seen = pa.array([since.get(pair, day) for pair in pairs], pa.date32())
    continued = fresh.set_column(
        fresh.schema.get_field_index("first_seen_on"), fresh.schema.field("first_seen_on"), first_seen
    )
    listed = set(pairs)
    gone = current.filter(pa.array([pair not in listed for pair in _pairs(current)], pa.bool_()))
    closed = gone.set_column(
        gone.schema.get_field_index("is_current"),
        gone.schema.field("is_current"),
        pa.repeat(pa.scalar(value=False), gone.num_rows),
    )
    return pa.concat_tables([continued, closed.cast(fresh.schema)])


def _pairs(table: pa.Table) -> list[_Pair]:
    return list(zip(table["ticker"].to_pylist(), table["cik"].to_pylist(), strict=True))


def _upserted(older: pa.Table, newer: pa.Table) -> pa.Table:
    """``older`` with the rows of ``newer`` over it, by the table's key."""
    key = TABLES[TICKERS_TABLE].key
    replaced = set(zip(*(newer[name].to_pylist() for name in key), strict=True))
    rows = zip(*(older[name].to_pylist() for name in key), strict=True)
    kept = older.filter(pa.array([row not in replaced for row in rows], pa.bool_()))
    return pa.concat_tables([kept.cast(newer.schema), newer])


def _listed(answer: Answer, context: TidyContext, account: LeftOuts) -> pa.Table:
    """One copy of the list, each pair seen on the copy's day only."""
    rows = Rows(TICKERS_TABLE, answer, context)
    day = exchange_day(answer)
    seen: set[_Pair] = set()
    for position, record in enumerate(_list_records(answer)):
        try:
            pair, name, exchange = _listed_company(record)
        except (BadRecord, InvalidIdentifier) as error:
            account.add(f"record {position + 1}", str(error).rstrip("."))
            continue
        if pair in seen:
            account.add(f"record {position + 1}", f"the list already holds {pair[0]} of {pair[1]}")
            continue
        seen.add(pair)
        rows.add(
            ticker=pair[0],
            cik=pair[1],
            name=name,
            exchange=exchange,
            first_seen_on=day,
            last_seen_on=day,
            is_current=True,
        )
    return rows.table()


def _listed_company(record: Any) -> tuple[_Pair, str | None, str | None]:
    if not isinstance(record, dict):
        raise BadRecord("it is no record of a company")
    cik = record["cik"]
    if isinstance(cik, bool) or not isinstance(cik, int | str):
        raise BadRecord(f"the CIK is {shown(cik)}")
    symbol = needed(string(record["ticker"], "ticker"), "ticker")
    pair = (to_canonical("sec", symbol), Cik.of(_bounded(cik)))
    return pair, string(record["name"], "name"), string(record.get("exchange"), "exchange")


def _bounded(cik: int | str) -> int | str:
    """Refuse an integer that is too long to be written out."""
    if isinstance(cik, int) and not 0 <= cik < _TOO_LONG:
        raise BadRecord("the CIK is out of range")
    return cik


def _list_records(answer: Answer) -> Iterator[Any]:
    """The records of either shape, as objects with ``cik``, ``ticker``, ``name`` and perhaps ``exchange``."""
    content = load_json(answer)
    if not isinstance(content, dict):
        raise contract(answer, "The answer is no list of tickers.")
    if "fields" in content or "data" in content:
        fields = member(answer, content, "fields", list)
        for name in ("cik", "ticker", "name"):
            if name not in fields:
                raise contract(answer, f"The field '{name}' is missing in the list of tickers.")
        names = [field if isinstance(field, str) else "" for field in fields]
        for values in member(answer, content, "data", list):
            fits = isinstance(values, list) and len(values) == len(names)
            yield dict(zip(names, values, strict=True)) if fits else None
        return
    for record in content.values():
        if not isinstance(record, dict):
            yield None
        elif not {"cik_str", "ticker", "title"} <= set(record):
            raise contract(answer, "The list of tickers holds records without 'cik_str', 'ticker' or 'title'.")
        else:
            yield {"cik": record["cik_str"], "ticker": record["ticker"], "name": record["title"]}


def yahoo_profile(answers: Sequence[Answer], context: TidyContext) -> Tidied:
    """One row per quoteSummary answer, as of the day in New York on which it arrived.

    Modules that Yahoo has no data for are simply absent; an answer with none that describes a company gives no row.
    ``market_cap`` is an amount in ``currency``, as Yahoo gives it.

    Raises:
        Contract: when an answer is no quoteSummary answer.
        TooLarge: when a body exceeds its cap.
    """
    account = LeftOuts(subject_of(answers))
    seen: set[tuple[str, dt.date]] = set()
    parts = []
    for answer in sorted(with_data(answers), key=lambda answer: answer.fetched_at, reverse=True):
        ticker = answer.request.subject.ticker
        if ticker is None:
            raise contract(answer, "The profile does not say which ticker it is about.")
        summary = member(answer, load_json(answer), "quoteSummary", dict)
        results = summary.get("result")
        if not isinstance(results, list) or len(results) > 1 or not all(isinstance(result, dict) for result in results):
            raise contract(answer, "The profile is no list of at most one result.")
        modules = results[0] if results else {}
        key = (ticker, exchange_day(answer))
        rows = Rows(PROFILES_TABLE, answer, context)
        if key in seen:
            account.add(f"profile of {ticker}", "a later answer of the same day holds the profile")
        elif not _PROFILE_MODULES & {name for name, content in modules.items() if isinstance(content, dict)}:
            account.add(f"profile of {ticker}", "it holds no module that describes the company")
        else:
            try:
                rows.add(ticker=ticker, as_of_date=key[1], cik=context.known.ciks.get(ticker), **_profile(modules))
                seen.add(key)
            except BadRecord as error:
                account.unreadable(f"profile of {ticker}", error)
        parts.append(rows)
    return Tidied({PROFILES_TABLE: joined(PROFILES_TABLE, parts)}, account.done())


_PROFILE_MODULES = {"assetProfile", "summaryProfile", "price", "defaultKeyStatistics", "summaryDetail"}


def _profile(modules: Mapping[str, Any]) -> dict[str, Any]:
    def first(*places: str) -> Any:
        for place in places:
            module, _, field = place.partition(".")
            holder = modules.get(module)
            value = holder.get(field) if isinstance(holder, dict) else None
            # Some numbers come wrapped even where plain ones were asked for.
            value = value.get("raw") if isinstance(value, dict) else value
            if value not in (None, ""):
                return value
        return None

    def words(name: str, *places: str) -> str | None:
        return string(first(*places), name)

    return {
        "name": words("name", "price.longName", "price.shortName"),
        "exchange": words("exchange", "price.exchangeName", "price.exchange"),
        "currency": words("currency", "price.currency", "summaryDetail.currency"),
        "country": words("country", "assetProfile.country", "summaryProfile.country"),
        "industry": words("industry", "assetProfile.industry", "summaryProfile.industry"),
        "sector": words("sector", "assetProfile.sector", "summaryProfile.sector"),
        "market_cap": number(first("price.marketCap", "summaryDetail.marketCap"), "marketCap"),
        "shares_outstanding": number(first("defaultKeyStatistics.sharesOutstanding"), "sharesOutstanding"),
    }


def company_cik(answer: Answer, content: Mapping[str, Any]) -> Cik:
    """The CIK that an answer of data.sec.gov is about, which must be the one that was asked for.

    Raises:
        Contract: when it is missing, no CIK, or another company's.
    """
    named = member(answer, content, "cik", (str, int))
    try:
        cik = Cik(named if isinstance(named, str) else f"{named}" if abs(named) < _TOO_LONG else "")
    except InvalidIdentifier as error:
        raise contract(answer, "The field 'cik' of the answer is no CIK.") from error
    asked = answer.request.subject.cik
    if asked is not None and asked != cik:
        raise contract(answer, f"The answer is about CIK {cik} and not about {asked}.")
    return cik


def company_record(answer: Answer, cik: Cik, content: Mapping[str, Any]) -> dict[str, Any]:
    """The row that a company's submissions page gives: what SEC says of the company now.

    Raises:
        Contract: when a field has another type than SEC documents, or the name is missing.
    """

    def words(name: str) -> str | None:
        try:
            return string(content.get(name), name)
        except BadRecord as error:
            raise contract(answer, f"The field '{name}' of the company has the wrong type.") from error

    listed = _listings(answer, content)
    category = words("category")
    asked = answer.request.subject.ticker
    return {
        "cik": cik,
        "ticker": asked or (listed[0][0] if listed else None),
        "name": member(answer, content, "name", str, "the company"),
        "sic": words("sic"),
        "sic_description": words("sicDescription"),
        "entity_type": words("entityType"),
        # SEC joins two categories with a line break of HTML.
        "filer_category": category.replace("<br>", "; ") if category else None,
        "state_of_incorporation": words("stateOfIncorporation"),
        "fiscal_year_end": words("fiscalYearEnd"),
        "ein": words("ein"),
        "tickers": [ticker for ticker, _ in listed],
        "exchanges": [exchange for _, exchange in listed],
        "former_names": _former_names(content.get("formerNames")),
    }


def _listings(answer: Answer, content: Mapping[str, Any]) -> list[tuple[str, str | None]]:
    """Tickers in canonical form, each with its exchange; what is no ticker is dropped with its exchange."""
    symbols = member(answer, content, "tickers", list, "the company")
    exchanges = member(answer, content, "exchanges", list, "the company")
    if len(symbols) != len(exchanges):
        raise contract(answer, "The company's tickers and exchanges are of unequal length.")
    listed: list[tuple[str, str | None]] = []
    for symbol, exchange in zip(symbols, exchanges, strict=True):
        try:
            listed.append((to_canonical("sec", symbol), exchange if isinstance(exchange, str) else None))
        except InvalidIdentifier:
            continue
    return listed


def _former_names(value: object) -> list[str]:
    """Earlier names, the one that was used last first."""
    records = [record for record in value if isinstance(record, dict)] if isinstance(value, list) else []
    named = [record for record in records if isinstance(record.get("name"), str)]
    return [record["name"] for record in sorted(named, key=lambda record: str(record.get("to") or ""), reverse=True)]
