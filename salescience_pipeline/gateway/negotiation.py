"""Which form of an answer a client wants: its format by ``format`` or ``Accept``, its coding by ``Accept-Encoding``.

Pure functions. https://www.rfc-editor.org/rfc/rfc9110#name-proactive-negotiation What does not belong here: making either
form.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from salescience_pipeline.gateway.problems import Problem

FORMATS = {
    "json": "application/json",
    "ndjson": "application/x-ndjson",
    "csv": "text/csv",
    "parquet": "application/vnd.apache.parquet",
    "arrow": "application/vnd.apache.arrow.stream",
}
"""Name in ``?format=`` -> media type in ``Accept``; the first is what a client gets that does not mind."""
FORMAT_PATTERN = f"^({'|'.join(FORMATS)})$"
CODINGS = ("zstd", "gzip")
"""Content codings, the one that costs less for the same size first."""
_MOST_ITEMS = 50


def format_of(named: str | None, accept: str | None) -> str:
    """The format: the one that is named, else the one that ``Accept`` prefers, else JSON.

    Raises:
        Problem: 406 when ``Accept`` takes none of them.
    """
    if named is not None:
        return named
    if accept is None or not accept.strip():
        return "json"
    wanted = dict(_weights(accept))
    best, weight = "json", 0.0
    for name, media in FORMATS.items():
        kind = media.partition("/")[0]
        given = next((wanted[item] for item in (media, f"{kind}/*", "*/*") if item in wanted), 0.0)
        if given > weight:
            best, weight = name, given
    if not weight:
        raise Problem(406, "not_acceptable", f"There are {', '.join(FORMATS.values())}; Accept takes none of them.")
    return best


def coding_of(accept: str | None) -> str | None:
    """The content coding that ``Accept-Encoding`` prefers of ours; None for the plain bytes."""
    wanted = dict(_weights(accept or ""))
    best, weight = None, wanted.get("identity", 0.0) if "identity" in wanted else 0.0
    for name in CODINGS:
        given = wanted.get(name, wanted.get("*", 0.0))
        if given > weight or (given == weight > 0 and best is None):
            best, weight = name, given
    return best


def _weights(header: str) -> Iterator[tuple[str, float]]:
    """Each item of a header in lower case with its weight; what cannot be read counts as unwanted."""
    for item in _items(header):
        name, *parameters = (part.strip().lower() for part in item.split(";"))
        weight = 1.0
        for parameter in parameters:
            if parameter.startswith("q="):
                try:
                    weight = min(max(float(parameter[2:]), 0.0), 1.0)
                except ValueError:
                    weight = 0.0
        if name and weight == weight:  # noqa: PLR0124 - "q=nan" is a number for float()
            yield name, weight


def _items(header: str) -> Iterable[str]:
    return header.split(",", _MOST_ITEMS)[:_MOST_ITEMS]
