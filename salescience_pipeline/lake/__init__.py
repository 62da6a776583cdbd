"""Where bytes live: the archive of raw answers, the Delta tables and the published DuckDB warehouse.

``layout`` is the path grammar, ``archive`` keeps provider answers verbatim, ``tables`` writes and reads the catalogue's
tables (``delta`` speaks to the Delta log, ``merging`` computes what a write changes), ``maintenance`` rewrites small files
and deletes dead ones, ``warehouse`` publishes DuckDB files, ``verify`` checks all of it. What does not belong here: HTTP,
Dagster, and any knowledge of a provider.
"""
