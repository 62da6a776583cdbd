"""The ``salescience`` command: everything that people do at a terminal.

One file per family of commands; ``app`` puts them together and turns errors into one sentence. What does not belong here:
work. A command parses, calls another room, and shows what came back; heavy rooms are imported when a command needs them,
so that ``--help`` answers at once.
"""

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line; a known error is one sentence on standard error and exit code 2.

    ``documents`` reads single files for other programs, often and with a budget: it starts without settings, tables and the
    other commands, in half the time and memory.
    """
    if sys.argv[1:2] == ["documents"]:
        from salescience_pipeline.cli.documents import app  # noqa: PLC0415

        app(sys.argv[2:], prog_name="salescience documents")
    else:
        from salescience_pipeline.cli.app import main as run  # noqa: PLC0415

        run()
