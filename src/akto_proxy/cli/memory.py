"""What a long-lived process does about memory: settle what was built at its start, and give freed memory back.

A guard is built in a thread, from megabytes of rules. glibc keeps what such a thread frees in an arena of its own,
because the thread may want it again; it never does, so after some reloads a worker would be twice its size. The
trade-off: a call into the C library, which other C libraries do not have; there nothing is done.
"""

from __future__ import annotations

import ctypes
import gc
from functools import lru_cache
from typing import Any

SOME = 20_000
"""Objects made between two looks for rings: an exchange makes a few hundred and a batch of traces some ten thousand,
hardly any in rings; Python's own 700 made collecting a sixth of a call (docs/benchmarks.md)."""


def settle() -> None:
    """What was built so far lives as long as the process: keep the collector of garbage from walking it ever again."""
    gc.collect()
    give_back()
    gc.freeze()
    gc.set_threshold(SOME, 10, 100)


def give_back() -> bool:
    """Give free memory back to the system (glibc's `malloc_trim`); whether any was. It takes a few milliseconds.

    False too where the C library knows no such call.
    """
    trim = _trim()
    return trim is not None and bool(trim(0))


@lru_cache(maxsize=1)
def _trim() -> Any:
    return getattr(ctypes.CDLL(None), "malloc_trim", None)
