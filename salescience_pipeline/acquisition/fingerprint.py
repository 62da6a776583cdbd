"""A fingerprint of what a document says: 64 bits of which few differ when few words do.

SimHash (Charikar, Similarity Estimation Techniques from Rounding Algorithms, 2002) over runs of three words, without marks
and case: a digest tells whether bytes are the same, this tells how much of the text is. What does not belong here: reading
sections and facts (``documents``).
"""

from __future__ import annotations

import hashlib
import re

import numpy as np

BITS = 64
_MARKS, _WORD = re.compile(rb"<[^>]*>"), re.compile(rb"[a-z0-9]+")
_RUN = 3


def simhash(data: bytes) -> int:
    """The fingerprint of the words of ``data``, an HTML, XML or plain text document; 0 when it has none."""
    words = _WORD.findall(_MARKS.sub(b" ", data).lower())
    runs = {b" ".join(words[place : place + _RUN]) for place in range(max(len(words) - _RUN + 1, 1 if words else 0))}
    if not runs:
        return 0
    digests = b"".join(hashlib.blake2b(run, digest_size=BITS // 8).digest() for run in runs)
    bits = np.unpackbits(np.frombuffer(digests, dtype=np.uint8).reshape(len(runs), BITS // 8), axis=1)
    majority = 2 * bits.sum(axis=0, dtype=np.int64) > len(runs)
    return int.from_bytes(np.packbits(majority).tobytes(), "big")


def distance(left: int, right: int) -> int:
    """Bits that differ: 0 for the same words, about 32 for unrelated texts."""
    return (left ^ right).bit_count()
