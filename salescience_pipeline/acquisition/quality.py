"""Checks of what is stored against itself, its second source, the calendar and its own history.

Each check is a function of the open rooms and gives findings, the worst first; none changes anything but the table of
findings. Limits stand here with their reasons. What does not belong here: the shape of answers (``drift``).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from salescience_pipeline.acquisition.asking import ask
from salescience_pipeline.acquisition.confidence import CONFIDENCE, DOCUMENTS, DOUBTFUL, store_confidence
from salescience_pipeline.acquisition.drift import DriftFinding, find_drift
from salescience_pipeline.acquisition.indicators import compare_with_alpha_vantage
from salescience_pipeline.acquisition.services import Services
from salescience_pipeline.catalog.scopes import Scope
from salescience_pipeline.catalog.tables import TABLES
from salescience_pipeline.lake.errors import CorruptBlob
from salescience_pipeline.lake.tables import Slice
from salescience_pipeline.tidy.computed_indicators import COMPUTED_TABLE

FINDINGS = "ops_salescience__quality_findings"
TIINGO, YAHOO = "core_tiingo__eod_prices", "core_yahoo__eod_prices"
SOURCE = "quality"

CROSS_CHECK, STALE, GAPS, OUTLIERS, DRIFT, AUDIT, BYTES, TRUST = (
    "prices_agree_with_second_source",
    "prices_are_not_stale",
    "prices_have_no_gaps",
    "returns_are_no_outliers",
    "answers_keep_their_shape",
    "indicators_agree_with_alpha_vantage",
    "answers_are_as_received",
    "documents_can_be_trusted",
)
REHASHED = 2_000_000_000
"""Bytes of answers that one evening re-hashes, some ten seconds of work: an archive that is larger is read in as many parts."""
APART = 0.005
"""Half a percent: rounding and late corrections stay below, a wrong day or a missed split does not."""
FAR = 12.0
"""Median absolute deviations (times 1.4826, as of a normal distribution) from which a daily return is an outlier: earnings
days reach about ten."""
SEVERAL = 20
"""Trading days without a price, in a row, that are told one by one: a month of them is one thing that happened."""
LEAST_SPREAD, LEAST_DAYS = 0.002, 60
"""A quiet ticker's own spread would make every move an outlier; a short history has no spread to speak of."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong."""

    subject: str
    on_date: dt.date
    sentence: str
    detail: str = ""
    observed: float | None = None
    expected: float | None = None


def _prices(services: Services, table: str) -> pa.Table:
    return services.tables.read(
        table, columns=["ticker", "trade_date", "close", "adj_close", "split_factor", "adj_method"]
    )


def cross_check(services: Services) -> list[Finding]:
    """Days on which two sources differ by more than :data:`APART`: closes, or adjusted returns.

    Adjusted levels of two methods drift apart by design, so never a level is held against one of another method.
    """
    rows = ask(
        """
        with both_sources as (
            select ticker, trade_date, t.close as ours, y.close as theirs,
                t.adj_close / lag(t.adj_close) over by_day - 1 as our_return,
                y.adj_close / lag(y.adj_close) over by_day - 1 as their_return
            from tiingo t join yahoo y using (ticker, trade_date)
            window by_day as (partition by ticker order by trade_date))
        select *, abs(ours - theirs) / greatest(ours, theirs) as close_apart, abs(our_return - their_return) as return_apart
        from both_sources where close_apart > $apart or return_apart > $apart
        order by greatest(coalesce(close_apart, 0), coalesce(return_apart, 0)) desc
        """.replace("$apart", str(APART)),
        tiingo=_prices(services, TIINGO),
        yahoo=_prices(services, YAHOO),
    )
    found = []
    for row in rows:
        ticker, day, ours, theirs = row["ticker"], row["trade_date"], row["our_return"], row["their_return"]
        if (row["close_apart"] or 0) > APART:
            told = f"Tiingo closes at {row['ours']:g}, Yahoo at {row['theirs']:g}."
            found.append(Finding(ticker, day, told, "close", row["ours"], row["theirs"]))
        if (row["return_apart"] or 0) > APART:
            told = f"The adjusted return is {ours:.2%} by Tiingo and {theirs:.2%} by Yahoo."
            found.append(Finding(ticker, day, told, "return", ours, theirs))
    return found


def stale(services: Services) -> list[Finding]:
    """Followed tickers with stored prices, the newest of which is older than the last trading day that is out."""
    last = services.last_session()
    followed = services.ledger.watchlist.tickers(Scope.ENTIRE_WATCHLIST)
    rows = ask("select ticker, max(trade_date) as newest from prices group by ticker", prices=_prices(services, TIINGO))
    newest: Mapping[str, dt.date] = {row["ticker"]: row["newest"] for row in rows}
    late = sorted((newest[name], str(name)) for name in followed if name in newest and newest[name] < last)
    return [
        Finding(name, day, f"The newest price is of {day.isoformat()}, the last trading day was {last.isoformat()}.")
        for day, name in late
    ]


def gaps(services: Services) -> list[Finding]:
    """Trading days between a ticker's first and last price that have none; more than :data:`SEVERAL` in a row are one."""
    prices = _prices(services, TIINGO)
    if not prices.num_rows:
        return []
    days = prices["trade_date"].to_pylist()
    open_days = services.sessions(min(days), max(days))
    sessions = pa.table({"day": pa.array(open_days, pa.date32()), "number": range(len(open_days))})
    rows = ask(
        """
        with spans as (select ticker, min(trade_date) as first, max(trade_date) as last from prices group by ticker),
        missing as (
            select spans.ticker, sessions.day, sessions.number - row_number() over (
                partition by spans.ticker order by sessions.number) as run
            from spans join sessions on sessions.day between spans.first and spans.last
            anti join prices on prices.ticker = spans.ticker and prices.trade_date = sessions.day),
        runs as (select *, count(*) over (partition by ticker, run) as long from missing)
        select ticker, min(day) as first, max(day) as last, any_value(long) as days from runs
        group by ticker, run, case when long <= $several then day end
        order by last desc, ticker
        """.replace("$several", str(SEVERAL)),
        prices=prices,
        sessions=sessions,
    )
    return [_gap(row["ticker"], row["first"], row["last"], row["days"]) for row in rows]


def _gap(ticker: str, first: dt.date, last: dt.date, days: int) -> Finding:
    if first == last:
        return Finding(ticker, last, f"{last.isoformat()} was a trading day and has no price.")
    told = f"There is no price from {first.isoformat()} to {last.isoformat()}, {days:,} trading days: a suspension, or"
    return Finding(ticker, last, f"{told} the ticker belonged to two companies.", "", float(days), 0.0)


def outliers(services: Services) -> list[Finding]:
    """Daily adjusted returns far from the ticker's own median, in its own median absolute deviations."""
    rows = ask(
        """
        with returns as (
            select ticker, trade_date, adj_close / lag(adj_close) over (partition by ticker order by trade_date) - 1 as moved
            from prices where adj_close > 0),
        middles as (
            select ticker, median(moved) as middle, 1.4826 * mad(moved) as spread from returns where moved is not null
            group by ticker having count(*) >= $days)
        select ticker, trade_date, moved, middle, abs(moved - middle) / greatest(spread, $least) as far
        from returns join middles using (ticker) where far > $far order by far desc
        """.replace("$days", str(LEAST_DAYS))
        .replace("$least", str(LEAST_SPREAD))
        .replace("$far", str(FAR)),
        prices=_prices(services, TIINGO),
    )
    found = []
    for row in rows:
        told = f"A return of {row['moved']:.2%} lies {row['far']:.0f} of its usual deviations away."
        found.append(Finding(row["ticker"], row["trade_date"], told, "", row["moved"], row["middle"]))
    return found


def drifted(services: Services) -> list[Finding]:
    """Fields of answers that are new, gone, of another type or missing more often than before."""
    today = services.today()

    def told(one: DriftFinding) -> Finding:
        return Finding(f"{one.provider}/{one.endpoint}", today, one.sentence, one.field, one.observed, one.expected)

    return [told(one) for one in find_drift(services)]


def audited(services: Services) -> list[Finding]:
    """Values of indicators on which Alpha Vantage and we part, the widest first."""
    rows = compare_with_alpha_vantage(services).parted.slice(0, 1_000).to_pylist()
    found = []
    for row in rows:
        told = f"{row['series']} is {row['ours']:.4f} by us and {row['theirs']:.4f} by Alpha Vantage."
        detail = f"{row['indicator']};{row['params_key']};{row['series']}"
        found.append(Finding(row["ticker"], row["ts_date"], told, detail, row["ours"], row["theirs"]))
    return found


def damaged(services: Services) -> list[Finding]:
    """Archived answers whose bytes are not those that were received: all of a small archive, a part a day of a large one."""
    if not services.archive.layout.audit.exists():
        return []
    today, audit = services.today(), services.archive.audit
    parts = -(-audit.size() // REHASHED) or 1
    found = []
    for body in audit.bodies():
        if int(body.sha256[:8], 16) % parts != today.toordinal() % parts:
            continue
        try:
            services.archive.check(body)
        except CorruptBlob as damage:
            found.append(Finding(body.sha256[:12], today, str(damage), body.sha256))
    return found


def doubtful(services: Services) -> list[Finding]:
    """Documents whose confidence lies below :data:`DOUBTFUL`, the least sure first; see ``confidence`` for the formula."""
    rows = services.tables.read(CONFIDENCE).sort_by("score").to_pylist()
    found = []
    for row in rows:
        if row["score"] < DOUBTFUL:
            known = ("size", "section", "fact")
            why = ", ".join(f"{name} {row[f'{name}_score']:.2f}" for name in known if row[f"{name}_score"] is not None)
            why = why or "nothing to compare it with"
            told = f"{row['filename']} can be trusted to {row['score']:.2f}: " + (
                why if row["is_intact"] else "its bytes are not those that were received"
            )
            found.append(
                Finding(row["accession"], services.today(), f"{told}.", row["filename"], row["score"], DOUBTFUL)
            )
    return found


@dataclass(frozen=True, slots=True)
class Check:
    """One check: its name, the table that it is about, and how it finds."""

    name: str
    table: str
    description: str
    find: Callable[[Services], list[Finding]]


CHECKS: tuple[Check, ...] = (
    Check(
        CROSS_CHECK,
        TIINGO,
        "Tiingo and Yahoo differ by no more than half a percent, adjusted against adjusted.",
        cross_check,
    ),
    Check(STALE, TIINGO, "Every followed ticker has the price of the last trading day.", stale),
    Check(GAPS, TIINGO, "No trading day lacks a price between a ticker's first and last.", gaps),
    Check(OUTLIERS, TIINGO, "No daily return lies far outside of the ticker's own history (median and MAD).", outliers),
    Check(DRIFT, "raw_salescience__http_answers", "Answers have the fields and types that they had before.", drifted),
    Check(AUDIT, COMPUTED_TABLE, "Computed indicators agree with those of Alpha Vantage.", audited),
    Check(BYTES, "raw_salescience__http_answers", "Archived answers hold the bytes that were received.", damaged),
    Check(TRUST, DOCUMENTS, "Every document came whole and looks like the issuer's others.", doubtful),
)


def run_checks(services: Services, *, run_id: str, names: Iterable[str] | None = None) -> dict[str, list[Finding]]:
    """Run the checks, store what each found in place of what it found before, and return it by check."""
    wanted = set(names) if names is not None else {check.name for check in CHECKS}
    found: dict[str, list[Finding]] = {}
    for check in CHECKS:
        if check.name in wanted:
            if check.name == TRUST:
                # After the digests: a damaged body is remembered, and nobody trusts it.
                store_confidence(services, run_id)
            found[check.name] = check.find(services)
            store_findings(services, check.name, check.table, found[check.name], run_id)
    return found


def store_findings(services: Services, check: str, table: str, findings: Sequence[Finding], run_id: str) -> None:
    """Store what ``check`` found in place of what it found before."""
    rows = _rows(check, table, findings, run_id, services.now())
    services.tables.write(FINDINGS, rows, Slice(values={"check_name": [check]}))


def _rows(check: str, table: str, findings: Sequence[Finding], run_id: str, now: dt.datetime) -> pa.Table:
    unique = {(one.subject, one.on_date, one.detail): one for one in findings}
    rows = [
        {
            "check_name": check, "dataset": table, "subject": one.subject, "on_date": one.on_date,
            "detail": one.detail, "observed": one.observed, "expected": one.expected, "sentence": one.sentence,
            "checked_at": now, "source": SOURCE, "fetched_at": now, "raw_sha256": "", "run_id": run_id,
        }
        for one in unique.values()
    ]  # fmt: skip
    return pa.Table.from_pylist(rows, schema=TABLES[FINDINGS].schema)
