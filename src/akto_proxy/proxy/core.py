"""What all connections of one worker share, and the few things they do in the same way.

The hooks are the shell's whole view of the rest of the house: a handler that decides, a gate that limits, a sink for
traces. Each may be absent but the handler; none may raise past this file.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from akto_proxy.errors import StorageError
from akto_proxy.exchange.face import Ask, Handler, Headers, Refusal, RequestHead
from akto_proxy.model import Finding, Trace
from akto_proxy.proxy.cohort import Cohort
from akto_proxy.proxy.counters import Counters, count
from akto_proxy.proxy.options import ProxyOptions
from akto_proxy.proxy.pool import Pool

Token = Any
"""Whatever a gate hands out at the door and wants back."""


Meter = Callable[[tuple[int, int, int]], tuple[str, str] | None]
"""Told prompt tokens, answer tokens and bytes so far: the limit that has ended and a sentence for the caller."""


Late = tuple[str, str, Headers]
"""A refusal in parts: the limit's name, a sentence for the caller, header fields. The exchange gives it its form."""


class Gate(Protocol):
    """Limits: asked when a head came, again when the body came, told when the exchange is over."""

    @property
    def has_late(self) -> bool:
        """Whether `named` has anything to say; it may change while running."""
        ...

    def named(self, token: Token, model: str, tools: Sequence[str]) -> Late | Awaitable[Late | None] | None:
        """The body came, names this model and offers these tools: None to go on."""
        ...

    def enter(self, head: RequestHead) -> Refusal | Token | Awaitable[Refusal | Token]:
        """Refuse, or give a token (not None, and not awaitable itself); it may do so later."""
        ...

    def meter(self, token: Token) -> Meter | None:
        """Asked once when an answer begins to stream: what to ask after each piece, None if nothing may end it."""
        ...

    def leave(self, token: Token, trace: Trace | None) -> None:
        """The exchange that `token` was given for is over. `trace` is None when it never began."""
        ...


Asker = Callable[[Ask], Awaitable[Sequence[tuple[int, Finding]]]]
"""Asks checkers outside; must end in bounded time. What it raises counts as checks that failed."""


class Door:
    """What a gate that looks at heads only does with the rest: nothing."""

    has_late = False

    def named(self, token: Token, model: str, tools: Sequence[str]) -> None:
        """No body is too much."""

    def meter(self, token: Token) -> None:
        """Nothing ends a stream."""

    def leave(self, token: Token, trace: Trace | None) -> None:
        """Nothing is held."""


@dataclass(slots=True)
class Core:
    """One worker's shared parts. `draining` is set once; every answer after that closes its connection."""

    options: ProxyOptions
    handler: Handler
    pool: Pool
    loop: asyncio.AbstractEventLoop
    counters: Counters = field(default_factory=Counters)
    on_trace: Callable[[Trace], None] | None = None
    gate: Gate | None = None
    on_fault: Callable[[str], None] | None = None
    ask: Asker | None = None
    commit: Callable[[], Awaitable[None]] | None = None
    """Waits until what `on_trace` took is on the medium; None when nobody asked for that."""
    draining: bool = False
    prefix: bytes = b""
    authority: bytes = b""
    requests: Cohort = field(init=False)
    """Requests whose body was read."""
    answers: Cohort = field(init=False)
    """Answers that are whole."""
    closing: Cohort = field(init=False)
    """Exchanges whose answer left, and whose books are still open."""

    def __post_init__(self) -> None:
        soon = self.loop.call_soon
        self.requests, self.answers, self.closing = (Cohort(soon, self.fault) for _ in range(3))

    def refusal(self, reason: str, status: int, message: str, head: RequestHead | None) -> Refusal:
        """A refusal of the shell's own, in the route's form. Always closes the connection when the form was wrong."""
        try:
            return self.handler.refuse(reason, status, message, head)
        except Exception as error:  # noqa: BLE001  the caller must get an answer even from a broken handler
            self.fault(error)
            return Refusal(status, [], b"", reason, close=True)

    def fault(self, error: BaseException) -> None:
        """Count a bug of the house. Only its kind and place are told: its message may hold protected text."""
        self.counters.faults += 1
        if self.on_fault is not None:
            self.on_fault(place_of(error))

    def keep_trace(self, trace: Trace) -> bool:
        """Hand a trace over; whether it was taken. A sink that raises loses this trace, counted, and nothing else."""
        if self.on_trace is None:
            return True
        try:
            self.on_trace(trace)
        except StorageError:  # the sink says what is wrong with the disk; here it is only counted
            self.counters.trace_faults += 1
            return False
        except Exception as error:  # noqa: BLE001  a guest's code; its bug must not kill the exchange
            self.counters.trace_faults += 1
            if self.on_fault is not None:
                self.on_fault(place_of(error))
            return False
        return True

    def count_refusal(self, reason: str) -> None:
        """Add to the table of refusals."""
        count(self.counters.refusals, reason)


def place_of(error: BaseException) -> str:
    """Kind of an exception and where it was raised: safe to log, unlike its message."""
    trail = error.__traceback__
    while trail is not None and trail.tb_next is not None:
        trail = trail.tb_next
    if trail is None:
        return type(error).__name__
    return f"{type(error).__name__} in {trail.tb_frame.f_code.co_filename}:{trail.tb_lineno}"
