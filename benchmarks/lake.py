"""What the lake costs and survives: commits, queries against one sorted Parquet file, company, and kill -9.

    python -m benchmarks.lake                 # the full sizes: 1,000 tickers x 2,520 days, 40 increments, 50 kills
    python -m benchmarks.lake --tickers 100 --days 500 --kills 5      # a quick look

CPU time is user and system time of this process over all its threads, the best of several rounds in which our files and the
floor take turns. The floor is what DuckDB itself writes: ``copy ... order by ticker, trade_date`` to one Parquet file.
"""

from __future__ import annotations

import argparse
import datetime as dt
import hashlib
import json
import math
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from salescience_pipeline.catalog.tables import TABLES
from salescience_pipeline.clients.model import AnswerClass, Attempt, Body, PlannedRequest, Subject
from salescience_pipeline.identifiers import RequestId
from salescience_pipeline.lake.archive import Archive
from salescience_pipeline.lake.maintenance import maintain
from salescience_pipeline.lake.tables import Slice, Tables, Where
from salescience_pipeline.lake.verify import verify

PRICES, FACTS = "core_tiingo__eod_prices", "core_sec__facts"
QUERIES = {
    "q1": "select trade_date, close from {r} where ticker = '{ticker}' order by 1",
    "q2": "select ticker, close from {r} where trade_date = date '{day}'",
    "q3": "select count(distinct ticker) from {r}",
    "q5": "select ticker, avg(close), max(high) from {r} group by 1",
}
"""q1 one ticker's history, q2 one day of all tickers, q3 distinct tickers, q5 grouped by ticker."""
INCREMENTS, ROUNDS = 40, 20
FETCHED = dt.datetime(2026, 11, 20, 22, tzinfo=dt.UTC)


def cpu_ms() -> float:
    """CPU of this process so far, all threads, in milliseconds."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return (used.ru_utime + used.ru_stime) * 1000


def costing(what: Callable[[], Any]) -> float:
    """CPU milliseconds of one call."""
    before = cpu_ms()
    what()
    return cpu_ms() - before


def trading_days(count: int) -> np.ndarray[Any, np.dtype[np.datetime64]]:
    """``count`` weekdays."""
    days = np.arange("2014-01-02", "2034-01-01", dtype="datetime64[D]")
    return days[np.is_busday(days)][:count]


def prices(tickers: int, days: np.ndarray[Any, np.dtype[np.datetime64]], seed: int = 1) -> pa.Table:
    """Every ticker on every day, with the noise that real prices have."""
    rng, count = np.random.default_rng(seed), tickers * len(days)
    close = np.round(np.exp(np.cumsum(rng.normal(0, 0.02, (tickers, len(days))), axis=1)) * 50, 2).ravel()
    names = np.array([f"T{number:04d}" for number in range(tickers)])
    digests = np.array([hashlib.sha256(name.encode()).hexdigest() for name in names])
    constant = {"source": "tiingo", "adj_method": "crsp", "currency": "USD", "run_id": "run-1"}
    columns: dict[str, pa.Array] = {}
    for field in TABLES[PRICES].schema:
        if field.name in ("ticker", "raw_sha256"):
            columns[field.name] = pa.array(np.repeat(names if field.name == "ticker" else digests, len(days)))
        elif field.name == "trade_date":
            columns[field.name] = pa.array(np.tile(days, tickers))
        elif field.name == "volume":
            columns[field.name] = pa.array(rng.integers(100_000, 10_000_000, count))
        elif field.name in ("div_cash", "split_factor"):
            columns[field.name] = pa.array(np.full(count, float(field.name == "split_factor")))
        elif field.name == "fetched_at":
            columns[field.name] = pa.array([FETCHED], field.type).take(pa.array(np.zeros(count, dtype=np.int64)))
        elif field.name == "organization_id":
            columns[field.name] = pa.nulls(count, pa.string())
        elif field.name in constant:
            columns[field.name] = pa.array([constant[field.name]]).take(pa.array(np.zeros(count, dtype=np.int64)))
        else:
            columns[field.name] = pa.array(np.round(close * (1 + rng.normal(0, 0.01, count)), 2))
    return pa.table(columns, schema=TABLES[PRICES].schema)


def facts(first: int, companies: int, each: int, value: float = 1.0) -> pa.Table:
    """``each`` facts of ``companies`` companies."""
    count = companies * each
    constant: dict[str, Any] = {
        "taxonomy": "us-gaap", "unit": "USD", "period_end": dt.date(2026, 9, 30), "form": "10-K", "fp": "FY",
        "accession": "0000000001-26-000001", "filed": dt.date(2026, 11, 1), "source": "sec", "fetched_at": FETCHED,
        "raw_sha256": "0" * 64, "run_id": "run-1",
    }  # fmt: skip
    columns = {}
    for field in TABLES[FACTS].schema:
        one = pa.array([constant.get(field.name)], field.type)
        columns[field.name] = one.take(pa.array(np.zeros(count, dtype=np.int64)))
    columns["cik"] = pa.array(np.repeat([f"{first + number:010d}" for number in range(companies)], each))
    columns["concept"] = pa.array(np.tile([f"Concept{number:05d}" for number in range(each)], companies))
    columns["value"] = pa.array(np.arange(count) * value)
    return pa.table(columns, schema=TABLES[FACTS].schema)


def alike(ours: tuple[Any, ...], floor: tuple[Any, ...]) -> bool:
    """Whether two rows are equal but for the last digits of a sum, which depend on its order."""
    return all(math.isclose(a, b) if isinstance(a, float) else a == b for a, b in zip(ours, floor, strict=True))


def compare(ours: str, floor: str, ticker: str, day: str) -> dict[str, tuple[float, float]]:
    """Best CPU milliseconds of (ours, floor) by query.

    Both are views; each round has a connection of its own, on which every query ran once before it is measured; they take
    turns in coming first.
    """
    best: dict[str, tuple[float, float]] = dict.fromkeys(QUERIES, (1e9, 1e9))
    views = {"ours": ours, "floor": floor}
    for number in range(ROUNDS):
        with duckdb.connect() as connection:
            for view, relation in views.items():
                connection.execute(f"create view {view} as {relation}")
                for text in QUERIES.values():
                    connection.execute(text.format(r=view, ticker=ticker, day=day)).fetchall()
            for name, text in QUERIES.items():
                answers, measured = {}, {}
                for view in list(views)[:: 1 if number % 2 else -1]:
                    sql = text.format(r=view, ticker=ticker, day=day)
                    before = cpu_ms()
                    rows = connection.execute(sql).fetchall()
                    measured[view] = cpu_ms() - before
                    answers[view] = sorted(rows)
                assert len(answers["ours"]) == len(answers["floor"]), f"{name} differs"
                assert all(map(alike, answers["ours"], answers["floor"])), f"{name} differs"
                best[name] = (min(best[name][0], measured["ours"]), min(best[name][1], measured["floor"]))
    return best


def relation_of(tables: Tables) -> str:
    """Our table as DuckDB reads it."""
    return tables.to_duckdb_view_sql(PRICES).split(" as ", maxsplit=1)[1]


def write_floor(rows: pa.Table, path: Path) -> str:
    """One sorted Parquet file as DuckDB writes it by default, zstd."""
    with duckdb.connect() as connection:
        connection.register("rows", rows)
        copy = f"copy (from rows order by ticker, trade_date) to '{path}' (format parquet, compression zstd)"
        connection.execute(copy)
    return f"select * from read_parquet('{path}')"


def commits_and_queries(root: Path, tickers: int, days: int) -> dict[str, Any]:
    """Forty daily increments on a history, then the queries, then maintenance, then the queries again."""
    tables, calendar = Tables(root), trading_days(days + INCREMENTS)
    everything = prices(tickers, calendar)
    order = np.arange(tickers * len(calendar)).reshape(tickers, len(calendar))
    print(f"\n{tickers:,} tickers x {days:,} days, then {INCREMENTS} days one by one")
    bulk = costing(lambda: tables.write(PRICES, everything.take(pa.array(order[:, :days].ravel()))))
    line("first write of the history", f"{bulk:,.0f} ms CPU", f"{len(tables.file_uris(PRICES))} files")

    costs, again = [], []
    for number in range(days, days + INCREMENTS):
        day = calendar[number].astype(object)
        rows = everything.take(pa.array(order[:, number]))
        covers = Slice(date_column="trade_date", first=day, last=day)
        costs.append(costing(lambda rows=rows, covers=covers: tables.write(PRICES, rows, covers)))  # type: ignore[misc]
        again.append(costing(lambda rows=rows, covers=covers: tables.write(PRICES, rows, covers)))  # type: ignore[misc]
    commit_ms = statistics.median(costs)
    line(
        f"commit of {tickers:,} rows",
        f"{commit_ms:.1f} ms CPU",
        f"median; best {min(costs):.1f}, worst {max(costs):.1f}",
    )
    line("the same day again", f"{statistics.median(again):.1f} ms CPU", "nothing written")

    ticker, day_text = f"T{tickers // 2:04d}", str(calendar[days // 2])
    floor = write_floor(everything, root / "floor.parquet")
    live = compare(relation_of(tables), floor, ticker, day_text)
    show("live", live, len(tables.file_uris(PRICES)))
    spent = costing(lambda: maintain(tables, PRICES))
    maintained = compare(relation_of(tables), floor, ticker, day_text)
    show("after maintenance", maintained, len(tables.file_uris(PRICES)))
    line("maintenance", f"{spent:,.0f} ms CPU", "compact, vacuum, checkpoint")
    size = sum(Path(uri).stat().st_size for uri in tables.file_uris(PRICES))
    line("size", f"{size / 1e6:.1f} MB", f"floor {(root / 'floor.parquet').stat().st_size / 1e6:.1f} MB")

    history = tables.read(PRICES, Where(values={"ticker": [ticker]}))
    at = history.schema.names.index("adj_close")
    split = history.set_column(at, history.schema.field(at), pa.array(np.asarray(history["adj_close"]) / 2))
    whole = costing(lambda: tables.write(PRICES, split, Slice(values={"ticker": [ticker]})))
    line("one ticker's history replaced", f"{whole:,.0f} ms CPU", f"{history.num_rows:,} rows changed (a split)")
    assert tables.row_count(PRICES) == everything.num_rows
    return {
        "commit_ms": round(commit_ms, 2),
        "query_ratio_live": ratios(live),
        "query_ratio_maintained": ratios(maintained),
    }


def companies(root: Path, scale: int) -> None:
    """What it costs to replace one company's facts among many."""
    tables = Tables(root)
    print("\nfacts of one company replaced, 400 facts each")
    held = 0
    for total in (scale // 10, scale):
        for first in range(held + 1, total + 1, 500):
            some = facts(first, min(500, total - first + 1), 400)
            tables.write(FACTS, some)
        held = total
        maintain(tables, FACTS)
        costs = []
        for number in range(5):
            cik = 1 + number * (total // 5)
            covers = Slice(values={"cik": [f"{cik:010d}"]})
            rows = facts(cik, 1, 400, 2.0 + number)
            costs.append(costing(lambda rows=rows, covers=covers: tables.write(FACTS, rows, covers)))  # type: ignore[misc]
        rows_text = f"{tables.row_count(FACTS):,} rows in {len(tables.file_uris(FACTS))} files"
        line(f"among {total:,} companies", f"{statistics.median(costs):,.0f} ms CPU", rows_text)


def ratios(measured: dict[str, tuple[float, float]]) -> dict[str, float]:
    """Ours over the floor's."""
    return {name: round(ours / floor, 3) for name, (ours, floor) in measured.items()}


def show(when: str, measured: dict[str, tuple[float, float]], files: int) -> None:
    """One row per query."""
    for name, (ours, floor) in measured.items():
        line(f"{name} {when}", f"{ours:.1f} ms CPU", f"floor {floor:.1f}, ratio {ours / floor:.2f}, {files} files")


def line(what: str, figure: str, remark: str = "") -> None:
    """One row of the report."""
    print(f"  {what:<32} {figure:>16}   {remark}", flush=True)


# -- company and kill -9 ------------------------------------------------------------------------------------------------
SLICE_ROWS = 50


def one_slice(ticker: str, number: int) -> tuple[pa.Table, Slice]:
    """A slice that belongs together: fifty days of one ticker, all with the number as their volume."""
    first = dt.date(2000, 1, 1)
    rows = prices(
        1, np.array([first + dt.timedelta(days=day) for day in range(SLICE_ROWS)], dtype="datetime64[D]"), number
    )
    names = rows.schema.names
    rows = rows.set_column(names.index("ticker"), rows.schema.field("ticker"), pa.array([ticker] * SLICE_ROWS))
    rows = rows.set_column(names.index("volume"), rows.schema.field("volume"), pa.array([number] * SLICE_ROWS))
    return rows, Slice(values={"ticker": [ticker]})


def write_forever(root: str, name: str, count: str) -> None:
    """Write slices of our own and one that everybody writes, and answers; say so after each (run in a child)."""
    tables = Tables(Path(root))
    with Archive(Path(root)) as archive:
        for number in range(int(count)):
            ticker = "SHARED" if number % 4 == 3 else f"{name}N{number}"
            tables.write(PRICES, *one_slice(ticker, number))
            print(f"slice {ticker} {number}", flush=True)
            body = Body(f"{name} {number} ".encode() * (20_000 if number % 2 else 20))
            request = PlannedRequest("tiingo", "daily", "api", f"/{name}/{number}", Subject("*"))
            attempt = Attempt(RequestId.new(), request, AnswerClass.OK, 1, FETCHED, 1.0, 200, {}, body, complete=True)
            print(f"answer {archive.put(attempt, 'run', None).sha256} {number}", flush=True)


def child(root: Path, name: str, count: int) -> subprocess.Popen[str]:
    """A writer in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.lake", "--child", str(root), name, str(count)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def acknowledged(said: Sequence[str]) -> tuple[dict[str, int], set[str]]:
    """The slices and answers that writers said were stored."""
    parts = [text.split() for text in said if text.count(" ") == 2 and text.endswith("\n")]
    slices = {part[1]: int(part[2]) for part in parts if part[0] == "slice"}
    return slices, {part[1] for part in parts if part[0] == "answer"}


def stored_slices(tables: Tables) -> tuple[dict[str, int], int]:
    """What is stored by slice, and how many slices are torn: not all fifty rows, or of two writes."""
    rows = tables.read(PRICES, columns=["ticker", "volume"], ordered=False).group_by("ticker")
    found = rows.aggregate([("volume", "min"), ("volume", "max"), ("volume", "count")]).to_pylist()
    torn = sum(row["volume_count"] != SLICE_ROWS or row["volume_min"] != row["volume_max"] for row in found)
    return {row["ticker"]: row["volume_min"] for row in found}, torn


def company(root: Path, writes: int) -> dict[str, int]:
    """Four writers, one of every four writes to a shared slice, and a reader that looks through DuckDB all the while."""
    tables = Tables(root)
    torn = errors = reads = 0
    writers = [child(root, f"W{number}", writes) for number in range(4)]
    query = "select ticker from {r} group by 1 having count(*) <> {n} or count(distinct volume) <> 1"
    while any(writer.poll() is None for writer in writers):
        try:
            with duckdb.connect() as connection:
                torn += len(connection.execute(query.format(r=f"({relation_of(tables)})", n=SLICE_ROWS)).fetchall())
        except Exception as error:  # noqa: BLE001 - whatever it is, it is counted and shown
            errors += 1
            print(f"  reader: {error}")
        reads += 1
    slices: dict[str, int] = {}
    for writer in writers:
        slices |= acknowledged(writer.communicate()[0].splitlines(keepends=True))[0]
    stored, torn_at_end = stored_slices(tables)
    lost = sum(stored.get(ticker) != number for ticker, number in slices.items() if ticker != "SHARED")
    lost += "SHARED" not in stored
    print("\n4 writers and 1 reader")
    line("slices written", f"{4 * writes}", f"{lost} lost, {torn + torn_at_end} torn")
    line("reads", f"{reads}", f"{errors} errors")
    return {"lost": lost, "torn": torn + torn_at_end, "reader_errors": errors}


def kill_nine(root: Path, kills: int, seed: int = 7) -> dict[str, int]:
    """Kill a writer at a random point, again and again, and count what it said was stored and is not."""
    chance = random.Random(seed)
    slices: dict[str, int] = {}
    answers: set[str] = set()
    for kill in range(kills):
        writer = child(root, f"K{kill}", 1_000_000)
        assert writer.stdout is not None
        said = [writer.stdout.readline()]
        time.sleep(chance.uniform(0, 0.25))
        writer.kill()
        said += writer.communicate()[0].splitlines(keepends=True)
        some, more = acknowledged(said)
        slices |= some
        answers |= more
    tables = Tables(root)
    stored, torn = stored_slices(tables)
    with Archive(root) as archive:
        missing = len(archive.audit.missing(sorted(answers)))
        report = verify(archive, tables)
    wrong = [problem for problem in report.problems if problem.kind != "raw answer"]
    lost = missing + len(wrong) + sum(stored.get(key) != number for key, number in slices.items() if key != "SHARED")
    unsaid = len(stored.keys() - slices.keys())
    print(f"\nkill -9, {kills} times at random points")
    line("acknowledged", f"{len(slices)} slices", f"{len(answers)} answers; {lost} lost, {torn} half visible")
    line("stored, not acknowledged", f"{unsaid}", "killed between the commit and the word")
    line("left behind", f"{report.archive.unfinished} files", "swept by the archive after an hour")
    return {"kills": kills, "lost_after_kill": lost + torn}


def main() -> None:
    """Run everything; the last line is one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tickers", type=int, default=1_000)
    parser.add_argument("--days", type=int, default=2_520)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--writes", type=int, default=24, help="writes of each of the four writers")
    parser.add_argument("--companies", type=int, default=5_000)
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        write_forever(*options.child)
        return
    with tempfile.TemporaryDirectory(prefix="salescience-lake-") as folder:
        root = Path(folder)
        result: dict[str, Any] = commits_and_queries(root / "queries", options.tickers, options.days)
        companies(root / "facts", options.companies)
        result |= company(root / "company", options.writes)
        result |= kill_nine(root / "kills", options.kills)
    used = resource.getrusage(resource.RUSAGE_SELF)
    print()
    line("CPU of this process", f"{cpu_ms() / 1000:,.1f} s", f"peak memory {used.ru_maxrss / 1000:,.0f} MB")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
