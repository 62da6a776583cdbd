"""Filings in the pages: their sections, the search over their text with its places marked, and companies without a ticker."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import html

from salescience_pipeline.gateway import page_filings
from salescience_pipeline.gateway.page_data import Market
from salescience_pipeline.gateway.page_filings import TooSlow, snippet, words_of
from salescience_pipeline.gateway.pages import _marked_words, _millions
from salescience_pipeline.settings import Settings
from salescience_pipeline_tests.test_gateway.page_world import BROWSER, EVIL, fill_market, our_script_only
from salescience_pipeline_tests.test_gateway.published import publish
from salescience_pipeline_tests.test_gateway.serving import gateway

_APPLE = "/ui/filings/0000320193-26-000001"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A browser at a gateway that needs no key."""
    settings = Settings(home=tmp_path_factory.mktemp("texts"))
    publish(settings, fill_market)
    with gateway(settings) as made:
        made.headers.update(BROWSER)
        yield made


def _page(client: httpx.Client, path: str, **params: str) -> html.HtmlElement:
    answer = client.get(path, params=params or None)
    assert answer.status_code == 200, answer.text
    return html.fromstring(answer.text)


def test_003_31_a_company_links_its_filings_sections(client: httpx.Client) -> None:
    page = _page(client, "/ui/companies/AAPL")
    (link,) = page.xpath("//section[@aria-labelledby='filings']//tbody//a")
    assert (link.get("href"), link.text) == (_APPLE, "2 sections")
    rows = [[cell.text_content() for cell in row] for row in page.xpath("//section[@aria-labelledby='statements']//tr")]
    assert rows == [["Line", "Unit", "2025-12-31", "2024-12-31"], ["Net income", "USD", "12,500", "(3)"]]


def test_003_31_a_filing_is_read_section_by_section(client: httpx.Client) -> None:
    page = _page(client, _APPLE)
    assert page.xpath("//nav[@class='contents']//li/a/@aria-current") == ["true"]
    assert page.xpath("string(//h2[@id='text'])") == "Item 1: Business"
    assert page.xpath("//article//nav//a/@rel") == ["next"]
    after = _page(client, _APPLE + page.xpath("//a[@rel='next']/@href")[0].partition("#")[0])
    assert after.xpath("string(//h2[@id='text'])") == "Item 1A: Risk Factors"
    assert [part.text_content() for part in after.xpath("//article/p")][1:] == [
        "Risk Factors", "Our customers may pay late.", "A paragraph about <b>suppliers</b> & others, and customers again.",
    ]  # fmt: skip
    assert after.xpath("//a[@rel='next']") == []
    assert _page(client, "/ui/filings/000032019326000001").xpath("string(//h1)").startswith("10-K of Apple Inc.")


@pytest.mark.parametrize("query", ["section=99", "section=-1", "section=9999999", "section=x", "document=b.htm"])
def test_003_31_a_section_that_is_not_there_is_no_error(client: httpx.Client, query: str) -> None:
    assert client.get(f"{_APPLE}?{query}").status_code == 200


@pytest.mark.parametrize("name", ["0000320193-26-999999", "nonsense", "..%2F..%2Fetc", "x" * 300])
def test_003_31_a_filing_that_nobody_knows_is_404(client: httpx.Client, name: str) -> None:
    assert client.get(f"/ui/filings/{name}").status_code == 404


def test_003_31_words_are_found_and_marked_where_they_stand(client: httpx.Client) -> None:
    page = _page(client, "/ui/search", q="customers LATE", form="10-K")
    hits = page.xpath("//ol[@class='hits']/li")
    assert len(hits) == 2
    assert page.xpath("//ol[@class='hits']//mark/text()") == ["customers", "late", "customers"] * 2
    assert "3 places" in hits[0].text_content()
    (target,) = hits[1].xpath(".//h3/a/@href")
    read = _page(client, target.partition("#")[0])
    assert read.xpath("//article//mark/text()") == ["customers", "late", "customers"]
    assert page.xpath("//select[@name='form']/option[@selected]/text()") == ["10-K"]


@pytest.mark.parametrize(
    ("params", "count"),
    [
        ({"q": "customers", "cik": "320193"}, 1),
        ({"q": "customers", "cik": "7"}, 0),
        ({"q": "customers", "form": "8-K"}, 0),
        ({"q": "customers nowhere"}, 0),
        ({"q": "%"}, 0),
        ({"q": "'"}, 0),
        ({"q": "<script>alert(1)</script>"}, 2),
        ({"q": ""}, 0),
    ],
)  # fmt: skip
def test_003_31_the_search_keeps_to_what_was_asked(client: httpx.Client, params: dict[str, str], count: int) -> None:
    page = _page(client, "/ui/search", **params)
    assert len(page.xpath("//ol[@class='hits']/li")) == count
    assert our_script_only(page)


def test_003_31_a_cik_that_is_none_is_told(client: httpx.Client) -> None:
    assert client.get("/ui/search", params={"q": "a", "cik": "x"}).status_code == 404


def test_003_31_a_company_without_a_ticker_has_its_page(client: httpx.Client) -> None:
    page = _page(client, "/ui/companies/99")
    assert page.xpath("string(//h1)") == "Listed Nowhere LLC CIK 0000000099"
    assert "0000000099-26-000001" in page.xpath("string(//section[@aria-labelledby='filings'])")
    assert _page(client, "/ui/companies/0000320193").xpath("string(//h1)") == "Apple Inc. AAPL"
    assert client.get("/ui/companies/98").status_code == 404
    found = _page(client, "/ui/search", q="Listed Nowhere")
    assert found.xpath("//section[@aria-labelledby='filings']//tbody//a/@href") == [
        "/ui/companies/0000000099", "/ui/filings/0000000099-26-000001",
    ]  # fmt: skip


def test_threat_10_a_filings_text_is_never_markup(client: httpx.Client) -> None:
    for path in ("/ui/filings/0000000001-26-000001", "/ui/search?q=alert", "/ui/companies/1"):
        page = _page(client, path)
        assert page.xpath("//img | //iframe | //style") == []
        assert our_script_only(page)
    assert EVIL in _page(client, "/ui/filings/0000000001-26-000001").xpath("string(//article)")


def test_003_31_every_other_address_below_ui_is_a_page_as_well(client: httpx.Client) -> None:
    answer = client.get("/ui/nowhere/at/all")
    assert (answer.status_code, answer.headers["content-type"]) == (404, "text/html; charset=utf-8")
    page = html.fromstring(answer.text)
    assert page.xpath("//dd/code/text()") == ["not_found", answer.headers["x-request-id"]]


def test_003_31_every_link_of_the_pages_leads_somewhere(client: httpx.Client) -> None:
    """A walk over all links from the overview on, within the site; each page is whole, each place that is named is there."""
    open_, seen = ["/ui"], set()
    while open_:
        path = open_.pop()
        if path in seen or len(seen) > 80:
            continue
        seen.add(path)
        answer = client.get(path)
        assert answer.status_code == 200, path
        if not answer.headers["content-type"].startswith("text/html"):
            continue
        page = html.fromstring(answer.text)
        for link in page.xpath("//a/@href | //link/@href | //script/@src"):
            target, _, place = str(httpx.URL(path).join(link)).partition("#")
            assert target.startswith("/"), (path, link)
            if place and target == path:
                assert page.xpath(f"//*[@id='{place}']"), (path, link)
            open_.append(target)
    assert len(seen) > 15


def test_a_search_that_takes_too_long_is_given_up() -> None:
    with duckdb.connect() as connection:
        connection.execute("create table mart_documents__sections as select 'x' as accession")
        market = Market(connection, 1, None)  # type: ignore[arg-type] - not shown here
        with pytest.raises(TooSlow), page_filings._bounded(connection, seconds=0.05):
            market.rows(
                "mart_documents__sections", "select sum(a.range + b.range) from range(10000000) a, range(100000) b"
            )


@given(st.text(max_size=300), st.text(max_size=20))
def test_marking_changes_no_text(text: str, wanted: str) -> None:
    marked = _marked_words(text, wanted)
    assert marked.replace("<mark>", "").replace("</mark>", "").unescape() == text.replace("\r", "\r")


@given(st.text(alphabet="ab c\n", max_size=900), st.text(alphabet="ab", min_size=1, max_size=3))
def test_a_snippet_is_short_and_holds_the_first_place(text: str, word: str) -> None:
    shown = snippet(text, [word], word)
    assert len(shown) <= 250
    if word in text:
        assert word in shown or len(text) > 160


def test_words_and_figures() -> None:
    assert words_of('  "Pay late", PAY (late)? ') == ["pay", "late"]
    assert words_of("...") == []
    assert [_millions(value) for value in (None, 3.29, -2.5e6, 1.25e10)] == ["\N{EM DASH}", "3.29", "(2)", "12,500"]
