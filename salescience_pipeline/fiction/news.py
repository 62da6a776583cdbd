"""The one stream of fictional news that every provider of news draws from, each with its own ids and addresses.

A story depends on the seed, its day and its company, never on how many companies there are; nothing is written before it
is asked for. Results come as press releases at the moment of their announcement (``earnings``). Press releases reach
Finnhub in several copies, and most stories reach only one of the providers. What does not belong here: wire formats.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

from salescience_pipeline.fiction import news_words
from salescience_pipeline.fiction.companies import FIRST_CIK, Company, chance, short_name
from salescience_pipeline.fiction.earnings import Earnings
from salescience_pipeline.fiction.happenings import Happenings, MovedEarnings, NewsEvent
from salescience_pipeline.fiction.news_words import OUTLETS, WIRES, Outlet, Text
from salescience_pipeline.fiction.world import World

NEWS_FROM = dt.date(2019, 1, 1)
"""The first day with news: the day of the first filings."""
CATEGORIES = ("general", "forex", "crypto", "merger")
"""Categories of stories that are about no company."""
_BLOCK = 64
"""Companies whose stories of a day come from one draw."""
_OFTEN, _SELDOM, _WEEKEND = 0.7, 0.12, 0.3
"""Stories per day about one of the first twelve companies and about any other, and what is left of them at weekends."""
_SLOTS = 1 << 16
"""Finnhub ids of one minute: two for each company, then those of the market and of events."""
_MARKET_SLOT, _EVENT_SLOT = 63_000, 64_000
_APART = 4
"""Minutes between two stories about a company, so that the copies of a release get ids of their own."""


@dataclass(frozen=True, slots=True)
class Story:
    """One story, as its publisher has it."""

    key: str
    """Names the story for ever."""
    published: dt.datetime
    """UTC, whole seconds."""
    tickers: tuple[str, ...]
    """Canonical; empty for a story about the market."""
    text: Text
    outlet: Outlet
    author: str
    category: str
    release: bool
    finnhub: tuple[int, ...]
    """Its ids at Finnhub, one for each copy; empty when it never gets there."""
    polygon: tuple[str, ...]
    """Its ids at Polygon."""
    insights: tuple[tuple[str, str, str], ...] = ()
    """Ticker, sentiment and why, as Polygon adds them."""

    @property
    def slug(self) -> str:
        """The title as a part of an address."""
        return re.sub(r"[^a-z0-9]+", "-", self.text.title.lower()).strip("-")[:80]

    @property
    def url(self) -> str:
        """Where its publisher has it."""
        return f"{self.outlet.home}{self.published:%Y/%m/%d}/{self.slug}"


@dataclass(frozen=True, slots=True)
class _Sketch:
    """A story before it is written."""

    index: int
    number: int
    minute: int
    companion: int | None


class Newsroom:
    """The stories of one world.

    Args:
        world: who exists.
        earnings: when results are told.
        happenings: late, doubled and corrected stories are read here.
        moment: gives the moment (UTC) up to which stories are out.
    """

    def __init__(
        self, world: World, earnings: Earnings, happenings: Happenings, moment: Callable[[], dt.datetime]
    ) -> None:
        self._world = world
        self._earnings = earnings
        self._happenings = happenings
        self._moment = moment
        self._sketches = lru_cache(maxsize=20_000)(self._sketch_block)
        self._written = lru_cache(maxsize=20_000)(self._write)
        self._known_blocks: tuple[int, list[int]] = (0, [])

    # -- questions --------------------------------------------------------------------------------------------------

    def moment(self) -> dt.datetime:
        """The moment up to which stories are out."""
        return self._moment()

    def day(self, day: dt.date, company: Company | None = None) -> list[Story]:
        """The stories of one UTC day that are out, oldest first: all of them, or those that name ``company``."""
        now = self._moment()
        if not NEWS_FROM <= day <= now.date():
            return []
        stories = [*self._regular(day, company), *self._results(day, company)]
        if company is None or company.kind == "etf":
            stories += self._market(day)
        stories = self._with_events(day, company, stories)
        if company is not None:
            stories = [story for story in stories if company.ticker in story.tickers]
        return sorted((s for s in stories if s.published <= now), key=lambda s: (s.published, s.key))

    def market(self, day: dt.date) -> list[Story]:
        """The stories of one UTC day that are about no company in particular and are out, oldest first."""
        now = self._moment()
        if not NEWS_FROM <= day <= now.date():
            return []
        return sorted((s for s in self._market(day) if s.published <= now), key=lambda s: (s.published, s.key))

    def days(self, first: dt.date, last: dt.date, company: Company | None, *, newest: bool) -> Iterator[Story]:
        """Stories from ``first`` to ``last`` (UTC days), in either order, written as they are taken."""
        first, last = max(first, NEWS_FROM), min(last, self._moment().date())
        span = (last - first).days + 1
        for k in range(span):
            stories = self.day(last - dt.timedelta(days=k) if newest else first + dt.timedelta(days=k), company)
            yield from reversed(stories) if newest else stories

    def check(self, event: NewsEvent) -> NewsEvent:
        """The event with its ticker in canonical form.

        Raises:
            ValueError: for an unknown ticker, a day that is not over or too long ago, or a day without a story where
                one is needed.
        """
        company = self._world.company(event.ticker)
        if company is None:
            raise ValueError(f"{event.ticker!r} is not a security of this world.")
        if not NEWS_FROM <= event.date <= self._moment().date():
            raise ValueError(f"There are news from {NEWS_FROM} to {self._moment().date()}, not on {event.date}.")
        event = replace(event, ticker=company.ticker)
        if event.kind != "late_news" and not self.day(event.date, company):
            raise ValueError(f"{company.ticker} has no news on {event.date}.")
        return event

    # -- parts ------------------------------------------------------------------------------------------------------

    def _blocks(self, company: Company | None) -> list[int]:
        if company is not None:
            return [(company.cik - FIRST_CIK) // _BLOCK] if company.kind != "etf" else []
        companies = self._world.companies
        if self._known_blocks[0] != len(companies):
            self._known_blocks = (len(companies), sorted({(c.cik - FIRST_CIK) // _BLOCK for c in companies}))
        return self._known_blocks[1]

    def _regular(self, day: dt.date, company: Company | None) -> Iterator[Story]:
        wanted = None if company is None else company.cik - FIRST_CIK
        for block in self._blocks(company):
            for sketch in self._sketches(day, block):
                if wanted is None or wanted in {sketch.index, sketch.companion}:
                    story = self._written(day, sketch, self._world.version)
                    if story is not None:
                        yield story

    def _sketch_block(self, day: dt.date, block: int) -> tuple[_Sketch, ...]:
        rng = chance(self._world.seed, "news", day, block)
        share = _WEEKEND if day.weekday() > 4 else 1.0
        sketches: list[_Sketch] = []
        first = block * _BLOCK
        for index in range(first, first + _BLOCK):
            mean = (_OFTEN if index < 12 else _SELDOM) * share
            drawn = rng.random()
            count = (drawn < mean) + (drawn < mean * 0.25)
            begin = rng.randrange(5 * 60, 23 * 60)
            for number in range(count):
                # A companion comes before the company, so that it exists in every world in which the company does.
                companion = rng.randrange(first, index) if index > first and rng.random() < 0.2 else None
                minute = begin + number * (_APART + rng.randrange(40))
                sketches.append(_Sketch(index, number, minute, companion))
        return tuple(sketches)

    def _write(self, day: dt.date, sketch: _Sketch, version: int) -> Story | None:
        """The story of a sketch; ``None`` when its company does not exist (any more); ``version`` is the world's."""
        del version
        company = self._at(sketch.index, day)
        if company is None:
            return None
        rng = chance(self._world.seed, "story", day, sketch.index, sketch.number)
        release = rng.random() < 0.25
        published = dt.datetime.combine(day, dt.time(), dt.UTC) + dt.timedelta(minutes=sketch.minute)
        other = None if sketch.companion is None or release else self._at(sketch.companion, day)
        companies = (company,) if other is None else (company, other)
        where = rng.random()
        return self._story(
            f"{day}/{sketch.index}/{sketch.number}",
            published,
            companies,
            news_words.company_text(rng, self._words(company), release=release),
            release=release,
            slot=sketch.index * 2,
            finnhub=release or where < 0.75,
            polygon=release or where >= 0.3,
        )

    def _results(self, day: dt.date, company: Company | None) -> Iterator[Story]:
        """Press releases about results: those due on this day and those moved to it, less those moved away."""
        due = [row for row in self._earnings.on(day) if company is None or row[0] == company]
        moved = {
            (c.ticker, old): new
            for c in ((company,) if company is not None else self._movers())
            for old, new in self._happenings.moves(c.ticker).items()
        }
        due = [row for row in due if (row[0].ticker, day) not in moved]
        for (ticker, old), new in moved.items():
            if new == day:
                due += [row for row in self._earnings.on(old) if row[0].ticker == ticker]
        for told, year, number in due:
            published = self._earnings.moment(told, day).astimezone(dt.UTC)
            yield self._story(
                f"results/{told.cik}/{year}/{number}",
                published,
                (told,),
                news_words.results_text(self._words(told), year, number),
                release=True,
                slot=(told.cik - FIRST_CIK) * 2 + 1,
                finnhub=True,
                polygon=True,
            )

    def _movers(self) -> list[Company]:
        tickers = {h.ticker for h in self._happenings.all if isinstance(h, MovedEarnings)}
        return [c for ticker in sorted(tickers) if (c := self._world.company(ticker)) is not None]

    def _market(self, day: dt.date) -> Iterator[Story]:
        rng = chance(self._world.seed, "market news", day)
        funds = [fund for fund in self._world.etfs if rng.random() < 0.5]
        categories = ["general"] * (3 if day.weekday() < 5 else 1) + ["forex", "crypto"]
        if rng.random() < 0.3:
            categories.append("merger")
        for number, category in enumerate(categories):
            minute = rng.randrange(24 * 60)
            published = dt.datetime.combine(day, dt.time(), dt.UTC) + dt.timedelta(minutes=minute)
            general = category == "general"
            yield self._story(
                f"{day}/market/{number}",
                published,
                tuple(funds) if general else (),
                news_words.market_text(rng, category),
                release=False,
                slot=_MARKET_SLOT + number,
                finnhub=True,
                polygon=general and bool(funds),
                category=category,
            )

    def _story(
        self,
        key: str,
        published: dt.datetime,
        companies: tuple[Company, ...],
        text: Text,
        *,
        release: bool,
        slot: int,
        finnhub: bool,
        polygon: bool,
        category: str = "company",
    ) -> Story:
        rng = chance(self._world.seed, "print", key)
        outlet = rng.choice(WIRES if release else OUTLETS)
        author = news_words.writer(rng, outlet)
        copies = rng.choice((1, 2, 2, 3)) if release else 1
        judged = companies if rng.random() < 0.6 else ()
        insights = tuple(
            (c.ticker, news_words.SENTIMENTS[text.tone], news_words.reason(short_name(c), text.tone)) for c in judged
        )
        first = self._number(published, slot)
        return Story(
            key=key,
            published=published,
            tickers=tuple(c.ticker for c in companies),
            text=text,
            outlet=outlet,
            author=author,
            category=category,
            release=release,
            # Copies of a release come in minutes apart, with ids of their own, and all bear the release's time.
            finnhub=tuple(first + k * _SLOTS for k in range(copies)) if finnhub else (),
            polygon=(self._name(key),) if polygon else (),
            insights=insights,
        )

    # -- events -----------------------------------------------------------------------------------------------------

    def _with_events(self, day: dt.date, company: Company | None, stories: list[Story]) -> list[Story]:
        events = [
            event
            for event in self._happenings.news()
            if event.date == day and (company is None or event.ticker == company.ticker)
        ]
        for event in events:
            if event.kind == "late_news":
                stories.append(self._late(event))
                continue
            named = [story for story in stories if event.ticker in story.tickers]
            if not named:
                continue
            first = min(named, key=lambda s: (s.published, s.key))
            stories[stories.index(first)] = (
                self._corrected(first, event) if event.kind == "corrected_news" else self._doubled(first, event)
            )
        return stories

    def _late(self, event: NewsEvent) -> Story:
        company = self._world.company(event.ticker)
        if company is None:
            raise ValueError(f"{event.ticker!r} is not a security of this world.")
        rng = chance(self._world.seed, "late", event.ticker, event.date, event.serial)
        text = news_words.company_text(rng, self._words(company), release=False)
        published = dt.datetime.combine(event.date, dt.time(13, 4, event.serial % 60), dt.UTC)
        story = self._story(
            f"late/{event.ticker}/{event.date}/{event.serial}",
            published,
            (company,),
            replace(text, title=event.title or text.title),
            release=False,
            slot=0,
            finnhub=True,
            polygon=True,
        )
        # It got its number when it arrived, not when it was written.
        return replace(story, finnhub=(self._arrival(event),))

    def _corrected(self, story: Story, event: NewsEvent) -> Story:
        title = event.title or f"Correction: {story.text.title}"
        summary = f"A former version of this story was wrong. {story.text.summary}"
        return replace(story, text=replace(story.text, title=title, summary=summary))

    def _doubled(self, story: Story, event: NewsEvent) -> Story:
        return replace(
            story,
            finnhub=(*story.finnhub, self._arrival(event)) if story.finnhub else (),
            polygon=(*story.polygon, self._name(f"{story.key}/again/{event.serial}")) if story.polygon else (),
        )

    def _arrival(self, event: NewsEvent) -> int:
        """A Finnhub id above all that were given before the event."""
        midnight = dt.datetime.combine(self._world.today, dt.time(23, 59), dt.UTC)
        return self._number(midnight, _EVENT_SLOT) + event.serial

    # -- names ------------------------------------------------------------------------------------------------------

    @staticmethod
    def _number(published: dt.datetime, slot: int) -> int:
        """A Finnhub id: it grows with the time of publication."""
        day = (published.date() - NEWS_FROM).days
        minute = published.hour * 60 + published.minute
        return 100_000_000 + (day * 1440 + minute) * _SLOTS + slot

    def _name(self, key: str) -> str:
        """A Polygon id: 64 hexadecimal digits."""
        return hashlib.sha256(f"{self._world.seed}/{key}".encode()).hexdigest()

    def _at(self, index: int, day: dt.date) -> Company | None:
        """The company with this index, if it was listed on ``day``."""
        company = self._world.by_cik(FIRST_CIK + index)
        if company is None or day < company.listed:
            return None
        last = self._world.delisted(company)
        return None if last is not None and day > last else company

    @staticmethod
    def _words(company: Company) -> dict[str, str]:
        return {
            "short": short_name(company),
            "ticker": company.ticker,
            "city": company.city,
            "industry": company.industry or "Funds",
        }
