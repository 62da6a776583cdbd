"""The garbage collector and the making of many objects that stay.

What does not belong here: what is made.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def paused() -> Iterator[None]:
    """Without automatic collections: a document's cells and facts all stay, so that looking for garbage finds none.

    That look is five hundredths of the time of reading a filing. Whoever has turned the collector off finds it off
    afterwards; of two threads the first to be done turns it on again, which costs the other nothing but time.
    """
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
