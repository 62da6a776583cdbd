"""`salescience documents`: one filing at a time, from a file, without a server and without settings.

Every command reads a file, asks the documents room one question and prints the answer: JSON for programs, with
``--text`` something for people. A document that cannot be read is one sentence on standard error and exit code 2. What
does not belong here: reading a filing (``documents``), and the documents of the lake (``acquisition.processing``).
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from salescience_pipeline.documents import Document

app = typer.Typer(
    name="documents", no_args_is_help=True, help="Read one SEC filing: blocks, facts, items, tables, answers."
)

File = Annotated[
    Path, typer.Argument(help="A filing: HTML, inline XBRL, plain text, a full submission, an XBRL instance.")
]
Text = Annotated[bool, typer.Option("--text", help="Print for people instead of JSON for programs.")]
AsReducto = Annotated[bool, typer.Option("--reducto", help="Answer in the shape of Reducto's response.")]
Form = Annotated[str, typer.Option("--form", help="Form type, where the file does not say it.")]


@contextmanager
def _one_sentence(name: str) -> Iterator[None]:
    """Whatever is wrong with a document or an option becomes one sentence and exit code 2."""
    from salescience_pipeline.documents.errors import DocumentError  # noqa: PLC0415

    try:
        yield
    except DocumentError as error:
        _fail(f"{name}: {error} ({error.name})")
    except BrokenPipeError:
        # Whoever read the output has seen enough; what is still buffered goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        _fail(f"{name}: {error.strerror or error}.")
    except (RecursionError, MemoryError) as error:
        _fail(f"{name}: The document is too large or nested too deep ({type(error).__name__}).")


def _say(kind: str, sentence: str, color: str) -> None:
    typer.echo(f"{typer.style(kind, fg=color)} {sentence}", err=True)


def _fail(sentence: str) -> None:
    _say("Error:", sentence, typer.colors.RED)
    raise typer.Exit(2)


def _open(file: Path, form: str = "") -> Document:
    from salescience_pipeline.documents import Hints, Limits, parse  # noqa: PLC0415
    from salescience_pipeline.documents.errors import DocumentTooLarge  # noqa: PLC0415

    limits = Limits()
    if file.stat().st_size > limits.max_bytes:
        raise DocumentTooLarge(f"The document has {file.stat().st_size:,} bytes; {limits.max_bytes:,} are allowed.")
    return parse(file.read_bytes(), Hints(name=file.name, form=form), limits=limits)


def _print(value: object) -> None:
    json.dump(value, sys.stdout, ensure_ascii=False, indent=None, separators=(",", ":"))
    sys.stdout.write("\n")


def _lines(values: Iterator[str]) -> None:
    for line in values:
        sys.stdout.write(line + "\n")


@app.command()
def parse(
    file: File,
    text: Text = False,
    chunk_mode: Annotated[
        str, typer.Option(help="disabled, variable, section, page, block or page_sections.")
    ] = "disabled",
    table_format: Annotated[str, typer.Option(help="dynamic, html, md, csv or json.")] = "dynamic",
) -> None:
    """Blocks as Reducto's ParseResponse."""
    with _one_sentence(file.name):
        document = _open(file)
        if text:
            _lines(
                f"{block.type.value:14} p{block.page:<4} {' '.join(block.text.split())[:160]}"
                for block in document.blocks
            )
            return
        from salescience_pipeline.documents.reducto import ParseOptions, to_reducto  # noqa: PLC0415

        _print(to_reducto(document, ParseOptions(chunk_mode=chunk_mode, table_output_format=table_format)))


@app.command()
def facts(file: File, text: Text = False) -> None:
    """XBRL facts, one JSON object per line."""
    with _one_sentence(file.name):
        found = _open(file).facts
        if text:
            for fact in found:
                context = fact.context
                when = context.end if context.start is None else f"{context.start}..{context.end}"
                where = "".join(f" [{axis}={member}]" for axis, member in context.dimensions.items())
                shown = " ".join(fact.value.split())[:100]
                sys.stdout.write(f"{fact.concept}  {when}{where}  {shown} {fact.unit.text if fact.unit else ''}\n")
            for problem in found.problems:
                _say("Problem", f"({problem.reason}): {problem.message}", typer.colors.YELLOW)
            return
        _lines(found.json_lines())


@app.command()
def sections(file: File, text: Text = False, form: Form = "", reducto: AsReducto = False) -> None:
    """Items with their place in the file."""
    with _one_sentence(file.name):
        from salescience_pipeline.documents.sections import find_sections  # noqa: PLC0415

        document = _open(file, form)
        if reducto:
            from salescience_pipeline.documents.split_reducto import to_split  # noqa: PLC0415

            _print(to_split(document))
            return
        found = find_sections(document)
        if not text:
            _print([section.as_record() for section in found])
            return
        for section in found:
            name = f"{section.part + ' ' if section.part else ''}Item {section.item}"
            doubt = f"  ({section.reason})" if section.reason else ""
            sys.stdout.write(
                f"{name:14} {section.title[:60]:60} {section.start:>9}-{section.end:<9} {section.text_length:>8} characters"
                f"  {section.method:8} {section.confidence:.2f}{doubt}\n"
            )


@app.command()
def tables(file: File, text: Text = False) -> None:
    """Tables as cells, with header rows, scale, currency and place."""
    with _one_sentence(file.name):
        document = _open(file)
        found = document.tables
        if text:
            from salescience_pipeline.documents.table_output import to_markdown  # noqa: PLC0415

            for table in found:
                scale = f"x{table.scale}" if table.scale else ""
                sys.stdout.write(
                    f"Table {table.index} {table.caption[:80]} {scale} {table.currency or ''}\n{to_markdown(table)}\n\n"
                )
            return
        from salescience_pipeline.documents.table_output import to_record  # noqa: PLC0415

        _print([to_record(table) for table in found])


@app.command()
def classify(file: File, text: Text = False, form: Form = "", reducto: AsReducto = False) -> None:
    """What the file is: form, role, kind of exhibit, items; one entry per document of a submission."""
    with _one_sentence(file.name):
        from salescience_pipeline.documents.classify import classify_parts  # noqa: PLC0415

        document = _open(file, form)
        if reducto:
            from salescience_pipeline.documents.split_reducto import to_classification  # noqa: PLC0415

            _print(to_classification(document))
            return
        found = classify_parts(document)
        if text:
            _lines(f"{c.form:10} {c.role:8} {c.exhibit:8} {c.kind:36} {c.confidence:.2f}  {c.reason}" for c in found)
            return
        from dataclasses import asdict  # noqa: PLC0415

        _print([asdict(c) for c in found])


@app.command()
def extract(
    file: File,
    schema: Annotated[
        str, typer.Option("--schema", "-s", help="Name of a ready schema, or a file with a JSON Schema.")
    ],
    text: Text = False,
    reducto: AsReducto = False,
) -> None:
    """Values that a schema asks for, each with block, bytes and confidence."""
    with _one_sentence(file.name):
        from salescience_pipeline.documents.extract import extract as fill  # noqa: PLC0415
        from salescience_pipeline.documents.schema_check import read_schema  # noqa: PLC0415
        from salescience_pipeline.documents.schemas import SCHEMAS  # noqa: PLC0415

        asked = (
            schema if schema in SCHEMAS or not Path(schema).is_file() else read_schema(Path(schema).read_text("utf-8"))
        )
        document = _open(file)
        found = fill(document, asked)
        if reducto:
            from salescience_pipeline.documents.extract_reducto import to_reducto  # noqa: PLC0415

            _print(to_reducto(document, found))
            return
        if not text:
            _print(found.as_record())
            return
        for path, leaf in found.leaves():
            place = f"bytes {leaf.citations[0].start}-{leaf.citations[0].end}" if leaf.citations else ""
            sys.stdout.write(
                f"{path:44} {' '.join(str(leaf.value).split())[:80]:80} {leaf.method:9} {leaf.confidence:.2f} {place}\n"
            )


@app.command()
def entities(file: File, text: Text = False) -> None:
    """Companies, people, tickers, amounts, dates, and who is what to whom."""
    with _one_sentence(file.name):
        from dataclasses import asdict  # noqa: PLC0415

        from salescience_pipeline.documents.entities import read_entities  # noqa: PLC0415

        graph = read_entities(_open(file))
        if text:
            _lines(
                f"{e.kind:9} {e.canonical[:70]:70} {e.cik or '':10} {len(e.mentions)} mentions" for e in graph.entities
            )
            _lines(f"{r.subject.canonical} -{r.predicate}-> {r.object.canonical} ({r.detail})" for r in graph.relations)
            return
        _print(
            {
                "entities": [asdict(entity) for entity in graph.entities],
                "relations": [
                    {
                        "subject": relation.subject.canonical,
                        "predicate": relation.predicate,
                        "object": relation.object.canonical,
                        "detail": relation.detail,
                        "source": asdict(relation.source),
                        "confidence": relation.confidence,
                    }
                    for relation in graph.relations
                ],
            }
        )


@app.command()
def diff(old: File, new: File, text: Text = False) -> None:
    """What changed from OLD to NEW: sections, risk factors, restated facts."""
    with _one_sentence(f"{old.name}, {new.name}"):
        from salescience_pipeline.documents.compare import compare  # noqa: PLC0415

        found = compare(_open(old), _open(new))
        if not text:
            _print(found.as_record())
            return
        for section in found.sections:
            sys.stdout.write(
                f"{section.part:4} Item {section.item:5} {section.status:10} {section.similarity:.3f} "
                f"{section.old_length:>8} -> {section.new_length:<8} {len(section.changes)} changes\n"
            )
        _lines(f"risk {risk.kind:10} {risk.title[:120]}" for risk in found.risk_factors if risk.kind != "unchanged")
        _lines(f"restated {fact.concept} {fact.end} {fact.old} -> {fact.new}" for fact in found.restated)


@app.command()
def view(
    file: File,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Where to write; standard output if absent.")] = None,
) -> None:
    """One self-contained HTML page that shows blocks, items and facts as they were understood."""
    with _one_sentence(file.name):
        from salescience_pipeline.documents.view import to_page  # noqa: PLC0415

        page = to_page(_open(file))
        if out is None:
            sys.stdout.write(page)
        else:
            out.write_text(page, encoding="utf-8")


Index = Annotated[Path, typer.Option("--index", help="File of the search index.")]
_INDEX = Path("documents.sqlite")


@app.command()
def index(
    files: Annotated[list[Path], typer.Argument(help="Filings, or folders of them.")],
    index: Index = _INDEX,
    ticker: Annotated[str, typer.Option(help="Of the filer of all these files; otherwise the filing's own.")] = "",
    form: Form = "",
    filed: Annotated[str, typer.Option(help="Filing date, ISO.")] = "",
) -> None:
    """Make filings searchable; a file that is indexed again replaces what was there."""
    with _one_sentence(str(index)):
        from salescience_pipeline.documents.search import SearchIndex  # noqa: PLC0415

        with SearchIndex(index) as opened:
            chunks = sum(_add(opened, file, ticker, form, filed) for file in _files(files))
        sys.stdout.write(f"{chunks} chunks indexed in {index}.\n")


def _files(paths: list[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            yield from sorted(each for each in path.rglob("*") if each.is_file())
        else:
            yield path


def _add(opened: Any, file: Path, ticker: str, form: str, filed: str) -> int:
    """Index one file; one that cannot be read is named and the next one goes on."""
    from salescience_pipeline.documents.classify import classify  # noqa: PLC0415
    from salescience_pipeline.documents.errors import DocumentError  # noqa: PLC0415
    from salescience_pipeline.documents.search import Filed  # noqa: PLC0415

    try:
        document = _open(file, form)
        symbols = [fact.value for fact in document.facts if fact.concept == "dei:TradingSymbol"]
        submission = document.submission
        day = submission.first("FILED AS OF DATE") if submission is not None else ""
        known = Filed(
            str(file.resolve()),
            ticker or (symbols[0] if symbols else ""),
            classify(document).form,
            filed or (f"{day[:4]}-{day[4:6]}-{day[6:8]}" if len(day) == len("20260101") else ""),
        )
        return int(opened.add(document, known))
    except DocumentError as error:
        _say("Left out", f"{file.name}: {error} ({error.name})", typer.colors.YELLOW)
        return 0


@app.command()
def search(
    query: Annotated[str, typer.Argument(help="Words to look for.")],
    files: Annotated[
        list[Path] | None, typer.Argument(help="Filings or folders to search; without them the index is searched.")
    ] = None,
    index: Index = _INDEX,
    k: Annotated[int, typer.Option("-k", help="How many hits.")] = 10,
    mode: Annotated[str, typer.Option(help="hybrid, bm25 or vector.")] = "hybrid",
    ticker: Annotated[str | None, typer.Option(help="Only this filer.")] = None,
    form: Annotated[str | None, typer.Option(help="Only this form type.")] = None,
    item: Annotated[str | None, typer.Option(help="Only this item (1A, 5.02).")] = None,
    since: Annotated[str | None, typer.Option(help="Filed on this ISO date or later.")] = None,
    until: Annotated[str | None, typer.Option(help="Filed on this ISO date or earlier.")] = None,
    text: Text = False,
) -> None:
    """Passages that speak of something, with their place in the file."""
    with _one_sentence(str(index)):
        from dataclasses import asdict  # noqa: PLC0415

        from salescience_pipeline.documents.search import Filter, SearchError, SearchIndex  # noqa: PLC0415

        if not files and not index.is_file():
            raise SearchError(
                "There is no such index: name files to search, or make it with `salescience documents index`."
            )
        with SearchIndex(":memory:" if files else index) as opened:
            for file in _files(files or []):
                _add(opened, file, "", "", "")
            hits = opened.search(query, k=k, mode=mode, where=Filter(ticker, form, item, since, until))
        if not text:
            _print([asdict(hit) for hit in hits])
            return
        for hit in hits:
            where = " ".join(
                part for part in (hit.ticker, hit.form, f"Item {hit.item}" if hit.item else "", hit.filed) if part
            )
            sys.stdout.write(
                f"{hit.score:.4f}  {Path(hit.document).name}  {where}  bytes {hit.start}-{hit.end}\n    {hit.snippet}\n"
            )
