"""The keys of a token's issuer: asked for seldom, rotated, outlived by an hour, and only those that can verify."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm

from salescience_pipeline.gateway import jwks
from salescience_pipeline.gateway.problems import Problem
from salescience_pipeline.gateway.state import State
from salescience_pipeline.ledger import Ledger
from salescience_pipeline_tests.clocks import Seconds
from salescience_pipeline_tests.test_gateway.conftest import ACME
from salescience_pipeline_tests.test_gateway.issuing import (
    AUDIENCE,
    DOCUMENT,
    EC,
    NEXT,
    OCT,
    RSA,
    STRANGER,
    SUBJECT,
    Issuer,
    is_refused,
    jwk,
    make_token,
    token_settings,
)
from salescience_pipeline_tests.test_gateway.serving import gateway


def test_threat_15_unknown_keys_do_not_flood_the_issuer(issuer: Issuer, tmp_path: Path) -> None:
    settings = token_settings(tmp_path, jwt_jwks_url=issuer.url)
    with gateway(settings) as client:
        for number in range(40):
            forged = make_token(f"kid-{number}", "RS256", key=STRANGER)
            assert is_refused(client.get("/jobs", headers={"Authorization": f"Bearer {forged}"}))
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
    issuer.document = json.dumps({"keys": [jwk("next", NEXT.public_key()), jwk("ec", EC.public_key())]}).encode()
    assert keys.find("next") is None
    clock.now += jwks.ASK_AGAIN_SECONDS
    found = keys.find("next")
    assert found is not None
    assert jwt.decode(make_token("next"), found.public, algorithms=["ES256"], audience=AUDIENCE)["sub"] == SUBJECT
    assert keys.find("rsa") is None
    issuer.document = json.dumps({"keys": [jwk("next", NEXT.public_key())]}).encode()
    clock.now += jwks.FRESH_SECONDS - 1
    assert keys.find("ec") is not None
    clock.now += 1
    assert keys.find("ec") is None
    assert len(issuer.asked) == 3


@pytest.mark.parametrize(
    "fault", [(500, DOCUMENT), (302, b""), (200, b"<html>"), (200, b"{}"), (200, b" " * 1_000_001)]
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
    issuer.status, issuer.document = 200, DOCUMENT
    clock.now += jwks.ASK_AGAIN_SECONDS
    assert keys.find("ec") is not None
    assert set(issuer.asked) == {"/jwks"}


def test_without_its_issuer_the_gateway_says_503_and_serves_api_keys(issuer: Issuer, tmp_path: Path) -> None:
    issuer.status = 500
    settings = token_settings(tmp_path, jwt_jwks_url=issuer.url)
    settings.root.mkdir(parents=True)
    with Ledger.of(settings) as ledger, gateway(settings) as client:
        key, _ = ledger.organizations.create_key(ACME, scopes=["jobs:read"])
        answer = client.get("/jobs", headers={"Authorization": f"Bearer {make_token()}"})
        assert (answer.status_code, answer.json()["code"]) == (503, "keys_unavailable")
        assert int(answer.headers["retry-after"]) == jwks.FIRST_SECONDS
        assert client.get("/jobs", headers={"Authorization": f"Bearer {key}"}).status_code == 200
        assert client.get("/health").status_code == 200


def test_keys_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "jwks.json"
    path.write_bytes(DOCUMENT)
    state = State(token_settings(tmp_path, jwt_jwks_file=path))
    state.ledger.organizations.ensure(ACME)
    principal = state.principal_of(make_token())
    assert principal is not None
    assert principal.key_id == f"sub:{SUBJECT}"
    state.close()


def test_only_public_keys_for_signatures_are_taken_from_a_document() -> None:
    small = rsa.generate_private_key(public_exponent=65_537, key_size=1_024)
    private = ECAlgorithm.to_jwk(EC, as_dict=True)
    document = [
        {**private, "kid": "private"}, OCT, jwk("small", small.public_key()), jwk("enc", RSA.public_key(), use="enc"),
        jwk("hmac", RSA.public_key(), alg="HS256"), {**jwk("x", EC.public_key()), "kid": 7}, "text", None,
        {**jwk("broken", EC.public_key()), "y": "AAAA"}, {**jwk("curve", EC.public_key()), "crv": "secp256k1"},
        {**jwk("list", EC.public_key()), "crv": ["P-256"]}, jwk("twice", EC.public_key()), jwk("twice", RSA.public_key()),
    ]  # fmt: skip
    found = jwks.keys_of(json.dumps({"keys": document}).encode())
    assert {kid: set(key.algorithms) for kid, key in found.items()} == {"private": {"ES256"}, "twice": {"ES256"}}
    assert isinstance(found["private"].public, ec.EllipticCurvePublicKey)
