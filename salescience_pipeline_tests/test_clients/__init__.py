"""Tests of HTTP out."""
