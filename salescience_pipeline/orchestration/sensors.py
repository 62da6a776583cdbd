"""The sensors: what runs because something happened.

``watchlist`` gives a new ticker its partition and its history; ``new_filings`` follows the daily index and runs only
the companies that filed. Both are shipped stopped, and both may repeat a tick without running anything twice. What does
not belong here: submitted jobs (``submissions``), and what runs at a time (``schedules``).
"""

from collections.abc import Sequence

import dagster as dg

from salescience_pipeline.catalog.scopes import Scope
from salescience_pipeline.orchestration.partitions import TICKERS, contiguous
from salescience_pipeline.orchestration.resources import ServicesResource, refuse_other_world

_RANGE_START, _RANGE_END, _PARTITION = (
    "dagster/asset_partition_range_start",
    "dagster/asset_partition_range_end",
    "dagster/partition",
)
_RUNS_PER_TICK = 40
"""Creating a run costs about a sixth of a second; a tick has sixty."""


def build_sensors() -> list[dg.SensorDefinition]:
    """All sensors of the acquisition location."""
    return [watchlist, new_filings]


def partition_tags(first: str, last: str) -> dict[str, str]:
    """Run tags for one partition, or for a range of neighbours in a single run."""
    return {_PARTITION: first} if first == last else {_RANGE_START: first, _RANGE_END: last}


def _run_requests(job: str, keys: Sequence[str], ordered: Sequence[str], prefix: str) -> list[dg.RunRequest]:
    return [
        dg.RunRequest(run_key=f"{prefix}/{first}..{last}", job_name=job, tags=partition_tags(first, last))
        for first, last in contiguous(keys, ordered)
    ]


@dg.sensor(
    name="watchlist",
    job_name="company_history",
    minimum_interval_seconds=30,
    description="Gives each new ticker of the watchlist a partition and starts its history; a ticker that leaves the "
    "watchlist keeps its partition and its data.",
    default_status=dg.DefaultSensorStatus.STOPPED,
)
def watchlist(context: dg.SensorEvaluationContext, services: ServicesResource) -> dg.SensorResult | dg.SkipReason:
    """Compare the watchlist with the ticker partitions."""
    refuse_other_world(context.instance, services.settings())
    followed = services.get().scope_tickers(Scope.ENTIRE_WATCHLIST)
    known = context.instance.get_dynamic_partitions("tickers")
    new = [ticker for ticker in followed if ticker not in set(known)]
    if not new:
        return dg.SkipReason(f"All {len(followed)} tickers of the watchlist have their partition.")
    requests = _run_requests("company_history", new, [*known, *new], "history")[:_RUNS_PER_TICK]
    covered = {key for request in requests for key in _keys_of(request, new)}
    return dg.SensorResult(
        run_requests=requests,
        dynamic_partitions_requests=[TICKERS.build_add_request([str(ticker) for ticker in new if ticker in covered])],
    )


def _keys_of(request: dg.RunRequest, ordered: Sequence[str]) -> Sequence[str]:
    tags = request.tags
    if _PARTITION in tags:
        return [tags[_PARTITION]]
    first, last = ordered.index(tags[_RANGE_START]), ordered.index(tags[_RANGE_END])
    return ordered[first : last + 1]


@dg.asset_sensor(
    asset_key=dg.AssetKey("core_sec__filings_daily"),
    name="new_filings",
    job_name="company_filings",
    minimum_interval_seconds=30,
    description="After a daily index: runs the companies of the watchlist that filed something whose documents are not "
    "known yet, and only those.",
    default_status=dg.DefaultSensorStatus.STOPPED,
)
def new_filings(
    context: dg.SensorEvaluationContext, asset_event: dg.EventLogEntry, services: ServicesResource
) -> dg.SensorResult | dg.SkipReason:
    """Find the companies whose newest filings only the index knows."""
    known = context.instance.get_dynamic_partitions("tickers")
    waiting = [ticker for ticker in services.get().tickers_with_unread_filings() if ticker in set(known)]
    if not waiting:
        return dg.SkipReason("No company of the watchlist filed anything new.")
    materialization = asset_event.asset_materialization
    day = materialization.partition if materialization and materialization.partition else str(asset_event.timestamp)
    return dg.SensorResult(
        run_requests=_run_requests("company_filings", waiting, known, f"filings/{day}")[:_RUNS_PER_TICK]
    )
