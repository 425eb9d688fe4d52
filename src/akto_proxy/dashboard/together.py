"""Several questions to a store at once: each waits in a thread while the store works, so a page waits only once."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

MOST = 4
"""Threads for one page: more would only queue for the store's readers."""


def together(**calls: Callable[[], Any]) -> dict[str, Any]:
    """The answers by name. The first error is raised, after all have ended."""
    with ThreadPoolExecutor(min(MOST, len(calls))) as pool:
        running = {name: pool.submit(call) for name, call in calls.items()}
    return {name: future.result() for name, future in running.items()}
