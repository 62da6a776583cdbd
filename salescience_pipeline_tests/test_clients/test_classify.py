"""What answers mean: recorded error bodies where they are at hand, our own look-alikes always."""

from __future__ import annotations

import datetime as dt
import json
import os
from pathlib import Path

import pytest

from salescience_pipeline.clients import edgar_api, tiingo, yahoo
from salescience_pipeline.clients.classify import retry_after
from salescience_pipeline.clients.model import AnswerClass, PlannedRequest, Subject
from salescience_pipeline.identifiers import Accession, Cik, FileName, Ticker
from salescience_pipeline_tests.test_clients.judging import HTML, NOW, TEXT, XML, judge

CIK, TICKER = Cik("9900001"), Ticker("ALDRN")
ACCESSION = Accession("0009900001-26-000001")
SUBJECT = Subject("ALDRN", ticker=TICKER, cik=CIK)
FILED = Subject(ACCESSION, cik=CIK, accession=ACCESSION)

SUBMISSIONS = edgar_api.submissions(CIK, SUBJECT, None, None)
FACTS = edgar_api.company_facts(CIK, SUBJECT)
PAGE = edgar_api.document(CIK, ACCESSION, FileName("a10k.htm"), FILED)
FORM4 = edgar_api.document(CIK, ACCESSION, FileName("form4.xml"), FILED)
FULL = edgar_api.full_submission(CIK, ACCESSION)
LIST = edgar_api.company_tickers()
ATOM = edgar_api.current_filings()
EOD = tiingo.eod_range(TICKER, dt.date(2026, 11, 2), dt.date(2026, 11, 20))
BULK = tiingo.eod_bulk(dt.date(2026, 11, 20))
META = tiingo.meta(TICKER)
ZIP = tiingo.supported_tickers()
CHART = yahoo.chart(TICKER, dt.date(2026, 11, 2), dt.date(2026, 11, 20))
PROFILE = yahoo.profile(TICKER)
COOKIE = PlannedRequest("yahoo", "cookie", "cookie", "/", Subject("*"), expect="any")
CRUMB = PlannedRequest("yahoo", "crumb", "query1", "/v1/test/getcrumb", Subject("*"), expect="text")

BLOCK_PAGE = "<!DOCTYPE html>\n<html><head><title>SEC.gov | Request Rate Threshold Exceeded</title></head></html>"
BOT_PAGE = BLOCK_PAGE.replace(
    "Request Rate Threshold Exceeded", "Your Request Originates from an Undeclared Automated Tool"
)
NO_KEY = '<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>NoSuchKey</Code><Message>x</Message></Error>'
DENIED = NO_KEY.replace("NoSuchKey", "AccessDenied")
ROW = {"date": "2026-11-20T00:00:00.000Z", "close": 1.5, "adjClose": 1.5, "divCash": 0.0, "splitFactor": 1.0}
SPENT_HOUR = {"detail": "Error: You have run over your hourly request allocation. Please upgrade."}
SPENT_DAY = {"detail": "Error: You have run over your daily request allocation. Please upgrade."}
SPENT_SYMBOLS = "You have run over your 500 symbol look up for this month. Please upgrade."
BARS = {"chart": {"result": [{"meta": {}, "timestamp": [1], "indicators": {}}], "error": None}}
NO_BARS = {"chart": {"result": [{"meta": {}, "indicators": {"quote": [{}]}}], "error": None}}


def failed(root: str, code: str, description: str) -> dict[str, object]:
    return {root: {"result": None, "error": {"code": code, "description": description}}}


C = AnswerClass

LOOK_ALIKES: list[tuple[str, PlannedRequest, int, object, str, AnswerClass]] = [
    # SEC EDGAR
    ("a page of the company", SUBMISSIONS, 200, {"cik": "1", "filings": {}}, "application/json", C.OK),
    ("JSON of another shape", SUBMISSIONS, 200, {"message": "hello"}, "application/json", C.CONTRACT),
    ("a list where an object is due", SUBMISSIONS, 200, [], "application/json", C.CONTRACT),
    ("too fast, 403", SUBMISSIONS, 403, BLOCK_PAGE, HTML, C.BLOCKED),
    ("too fast, 429", PAGE, 429, BLOCK_PAGE, HTML, C.BLOCKED),
    ("too fast, 200, where a page is due", PAGE, 200, BLOCK_PAGE, HTML, C.BLOCKED),
    ("too fast, without a content type", PAGE, 403, BLOCK_PAGE, "", C.BLOCKED),
    ("no contact in the User-Agent", LIST, 403, BOT_PAGE, HTML, C.BLOCKED),
    ("429 without a page", FACTS, 429, "", TEXT, C.RATE_LIMITED),
    ("no such company", SUBMISSIONS, 404, NO_KEY, XML, C.NOT_FOUND),
    ("no such document", PAGE, 404, NO_KEY, XML, C.NOT_FOUND),
    ("no such document, as a page", PAGE, 404, "<html><body>404</body></html>", HTML, C.NOT_FOUND),
    ("no such document, access denied", PAGE, 403, DENIED, XML, C.NOT_FOUND),
    ("no figures", FACTS, 404, NO_KEY, XML, C.OK_EMPTY),
    ("no such concept", edgar_api.company_concept(CIK, "us-gaap", "X"), 404, NO_KEY, XML, C.OK_EMPTY),
    ("no such frame", edgar_api.frame("us-gaap", "X", "USD", "CY2024"), 404, NO_KEY, XML, C.OK_EMPTY),
    ("the list of tickers is gone", LIST, 404, NO_KEY, XML, C.CONTRACT),
    ("no permission", FACTS, 403, "{}", "application/json", C.ENTITLEMENT),
    ("the feed's end", ATOM, 503, "<!DOCTYPE html><html><body>busy</body></html>", HTML, C.TRANSIENT),
    ("a page for JSON", FACTS, 200, "<!DOCTYPE html><html><body>Maintenance</body></html>", HTML, C.TRANSIENT),
    ("cut JSON", FACTS, 200, '{"cik": 1, "fac', "application/json", C.TRANSIENT),
    ("a filing", PAGE, 200, "<html><body>10-K</body></html>\n", HTML, C.OK),
    ("a filing about the threshold", PAGE, 200, f"<html><body>{BLOCK_PAGE[60:90]}</body></html>", HTML, C.OK),
    ("an old filing without html tags", PAGE, 200, "<p>10-K 1999", HTML, C.OK),
    ("an error object for a filing", PAGE, 200, NO_KEY, XML, C.CONTRACT),
    ("a form", FORM4, 200, "<?xml version='1.0'?><!-- x --><a:doc><b/></a:doc >\n", "text/xml", C.OK),
    ("a cut form", FORM4, 200, "<?xml version='1.0'?><ownershipDocument><issuer>", "text/xml", C.TRANSIENT),
    ("a form that is none", FORM4, 200, "hello", "text/xml", C.TRANSIENT),
    ("a submission", FULL, 200, "<SEC-DOCUMENT>x\n</SEC-DOCUMENT>\n", TEXT, C.OK),
    ("a cut submission", FULL, 200, "<SEC-DOCUMENT>x\n</DOCUMENT>\n", TEXT, C.TRANSIENT),
    (
        "an old submission",
        FULL,
        200,
        "-----BEGIN PRIVACY-ENHANCED MESSAGE-----\n<SEC-DOCUMENT>\n</SEC-DOCUMENT>\n-----END PRIVACY-ENHANCED MESSAGE-----\n",
        TEXT,
        C.OK,
    ),
    (
        "a cut old submission",
        FULL,
        200,
        "-----BEGIN PRIVACY-ENHANCED MESSAGE-----\n<SEC-DOCUMENT>\n</SEC-DOCUMENT>\n",
        TEXT,
        C.TRANSIENT,
    ),
    # Tiingo
    ("prices", EOD, 200, [ROW], "application/json", C.OK),
    ("no prices", EOD, 200, [], "application/json", C.OK_EMPTY),
    ("rows of another shape", EOD, 200, [{"price": 1}], "application/json", C.CONTRACT),
    ("one bad row among good ones", EOD, 200, [ROW, {"date": "x"}], "application/json", C.CONTRACT),
    ("an error object with 200", EOD, 200, {"detail": "Something is wrong."}, "application/json", C.CONTRACT),
    ("bulk rows", BULK, 200, [{**ROW, "ticker": "ALDRN"}], "application/json", C.OK),
    ("bulk rows without a ticker", BULK, 200, [ROW], "application/json", C.CONTRACT),
    ("bulk not offered", BULK, 404, {"detail": "Not found."}, "application/json", C.NOT_FOUND),
    ("bulk not in the plan", BULK, 403, {"detail": "You do not have permission."}, "application/json", C.ENTITLEMENT),
    ("a description", META, 200, {"ticker": "ALDRN"}, "application/json", C.OK),
    ("unknown ticker", EOD, 404, {"detail": "Error: Ticker 'X' not found"}, "application/json", C.NOT_FOUND),
    ("wrong token", EOD, 401, {"detail": "Invalid token."}, "application/json", C.AUTH),
    ("hour spent", EOD, 429, SPENT_HOUR, "application/json", C.QUOTA_EXHAUSTED),
    ("hour spent, 200", EOD, 200, SPENT_HOUR, "application/json", C.QUOTA_EXHAUSTED),
    ("day spent, 403", EOD, 403, SPENT_DAY, "application/json", C.QUOTA_EXHAUSTED),
    ("symbols spent, 200 text", EOD, 200, SPENT_SYMBOLS, TEXT, C.QUOTA_EXHAUSTED),
    ("symbols spent, 200 called JSON", EOD, 200, SPENT_SYMBOLS, "application/json", C.QUOTA_EXHAUSTED),
    ("other text with 200", EOD, 200, "Something else.", TEXT, C.CONTRACT),
    ("429 of another kind", EOD, 429, "slow down", TEXT, C.RATE_LIMITED),
    ("cut rows", EOD, 200, '[{"date": "2026', "application/json", C.TRANSIENT),
    ("a page for rows", EOD, 200, "<html></html>", HTML, C.TRANSIENT),
    ("bad parameter", EOD, 400, {"detail": "x"}, "application/json", C.CONTRACT),
    ("server error", EOD, 502, "<html></html>", HTML, C.TRANSIENT),
    ("no archive", ZIP, 200, b"PK\x03\x04 cut", "application/zip", C.TRANSIENT),
    # Yahoo
    ("bars", CHART, 200, BARS, "application/json", C.OK),
    ("a window without bars", CHART, 200, NO_BARS, "application/json", C.OK_EMPTY),
    ("no result and no error", CHART, 200, {"chart": {"result": [], "error": None}}, "application/json", C.OK_EMPTY),
    ("an error with 200", CHART, 200, failed("chart", "Oops", "x"), "application/json", C.CONTRACT),
    ("another root", CHART, 200, {"finance": {}}, "application/json", C.CONTRACT),
    ("delisted", CHART, 404, failed("chart", "Not Found", "No data found"), "application/json", C.NOT_FOUND),
    (
        "before the first trade",
        CHART,
        400,
        failed("chart", "Bad Request", "Data doesn't exist for startDate = 1, endDate = 2"),
        "application/json",
        C.OK_EMPTY,
    ),
    ("bad interval", CHART, 400, failed("chart", "Bad Request", "Invalid input"), "application/json", C.CONTRACT),
    ("beyond retention", CHART, 422, failed("chart", "Unprocessable Entity", "x"), "application/json", C.CONTRACT),
    ("too fast", CHART, 429, "Too Many Requests", HTML, C.RATE_LIMITED),
    ("too fast, old number", CHART, 999, "denied", HTML, C.RATE_LIMITED),
    ("stale crumb", PROFILE, 401, failed("finance", "Unauthorized", "Invalid Crumb"), "application/json", C.AUTH),
    ("no such page", PROFILE, 404, "<html>no</html>", HTML, C.CONTRACT),
    ("404 of another kind", PROFILE, 404, failed("finance", "Made up", "x"), "application/json", C.CONTRACT),
    ("down", CHART, 200, "<html><body>CURRENTLY DOWN</body></html>", HTML, C.TRANSIENT),
    (
        "server error, JSON",
        CHART,
        500,
        failed("finance", "Internal Server Error", "x"),
        "application/json",
        C.TRANSIENT,
    ),
    (
        "a profile",
        PROFILE,
        200,
        {"quoteSummary": {"result": [{"price": {}}], "error": None}},
        "application/json",
        C.OK,
    ),
    ("no profile", PROFILE, 200, {"quoteSummary": {"result": [], "error": None}}, "application/json", C.OK_EMPTY),
    ("a crumb", CRUMB, 200, "a/B.cD3eF4g", TEXT, C.OK),
    ("no crumb but a page", CRUMB, 200, "<html>consent</html>", HTML, C.TRANSIENT),
    ("no crumb but a refusal with 200", CRUMB, 200, "Too Many Requests", TEXT, C.RATE_LIMITED),
    ("an empty crumb", CRUMB, 200, "", TEXT, C.TRANSIENT),
    ("consent", COOKIE, 302, "", HTML, C.CONTRACT),
    ("no cookie", COOKIE, 200, "", HTML, C.CONTRACT),
]


@pytest.mark.parametrize(
    ("request_", "status", "body", "media_type", "expected"),
    [row[1:] for row in LOOK_ALIKES],
    ids=[f"{row[1].provider}: {row[0]}" for row in LOOK_ALIKES],
)
def test_threat_20_status_type_and_shape_decide(
    request_: PlannedRequest, status: int, body: object, media_type: str, expected: AnswerClass
) -> None:
    verdict = judge(request_, status, body, media_type)
    assert verdict.answer_class is expected
    assert verdict.reason or expected is AnswerClass.OK


def test_the_cookie_counts_and_not_the_page_that_brings_it() -> None:
    assert judge(COOKIE, 404, "<html></html>", HTML, has_cookie=True).answer_class is C.OK
    assert judge(COOKIE, 429, "", HTML, has_cookie=True).answer_class is C.RATE_LIMITED


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        ("2026-11-15", C.OK_EMPTY),  # a Sunday
        ("2026-10-12", C.OK_EMPTY),  # Columbus Day: the exchange is open, EDGAR is not
        ("2026-11-11", C.OK_EMPTY),  # Veterans Day
        ("2026-07-03", C.OK_EMPTY),  # 4 July is a Saturday
        ("2021-12-31", C.OK_EMPTY),  # New Year's Day 2022 is a Saturday
        ("2026-11-20", C.TRANSIENT),  # today: not made yet
        ("2026-11-19", C.TRANSIENT),
        ("2018-12-05", C.OK_EMPTY),  # closed by order: what is missing after years does not come
    ],
)
@pytest.mark.parametrize(("status", "body"), [(403, DENIED), (404, NO_KEY)])
def test_a_missing_daily_index_means_closed_or_not_yet(day: str, expected: AnswerClass, status: int, body: str) -> None:
    verdict = judge(edgar_api.daily_index(dt.date.fromisoformat(day)), status, body, XML)
    assert verdict.answer_class is expected
    if expected is C.TRANSIENT:
        assert verdict.healthy, "a provider that is early is not ill"
        assert verdict.retry_at == NOW + dt.timedelta(hours=1)


@pytest.mark.parametrize("day", ["2025-04-18", "2026-04-03", "2026-11-20", "2026-06-18"])
def test_edgar_works_on_good_friday(day: str) -> None:
    assert edgar_api.is_business_day(dt.date.fromisoformat(day))


@pytest.mark.parametrize("day", ["2026-01-19", "2026-02-16", "2026-05-25", "2026-06-19", "2026-09-07", "2026-11-26"])
def test_federal_holidays(day: str) -> None:
    assert not edgar_api.is_business_day(dt.date.fromisoformat(day))


def test_juneteenth_is_a_holiday_since_2021_only() -> None:
    assert edgar_api.is_business_day(dt.date(2020, 6, 19))


@pytest.mark.parametrize(
    ("body", "until"),
    [
        (SPENT_HOUR, dt.datetime(2026, 11, 20, 23, tzinfo=dt.UTC)),
        (SPENT_DAY, dt.datetime(2026, 11, 21, tzinfo=dt.UTC)),
        (SPENT_SYMBOLS, dt.datetime(2026, 12, 1, tzinfo=dt.UTC)),
        ({"detail": SPENT_SYMBOLS}, dt.datetime(2026, 12, 1, tzinfo=dt.UTC)),
    ],
)
def test_a_spent_allowance_names_its_window(body: object, until: dt.datetime) -> None:
    assert judge(EOD, 200, body).retry_at == until


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("5", 5),
        (" 120 ", 120),
        ("Fri, 20 Nov 2026 22:42:07 GMT", 60),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("9" * 40, None),
        ("\u0665", None),
    ],
)
def test_retry_after_is_read_or_ignored(value: str, seconds: int | None) -> None:
    expected = None if seconds is None else NOW + dt.timedelta(seconds=seconds)
    assert retry_after({"retry-after": value}, NOW) == expected


# What was recorded at the real providers.

_EXPECTED = {
    ("sec", 403, "text/html"): (PAGE, C.BLOCKED),
    ("sec", 429, "text/html"): (PAGE, C.BLOCKED),
    ("sec", 404, "application/xml"): (SUBMISSIONS, C.NOT_FOUND),
    ("sec", 403, "application/xml"): (edgar_api.daily_index(dt.date(2026, 11, 15)), C.OK_EMPTY),
    ("sec", 503, "text/html"): (ATOM, C.TRANSIENT),
    ("tiingo", 200, "text/plain"): (EOD, C.QUOTA_EXHAUSTED),
    ("tiingo", 200, "application/json"): (EOD, C.QUOTA_EXHAUSTED),
    ("tiingo", 403, "application/json"): (EOD, C.ENTITLEMENT),
    ("yahoo", 429, "text/html"): (CHART, C.RATE_LIMITED),
    ("yahoo", 401, "application/json"): (PROFILE, C.AUTH),
    ("yahoo", 404, "application/json"): (PROFILE, C.NOT_FOUND),
    ("yahoo", 500, "application/json"): (CHART, C.TRANSIENT),
}
_OURS = [
    {"provider": "sec", "status": 403, "content_type": HTML, "body": BLOCK_PAGE},
    {"provider": "sec", "status": 404, "content_type": XML, "body": NO_KEY},
    {"provider": "sec", "status": 403, "content_type": XML, "body": DENIED},
    {"provider": "tiingo", "status": 200, "content_type": TEXT, "body": SPENT_SYMBOLS},
    {"provider": "yahoo", "status": 429, "content_type": HTML, "body": "Edge: Too Many Requests"},
]


@pytest.mark.corpus
def test_recorded_error_answers_have_their_class() -> None:
    """Every recorded error answer of our providers; without the recordings, the look-alikes of ``_OURS``."""
    root = Path(os.environ["SALESCIENCE_CORPUS"]) if "SALESCIENCE_CORPUS" in os.environ else None
    rows = _OURS if root is None else json.loads((root / "providers/errors/error_bodies.json").read_text())
    seen = set()
    for row in rows:
        key = (row["provider"], row["status"], row["content_type"])
        if row["provider"] not in {provider for provider, _, _ in _EXPECTED}:
            # The other providers' recordings are held in test_classify_market.
            continue
        body = row["body"]
        data = (root / body[1:]).read_bytes() if root is not None and body.startswith("@") else body.encode()
        request, expected = _EXPECTED[key]
        assert judge(request, row["status"], data, row["content_type"]).answer_class is expected, row
        seen.add(key)
    assert len(seen) == (len(_EXPECTED) if root is not None else len(_OURS))


@pytest.mark.corpus
def test_recorded_good_answers_are_good_and_whole() -> None:
    """Recorded answers and filings pass as they are and fail when their end is missing; else one look-alike of each."""
    cases = [
        (SUBMISSIONS, b'{"cik": "1", "filings": {"recent": {}}}'),
        (PAGE, b"<html><body>10-K</body></html>"),
        (FULL, b"<SEC-DOCUMENT>\n</SEC-DOCUMENT>"),
        (EOD, json.dumps([ROW]).encode()),
    ]
    if "SALESCIENCE_CORPUS" in os.environ:
        cases = _recorded_cases(Path(os.environ["SALESCIENCE_CORPUS"]))
        assert len(cases) > 100
    for request, data in cases:
        media_type = {"html": HTML, "json": "application/json", "xml": "text/xml"}.get(request.expect, TEXT)
        assert judge(request, 200, data, media_type).answer_class in {C.OK, C.OK_EMPTY}, (request.path, data[:80])
        if request.expect == "json" or b"</" in data[-40:]:
            half = judge(request, 200, data[: len(data) // 2], media_type)
            assert half.answer_class is C.TRANSIENT or b"<html" not in data[:4096].lower(), request.path


def _recorded_cases(root: Path) -> list[tuple[PlannedRequest, bytes]]:
    cases = [(SUBMISSIONS, path) for path in (root / "corpus/submissions").glob("CIK0*.json") if "-" not in path.name]
    cases += [(FACTS, path) for path in (root / "corpus/companyfacts").glob("*.json")]
    cases += [(PAGE, path) for path in (root / "corpus/filings").glob("*/*.htm*")]
    cases += [(FULL, path) for path in (root / "corpus/full_submission").glob("*.txt")]
    cases += [(FULL, path) for path in (root / "corpus/filings").glob("*/*.txt")]
    cases += [(FORM4, path) for path in (root / "corpus/ownership").rglob("*.xml")]
    cases += [(LIST, root / "corpus/tickers/company_tickers_exchange.json")]
    cases += [
        (edgar_api.daily_index(dt.date(2020, 3, 18)), path) for path in (root / "corpus/index").glob("*form*.idx")
    ]
    cases += [(ATOM, path) for path in (root / "corpus/current_atom").glob("*.atom")]
    cases += [(EOD, path) for path in (root / "providers/tiingo").glob("*prices*.json")]
    cases += [(META, path) for path in (root / "providers/tiingo").glob("*meta.json")]
    cases += [(ZIP, path) for path in (root / "samples/tiingo").glob("*.zip")]
    cases += [(CHART, path) for path in (root / "samples/yahoo").glob("chart-*.json") if "headers" not in path.name]
    cases += [
        (PROFILE, path) for path in (root / "samples/yahoo").glob("quoteSummary-*.json") if "headers" not in path.name
    ]
    read = [(request, path.read_bytes()) for request, path in cases]
    # One of the recorded profiles is a 404 whose status stands in the file beside it.
    return [(request, data) for request, data in read if b'"result": null' not in data]
