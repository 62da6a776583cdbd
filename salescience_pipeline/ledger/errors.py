"""What can be wrong with the ledger itself. Each message is one sentence without the password of the database.

What does not belong here: errors of the lake (``lake.errors``).
"""

from __future__ import annotations


class LedgerError(Exception):
    """The service database cannot be used as asked."""
