"""Tests of the lake: the path grammar, the archive, the tables, the warehouse and what verifies them."""
