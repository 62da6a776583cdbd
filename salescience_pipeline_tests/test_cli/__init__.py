"""Tests of the command line, as people use it: real processes, real sandbox, real Dagster runs."""
