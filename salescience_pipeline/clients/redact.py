"""The one redactor: whatever may be written, shown or raised goes through it and comes out without secrets.

It knows the secrets themselves (so that they are found wherever they turn up) and the shapes in which keys travel (so
that a key nobody registered is found as well). What does not belong here: deciding what is logged or stored.
"""

from __future__ import annotations

import logging
import re
import threading
import traceback
from collections.abc import Iterable, Mapping
from urllib.parse import quote, quote_plus

from pydantic import SecretStr

MASK = "[secret]"
KEPT_HEADERS = frozenset(
    {
        "cache-control",
        "content-encoding",
        "content-length",
        "content-type",
        "date",
        "etag",
        "last-modified",
        "location",
        "retry-after",
        "x-request-id",
    }
)
"""Response headers that are worth keeping; everything else, cookies first of all, is dropped."""
NOISY_LOGGERS = ("httpx", "httpcore.connection", "httpcore.http11", "httpcore.http2", "httpcore.proxy")
"""Foreign loggers that write addresses or headers; they get the filter of every open transport."""

_SHORTEST_SECRET = 6
# The names under which providers take keys; the value ends where a URL or a sentence would go on.
_KEY_VALUE = re.compile(
    r"(?i)\b((?:api[_-]?|access[_-]?|auth[_-]?)?(?:token|key)|crumb|password|passwd|secret|signature|sig)"
    r"(=|%3D|\"?:\s*\"|'?:\s*')([^\s&\"'<>;,)\]}]+)"
)
_HEADER = re.compile(
    r"(?i)\b(authorization|proxy-authorization|cookie|set-cookie|x-[a-z0-9-]*(?:token|key))"
    r"(['\"]?\s*[:,=]\s*(?:b(?=['\"]))?['\"]?)((?:bearer|token|basic)\s+)?([^\s'\",)]+)"
)
_SCHEME = re.compile(r"(?i)\b(bearer|token)(\s+)([A-Za-z0-9._~+/-]{16,}=*)")
_USERINFO = re.compile(r"(?i)\b([a-z][a-z0-9+.-]*://)[^/\s:@]+:[^/\s@]+@")


class Redactor:
    """Removes the known secrets, and what looks like one, from text, headers and bytes; safe for threads."""

    def __init__(self, secrets: Iterable[SecretStr | str] = ()) -> None:
        """Know ``secrets`` from the start; more can be added when a session brings them."""
        self._lock = threading.Lock()
        self._secrets: frozenset[str] = frozenset()
        self._pattern: re.Pattern[str] | None = None
        self.byte_secrets: tuple[bytes, ...] = ()
        """The secrets as they would stand in a body, longest first."""
        for secret in secrets:
            self.add(secret)

    def add(self, secret: SecretStr | str) -> None:
        """Redact ``secret`` from now on, also URL-encoded; what is shorter than six characters is no secret."""
        value = secret.get_secret_value() if isinstance(secret, SecretStr) else secret
        if len(value) < _SHORTEST_SECRET:
            return
        with self._lock:
            self._secrets |= {value, quote(value, safe=""), quote_plus(value)}
            longest_first = sorted(self._secrets, key=len, reverse=True)
            self.byte_secrets = tuple(item.encode() for item in longest_first)
            self._pattern = re.compile("|".join(re.escape(item) for item in longest_first))

    def text(self, text: str) -> str:
        """``text`` without secrets."""
        if self._pattern is not None:
            text = self._pattern.sub(MASK, text)
        text = _HEADER.sub(lambda m: f"{m[1]}{m[2]}{m[3] or ''}{MASK}", text)
        text = _KEY_VALUE.sub(lambda m: f"{m[1]}{m[2]}{MASK}", text)
        text = _SCHEME.sub(lambda m: f"{m[1]}{m[2]}{MASK}", text)
        return _USERINFO.sub(lambda m: f"{m[1]}{MASK}@", text)

    def headers(self, headers: Mapping[str, str]) -> dict[str, str]:
        """The response headers worth keeping, lower case, without secrets."""
        return {name.lower(): self.text(value)[:500] for name, value in headers.items() if name.lower() in KEPT_HEADERS}

    def is_clean(self, text: str) -> bool:
        """Whether nothing in ``text`` had to be removed."""
        return self.text(text) == text


class RedactingFilter(logging.Filter):
    """Rewrites log records, and the tracebacks they carry, before any handler sees them."""

    def __init__(self, redactor: Redactor) -> None:
        super().__init__()
        self._redactor = redactor

    def filter(self, record: logging.LogRecord) -> bool:
        """Redact ``record`` in place and let it pass."""
        record.msg, record.args = self._redactor.text(record.getMessage()), ()
        if record.exc_info:
            record.exc_text = self._redactor.text("".join(traceback.format_exception(*record.exc_info)).rstrip())
            record.exc_info = None
        return True


def guard_loggers(redactor: Redactor, names: Iterable[str] = NOISY_LOGGERS) -> RedactingFilter:
    """Put a filter on the loggers ``names`` and return it, for :func:`unguard_loggers`."""
    guard = RedactingFilter(redactor)
    for name in names:
        logging.getLogger(name).addFilter(guard)
    return guard


def unguard_loggers(guard: RedactingFilter, names: Iterable[str] = NOISY_LOGGERS) -> None:
    """Take the filter off again."""
    for name in names:
        logging.getLogger(name).removeFilter(guard)
