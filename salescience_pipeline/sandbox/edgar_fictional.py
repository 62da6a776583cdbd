"""EDGAR's bodies made from the fictional filings: the :class:`~salescience_pipeline.sandbox.edgar.Source` of that world.

What does not belong here: HTTP (``edgar``), and how filings come about (``filings``).
"""

from __future__ import annotations

import datetime as dt
import gzip
import hashlib
from collections import OrderedDict
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from salescience_pipeline.fiction import exhibits, sgml
from salescience_pipeline.fiction.filings import Cabinet
from salescience_pipeline.fiction.ixbrl import Fact
from salescience_pipeline.fiction.sec_calendar import eastern, previous_business_day, quarter_days
from salescience_pipeline.fiction.sgml import Filing
from salescience_pipeline.fiction.world import World
from salescience_pipeline.sandbox import edgar_data, edgar_lists
from salescience_pipeline.sandbox.answers import Prepared, dumps
from salescience_pipeline.sandbox.edgar import content_type, data, www

_KEPT = 200
"""Prepared answers that are kept, newest use first; a document is about 350 kB and its gzip form 40 kB."""


class FictionalSource:
    """EDGAR's answers over one world."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.errors: Mapping[str, bytes] = {}
        self.cabinet = Cabinet(world)
        self._kept: OrderedDict[tuple[object, ...], Prepared | None] = OrderedDict()

    def _once(self, key: tuple[object, ...], make: Callable[[], Prepared | None]) -> Prepared | None:
        """The answer for ``key``, made once while it is in use; the world's date belongs to the key."""
        key = (self.world.today, *key)
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        made = self._kept[key] = make()
        if len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        return made

    # -- lists of companies ---------------------------------------------------------------------------------------------

    def tickers(self, name: str) -> Prepared | None:
        """A ticker list."""
        match name:
            case "company_tickers.json":
                body = dumps(edgar_data.company_tickers(self.world))
            case "company_tickers_exchange.json":
                body = dumps(edgar_data.company_tickers_exchange(self.world))
            case "company_tickers_mf.json":
                body = dumps(edgar_data.company_tickers_funds(self.world))
            case "ticker.txt":
                return www(edgar_data.ticker_text(self.world).encode(), "text/plain", None)
            case _:
                return None
        return www(body, "application/json", None)

    # -- data.sec.gov ---------------------------------------------------------------------------------------------------

    def submissions(self, cik: int) -> Prepared | None:
        """The submissions object."""
        return self._once(("submissions", cik), lambda: _json(edgar_data.submissions(self.cabinet, cik), shared=True))

    def submissions_page(self, cik: int, number: int) -> Prepared | None:
        """An older page of it."""
        return self._once(
            ("page", cik, number), lambda: _json(edgar_data.older_page(self.cabinet, cik, number), shared=True)
        )

    def company_facts(self, cik: int) -> Prepared | None:
        """All facts of a company."""
        return self._once(("facts", cik), lambda: _json(edgar_data.company_facts(self.cabinet, cik)))

    def company_concept(self, cik: int, taxonomy: str, tag: str) -> Prepared | None:
        """One concept of a company."""
        return _json(edgar_data.company_concept(self.cabinet, cik, taxonomy, tag))

    def frame(self, taxonomy: str, tag: str, unit: str, period: str) -> Prepared | None:
        """One concept of everybody."""
        key = ("frame", taxonomy, tag, unit, period)
        return self._once(key, lambda: _json(edgar_data.frame(self.cabinet, taxonomy, tag, unit, period)))

    # -- indexes --------------------------------------------------------------------------------------------------------

    def index(self, year: int, quarter: int, name: str, *, daily: bool) -> Prepared | None:
        """A file of an index folder, or the folder."""
        if quarter not in (1, 2, 3, 4) or not 1993 <= year <= self.world.today.year:
            return None
        return self._once((daily, year, quarter, name), lambda: self._index(year, quarter, name, daily=daily))

    def _index(self, year: int, quarter: int, name: str, *, daily: bool) -> Prepared | None:
        if name in {"", "index.json"}:
            return self._index_folder(year, quarter, daily=daily)
        kind, _, rest = name.partition(".")
        if kind not in edgar_lists.KINDS:
            return None
        return self._daily(year, quarter, kind, rest) if daily else self._quarterly(year, quarter, kind, rest)

    def _daily(self, year: int, quarter: int, kind: str, rest: str) -> Prepared | None:
        days = edgar_lists.daily_days(self.cabinet, year, quarter)
        day = next((day for day in days if rest == f"{day:%Y%m%d}.idx"), None)
        if day is None:
            return None
        text = edgar_lists.index_file(edgar_lists.entries(self.cabinet, day, day), kind, day, daily=True)
        return www(text.encode("latin-1", "replace"), "text/plain", _rebuilt(day), etag=True)

    def _quarterly(self, year: int, quarter: int, kind: str, rest: str) -> Prepared | None:
        first, last = quarter_days(year, quarter)
        newest = previous_business_day(self.world.today)
        if rest not in {"idx", "gz"} or first > newest:
            return None
        end = min(last, newest)
        text = edgar_lists.index_file(edgar_lists.entries(self.cabinet, first, end), kind, end, daily=False)
        body = text.encode("latin-1", "replace")
        if rest == "gz":
            return www(gzip.compress(body, 6, mtime=0), "application/x-gzip", _rebuilt(end), etag=True)
        return www(body, "text/plain", _rebuilt(end), etag=True)

    def _index_folder(self, year: int, quarter: int, *, daily: bool) -> Prepared | None:
        tree = "daily-index" if daily else "full-index"
        files: list[tuple[str, int, dt.datetime]] = []
        if daily:
            for day in edgar_lists.daily_days(self.cabinet, year, quarter):
                rows = len(edgar_lists.entries(self.cabinet, day, day))
                files += [(f"{kind}.{day:%Y%m%d}.idx", 458 + 142 * rows, _rebuilt(day)) for kind in edgar_lists.KINDS]
            files.sort()
        else:
            for kind in edgar_lists.KINDS:
                for suffix in ("gz", "idx"):
                    made = self._quarterly(year, quarter, kind, suffix)
                    if made is not None and made.last_modified is not None:
                        files.append((f"{kind}.{suffix}", len(made.body), made.last_modified))
        if not files:
            return None
        listing = edgar_lists.folder(f"{tree}/{year}/QTR{quarter}/", files, "../")
        return www(dumps(listing), "application/json", None)

    # -- filings --------------------------------------------------------------------------------------------------------

    def _filing(self, cik: int, accession: str) -> Filing | None:
        """The filing, when ``cik`` is one of its parties: under any of them the same files are found."""
        filing = self.cabinet.find(accession)
        return filing if filing is not None and any(party.cik == cik for party in filing.parties) else None

    def folder(self, cik: int, accession: str) -> Prepared | None:
        """``index.json`` of a filing."""
        filing = self._filing(cik, accession)
        if filing is None:
            return None
        body = sgml.folder_json(filing, self.cabinet.documents(filing), cik)
        return www(body, "application/json", filing.accepted)

    def index_page(self, cik: int, accession: str) -> Prepared | None:
        """The index page of a filing."""
        filing = self._filing(cik, accession)
        if filing is None:
            return None
        page = sgml.index_page(filing, self.cabinet.documents(filing), cik, self.cabinet.size(filing))
        return www(page.encode(), "text/html", filing.accepted)

    def index_headers(self, cik: int, accession: str) -> Prepared | None:
        """The page of a filing's headers."""
        filing = self._filing(cik, accession)
        if filing is None:
            return None
        page = sgml.index_headers(filing, self.cabinet.documents(filing))
        return www(page.encode("latin-1", "replace"), "text/html", filing.accepted)

    def submission(self, cik: int, accession: str) -> Prepared | None:
        """The complete submission, the same bytes under each party's number."""
        filing = self._filing(cik, accession)
        if filing is None:
            return None
        return self._once(
            ("submission", accession),
            lambda: www(self.cabinet.submission(filing), "text/plain", filing.accepted, etag=True),
        )

    def document(self, cik: int, accession: str, path: str) -> Prepared | None:
        """A file of a filing, or the rendering of an ownership form."""
        filing = self._filing(cik, accession)
        if filing is None:
            return None
        return self._once(("document", accession, path), lambda: self._document(filing, path))

    def _document(self, filing: Filing, path: str) -> Prepared | None:
        folder, _, name = path.rpartition("/")
        document = next((d for d in self.cabinet.documents(filing) if d.filename == name), None)
        if document is None or (folder and path != filing.primary):
            return None
        if folder:
            return www(sgml.styled_ownership(filing, document), "text/html", filing.accepted)
        return www(document.content, content_type(name), filing.accepted)

    # -- feed, search, truth --------------------------------------------------------------------------------------------

    def feed(self, form: str, owner: str, start: int, count: int, now: dt.datetime) -> Prepared | None:
        """A page of current filings."""
        if now.astimezone(eastern(self.world.today, dt.time(12)).tzinfo).date() != self.world.today:
            now = eastern(self.world.today, dt.time(21, 59))
        text = edgar_lists.current_feed(self.cabinet, form, owner, start, count, now)
        if text is None:
            return None
        return www(text.encode("latin-1", "replace"), "application/atom+xml", None, extra={"Cache-Control": "no-cache"})

    def search(self, wanted: edgar_lists.Search) -> Prepared | None:
        """The full-text search."""
        return www(dumps(edgar_lists.search(self.cabinet, wanted)), "application/json", None)

    def truth(self, what: str, accession: str) -> dict[str, Any] | None:
        """Facts or items of a filing's main document, or the subsidiaries of its exhibit, and the document's digest."""
        filing = self.cabinet.find(accession)
        if filing is None or filing.written is None or what not in {"facts", "items", "subsidiaries"}:
            return None
        if what == "subsidiaries":
            return self._subsidiaries(filing)
        main = self.cabinet.documents(filing)[0]
        known: dict[str, Any] = {
            "accession": accession,
            "form": filing.form,
            "document": main.filename,
            "sha256": hashlib.sha256(main.content).hexdigest(),
            "bytes": len(main.content),
        }
        if what == "facts":
            return known | {"facts": [_fact(fact) for fact in self.cabinet.facts(filing)]}
        items = [
            {"part": i.part, "item": i.item, "title": i.title, "anchor": i.anchor, "start": i.start, "end": i.end}
            for i in self.cabinet.items(filing)
        ]
        return known | {"items": items}

    def _subsidiaries(self, filing: Filing) -> dict[str, Any] | None:
        document = next((each for each in self.cabinet.documents(filing) if each.type.startswith("EX-21")), None)
        company = filing.parties[-1].company
        if document is None or company is None or filing.report is None:
            return None
        # A fiscal year bears the number of the calendar year in which it ends.
        listed = exhibits.subsidiaries(company, self.world.seed, filing.report.year)
        return {
            "accession": filing.accession,
            "form": filing.form,
            "document": document.filename,
            "sha256": hashlib.sha256(document.content).hexdigest(),
            "bytes": len(document.content),
            "subsidiaries": [{"name": each.name, "jurisdiction": each.place} for each in listed],
        }


def _json(value: Any, *, shared: bool = False) -> Prepared | None:
    return None if value is None else data(dumps(value), shared=shared)


def _fact(fact: Fact) -> dict[str, Any]:
    value = f"{fact.value:f}" if isinstance(fact.value, Decimal) else fact.value
    return {
        "concept": fact.concept,
        "start": fact.period.start.isoformat() if fact.period.start else None,
        "end": fact.period.end.isoformat(),
        "unit": fact.unit,
        "value": value,
        "numeric": fact.unit is not None,
        "nil": fact.value is None,
        "decimals": fact.decimals,
        "dimensions": [{"axis": d.axis, "member": d.member, "typed": d.typed} for d in fact.dimensions],
    }


def _rebuilt(day: dt.date) -> dt.datetime:
    """When the index that ends with ``day`` was built: late that evening."""
    return eastern(day, dt.time(22, 3, 11))
