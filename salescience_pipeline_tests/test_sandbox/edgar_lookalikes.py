"""EDGAR's answers in shape, with invented values, for machines without the recorded ones."""

from __future__ import annotations

from typing import Any

_ADDRESS: dict[str, Any] = {
    "street1": "X", "street2": None, "city": "X", "stateOrCountry": "CA", "zipCode": "0", "stateOrCountryDescription": "CA",
    "isForeignLocation": 0, "foreignStateTerritory": None, "country": None, "countryCode": None,
}  # fmt: skip
SUBMISSIONS: dict[str, Any] = {
    "cik": "0000000001", "entityType": "operating", "sic": "1", "sicDescription": "X", "ownerOrg": "X",
    "insiderTransactionForOwnerExists": 0, "insiderTransactionForIssuerExists": 1, "name": "X", "tickers": ["X"],
    "exchanges": ["X"], "ein": "1", "lei": None, "description": "", "website": "", "investorWebsite": "", "category": "",
    "fiscalYearEnd": "1231", "stateOfIncorporation": "CA", "stateOfIncorporationDescription": "CA",
    "addresses": {"mailing": _ADDRESS, "business": _ADDRESS}, "phone": "1", "flags": "",
    "formerNames": [{"name": "X", "from": "", "to": ""}],
    "filings": {
        "recent": {
            "accessionNumber": ["1"], "filingDate": [""], "reportDate": [""], "acceptanceDateTime": [""], "act": [""],
            "form": [""], "fileNumber": [""], "filmNumber": [""], "items": [""], "core_type": [""], "size": [1],
            "isXBRL": [0], "isInlineXBRL": [0], "primaryDocument": [""], "primaryDocDescription": [""],
        },
        "files": [{"name": "", "filingCount": 1, "filingFrom": "", "filingTo": ""}],
    },
}  # fmt: skip
_FACT = {"start": "", "end": "", "val": 1, "accn": "", "fy": 2020, "fp": "FY", "form": "10-K", "filed": "", "frame": ""}
COMPANY_FACTS: dict[str, Any] = {
    "cik": 1,
    "entityName": "X",
    "facts": {"dei": {}, "us-gaap": {"NetIncomeLoss": {"label": "", "description": "", "units": {"USD": [_FACT]}}}},
}
FRAME: dict[str, Any] = dict.fromkeys(("taxonomy", "tag", "ccp", "uom", "label", "description"), "") | {
    "pts": 1,
    "data": [{"accn": "", "cik": 1, "entityName": "", "loc": None, "end": "", "val": 1}],
}
TICKERS: dict[str, Any] = {"0": {"cik_str": 1, "ticker": "X", "title": "X"}}
TICKERS_EXCHANGE: dict[str, Any] = {"fields": ["cik", "name", "ticker", "exchange"], "data": [[1, "X", "X", "X"]]}
FOLDER: dict[str, Any] = {
    "directory": {"item": [{"last-modified": "", "name": "", "type": "", "size": ""}], "name": "", "parent-dir": ""}
}
_BUCKETS: dict[str, Any] = {
    "doc_count_error_upper_bound": 0,
    "sum_other_doc_count": 0,
    "buckets": [{"key": "X", "doc_count": 1}],
}
SEARCH: dict[str, Any] = {
    "took": 1,
    "timed_out": False,
    "_shards": {"total": 1, "successful": 1, "skipped": 0, "failed": 0},
    "hits": {
        "total": {"value": 1, "relation": "eq"},
        "max_score": 1.0,
        "hits": [
            {
                "_index": "edgar_file",
                "_id": "a:b",
                "_score": 1.0,
                "_source": {
                    "ciks": ["1"], "period_ending": "", "file_num": ["1"], "display_names": ["X"], "xsl": None,
                    "sequence": 1, "root_forms": ["X"], "file_date": "", "biz_states": ["X"], "sics": ["1"], "form": "X",
                    "adsh": "a", "film_num": ["1"], "biz_locations": ["X"], "file_type": "X", "file_description": "X",
                    "inc_states": ["X"], "items": [],
                },
            }
        ],
    },
    "aggregations": dict.fromkeys(("entity_filter", "sic_filter", "biz_states_filter", "form_filter"), _BUCKETS),
    "query": {},
}  # fmt: skip
ERRORS: dict[str, str] = {
    "corpus/errors/404_submissions.xml": "<Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message>"
    "<Key>submissions/CIK-000000001.json</Key><RequestId>1</RequestId><HostId>1</HostId></Error>",
    "corpus/errors/403_fullindex_future.xml": "<Error><Code>AccessDenied</Code><Message>Access Denied</Message>"
    "<RequestId>1</RequestId><HostId>1</HostId></Error>",
    "corpus/errors/403_undeclared_automated_tool.html": "<html><head><title>SEC.gov | Your Request Originates from an "
    "Undeclared Automated Tool</title></head></html>",
}
