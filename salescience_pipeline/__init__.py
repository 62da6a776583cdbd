"""A self-hosted company-data platform on Dagster.

Nothing is imported here: each room (``clients``, ``lake``, ``documents``...) can be used alone, without Dagster.
"""

__version__ = "0.1.0"
