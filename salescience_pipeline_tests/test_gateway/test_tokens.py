"""Tokens of an identity provider at the gateway: real keys, a real JWKS over HTTP, and every forgery that is in the books."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from salescience_pipeline.gateway.state import State
from salescience_pipeline.gateway.tokens import MAX_TOKEN
from salescience_pipeline.identifiers import OrganizationId
from salescience_pipeline.ledger import Ledger
from salescience_pipeline.settings import Settings, SettingsError
from salescience_pipeline_tests.test_gateway.conftest import ACME, OTHER
from salescience_pipeline_tests.test_gateway.examples import SUBMISSION
from salescience_pipeline_tests.test_gateway.issuing import (
    AUDIENCE,
    EC,
    ISSUER,
    NEXT,
    PRIVATE,
    RSA,
    SHARED,
    STRANGER,
    SUBJECT,
    Issuer,
    base64url,
    is_refused,
    jwk,
    make_claims,
    make_token,
    token_settings,
)
from salescience_pipeline_tests.test_gateway.serving import gateway


@dataclass
class World:
    """A gateway that takes tokens, and its ledger."""

    client: httpx.Client
    ledger: Ledger
    settings: Settings

    def get(self, token: str, path: str = "/jobs") -> httpx.Response:
        return self.client.get(path, headers={"Authorization": f"Bearer {token}"})


@pytest.fixture(scope="module")
def world(issuing: Issuer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Acme and another organisation at one gateway."""
    settings = token_settings(tmp_path_factory.mktemp("home"), jwt_jwks_url=issuing.url)
    settings.root.mkdir(parents=True)
    with Ledger.of(settings) as ledger, gateway(settings) as client:
        for organization in (ACME, OTHER):
            ledger.organizations.ensure(organization)
        yield World(client, ledger, settings)


def _by_hand(header: dict[str, Any], sign: Callable[[bytes], bytes]) -> str:
    """A token that no decent library makes."""
    signed = ".".join(base64url(json.dumps(part).encode()) for part in (header, make_claims()))
    return f"{signed}.{base64url(sign(signed.encode()))}"


def _hmac(secret: bytes) -> Callable[[bytes], bytes]:
    return lambda signed: hmac.new(secret, signed, hashlib.sha256).digest()


def _pem(key: Any) -> bytes:
    data: bytes = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return data


# -- good tokens -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kid", "algorithm"), [("rsa", "RS256"), ("rsa", "PS256"), ("bound", "RS256"), ("ec", "ES256"), ("ed", "EdDSA")]
)
def test_a_token_of_the_issuer_is_taken(world: World, kid: str, algorithm: str) -> None:
    answer = world.get(make_token(kid, algorithm, key=PRIVATE.get(kid, RSA)))
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(
    "changed",
    [
        {"aud": ["somebody-else", AUDIENCE]},
        {"scope": ["jobs:read", "profile", 7]},
        {"exp": -10},
        {"nbf": 10, "iat": 10},
        {"iat": None},
    ],
    ids=repr,
)
def test_what_a_good_token_may_say(world: World, changed: dict[str, Any]) -> None:
    assert world.get(make_token(**changed)).status_code == 200


def test_an_api_key_works_beside_tokens(world: World) -> None:
    key, _ = world.ledger.organizations.create_key(ACME, scopes=["jobs:read"])
    assert world.get(key).status_code == 200
    assert world.client.get("/jobs", headers={"X-API-Key": key}).status_code == 200
    assert is_refused(world.get(key + "x"))
    nothing = world.client.get("/jobs")
    assert (nothing.status_code, nothing.json()["code"]) == (401, "key_missing")


def test_a_page_takes_a_token_as_its_password(world: World) -> None:
    token = make_token(scope="jobs:read results:read")
    assert world.client.get("/ui/jobs", auth=("me", token)).status_code == 200
    assert world.client.get("/ui/jobs", auth=("me", token[:-6])).status_code == 401


def test_a_token_may_do_what_its_scopes_say(world: World) -> None:
    for scope in ("openid profile", "", None, 7, {"jobs:read": True}):
        answer = world.get(make_token(scope=scope))
        assert (answer.status_code, answer.json()["code"]) == (403, "scope_missing"), scope


def test_an_issuer_without_nbf_is_taken_where_the_settings_say_so(issuer: Issuer, tmp_path: Path) -> None:
    settings = token_settings(
        tmp_path, jwt_jwks_url=issuer.url, jwt_needs_nbf=False, jwt_organization_claim="https://example/org",
        jwt_scope_claim="scp", jwt_algorithms=["ES256"],
    )  # fmt: skip
    state = State(settings)
    state.ledger.organizations.ensure(ACME)
    named = {"https://example/org": "acme", "scp": ["jobs:read"], "org_id": "other", "scope": "admin"}
    principal = state.principal_of(make_token(nbf=None, **named))
    assert principal is not None
    assert (principal.organization_id, principal.scopes) == (ACME, {"jobs:read"})
    assert state.principal_of(make_token(nbf=None, iat=None, **named)) is None
    assert state.principal_of(make_token(nbf=600, **named)) is None
    assert state.principal_of(make_token("rsa", "RS256", nbf=None, **named)) is None
    state.close()


# -- forged, late and misdirected tokens -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changed",
    [
        *({name: None} for name in ("iss", "aud", "exp", "nbf", "sub", "org_id")),
        {"iss": "https://login.example"},
        {"iss": [ISSUER]},
        {"aud": "somebody-else"},
        {"aud": []},
        {"exp": -600},
        {"exp": "soon"},
        {"exp": float("inf")},
        {"nbf": 600},
        {"iat": 600},
        {"sub": "x" * 101},
        {"sub": "a\nb"},
        {"padding": "x" * MAX_TOKEN},
        *(
            {"org_id": org}
            for org in ("", "nobody", "ACME", "../acme", "acme/other", "acme\n", "\u0430cme", ["acme"], 7)
        ),
    ],
    ids=lambda changed: repr(changed)[:40],
)
def test_threat_1_a_token_for_somebody_else_or_another_time_is_refused(world: World, changed: dict[str, Any]) -> None:
    assert is_refused(world.get(make_token(**changed)))


_GOOD = {"typ": "JWT", "kid": "rsa"}
_FORGED: Mapping[str, Callable[[], str]] = {
    "none": lambda: _by_hand({**_GOOD, "alg": "none"}, lambda _: b""),
    "None": lambda: _by_hand({**_GOOD, "alg": "None"}, lambda _: b""),
    "no algorithm": lambda: _by_hand(_GOOD, lambda _: b""),
    "a list of algorithms": lambda: _by_hand({**_GOOD, "alg": ["RS256"]}, lambda _: b""),
    "HMAC with the public key": lambda: _by_hand({**_GOOD, "alg": "HS256"}, _hmac(_pem(RSA))),
    "HMAC with the JWK": lambda: _by_hand({"alg": "HS256", "kid": "oct"}, _hmac(SHARED)),
    "RS256 with HMAC": lambda: _by_hand({**_GOOD, "alg": "RS256"}, _hmac(_pem(RSA))),
    "another's key": lambda: make_token("rsa", "RS256", key=STRANGER),
    "the key of another kid": lambda: make_token("ec", "ES256", key=NEXT),
    "RSA for an EC key": lambda: make_token("ec", "RS256", key=RSA),
    "an algorithm the key is not for": lambda: make_token("bound", "PS256", key=RSA),
    "an algorithm that is not listed": lambda: make_token("rsa", "RS512"),
    "no kid": lambda: jwt.encode(make_claims(), EC, algorithm="ES256"),
    "a kid that is no text": lambda: _by_hand({"alg": "ES256", "kid": 7}, lambda _: b"x" * 64),
    "a kid that is a path": lambda: make_token("../../dev/null", "RS256", key=STRANGER),
    "a key of its own": lambda: make_token(
        "rsa", "RS256", key=STRANGER, header={"jwk": jwk("rsa", STRANGER.public_key())}
    ),
    "a critical extension": lambda: make_token(header={"crit": ["exp", "http://example/x"], "http://example/x": 1}),
    "other claims": lambda: ".".join(
        [
            make_token().split(".")[0],
            base64url(json.dumps(make_claims(org_id="other")).encode()),
            make_token().split(".")[2],
        ]
    ),
    "no signature": lambda: make_token().rpartition(".")[0] + ".",
    "two parts": lambda: make_token().rpartition(".")[0],
    "claims that are a list": lambda: jwt.api_jws.encode(b"[]", EC, algorithm="ES256", headers={"kid": "ec"}),
    "claims too deep": lambda: jwt.api_jws.encode(b"[" * 4_000, EC, algorithm="ES256", headers={"kid": "ec"}),
    "rubbish": lambda: "a.b.c",
}


@pytest.mark.parametrize("forge", _FORGED.values(), ids=_FORGED)
def test_threat_1_a_forged_token_is_refused(world: World, forge: Callable[[], str]) -> None:
    assert is_refused(world.get(forge()))


def test_threat_3_where_a_token_says_its_keys_are_nobody_looks(world: World, issuer: Issuer) -> None:
    elsewhere = issuer.url.replace("/jwks", "/forged")
    for name in ("jku", "x5u"):
        assert is_refused(world.get(make_token("rsa", "RS256", key=STRANGER, header={name: elsewhere})))
    assert "/forged" not in issuer.asked


# -- organisations apart -----------------------------------------------------------------------------------------------


def test_003_06_threat_1_a_token_works_for_its_own_organisation_only(world: World) -> None:
    mine = {"Authorization": f"Bearer {make_token()}"}
    made = world.client.post("/submit", json={**SUBMISSION, "organization_id": "acme"}, headers=mine)
    assert made.status_code == 202, made.text
    [job_id] = made.json()["job_ids"]
    assert world.client.get(f"/status/{job_id}", headers=mine).status_code == 200
    other = make_token(org_id="other")
    assert world.get(other, f"/status/{job_id}").status_code == 404
    assert world.get(other, f"/status/{job_id}?organization_id=acme").status_code == 404
    forged = world.client.post(
        "/submit", json={**SUBMISSION, "organization_id": "acme"},
        headers={"Authorization": f"Bearer {other}", "X-Organization-ID": "acme"},
    )  # fmt: skip
    assert (forged.status_code, forged.json()["code"]) == (403, "organization_mismatch")
    [entry] = [entry for entry in world.ledger.audit.entries(ACME) if entry["action"] == "job.create"]
    assert entry["actor"] == f"sub:{SUBJECT}"
    assert world.ledger.audit.entries(OTHER) == []


def test_003_34_a_token_of_a_shredded_organisation_is_refused(world: World) -> None:
    gone = OrganizationId("gone")
    world.ledger.organizations.ensure(gone)
    assert world.get(make_token(org_id="gone")).status_code == 200
    world.ledger.sealed.shred(gone, actor="operator", request_id="request-1")
    assert is_refused(world.get(make_token(org_id="gone", jti="another")))


def test_003_36_requests_with_tokens_count_for_their_organisation(world: World) -> None:
    busy = OrganizationId("busy")
    world.ledger.organizations.ensure(busy)
    world.ledger.organizations.limit_requests(busy, 5)
    # Every request with a token of its own; a minute may end in the middle.
    answers = [world.get(make_token(org_id="busy", sub=f"user-{number}")) for number in range(12)]
    assert 5 <= sum(answer.status_code == 200 for answer in answers) <= 10
    refused = next(answer for answer in answers if answer.status_code != 200)
    assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")


# -- secrets -----------------------------------------------------------------------------------------------------------


def test_threat_6_no_token_and_no_claim_is_logged_or_answered(world: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    tokens = [
        make_token(), make_token(iss="https://canary.example"), make_token(aud="canary-audience"), make_token(exp=-600),
        make_token(org_id="canary-organization"), make_token("canary-kid", "RS256", key=STRANGER),
        *(forge() for forge in _FORGED.values()),
    ]  # fmt: skip
    answered = "".join(world.get(token).text for token in tokens)
    reasons = [record.getMessage() for record in caplog.records if "a token was refused" in record.getMessage()]
    assert len(reasons) == len(tokens) - 1
    assert {"its organization is unknown or shut out", "ExpiredSignatureError"} <= {
        reason.partition(": ")[2] for reason in reasons
    }
    formatted = caplog.text + answered
    for token in tokens:
        assert all(part not in formatted for part in token.split(".") if len(part) > 8)
    assert "canary" not in formatted


# -- settings ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"jwt_issuer": None}, "JWT_ISSUER"),
        ({"jwt_audience": ""}, "JWT_AUDIENCE"),
        ({"jwt_jwks_url": None}, "JWT_JWKS_URL"),
        ({"jwt_jwks_file": "jwks.json"}, "JWT_JWKS_FILE"),
        ({"jwt_jwks_url": None, "jwt_jwks_file": "/no/such/file"}, "JWT_JWKS_FILE"),
        *(
            ({"jwt_jwks_url": url}, "https")
            for url in ("http://login.example/jwks", "file:///etc/passwd", "https:///x", "x")
        ),
        *(({"jwt_algorithms": names}, "JWT_ALGORITHMS") for names in ([], ["none"], ["RS256", "HS256"], ["rs256"])),
    ],
)
def test_threat_1_settings_that_would_let_forged_tokens_in_are_refused(
    tmp_path: Path, changed: dict[str, Any], named: str
) -> None:
    good = token_settings(tmp_path, jwt_jwks_url="https://login.example/jwks")
    assert State(good).needs_key
    path = changed.get("jwt_jwks_file")
    update = {**changed, "jwt_jwks_file": Path(path)} if path else changed
    with pytest.raises(SettingsError, match=named):
        State(good.model_copy(update=update))
