"""The public keys of an issuer of tokens (RFC 7517): read from a URL or a file, remembered, asked for again with restraint.

A token may name any key id it likes, so unknown ones never make more than one request in a minute. What does not belong
here: what a token must say (``tokens``).
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt.algorithms import AllowedPublicKeys

from salescience_pipeline.gateway.problems import Problem

_log = logging.getLogger("salescience.gateway")
_MAX_BYTES, _MAX_KEYS = 1_000_000, 100
_FETCH_SECONDS = 5.0
ASK_AGAIN_SECONDS = 60.0
"""Between two requests for the keys, whatever tokens say."""
FIRST_SECONDS = 5.0
"""The same, as long as no keys could be had at all."""
FRESH_SECONDS = 600.0
"""How long a key that its issuer took back still works at most, while the issuer can be reached."""
STALE_SECONDS = 3_600.0
"""How long keys work while the issuer cannot be reached."""
_RSA = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
_ALGORITHMS: Mapping[tuple[str, str | None], tuple[str, ...]] = {
    ("RSA", None): _RSA,
    ("EC", "P-256"): ("ES256",),
    ("EC", "P-384"): ("ES384",),
    ("EC", "P-521"): ("ES512",),
    ("OKP", "Ed25519"): ("EdDSA",),
}
"""Kind and curve of a key -> what it can verify (RFC 7518, RFC 8037). There is no symmetric kind, on purpose."""
ASYMMETRIC = frozenset(name for names in _ALGORITHMS.values() for name in names)
"""Every algorithm that a token may be signed with, before the settings choose among them."""
_PUBLIC = ("kty", "crv", "n", "e", "x", "y")


@dataclass(frozen=True, slots=True)
class VerifyingKey:
    """A public key and the algorithms that it may be used with."""

    public: AllowedPublicKeys
    algorithms: frozenset[str]


def keys_of(data: bytes) -> dict[str, VerifyingKey]:
    """The usable keys of a JWKS document by their ids; others are left out, as RFC 7517 (section 5) asks.

    Left out are symmetric keys, RSA keys below 2,048 bits, keys for encryption, and keys without an id.

    Raises:
        ValueError: when it is no JWKS document.
    """
    try:
        listed = list(json.loads(data)["keys"])
    except (KeyError, TypeError, RecursionError) as error:
        raise ValueError("It is no JWKS document.") from error
    found: dict[str, VerifyingKey] = {}
    for one in listed[:_MAX_KEYS]:
        key = _usable(one) if isinstance(one, dict) else None
        if key is not None:
            found.setdefault(one["kid"], key)
    return found


def _usable(one: Mapping[str, Any]) -> VerifyingKey | None:
    kind, kid = one.get("kty"), one.get("kid")
    curve = None if kind == "RSA" else one.get("crv")
    if not all(isinstance(word, str) for word in (kind, kid, curve or "")) or one.get("use", "sig") != "sig":
        return None
    algorithms = frozenset(_ALGORITHMS.get((str(kind), curve), ()))
    if "alg" in one:
        algorithms &= {str(one["alg"])}
    if not algorithms:
        return None
    try:
        # Only the public members: a document that holds a private key by mistake still verifies and nothing more.
        public = jwt.PyJWK({name: one[name] for name in _PUBLIC if name in one}, min(algorithms)).key
    except (jwt.PyJWTError, ValueError, TypeError):
        return None
    if isinstance(public, RSAPublicKey) and public.key_size < 2_048:
        return None
    return VerifyingKey(public, algorithms)


def from_file(path: Path) -> Callable[[], bytes]:
    """Read the document from a file."""

    def read() -> bytes:
        with path.open("rb") as opened:
            data = opened.read(_MAX_BYTES + 1)
        return _bounded(data)

    return read


def from_url(url: str) -> Callable[[], bytes]:
    """Read the document over HTTP: no proxy of the environment, no redirect, 5 s and 1 MB at most."""

    def read() -> bytes:
        import httpx  # noqa: PLC0415 - a gateway without tokens needs none

        until, data = time.monotonic() + _FETCH_SECONDS, b""
        try:
            with (
                httpx.Client(trust_env=False, follow_redirects=False, timeout=_FETCH_SECONDS) as client,
                client.stream("GET", url, headers={"accept": "application/jwk-set+json, application/json"}) as answer,
            ):
                if answer.status_code != 200:
                    raise OSError(f"The answer has status {answer.status_code}.")
                for piece in answer.iter_bytes():
                    data = _bounded(data + piece)
                    if time.monotonic() > until:
                        raise TimeoutError("The answer took too long.")
        except httpx.HTTPError as error:
            raise OSError("The keys could not be fetched.") from error
        return data

    return read


def _bounded(data: bytes) -> bytes:
    if len(data) > _MAX_BYTES:
        raise ValueError("The document is too large.")
    return data


def _unavailable(seconds: int) -> Problem:
    return Problem(
        503, "keys_unavailable", "The keys of the issuer of tokens cannot be reached just now.",
        headers={"Retry-After": str(seconds)},
    )  # fmt: skip


class KeySet:
    """The keys as this process knows them; safe for threads."""

    def __init__(self, read: Callable[[], bytes], *, clock: Callable[[], float] = time.monotonic) -> None:
        """Nothing is read before the first token.

        Args:
            read: Gives the document; raises OSError or ValueError.
            clock: Seconds that never go back.
        """
        self._read, self._clock = read, clock
        self._reading = threading.Lock()
        self._keys: dict[str, VerifyingKey] = {}
        self._read_at: float | None = None
        self._asked_at: float | None = None

    def find(self, kid: str) -> VerifyingKey | None:
        """The key of this id; None when the issuer has none.

        Raises:
            Problem: 503 while the issuer's keys cannot be had.
        """
        is_known = kid in self._keys
        if self._may_ask() and not (is_known and self._is_within(FRESH_SECONDS)):
            # Only the first keys are waited for: unknown ids must not hold all threads while a slow issuer answers.
            if self._reading.acquire(blocking=self._read_at is None):
                try:
                    if self._may_ask():
                        self._ask()
                finally:
                    self._reading.release()
            elif not is_known:
                raise _unavailable(1)
        if not self._is_within(STALE_SECONDS):
            raise _unavailable(int(FIRST_SECONDS if self._read_at is None else ASK_AGAIN_SECONDS))
        return self._keys.get(kid)

    def _is_within(self, seconds: float) -> bool:
        return self._read_at is not None and self._clock() - self._read_at < seconds

    def _may_ask(self) -> bool:
        wait = FIRST_SECONDS if self._read_at is None else ASK_AGAIN_SECONDS
        return self._asked_at is None or self._clock() - self._asked_at >= wait

    def _ask(self) -> None:
        try:
            keys = keys_of(self._read())
        except (OSError, ValueError) as error:
            _log.warning("the keys of the issuer of tokens could not be read: %s", type(error).__name__)
        else:
            self._keys, self._read_at = keys, self._clock()
        # Set when it is over: who waited must find either the keys or that they could not be had.
        self._asked_at = self._clock()
