"""Texts as vectors: the interface that search needs, and an embedder that learns from the texts themselves.

The default is latent semantic analysis: TF-IDF over the words of the collection, reduced by a randomised singular value
decomposition (Halko, Martinsson, Tropp 2011). It needs no model file, gives the same vectors on every run, and is
learnt on a sample when the collection is large. Any other embedder only has to have the three members of
:class:`Embedder`. What does not belong here: choosing and ranking chunks (``search``).
"""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]

_WORD = re.compile(r"[a-z][a-z]+|[0-9]{4}")
_SUFFIXES = ("ations", "ation", "ments", "ment", "ings", "ing", "ies", "ied", "ed", "es", "s", "ly")
_STEM_MIN = 4
_STOP_WORDS = (
    "a about after all also an and any are as at be been before between but by can could did do does during "
    "each for from had has have he her his how if in into is it its may more most must no nor not of on or "
    "other our out over own per shall she should so some such than that the their them then there these they "
    "this those through to under up upon was we were what when where which while who will with would you your"
)
STOP_WORDS = frozenset(_STOP_WORDS.split())
"""Words that say nothing about what a text is about."""


class Embedder(Protocol):
    """Turns texts into vectors of one length."""

    @property
    def name(self) -> str:
        """Which model this is, with its version; vectors of different names are never compared."""
        ...

    def embed(self, texts: Sequence[str]) -> Vectors:
        """One row of unit length per text (a row of zeros for a text without known words)."""
        ...


def terms(text: str) -> list[str]:
    """The words of a text that carry meaning, cut to their stems."""
    return [_stem(word) for word in _WORD.findall(text.lower()) if word not in STOP_WORDS]


def _stem(word: str) -> str:
    for suffix in _SUFFIXES:
        if word.endswith(suffix) and len(word) - len(suffix) >= _STEM_MIN:
            return word[: -len(suffix)]
    return word


class LatentSemantics:
    """The default embedder; made by :meth:`learn` or read back by :meth:`from_bytes`."""

    def __init__(self, vocabulary: Sequence[str], weights: NDArray[np.float32], directions: Vectors) -> None:
        """Take what was learnt.

        Args:
            vocabulary: known stems.
            weights: inverse document frequency per stem, shape (stems,).
            directions: place of every stem in the reduced space, shape (stems, dimensions).
        """
        self._index = {term: position for position, term in enumerate(vocabulary)}
        self._weights = weights
        self._directions = directions

    @property
    def name(self) -> str:
        """``lsa-<dimensions>-<stems>``."""
        return f"lsa-{self._directions.shape[1]}-{len(self._index)}"

    @classmethod
    def learn(
        cls,
        texts: Sequence[str],
        *,
        dimensions: int = 192,
        vocabulary: int = 20_000,
        sample: int = 6_000,
        seed: int = 7,
    ) -> LatentSemantics:
        """Learn from a collection.

        Args:
            texts: the collection; at least one text.
            dimensions: length of the vectors; fewer when the collection is smaller.
            vocabulary: how many stems to keep, the most frequent first; stems of a single text are left out.
            sample: how many texts to decompose, evenly spread.
            seed: of the random projection.
        """
        counted = [Counter(terms(text)) for text in texts]
        frequency = Counter(term for counts in counted for term in counts)
        least = 2 if len(texts) > 50 else 1
        known = [term for term, count in frequency.most_common(vocabulary) if count >= least] or ["none"]
        weights = np.log((1 + len(texts)) / (1 + np.array([frequency[term] for term in known], dtype=np.float64))) + 1
        model = cls(known, weights.astype(np.float32), np.zeros((len(known), 1), dtype=np.float32))
        chosen = counted[:: max(1, len(counted) // sample)][:sample]
        rows = [model._row(counts) for counts in chosen]
        rank = max(1, min(dimensions, len(known), len(rows)))
        model._directions = _decompose(rows, len(known), rank, seed)
        return model

    def _row(self, counts: Counter[str]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Positions and TF-IDF weights of unit length of the known stems of one text."""
        found = [(position, count) for term, count in counts.items() if (position := self._index.get(term)) is not None]
        if not found:
            return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.float32)
        positions = np.array([position for position, _ in found], dtype=np.int64)
        values = (1 + np.log(np.array([count for _, count in found], dtype=np.float32))) * self._weights[positions]
        return positions, (values / np.linalg.norm(values)).astype(np.float32)

    def embed(self, texts: Sequence[str]) -> Vectors:
        """One row of unit length per text."""
        found = np.zeros((len(texts), self._directions.shape[1]), dtype=np.float32)
        for number, text in enumerate(texts):
            positions, values = self._row(Counter(terms(text)))
            if len(positions):
                vector = values @ self._directions[positions]
                length = float(np.linalg.norm(vector))
                found[number] = vector / length if length > 0 else 0
        return found

    def to_bytes(self) -> bytes:
        """The model as arrays without any code in them."""
        buffer = io.BytesIO()
        np.savez_compressed(
            buffer, vocabulary="\n".join(self._index).encode(), weights=self._weights, directions=self._directions
        )
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, raw: bytes) -> LatentSemantics:
        """A model that :meth:`to_bytes` wrote."""
        with np.load(io.BytesIO(raw), allow_pickle=False) as arrays:
            vocabulary = bytes(arrays["vocabulary"]).decode().split("\n")
            return cls(vocabulary, arrays["weights"], arrays["directions"])


def _decompose(
    rows: Sequence[tuple[NDArray[np.int64], NDArray[np.float32]]], width: int, rank: int, seed: int
) -> Vectors:
    """The right singular vectors of greatest weight of a sparse matrix, shape (width, rank)."""
    random = np.random.default_rng(seed)
    basis = random.standard_normal((width, min(width, rank + 8))).astype(np.float32)
    for _ in range(3):
        basis, _ = np.linalg.qr(_twice(rows, basis))
    small = _times(rows, basis)
    _, _, turn = np.linalg.svd(small, full_matrices=False)
    return np.ascontiguousarray((basis @ turn.T)[:, :rank], dtype=np.float32)


def _times(rows: Sequence[tuple[NDArray[np.int64], NDArray[np.float32]]], right: Vectors) -> Vectors:
    """The sparse matrix times a dense one."""
    found = np.zeros((len(rows), right.shape[1]), dtype=np.float32)
    for number, (positions, values) in enumerate(rows):
        if len(positions):
            found[number] = values @ right[positions]
    return found


def _twice(rows: Sequence[tuple[NDArray[np.int64], NDArray[np.float32]]], right: Vectors) -> Vectors:
    """The sparse matrix, transposed, times itself, times a dense one."""
    found = np.zeros_like(right)
    for positions, values in rows:
        if len(positions):
            found[positions] += values[:, None] * (values @ right[positions])
    return found
