"""The second code location: dbt's models as assets over the lake, published as one DuckDB warehouse.

It is apart because importing dagster_dbt costs every run process about four CPU seconds. What does not belong here: SQL
(it stands in the folder ``dbt``), and anything that fetches.
"""
