"""What happens inside a run of the document assets, and what it tells the UI.

Imported when a run starts and not before, as the engine and the lake are no part of loading the definitions. What does
not belong here: the assets (``document_assets``), and reading a document (``documents``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from html import escape
from typing import TYPE_CHECKING

import dagster as dg
import pyarrow as pa
import pyarrow.compute as pc

from salescience_pipeline.acquisition.document_rows import DOCUMENTS
from salescience_pipeline.acquisition.document_worker import Budget
from salescience_pipeline.acquisition.outcome import summary_of
from salescience_pipeline.acquisition.parser_version import parser_version
from salescience_pipeline.acquisition.processing import Processed, Progress, process
from salescience_pipeline.acquisition.services import SelectionError, Services
from salescience_pipeline.catalog.tables import TABLES
from salescience_pipeline.identifiers import Accession, InvalidIdentifier, Ticker
from salescience_pipeline.lake.tables import Where
from salescience_pipeline.orchestration.check_results import check_result
from salescience_pipeline.orchestration.document_assets import ASSETS, KEYS, READ, SCHEMA, SURE
from salescience_pipeline.orchestration.failures import MAX_RETRIES_TAG, failures_table, stop_run_retries
from salescience_pipeline.orchestration.metadata import markdown_table
from salescience_pipeline.orchestration.partitions import keys_of, tickers_of
from salescience_pipeline.settings import SettingsError

if TYPE_CHECKING:
    from salescience_pipeline.orchestration.document_assets import ProcessConfig

_PREVIEW_BLOCKS, _PREVIEW_CHARACTERS = 14, 300
_SURE = 0.7
_HEADINGS = ("Title", "Section Header")


def run_documents(
    context: dg.AssetExecutionContext, config: ProcessConfig, services: Services
) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
    """Process the documents of the run's tickers; tell Dagster what was found and what was not.

    Raises:
        Failure: naming what has to be tried again, after everything else is stored, unless the config says to record it.
    """
    try:
        keys = keys_of(context)
        tickers = tickers_of(keys)
        accessions = [Accession(text) for text in config.accessions or ()]
        processed = process(
            services,
            tickers,
            run_id=context.run.run_id,
            accessions=accessions,
            force=config.force,
            budget=Budget(cpu_seconds=config.cpu_seconds, memory_bytes=config.memory_bytes),
            progress=_progress(context),
        )
    except (InvalidIdentifier, SelectionError, SettingsError) as refused:
        context.instance.add_run_tags(context.run.run_id, {MAX_RETRIES_TAG: "0"})
        raise dg.Failure(str(refused), allow_retries=False) from refused
    context.log.info(processed.sentence())
    yield from _checks(services, processed, tickers)
    if processed.failures and config.fail_run:
        for asset_key in ASSETS:
            # In a range, a MaterializeResult would mark every partition, also those that failed.
            for key in keys:
                if key not in processed.open_partitions():
                    metadata = _metadata(services, processed, asset_key, tickers)
                    context.log_event(dg.AssetMaterialization(asset_key=asset_key, partition=key, metadata=metadata))
        stop_run_retries(context, processed.failures)
        raise dg.Failure(
            f"Documents: {summary_of(processed.failures)}. What was read is stored; the next run reads only the rest.",
            metadata={"failed": dg.MetadataValue.md(failures_table(processed.failures))},
        )
    for asset_key in ASSETS:
        yield dg.MaterializeResult(asset_key=asset_key, metadata=_metadata(services, processed, asset_key, tickers))


def _progress(context: dg.AssetExecutionContext) -> Progress:
    """Writes a line to the run's log for each tenth of the documents, or every 25."""
    told = 0

    def progress(done: int, planned: int, accession: str) -> None:
        nonlocal told
        if done - told >= max(planned // 10, 25) or done == planned:
            told = done
            context.log.info(f"{done} of {planned} documents, last {accession}")

    return progress


def _listed(services: Services, tickers: Sequence[Ticker]) -> pa.Table:
    """The rows of the list of documents for these companies, newest filings last."""
    ciks = [str(cik) for cik in services.ciks(tickers).values()]
    return services.tables.read(DOCUMENTS, Where(values={"cik": ciks})) if ciks else TABLES[DOCUMENTS].empty()


def _checks(services: Services, processed: Processed, tickers: Sequence[Ticker]) -> Iterator[dg.AssetCheckResult]:
    rows = _listed(services, tickers)
    failed = rows.filter(pc.is_valid(rows["error_name"])).to_pylist()
    names = "; ".join(
        f"{row['accession']} {row['filename']}: {row['error_name']}, {row['reason']}" for row in failed[:20]
    )
    yield check_result(
        DOCUMENTS, READ, passed=not failed and rows.num_rows == processed.stored,
        severity=dg.AssetCheckSeverity.ERROR if processed.failures else dg.AssetCheckSeverity.WARN,
        stored=processed.stored, listed=rows.num_rows, read_now=processed.read, refused=len(failed),
        refused_documents=names or "none",
    )  # fmt: skip
    doubtful = rows.filter(pc.less(rows["lowest_confidence"], _SURE))
    shown = "; ".join(
        f"{row['accession']} ({row['form']}): {row['lowest_confidence']}" for row in doubtful.to_pylist()[:20]
    )
    yield check_result(
        DOCUMENTS, SURE, passed=doubtful.num_rows == 0, severity=dg.AssetCheckSeverity.WARN,
        doubtful=doubtful.num_rows, documents=shown or "none",
    )  # fmt: skip
    for key in ASSETS:
        differences = services.tables.schema_differences(key)
        yield check_result(key, SCHEMA, passed=not differences, differences="; ".join(differences) or "none")
        totals = processed.tables.get(key)
        duplicates = services.tables.duplicate_keys(key) if totals is not None and totals.commits else []
        yield check_result(
            key, KEYS, passed=not duplicates, columns=", ".join(TABLES[key].key),
            duplicates="; ".join(str(duplicate) for duplicate in duplicates[:5]) or "none",
        )  # fmt: skip


def _metadata(
    services: Services, processed: Processed, key: str, tickers: Sequence[Ticker]
) -> dict[str, dg.RawMetadataValue]:
    """What a materialisation tells: rows, documents read, what was found in them, a preview."""
    totals = processed.tables.get(key)
    metadata: dict[str, dg.RawMetadataValue] = {
        "dagster/row_count": services.tables.row_count(key),
        "rows_written": totals.rows if totals else 0,
        "documents_read": processed.read,
        "documents_current": processed.current,
        "documents_refused": len(processed.refused),
        "parser_version": parser_version(),
        "backend": services.settings.documents_backend,
        "seconds": round(processed.seconds, 3),
        "dagster/uri": services.tables.uri(key),
    }
    if processed.credits:
        metadata["credits"] = processed.credits
    if services.settings.provenance_note:
        metadata["data"] = services.settings.provenance_note
    if key == DOCUMENTS:
        metadata |= _about_documents(services, processed, tickers)
    elif totals is not None and totals.sample is not None:
        metadata["preview"] = dg.MetadataValue.md(markdown_table(totals.sample))
    return metadata


def _about_documents(
    services: Services, processed: Processed, tickers: Sequence[Ticker]
) -> dict[str, dg.RawMetadataValue]:
    rows = _listed(services, tickers)
    found = {
        name: pc.sum(rows[f"{name}_count"]).as_py() or 0 for name in ("section", "fact", "table", "block", "chunk")
    }
    metadata: dict[str, dg.RawMetadataValue] = {
        "sections_found": found["section"],
        "facts_found": found["fact"],
        "found": dg.MetadataValue.json({f"{name}s": count for name, count in found.items()}),
        "documents_by_type": dg.MetadataValue.json(
            {str(kind): count for kind, count in sorted(Counter(rows["document_type"].to_pylist()).items(), key=str)}
        ),
        "documents_with_doubt": pc.sum(pc.less(rows["lowest_confidence"], _SURE)).as_py() or 0,
    }
    confidence = pc.min(rows["lowest_confidence"]).as_py()
    if confidence is not None:
        metadata["lowest_confidence"] = confidence
    if processed.refused:
        lines = ["| filing | document | failure | why |", "|---|---|---|---|"]
        lines += [
            f"| {stored.accession} | {_plain(stored.filename)} | {name} | {_plain(reason or '')} |"
            for stored, name, reason in processed.refused[:30]
        ]
        metadata["refused"] = dg.MetadataValue.md("\n".join(lines))
    good = rows.filter(pc.and_kleene(pc.is_null(rows["error_name"]), pc.equal(rows["document_role"], "main")))
    if good.num_rows:
        row = good.slice(good.num_rows - 1).to_pylist()[0]
        metadata["preview"] = dg.MetadataValue.md(preview(services, row["accession"], row["filename"]))
    return metadata


def preview(services: Services, accession: str, filename: str) -> str:
    """The beginning of a document as it was understood, and its sections, as Markdown that shows no markup of the filing."""
    where = Where(values={"accession": [accession], "filename": [filename]})
    sections = services.tables.read(
        "doc_salescience__sections", where, ["section_no", "part", "item", "title", "text_length", "confidence"]
    )
    blocks = services.tables.read("doc_salescience__blocks", where, ["block_no", "block_type", "text", "level"])
    lines = [f"**{_plain(accession)}**, {_plain(filename)}", ""]
    if sections.num_rows:
        lines += ["| item | title | characters | confidence |", "|---|---|---|---|"]
        lines += [
            f"| {row['part'] or ''} {row['item']} | {_plain(row['title'])} | {row['text_length']:,} | {row['confidence']:.2f} |"
            for row in sections.to_pylist()
        ]
        lines.append("")
    for row in blocks.filter(pc.not_equal(blocks["text"], "")).slice(0, _PREVIEW_BLOCKS).to_pylist():
        text = row["text"] if len(row["text"]) <= _PREVIEW_CHARACTERS else row["text"][:_PREVIEW_CHARACTERS] + "..."
        marks = "#" * min(row["level"] + 2, 6) + " " if row["block_type"] in _HEADINGS else ""
        lines += [marks + _plain(text), ""]
    return "\n".join(lines)


def _plain(text: str) -> str:
    """Text of a filing so that the UI shows it and nothing in it acts."""
    folded = " ".join(escape(text).split())
    return "".join(f"&#{ord(char)};" if char in "|`*_[]\\#" and not _is_reference(folded, at) else char
                   for at, char in enumerate(folded))  # fmt: skip


def _is_reference(text: str, at: int) -> bool:
    """Whether the number sign at ``at`` belongs to a character reference that escaping made."""
    return text[at] == "#" and at > 0 and text[at - 1] == "&"
