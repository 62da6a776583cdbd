"""EDGAR's refusals and error bodies in our own words, under the titles and in the shapes of the recorded ones.

What does not belong here: when they are sent, and with which status (``edgar``).
"""

from __future__ import annotations

import hashlib
from html import escape


def _page(title: str, head: str, *paragraphs: str) -> bytes:
    body = "".join(f"<p>{words}</p>\n" for words in paragraphs)
    return (
        '<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Transitional//EN" '
        '"http://www.w3.org/TR/xhtml1/DTD/xhtml1-transitional.dtd">\n<html xmlns="http://www.w3.org/1999/xhtml">\n<head>\n'
        f'<meta http-equiv="Content-Type" content="text/html; charset=UTF-8" />\n<title>SEC.gov | {title}</title>\n</head>\n'
        f'<body>\n<div id="content">\n<h1>{head}</h1>\n{body}</div>\n</body>\n</html>\n'
    ).encode()


UNDECLARED_PAGE = _page(
    "Your Request Originates from an Undeclared Automated Tool",
    "Your Request Originates from an Undeclared Automated Tool",
    "The sandbox answers as EDGAR does when a program does not say whose it is.",
    "Put a company name and an e-mail address into the User-Agent header and ask again.",
)
THRESHOLD_PAGE = _page(
    "Request Rate Threshold Exceeded",
    "You&#8217;ve Exceeded the Traffic Limit",
    "The sandbox answers as EDGAR does after more than ten requests in one second.",
    "Access is cut for ten minutes; every request made in that time lengthens the cut.",
)
UNAVAILABLE_PAGE = _page("File Unavailable", "This Page is Temporarily Unavailable", "The feed ends before this page.")


def error_xml(code: str, message: str, key: str | None = None) -> bytes:
    """The error object of the store behind the hosts; its ids are made up from what was asked for."""
    serial = hashlib.sha256((key or code).encode()).hexdigest().upper()
    named = f"<Key>{escape(key)}</Key>" if key is not None else ""
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code><Message>{message}</Message>{named}'
        f"<RequestId>{serial[:16]}</RequestId><HostId>{serial}</HostId></Error>"
    ).encode()
