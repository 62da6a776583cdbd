"""What bytes are, and what is refused under which of Reducto's names."""

from __future__ import annotations

import contextlib

import pytest

from salescience_pipeline.documents import DocumentError, Kind, Limits, parse
from salescience_pipeline.documents.errors import (
    CellCountExceeded,
    DocumentCorrupt,
    DocumentEmpty,
    DocumentTimeout,
    DocumentTooLarge,
    DocumentUnsupported,
    NotADocument,
)
from salescience_pipeline_tests.test_documents.look_alikes import OLD_HTML, SUBMISSION, TYPEWRITTEN, inline_filing


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (inline_filing(), Kind.XHTML),
        (OLD_HTML, Kind.HTML),
        (TYPEWRITTEN, Kind.TEXT),
        (
            b"<PAGE>\n\n<TABLE>\n<CAPTION>\n<S>      <C>\nSales     1,945\n</TABLE>\n<TABLE>\n</TABLE>\n<TABLE>",
            Kind.TEXT,
        ),
        (SUBMISSION, Kind.SUBMISSION),
        (b"<?xml version='1.0'?><ownershipDocument><a/></ownershipDocument>", Kind.XML),
        (b"<div>no root <b>at all</b></div>", Kind.HTML),
    ],
)
def test_the_kind_is_judged_by_the_bytes(data: bytes, kind: Kind) -> None:
    assert parse(data).source.kind is kind


@pytest.mark.parametrize(
    ("data", "error", "name"),
    [
        (b"", DocumentEmpty, "DOCUMENT_EMPTY"),
        (b" \r\n\t ", DocumentEmpty, "DOCUMENT_EMPTY"),
        (b"%PDF-1.7\n...", DocumentUnsupported, "DOCUMENT_UNSUPPORTED"),
        (b"PK\x03\x04 an archive named .htm", DocumentUnsupported, "DOCUMENT_UNSUPPORTED"),
        (bytes(range(256)) * 10, DocumentUnsupported, "DOCUMENT_UNSUPPORTED"),
        (
            b"<html><head><title>404 Not Found</title></head><body><h1>Not Found</h1></body></html>",
            NotADocument,
            "NOT_FOUND",
        ),
        (
            b"<html><head><title>SEC.gov | Request Rate Threshold Exceeded</title></head><body/></html>",
            NotADocument,
            "RATE_LIMIT",
        ),
        (b"<?xml version='1.0'?>\n<Error><Code>NoSuchKey</Code></Error>", NotADocument, "NOT_FOUND"),
        (b"<html><body><p>Sorry, this page was not found.</p></body></html>", NotADocument, "NOT_FOUND"),
        (b"404 page not found\n", NotADocument, "NOT_FOUND"),
        (
            b"<?xml version='1.0'?><!DOCTYPE a [<!ENTITY x 'xx'><!ENTITY y '&x;&x;'>]><html xmlns='u'>&y;</html>",
            DocumentCorrupt,
            "DOCUMENT_CORRUPT",
        ),
        (b"\xff\xfeodd length UTF-16", DocumentCorrupt, "DOCUMENT_CORRUPT"),
    ],
)
def test_what_is_no_filing_is_refused_by_name(data: bytes, error: type[DocumentError], name: str) -> None:
    with pytest.raises(error) as caught:
        parse(data)
    assert caught.value.name == name
    assert str(caught.value).endswith(".")


def test_a_filing_about_missing_things_is_no_error_page() -> None:
    page = b"<html><head><title>Form 8-K</title></head><body><p>The heirs were not found (Rule 404).</p></body></html>"
    assert parse(page).blocks[0].text == "The heirs were not found (Rule 404)."


def test_limits_refuse_before_they_cost() -> None:
    limits = Limits(max_bytes=100, max_cells=10, max_depth=20)
    with pytest.raises(DocumentTooLarge):
        parse(b"<html>" + b" " * 100, limits=limits)
    row = b"<tr><td>a</td><td>1</td></tr>"
    for table in (b"<table>" + row * 6 + b"</table>", b"<TABLE>" + row.upper() * 6 + b"</TABLE>"):
        with pytest.raises(CellCountExceeded):
            _ = parse(b"<html>" + table, limits=Limits(max_cells=10)).blocks
    with pytest.raises(DocumentCorrupt):
        _ = parse(b"<html>" + b"<div>" * 30, limits=Limits(max_depth=20)).blocks
    with pytest.raises(DocumentCorrupt):
        _ = parse(inline_filing("<ix:nonNumeric name='dei:A' contextRef='d'>" * 501)).facts


def test_the_time_limit_is_held_by_the_clock_that_is_given() -> None:
    ticks = iter(range(0, 10_000, 50))
    limits = Limits(max_seconds=60, clock=lambda: next(ticks))
    with pytest.raises(DocumentTimeout):
        _ = parse(b"<html><body>" + b"<p>x</p>" * 100_000, limits=limits).blocks


def _with_digits(markup: str) -> bytes:
    """Markup with a number that Python refuses to read in every place of a ``~``."""
    return markup.replace("~", "9" * 5_000).encode()


@pytest.mark.parametrize(
    "data",
    [
        b"<html><body>" + b"<" * 50_000,
        b"<html><body>" + b"<!-- " * 20_000,
        b"<html><body>" + b"<!-- < -->x" * 5_000,
        b"<html><body>" + b"<script>" * 20_000,
        b"<html><body>" + b'<a href="' * 20_000,
        b"<html><body><p>" + b"<span>x" * 20_000,
        b"<html><body>" + b"<p>hello <b>world" * 5_000,
        b"<html><body><table>" + b"</td></tr>" * 20_000,
        b"<html><body><table><tr>" + b'<td colspan="999999999" rowspan="99999999">1</td>' * 500,
        b"<html><body>" + b"<table><tr><td><table><tr><td>x</td></tr></table></td></tr></table>" * 1_000,
        b"<html><body><p>" + b"&" * 50_000,
        _with_digits(
            "<html><body><p title='&#~;'>&#~;<font size='+~'>x</font><img alt='&#x~;'><pre>&#~;\n\n &#x~;</pre>"
        ),
        inline_filing(
            _with_digits(
                "<table><tr><td>Debt</td><td><ix:nonFraction name='us-gaap:Debt' contextRef='i' unitRef='usd' decimals='~'"
                " scale='~' format='ixt:fixed-zero'>-</ix:nonFraction></td></tr></table><ix:nonNumeric name='us-gaap:Term'"
                " contextRef='d' format='ixt-sec:durday'>~</ix:nonNumeric>"
            ).decode()
        ),
        inline_filing("</ix:nonNumeric>" * 5_000),
        inline_filing("<xbrli:context id='z'>" * 5_000),
        inline_filing("".join(f'<span xmlns:p{n}="u{n}">' for n in range(3_000))),
        b"<SEC-DOCUMENT>\n" + b"<DOCUMENT>\n<TYPE>X\n<TEXT>\n" * 2_000,
    ],
    ids=lambda data: repr(data[-12:]),
)
def test_nonsense_gives_a_result_or_a_named_error(data: bytes) -> None:
    document = parse(data)
    with contextlib.suppress(DocumentCorrupt):
        assert all(0 <= block.start <= block.end <= len(data) for block in document.blocks)
    with contextlib.suppress(DocumentCorrupt):
        assert len(document.places) == len(document.facts)
        assert all(table.scale is None or table.scale <= 10**15 for table in document.tables)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ("<html><body><p>Ünïcode “x”</p></body></html>".encode("utf-16"), "Ünïcode “x”"),
        (
            b"<?xml version='1.0' encoding='utf-8'?><html xmlns='u'><body><p>caf\xe9 \x93x\x94</p></body></html>",
            "café “x”",
        ),
        ("<?xml version='1.0' encoding='iso-8859-1'?><html xmlns='u'><body><p>café</p></body></html>".encode(), "café"),
        (b"<html><meta charset='koi8-r'><body><p>\xc1\xc2</p></body></html>", "\u0430\u0431"),
        (
            b"<html><body><p>a &#151; b &#160;c&eacute; &lt;d&gt; R&D p < 0.05</p></body></html>",
            "a — b cé <d> R&D p < 0.05",
        ),
    ],
)
def test_what_decodes_wins_over_what_is_declared(data: bytes, text: str) -> None:
    assert parse(data).blocks[0].text == text
