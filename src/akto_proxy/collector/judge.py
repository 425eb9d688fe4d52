"""What the collector asks of a guard: one text in, what to do about it out. Joined with the real guard elsewhere.

A payload is judged as the connector sent it, so what comes back can be put in its place. The judge works on one thread
of its own (a guard may be bound to a thread), and the waiting line before it is bounded: beyond it callers get 503.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

from akto_proxy.model import Action, Decision, Direction


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a guard made of a payload.

    `modified` is the payload with redactions applied (None: unchanged), `masked` the form that may be kept: every
    finding masked, whatever the action was (None: nothing may be kept).
    """

    action: Action = Action.ALLOW
    decisions: tuple[Decision, ...] = ()
    modified: str | None = None
    masked: str | None = None


class Judge(Protocol):
    """A guard and its policy. Not safe from several threads at once; it need not be."""

    def __call__(self, payload: str, direction: Direction) -> Verdict:
        """Decide about one payload."""
        ...


class Busy(Exception):  # noqa: N818 - a state, not a fault
    """The waiting line is full."""


class JudgeLine:
    """A judge with a bounded waiting line."""

    def __init__(self, judge: Judge, waiting: int) -> None:
        self._judge, self._room = judge, waiting
        self._thread = ThreadPoolExecutor(1, "judge")

    async def __call__(self, payload: str, direction: Direction) -> Verdict:
        """Wait for the verdict.

        Raises:
            Busy: too many wait already.
        """
        if self._room <= 0:
            raise Busy
        self._room -= 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, self._judge, payload, direction)
        finally:
            self._room += 1

    def close(self) -> None:
        """Stop the thread."""
        self._thread.shutdown(cancel_futures=True)
