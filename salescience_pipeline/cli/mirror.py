"""``salescience mirror``: the lake copied to an object store, or back."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from salescience_pipeline.cli.console import AsJson, Corpus, Home, Live, out, settings_for, show_json


def mirror(
    url: Annotated[str, typer.Argument(help="s3://bucket/folder, gs://bucket/folder, abfs://... or file:///folder.")],
    back: Annotated[bool, typer.Option("--back", help="From there into an empty lake here.")] = False,
    as_json: AsJson = False,
    live: Live = False,
    corpus: Corpus = None,
    home: Home = None,
) -> None:
    """Copy the lake to an object store, or from there back; only what is new travels, and nothing is deleted.

    Credentials are those of the machine, as the stores' own tools find them. Other programs can read the tables there.
    """
    from salescience_pipeline.lake.mirror import pull, push, store_at  # noqa: PLC0415

    lake = settings_for(live=live, corpus=corpus, home=home).lake_dir
    store, folder = store_at(url)
    done = pull(lake, store, folder) if back else push(lake, store, folder)
    if as_json:
        show_json(asdict(done))
        return
    out.print(f"{done.copied:,} files copied ({done.bytes:,} bytes), {done.kept:,} were there already.")
