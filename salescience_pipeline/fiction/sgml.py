"""How EDGAR wraps a filing: header, complete submission, folder listing, index pages; pure functions over a filing.

What does not belong here: which filings there are (``filings``) and the HTTP around them (``edgar``).
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from salescience_pipeline.fiction.companies import Company

if TYPE_CHECKING:
    from salescience_pipeline.fiction.report_model import Report


@dataclass(frozen=True, slots=True)
class Document:
    """One file of a filing."""

    filename: str
    type: str
    description: str
    content: bytes
    inline: bool = False
    """Whether it is inline XBRL."""


@dataclass(frozen=True, slots=True)
class Party:
    """Somebody named in the header: a filer, the issuer, a reporting owner."""

    role: str
    """``FILER``, ``ISSUER``, ``REPORTING-OWNER`` or ``SUBJECT COMPANY``."""
    cik: int
    name: str
    company: Company | None = None
    """The company's data, if the party is one."""
    address: Company | None = None
    """Whose address it gives."""


@dataclass(frozen=True)
class Filing:
    """One filing as EDGAR knows it; its documents are made by ``make`` when somebody asks."""

    accession: str
    form: str
    filed: dt.date
    accepted: dt.datetime
    """Aware, in New York time."""
    report: dt.date | None
    items: tuple[str, ...]
    act: str
    file_number: str
    film_number: str
    parties: tuple[Party, ...]
    is_xbrl: bool
    primary: str
    """Path of the main document as the submissions API gives it."""
    make: Callable[[], tuple[Document, ...]]
    written: Callable[[], Report] | None = None

    @property
    def folder(self) -> str:
        """The accession number without dashes."""
        return self.accession.replace("-", "")

    @property
    def description(self) -> str:
        """The main document's description."""
        return f"FORM {self.form}" if self.form in {"3", "4", "4/A"} else self.form


_ITEM_NAMES = {
    "1.01": "Entry into a Material Definitive Agreement",
    "2.02": "Results of Operations and Financial Condition",
    "5.02": "Departure of Directors or Certain Officers; Election of Directors; Appointment of Certain Officers: "
    "Compensatory Arrangements of Certain Officers",
    "7.01": "Regulation FD Disclosure",
    "8.01": "Other Events",
    "9.01": "Financial Statements and Exhibits",
}


def _item_name(item: str) -> str:
    return _ITEM_NAMES.get(item, item)


def header(filing: Filing, count: int) -> str:
    """The readable header of the complete submission, without its first line."""
    lines = [
        f"<ACCEPTANCE-DATETIME>{filing.accepted:%Y%m%d%H%M%S}",
        f"ACCESSION NUMBER:\t\t{filing.accession}",
        f"CONFORMED SUBMISSION TYPE:\t{filing.form}",
        f"PUBLIC DOCUMENT COUNT:\t\t{count}",
    ]
    if filing.report is not None:
        lines.append(f"CONFORMED PERIOD OF REPORT:\t{filing.report:%Y%m%d}")
    lines += [f"ITEM INFORMATION:\t\t{_item_name(item)}" for item in filing.items]
    lines += [f"FILED AS OF DATE:\t\t{filing.filed:%Y%m%d}", f"DATE AS OF CHANGE:\t\t{filing.filed:%Y%m%d}", ""]
    for party in filing.parties:
        lines += _party(filing, party)
    return "\n".join(lines)


def _party(filing: Filing, party: Party) -> list[str]:
    out = [f"{party.role}:\t" if party.role != "FILER" else "FILER:", ""]
    if party.company is None:
        out += ["\tOWNER DATA:\t", f"\t\tCOMPANY CONFORMED NAME:\t\t\t{party.name}"]
        out += [f"\t\tCENTRAL INDEX KEY:\t\t\t{party.cik:010d}", ""]
    else:
        company = party.company
        out += [
            "\tCOMPANY DATA:\t",
            f"\t\tCOMPANY CONFORMED NAME:\t\t\t{company.name}",
            f"\t\tCENTRAL INDEX KEY:\t\t\t{company.cik:010d}",
            f"\t\tSTANDARD INDUSTRIAL CLASSIFICATION:\t{company.sic_description.upper()} [{company.sic}]",
            f"\t\tEIN:\t\t\t\t{company.ein}",
            f"\t\tSTATE OF INCORPORATION:\t\t\t{company.state}",
            f"\t\tFISCAL YEAR END:\t\t\t{company.fiscal_year_end}",
            "",
        ]
    if party.role != "ISSUER":
        out += [
            "\tFILING VALUES:",
            f"\t\tFORM TYPE:\t\t{filing.form}",
            f"\t\tSEC ACT:\t\t{'1933' if filing.act == '33' else '1934'} Act",
            f"\t\tSEC FILE NUMBER:\t{filing.file_number}",
            f"\t\tFILM NUMBER:\t\t{filing.film_number}",
            "",
        ]
    where = party.address
    if where is not None:
        kinds = ("BUSINESS ADDRESS", "MAIL ADDRESS") if party.company is not None else ("MAIL ADDRESS",)
        for kind in kinds:
            out += [
                f"\t{kind}:\t",
                f"\t\tSTREET 1:\t\t{where.address.upper()}",
                f"\t\tCITY:\t\t\t{where.city.upper()}",
                f"\t\tSTATE:\t\t\t{where.state}",
                f"\t\tZIP:\t\t\t{where.postal_code}",
            ]
            if kind.startswith("BUSINESS"):
                out.append(f"\t\tBUSINESS PHONE:\t\t{where.phone}")
            out.append("")
    if party.company is not None:
        for former in party.company.former_names:
            out += [
                "\tFORMER COMPANY:\t",
                f"\t\tFORMER CONFORMED NAME:\t{former.name}",
                f"\t\tDATE OF NAME CHANGE:\t{former.last:%Y%m%d}",
                "",
            ]
    return out


def submission(filing: Filing, documents: Sequence[Document]) -> bytes:
    """The complete submission text file."""
    day = f"{filing.filed:%Y%m%d}"
    parts: list[bytes] = [
        f"<SEC-DOCUMENT>{filing.accession}.txt : {day}\n<SEC-HEADER>{filing.accession}.hdr.sgml : {day}\n"
        f"{header(filing, len(documents))}</SEC-HEADER>\n".encode("latin-1", "replace")
    ]
    for number, document in enumerate(documents, 1):
        wrap = "XBRL" if document.inline or document.filename.endswith(".xsd") else "XML"
        plain = not (document.inline or document.filename.endswith((".xml", ".xsd")))
        parts.append(
            f"<DOCUMENT>\n<TYPE>{document.type}\n<SEQUENCE>{number}\n<FILENAME>{document.filename}\n"
            f"<DESCRIPTION>{document.description}\n<TEXT>\n".encode("latin-1", "replace")
        )
        content = document.content if document.content.endswith(b"\n") else document.content + b"\n"
        if plain:
            parts.append(content)
        else:
            parts += [f"<{wrap}>\n".encode(), content, f"</{wrap}>\n".encode()]
        parts.append(b"</TEXT>\n</DOCUMENT>\n")
    parts.append(b"</SEC-DOCUMENT>\n")
    return b"".join(parts)


def tagged_header(filing: Filing, count: int) -> str:
    """The header in tags, as ``.hdr.sgml`` has it."""
    day = f"{filing.filed:%Y%m%d}"
    lines = [
        f"<SEC-HEADER>{filing.accession}.hdr.sgml : {day}",
        f"<ACCEPTANCE-DATETIME>{filing.accepted:%Y%m%d%H%M%S}",
        f"<ACCESSION-NUMBER>{filing.accession}",
        f"<TYPE>{filing.form}",
        f"<PUBLIC-DOCUMENT-COUNT>{count}",
    ]
    if filing.report is not None:
        lines.append(f"<PERIOD>{filing.report:%Y%m%d}")
    lines += [f"<ITEMS>{item}" for item in filing.items]
    lines += [f"<FILING-DATE>{day}", f"<DATE-OF-FILING-DATE-CHANGE>{day}"]
    for party in filing.parties:
        tag = party.role.replace(" ", "-")
        data = "OWNER-DATA" if party.company is None else "COMPANY-DATA"
        lines += [f"<{tag}>", f"<{data}>", f"<CONFORMED-NAME>{party.name}", f"<CIK>{party.cik:010d}"]
        if party.company is not None:
            lines += [
                f"<ASSIGNED-SIC>{party.company.sic}",
                f"<IRS-NUMBER>{party.company.ein}",
                f"<STATE-OF-INCORPORATION>{party.company.state}",
                f"<FISCAL-YEAR-END>{party.company.fiscal_year_end}",
            ]
        lines.append(f"</{data}>")
        if party.role != "ISSUER":
            lines += [
                "<FILING-VALUES>",
                f"<FORM-TYPE>{filing.form}",
                f"<ACT>{filing.act or '34'}",
                f"<FILE-NUMBER>{filing.file_number}",
                f"<FILM-NUMBER>{filing.film_number}",
                "</FILING-VALUES>",
            ]
        if party.address is not None:
            lines += [
                "<MAIL-ADDRESS>",
                f"<STREET1>{party.address.address.upper()}",
                f"<CITY>{party.address.city.upper()}",
                f"<STATE>{party.address.state}",
                f"<ZIP>{party.address.postal_code}",
                "</MAIL-ADDRESS>",
            ]
        lines.append(f"</{tag}>")
    lines.append("</SEC-HEADER>")
    return "\n".join(lines)


def index_headers(filing: Filing, documents: Sequence[Document]) -> str:
    """The page ``-index-headers.html``: both headers, and the documents as links."""
    rows = [
        f"&lt;DOCUMENT&gt;\n&lt;TYPE&gt;{escape(document.type)}\n&lt;SEQUENCE&gt;{number}\n"
        f"&lt;FILENAME&gt;{document.filename}\n&lt;DESCRIPTION&gt;{escape(document.description)}\n&lt;TEXT&gt;\n"
        f'<a href="{document.filename}">Document {number} - file: {document.filename}</a><br>\n&lt;/DOCUMENT&gt;\n'
        for number, document in enumerate(documents, 1)
    ]
    day = f"{filing.filed:%Y%m%d}"
    return (
        f"<HTML><HEAD><TITLE>SEC EDGAR Submission {filing.accession}</TITLE>\n<!--\n"
        f"{tagged_header(filing, len(documents))}\n-->\n</HEAD><BODY>\n"
        f"<PRE>&lt;SEC-DOCUMENT&gt;{filing.accession}-index.html : {day}\n"
        f"&lt;SEC-HEADER&gt;{filing.accession}.hdr.sgml : {day}\n"
        f"{escape(header(filing, len(documents)), quote=False)}&lt;/SEC-HEADER&gt;\n"
        f"{''.join(rows)}&lt;/SEC-DOCUMENT&gt;</PRE></BODY></HTML>\n"
    )


def folder_json(filing: Filing, documents: Sequence[Document], cik: int) -> bytes:
    """The folder's ``index.json``."""
    stamp = f"{filing.accepted:%Y-%m-%d %H:%M:%S}"
    items = [
        {"last-modified": stamp, "name": f"{filing.accession}{suffix}", "type": "text.gif", "size": ""}
        for suffix in ("-index-headers.html", "-index.html", ".txt")
    ]
    items += [
        {"last-modified": stamp, "name": d.filename, "type": "text.gif", "size": str(len(d.content))} for d in documents
    ]
    name = f"/Archives/edgar/data/{cik}/{filing.folder}"
    listing = {"directory": {"item": items, "name": name, "parent-dir": f"/Archives/edgar/data/{cik}"}}
    return json.dumps(listing, indent=2).encode()


def index_page(filing: Filing, documents: Sequence[Document], cik: int, size: int) -> str:
    """The page ``-index.html`` (also ``-index.htm``) that people see."""
    base = f"/Archives/edgar/data/{cik}/{filing.folder}"
    shown: list[str] = []
    data: list[str] = []
    for number, document in enumerate(documents, 1):
        raw = f"{base}/{document.filename}"
        viewer = f"/ix?doc={raw}" if document.inline else raw
        mark = ' &nbsp;&nbsp;<span style="color: green">iXBRL</span>' if document.inline else ""
        if document.filename.endswith(".xml") and document.type in {"3", "4", "4/A"}:
            # The rendering comes first and its name ends in .html, though it is served under the XML's name.
            html = document.filename.removesuffix(".xml") + ".html"
            styled = f"{base}/{filing.primary}"
            shown.append(_row(number, document.description, styled, html, document.type, "", ""))
        row = _row(number, document.description, viewer, document.filename, document.type, len(document.content), mark)
        (data if document.type.startswith(("EX-101", "XML")) else shown).append(row)
    shown.append(_row("&nbsp;", "Complete submission text file", f"{base}/{filing.accession}.txt",
                      f"{filing.accession}.txt", "&nbsp;", size, ""))  # fmt: skip
    items = "<br />".join(f"Item {item}: {_item_name(item)}" for item in filing.items)
    group = '      <div class="formGrouping">\n         <div class="infoHead">{}</div>\n         <div class="info">{}</div>\n'
    period = group.format("Period of Report", filing.report) + "      </div>\n" if filing.report else ""
    listed = group.format("Items", items) + "      </div>\n" if items else ""
    return (
        '<!DOCTYPE HTML PUBLIC "-//W3C//DTD HTML 4.01 Transitional//EN" "http://www.w3.org/TR/html4/loose.dtd">\n'
        '<html xmlns="http://www.w3.org/1999/xhtml">\n<head>\n'
        '<meta http-equiv="Content-Type" content="text/html; charset=utf-8" />\n'
        f"<title>EDGAR Filing Documents for {filing.accession}</title>\n</head>\n<body>\n"
        '<div id="contentDiv">\n<div class="formDiv">\n   <div id="formHeader">\n      <div id="formName">\n'
        f"         <strong>Form {escape(filing.form)}</strong> - fictional filing of the sandbox:\n      </div>\n"
        f'      <div id="secNum"><strong>SEC Accession No.</strong> {filing.accession}\n      </div>\n   </div>\n'
        '   <div class="formContent">\n'
        f"{group.format('Filing Date', filing.filed)}"
        '         <div class="infoHead">Accepted</div>\n'
        f'         <div class="info">{filing.accepted:%Y-%m-%d %H:%M:%S}</div>\n'
        '         <div class="infoHead">Documents</div>\n'
        f'         <div class="info">{len(documents)}</div>\n      </div>\n{period}{listed}   </div>\n</div>\n'
        f"{_file_table('Document Format Files', shown)}{_file_table('Data Files', data) if data else ''}"
        f"{''.join(_filer(filing, party) for party in filing.parties)}</div>\n</body>\n</html>\n"
    )


def _row(number: object, description: str, href: str, name: str, kind: str, size: object, mark: str) -> str:
    cells = (str(number), escape(description), f'<a href="{href}">{name}</a>{mark}', kind, str(size) or "&nbsp;")
    inner = "".join(f'            <td scope="row">{cell}</td>\n' for cell in cells)
    return f"         <tr>\n{inner}         </tr>\n"


def _file_table(title: str, rows: Sequence[str]) -> str:
    heads = ("Seq", "Description", "Document", "Type", "Size")
    inner = "".join(f'            <th scope="col">{name}</th>\n' for name in heads)
    return (
        f'<div class="formDiv">\n   <div>\n      <p>{title}</p>\n      <table class="tableFile" summary="{title}">\n'
        f"         <tr>\n{inner}         </tr>\n{''.join(rows)}      </table>\n   </div>\n</div>\n"
    )


def _filer(filing: Filing, party: Party) -> str:
    role = {"REPORTING-OWNER": "Reporting", "ISSUER": "Issuer", "SUBJECT COMPANY": "Subject"}.get(party.role, "Filer")
    details = ""
    if party.company is not None:
        details = (
            f"EIN.: <strong>{party.company.ein}</strong> | State of Incorp.: <strong>{party.company.state}</strong> | "
            f"Fiscal Year End: <strong>{party.company.fiscal_year_end}</strong><br />"
        )
    return (
        '<div class="filerDiv">\n<div class="companyInfo">\n'
        f'  <span class="companyName">{escape(party.name)} ({role})\n <acronym title="Central Index Key">CIK</acronym>: '
        f'<a href="/cgi-bin/browse-edgar?CIK={party.cik:010d}&amp;action=getcompany">{party.cik:010d} '
        f'(see all company filings)</a></span>\n<p class="identInfo">{details}Type: <strong>{escape(filing.form)}</strong>'
        f" | Act: <strong>{filing.act or '34'}</strong> | File No.: <strong>{filing.file_number}</strong> | Film No.: "
        f"<strong>{filing.film_number}</strong></p>\n</div>\n</div>\n"
    )


def styled_ownership(filing: Filing, document: Document) -> bytes:
    """What the path with the style sheet's folder serves: a page for people made from the XML of the form."""
    return (
        f"<!DOCTYPE html>\n<html>\n<head>\n<title>SEC FORM {escape(filing.form)}</title>\n</head>\n<body>\n"
        f"<h1>FORM {escape(filing.form)}</h1>\n<p>Fictional filing of the sandbox; the data are in {document.filename}.</p>\n"
        f"<pre>{escape(document.content.decode('ascii', 'replace'))}</pre>\n</body>\n</html>\n"
    ).encode()
