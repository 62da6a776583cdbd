"""Tokens of an identity provider (JWT, RFC 7519) in the place of API keys, judged as RFC 8725 advises.

The algorithm comes from a list of asymmetric ones and must fit the key that the issuer published; what a token says of
itself (``jwk``, ``jku``, ``x5u``) is never followed. What does not belong here: the issuer's keys (``jwks``).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jwt

from salescience_pipeline.gateway import jwks
from salescience_pipeline.gateway.hosts import is_loopback
from salescience_pipeline.identifiers import InvalidIdentifier, OrganizationId
from salescience_pipeline.ledger.organizations import SCOPES, Limits, Principal
from salescience_pipeline.settings import Settings, SettingsError

_log = logging.getLogger("salescience.gateway")
MAX_TOKEN = 8_192
"""Characters of a token; larger ones carry what no scope or organisation needs."""
LEEWAY_SECONDS = 30
"""How far the issuer's clock and ours may be apart."""
_MAX_SUBJECT = 100
"""Characters; with its prefix a subject fits everywhere an actor is kept, uncut."""


class Refused(Exception):
    """A token that is not accepted; the sentence says why and holds nothing of the token."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What a token must be."""

    issuer: str
    audience: str
    algorithms: frozenset[str]
    organization_claim: str
    scope_claim: str
    needs_nbf: bool


def rules_of(settings: Settings) -> Rules:
    """The rules that the settings make.

    Raises:
        SettingsError: for one that is missing or would let forged tokens in.
    """
    if not settings.jwt_issuer or not settings.jwt_audience:
        raise SettingsError("Tokens need SALESCIENCE_JWT_ISSUER and SALESCIENCE_JWT_AUDIENCE.")
    algorithms = frozenset(settings.jwt_algorithms)
    if not algorithms or algorithms - jwks.ASYMMETRIC:
        raise SettingsError(f"SALESCIENCE_JWT_ALGORITHMS may hold {', '.join(sorted(jwks.ASYMMETRIC))}, nothing else.")
    return Rules(
        settings.jwt_issuer, settings.jwt_audience, algorithms, settings.jwt_organization_claim, settings.jwt_scope_claim,
        settings.jwt_needs_nbf,
    )  # fmt: skip


def source_of(settings: Settings) -> Callable[[], bytes]:
    """Where the settings say that the issuer's keys are.

    Raises:
        SettingsError: for no place or two, a file that is not there, and a URL that somebody on the way could answer for.
    """
    url, path = settings.jwt_jwks_url, settings.jwt_jwks_file
    if (url is None) == (path is None):
        raise SettingsError("Tokens need one of SALESCIENCE_JWT_JWKS_URL and SALESCIENCE_JWT_JWKS_FILE.")
    if url is None:
        file = Path(path or "")
        if not file.is_file():
            raise SettingsError("SALESCIENCE_JWT_JWKS_FILE names no file.")
        return jwks.from_file(file)
    parts = urlsplit(url)
    is_safe = parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname or ""))
    if not is_safe or not parts.hostname:
        raise SettingsError("SALESCIENCE_JWT_JWKS_URL must begin with https://, but for this machine itself.")
    return jwks.from_url(url)


class Tokens:
    """Tells whose a token is; safe for threads."""

    def __init__(self, rules: Rules, keys: jwks.KeySet, limits: Callable[[OrganizationId], Limits | None]) -> None:
        """Use the issuer's ``keys``; ``limits`` is None for an organisation that is unknown or shut out."""
        self._rules, self._keys, self._limits = rules, keys, limits

    def principal_of(self, token: str) -> Principal | None:
        """Whose token it is, or None for one that is not accepted; the log says why, without anything of the token.

        Raises:
            Problem: 503 while the issuer's keys cannot be had.
        """
        try:
            return self._principal(token)
        except Refused as error:
            _log.info("a token was refused: %s", error)
            return None

    def _principal(self, token: str) -> Principal:
        claims = self._claims(token)
        named = _text(claims, self._rules.organization_claim)
        try:
            organization = OrganizationId(named)
        except InvalidIdentifier:
            raise Refused("its organization is no organization id") from None
        if organization != named:
            raise Refused("its organization is not written as an organization id is")
        subject = _text(claims, "sub")
        if len(subject) > _MAX_SUBJECT or not subject.isprintable():
            raise Refused("its subject is too long or not printable")
        limits = self._limits(organization)
        if limits is None:
            raise Refused("its organization is unknown or shut out")
        return Principal(
            # The prefix keeps a subject from passing for a key's id or for this machine in the audit.
            organization, f"sub:{subject}", _scopes(claims.get(self._rules.scope_claim)), limits.max_open_jobs,
            limits.requests_per_minute,
        )  # fmt: skip

    def _claims(self, token: str) -> dict[str, Any]:
        rules = self._rules
        if len(token) > MAX_TOKEN:
            raise Refused("it is too long")
        try:
            header = jwt.get_unverified_header(token)
            algorithm, kid = header.get("alg"), header.get("kid")
            if not isinstance(algorithm, str) or algorithm not in rules.algorithms:
                raise Refused("its algorithm is not allowed")
            if not isinstance(kid, str):
                raise Refused("it names no key")
            key = self._keys.find(kid)
            if key is None:
                raise Refused("its key is unknown")
            return jwt.decode(
                token, key.public, algorithms=sorted(rules.algorithms & key.algorithms), issuer=rules.issuer,
                audience=rules.audience, leeway=LEEWAY_SECONDS,
                options={"require": ["iss", "aud", "exp", "sub", "nbf" if rules.needs_nbf else "iat"]},
            )  # fmt: skip
        except (jwt.PyJWTError, ValueError, TypeError, RecursionError) as error:
            # The library's sentences quote headers and claims, so only the class of the error is told.
            raise Refused(type(error).__name__) from None


def _text(claims: dict[str, Any], name: str) -> str:
    value = claims.get(name)
    if not isinstance(value, str) or not value:
        raise Refused("it lacks its organization or its subject")
    return value


def _scopes(claim: object) -> frozenset[str]:
    """The scopes of a claim, words in one text (RFC 8693) or a list; what is no scope of ours is somebody else's."""
    words = claim.split() if isinstance(claim, str) else claim if isinstance(claim, list) else []
    return frozenset(word for word in words if isinstance(word, str)) & frozenset(SCOPES)
