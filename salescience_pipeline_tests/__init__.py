"""Tests: one package per room, plus architecture, definitions, docs and end to end."""
