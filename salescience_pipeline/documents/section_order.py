"""Order among the lines that name items: which are lines of a list, and which chain of headings a document has.

What does not belong here: where a section ends (``section_ends``).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from salescience_pipeline.documents.item_lines import Candidate, Headings, IndexRow
from salescience_pipeline.documents.items import ItemTable

GAP = 300
"""Characters between two headings of a list of items; sections are nearly always longer."""
_SOON = 700
"""Characters: a heading that comes again within them has been announced, not opened."""
_LIST_LENGTH = 4


def inside(byte: int, spans: Iterable[tuple[int, int]]) -> bool:
    """Whether a byte lies in one of the spans."""
    return any(start <= byte < end for start, end in spans)


def fits(ordered: list[tuple[int, int]], start: int, place: int) -> bool:
    """Whether an item at ``start`` keeps the order of those found."""
    position = bisect_left(ordered, (start, place))
    before = ordered[position - 1][1] if position else -1
    after = ordered[position][1] if position < len(ordered) else 1_000
    return before < place < after


def mark_lists(headings: Headings) -> set[Candidate]:
    """The candidates that are lines of a list of items (a table of contents, a cross-reference list) and no headings."""
    candidates = headings.candidates
    runs: list[list[Candidate]] = []
    run: list[Candidate] = []
    for candidate in candidates:
        if run and (
            candidate.text - run[-1].text - len(run[-1].title) > GAP or candidate.items[-1] <= run[-1].items[0]
        ):
            runs.append(run)
            run = []
        run.append(candidate)
    if run:
        runs.append(run)
    listed: set[Candidate] = set()
    for run in sorted(runs, key=lambda each: -len({candidate.items for candidate in each})):
        keys = {candidate.items for candidate in run}
        if len(keys) < _LIST_LENGTH:
            if (len(run) >= 2 and all(candidate.page_reference for candidate in run)) or _repeated(run, candidates):
                listed.update(run)
            continue
        pages = sum(candidate.page_reference for candidate in run)
        ids = set(map(id, run))
        elsewhere = {
            item
            for candidate in candidates
            if id(candidate) not in ids and candidate not in listed and candidate.weight >= 3
            for item in candidate.group or candidate.items
        }
        covered = sum(any(item in elsewhere for item in key) for key in keys)
        if pages >= 0.6 * len(run) or covered >= 0.5 * len(keys):
            listed.update(run)
    return listed


def _repeated(run: list[Candidate], candidates: list[Candidate]) -> bool:
    """Whether every line of a short list (on a cover, say) comes again, as clear as here; for one line: soon after."""
    reach = run[-1].text + (_SOON if len(run) == 1 else 1 << 40)
    later = {
        candidate.items
        for candidate in candidates
        if run[-1].text < candidate.text <= reach and candidate.weight >= run[0].weight and candidate not in run
    }
    return all(candidate.items in later for candidate in run)


@dataclass(frozen=True, slots=True)
class _Link:
    """The last candidate of a chain, the items that it opens, and the chain before it."""

    before: _Link | None
    candidate: Candidate
    places: tuple[int, ...]


def best_chain(
    candidates: list[Candidate], table: ItemTable, bonus: Callable[[Candidate, int], float]
) -> dict[int, Candidate]:
    """The candidates of greatest weight that follow the order of the form, each item once: item -> candidate.

    Dynamic programming over the candidates by position: the best chain that ends at or before each item of the form. Of
    equal chains the one that began earlier stays, so that a repeated heading does not move an item.

    Args:
        candidates: by position.
        table: the items of the form.
        bonus: what speaks for or against a candidate as a certain item, added to its weight.
    """
    size = len(table.items)
    best: list[tuple[float, _Link | None]] = [(0.0, None)] * (size + 1)
    for candidate in candidates:
        updates = []
        for item in candidate.items:
            gain = candidate.weight + bonus(candidate, item)
            if gain > 0:
                places = candidate.group or (item,)
                weight, before = best[min(places)]
                updates.append((max(places), weight + gain, _Link(before, candidate, places)))
        for last, weight, longer in updates:
            for end in range(last + 1, size + 1):
                if weight <= best[end][0]:
                    break
                best[end] = (weight, longer)
    chain: dict[int, Candidate] = {}
    link = best[size][1]
    while link is not None:
        chain.update(dict.fromkeys(link.places, link.candidate))
        link = link.before
    return chain


def rows_of_parts(rows: list[IndexRow]) -> list[tuple[int, IndexRow]]:
    """The rows of lists of items with one item each: of several possible ones the one that keeps the order."""
    found = []
    last = -1
    for row in rows:
        last = next((place for place in row.items if place > last), row.items[0])
        found.append((last, row))
    return found
