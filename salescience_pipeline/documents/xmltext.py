"""Text out of marked-up bytes, the XML way (for facts) and the browser's way (for reading).

The two differ: XML knows five names and takes numbers literally, a browser knows two thousand names and reads the
numbers 128 to 159 as Windows characters.
"""

from __future__ import annotations

import html
import re
from html.entities import html5

TAG = re.compile(rb"<!--.*?-->|<!\[CDATA\[(.*?)\]\]>|<\?.*?\?>|<[^<>\"']*(?:\"[^\"<]*\"[^<>\"']*|'[^'<]*'[^<>\"']*)*>", re.DOTALL)
"""A comment, a CDATA section (its text is group 1), a processing instruction or a tag."""

_REFERENCE = re.compile(r"&(?:#([0-9]{1,7})|#[xX]([0-9a-fA-F]{1,6})|([A-Za-z][A-Za-z0-9]*));")


def _resolve(match: re.Match[str]) -> str:
    decimal, hexadecimal, name = match.groups()
    if name is not None:
        return html5.get(f"{name};", match[0])
    code = int(decimal) if decimal is not None else int(hexadecimal, 16)
    return chr(code) if code < 0x110000 and not 0xD800 <= code < 0xE000 and code else match[0]


def resolve_references(text: str) -> str:
    """Replace character references as XML does (HTML names are accepted too)."""
    return _REFERENCE.sub(_resolve, text) if "&" in text else text


def plain_text(raw: bytes, encoding: str) -> str:
    """The text of ``raw`` with tags taken out and references resolved, white space kept, line ends as ``\\n``."""
    if b"<" in raw:
        raw = TAG.sub(rb"\1", raw) if b"<![CDATA[" not in raw else TAG.sub(_keep_cdata, raw)
    text = raw.decode(encoding, "replace")
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return resolve_references(text)


def _keep_cdata(match: re.Match[bytes]) -> bytes:
    """Text of a CDATA section, escaped so that the references in it survive the resolving that follows."""
    return (match[1] or b"").replace(b"&", b"&amp;")


def shown_text(raw: bytes, encoding: str) -> str:
    """The text of ``raw`` as a browser shows it: references resolved its way, white space folded."""
    text = raw.decode(encoding, "replace")
    if "&" in text:
        text = html.unescape(text)
    return " ".join(text.split())


_ATTRIBUTE = re.compile(rb"""([A-Za-z_:][\w:.\-]*)\s*=\s*(?:"([^"]*)"|'([^']*)')""")
_NAME = re.compile(rb"[A-Za-z_:][\w:.\-]*")
_VOID = frozenset(b"area base basefont br col frame hr img input isindex link meta param".split())


def fragment(raw: bytes, encoding: str, is_dropped: re.Pattern[bytes]) -> str:
    """The XHTML text of an escaped fact: markup of ``raw`` in one canonical spelling, without the inline XBRL tags.

    Spelling: attributes sorted by name in double quotes, empty elements as ``<br/>`` when HTML has them empty and as
    ``<td></td>`` otherwise, references resolved except for ``&amp; &lt; &gt;``, comments left out.

    Args:
        raw: bytes of the content.
        encoding: codec of the document.
        is_dropped: matches the start of a tag that is left out.
    """
    parts: list[str] = []
    position = 0
    for match in TAG.finditer(raw):
        if match.start() > position:
            parts.append(_escape(plain_text(raw[position : match.start()], encoding)))
        position = match.end()
        tag = match[0]
        if tag.startswith((b"<!--", b"<?")) or is_dropped.match(tag):
            continue
        if match[1] is not None:
            parts.append(_escape(match[1].decode(encoding, "replace")))
        else:
            parts.append(_canonical_tag(tag, encoding))
    parts.append(_escape(plain_text(raw[position:], encoding)))
    text = "".join(parts)
    return _EMPTY_VOID.sub(r"<\1/>", text)


_EMPTY_VOID = re.compile(
    r"<((?:area|base|basefont|br|col|frame|hr|img|input|isindex|link|meta|param)\b(?:\s[^<>]*?)?)></[a-z]+>"
)


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _canonical_tag(tag: bytes, encoding: str) -> str:
    name_match = _NAME.match(tag, 2 if tag[1:2] == b"/" else 1)
    name = name_match[0].decode(encoding, "replace") if name_match is not None else ""
    if tag[1:2] == b"/":
        return f"</{name}>"
    attributes = sorted(
        (key.decode(encoding, "replace"), (double or single).decode(encoding, "replace"))
        for key, double, single in _ATTRIBUTE.findall(tag, name_match.end() if name_match is not None else 1)
        if not key.startswith(b"xmlns")
    )
    text = "".join(f' {key}="{_attribute_value(value)}"' for key, value in attributes)
    if not tag.endswith(b"/>"):
        return f"<{name}{text}>"
    return f"<{name}{text}/>" if name.encode() in _VOID else f"<{name}{text}></{name}>"


def _attribute_value(value: str) -> str:
    value = value.replace("\r\n", " ").replace("\n", " ").replace("\t", " ")
    return resolve_references(value).replace("&", "&amp;").replace('"', "&quot;")
