"""The room that knows Dagster: partitions, resources, assets, checks, jobs, schedules, sensors and failures.

Each file is one Dagster concept. The work itself is done by :mod:`salescience_pipeline.acquisition`; here it only gets a
run, a partition and a place in the UI. Nothing is wired at import: ``definitions.build_defs`` puts it together.
"""
