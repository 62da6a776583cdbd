"""The pages for people over HTTP: what they show, whom they answer, and what a hostile provider cannot do to them."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import duckdb
import httpx
import pytest
from lxml import html

from salescience_pipeline.clients.gate_model import Breaker
from salescience_pipeline.gateway.page_chart import HEIGHT, WIDTH, chart_of
from salescience_pipeline.gateway.pages import POLICY, _month_day
from salescience_pipeline.identifiers import OrganizationId
from salescience_pipeline.lake.results import Results
from salescience_pipeline.ledger import Ledger
from salescience_pipeline.ledger.job_model import Content, Outcome
from salescience_pipeline.ledger.job_rules import SourceStatus
from salescience_pipeline.settings import Settings, World
from salescience_pipeline_tests.test_gateway.conftest import new_job
from salescience_pipeline_tests.test_gateway.page_world import BROWSER, EVIL, LOCAL, a_job, fill_market, our_script_only
from salescience_pipeline_tests.test_gateway.published import publish
from salescience_pipeline_tests.test_gateway.serving import gateway


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A world of the test's own with those companies published, and two jobs."""
    made = Settings(home=tmp_path / "home")
    publish(made, fill_market)
    return made


@pytest.fixture
def ledger(settings: Settings) -> Iterator[Ledger]:
    """The same world's ledger."""
    with Ledger.open(settings.ledger_url) as opened:
        yield opened


@pytest.fixture
def client(settings: Settings) -> Iterator[httpx.Client]:
    """A browser at a gateway that needs no key."""
    with gateway(settings) as made:
        made.headers.update(BROWSER)
        yield made


def test_003_31_every_page_is_whole(client: httpx.Client, settings: Settings, ledger: Ledger) -> None:
    """003-31: each page answers, has its landmarks, one heading, labels, headers of tables, and says what the data is."""
    ledger.organizations.ensure(LOCAL)
    job = new_job("AAPL")
    ledger.jobs.create(LOCAL, [job], actor="test", max_open=10)
    paths = (
        "/", "/ui", "/ui/jobs", f"/ui/jobs/{job.job_id}", "/ui/companies/AAPL", "/ui/companies/aapl", "/ui/search",
        "/ui/search?q=apple",
    )  # fmt: skip
    for path in paths:
        answer = client.get(path)
        assert answer.status_code == 200, path
        page = html.fromstring(answer.text)
        assert page.get("lang") == "en"
        assert settings.provenance_note in page.xpath("string(//*[@role='note'])")
        for landmark in (
            "header",
            "header/nav[@aria-label]",
            "main[@id='main']",
            "footer",
            "form[@role='search']",
            "h1",
        ):
            assert len(page.xpath(f"//{landmark}")) == 1, (path, landmark)
        assert page.xpath("//a[@class='skip']/@href") == ["#main"]
        fields = page.xpath("(//input[not(@type='hidden')] | //select)/@id")
        assert fields
        assert all(page.xpath(f"//label[@for='{name}']") for name in fields)
        names = page.xpath("//nav/@aria-label")
        assert len(set(names)) == len(page.xpath("//nav"))
        assert all(cell.get("scope") for cell in page.xpath("//th")), path
        assert all(page.xpath(f"//*[@id='{name}']") for name in page.xpath("//section/@aria-labelledby")), path
        assert all(item.get("aria-label") for item in page.xpath("//meter | //progress")), path
        assert page.xpath("//title/text()")[0].endswith("Salescience") or path in ("/", "/ui")


def test_threat_10_nothing_that_a_provider_writes_is_markup(client: httpx.Client) -> None:
    for path in (
        "/",
        "/ui/companies/EVIL",
        "/ui/search?q=script",
        "/ui/search",
        f"/ui/search?q={EVIL[:40]}",
        "/ui/jobs",
    ):
        answer = client.get(path)
        page = html.fromstring(answer.text)
        assert page.xpath("//img | //iframe | //style | //object | //base") == [], path
        assert our_script_only(page), path
        assert page.xpath("//@*[starts-with(name(), 'on') or name() = 'style']") == [], path
        assert not [link for link in page.xpath("//@href | //@src | //@action") if "javascript:" in link.lower()]
        assert "49" not in page.xpath("string(//h1)")
    assert EVIL in html.fromstring(client.get("/ui/companies/EVIL").text).xpath("string(//h1)")


def test_threat_10_policy_allows_only_our_own_style(client: httpx.Client) -> None:
    for path in ("/", "/ui/jobs", "/ui/companies/AAPL", "/ui/companies/NOPE", "/ui/search?q=a"):
        headers = client.get(path).headers
        assert headers["content-security-policy"] == POLICY
        assert (headers["x-content-type-options"], headers["x-frame-options"]) == ("nosniff", "DENY")
        assert headers["content-type"] == "text/html; charset=utf-8"
    assert "unsafe" not in POLICY
    assert POLICY.startswith("default-src 'none'; style-src 'self';")
    icon = client.get(html.fromstring(client.get("/ui").text).xpath("string(//link[@rel='icon']/@href)"))
    assert (icon.status_code, icon.headers["content-type"]) == (200, "image/svg+xml; charset=utf-8")
    assert "script" not in icon.text
    style = client.get("/ui/page.css")
    assert style.headers["content-type"].startswith("text/css")
    assert "prefers-color-scheme: dark" in style.text
    assert "url(" not in style.text
    assert "@import" not in style.text


def test_003_31_the_root_speaks_json_to_programs(client: httpx.Client) -> None:
    for accept in ("application/json", "*/*"):
        answer = client.get("/", headers={"Accept": accept})
        assert answer.headers["content-type"] == "application/json"
        assert answer.json()["name"] == "Salescience"


def test_003_31_providers_with_gate_quota_and_freshness(client: httpx.Client, ledger: Ledger) -> None:
    now = ledger.gate_store.now()
    with ledger.gate_store.transaction("tiingo") as row:
        row.save(type(row.state)(breaker=Breaker.OPEN, open_until=now + 600, day_start=now - 100_000, day_used=77))
    page = html.fromstring(client.get("/ui").text)
    lines = {row.xpath("string(th)"): row.xpath("string()") for row in page.xpath("//section[1]//tbody/tr")}
    assert "shut" in lines["Tiingo"]
    assert "breaker open until" in lines["Tiingo"]
    # What was used on an earlier day is not today's.
    assert re.search(r"\b0 of [\d,]+ per day", lines["Tiingo"])
    assert "never asked" in lines["Yahoo Finance"]
    assert page.xpath("//ul[@class='cards']//strong/text()") == ["AAPL", "EVIL", "AAAA"]
    assert "3 of 4" in page.xpath("string(//section[@aria-labelledby='datasets'])")


def test_003_31_a_company(client: httpx.Client, ledger: Ledger) -> None:
    job_id = a_job(ledger)
    page = html.fromstring(client.get("/ui/companies/AAPL").text)
    assert len(page.xpath("//*[local-name()='svg']//*[local-name()='polyline']/@points")[0].split()) == 250
    assert page.xpath("string(//*[local-name()='svg']/*[local-name()='title'])") == "Adjusted close of AAPL"
    assert "22.14 billion" in page.xpath("string(//section[@aria-labelledby='figures'])")
    assert page.xpath("//section[@aria-labelledby='filings']//a/@href") == [
        "/ui/filings/0000320193-26-000001", f"/ui/jobs/{job_id}/content/AAPL%3ASEC%3A0?organization_id=local",
    ]  # fmt: skip
    assert client.get("/ui/companies/NOPE").status_code == 404
    assert client.get("/ui/companies/%22%3E").status_code == 404


def test_003_31_jobs_with_progress_of_their_own_organization(client: httpx.Client, ledger: Ledger) -> None:
    job_id = a_job(ledger)
    page = html.fromstring(client.get("/ui/jobs").text)
    assert page.xpath("//progress/@value") == ["1"]
    assert page.xpath("//progress/@max") == ["2"]
    one = client.get(f"/ui/jobs/{job_id}")
    assert "refresh" not in one.headers
    assert "1,234 bytes" in one.text
    assert client.get(f"/ui/jobs/{job_id}?live=1").headers["refresh"] == "5"
    for path in (f"/ui/jobs/{job_id}?organization_id=other", "/ui/jobs/unknown", f"/ui/jobs/{'x' * 300}"):
        assert client.get(path).status_code == 404
    assert job_id not in client.get("/ui/jobs?organization_id=other").text
    failed = Outcome("AAPL:Yahoo", SourceStatus.FAILED, error_class="contract", error=EVIL)
    assert ledger.jobs.settle(LOCAL, job_id, "run-1", [failed]) == 1
    over = html.fromstring(client.get(f"/ui/jobs/{job_id}").text)
    assert EVIL in over.xpath("string(//tbody)")
    assert over.xpath("//img") == []
    assert our_script_only(over)
    assert over.xpath("//tbody//a/@href") == [
        f"/ui/jobs/{job_id}/content/AAPL%3ASEC%3A0?organization_id=local", "/ui/filings/0000320193-26-000001",
    ]  # fmt: skip
    assert "refresh" not in client.get(f"/ui/jobs/{job_id}?live=1").headers


@pytest.mark.parametrize(
    ("text", "companies", "filings"),
    [
        ("apple", 1, 1),
        ("AAPL", 1, 0),
        ("320193", 1, 0),
        ("10-k", 0, 3),
        ("0000000001-26-000001", 0, 1),
        ("' or 1=1 --", 0, 0),
    ],
)
def test_003_31_search_marks_what_it_found(client: httpx.Client, text: str, companies: int, filings: int) -> None:
    page = html.fromstring(client.get("/ui/search", params={"q": text}).text)
    assert len(page.xpath("//section[@aria-labelledby='companies']//li/a")) == companies
    assert len(page.xpath("//section[@aria-labelledby='filings']//tbody/tr[td[2]]")) == filings
    assert {mark.lower() for mark in page.xpath("//mark/text()")} == ({text.lower()} if companies or filings else set())
    assert page.xpath("//input[@id='q']/@value") == [text]


def test_003_31_nothing_published(tmp_path: Path) -> None:
    with gateway(Settings(home=tmp_path / "empty")) as client:
        client.headers.update(BROWSER)
        for path in ("/", "/ui", "/ui/search", "/ui/search?q=x"):
            answer = client.get(path)
            assert answer.status_code == 200
            assert "Nothing is published yet." in answer.text
        assert client.get("/ui/jobs").status_code == 200
        assert client.get("/ui/companies/AAPL").status_code == 404


def test_003_31_content_is_read_with_the_browsers_key_and_never_shown_as_a_page(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home", gateway_auth="api_key")
    body = b'{"headline": "<script>alert(1)</script>"}'
    digest = Results(settings.lake_dir).put(body)
    acme = OrganizationId("acme")
    with Ledger.open(settings.ledger_url) as ledger:
        key, _ = ledger.organizations.create_key(acme, scopes=["results:content", "jobs:read"])
        theirs, _ = ledger.organizations.create_key(OrganizationId("other"), scopes=["results:content"])
        job = new_job("AAPL")
        ledger.jobs.create(acme, [job], actor="test", max_open=10)
        assert ledger.dispatch.claim(f"{job.job_id}:yahoo:0:1", "run-1") is not None
        outcome = Outcome("AAPL:Yahoo", SourceStatus.SUCCESS, Content(digest, "json", len(body)))
        assert ledger.jobs.settle(acme, job.job_id, "run-1", [outcome]) == 1
        with gateway(settings) as client:
            client.headers.update(BROWSER)
            page = html.fromstring(client.get(f"/ui/jobs/{job.job_id}", auth=("", key)).text)
            [path] = page.xpath("//tbody//a/@href")
            answer = client.get(path, auth=("", key))
            assert answer.content == body
            assert answer.headers["content-type"] == "application/json"
            assert "sandbox" in answer.headers["content-security-policy"]
            assert client.get(path).status_code == 401
            assert client.get(path, auth=("", theirs)).status_code == 403
            assert client.get(path.partition("?")[0], auth=("", theirs)).status_code == 404


def test_003_31_where_keys_are_needed_the_browser_is_asked_for_one(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home", gateway_auth="api_key")
    publish(settings, fill_market)
    with Ledger.open(settings.ledger_url) as ledger:
        acme = OrganizationId("acme")
        key, _ = ledger.organizations.create_key(acme, scopes=["results:read", "jobs:read"])
        poor, _ = ledger.organizations.create_key(acme, scopes=["tasks:read"])
        with gateway(settings) as client:
            client.headers.update(BROWSER)
            refused = client.get("/ui")
            assert refused.status_code == 401
            assert refused.headers["www-authenticate"].startswith("Basic ")
            assert "Apple" not in refused.text
            assert client.get("/ui/companies/AAPL").status_code == 401
            assert "Apple" in client.get("/ui", auth=("", key)).text
            assert client.get("/ui/jobs", auth=("anybody", key)).status_code == 200
            assert client.get("/ui/jobs?organization_id=other", auth=("", key)).status_code == 403
            assert client.get("/ui", auth=("", poor)).status_code == 403
            for wrong in ("", "x", "x" * 500):
                assert client.get("/ui", auth=("", wrong)).status_code == 401
            assert client.get("/ui", headers={"Authorization": "Basic !!"}).status_code == 401
            assert client.get("/ui", headers={"Authorization": f"Bearer {key}"}).status_code == 200


def test_003_31_real_data_links_to_its_source(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home", world=World.LIVE, gateway_auth="none")

    def fill(connection: duckdb.DuckDBPyConnection) -> None:
        fill_market(connection)
        connection.execute("update mart_filings__filings set url = 'https://www.sec.gov/x'")
        connection.execute("update mart_news__articles set url = 'https://news.example/?a=\"><b>'")

    publish(settings, fill)
    with gateway(settings) as client:
        client.headers.update(BROWSER)
        page = html.fromstring(client.get("/ui/companies/AAPL").text)
        assert page.xpath("//section[@aria-labelledby='filings']//a/@href") == [
            "https://www.sec.gov/x", "/ui/filings/0000320193-26-000001",
        ]  # fmt: skip
        assert page.xpath("//section[@aria-labelledby='news']//a/@href") == ['https://news.example/?a="><b>']
        assert page.xpath("//*[@role='note']") == []


def test_the_gateway_starts_without_what_only_pages_and_questions_need() -> None:
    program = (
        "import sys; from salescience_pipeline.gateway import pages, query; "
        "print(sorted({'duckdb', 'pyarrow', 'pandas', 'jinja2', 'dagster'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_chart_stays_inside_its_box() -> None:
    from datetime import date, timedelta

    prices = [
        {"trade_date": date(2026, 1, 1) + timedelta(days=at), "close": close} for at, close in enumerate([5, 9, 1])
    ]
    chart = chart_of(prices)
    assert chart is not None
    points = [tuple(map(float, point.split(","))) for point in chart.line.split()]
    assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in points)
    assert points[1][1] < points[0][1] < points[2][1]
    assert [label for _, label in chart.levels] == ["1.00", "3.00", "5.00", "7.00", "9.00"]
    assert chart_of(prices[:1]) is None
    assert chart_of([{**row, "close": 3} for row in prices]) is not None


@pytest.mark.parametrize(
    ("stored", "shown"), [("1231", "31 December"), ("0229", "29 February"), ("0630", "30 June"), ("?", "?"), ("", "")]
)
def test_003_31_the_end_of_a_fiscal_year_is_written_as_people_do(stored: str, shown: str) -> None:
    assert _month_day(stored) == shown
