"""Limits asked for one call and settled when it is over, on a table of this process or of this machine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from akto_proxy.limits.book import Book, Call, Grant, Refused, Request
from akto_proxy.limits.schema import Limit
from akto_proxy.limits.table import Answer, Table
from akto_proxy.model import Trace


@dataclass(slots=True)
class LimitCounters:
    """What the limits did, for metrics. `shadowed` would have been refused; `overflowed` had to share a bucket."""

    allowed: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    shadowed: dict[str, int] = field(default_factory=dict)
    cut: int = 0
    away: int = 0
    forgotten: int = 0


class Limiter:
    """The limits of one machine.

    Args:
        limits: what the operator chose.
        table: where buckets are (of this process, or shared by all workers).
        now: Unix nanoseconds.
        secret: see Book.
        numbers: see Book.
    """

    def __init__(
        self,
        limits: Sequence[Limit],
        table: Table,
        *,
        now: Callable[[], int],
        secret: bytes,
        numbers: Sequence[int] | None = None,
    ) -> None:
        self._table = table
        self._now = now
        self._secret = secret
        self.book = Book(limits, secret, table.is_known, numbers)
        self.counters = LimitCounters()

    def replace(self, limits: Sequence[Limit], numbers: Sequence[int] | None = None) -> None:
        """Other limits from now on. Calls under way are settled by those that let them in."""
        self.book = Book(limits, self._secret, self._table.is_known, numbers)

    def enter(self, call: Call) -> Grant | Refused:
        """Take what the call needs from every bucket it falls in, or say which one has too little."""
        request = self.book.request(call)
        return self.granted(call, request, self._table.decide(request.asks, self._now()))

    def granted(self, call: Call, request: Request, answer: Answer) -> Grant | Refused:
        """A backend's answer as a grant or a refusal, counted."""
        names: tuple[str, ...] = ()
        if answer.over:
            names = tuple(request.limits[number].name for number in answer.over)
            for name in names:
                self.counters.shadowed[name] = self.counters.shadowed.get(name, 0) + 1
        if answer.refused >= 0:
            limit = request.limits[answer.refused]
            self.counters.refused[limit.name] = self.counters.refused.get(limit.name, 0) + 1
            return Refused(limit, max(1, -(-answer.wait // 1_000_000_000)), request.limits)
        self.counters.allowed += 1
        return Grant(
            call, request.model, request.limits, request.asks, answer.rows, request.tools, request.strangers, names
        )

    def named(self, grant: Grant, model: str, tools: Sequence[str] = ()) -> Refused | None:
        """The body came: take what limits that name its model or tools ask for, or refuse the call after all."""
        request = self.book.late(grant.call, model, tools)
        return self.joined(grant, request, self._table.decide(request.asks, self._now())) if request.asks else None

    def joined(self, grant: Grant, request: Request, answer: Answer) -> Refused | None:
        """A backend's answer about the limits that name the model, added to the grant."""
        found = self.granted(grant.call, request, answer)
        if isinstance(found, Refused):
            grant.undone = True
            self.counters.allowed -= 1
            return found
        self.counters.allowed -= 1
        grant.add(request, answer)
        return None

    def progress(self, grant: Grant, prompt: int, completion: int, size: int) -> str:
        """A stream goes on: hold what it used so far. The name of the limit that has ended, or "".

        The caller ends the stream politely then; what it used is settled like any other call's.
        """
        ended = ""
        for number, limit, ask, more in grant.growth(prompt, completion, size):
            if more > 0:
                grant.grown[number] = grant.grown.get(number, 0) + more
                row = grant.rows[number]
                if not self._table.grow(row, more, ask.capacity, self._now()) and ask.enforce:
                    ended = ended or limit.name
        self.counters.cut += bool(ended)
        return ended

    def leave(self, grant: Grant, trace: Trace | None) -> None:
        """The call is over: settle it, once."""
        if grant.settled:
            return
        grant.settled = True
        items = self.book.settle(grant, trace)
        if items:
            self._table.settle(items, self._now())
        if grant.strangers and trace is not None and 200 <= trace.upstream_status < 400:
            for key in grant.strangers:
                self._table.mark_known(key)
