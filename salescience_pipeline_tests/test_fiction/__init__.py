"""The fictional market and its filings: consistent, lawful, the same for the same seed."""
