"""The providers' emulator: a real HTTP server on loopback that speaks every provider's wire format from invented data.

It stands alone: nobody imports it and it imports no other room but ``identifiers``, so that it can hold the clients to
account. What belongs here: what a provider answers. What does not: anything about how our own clients ask.
"""
