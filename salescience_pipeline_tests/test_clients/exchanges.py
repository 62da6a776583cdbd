"""Requests and answers that the transport's tests share."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from dataclasses import replace

from salescience_pipeline.clients import edgar_api, tiingo
from salescience_pipeline.clients.model import Subject
from salescience_pipeline.identifiers import Accession, Cik, FileName, Ticker
from salescience_pipeline_tests.test_clients.wire_server import Asked, Say

CIK = Cik("9900001")
ACCESSION = Accession("0009900001-26-000001")
FACTS = edgar_api.company_facts(CIK, Subject("ALDRN", ticker=Ticker("ALDRN"), cik=CIK))
FACTS_BODY = json.dumps({"cik": 9900001, "entityName": "Invented", "facts": {}}).encode()
PAGE = edgar_api.document(CIK, ACCESSION, FileName("a10k.htm"), Subject(ACCESSION, cik=CIK, accession=ACCESSION))
PAGE_BODY = b"<html><body>" + b"<p>Invented annual report.</p>" * 400 + b"</body></html>\n"
INDEX = edgar_api.daily_index(dt.date(2026, 11, 19))
INDEX_BODY = b"Description: invented\n \nForm Type   Company Name\n" + b"-" * 60 + b"\n10-K        Invented\n"
PRICES = tiingo.eod_range(Ticker("ALDRN"), dt.date(2026, 11, 2), dt.date(2026, 11, 20))


def always(say: Say) -> Callable[[Asked, int], Say]:
    return lambda _asked, _before: say


def first(*says: Say) -> Callable[[Asked, int], Say]:
    """Each path's first answers in order, the last one for ever."""
    return lambda _asked, before: says[min(before, len(says) - 1)]


def page(**changes: object) -> Say:
    return replace(Say(body=PAGE_BODY, media_type="text/html"), **changes)  # type: ignore[arg-type]
