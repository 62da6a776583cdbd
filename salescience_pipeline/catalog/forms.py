"""The form types of EDGAR that may be asked for by name, and those that a company files once a year.

What does not belong here: which forms a dataset fetches when nobody says (``datasets``).
"""

from __future__ import annotations

ANNUAL_FORMS = frozenset({"10-K", "20-F", "40-F"})
"""Annual reports: their number follows from the years that were asked for, before anything is fetched."""

FORMS = frozenset(
    {
        "10-K", "10-Q", "8-K", "20-F", "40-F", "6-K", "3", "4", "5", "144", "11-K", "10-KT", "10-QT", "NT 10-K", "NT 10-Q",
        "S-1", "S-3", "S-4", "S-8", "S-11", "F-1", "F-3", "F-4", "424B1", "424B2", "424B3", "424B4", "424B5", "DEF 14A",
        "DEFA14A", "PRE 14A", "SC 13D", "SC 13G", "SCHEDULE 13D", "SCHEDULE 13G", "13F-HR", "N-CSR", "N-PORT-P", "ARS", "D",
        "SD", "25", "15-12G", "CORRESP", "UPLOAD", "425", "N-1A", "485BPOS", "497", "1-A", "1-K", "T-3",
    }
)  # fmt: skip
"""Form types by their base name; an amendment (``10-K/A``) belongs to its base form."""
