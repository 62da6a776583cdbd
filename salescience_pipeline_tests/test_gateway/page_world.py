"""A small world for the tests of pages: one company about which every text is hostile, and a plain one."""

from __future__ import annotations

import duckdb
from lxml import html

from salescience_pipeline.identifiers import OrganizationId
from salescience_pipeline.ledger import Ledger
from salescience_pipeline.ledger.job_model import Content, Outcome
from salescience_pipeline.ledger.job_rules import SourceStatus
from salescience_pipeline_tests.test_gateway.conftest import new_job

EVIL = """<script>alert(1)</script>"'><img src=x onerror=alert(1)>{{ 7*7 }}"""
BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
LOCAL = OrganizationId("local")
RISKS = "Risk Factors\nOur customers may pay late.\nA paragraph about <b>suppliers</b> & others, and customers again."


def our_script_only(page: html.HtmlElement) -> bool:
    """Whether the page's one script is the file that we serve, with nothing inside."""
    return [(script.get("src"), script.text) for script in page.xpath("//script")] == [("/ui/page.js", None)]


def fill_market(connection: duckdb.DuckDBPyConnection) -> None:
    """One company about which every text is hostile, and a plain one."""
    insert = connection.execute
    for ticker, cik, name in (("EVIL", "0000000001", EVIL), ("AAPL", "0000320193", "Apple Inc.")):
        insert(
            "insert into mart_companies__companies (ticker, cik, name, exchange, sector, country, is_current) "
            "values (?, ?, ?, ?, ?, ?, true)",
            [ticker, cik, name, EVIL, EVIL, EVIL],
        )
        insert(
            "insert into mart_prices__daily (ticker, trade_date, close, currency) "
            "select ?, date '2026-01-01' + i::int, 100 + i % 7, ? from range(300) t(i)",
            [ticker, EVIL],
        )
        insert(
            "insert into mart_filings__filings (cik, company, accession, form, base_form, filing_date, items, url, "
            "stored_documents) values (?, ?, ?, ?, ?, date '2026-02-01', ?, 'javascript:alert(1)', 1)",
            [cik, name, f"{cik}-26-000001", "10-K", "10-K", EVIL],
        )
        insert(
            "insert into mart_fundamentals__facts (cik, concept, label, unit, period_end, period_days, value, known_from) "
            "values (?, 'Assets', ?, ?, date '2026-01-01', 0, 22140000000, date '2026-02-01')",
            [cik, EVIL, EVIL],
        )
        insert(
            "insert into mart_insiders__transactions (issuer_cik, owner_name, officer_title, trans_date, trans_code, "
            "accession, line_no, signed_shares) values (?, ?, ?, date '2026-01-01', ?, ?, 1, -5)",
            [cik, EVIL, EVIL, EVIL, EVIL],
        )
        accession = f"{cik}-26-000001"
        insert(
            "insert into mart_documents__documents (cik, company, accession, filename, form, filing_date, status, "
            "section_count, table_count, fact_count) values (?, ?, ?, 'a.htm', '10-K', date '2026-02-01', 'complete', 2, 1, 3)",
            [cik, name, accession],
        )
        for number, (item, title, text) in enumerate((("1", "Business", EVIL), ("1A", "Risk Factors", RISKS))):
            insert(
                "insert into mart_documents__sections (cik, company, accession, filename, section_no, form, filing_date, item, "
                "title, text, text_length, confidence) "
                "values (?, ?, ?, 'a.htm', ?, '10-K', date '2026-02-01', ?, ?, ?, length(?), 0.9)",
                [cik, name, accession, number, item, title, text, text],
            )
        for year, value in ((2025, 12_500_000_000), (2024, -3_000_000)):
            insert(
                "insert into mart_fundamentals__statements (cik, statement, line_no, line, unit, period_end, period_months, "
                "form, value, accession) values (?, 'income', 1, 'Net income', 'USD', make_date(?, 12, 31), 12, '10-K', ?, ?)",
                [cik, year, value, accession],
            )
        insert(
            "insert into mart_news__articles (title, publisher, url, published_at, tickers) "
            "values (?, ?, 'javascript:alert(1)', now(), [?])",
            [EVIL, EVIL, ticker],
        )
    insert(
        "insert into mart_companies__companies (ticker, cik, name, is_current) values ('AAAA', '7', 'Nobody follows', true)"
    )
    insert(
        "insert into mart_filings__filings (cik, company, accession, form, base_form, filing_date, stored_documents) values "
        "('0000000099', 'Listed Nowhere LLC', '0000000099-26-000001', '10-K', '10-K', date '2026-03-01', 0)"
    )
    insert(
        "insert into mart_operations__completeness (dataset, status, subjects, row_count, checked_at) values "
        "('core_sec__company_tickers', 'complete', 3, 10, now()), ('core_sec__company_tickers', 'missing', 1, 0, now())"
    )


def a_job(ledger: Ledger) -> str:
    """A job of the local organisation of which one source came through and one is at work."""
    ledger.organizations.ensure(LOCAL)
    job = new_job("AAPL")
    ledger.jobs.create(LOCAL, [job], actor="test", max_open=10)
    for provider in ("sec", "yahoo"):
        assert ledger.dispatch.claim(f"{job.job_id}:{provider}:0:1", "run-1") is not None
    outcome = Outcome(
        "AAPL:SEC:0", SourceStatus.SUCCESS, Content("0" * 64, "html", 1_234), {"accession": "0000320193-26-000001"}
    )
    assert ledger.jobs.settle(LOCAL, job.job_id, "run-1", [outcome]) == 1
    return job.job_id
