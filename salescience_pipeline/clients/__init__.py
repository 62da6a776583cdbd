"""HTTP out: one transport for every provider, and one file per provider for what is special about it.

``model`` holds the values that cross the seams, ``plan`` the request plan, ``errors`` the error tree. A provider's file
(``edgar``, ``tiingo``, ``yahoo``) has its recipes and its ``DIALECT``. Sending goes through ``transport``, which is put
together from ``gate`` (limit and breaker), ``courier`` (one request, step by step), ``pool`` (many at once), ``wire``
(receiving a body), ``classify`` (what answers mean) and ``redact`` (no secrets). What does not belong here: tables, files
and databases; their rooms implement the small protocols declared in ``model`` and ``exchange``.
"""
