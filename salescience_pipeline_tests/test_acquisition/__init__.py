"""Tests of the room ``acquisition``."""
