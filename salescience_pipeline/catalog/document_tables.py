"""The tables of the processing layer: what is understood of a filed document.

What does not belong here: what the columns mean (``columns``), and the tables of providers (``tables``, ``market_tables``).
"""

from __future__ import annotations

from salescience_pipeline.catalog.table_model import Table
from salescience_pipeline.identifiers import TableName


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
            "form document_type document_role exhibit_number exhibit_kind sha256 bytes kind detected_form status error_name "
            "reason warnings backend job_id credits "
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
        part(
            "entities",
            "Document entities",
            "Who and what a document speaks of: companies, people, tickers, exchanges, amounts, dates and percents.",
            ("entity_no",),
            "entity_kind canonical_name entity_key entity_cik entity_ticker mention_count",
            "entity_kind canonical_name entity_key mention_count",
        ),
        part(
            "mentions",
            "Document mentions",
            "The places where an entity is named.",
            ("entity_no", "mention_no"),
            f"text block_no char_start char_end read_from confidence {span}",
            f"text read_from confidence {span}",
        ),
        part(
            "relations",
            "Document relations",
            "What one entity of a document is to another, and the place that says it.",
            ("relation_no",),
            f"subject_no predicate object_no relation_detail block_no read_from confidence {span}",
            f"subject_no predicate object_no relation_detail read_from confidence {span}",
        ),
        part(
            "events",
            "Document events",
            "The events that a current report (8-K) tells, item by item.",
            ("event_no",),
            f"form item title text block_no read_from confidence {span}",
            f"form item title text read_from confidence {span}",
        ),
        part(
            "risk_factors",
            "Document risk factors",
            "The risk factors of a report, one row each, under their own titles.",
            ("risk_no",),
            f"form risk_group title text text_length block_no confidence {span}",
            f"form title text text_length confidence {span}",
        ),
        part(
            "extractions",
            "Document extractions",
            "What the ready schemas found in a document: one row per value, with the place that it was read from.",
            ("schema_name", "json_path"),
            f"schema_sha256 value_json read_from confidence block_no page {span}",
            f"schema_sha256 value_json read_from confidence {span}",
        ),
    )


DOCUMENT_TABLES = _document_parts()
