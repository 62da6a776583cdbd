"""SEC EDGAR over HTTP: the paths of its three hosts, its headers, validators, refusals and error bodies.

``www``, ``data`` and ``efts`` share one prefix, as their paths do not overlap. What an answer holds comes from a
:class:`Source`: the fictional filings (``edgar_fictional``) or a folder of recorded ones (``corpus``). What does not
belong here: either of them.
"""

from __future__ import annotations

import datetime as dt
import re
import threading
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from salescience_pipeline.sandbox.answers import Prepared, dumps
from salescience_pipeline.sandbox.app import Provider, Sandbox
from salescience_pipeline.sandbox.edgar_errors import THRESHOLD_PAGE, UNAVAILABLE_PAGE, UNDECLARED_PAGE, error_xml
from salescience_pipeline.sandbox.edgar_lists import Search
from salescience_pipeline.sandbox.limits import Limit

WWW_HEADERS = {
    "Strict-Transport-Security": "max-age=31536000 ; includeSubDomains ; preload",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "SAMEORIGIN",
    "X-XSS-Protection": "1; mode=block",
}
"""What ``www.sec.gov`` sends with everything, as recorded."""

_NO_STORE = {"Cache-Control": "max-age=0, no-cache, no-store", "Pragma": "no-cache"}
_DATA_HEADERS = {**_NO_STORE, "Strict-Transport-Security": "max-age=31536000 ; preload"}
_CONTACT = re.compile(r"[^\s@<>()]+@[^\s@<>()]+\.[A-Za-z]{2,}")
_ACCESSION = re.compile(r"\d{10}-\d{2}-\d{6}", re.ASCII)


class Source(Protocol):
    """Where the bodies come from; every method gives ``None`` for what does not exist."""

    @property
    def errors(self) -> Mapping[str, bytes]:
        """Bodies of refusals in place of our own: ``undeclared``, ``threshold``, ``no_such_key``, ``unavailable``..."""

    def tickers(self, name: str) -> Prepared | None:
        """A ticker list: ``company_tickers.json`` and its siblings, or ``ticker.txt``."""

    def submissions(self, cik: int) -> Prepared | None:
        """The submissions object."""

    def submissions_page(self, cik: int, number: int) -> Prepared | None:
        """An older page of it."""

    def company_facts(self, cik: int) -> Prepared | None:
        """All facts of a company."""

    def company_concept(self, cik: int, taxonomy: str, tag: str) -> Prepared | None:
        """One concept of a company."""

    def frame(self, taxonomy: str, tag: str, unit: str, period: str) -> Prepared | None:
        """One concept of everybody."""

    def index(self, year: int, quarter: int, name: str, *, daily: bool) -> Prepared | None:
        """A file of an index folder; an empty name is the folder itself."""

    def folder(self, cik: int, accession: str) -> Prepared | None:
        """``index.json`` of a filing's folder."""

    def index_page(self, cik: int, accession: str) -> Prepared | None:
        """The page ``-index.html``."""

    def index_headers(self, cik: int, accession: str) -> Prepared | None:
        """The page ``-index-headers.html``."""

    def submission(self, cik: int, accession: str) -> Prepared | None:
        """The complete submission."""

    def document(self, cik: int, accession: str, path: str) -> Prepared | None:
        """A file of a filing; ``path`` may begin with the folder of a style sheet."""

    def feed(self, form: str, owner: str, start: int, count: int, now: dt.datetime) -> Prepared | None:
        """A page of the feed of current filings."""

    def search(self, wanted: Search) -> Prepared | None:
        """The answer of the full-text search."""

    def truth(self, what: str, accession: str) -> dict[str, Any] | None:
        """What is known about a filing's main document: ``facts`` or ``items``."""


def www(
    body: bytes,
    content_type: str,
    modified: dt.datetime | None,
    *,
    etag: bool = False,
    extra: dict[str, str] | None = None,
) -> Prepared:
    """An answer of ``www.sec.gov``."""
    headers = WWW_HEADERS | ({"Accept-Ranges": "bytes"} if modified else {}) | (extra or {})
    return Prepared(body, content_type, headers=headers, last_modified=modified, etag=etag)


def data(body: bytes, *, shared: bool = False, extra: dict[str, str] | None = None) -> Prepared:
    """An answer of ``data.sec.gov``: never to be stored, without validators."""
    headers = _DATA_HEADERS | ({"Access-Control-Allow-Origin": "*"} if shared else {}) | (extra or {})
    return Prepared(body, "application/json", headers=headers)


def content_type(name: str) -> str:
    """Content type by the suffix of a filed file."""
    suffix = name.rpartition(".")[2].lower()
    return {
        "htm": "text/html",
        "html": "text/html",
        "xml": "text/xml",
        "xsd": "text/xml",
        "json": "application/json",
        "txt": "text/plain",
        "jpg": "image/jpeg",
        "gif": "image/gif",
        "pdf": "application/pdf",
    }.get(suffix, "text/plain")


def declares_itself(user_agent: str) -> bool:
    """Whether a User-Agent names a contact, as SEC wants it."""
    return _CONTACT.search(user_agent) is not None


# -- endpoints ----------------------------------------------------------------------------------------------------------


class Edgar:
    """The endpoints over one source."""

    def __init__(self, sandbox: Sandbox, source: Source) -> None:
        self.sandbox, self.source = sandbox, source
        # Filings are made on demand in worker threads; one at a time, as the cabinet is not made for more.
        self._lock = threading.Lock()

    async def _answer(
        self,
        request: Request,
        find: Callable[[], Prepared | None],
        missing: Callable[[Request], Response] | None = None,
    ) -> Response:
        if not declares_itself(request.headers.get("user-agent", "")):
            return self.undeclared()

        def make() -> Response:
            with self._lock:
                prepared = find()
            return prepared.answer(request) if prepared is not None else (missing or self.no_such_key)(request)

        return await run_in_threadpool(make)

    async def tickers(self, request: Request) -> Response:
        """The ticker lists."""
        name = request.url.path.rpartition("/")[2]
        return await self._answer(request, lambda: self.source.tickers(name), self.access_denied)

    async def submissions(self, request: Request) -> Response:
        """A company's newest filings."""
        return await self._answer(request, lambda: self.source.submissions(_cik(request)))

    async def submissions_page(self, request: Request) -> Response:
        """A company's older filings."""
        number = int(request.path_params["number"])
        return await self._answer(request, lambda: self.source.submissions_page(_cik(request), number))

    async def company_facts(self, request: Request) -> Response:
        """A company's facts."""
        return await self._answer(request, lambda: self.source.company_facts(_cik(request)))

    async def company_concept(self, request: Request) -> Response:
        """A company's facts of one concept."""
        taxonomy, tag = request.path_params["taxonomy"], request.path_params["tag"]
        return await self._answer(request, lambda: self.source.company_concept(_cik(request), taxonomy, tag))

    async def frames(self, request: Request) -> Response:
        """Everybody's fact of one concept and period."""
        values = [request.path_params[name] for name in ("taxonomy", "tag", "unit", "period")]
        return await self._answer(request, lambda: self.source.frame(*values))

    async def daily_index(self, request: Request) -> Response:
        """An index of one day, or the listing of a quarter's days."""
        return await self._index(request, daily=True)

    async def full_index(self, request: Request) -> Response:
        """An index of one quarter, or the listing of them."""
        return await self._index(request, daily=False)

    async def _index(self, request: Request, *, daily: bool) -> Response:
        params = request.path_params
        year, quarter, name = params["year"], params["quarter"], params.get("name", "")
        # A switch names days whose index is late: {"edgar": {"missing_indexes": ["20261117"]}}.
        if daily and any(str(day) in name for day in self.sandbox.switch("edgar", "missing_indexes", ())):
            return self.access_denied(request)
        return await self._answer(
            request, lambda: self.source.index(year, quarter, name, daily=daily), self.access_denied
        )

    async def filing(self, request: Request) -> Response:
        """Anything below a filing's folder, and the two forms that do without the folder."""
        cik, rest = request.scope["path"].partition("/Archives/edgar/data/")[2].split("/", 1)
        return await self._answer(request, lambda: self._filed(int(cik), rest))

    def _filed(self, cik: int, rest: str) -> Prepared | None:
        head, _, path = rest.partition("/")
        if re.fullmatch(r"\d{18}", head):
            accession = f"{head[:10]}-{head[10:12]}-{head[12:]}"
        elif (found := _ACCESSION.match(rest)) is not None and "/" not in rest:
            accession, path = found[0], rest
        else:
            return None
        source = self.source
        match path.removeprefix(accession):
            case "index.json":
                return source.folder(cik, accession)
            case "-index.html" | "-index.htm" | "":
                return source.index_page(cik, accession)
            case "-index-headers.html":
                return source.index_headers(cik, accession)
            case ".txt":
                return source.submission(cik, accession)
        return source.document(cik, accession, path)

    async def current(self, request: Request) -> Response:
        """The feed of current filings."""
        query = request.query_params
        if query.get("action") != "getcurrent" or query.get("output") != "atom":
            return await self._answer(request, lambda: None)
        count = _whole(query.get("count"), 40)
        count = min((10, 20, 40, 80, 100), key=lambda size: abs(size - count))
        start = _whole(query.get("start"), 0)
        now = self.sandbox.clock.now()

        return await self._answer(
            request,
            lambda: self.source.feed(query.get("type", ""), query.get("owner", "include"), start, count, now),
            self.unavailable,
        )

    async def search(self, request: Request) -> Response:
        """The full-text search."""
        query = request.query_params
        try:
            wanted = Search(
                words=tuple(part.strip('"').lower() for part in re.findall(r'"[^"]+"|\S+', query.get("q", ""))),
                forms=frozenset(part for part in query.get("forms", "").split(",") if part),
                ciks=frozenset(int(part) for part in query.get("ciks", "").split(",") if part),
                first=dt.date.fromisoformat(query.get("startdt") or "2001-01-01"),
                last=dt.date.fromisoformat(query.get("enddt") or "9999-12-31"),
                items=frozenset(part for part in query.get("items", "").split(",") if part),
                start=_whole(query.get("from"), 0),
            )
        except ValueError:
            return Response(b'{"message": "Internal server error"}', 500, {"Content-Type": "application/json"})
        return await self._answer(request, lambda: self.source.search(wanted))

    async def truth(self, request: Request) -> Response:
        """The sandbox's own answer: what is known about a filing."""
        what, accession = request.path_params["what"], request.path_params["accession"]

        def find() -> Response:
            with self._lock:
                known = self.source.truth(what, accession)
            if known is None:
                return Response(b'{"error": "The sandbox knows nothing about it."}', 404, media_type="application/json")
            return Response(dumps(known), media_type="application/json")

        return await run_in_threadpool(find)

    # -- refusals -------------------------------------------------------------------------------------------------------

    def no_such_key(self, request: Request) -> Response:
        """404 of ``data.sec.gov`` and of missing documents."""
        key = request.url.path.removeprefix(request.scope.get("root_path", "")).lstrip("/")
        body = self.source.errors.get("no_such_key")
        body = body or error_xml("NoSuchKey", "The specified key does not exist.", key)
        headers = {**_DATA_HEADERS, "Access-Control-Allow-Origin": "*", "Content-Type": "application/xml"}
        return Response(body, 404, headers)

    def access_denied(self, _: Request) -> Response:
        """403 of an index that does not exist: the object store says "denied", not "missing"."""
        body = self.source.errors.get("access_denied") or error_xml("AccessDenied", "Access Denied")
        return Response(body, 403, {**WWW_HEADERS, "Content-Type": "application/xml", "Server": "Apache"})

    def undeclared(self) -> Response:
        """403 for a User-Agent without a contact."""
        body = self.source.errors.get("undeclared") or UNDECLARED_PAGE
        return Response(body, 403, {**_NO_STORE, "Content-Type": "text/html"})

    def unavailable(self, _: Request) -> Response:
        """503 behind the end of the feed."""
        body = self.source.errors.get("unavailable") or UNAVAILABLE_PAGE
        return Response(body, 503, {**_NO_STORE, "Content-Type": "text/html"})

    def limited(self, window: str) -> Response:
        """The page that cuts somebody off; its status is a switch, since both have been seen."""
        del window
        status = int(self.sandbox.switch("edgar", "block_status", 403))
        body = self.source.errors.get("threshold") or THRESHOLD_PAGE
        return Response(body, status, {**_NO_STORE, "Content-Type": "text/html"})


def _cik(request: Request) -> int:
    """The CIK of a path; 0, which nobody has, unless it is written with ten digits."""
    text = request.path_params["cik"]
    return int(text) if re.fullmatch(r"[0-9]{10}", text) else 0


def _whole(text: str | None, default: int) -> int:
    return int(text) if text and text.isascii() and text.isdigit() else default


def provider(sandbox: Sandbox) -> Provider:
    """EDGAR over the sandbox's world, or over its corpus."""
    source: Source
    admin: list[Route] = []
    # Imported here: a corpus does not need the makers of fictional filings, nor they the corpus.
    if sandbox.kind == "corpus":
        from salescience_pipeline.sandbox.corpus import open_corpus  # noqa: PLC0415

        source, admin = open_corpus(sandbox)
    else:
        from salescience_pipeline.sandbox.edgar_fictional import FictionalSource  # noqa: PLC0415

        source = FictionalSource(sandbox.world)
    edgar = Edgar(sandbox, source)
    below = "/Archives/edgar/data/{cik:int}/{rest:path}"
    routes = [
        *(
            Route(f"/files/{name}", edgar.tickers, name="company_tickers")
            for name in ("company_tickers.json", "company_tickers_exchange.json", "company_tickers_mf.json")
        ),
        Route("/include/ticker.txt", edgar.tickers, name="company_tickers"),
        Route("/submissions/CIK{cik}-submissions-{number:int}.json", edgar.submissions_page, name="submissions_page"),
        Route("/submissions/CIK{cik}.json", edgar.submissions, name="submissions"),
        Route("/api/xbrl/companyfacts/CIK{cik}.json", edgar.company_facts, name="companyfacts"),
        Route("/api/xbrl/companyconcept/CIK{cik}/{taxonomy}/{tag}.json", edgar.company_concept, name="companyconcept"),
        Route("/api/xbrl/frames/{taxonomy}/{tag}/{unit}/{period}.json", edgar.frames, name="frames"),
        Route("/Archives/edgar/daily-index/{year:int}/QTR{quarter:int}/{name}", edgar.daily_index, name="daily_index"),
        Route("/Archives/edgar/daily-index/{year:int}/QTR{quarter:int}/", edgar.daily_index, name="daily_index"),
        Route("/Archives/edgar/full-index/{year:int}/QTR{quarter:int}/{name}", edgar.full_index, name="full_index"),
        Route("/Archives/edgar/full-index/{year:int}/QTR{quarter:int}/", edgar.full_index, name="full_index"),
        # One endpoint, three names, so that faults and counts can tell listings, submissions and documents apart.
        Route(f"{below}/index.json", edgar.filing, name="folder"),
        Route(f"{below}.txt", edgar.filing, name="full_submission"),
        Route(f"{below}", edgar.filing, name="document"),
        Route("/cgi-bin/browse-edgar", edgar.current, name="current_filings"),
        Route("/LATEST/search-index", edgar.search, name="search"),
    ]
    sandbox.admin += [Route("/_sandbox/truth/{what}/{accession}", edgar.truth, name="truth"), *admin]
    return Provider(
        name="edgar",
        routes=routes,
        not_found=edgar.no_such_key,
        limited=edgar.limited,
        limit=Limit(per_second=10, block_seconds=600.0),
    )
