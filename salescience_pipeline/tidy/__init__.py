"""Raw answer -> Arrow table: pure functions, one file per subject.

A tidy function takes the answers about one subject and a :class:`~salescience_pipeline.tidy.model.TidyContext` and
returns rows in the catalogue's schema plus what it had to leave out and why. It never fetches, never writes, and never
guesses: an answer without its documented shape raises :class:`~salescience_pipeline.clients.errors.Contract`.
"""
