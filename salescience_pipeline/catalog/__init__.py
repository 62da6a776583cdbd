"""What exists, as rows and without IO: providers, datasets, scopes, tables and columns.

Parquet schemas, Dagster column schemas, schema checks, dbt sources and the data dictionary are all generated from here.
What does not belong here: anything that fetches, reads or writes.
"""
