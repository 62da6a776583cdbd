"""The ``salescience`` command: everything that people do at a terminal.

One file per family of commands; ``app`` puts them together and turns errors into one sentence. What does not belong here:
work. A command parses, calls another room, and shows what came back; heavy rooms are imported when a command needs them,
so that ``--help`` answers at once.
"""

from salescience_pipeline.cli.app import main

__all__ = ["main"]
