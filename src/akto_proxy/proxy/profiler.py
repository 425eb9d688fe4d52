"""Where a worker's time goes, sampled: the main thread's stack twenty times a second, the last minute kept, folded.

Off by default. It sees names of functions and line numbers, never a value, so a profile may be shared. The price of
sampling from a thread is that it sees Python only: time inside a C library counts for the line that called it.
"""

from __future__ import annotations

import sys
import threading
from collections import Counter, deque
from collections.abc import Callable
from types import FrameType

Admin = Callable[[bytes, bytes], tuple[int, bytes, bytes] | None]
PAGE = b"/debug/profile"
_EVERY = 0.05
_KEPT = 1200
"""Samples kept: a minute of them."""
_DEEPEST = 64


class Profiler:
    """Samples the thread that made it until `stop`.

    Args:
        every: seconds between two samples.
    """

    def __init__(self, every: float = _EVERY) -> None:
        self._thread = threading.get_ident()
        self._samples: deque[str] = deque(maxlen=_KEPT)
        self._every = every
        self._stopped = threading.Event()
        threading.Thread(target=self._run, daemon=True, name="profiler").start()

    def stop(self) -> None:
        """Take no more samples."""
        self._stopped.set()

    def folded(self) -> bytes:
        """One line a stack, outermost function first, and how often it was seen: what flame graphs are drawn from."""
        counted = Counter(list(self._samples))
        return "".join(f"{stack} {count}\n" for stack, count in counted.most_common()).encode()

    def _run(self) -> None:
        while not self._stopped.wait(self._every):
            frame = sys._current_frames().get(self._thread)
            if frame is not None:
                self._samples.append(_stack(frame))


def _stack(frame: FrameType | None) -> str:
    names: list[str] = []
    while frame is not None and len(names) < _DEEPEST:
        module = frame.f_globals.get("__name__", "?")
        names.append(f"{module}.{frame.f_code.co_qualname}:{frame.f_lineno}")
        frame = frame.f_back
    return ";".join(reversed(names))


def profiled(admin: Admin, profiler: Profiler) -> Admin:
    """The admin pages with the profile beside them."""

    def answer(method: bytes, target: bytes) -> tuple[int, bytes, bytes] | None:
        if target.partition(b"?")[0] == PAGE and method != b"POST":
            return 200, b"text/plain; charset=utf-8", profiler.folded()
        return admin(method, target)

    return answer
