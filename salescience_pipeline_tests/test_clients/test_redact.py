"""The redactor: secrets it knows, keys by their shape, headers, bodies, and log records."""

from __future__ import annotations

import io
import logging
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from salescience_pipeline.clients.redact import RedactingFilter, Redactor, guard_loggers, unguard_loggers
from salescience_pipeline.clients.wire import Receiver

KEY = "K3y/with+odd=chars"


@pytest.mark.parametrize(
    "text",
    [
        "https://api.example/x?token={}&a=1",
        "https://api.example/x?a=1&apikey={}",
        "https://api.example/x?apiKey={}",
        "https://api.example/x?api_key={}",
        "https://api.example/x?crumb={}",
        "GET /x?access_token={} HTTP/1.1",
        '{{"api_key": "{}"}}',
        "Authorization: Token {}",
        "authorization: Bearer {}",
        "{{'Authorization': 'Token {}'}}",
        "[(b'Authorization', b'Token {}')]",
        "X-Finnhub-Token: {}",
        "Cookie: A3={}",
        "password={}",
        "postgresql://user:{}@host/db",
    ],
)
def test_a_key_nobody_registered_is_found_by_where_it_stands(text: str) -> None:
    secret = "s3cr3tvalue0123456789"
    assert secret not in Redactor().text(text.format(secret))
    assert Redactor().text(text.format(secret)) != text.format(secret)


@pytest.mark.parametrize(
    "text",
    [
        "SEC EDGAR answered with status 503 (companyfacts, ALDRN).",
        "https://www.sec.gov/Archives/edgar/data/1/2/a10k.htm?first=1",
        "The primary key of the table is (ticker, trade_date).",
        "token",
        "5 keys: a, b",
    ],
)
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert Redactor([SecretStr(KEY)]).text(text) == text


def test_a_known_secret_is_found_anywhere_also_encoded() -> None:
    redactor = Redactor([SecretStr(KEY)])
    for spelled in (KEY, quote(KEY, safe="")):
        assert spelled not in redactor.text(f"the provider said {spelled} is wrong")
        assert not redactor.is_clean(f"x{spelled}y")


def test_what_is_too_short_to_be_a_secret_does_not_eat_the_text() -> None:
    assert Redactor([SecretStr("a")]).text("a cat sat") == "a cat sat"


@given(st.text(), st.text(alphabet=st.characters(codec="ascii", exclude_categories=["Cc"]), min_size=6), st.text())
def test_no_text_around_a_secret_hides_it(before: str, secret: str, after: str) -> None:
    redactor = Redactor([secret])
    # A secret that is a piece of the mask itself cannot be told from the mask.
    if secret not in "[secret]" * 2:
        assert secret not in redactor.text(before + secret + after).replace("[secret]", "\0")


def test_only_headers_worth_keeping_are_kept() -> None:
    headers = {"ETag": '"1"', "Set-Cookie": "A3=x", "X-Amz-Request-Id": "y", "Location": "/x?crumb=abcdef123"}
    assert Redactor().headers(headers) == {"etag": '"1"', "location": "/x?crumb=[secret]"}


def test_log_records_lose_their_secrets_in_message_arguments_and_traceback() -> None:
    stream = io.StringIO()
    logger = logging.Logger("a foreign one")
    logger.addHandler(logging.StreamHandler(stream))
    logger.addFilter(RedactingFilter(Redactor([SecretStr(KEY)])))
    try:
        int(f"wrong key {KEY}")
    except ValueError:
        logger.exception("asked %s and %s", f"https://x.example/?token={KEY}", {"Authorization": f"Token {KEY}"})
    assert KEY not in stream.getvalue()
    assert "wrong key [secret]" in stream.getvalue()
    assert "test_redact.py" in stream.getvalue()


def test_foreign_loggers_are_guarded_and_let_go_again() -> None:
    before = list(logging.getLogger("httpx").filters)
    guard = guard_loggers(Redactor())
    assert guard in logging.getLogger("httpx").filters
    unguard_loggers(guard)
    assert logging.getLogger("httpx").filters == before


@given(
    st.binary(max_size=200),
    st.binary(max_size=200),
    st.lists(st.integers(1, 7), min_size=1, max_size=8),
)
def test_an_echoed_key_is_overwritten_wherever_the_chunks_end(before: bytes, after: bytes, steps: list[int]) -> None:
    secret = b"CANARY-0123456789"
    body = before + secret + after
    receiver = Receiver(encoding="", max_bytes=10_000, spool_dir=None, secrets=[secret])
    at = 0
    while at < len(body):
        step = steps[at % len(steps)]
        receiver.feed(body[at : at + step])
        at += step
    received = receiver.finish(len(body)).read()
    assert secret not in received
    assert len(received) == len(body)
    if secret not in before + after:
        assert received.endswith(after)
        assert received.startswith(before)
