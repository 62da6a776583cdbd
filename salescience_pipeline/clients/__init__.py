"""HTTP out: one transport for every provider, and one file per provider for what is special about it.

``model`` holds the values that cross the seams, ``plan`` the request plan, ``errors`` the error tree, ``gate`` the pure
rate-limit and breaker state machine, ``transport`` the only import of httpx. What does not belong here: tables,
files and databases; their rooms implement the small protocols declared in ``model``.
"""
