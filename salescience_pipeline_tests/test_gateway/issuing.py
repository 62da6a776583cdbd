"""An identity provider for tests: its keys, its JWKS over HTTP, and tokens that it signs or that somebody else forged."""

from __future__ import annotations

import base64
import datetime as dt
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from salescience_pipeline.settings import Settings

ISSUER, AUDIENCE, SUBJECT = "https://login.example/", "salescience-gateway", "alice-canary-subject"
RSA, STRANGER = (rsa.generate_private_key(public_exponent=65_537, key_size=2_048) for _ in range(2))
EC, NEXT, ED = (
    ec.generate_private_key(ec.SECP256R1()),
    ec.generate_private_key(ec.SECP256R1()),
    ed25519.Ed25519PrivateKey.generate(),
)
SHARED = b"a secret that a JWKS must not make good"
PRIVATE: Mapping[str, Any] = {"rsa": RSA, "ec": EC, "ed": ED, "next": NEXT}


def base64url(data: bytes) -> str:
    """The spelling of bytes in tokens: no padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def jwk(kid: str, key: Any, **more: str) -> dict[str, Any]:
    """A public key as a row of a JWKS."""
    for kind, algorithm in (
        (rsa.RSAPublicKey, RSAAlgorithm),
        (ec.EllipticCurvePublicKey, ECAlgorithm),
        (ed25519.Ed25519PublicKey, OKPAlgorithm),
    ):
        if isinstance(key, kind):
            return {**algorithm.to_jwk(key, as_dict=True), "kid": kid, **more}
    raise AssertionError(key)


OCT = {"kty": "oct", "kid": "oct", "alg": "HS256", "k": base64url(SHARED)}
PUBLISHED = [jwk(kid, PRIVATE[kid].public_key()) for kid in ("rsa", "ec", "ed")]
DOCUMENT = json.dumps({"keys": [OCT, jwk("bound", RSA.public_key(), alg="RS256"), *PUBLISHED]}).encode()


@dataclass
class Issuer:
    """An identity provider's JWKS over HTTP."""

    url: str = ""
    document: bytes = DOCUMENT
    status: int = 200
    asked: list[str] = field(default_factory=list)
    hold: threading.Event | None = None


def token_settings(home: Path, **more: Any) -> Settings:
    """Settings of a gateway that takes this provider's tokens."""
    return Settings(home=home, gateway_auth="jwt", jwt_issuer=ISSUER, jwt_audience=AUDIENCE, **more)


def make_claims(**changed: Any) -> dict[str, Any]:
    """What a good token says; None leaves a claim out."""
    now = int(dt.datetime.now(dt.UTC).timestamp())
    claims = {
        "iss": ISSUER, "aud": AUDIENCE, "sub": SUBJECT, "iat": now, "nbf": now, "exp": now + 300, "org_id": "acme",
        "scope": "openid jobs:read jobs:write",
    }  # fmt: skip
    for name, value in changed.items():
        claims[name] = now + value if name in ("iat", "nbf", "exp") and isinstance(value, int) else value
    return {name: value for name, value in claims.items() if value is not None}


def make_token(
    kid: str = "ec", algorithm: str = "ES256", *, key: Any = None, header: Any = None, **changed: Any
) -> str:
    """A signed token; ``changed`` changes its claims."""
    payload = json.dumps(make_claims(**changed)).encode()
    return jwt.api_jws.encode(payload, key or PRIVATE[kid], algorithm=algorithm, headers={"kid": kid, **(header or {})})


def is_refused(answer: httpx.Response) -> bool:
    """Whether the gateway refused a token, in the words in which it refuses all."""
    body = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["www-authenticate"] == "Bearer"
    # One sentence for all: who forges learns nothing from the answer.
    assert body["detail"] == "The API key or token does not work."
    return (answer.status_code, body["code"]) == (401, "key_invalid")


@contextmanager
def publishing() -> Iterator[Issuer]:
    """The provider, until the block ends."""
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
