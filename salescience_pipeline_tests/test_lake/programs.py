"""What the tests run in processes of their own: ``python -m salescience_pipeline_tests.test_lake.programs NAME ARGUMENTS``."""

from __future__ import annotations

import random
import resource
import sys
import time
from pathlib import Path

from salescience_pipeline.clients.model import Body
from salescience_pipeline.lake.archive import Archive
from salescience_pipeline.lake.errors import LakeError
from salescience_pipeline.lake.tables import Slice, Tables
from salescience_pipeline.lake.warehouse import Warehouse
from salescience_pipeline_tests.test_lake import rows


def say(word: object) -> None:
    """Tell the parent; flushed, since the next thing may be a kill."""
    print(word, flush=True)


def write_days(root: str, ticker: str, count: str) -> None:
    """Write one ticker's days one by one, each acknowledged on stdout once it is committed."""
    tables = Tables(Path(root))
    for number, day in enumerate(rows.days(int(count))):
        one = rows.table(rows.PRICES, [rows.price(ticker, day, float(number))], run_id=f"run-{ticker}")
        tables.write(rows.PRICES, one, Slice(values={"ticker": [ticker], "trade_date": [day]}))
        say(day)


def write_shared(root: str, name: str, count: str) -> None:
    """Replace the same slice of ten tickers again and again: each version must be one writer's as a whole."""
    tables = Tables(Path(root))
    tickers = [f"S{number}" for number in range(10)]
    for number in range(int(count)):
        close = float(number + 1000 * int(name))
        some = rows.table(rows.PRICES, [rows.price(ticker, close=close) for ticker in tickers])
        tables.write(rows.PRICES, some, Slice(values={"ticker": tickers}))
    say("done")


def upsert_same(root: str, count: str) -> None:
    """Insert the same new keys as everybody else."""
    tables = Tables(Path(root))
    for day in rows.days(int(count)):
        tables.write(rows.PRICES, rows.table(rows.PRICES, [rows.price(f"T{n}", day) for n in range(20)]))
    say("done")


def put_answers(root: str, name: str, count: str, size: str) -> None:
    """Archive answers, each acknowledged by its digest once ``put`` has returned."""
    with Archive(Path(root)) as archive:
        for number in range(int(count)):
            body = f"{name}/{number}/".encode() * (int(size) // 8)
            say(archive.put(rows.attempt(f"/{name}/{number}", body), "run", None).sha256)


def put_limited(root: str, limit: str, size: str) -> None:
    """Archive one body where no file may grow beyond ``limit`` bytes."""
    with Archive(Path(root)) as archive:
        archive.put(rows.attempt("/before", b"small"), "run", None)
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), int(limit)))
        body = bytes(hash((number, 7)) % 256 for number in range(int(size)))
        try:
            archive.put(rows.attempt("/limited", Body(body)), "run", None)
        except LakeError as error:
            say(type(error).__name__)


def write_limited(root: str, limit: str, count: str) -> None:
    """Write a table where no file may grow beyond ``limit`` bytes."""
    tables = Tables(Path(root))
    tables.write(rows.PRICES, rows.table(rows.PRICES, [rows.price("BEFORE")]))
    noise = random.Random(1)
    many = rows.table(
        rows.PRICES, [rows.price(f"L{n}", day, noise.random()) for n in range(int(count)) for day in rows.days(20)]
    )
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), int(limit)))
    try:
        tables.write(rows.PRICES, many)
    except LakeError as error:
        say(type(error).__name__)


def publish(root: str, warehouse: str, count: str) -> None:
    """Publish warehouse versions, each saying its publisher's number."""
    import duckdb

    tables, published = Tables(Path(root)), Warehouse(Path(warehouse))
    for number in range(int(count)):
        with published.build(tables, [rows.PRICES]) as path, duckdb.connect(str(path)) as connection:
            connection.execute("create table told as select ? as number from range(1000)", [number])
        say(number)


def hold_open(path: str) -> None:
    """Write into a build and keep it open until killed."""
    import duckdb

    connection = duckdb.connect(path)
    connection.execute("create table written as select range as number from range(1000)")
    say("open")
    time.sleep(60)


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
