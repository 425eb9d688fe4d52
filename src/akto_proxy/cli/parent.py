"""A process that ends with the one that started it: a killed supervisor must leave no workers behind.

Trade-off: a call into the C library that Linux alone knows; elsewhere nothing is done.
"""

from __future__ import annotations

import ctypes
import os
import signal

_PR_SET_PDEATHSIG = 1
"""prctl(2)."""


def die_with(parent: int, number: signal.Signals = signal.SIGTERM) -> None:
    """Have this process get signal `number` when the process `parent`, which started it, ends; at once if it has."""
    try:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, number)
    except (OSError, AttributeError):
        return
    if os.getppid() != parent:
        os.kill(os.getpid(), number)
