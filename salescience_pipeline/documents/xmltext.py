"""Text out of marked-up bytes, the XML way (for facts) and the browser's way (for reading).

The two differ: XML knows five names and takes numbers literally, a browser knows two thousand names and reads the
numbers 128 to 159 as Windows characters. What does not belong here: structure: paragraphs and tables (``flow``).
"""

from __future__ import annotations

import html
import re
from functools import lru_cache
from html.entities import html5

REST_OF_TAG = rb"""[^<>"']*+(?:"[^"<]*+"[^<>"']*+|'[^'<]*+'[^<>"']*+)*+"""
"""Pattern of what may stand between a tag's name and its ``>``."""

TAG = re.compile(
    rb"<!--.*?-->|<!\[CDATA\[(.*?)\]\]>|<\?.*?\?>|<[^<>\"']*(?:\"[^\"<]*\"[^<>\"']*|'[^'<]*'[^<>\"']*)*>", re.DOTALL
)
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
    """The text of ``raw`` with tags taken out and references resolved, white space kept, line ends as newlines."""
    if b"<" in raw:
        raw = TAG.sub(rb"\1", raw) if b"<![CDATA[" not in raw else TAG.sub(_keep_cdata, raw)
    text = raw.decode(encoding, "replace")
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return resolve_references(text)


def _keep_cdata(match: re.Match[bytes]) -> bytes:
    """Text of a CDATA section, escaped so that the references in it survive the resolving that follows."""
    return (match[1] or b"").replace(b"&", b"&amp;")


_SHOWN_REFERENCE = re.compile(r"&(?:#[0-9]{1,10};?|#[xX][0-9a-fA-F]{1,8};?|[^\t\n\f <&#;]{1,32};?)")


@lru_cache(maxsize=2000)
def _shown_reference(text: str) -> str:
    return html.unescape(text)


def _shown(match: re.Match[str]) -> str:
    return _shown_reference(match[0])


def unescaped(text: str) -> str:
    """Replace character references as a browser does; a number of more than ten digits names no character.

    The few spellings that make up nearly all references in filings are looked up once.
    """
    return _SHOWN_REFERENCE.sub(_shown, text) if "&" in text else text


def shown_text(raw: bytes, encoding: str) -> str:
    """The text of ``raw`` as a browser shows it: references resolved its way, white space folded."""
    return " ".join(unescaped(raw.decode(encoding, "replace")).split())


class _Names(dict[bytes, bytes]):
    """`` contextRef=`` -> ``contextRef``; every spelling is worked out once."""

    def __missing__(self, raw: bytes) -> bytes:
        name = raw.strip().rstrip(b"=").rstrip()
        if len(self) < _TAGS_REMEMBERED:
            self[raw] = name
        return name


_NAMES = _Names()


def raw_attributes(raw: bytes) -> dict[bytes, bytes]:
    """The attributes between a tag's name and its ``>`` as bytes, references left as they are."""
    if b"'" not in raw:
        parts = raw.split(b'"')
        return dict(zip(map(_NAMES.__getitem__, parts[0::2]), parts[1::2], strict=False))
    return {name: double or single for name, double, single in _ATTRIBUTE.findall(raw)}


_ATTRIBUTE = re.compile(rb"""([A-Za-z_:][\w:.\-]*)\s*=\s*(?:"([^"]*)"|'([^']*)')""")
_NAME = re.compile(rb"[A-Za-z_:][\w:.\-]*")
_VOID = frozenset(b"area base basefont br col frame hr img input isindex link meta param".split())


class FragmentWriter:
    """Writes the XHTML text of escaped facts of one document in one canonical spelling.

    Spelling: attributes sorted by name in double quotes, empty elements as ``<br/>`` when HTML has them empty and as
    ``<td></td>`` otherwise, references resolved except for ``&amp; &lt; &gt;``, comments and inline XBRL tags left out.
    Text blocks hold each other and their tags repeat, so every spelling is worked out once.
    """

    def __init__(self, encoding: str, is_dropped: re.Pattern[bytes]) -> None:
        """``is_dropped`` matches the start of a tag (behind its ``<``) that is left out."""
        self._encoding = encoding
        self._is_dropped = is_dropped
        self._tags: dict[bytes, str] = {}

    def text(self, raw: bytes) -> str:
        """The text of the bytes between an element's start and end tag."""
        if b"<!" in raw or b"<?" in raw:
            raw = TAG.sub(_without_comment, raw)
        pieces = raw.split(b"<")
        tags = self._tags
        parts = [self._shown(pieces[0])]
        for piece in pieces[1:]:
            text = tags.get(piece)
            if text is None:
                text = self._piece(piece)
            parts.append(text)
        return _EMPTY_VOID.sub(r"<\1/>", "".join(parts))

    def _piece(self, piece: bytes) -> str:
        """A tag without its ``<`` and the text behind it."""
        match = _TAG_END.match(piece)
        if match is None:
            return _escape(self._encoding and piece.decode(self._encoding, "replace"))
        end = match.end()
        tag, rest = piece[:end], piece[end:]
        text = self._tags.get(tag)
        if text is None:
            text = "" if self._is_dropped.match(b"<" + tag) else _canonical_tag(b"<" + tag, self._encoding)
            if len(self._tags) < _TAGS_REMEMBERED:
                self._tags[tag] = text
        return text + self._shown(rest) if rest else text

    def _shown(self, raw: bytes) -> str:
        text = raw.decode(self._encoding, "replace")
        if "&" in text or ">" in text or "\r" in text:
            return _escape(plain_text(raw, self._encoding))
        return text


def _without_comment(match: re.Match[bytes]) -> bytes:
    """A tag as it is, the text of a CDATA section escaped, nothing for a comment or a processing instruction."""
    if match[1] is not None:
        return match[1].replace(b"&", b"&amp;").replace(b"<", b"&lt;").replace(b">", b"&gt;")
    return b"" if match[0].startswith((b"<!--", b"<?")) else match[0]


_TAG_END = re.compile(REST_OF_TAG + rb">")
_TAGS_REMEMBERED = 50_000
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
