"""The documents engine, on filings that we made ourselves and, where SALESCIENCE_CORPUS points at them, on recorded ones."""
