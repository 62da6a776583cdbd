"""The process that answers one question: everything that somebody else's SQL can do wrong happens here and ends here.

Started ahead of its question, so that imports are done; it reads one line of JSON, answers with a line of JSON and the
encoded rows, and ends. It knows no secret (its environment is empty), may write no file, has 1.5 GB of address space and
some seconds of processor time; the gateway kills it when the time is over.

Walls, from the inside out: one statement of type SELECT; relations only from an allow-list, found in DuckDB's own syntax
tree; a read-only database with external access, extensions and replacement scans off and its configuration locked; the
limits of the operating system. What does not belong here: the gateway (nothing of it is imported), and who may ask.
"""

from __future__ import annotations

import csv
import io
import json
import resource
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

ADDRESS_SPACE = 1_500_000_000
"""Bytes; DuckDB's own limit does not bound a single value: repeat('x', 2e9) took 7.9 GB under a limit of 128 MB."""
MEMORY_LIMIT = "512MB"
FUNCTIONS = frozenset({"range", "generate_series", "unnest", "search_filings"})
"""Table functions that may be called; all others read files, settings, or text as SQL. The last one is the warehouse's own
macro over the marts of the search."""
RELATIONS = frozenset({("information_schema", "tables"), ("information_schema", "columns"), ("lake", "table_versions")})
"""What may be read besides the marts."""
_BATCH = 256
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class Refused(Exception):
    """A question that is not answered; the code is the gateway's."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code, self.detail = code, detail


@dataclass(frozen=True, slots=True)
class Question:
    """What the gateway sends: the published file, the SQL, and which part of the rows in which format."""

    path: str
    sql: str
    parameters: list[Any] = field(default_factory=list)
    limit: int = 1_000
    offset: int = 0
    max_bytes: int = 10_000_000
    cpu_seconds: int = 10
    format: str = "json"


@dataclass(frozen=True, slots=True)
class Page:
    """The rows that fit, and whether there are more behind them."""

    rows: pa.Table
    more: bool


def open_warehouse(path: str) -> duckdb.DuckDBPyConnection:
    """A read-only connection that can reach nothing but the file at ``path`` and cannot be talked into more."""
    connection = duckdb.connect(
        path,
        read_only=True,
        config={
            "enable_external_access": False, "autoinstall_known_extensions": False, "autoload_known_extensions": False,
            "allow_community_extensions": False, "python_enable_replacements": False, "memory_limit": MEMORY_LIMIT,
            "threads": 1, "temp_directory": "",
        },
    )  # fmt: skip
    connection.execute("set TimeZone = 'UTC'")
    connection.execute("set lock_configuration = true")
    return connection


def check(connection: duckdb.DuckDBPyConnection, sql: str) -> None:
    """Refuse what is not one SELECT over relations that are served.

    Raises:
        Refused: naming what is not allowed.
    """
    statements = connection.extract_statements(sql)
    if [statement.type for statement in statements] != [duckdb.StatementType.SELECT]:
        raise Refused("not_one_select", "Only one SELECT statement can be asked; the warehouse is read-only.")
    written = connection.execute("select json_serialize_sql(?::varchar)", [sql]).fetchone()
    assert written is not None
    tree = json.loads(written[0])
    if tree.get("error", True):
        raise Refused("not_one_select", "This form of statement is not served; write it as a plain SELECT.")
    served, known = _catalogue(connection)
    named = {str(item["key"]).lower() for node in _nodes(tree) for item in _ctes(node)}
    if clash := sorted(named & (known - {name for _, name in served})):
        # A name that means a CTE here and a relation of the system there could not be told apart.
        raise Refused("relation_not_served", f"A WITH query may not be called {clash[0][:60]}; choose another name.")
    for node in _nodes(tree):
        _check_node(node, served, named)


def _check_node(node: Mapping[str, Any], served: frozenset[tuple[str, str]], named: set[str]) -> None:
    kind = node.get("type")
    if kind == "TABLE_FUNCTION":
        name = str(node["function"].get("function_name", "")).lower()
        if name not in FUNCTIONS:
            raise Refused("function_not_served", f"The table function {name[:60]} is not served.")
    elif kind == "SHOW_REF" and node.get("query") is None:
        raise Refused(
            "relation_not_served", "SHOW is not served; select from information_schema.tables, or DESCRIBE a table."
        )
    elif kind == "BASE_TABLE":
        path = [str(part).lower() for part in node["qualified_name"]["path"]]
        schema, name = path[-2] if len(path) > 1 else "main", path[-1]
        inside = len(path) < 3 or path[0] in ("warehouse", "system")
        if inside and ((schema, name) in served or (len(path) == 1 and name in named)):
            return
        raise Refused(
            "relation_not_served",
            f"{'.'.join(path)[:100]} is not served; information_schema.tables lists the marts in the schema main.",
        )


def _nodes(value: Any) -> Iterator[Mapping[str, Any]]:
    """Every object of a syntax tree; iterative, because a tree may be deeper than Python's stack."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            yield item
            waiting.extend(item.values())
        elif isinstance(item, list):
            waiting.extend(item)


def _ctes(node: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    held = node.get("cte_map")
    return list(held["map"]) if isinstance(held, dict) else []


def _catalogue(connection: duckdb.DuckDBPyConnection) -> tuple[frozenset[tuple[str, str]], set[str]]:
    """The relations that are served (schema, name), and the names of all that exist; in lower case, as DuckDB compares."""
    marts = connection.execute("select lower(table_name) from duckdb_tables() where schema_name = 'main'").fetchall()
    everything = connection.execute(
        "select lower(view_name) from duckdb_views() union select lower(table_name) from duckdb_tables()"
    ).fetchall()
    return RELATIONS | {("main", row[0]) for row in marts}, {row[0] for row in everything}


def page_of(connection: duckdb.DuckDBPyConnection, question: Question) -> Page:
    """The rows ``offset`` to ``offset + limit``, fewer when they would be more than ``max_bytes``.

    The rows before are computed and passed over: a page costs what all pages before it cost together.

    Raises:
        Refused: when a single row is larger than an answer may be.
    """
    sql, parameters = question.sql, question.parameters
    relation = connection.sql(sql, params=parameters) if parameters else connection.sql(sql)
    reader = relation.to_arrow_reader(_BATCH)
    skip, left, room = question.offset, question.limit, question.max_bytes
    kept: list[pa.RecordBatch] = []
    for batch in reader:
        part = batch.slice(min(skip, batch.num_rows))
        skip -= batch.num_rows - part.num_rows
        if not part.num_rows:
            continue
        fitting = _fitting(part.slice(0, left), room)
        if fitting.num_rows:
            kept.append(fitting)
            left, room = left - fitting.num_rows, room - fitting.nbytes
        if fitting.num_rows < part.num_rows:
            if not kept and question.limit:
                raise Refused(
                    "row_too_large", f"One row is larger than an answer may be ({question.max_bytes:,} bytes)."
                )
            return Page(pa.Table.from_batches(kept, reader.schema), True)
    return Page(pa.Table.from_batches(kept, reader.schema), False)


def _fitting(batch: pa.RecordBatch, room: int) -> pa.RecordBatch:
    """As many of the first rows as have ``room`` bytes."""
    low, high = 0, batch.num_rows
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if batch.slice(0, middle).nbytes <= room else (low, middle - 1)
    return batch.slice(0, low)


# -- formats ------------------------------------------------------------------------------------------------------------
def encode(page: Page, format_: str, max_bytes: int) -> tuple[bytes, int]:
    """The page in ``format_`` and the number of its rows; text formats may hold fewer rows than the page.

    Raises:
        Refused: when the first row alone is larger than ``max_bytes``.
    """
    if format_ in ("arrow", "parquet"):
        sink = io.BytesIO()
        if format_ == "parquet":
            pq.write_table(_writable(page.rows), sink, compression="zstd")
        else:
            with pa.ipc.new_stream(sink, page.rows.schema) as writer:
                writer.write_table(page.rows)
        return sink.getvalue(), page.rows.num_rows
    return _text(page.rows, format_, max_bytes=max_bytes)


def _writable(rows: pa.Table) -> pa.Table:
    """Parquet has no interval and no type for nothing: both become text."""
    for at, column in enumerate(rows.schema):
        if pa.types.is_interval(column.type) or pa.types.is_null(column.type):
            texts = [None if value is None else str(value) for value in rows.column(at).to_pylist()]
            rows = rows.set_column(at, column.name, pa.array(texts, pa.string()))
    return rows


def _text(rows: pa.Table, format_: str, *, max_bytes: int) -> tuple[bytes, int]:
    pieces: list[str] = []
    if format_ == "csv":
        pieces.append(_line([_harmless(name) for name in rows.column_names]))
    names = _distinct(rows.column_names)
    size, count = sum(len(piece.encode()) for piece in pieces), 0
    for batch in rows.to_batches(_BATCH):
        for row in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            text = _row([_plain(value) for value in row], names, format_)
            size += len(text.encode("utf-8", "replace")) + 1
            if size > max_bytes:
                if not count:
                    raise Refused("row_too_large", f"One row is larger than an answer may be ({max_bytes:,} bytes).")
                return _joined(pieces, format_), count
            pieces.append(text)
            count += 1
    return _joined(pieces, format_), count


def _row(plain: list[Any], names: list[str], format_: str) -> str:
    if format_ == "csv":
        return _line([_cell(value) for value in plain])
    if format_ == "ndjson":
        return json.dumps(dict(zip(names, plain, strict=True)), ensure_ascii=False) + "\n"
    return json.dumps(plain, ensure_ascii=False)


def _distinct(names: list[str]) -> list[str]:
    """The names of columns with none twice, for rows that are objects: ``a``, ``a_2``..."""
    taken: dict[str, None] = {}
    for name in names:
        free, at = name, 1
        while free in taken:
            at += 1
            free = f"{name}_{at}"
        taken[free] = None
    return list(taken)


def _joined(pieces: list[str], format_: str) -> bytes:
    return (f"[{','.join(pieces)}]" if format_ == "json" else "".join(pieces)).encode("utf-8", "replace")


def _plain(value: Any) -> Any:
    """A value as JSON knows it: moments and decimals as text, bytes as hexadecimal digits, what is no number as null."""
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if value - value == 0 else None
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, bytes):
        return value.hex()
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def _cell(value: Any) -> Any:
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, (list, dict)) else value
    return _harmless(text) if isinstance(text, str) else text


def _harmless(text: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def _line(cells: list[Any]) -> str:
    written = io.StringIO()
    csv.writer(written, lineterminator="\r\n").writerow(cells)
    return written.getvalue()


# -- the process --------------------------------------------------------------------------------------------------------
def answer(question: Question) -> tuple[dict[str, Any], bytes]:
    """Ask, and say how it went: the header, and the encoded rows."""
    started = time.perf_counter()
    with open_warehouse(question.path) as connection:
        try:
            check(connection, question.sql)
            page = page_of(connection, question)
            body, count = encode(page, question.format, question.max_bytes)
        except Refused as error:
            return {"code": error.code, "detail": error.detail}, b""
        except (duckdb.OutOfMemoryException, MemoryError):
            return {"code": "query_too_large", "detail": "The question needs more memory than one may have."}, b""
        except duckdb.PermissionException:
            return {"code": "relation_not_served", "detail": "The question reaches outside the warehouse."}, b""
        except (duckdb.Error, pa.ArrowException, RuntimeError) as error:
            # DuckDB's first line names the mistake; what follows is the statement again.
            return {"code": "query_failed", "detail": _first_line(error, question.path)}, b""
    columns = [{"name": column.name, "type": str(column.type)} for column in page.rows.schema]
    header = {
        "columns": columns, "rows": count, "more": page.more or count < page.rows.num_rows,
        "seconds": round(time.perf_counter() - started, 4),
    }  # fmt: skip
    return header, body


def _first_line(error: Exception, path: str) -> str:
    lines = str(error).replace(path, "warehouse").strip().splitlines() or ["the question failed"]
    return lines[0][:300]


def _confine(cpu_seconds: int) -> None:
    used = resource.getrusage(resource.RUSAGE_SELF)
    spent = int(used.ru_utime + used.ru_stime) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (spent + cpu_seconds, spent + cpu_seconds + 1))
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def main(source: BinaryIO, target: BinaryIO) -> None:
    """Answer the one question that ``source`` brings; nothing when it is closed without one."""
    line = source.readline()
    if not line:
        return
    question = Question(**json.loads(line))
    _confine(question.cpu_seconds)
    header, body = answer(question)
    target.write(json.dumps(header).encode() + b"\n" + body)
    target.flush()


def line_of(question: Question) -> bytes:
    """The line that asks ``question``."""
    return json.dumps({**asdict(question), "path": str(Path(question.path))}).encode() + b"\n"


if __name__ == "__main__":
    main(sys.stdin.buffer, sys.stdout.buffer)
