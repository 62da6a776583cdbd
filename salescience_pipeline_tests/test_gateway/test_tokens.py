"""Tokens of an identity provider at the gateway: real keys, a real JWKS over HTTP, and every forgery that is in the books."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import hmac
import json
import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from salescience_pipeline.gateway import jwks
from salescience_pipeline.gateway.problems import Problem
from salescience_pipeline.gateway.state import State
from salescience_pipeline.gateway.tokens import MAX_TOKEN
from salescience_pipeline.identifiers import OrganizationId
from salescience_pipeline.ledger import Ledger
from salescience_pipeline.settings import Settings, SettingsError
from salescience_pipeline_tests.clocks import Seconds
from salescience_pipeline_tests.test_gateway.conftest import ACME, OTHER
from salescience_pipeline_tests.test_gateway.serving import gateway
from salescience_pipeline_tests.test_gateway.test_submit import _BODY

_ISSUER, _AUDIENCE, _SUBJECT = "https://login.example/", "salescience-gateway", "alice-canary-subject"
_RSA, _STRANGER = (rsa.generate_private_key(public_exponent=65_537, key_size=2_048) for _ in range(2))
_EC, _NEXT, _ED = (
    ec.generate_private_key(ec.SECP256R1()),
    ec.generate_private_key(ec.SECP256R1()),
    ed25519.Ed25519PrivateKey.generate(),
)
_SHARED = b"a secret that a JWKS must not make good"
_PRIVATE: Mapping[str, Any] = {"rsa": _RSA, "ec": _EC, "ed": _ED, "next": _NEXT}


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _jwk(kid: str, key: Any, **more: str) -> dict[str, Any]:
    for kind, algorithm in (
        (rsa.RSAPublicKey, RSAAlgorithm),
        (ec.EllipticCurvePublicKey, ECAlgorithm),
        (ed25519.Ed25519PublicKey, OKPAlgorithm),
    ):
        if isinstance(key, kind):
            return {**algorithm.to_jwk(key, as_dict=True), "kid": kid, **more}
    raise AssertionError(key)


_OCT = {"kty": "oct", "kid": "oct", "alg": "HS256", "k": _base64(_SHARED)}
_PUBLISHED = [_jwk(kid, _PRIVATE[kid].public_key()) for kid in ("rsa", "ec", "ed")]
_DOCUMENT = json.dumps({"keys": [_OCT, _jwk("bound", _RSA.public_key(), alg="RS256"), *_PUBLISHED]}).encode()


@dataclass
class Issuer:
    """An identity provider's JWKS over HTTP."""

    url: str = ""
    document: bytes = _DOCUMENT
    status: int = 200
    asked: list[str] = field(default_factory=list)
    hold: threading.Event | None = None


@pytest.fixture(scope="module")
def _issuing() -> Iterator[Issuer]:
    issuer = Issuer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            issuer.asked.append(self.path)
            if issuer.hold is not None:
                issuer.hold.wait(10)
            self.send_response(issuer.status)
            if issuer.status == 302:
                self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", str(len(issuer.document)))
            self.end_headers()
            self.wfile.write(issuer.document)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    issuer.url = f"http://127.0.0.1:{server.server_address[1]}/jwks"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield issuer
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def issuer(_issuing: Issuer) -> Issuer:
    """The provider, with its first keys."""
    _issuing.document, _issuing.status, _issuing.hold = _DOCUMENT, 200, None
    _issuing.asked.clear()
    return _issuing


@dataclass
class World:
    """A gateway that takes tokens, and its ledger."""

    client: httpx.Client
    ledger: Ledger
    settings: Settings

    def get(self, token: str, path: str = "/jobs") -> httpx.Response:
        return self.client.get(path, headers={"Authorization": f"Bearer {token}"})


def _settings(home: Path, **more: Any) -> Settings:
    return Settings(home=home, gateway_auth="jwt", jwt_issuer=_ISSUER, jwt_audience=_AUDIENCE, **more)


@pytest.fixture(scope="module")
def world(_issuing: Issuer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Acme and another organisation at one gateway."""
    settings = _settings(tmp_path_factory.mktemp("home"), jwt_jwks_url=_issuing.url)
    settings.root.mkdir(parents=True)
    with Ledger.of(settings) as ledger, gateway(settings) as client:
        for organization in (ACME, OTHER):
            ledger.organizations.ensure(organization)
        yield World(client, ledger, settings)


def _claims(**changed: Any) -> dict[str, Any]:
    """What a good token says; None leaves a claim out."""
    now = int(dt.datetime.now(dt.UTC).timestamp())
    claims = {
        "iss": _ISSUER, "aud": _AUDIENCE, "sub": _SUBJECT, "iat": now, "nbf": now, "exp": now + 300, "org_id": "acme",
        "scope": "openid jobs:read jobs:write",
    }  # fmt: skip
    for name, value in changed.items():
        claims[name] = now + value if name in ("iat", "nbf", "exp") and isinstance(value, int) else value
    return {name: value for name, value in claims.items() if value is not None}


def _token(kid: str = "ec", algorithm: str = "ES256", *, key: Any = None, header: Any = None, **changed: Any) -> str:
    payload = json.dumps(_claims(**changed)).encode()
    return jwt.api_jws.encode(
        payload, key or _PRIVATE[kid], algorithm=algorithm, headers={"kid": kid, **(header or {})}
    )


def _by_hand(header: dict[str, Any], sign: Callable[[bytes], bytes]) -> str:
    """A token that no decent library makes."""
    signed = ".".join(_base64(json.dumps(part).encode()) for part in (header, _claims()))
    return f"{signed}.{_base64(sign(signed.encode()))}"


def _hmac(secret: bytes) -> Callable[[bytes], bytes]:
    return lambda signed: hmac.new(secret, signed, hashlib.sha256).digest()


def _pem(key: Any) -> bytes:
    data: bytes = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return data


def _is_refused(answer: httpx.Response) -> bool:
    body = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["www-authenticate"] == "Bearer"
    # One sentence for all: who forges learns nothing from the answer.
    assert body["detail"] == "The API key or token does not work."
    return (answer.status_code, body["code"]) == (401, "key_invalid")


# -- good tokens ------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("kid", "algorithm"), [("rsa", "RS256"), ("rsa", "PS256"), ("bound", "RS256"), ("ec", "ES256"), ("ed", "EdDSA")]
)
def test_a_token_of_the_issuer_is_taken(world: World, kid: str, algorithm: str) -> None:
    answer = world.get(_token(kid, algorithm, key=_PRIVATE.get(kid, _RSA)))
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(
    "changed",
    [
        {"aud": ["somebody-else", _AUDIENCE]},
        {"scope": ["jobs:read", "profile", 7]},
        {"exp": -10},
        {"nbf": 10, "iat": 10},
        {"iat": None},
    ],
    ids=repr,
)
def test_what_a_good_token_may_say(world: World, changed: dict[str, Any]) -> None:
    assert world.get(_token(**changed)).status_code == 200


def test_an_api_key_works_beside_tokens(world: World) -> None:
    key, _ = world.ledger.organizations.create_key(ACME, scopes=["jobs:read"])
    assert world.get(key).status_code == 200
    assert world.client.get("/jobs", headers={"X-API-Key": key}).status_code == 200
    assert _is_refused(world.get(key + "x"))
    nothing = world.client.get("/jobs")
    assert (nothing.status_code, nothing.json()["code"]) == (401, "key_missing")


def test_a_page_takes_a_token_as_its_password(world: World) -> None:
    token = _token(scope="jobs:read results:read")
    assert world.client.get("/ui/jobs", auth=("me", token)).status_code == 200
    assert world.client.get("/ui/jobs", auth=("me", token[:-6])).status_code == 401


def test_a_token_may_do_what_its_scopes_say(world: World) -> None:
    for scope in ("openid profile", "", None, 7, {"jobs:read": True}):
        answer = world.get(_token(scope=scope))
        assert (answer.status_code, answer.json()["code"]) == (403, "scope_missing"), scope


def test_an_issuer_without_nbf_is_taken_where_the_settings_say_so(issuer: Issuer, tmp_path: Path) -> None:
    settings = _settings(
        tmp_path, jwt_jwks_url=issuer.url, jwt_needs_nbf=False, jwt_organization_claim="https://example/org",
        jwt_scope_claim="scp", jwt_algorithms=["ES256"],
    )  # fmt: skip
    state = State(settings)
    state.ledger.organizations.ensure(ACME)
    named = {"https://example/org": "acme", "scp": ["jobs:read"], "org_id": "other", "scope": "admin"}
    principal = state.principal_of(_token(nbf=None, **named))
    assert principal is not None
    assert (principal.organization_id, principal.scopes) == (ACME, {"jobs:read"})
    assert state.principal_of(_token(nbf=None, iat=None, **named)) is None
    assert state.principal_of(_token(nbf=600, **named)) is None
    assert state.principal_of(_token("rsa", "RS256", nbf=None, **named)) is None
    state.close()


# -- forged, late and misdirected tokens -----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "changed",
    [
        *({name: None} for name in ("iss", "aud", "exp", "nbf", "sub", "org_id")),
        {"iss": "https://login.example"},
        {"iss": [_ISSUER]},
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
    assert _is_refused(world.get(_token(**changed)))


_GOOD = {"typ": "JWT", "kid": "rsa"}
_FORGED: Mapping[str, Callable[[], str]] = {
    "none": lambda: _by_hand({**_GOOD, "alg": "none"}, lambda _: b""),
    "None": lambda: _by_hand({**_GOOD, "alg": "None"}, lambda _: b""),
    "no algorithm": lambda: _by_hand(_GOOD, lambda _: b""),
    "a list of algorithms": lambda: _by_hand({**_GOOD, "alg": ["RS256"]}, lambda _: b""),
    "HMAC with the public key": lambda: _by_hand({**_GOOD, "alg": "HS256"}, _hmac(_pem(_RSA))),
    "HMAC with the JWK": lambda: _by_hand({"alg": "HS256", "kid": "oct"}, _hmac(_SHARED)),
    "RS256 with HMAC": lambda: _by_hand({**_GOOD, "alg": "RS256"}, _hmac(_pem(_RSA))),
    "another's key": lambda: _token("rsa", "RS256", key=_STRANGER),
    "the key of another kid": lambda: _token("ec", "ES256", key=_NEXT),
    "RSA for an EC key": lambda: _token("ec", "RS256", key=_RSA),
    "an algorithm the key is not for": lambda: _token("bound", "PS256", key=_RSA),
    "an algorithm that is not listed": lambda: _token("rsa", "RS512"),
    "no kid": lambda: jwt.encode(_claims(), _EC, algorithm="ES256"),
    "a kid that is no text": lambda: _by_hand({"alg": "ES256", "kid": 7}, lambda _: b"x" * 64),
    "a kid that is a path": lambda: _token("../../dev/null", "RS256", key=_STRANGER),
    "a key of its own": lambda: _token(
        "rsa", "RS256", key=_STRANGER, header={"jwk": _jwk("rsa", _STRANGER.public_key())}
    ),
    "a critical extension": lambda: _token(header={"crit": ["exp", "http://example/x"], "http://example/x": 1}),
    "other claims": lambda: ".".join(
        [_token().split(".")[0], _base64(json.dumps(_claims(org_id="other")).encode()), _token().split(".")[2]]
    ),
    "no signature": lambda: _token().rpartition(".")[0] + ".",
    "two parts": lambda: _token().rpartition(".")[0],
    "claims that are a list": lambda: jwt.api_jws.encode(b"[]", _EC, algorithm="ES256", headers={"kid": "ec"}),
    "claims too deep": lambda: jwt.api_jws.encode(b"[" * 4_000, _EC, algorithm="ES256", headers={"kid": "ec"}),
    "rubbish": lambda: "a.b.c",
}


@pytest.mark.parametrize("forge", _FORGED.values(), ids=_FORGED)
def test_threat_1_a_forged_token_is_refused(world: World, forge: Callable[[], str]) -> None:
    assert _is_refused(world.get(forge()))


def test_threat_3_where_a_token_says_its_keys_are_nobody_looks(world: World, issuer: Issuer) -> None:
    elsewhere = issuer.url.replace("/jwks", "/forged")
    for name in ("jku", "x5u"):
        assert _is_refused(world.get(_token("rsa", "RS256", key=_STRANGER, header={name: elsewhere})))
    assert "/forged" not in issuer.asked


# -- organisations apart ---------------------------------------------------------------------------------------------------
def test_003_06_threat_1_a_token_works_for_its_own_organisation_only(world: World) -> None:
    mine = {"Authorization": f"Bearer {_token()}"}
    made = world.client.post("/submit", json={**_BODY, "organization_id": "acme"}, headers=mine)
    assert made.status_code == 202, made.text
    [job_id] = made.json()["job_ids"]
    assert world.client.get(f"/status/{job_id}", headers=mine).status_code == 200
    other = _token(org_id="other")
    assert world.get(other, f"/status/{job_id}").status_code == 404
    assert world.get(other, f"/status/{job_id}?organization_id=acme").status_code == 404
    forged = world.client.post(
        "/submit", json={**_BODY, "organization_id": "acme"},
        headers={"Authorization": f"Bearer {other}", "X-Organization-ID": "acme"},
    )  # fmt: skip
    assert (forged.status_code, forged.json()["code"]) == (403, "organization_mismatch")
    [entry] = [entry for entry in world.ledger.audit.entries(ACME) if entry["action"] == "job.create"]
    assert entry["actor"] == f"sub:{_SUBJECT}"
    assert world.ledger.audit.entries(OTHER) == []


def test_003_34_a_token_of_a_shredded_organisation_is_refused(world: World) -> None:
    gone = OrganizationId("gone")
    world.ledger.organizations.ensure(gone)
    assert world.get(_token(org_id="gone")).status_code == 200
    world.ledger.sealed.shred(gone, actor="operator", request_id="request-1")
    assert _is_refused(world.get(_token(org_id="gone", jti="another")))


def test_003_36_requests_with_tokens_count_for_their_organisation(world: World) -> None:
    busy = OrganizationId("busy")
    world.ledger.organizations.ensure(busy)
    world.ledger.organizations.limit_requests(busy, 5)
    # Every request with a token of its own; a minute may end in the middle.
    answers = [world.get(_token(org_id="busy", sub=f"user-{number}")) for number in range(12)]
    assert 5 <= sum(answer.status_code == 200 for answer in answers) <= 10
    refused = next(answer for answer in answers if answer.status_code != 200)
    assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")


# -- secrets ---------------------------------------------------------------------------------------------------------------
def test_threat_6_no_token_and_no_claim_is_logged_or_answered(world: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    tokens = [
        _token(), _token(iss="https://canary.example"), _token(aud="canary-audience"), _token(exp=-600),
        _token(org_id="canary-organization"), _token("canary-kid", "RS256", key=_STRANGER),
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


# -- the issuer's keys -----------------------------------------------------------------------------------------------------


def test_threat_15_unknown_keys_do_not_flood_the_issuer(issuer: Issuer, tmp_path: Path) -> None:
    settings = _settings(tmp_path, jwt_jwks_url=issuer.url)
    with gateway(settings) as client:
        for number in range(40):
            forged = _token(f"kid-{number}", "RS256", key=_STRANGER)
            assert _is_refused(client.get("/jobs", headers={"Authorization": f"Bearer {forged}"}))
    assert issuer.asked == ["/jwks"]


def test_threat_15_threads_with_unknown_keys_ask_the_issuer_once_a_minute(issuer: Issuer) -> None:
    clock = Seconds(1_000.0)
    keys = jwks.KeySet(jwks.from_url(issuer.url), clock=clock)
    assert keys.find("ec") is not None
    for minute in range(1, 4):
        clock.now += jwks.ASK_AGAIN_SECONDS
        found: list[object] = []

        def ask(number: int, into: list[object]) -> None:
            try:
                into.append(keys.find(f"kid-{number}"))
            except Problem as problem:
                into.append(problem.code)

        threads = [threading.Thread(target=ask, args=(number, found)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(found) == 8
        assert set(found) <= {None, "keys_unavailable"}
        assert len(issuer.asked) == 1 + minute


def test_threat_15_a_slow_issuer_holds_one_thread_only(issuer: Issuer) -> None:
    clock = Seconds(1_000.0)
    keys = jwks.KeySet(jwks.from_url(issuer.url), clock=clock)
    assert keys.find("ec") is not None
    clock.now += jwks.ASK_AGAIN_SECONDS
    issuer.hold = threading.Event()
    waiting = threading.Thread(target=keys.find, args=("unknown",))
    waiting.start()
    while len(issuer.asked) < 2:
        assert waiting.is_alive()
    with pytest.raises(Problem) as caught:
        keys.find("another")
    assert (caught.value.status, caught.value.headers["Retry-After"]) == (503, "1")
    assert keys.find("ec") is not None
    issuer.hold.set()
    waiting.join()
    assert keys.find("another") is None


def test_a_rotated_key_is_found_and_one_taken_back_stops_to_work(issuer: Issuer) -> None:
    clock = Seconds(1_000.0)
    keys = jwks.KeySet(jwks.from_url(issuer.url), clock=clock)
    assert keys.find("rsa") is not None
    issuer.document = json.dumps({"keys": [_jwk("next", _NEXT.public_key()), _jwk("ec", _EC.public_key())]}).encode()
    assert keys.find("next") is None
    clock.now += jwks.ASK_AGAIN_SECONDS
    found = keys.find("next")
    assert found is not None
    assert jwt.decode(_token("next"), found.public, algorithms=["ES256"], audience=_AUDIENCE)["sub"] == _SUBJECT
    assert keys.find("rsa") is None
    issuer.document = json.dumps({"keys": [_jwk("next", _NEXT.public_key())]}).encode()
    clock.now += jwks.FRESH_SECONDS - 1
    assert keys.find("ec") is not None
    clock.now += 1
    assert keys.find("ec") is None
    assert len(issuer.asked) == 3


@pytest.mark.parametrize(
    "fault", [(500, _DOCUMENT), (302, b""), (200, b"<html>"), (200, b"{}"), (200, b" " * 1_000_001)]
)
def test_keys_outlive_an_hour_without_their_issuer(issuer: Issuer, fault: tuple[int, bytes]) -> None:
    clock = Seconds(1_000.0)
    keys = jwks.KeySet(jwks.from_url(issuer.url), clock=clock)
    assert keys.find("ec") is not None
    issuer.status, issuer.document = fault
    clock.now += jwks.STALE_SECONDS - 1
    assert keys.find("ec") is not None
    clock.now += 1
    with pytest.raises(Problem) as caught:
        keys.find("ec")
    assert (caught.value.status, caught.value.code) == (503, "keys_unavailable")
    issuer.status, issuer.document = 200, _DOCUMENT
    clock.now += jwks.ASK_AGAIN_SECONDS
    assert keys.find("ec") is not None
    assert set(issuer.asked) == {"/jwks"}


def test_without_its_issuer_the_gateway_says_503_and_serves_api_keys(issuer: Issuer, tmp_path: Path) -> None:
    issuer.status = 500
    settings = _settings(tmp_path, jwt_jwks_url=issuer.url)
    settings.root.mkdir(parents=True)
    with Ledger.of(settings) as ledger, gateway(settings) as client:
        key, _ = ledger.organizations.create_key(ACME, scopes=["jobs:read"])
        answer = client.get("/jobs", headers={"Authorization": f"Bearer {_token()}"})
        assert (answer.status_code, answer.json()["code"]) == (503, "keys_unavailable")
        assert int(answer.headers["retry-after"]) == jwks.FIRST_SECONDS
        assert client.get("/jobs", headers={"Authorization": f"Bearer {key}"}).status_code == 200
        assert client.get("/health").status_code == 200


def test_keys_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "jwks.json"
    path.write_bytes(_DOCUMENT)
    state = State(_settings(tmp_path, jwt_jwks_file=path))
    state.ledger.organizations.ensure(ACME)
    principal = state.principal_of(_token())
    assert principal is not None
    assert principal.key_id == f"sub:{_SUBJECT}"
    state.close()


def test_only_public_keys_for_signatures_are_taken_from_a_document() -> None:
    small = rsa.generate_private_key(public_exponent=65_537, key_size=1_024)
    private = ECAlgorithm.to_jwk(_EC, as_dict=True)
    document = [
        {**private, "kid": "private"}, _OCT, _jwk("small", small.public_key()), _jwk("enc", _RSA.public_key(), use="enc"),
        _jwk("hmac", _RSA.public_key(), alg="HS256"), {**_jwk("x", _EC.public_key()), "kid": 7}, "text", None,
        {**_jwk("broken", _EC.public_key()), "y": "AAAA"}, {**_jwk("curve", _EC.public_key()), "crv": "secp256k1"},
        {**_jwk("list", _EC.public_key()), "crv": ["P-256"]}, _jwk("twice", _EC.public_key()), _jwk("twice", _RSA.public_key()),
    ]  # fmt: skip
    found = jwks.keys_of(json.dumps({"keys": document}).encode())
    assert {kid: set(key.algorithms) for kid, key in found.items()} == {"private": {"ES256"}, "twice": {"ES256"}}
    assert isinstance(found["private"].public, ec.EllipticCurvePublicKey)


# -- settings --------------------------------------------------------------------------------------------------------------
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
    good = _settings(tmp_path, jwt_jwks_url="https://login.example/jwks")
    assert State(good).needs_key
    path = changed.get("jwt_jwks_file")
    update = {**changed, "jwt_jwks_file": Path(path)} if path else changed
    with pytest.raises(SettingsError, match=named):
        State(good.model_copy(update=update))
