"""Benchmarks: one module, one command each (``python -m benchmarks.NAME``); the last line printed is one JSON object."""
