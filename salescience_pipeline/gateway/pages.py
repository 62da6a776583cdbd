"""The pages for people at / and /ui: server-rendered, whole without script, and as safe with a hostile headline as without.

Everything that providers wrote is escaped by the templates; the content security policy forbids script and style that do not
come from here. The one script adds what needs no page of its own: the price under the pointer, and progress that moves while
one looks. Where API keys are needed the browser asks for one (as the password of HTTP
Basic; the user name does not matter): pages only read, so there is no cookie and nothing to forge a request with.
What does not belong here: what the pages say (``page_data``).
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import re
from collections.abc import Callable, Mapping
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute
from markupsafe import Markup, escape
from starlette.routing import Match
from starlette.types import Scope

from salescience_pipeline.gateway import page_chart, page_data, page_filings, page_reference, results
from salescience_pipeline.gateway.problems import Problem, not_found
from salescience_pipeline.gateway.state import Caller, caller_of, state_of
from salescience_pipeline.identifiers import Accession, Cik, InvalidIdentifier
from salescience_pipeline.ledger.organizations import Principal

if TYPE_CHECKING:
    import jinja2

POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
_STATIC = {
    name: (media, (resources.files("salescience_pipeline.gateway") / "static" / name).read_text(encoding="utf-8"))
    for name, media in {"page.css": "text/css", "page.js": "text/javascript", "icon.svg": "image/svg+xml"}.items()
}
_MAX_QUERY = 100
_FORMS = ("10-K", "10-Q", "8-K", "20-F", "DEF 14A")
"""Forms that the search offers; others can be written into the address."""


class BrowserRoute(APIRoute):
    """A route that is there for browsers only: who asks for JSON at the same path gets what another router says."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Match when the client takes HTML."""
        accepts = b",".join(value for name, value in scope.get("headers", ()) if name == b"accept")
        if self.path == "/" and b"text/html" not in accepts:
            return Match.NONE, {}
        return super().matches(scope)


router = APIRouter(route_class=BrowserRoute, include_in_schema=False)


def _marked(text: object, wanted: str) -> Markup:
    """``text`` with every place of ``wanted`` in ``<mark>``, escaped piece by piece."""
    shown, low, found = str(text or ""), str(text or "").lower(), wanted.lower()
    if not found or len(low) != len(shown):
        return escape(shown)
    parts, at = Markup(""), 0
    while (place := low.find(found, at)) >= 0:
        end = place + len(found)
        parts += escape(shown[at:place]) + Markup("<mark>{}</mark>").format(shown[place:end])
        at = end
    return parts + escape(shown[at:])


def _marked_words(text: object, wanted: str) -> Markup:
    """``text`` with every place of every word of ``wanted`` in ``<mark>``, escaped piece by piece."""
    shown, words = str(text or ""), page_filings.words_of(wanted)
    if not words:
        return escape(shown)
    # The longest first, so that a word that begins another does not cut it.
    pattern = "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))
    parts, at = Markup(""), 0
    for found in re.finditer(pattern, shown, re.IGNORECASE):
        parts += escape(shown[at : found.start()]) + Markup("<mark>{}</mark>").format(found[0])
        at = found.end()
    return parts + escape(shown[at:])


def _ticked(text: str) -> Markup:
    """``text`` with what stands between backticks as code, escaped piece by piece."""
    parts = text.split("`")
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if at % 2 and at < len(parts) - 1 else escape(part)
        for at, part in enumerate(parts)
    )


def _number(value: float | None) -> str:
    """A figure for people: thousands apart, large ones in millions or billions."""
    if value is None:
        return "\N{EM DASH}"
    for size, word in ((1e12, "trillion"), (1e9, "billion"), (1e6, "million")):
        if abs(value) >= size:
            return f"{value / size:,.2f} {word}"
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.2f}"


def _moment(value: dt.datetime | None) -> Markup:
    if value is None:
        return Markup("\N{EM DASH}")
    utc = value.astimezone(dt.UTC)
    return Markup('<time datetime="{}">{}</time>').format(
        utc.isoformat(timespec="seconds"), f"{utc:%Y-%m-%d %H:%M} UTC"
    )


def _millions(value: float | None) -> str:
    """A line of a statement: in millions, losses in brackets as accountants write them."""
    if value is None:
        return "\N{EM DASH}"
    shown = f"{abs(value) / 1e6:,.0f}" if abs(value) >= 1e6 else f"{abs(value):,.2f}"
    return f"({shown})" if value < 0 else shown


@cache
def _month_day(value: str) -> str:
    """``1231`` as people write it; anything else as it is."""
    try:
        return f"{dt.datetime.strptime(f'2024{value}', '%Y%m%d'):%d %B}".lstrip("0")  # noqa: DTZ007 - a day of any year
    except ValueError:
        return value


def _templates() -> jinja2.Environment:
    import jinja2  # noqa: PLC0415 - the gateway answers programs before the first page is asked for

    made = jinja2.Environment(
        loader=jinja2.PackageLoader("salescience_pipeline.gateway"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(
        marked=_marked, words=_marked_words, number=_number, moment=_moment, millions=_millions, ticks=_ticked,
        month_day=_month_day,
        path=lambda text: quote(str(text), safe=""),
    )  # fmt: skip
    return made


def _answer(request: Request, template: str, status: int = 200, **values: Any) -> Response:
    state = state_of(request)
    values = {
        "note": state.settings.provenance_note, "live": state.settings.is_live, "q": "", "here_path": request.url.path,
        **values,
    }  # fmt: skip
    text = _templates().get_template(template).render(values)
    headers = {"Content-Security-Policy": POLICY, "Cache-Control": "private, no-store", "Vary": "Accept"}
    return Response(text, status_code=status, media_type="text/html; charset=utf-8", headers=headers)


def _viewer(request: Request) -> Caller:
    """Who looks: by the key that the browser sends as the password of HTTP Basic, or as any other client.

    Raises:
        Problem: as ``caller_of``.
    """
    scheme, _, text = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return caller_of(request)
    try:
        key = base64.b64decode(text, validate=True).decode().partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        key = ""
    state = state_of(request)
    principal = state.principal_of(key) if key else None
    if principal is None:
        raise Problem(401, "key_invalid", "The API key does not work.")
    state.rates.take(principal.organization_id, principal.requests_per_minute)
    return Caller(state, principal, str(request.state.request_id))


def _page(request: Request, scope: str, make: Callable[[Caller, Principal], Response]) -> Response:
    """The page for who may see it, and a page that says why not for everybody else."""
    try:
        caller = _viewer(request)
        organization = request.query_params.get("organization_id") or None
        return make(caller, caller.acting(scope, organization))
    except InvalidIdentifier:
        problem = not_found()
    except Problem as error:
        problem = error
    response = _answer(request, "problem.html", problem.status, problem=problem, request_id=request.state.request_id)
    if problem.status == 401:
        response.headers["WWW-Authenticate"] = 'Basic realm="Salescience: the API key as password", charset="UTF-8"'
    return response


@router.get("/ui/page.css")
@router.get("/ui/page.js")
@router.get("/ui/icon.svg")
def static(request: Request) -> Response:
    """The one style sheet, the one script and the one picture."""
    media, text = _STATIC[request.url.path.rpartition("/")[2]]
    return Response(text, media_type=f"{media}; charset=utf-8", headers={"Cache-Control": "max-age=300"})


@router.get("/docs")
def reference(request: Request) -> Response:
    """Every operation of the API; who may not look at anything may read this."""
    document = request.app.openapi()
    return _answer(
        request, "reference.html", document=document, groups=page_reference.groups(document),
        needs_key=state_of(request).needs_key, origin=str(request.base_url).rstrip("/"),
    )  # fmt: skip


@router.get("/")
@router.get("/ui")
def home(request: Request) -> Response:
    """Companies, providers, services and datasets."""

    def make(caller: Caller, _principal: Principal) -> Response:
        with page_data.market_of(caller.state) as market:
            datasets = market.completeness() if market else []
            companies = market.companies() if market else []
            return _answer(
                request, "home.html", market=market, datasets=datasets, spark=page_chart.spark_of, companies=companies,
                figures=market.figures() if market else [], services=_services(request),
                providers=page_data.providers(caller.state, datasets, dt.datetime.now(dt.UTC)),
            )  # fmt: skip

    return _page(request, "results:read", make)


def _services(request: Request) -> list[Mapping[str, Any]]:
    """The services behind the gateway as its monitor last saw them."""
    return list(request.app.state.monitor.picture.values())


@router.get("/ui/search")
def search(request: Request) -> Response:
    """Companies, filings and places in their text."""
    text = request.query_params.get("q", "").replace("\x00", "").strip()[:_MAX_QUERY]
    form = request.query_params.get("form", "").strip().upper()[:20]
    cik = request.query_params.get("cik", "").strip()

    def make(caller: Caller, _principal: Principal) -> Response:
        only = Cik(cik) if cik else None
        with page_data.market_of(caller.state) as market:
            companies, filings = market.search(text) if market and text and not only else ([], [])
            hits, is_slow = [], False
            try:
                hits = page_filings.search(market, text, form=form, cik=only) if market else []
            except page_filings.TooSlow:
                is_slow = True
            return _answer(
                request, "search.html", q=text, market=market, companies=companies, filings=filings, hits=hits,
                is_slow=is_slow, form=form, forms=_FORMS, cik=only or "",
            )  # fmt: skip

    return _page(request, "results:read", make)


@router.get("/ui/companies/{name}")
def company(name: str, request: Request) -> Response:
    """One company, by its ticker or its CIK."""
    chosen = request.query_params.get("range", "1y")
    _, days = page_data.RANGES.get(chosen, page_data.RANGES["1y"])

    def make(caller: Caller, principal: Principal) -> Response:
        with page_data.market_of(caller.state) as market:
            found = market.company(name, days) if market else None
            if market is None or found is None:
                raise not_found()
            jobs = page_data.jobs_of(caller.state, principal.organization_id) if principal.may("jobs:read") else []
            return _answer(
                request, "company.html", **found, market=market, chart=page_chart.chart_of(found["prices"]),
                size=(page_chart.WIDTH, page_chart.HEIGHT), results=page_data.results_by_accession(jobs),
                ranges=page_data.RANGES, chosen=chosen if chosen in page_data.RANGES else "1y",
            )  # fmt: skip

    return _page(request, "results:read", make)


@router.get("/ui/filings/{accession}")
def filing(accession: str, request: Request) -> Response:
    """One filing with its sections, one of them to read."""
    asked = request.query_params
    number = int(asked["section"]) if re.fullmatch("[0-9]{1,5}", asked.get("section", "")) else None

    def make(caller: Caller, _principal: Principal) -> Response:
        with page_data.market_of(caller.state) as market:
            found = page_filings.filing(market, Accession(accession), asked.get("document"), number) if market else None
            if found is None:
                raise not_found()
            words = asked.get("words", "")[:_MAX_QUERY]
            return _answer(request, "filing.html", **found, market=market, words=words)

    return _page(request, "results:read", make)


@router.get("/ui/jobs")
def jobs(request: Request) -> Response:
    """The organisation's newest jobs."""

    def make(caller: Caller, principal: Principal) -> Response:
        found = page_data.jobs_of(caller.state, principal.organization_id)
        at_work = any(not one.status.is_final for one in found)
        return _answer(request, "jobs.html", jobs=found, organization=principal.organization_id, at_work=at_work)

    return _page(request, "jobs:read", make)


@router.get("/ui/jobs/{job_id}")
def job(job_id: str, request: Request) -> Response:
    """One job with its sources; asked for with ``live=1``, the browser asks again every five seconds until it is over."""

    def make(caller: Caller, principal: Principal) -> Response:
        found = caller.state.ledger.jobs.view(principal.organization_id, job_id) if len(job_id) <= 36 else None
        if found is None:
            raise not_found()
        live = request.query_params.get("live") == "1" and not found.status.is_final
        response = _answer(
            request, "job.html", job=found, organization=principal.organization_id, is_live_view=live,
            content_path=page_data.content_path,
        )  # fmt: skip
        if live:
            response.headers["Refresh"] = "5"
        return response

    return _page(request, "jobs:read", make)


@router.get("/ui/jobs/{job_id}/content/{key}")
def content(job_id: str, key: str, request: Request) -> Response:
    """What one source brought, as GET /results gives it, for a browser that has signed in here."""

    def make(caller: Caller, principal: Principal) -> Response:
        return results.content(
            job_id, key, request, caller, str(principal.organization_id), request.headers.get("range")
        )

    return _page(request, "results:content", make)


@router.get("/ui/{nothing:path}")
def missing(nothing: str, request: Request) -> Response:
    """Every other address below /ui: a page that leads back, and not a document for programs."""

    def make(_caller: Caller, _principal: Principal) -> Response:
        raise Problem(404, "not_found", f"There is no page at /ui/{nothing[:100]}.")

    return _page(request, "results:read", make)
