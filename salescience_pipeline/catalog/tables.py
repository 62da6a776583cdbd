"""Every table of the lake: its name, its columns, its key and how it is cut.

The name is the Delta folder, the DuckDB table, the dbt source, the asset key of the table and the docs anchor.
"""

from __future__ import annotations

from salescience_pipeline.catalog.market_tables import MARKET_TABLES, PROFILE_COLUMNS
from salescience_pipeline.catalog.table_model import PROVENANCE, Table
from salescience_pipeline.identifiers import TableName

__all__ = ["PROVENANCE", "TABLES", "Table"]

_PRICE_COLUMNS = (
    "ticker",
    "trade_date",
    "open",
    "high",
    "low",
    "close",
    "volume",
    "adj_open",
    "adj_high",
    "adj_low",
    "adj_close",
    "adj_volume",
    "div_cash",
    "split_factor",
    "adj_method",
    "currency",
)


def _prices(source: str, title: str, description: str, *required: str) -> Table:
    return Table(
        TableName(f"core_{source}__eod_prices"),
        title,
        description,
        _PRICE_COLUMNS,
        ("source", "ticker", "trade_date"),
        "prices",
        required=("split_factor", "adj_method", "currency", *required),
        partition_year_of="trade_date",
        sort_by=("ticker", "trade_date"),
    )


def _document_parts() -> tuple[Table, ...]:
    """What the processing layer makes of a filed document; all are replaced together, document by document."""
    own = ("accession", "filename", "cik")

    def part(what: str, title: str, description: str, number: tuple[str, ...], columns: str, required: str) -> Table:
        return Table(
            TableName(f"doc_salescience__{what}"),
            title,
            description,
            (*own, *number, *columns.split()),
            ("accession", "filename", *number),
            "documents",
            required=("cik", *required.split()),
            sort_by=("accession", "filename", *number),
        )

    span = "src_start src_end"
    return (
        part(
            "documents",
            "Processed documents",
            "One row per document that was processed: what was found, who did it, or why it was refused.",
            (),
            "form document_type sha256 bytes kind detected_form status error_name reason warnings backend job_id credits "
            "parser_version cpu_seconds pages block_count table_count cell_count fact_count fact_problem_count "
            "section_count chunk_count lowest_confidence",
            "form sha256 bytes status backend parser_version block_count table_count cell_count fact_count section_count "
            "chunk_count",
        ),
        part(
            "blocks",
            "Document blocks",
            "The pieces of a document that a reader sees as one thing, in reading order, with their place in the source.",
            ("block_no",),
            f"block_type text page level confidence section_no table_no {span}",
            "block_type text page level confidence",
        ),
        part(
            "sections",
            "Document sections",
            "The items of a form with their text, where they stand, and how sure that is.",
            ("section_no",),
            f"form part item title canonical_title text text_length detection confidence confidence_reason "
            f"is_incorporated_by_reference {span}",
            f"form item title text text_length detection confidence is_incorporated_by_reference {span}",
        ),
        part(
            "tables",
            "Document tables",
            "The tables of a document: size, header rows, caption, scale and currency.",
            ("table_no",),
            f"row_count column_count header_rows caption multiplier currency {span}",
            f"row_count column_count header_rows {span}",
        ),
        part(
            "cells",
            "Document table cells",
            "The cells of the tables that show something; a currency sign and its number are one cell.",
            ("table_no", "cell_no"),
            f"row_no column_no rowspan colspan is_header text shown_value {span}",
            f"row_no column_no rowspan colspan is_header text {span}",
        ),
        part(
            "facts",
            "Document XBRL facts",
            "Every XBRL fact of a document where it stands: its context, its value, its table cell and its source bytes.",
            ("fact_no",),
            "taxonomy concept namespace entity context_id period_start period_end dimensions unit value exact_value decimals "
            "is_nil lang transform is_text_block is_hidden is_continued footnote_ids table_no cell_no block_no " + span,
            f"taxonomy concept namespace entity context_id dimensions is_nil is_text_block is_hidden is_continued {span}",
        ),
        part(
            "fact_dimensions",
            "Dimensions of XBRL facts",
            "One row per fact and axis.",
            ("fact_no", "axis"),
            "member is_typed",
            "is_typed",
        ),
        part(
            "chunks",
            "Document chunks",
            "Consecutive blocks of 250 to 1,500 characters, cut at headings where that is possible, for search.",
            ("chunk_no",),
            f"text text_length section_no first_block last_block page {span}",
            "text text_length first_block last_block page",
        ),
    )


_ROWS: tuple[Table, ...] = (
    _prices(
        "tiingo",
        "Tiingo end-of-day prices",
        "One row per ticker and trading day: prices as traded, dividends, splits, and Tiingo's adjusted series.",
        "div_cash",
    ),
    _prices(
        "yahoo",
        "Yahoo end-of-day prices",
        "One row per ticker and trading day: prices as traded (rebuilt from Yahoo's split-adjusted ones), "
        "dividends, splits and Yahoo's adjusted close.",
    ),
    Table(
        TableName("core_yahoo__company_profiles"),
        "Yahoo company profiles",
        "One row per ticker and day on which the profile was read.",
        PROFILE_COLUMNS,
        ("source", "ticker", "as_of_date"),
        "companies",
        sort_by=("ticker", "as_of_date"),
    ),
    Table(
        TableName("core_sec__company_tickers"),
        "SEC tickers and CIKs",
        "Which ticker belonged to which company and when, built from successive copies of SEC's list.",
        ("ticker", "cik", "name", "exchange", "first_seen_on", "last_seen_on", "is_current"),
        ("ticker", "cik", "first_seen_on"),
        "companies",
        required=("last_seen_on", "is_current"),
        sort_by=("ticker",),
    ),
    Table(
        TableName("core_sec__companies"),
        "SEC companies",
        "One row per company as its submissions page describes it now.",
        (
            "cik",
            "ticker",
            "name",
            "sic",
            "sic_description",
            "entity_type",
            "filer_category",
            "state_of_incorporation",
            "fiscal_year_end",
            "ein",
            "tickers",
            "exchanges",
            "former_names",
        ),
        ("cik",),
        "companies",
        required=("name",),
        sort_by=("cik",),
    ),
    Table(
        TableName("core_sec__filings"),
        "SEC filings",
        "One row per filing and filer: what was filed, when it was accepted, what it amends and where it is.",
        (
            "cik",
            "accession",
            "form",
            "base_form",
            "is_amendment",
            "amends_accession",
            "filing_date",
            "report_date",
            "accepted_at",
            "items",
            "primary_document",
            "primary_document_description",
            "size",
            "is_xbrl",
            "is_inline_xbrl",
            "url",
        ),
        ("cik", "accession"),
        "filings",
        required=("form", "base_form", "is_amendment", "filing_date", "url"),
        partition_year_of="filing_date",
        sort_by=("cik", "filing_date"),
    ),
    Table(
        TableName("core_sec__documents"),
        "SEC filing documents",
        "One row per document that was fetched: its bytes lie in the archive under their SHA-256.",
        ("accession", "filename", "cik", "form", "document_type", "sequence", "sha256", "bytes", "archive_path", "url"),
        ("accession", "filename"),
        "filings",
        required=("cik", "form", "sha256", "bytes", "url"),
        sort_by=("cik", "accession"),
    ),
    Table(
        TableName("core_sec__facts"),
        "SEC company facts",
        "One row per concept, unit, period and reporting filing, so that restatements stand beside what they restate.",
        (
            "cik",
            "taxonomy",
            "concept",
            "unit",
            "period_start",
            "period_end",
            "accession",
            "value",
            "fy",
            "fp",
            "form",
            "filed",
            "frame",
            "label",
        ),
        ("cik", "taxonomy", "concept", "unit", "period_start", "period_end", "accession"),
        "fundamentals",
        required=("value", "form", "filed"),
        nullable_key=("period_start",),
        sort_by=("cik", "taxonomy", "concept", "period_end"),
        # Companies are replaced one by one, and their files are rewritten with them: 131 ms of CPU instead of 525.
        file_rows=131_072,
    ),
    Table(
        TableName("core_sec__insider_transactions"),
        "SEC insider transactions",
        "One row per line and reporting owner of Forms 3, 4 and 5.",
        (
            "accession",
            "owner_cik",
            "transaction_table",
            "line_no",
            "is_holding",
            "form",
            "filing_date",
            "issuer_cik",
            "ticker",
            "owner_name",
            "is_director",
            "is_officer",
            "is_ten_percent_owner",
            "officer_title",
            "security_title",
            "trans_date",
            "trans_code",
            "shares",
            "price",
            "acquired_disposed",
            "shares_after",
            "ownership",
            "underlying_title",
            "underlying_shares",
            "exercise_price",
            "exercise_date",
            "expiration_date",
            "footnotes",
        ),
        ("accession", "owner_cik", "transaction_table", "line_no"),
        "filings",
        required=("is_holding", "form", "issuer_cik", "owner_name"),
        sort_by=("issuer_cik", "accession"),
    ),
    *MARKET_TABLES,
    Table(
        TableName("raw_salescience__http_answers"),
        "Requests to providers",
        "One row per attempt of a request, copied from the archive's audit; its body lies in the archive under raw_sha256.",
        (
            "answer_no",
            "request_id",
            "attempt",
            "endpoint",
            "method",
            "canonical_url",
            "http_status",
            "answer_class",
            "started_at",
            "elapsed_ms",
            "bytes",
            "content_type",
            "etag",
            "last_modified",
            "headers",
            "archive_path",
            "error",
            "is_complete",
        ),
        ("answer_no",),
        "operations",
        required=("request_id", "attempt", "endpoint", "canonical_url", "answer_class", "started_at", "is_complete"),
        sort_by=("answer_no",),
    ),
    *_document_parts(),
    Table(
        TableName("ops_salescience__quality_findings"),
        "Findings of the quality checks",
        "What the last run of each check found: a check that found nothing has no rows.",
        ("check_name", "dataset", "subject", "on_date", "detail", "observed", "expected", "sentence", "checked_at"),
        ("check_name", "dataset", "subject", "on_date", "detail"),
        "operations",
        required=("sentence", "checked_at"),
        sort_by=("check_name", "subject", "on_date"),
    ),
    Table(
        TableName("ops_salescience__answer_fields"),
        "Fields of providers' answers",
        "The shape of each endpoint's answers when they were last looked at: fields, types and how often a value is missing.",
        ("provider", "endpoint", "field", "json_types", "null_rate", "records", "answer_no", "checked_at"),
        ("provider", "endpoint", "field"),
        "operations",
        required=("json_types", "null_rate", "records", "answer_no", "checked_at"),
        sort_by=("provider", "endpoint", "field"),
    ),
    Table(
        TableName("ops_salescience__completeness"),
        "Completeness",
        "What is there and what is missing, per dataset, partition and subject; a retry fetches only what is missing.",
        ("dataset", "partition", "subject", "status", "reason", "rows", "first_date", "last_date", "checked_at"),
        ("dataset", "partition", "subject"),
        "operations",
        required=("status", "rows", "checked_at"),
        sort_by=("dataset", "partition", "subject"),
    ),
)

TABLES: dict[str, Table] = {table.name: table for table in _ROWS}
