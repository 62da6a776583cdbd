"""The fictional market and what its companies file: invented companies, sessions, prices, results, news and filings.

Pure functions of a seed and a day, consistent with one another, so that every provider's emulator answers from one truth.
What does not belong here: HTTP, wire formats and recorded answers; those are the sandbox's. Nobody but it imports this room.
"""
