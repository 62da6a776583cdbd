"""Answers to tidy: small look-alikes made by us, recorded ones from the folder that SALESCIENCE_CORPUS names.

Every test that reads "all samples" runs on the look-alikes alone where no recordings are there; the sample's name, which
stands in the test's id, says which it is.
"""

from __future__ import annotations

import datetime as dt
import gzip
import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from salescience_pipeline.catalog.tables import TABLES
from salescience_pipeline.clients.model import Answer, AnswerClass, Body, PlannedRequest, RawRef, Subject
from salescience_pipeline.clients.plan import Known, Selection
from salescience_pipeline.identifiers import Accession, Cik, RequestId, Ticker
from salescience_pipeline.tidy.model import Tidied, TidyContext

FETCHED = dt.datetime(2026, 11, 20, 23, 30, tzinfo=dt.UTC)
LAST_SESSION = dt.date(2026, 11, 20)
CIK = Cik("9000001")
TICKER = Ticker("WDGT")
REQUEST_ID = RequestId("11111111-2222-3333-4444-555555555555")

_HOSTS = {"sec": "www", "yahoo": "query2", "tiingo": "api", "finnhub": "api", "polygon": "api", "alphavantage": "api"}


class Sample(NamedTuple):
    """One answer's body, with a name that says whether it was recorded."""

    name: str
    body: bytes


def corpus() -> Path | None:
    """The folder of recorded answers, if there is one."""
    folder = os.environ.get("SALESCIENCE_CORPUS")
    return Path(folder) if folder else None


def recorded(*patterns: str) -> list[Sample]:
    """Recorded bodies whose path below the corpus matches; header files beside them are no bodies."""
    folder = corpus()
    if folder is None:
        return []
    paths = sorted({path for pattern in patterns for path in folder.glob(pattern) if ".headers." not in path.name})
    return [Sample(f"recorded {path.name}", _bytes(path)) for path in paths]


def _bytes(path: Path) -> bytes:
    data = path.read_bytes()
    return gzip.decompress(data) if path.suffix == ".gz" else data


def answer(
    body: bytes | str | object,
    provider: str = "sec",
    *,
    path: str = "/x",
    endpoint: str = "e",
    key: str = "WDGT",
    ticker: str | None = None,
    cik: str | None = None,
    accession: str | None = None,
    details: Mapping[str, str] | None = None,
    last_date: dt.date | None = None,
    fetched_at: dt.datetime = FETCHED,
    answer_class: AnswerClass = AnswerClass.OK,
    archive_path: str | None = None,
    max_bytes: int = 64_000_000,
) -> Answer:
    """An answer with that body (bytes, text, or something to be written as JSON) about that subject."""
    if not isinstance(body, bytes):
        body = (body if isinstance(body, str) else json.dumps(body)).encode()
    subject = Subject(
        key,
        ticker=Ticker(ticker) if ticker else None,
        cik=Cik(cik) if cik else None,
        accession=Accession(accession) if accession else None,
        details=details or {},
    )
    request = PlannedRequest(
        provider, endpoint, _HOSTS[provider], path, subject, last_date=last_date, max_bytes=max_bytes
    )
    content = Body(body)
    ref = RawRef(content.sha256, content.size, archive_path)
    return Answer(request, answer_class, fetched_at, REQUEST_ID, ref, content, 200)


def context(
    tickers: Sequence[str] = (),
    ciks: Mapping[str, str] | None = None,
    stored: Mapping[str, pa.Table] | None = None,
    last_session: dt.date = LAST_SESSION,
) -> TidyContext:
    """What a run knows; ``organization_id`` is set so that provenance can be told from its absence."""
    known = Known(
        now=FETCHED,
        today=FETCHED.date(),
        last_session=last_session,
        ciks={Ticker(ticker): Cik(cik) for ticker, cik in (ciks or {}).items()},
    )
    selection = Selection("any", tuple(Ticker(ticker) for ticker in tickers))
    return TidyContext("run-1", selection, known, organization_id="acme", stored=stored or {})


def rows_of(tidied: Tidied, table: str, answers: Sequence[Answer] | None = None) -> list[dict[str, Any]]:
    """The rows of ``table``, after everything that must hold for any rows was checked."""
    for name, content in tidied.tables.items():
        check(name, content, answers)
    rows: list[dict[str, Any]] = tidied.tables[table].to_pylist()
    return rows


def check(name: str, content: pa.Table, answers: Sequence[Answer] | None = None) -> None:
    """Schema, nulls, key and provenance of a table that a tidy function made."""
    table = TABLES[name]
    content.validate(full=True)
    assert content.schema.equals(table.schema, check_metadata=True)
    for field in content.schema:
        assert field.nullable or content[field.name].null_count == 0, field.name
    keys = Counter(zip(*(content[column].to_pylist() for column in table.key), strict=True))
    assert not [key for key, count in keys.items() if count > 1]
    if answers is not None:
        digests = {a.ref.sha256: (a.request.provider, a.fetched_at) for a in answers}
        for row in content.select(["source", "fetched_at", "raw_sha256", "run_id", "organization_id"]).to_pylist():
            assert digests[row["raw_sha256"]] == (row["source"], row["fetched_at"])
            assert (row["run_id"], row["organization_id"]) == ("run-1", "acme")


def left(tidied: Tidied) -> int:
    """How many records were left out; each entry must say what and why."""
    assert all(entry.count > 0 and entry.what and entry.reason and len(entry.reason) < 300 for entry in tidied.left_out)
    return sum(entry.count for entry in tidied.left_out)


# -- Look-alikes ------------------------------------------------------------------------------------------------------
def tiingo_row(day: str, price: float, /, **other: Any) -> dict[str, Any]:
    """One row as Tiingo writes it, all prices ``price`` unless said otherwise."""
    row: dict[str, Any] = {
        "date": f"{day}T00:00:00.000Z",
        "close": price,
        "high": price,
        "low": price,
        "open": price,
        "volume": 1000,
        "adjClose": price,
        "adjHigh": price,
        "adjLow": price,
        "adjOpen": price,
        "adjVolume": 1000,
        "divCash": 0.0,
        "splitFactor": 1.0,
    }
    return row | other


def chart(
    stamps: Sequence[int] | None,
    closes: Sequence[float | None],
    *,
    adjcloses: Sequence[float | None] | None = None,
    volumes: Sequence[int | None] | None = None,
    events: Mapping[str, Any] | None = None,
    meta: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """A daily chart answer of WDGT; open, high and low lie around the closes."""
    result: dict[str, Any] = {
        "meta": {
            "currency": "USD",
            "symbol": "WDGT",
            "exchangeTimezoneName": "America/New_York",
            "gmtoffset": -18000,
            "regularMarketTime": 1795208400,  # 2026-11-20 16:00 in New York
            "dataGranularity": "1d",
            "range": "",
            "currentTradingPeriod": {"regular": {"start": 1795185000, "end": 1795208400, "gmtoffset": -18000}},
        }
        | dict(meta or {}),
        "indicators": {"quote": [{}]},
    }
    if stamps is not None:
        result["timestamp"] = list(stamps)
        shifted = {"open": -0.5, "high": 1.0, "low": -1.0, "close": 0.0}
        quote: dict[str, Any] = {
            name: [None if close is None else close + shift for close in closes] for name, shift in shifted.items()
        }
        quote["volume"] = list(volumes) if volumes is not None else [1000 + index for index in range(len(closes))]
        result["indicators"]["quote"] = [quote]
        if adjcloses is not None:
            result["indicators"]["adjclose"] = [{"adjclose": list(adjcloses)}]
    if events is not None:
        result["events"] = dict(events)
    return {"chart": {"result": [result], "error": None}}


def session_open(date: str) -> int:
    """Unix time of 09:30 in New York on that day."""
    from zoneinfo import ZoneInfo

    moment = dt.datetime.combine(dt.date.fromisoformat(date), dt.time(9, 30), ZoneInfo("America/New_York"))
    return int(moment.timestamp())


def submission_columns(*filings: Mapping[str, Any]) -> dict[str, list[Any]]:
    """The parallel arrays of a submissions page; what a filing does not say has a plain value."""
    plain = {
        "accessionNumber": "0009000001-26-000001",
        "filingDate": "2026-02-03",
        "reportDate": "2025-12-31",
        "acceptanceDateTime": "2026-02-03T21:30:05.000Z",
        "act": "34",
        "form": "10-K",
        "fileNumber": "001-99999",
        "filmNumber": "26000001",
        "items": "",
        "core_type": "10-K",
        "size": 123456,
        "isXBRL": 1,
        "isInlineXBRL": 1,
        "primaryDocument": "wdgt-20251231.htm",
        "primaryDocDescription": "10-K",
    }
    return {name: [filing.get(name, value) for filing in filings] for name, value in plain.items()}


def submissions(*filings: Mapping[str, Any], **company: Any) -> dict[str, Any]:
    """A submissions page of WDGT."""
    return {
        "cik": "0009000001",
        "entityType": "operating",
        "sic": "3490",
        "sicDescription": "Miscellaneous Fabricated Metal Products",
        "name": "Example Widgets Inc.",
        "tickers": ["WDGT", "WDGT-B", "WDGT-PA"],
        "exchanges": ["NYSE", "NYSE", None],
        "ein": "000000001",
        "category": "Non-accelerated filer<br>Smaller reporting company",
        "fiscalYearEnd": "1231",
        "stateOfIncorporation": "DE",
        "formerNames": [
            {"name": "WIDGETS LTD", "from": "1999-01-01T00:00:00.000Z", "to": "2005-01-01T00:00:00.000Z"},
            {"name": "EXAMPLE CORP", "from": "2005-01-02T00:00:00.000Z", "to": "2019-01-01T00:00:00.000Z"},
        ],
        "filings": {"recent": submission_columns(*filings), "files": []},
    } | company


def fact(end: str, val: Any, **other: Any) -> dict[str, Any]:
    """One entry of a company facts file."""
    plain = {
        "end": end,
        "val": val,
        "accn": "0009000001-26-000001",
        "fy": 2025,
        "fp": "FY",
        "form": "10-K",
        "filed": "2026-02-03",
    }
    return plain | other


def company_facts(**units: Sequence[Any]) -> dict[str, Any]:
    """Company facts of WDGT: one concept per keyword, in US dollars."""
    concepts = {
        name: {"label": name, "description": "", "units": {"USD": list(facts)}} for name, facts in units.items()
    }
    return {"cik": 9000001, "entityName": "Example Widgets Inc.", "facts": {"us-gaap": concepts}}


OWNER = """<reportingOwner><reportingOwnerId><rptOwnerCik>{cik}</rptOwnerCik><rptOwnerName>{name}</rptOwnerName>
</reportingOwnerId><reportingOwnerRelationship>{flags}</reportingOwnerRelationship></reportingOwner>"""

BUY = """<nonDerivativeTransaction><securityTitle><value>Common Stock</value><footnoteId id="F1"/></securityTitle>
<transactionDate><value>2026-03-02</value></transactionDate>
<transactionCoding><transactionFormType>4</transactionFormType><transactionCode>P</transactionCode></transactionCoding>
<transactionAmounts><transactionShares><value>100.5</value></transactionShares>
<transactionPricePerShare><footnoteId id="F2"/></transactionPricePerShare>
<transactionAcquiredDisposedCode><value>A</value></transactionAcquiredDisposedCode></transactionAmounts>
<postTransactionAmounts><sharesOwnedFollowingTransaction><value>1100.5</value></sharesOwnedFollowingTransaction>
</postTransactionAmounts>
<ownershipNature><directOrIndirectOwnership><value>D</value></directOrIndirectOwnership></ownershipNature>
</nonDerivativeTransaction>"""

HOLDING = """<nonDerivativeHolding><securityTitle><value>Common Stock</value></securityTitle>
<postTransactionAmounts><sharesOwnedFollowingTransaction><value>7</value></sharesOwnedFollowingTransaction>
</postTransactionAmounts>
<ownershipNature><directOrIndirectOwnership><value>I</value></directOrIndirectOwnership></ownershipNature>
</nonDerivativeHolding>"""

OPTION = """<derivativeTransaction><securityTitle><value>Option</value></securityTitle>
<conversionOrExercisePrice><value>12.25</value></conversionOrExercisePrice>
<transactionDate><value>2026-03-02-05:00</value></transactionDate>
<transactionCoding><transactionCode>A</transactionCode></transactionCoding>
<transactionAmounts><transactionShares><value>40</value></transactionShares>
<transactionPricePerShare><value>0</value></transactionPricePerShare>
<transactionAcquiredDisposedCode><value>A</value></transactionAcquiredDisposedCode></transactionAmounts>
<exerciseDate><footnoteId id="F1"/></exerciseDate><expirationDate><value>2036-03-02</value></expirationDate>
<underlyingSecurity><underlyingSecurityTitle><value>Common Stock</value></underlyingSecurityTitle>
<underlyingSecurityShares><value>40</value></underlyingSecurityShares></underlyingSecurity>
<postTransactionAmounts><sharesOwnedFollowingTransaction><value>40</value></sharesOwnedFollowingTransaction>
</postTransactionAmounts>
<ownershipNature><directOrIndirectOwnership><value>D</value></directOrIndirectOwnership></ownershipNature>
</derivativeTransaction>"""

FOOTNOTES = """<footnotes><footnote id="F1">Held
 in trust.</footnote><footnote id="F2">Average &amp; rounded.</footnote></footnotes>"""

ONE_OWNER = OWNER.format(
    cik="0009000002", name="Doe Jane", flags="<isDirector>1</isDirector><isOfficer>false</isOfficer>"
)


def ownership(
    common: str = BUY + HOLDING,
    derivative: str = OPTION,
    owners: str = ONE_OWNER,
    document_type: str = "4",
    symbol: str = "WDGT",
) -> str:
    """A Form 4 of WDGT."""
    return f"""<?xml version="1.0"?>
<!-- made by hand -->
<ownershipDocument><schemaVersion>X0508</schemaVersion><documentType>{document_type}</documentType>
<periodOfReport>2026-03-02</periodOfReport>
<issuer><issuerCik>0009000001</issuerCik><issuerName>Example Widgets Inc.</issuerName>
<issuerTradingSymbol>{symbol}</issuerTradingSymbol></issuer>
{owners}<nonDerivativeTable>{common}</nonDerivativeTable><derivativeTable>{derivative}</derivativeTable>
{FOOTNOTES}</ownershipDocument>"""


def full_submission(xml: str, accession: str = "0009000009-26-000007") -> str:
    """The complete SGML submission around a Form 4."""
    return f"""<SEC-DOCUMENT>{accession}.txt : 20260303
<SEC-HEADER>{accession}.hdr.sgml : 20260303
<ACCEPTANCE-DATETIME>20260303183057
ACCESSION NUMBER:		{accession}
CONFORMED SUBMISSION TYPE:	4
FILED AS OF DATE:		20260303
</SEC-HEADER>
<DOCUMENT>
<TYPE>4
<SEQUENCE>1
<FILENAME>form4.xml
<TEXT>
<XML>
{xml}
</XML>
</TEXT>
</DOCUMENT>
<DOCUMENT>
<TYPE>EX-24
<SEQUENCE>2
<FILENAME>poa.htm
<TEXT><HTML><BODY>Power of attorney</BODY></HTML></TEXT>
</DOCUMENT>
</SEC-DOCUMENT>
"""


INDEX_HEAD = """Description:           Daily Index of EDGAR Dissemination Feed by Form Type
Last Data Received:    Nov 20, 2026

Form Type   Company Name                                CIK         Date Filed  File Name
----------------------------------------------------------------------------------------------------
"""

FORM_INDEX = INDEX_HEAD + (
    "10-K/A      EXAMPLE WIDGETS INC                         9000001     20261120    "
    "edgar/data/9000001/0009000009-26-000031.txt  \n"
    "4           DOE JANE                                    9000002     20261120    "
    "edgar/data/9000002/0009000009-26-000032.txt\n"
    "4           EXAMPLE WIDGETS INC                         9000001     20261120    "
    "edgar/data/9000001/0009000009-26-000032.txt\n"
    "8-K         A COMPANY WITH A NAME MUCH LONGER THAN ITS COLUMN 9000003     2026-11-20  "
    "edgar/data/9000003/0009000003-26-000001.txt\n"
)
