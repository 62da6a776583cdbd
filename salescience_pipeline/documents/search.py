"""Search over filings: words (BM25), meaning (vectors), or both; every hit with its place in the source.

One SQLite file holds chunks, their words (FTS5 with its own BM25 and a Porter stemmer) and their vectors; cosine is
exact. Measured on 16,000 chunks that is faster than any index built for it. The embedder can be exchanged
(:mod:`embed`). What does not belong here: vectors (``embed``), and cutting chunks (``chunks``).
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from salescience_pipeline.documents.chunks import passages
from salescience_pipeline.documents.document import Document
from salescience_pipeline.documents.embed import STOP_WORDS, Embedder, LatentSemantics, Vectors
from salescience_pipeline.documents.errors import DocumentError, InvalidOption
from salescience_pipeline.documents.model import Block
from salescience_pipeline.documents.sections import find_sections
from salescience_pipeline.documents.source import Kind

MODES = ("hybrid", "bm25", "vector")
_RRF = 60
"""Constant of reciprocal rank fusion (Cormack, Clarke, B\u00fcttcher 2009)."""
_DEPTH = 100
_QUERY_MAX = 32
_WORD = re.compile(r"\w+")
_SNIPPET = 240
_SNIPPET_FROM = 20_000
_PLACES_MAX = 100
_SCHEMA = """
create table if not exists chunks(
  id integer primary key, document text not null, ticker text not null, form text not null, item text not null,
  filed text not null, page integer not null, start integer not null, "end" integer not null, text text not null,
  vector blob);
create index if not exists chunks_document on chunks(document);
create virtual table if not exists words using fts5(
  text, content='chunks', content_rowid='id', tokenize='porter unicode61 remove_diacritics 2');
create table if not exists model(name text primary key, learnt_on integer not null, bytes blob not null);
"""


@dataclass(frozen=True, slots=True)
class Filed:
    """What is known about a document beside its content, for filters.

    Attributes:
        document: its identity; indexing the same one again replaces it.
        ticker: of the filer, upper case.
        form: form type.
        filed: ISO date.
    """

    document: str
    ticker: str = ""
    form: str = ""
    filed: str = ""


@dataclass(frozen=True, slots=True)
class Filter:
    """Which chunks may be found; None lets all pass.

    Attributes:
        ticker: of the filer.
        form: form type.
        item: item that the chunk stands in (``1A``, ``5.02``).
        since: first filing date, ISO.
        until: last filing date, ISO.
    """

    ticker: str | None = None
    form: str | None = None
    item: str | None = None
    since: str | None = None
    until: str | None = None

    def sql(self) -> tuple[str, list[str]]:
        """A condition over ``chunks`` and its parameters."""
        parts = (
            ("c.ticker = ?", self.ticker.upper() if self.ticker else None),
            ("c.form = ?", self.form.upper() if self.form else None),
            ("c.item = ?", self.item.upper() if self.item else None),
            ("c.filed >= ?", self.since),
            ("c.filed <= ?", self.until),
        )
        used = [(condition, value) for condition, value in parts if value]
        return " and ".join(condition for condition, _ in used) or "1", [value for _, value in used]


@dataclass(frozen=True, slots=True)
class Hit:
    """A chunk that was found.

    Attributes:
        document: identity of its document.
        ticker: of the filer.
        form: form type.
        item: item that it stands in; empty outside of items.
        filed: ISO date.
        score: the greater the better; only comparable within one answer.
        snippet: what was found, matched words in brackets.
        page: ordinal of its page.
        start: first byte in the source.
        end: byte behind it.
    """

    document: str
    ticker: str
    form: str
    item: str
    filed: str
    score: float
    snippet: str
    page: int
    start: int
    end: int


class SearchError(DocumentError):
    """The index cannot be read or written."""

    name = "PROCESSING_FAILED"


class SearchIndex:
    """An index over filings; also a context manager."""

    def __init__(self, path: Path | str = ":memory:", embedder: Embedder | None = None) -> None:
        """Open or create the file.

        Args:
            path: of the file; ``:memory:`` for one that goes with the object.
            embedder: for vectors; by default one that is learnt from the index itself.

        Raises:
            SearchError: when the file is no index.
        """
        try:
            self._db = sqlite3.connect(str(path))
            self._db.executescript(_SCHEMA)
        except sqlite3.DatabaseError as error:
            raise SearchError(f"{path} is no search index ({error}).") from error
        self._given = embedder
        self._learnt: LatentSemantics | None = None
        self._matrix: tuple[np.ndarray[tuple[int], np.dtype[np.int64]], Vectors] | None = None

    def __enter__(self) -> SearchIndex:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let the file go."""
        self._db.close()

    def __len__(self) -> int:
        return int(self._db.execute("select count(*) from chunks").fetchone()[0])

    # -- filling ------------------------------------------------------------------------------------------------------

    def add(
        self, document: Document, filed: Filed, *, chunk_mode: str = "variable", chunk_size: int | None = None
    ) -> int:
        """Index a document; what was indexed under its identity before is replaced.

        Returns:
            The number of chunks.

        Raises:
            DocumentError: when the document cannot be read; InvalidOption for a chunk mode that does not exist.
        """
        rows = []
        for part in document.parts:
            if part.source.kind is Kind.XML:
                continue
            spans = [(section.start, section.end, section.item) for section in find_sections(part)]
            item_of = partial(_item_of, spans)
            rows += [
                (item_of(chunk.blocks[0]), chunk.blocks[0].page, chunk.start, chunk.end, chunk.text)
                for chunk in passages(part.blocks, item_of, chunk_mode, chunk_size)
            ]
        self._replace(filed, rows)
        return len(rows)

    def add_texts(self, filed: Filed, texts: Iterable[str]) -> int:
        """Index bare texts, one chunk each; their places are their ordinals."""
        rows = [("", 1, number, number + 1, text) for number, text in enumerate(texts)]
        self._replace(filed, rows)
        return len(rows)

    def _replace(self, filed: Filed, rows: Sequence[tuple[str, int, int, int, str]]) -> None:
        self._matrix = None
        with self._db as db:
            old = db.execute("select id, text from chunks where document = ?", (filed.document,)).fetchall()
            db.executemany("insert into words(words, rowid, text) values('delete', ?, ?)", old)
            db.execute("delete from chunks where document = ?", (filed.document,))
            known = (filed.document, filed.ticker.upper(), filed.form.upper(), filed.filed)
            for item, page, start, end, text in rows:
                cursor = db.execute(
                    'insert into chunks(document, ticker, form, filed, item, page, start, "end", text)'
                    " values(?,?,?,?,?,?,?,?,?)",
                    (*known, item, page, start, end, text),
                )
                db.execute("insert into words(rowid, text) values(?, ?)", (cursor.lastrowid, text))

    # -- asking -------------------------------------------------------------------------------------------------------

    def search(self, query: str, *, k: int = 10, where: Filter | None = None, mode: str = "hybrid") -> list[Hit]:
        """The best chunks for a query.

        Args:
            query: words; any of them may match.
            k: how many hits.
            where: which chunks may be found.
            mode: ``bm25`` by words, ``vector`` by meaning, ``hybrid`` by both, fused by rank.

        Raises:
            InvalidOption: for another mode, a k below 1, or a query without words.
        """
        if mode not in MODES:
            raise InvalidOption(f"The search mode {mode[:40]!r} is not one of {', '.join(MODES)}.")
        if k < 1:
            raise InvalidOption("The number of hits has to be positive.")
        words = list(dict.fromkeys(_WORD.findall(query.lower())))[:_QUERY_MAX]
        if not words:
            raise InvalidOption("The query has no words.")
        where = where or Filter()
        ranked: dict[int, float] = {}
        depth = max(k, _DEPTH)
        if mode != "vector":
            by_words = self._by_words(words, where, k if mode == "bm25" else depth)
            if mode == "bm25":
                ranked = by_words
            else:
                for rank, chunk in enumerate(by_words):
                    ranked[chunk] = 1 / (_RRF + rank)
        if mode != "bm25":
            for rank, (chunk, score) in enumerate(self._by_meaning(query, where, depth)):
                ranked[chunk] = score if mode == "vector" else ranked.get(chunk, 0.0) + 1 / (_RRF + rank)
        best = sorted(ranked, key=lambda chunk: (-ranked[chunk], chunk))[:k]
        return self._hits(best, ranked, words)

    def _match(self, words: Sequence[str]) -> str:
        telling = [word for word in words if word not in STOP_WORDS] or words
        return " OR ".join(f'"{word}"' for word in telling)

    def _by_words(self, words: Sequence[str], where: Filter, k: int) -> dict[int, float]:
        condition, parameters = where.sql()
        if condition == "1":
            sql = "select rowid, rank from words where words match ? order by rank limit ?"
        else:
            sql = (
                "select c.id, words.rank from words join chunks c on c.id = words.rowid "  # noqa: S608 - fixed conditions
                f"where words match ? and {condition} order by words.rank limit ?"
            )
        rows = self._db.execute(sql, (self._match(words), *parameters, k)).fetchall()
        return {int(chunk): -float(rank) for chunk, rank in rows}

    def _by_meaning(self, query: str, where: Filter, k: int) -> list[tuple[int, float]]:
        ids, matrix = self._vectors()
        if not len(ids):
            return []
        embedder = self._embedder()
        # One thread: for a product this small, waiting for BLAS threads on a busy machine costs more than it saves.
        scores = np.einsum("ij,j->i", matrix, embedder.embed([query])[0])
        condition, parameters = where.sql()
        if condition != "1":
            rows = self._db.execute(f"select id from chunks c where {condition}", parameters)  # noqa: S608 - fixed conditions
            allowed = np.fromiter((row[0] for row in rows), dtype=np.int64)
            scores = np.where(np.isin(ids, allowed), scores, -np.inf)
        near = np.argpartition(-scores, k)[:k] if len(scores) > k else np.arange(len(scores))
        best = near[np.lexsort((near, -scores[near]))]
        return [(int(ids[place]), float(scores[place])) for place in best if scores[place] > 0]

    def _embedder(self) -> Embedder:
        """The embedder that was given, or the one that is learnt from the chunks."""
        if self._given is not None:
            return self._given
        if self._learnt is None:
            row = self._db.execute("select bytes from model where name = 'lsa'").fetchone()
            self._learnt = LatentSemantics.from_bytes(row[0]) if row is not None else self._learn()
        return self._learnt

    def _learn(self) -> LatentSemantics:
        texts = [row[0] for row in self._db.execute("select text from chunks order by id")]
        model = LatentSemantics.learn(texts or [""])
        with self._db as db:
            db.execute("insert or replace into model values('lsa', ?, ?)", (len(texts), model.to_bytes()))
            db.execute("update chunks set vector = null")
        return model

    def _vectors(self) -> tuple[np.ndarray[tuple[int], np.dtype[np.int64]], Vectors]:
        """Ids and vectors of all chunks; vectors that are missing are made, and the model learnt anew when it is stale."""
        if self._matrix is None:
            learnt = self._db.execute("select learnt_on from model where name = 'lsa'").fetchone()
            if self._given is None and (learnt is None or len(self) > 2 * learnt[0]):
                self._learnt = self._learn()
            embedder = self._embedder()
            missing = self._db.execute("select id, text from chunks where vector is null order by id").fetchall()
            if missing:
                made = embedder.embed([text for _, text in missing])
                with self._db as db:
                    db.executemany(
                        "update chunks set vector = ? where id = ?",
                        [(row.tobytes(), chunk) for row, (chunk, _) in zip(made, missing, strict=True)],
                    )
            rows = self._db.execute("select id, vector from chunks order by id").fetchall()
            ids = np.array([chunk for chunk, _ in rows], dtype=np.int64)
            raw = b"".join(vector for _, vector in rows)
            matrix = (
                np.frombuffer(raw, dtype=np.float32).reshape(len(rows), -1) if rows else np.zeros((0, 1), np.float32)
            )
            self._matrix = (ids, matrix)
        return self._matrix

    def _hits(self, best: Sequence[int], scores: dict[int, float], words: Sequence[str]) -> list[Hit]:
        if not best:
            return []
        marks = ",".join("?" * len(best))
        columns = 'document, ticker, form, item, filed, page, start, "end", text'
        rows = {
            row[0]: row[1:]
            for row in self._db.execute(f"select id, {columns} from chunks where id in ({marks})", best)  # noqa: S608
        }
        telling = {word for word in words if word not in STOP_WORDS} or set(words)
        found = []
        for chunk in best:
            document, ticker, form, item, filed, page, start, end, text = rows[chunk]
            found.append(
                Hit(document, ticker, form, item, filed, scores[chunk], snippet(text, telling), page, start, end)
            )
        return found


def _item_of(spans: Sequence[tuple[int, int, str]], block: Block) -> str:
    """The item whose section a block begins in; empty outside of items."""
    return next((item for start, end, item in spans if start <= block.start < end), "")


def snippet(text: str, words: set[str]) -> str:
    """The part of a text that holds most of the words, these in brackets.

    Args:
        text: what was found.
        words: in lower case; a word counts when it begins like one of them.
    """
    shown = " ".join(text[:_SNIPPET_FROM].split())
    stems = "|".join(re.escape(word[: max(4, len(word) - 2)]) for word in sorted(words))
    pattern = re.compile(rf"\b(?:{stems})\w*", re.IGNORECASE)
    places = [match.start() for match in pattern.finditer(shown)][:_PLACES_MAX]
    best = max(places, key=lambda first: sum(first <= place < first + _SNIPPET for place in places), default=None)
    begin = max(0, best - 40) if best is not None else 0
    begin = shown.rfind(" ", 0, begin) + 1 if begin else 0
    end = min(len(shown), begin + _SNIPPET)
    part = pattern.sub(lambda match: f"[{match[0]}]", shown[begin:end])
    return ("\u2026 " if begin else "") + part + (" \u2026" if end < len(shown) else "")
