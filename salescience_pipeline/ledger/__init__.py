"""The service database: what processes must agree on at once. SQLite by default, PostgreSQL for more than one machine.

Here live the providers' gate rows and the watchlist with its history; :class:`Ledger` opens them, migrated. What does
not belong here: data (the lake keeps it), Dagster's own storage, and HTTP.
"""

from salescience_pipeline.ledger.ledger import Ledger

__all__ = ["Ledger"]
