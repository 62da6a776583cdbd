"""``python -m salescience_pipeline.sandbox``: the command line of the emulator and nothing else.

What does not belong here: serving (``server``) and answering (``app``).
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m salescience_pipeline.sandbox",
        description="Serve invented (or recorded) data in every provider's wire format, on loopback.",
    )
    parser.add_argument("--world", choices=("fictional", "corpus"), default=None, help="what to serve (fictional)")
    parser.add_argument("--corpus", type=Path, help="folder of recorded filings and answers; implies --world corpus")
    parser.add_argument("--seed", type=int, default=7, help="which fictional market (7)")
    parser.add_argument("--companies", type=int, default=12, help="how many operating companies (12)")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (127.0.0.1)")
    parser.add_argument("--port", type=int, default=0, help="port to listen on; 0 takes a free one (0)")
    parser.add_argument("--today", type=dt.date.fromisoformat, help="YYYY-MM-DD; freezes the market's date")
    parser.add_argument("--state-file", type=Path, help="where to write url, port and pid once ready")
    parser.add_argument("--exit-with-leases", action="store_true", help="end when every leased process is gone")
    parser.add_argument("--limits", default="off", help="real, off, or a JSON file of limits per provider (off)")
    parser.add_argument("--providers", help="which to serve, separated by commas (all)")
    return parser


def _limits(text: str) -> Any:
    return text if text in {"real", "off"} else json.loads(Path(text).read_text(encoding="utf-8"))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the sandbox; 0 after a clean end, 2 for arguments that make no sense or a port that is taken."""
    parser = _parser()
    options = parser.parse_args(argv)
    kind = options.world or ("corpus" if options.corpus else "fictional")
    if kind == "corpus" and (options.corpus is None or not options.corpus.is_dir()):
        parser.error("--world corpus needs --corpus with a folder that exists")
    from salescience_pipeline.sandbox import app, server  # noqa: PLC0415 - --help stays instant

    names = app.PROVIDERS if options.providers is None else tuple(options.providers.split(","))
    if unknown := sorted(set(names) - set(app.PROVIDERS)):
        parser.error(f"{unknown[0]!r} is not a provider: use {', '.join(app.PROVIDERS)}")
    try:
        sandbox = app.build(
            kind=kind,
            seed=options.seed,
            companies=options.companies,
            today=options.today,
            corpus=options.corpus if kind == "corpus" else None,
            limits=_limits(options.limits),
            providers=names,
        )
        server.serve(
            sandbox,
            host=options.host,
            port=options.port,
            state_file=options.state_file,
            by_leases=options.exit_with_leases,
        )
    except (OSError, ValueError) as error:
        sys.stderr.write(f"The sandbox cannot start: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
