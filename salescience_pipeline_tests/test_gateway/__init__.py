"""The service side: the ledger's private tables, the gateway, and the way from rows to runs."""
