"""The gates before the guard: blocked callers and limits, and several gates as one.

A refused call costs the proxy its head and nothing else. A gate must not make a call wait without Redis, so all it does
is memory and one lock.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from akto_proxy.exchange.caller import Callers
from akto_proxy.exchange.face import Headers, Refusal, RequestHead
from akto_proxy.limits.blocks import Blocks
from akto_proxy.limits.book import Call, Grant, Refused
from akto_proxy.limits.headers import message, refused_headers
from akto_proxy.limits.limiter import LimitCounters, Limiter
from akto_proxy.limits.redis import RedisLimiter
from akto_proxy.model import Trace
from akto_proxy.proxy.core import Gate, Late, Meter
from akto_proxy.proxy.metrics import Values, label


class Refuser(Protocol):
    """Who says no in the route's own form."""

    def refuse(self, reason: str, status: int, message: str, head: RequestHead | None) -> Refusal:
        """A refusal."""
        ...


@dataclass(slots=True)
class GateCounters:
    """What the gate did, for metrics."""

    blocked: int = 0
    limits: LimitCounters = field(default_factory=LimitCounters)

    def into(self, values: Values) -> Values:
        """Add them to a worker's numbers."""
        for mode, table in (("enforce", self.limits.refused), ("shadow", self.limits.shadowed)):
            for name, number in table.items():
                values.count("akto_proxy_limited_total", label(("limit", "mode"), (name, mode)), number)
        values.count("akto_proxy_limit_cuts_total", "", self.limits.cut)
        values.count("akto_proxy_limits_away_total", "", self.limits.away)
        values.count("akto_proxy_blocked_calls_total", "", self.blocked)
        return values


class LimitGate:
    """Refuses blocked callers and those over a limit; settles when an exchange is over.

    Args:
        limiter: of this machine or of many; None when there are no limits.
        blocks: callers that are refused.
        callers: reads who calls.
        refuser: makes the refusal.
        place: names the endpoint of a path.
    """

    def __init__(
        self,
        limiter: Limiter | RedisLimiter | None,
        blocks: Blocks,
        callers: Callers,
        refuser: Refuser,
        place: Callable[[str], str],
    ) -> None:
        self._limiter = limiter
        self._blocks = blocks
        self._callers = callers
        self._refuser = refuser
        self._place = place
        self.counters = GateCounters()
        self.has_late = False
        if limiter is not None:
            self.use(limiter)

    def use(self, limiter: Limiter | RedisLimiter) -> None:
        """Ask this limiter from now on."""
        self._limiter = limiter
        self.has_late = limiter.book.has_late
        self.counters.limits = limiter.counters

    def enter(self, head: RequestHead) -> Refusal | Grant | bool | Awaitable[Refusal | Grant | bool]:
        """A refusal, or what must be settled when the exchange is over."""
        limiter = self._limiter
        limited = limiter is not None and bool(limiter.book.limits)
        if not (limited or self._blocks.some()):
            return True  # who calls matters to nobody here
        caller = self._callers.read(head.headers, head.ip)
        until = self._blocks.until(caller)
        if until:
            self.counters.blocked += 1
            said = "This caller is blocked by the operator for a time."
            return self._refuser.refuse("caller_blocked", 403, said, head)
        if limiter is None or not limited:
            return True
        path = head.target.partition(b"?")[0].decode("latin-1")
        call = Call(caller, self._place(path), path, _length(head.headers))
        if isinstance(limiter, Limiter):
            return self._answer(limiter.enter(call), head)
        return self._later(limiter, call, head)

    async def _later(self, limiter: RedisLimiter, call: Call, head: RequestHead) -> Refusal | Grant:
        return self._answer(await limiter.enter(call), head)

    def _answer(self, found: Grant | Refused, head: RequestHead) -> Refusal | Grant:
        if isinstance(found, Grant):
            return found
        refusal = self._refuser.refuse("limited", 429, message(found), head)
        extra = refused_headers(found)
        trace = replace(refusal.trace, outcome="limited") if refusal.trace else None
        return replace(refusal, headers=[*refusal.headers, *extra], trace=trace)

    def named(self, token: Any, model: str, tools: Sequence[str]) -> Late | Awaitable[Late | None] | None:
        """Model and tools are known: limits that count by them may still refuse."""
        limiter = self._limiter
        if limiter is None or not isinstance(token, Grant):
            return None
        if isinstance(limiter, Limiter):
            return self._late(limiter.named(token, model, tools))
        return self._named_later(limiter, token, model, tools)

    async def _named_later(self, limiter: RedisLimiter, grant: Grant, model: str, tools: Sequence[str]) -> Late | None:
        return self._late(await limiter.named(grant, model, tools))

    def _late(self, found: Refused | None) -> Late | None:
        if found is None or self._limiter is None:
            return None
        return found.limit.name, message(found), refused_headers(found)

    def meter(self, token: Any) -> Meter | None:
        """What ends a stream whose budget is used up; None where no limit counts what passes."""
        limiter = self._limiter
        if limiter is None or not isinstance(token, Grant) or not any(limit.counted for limit in token.limits):
            return None

        def spent(used: tuple[int, int, int]) -> tuple[str, str] | None:
            name = limiter.progress(token, *used)
            return (name, f"Limit '{name}' is used up: the answer ends here.") if name else None

        return spent

    def leave(self, token: Any, trace: Trace | None) -> None:
        """The exchange is over."""
        if isinstance(token, Grant) and self._limiter is not None:
            self._limiter.leave(token, trace)


class Gates:
    """Several gates as one: all must let a call in; the first that refuses undoes those before it."""

    def __init__(self, gates: Sequence[Gate]) -> None:
        self._gates = tuple(gates)

    @property
    def has_late(self) -> bool:
        """Whether a gate looks at bodies; it may begin to when a learned limit is accepted."""
        return any(gate.has_late for gate in self._gates)

    def enter(self, head: RequestHead) -> Any:
        """A refusal, or the tokens of all gates."""
        tokens: list[Any] = []
        for number, gate in enumerate(self._gates):
            entered: Any = gate.enter(head)
            if isinstance(entered, Refusal):
                self.leave(tokens, None)
                return entered
            if hasattr(entered, "__await__"):
                return self._rest(head, number, entered, tokens)
            tokens.append(entered)
        return tokens

    async def _rest(self, head: RequestHead, number: int, waiting: Awaitable[Any], tokens: list[Any]) -> Any:
        try:
            entered = await waiting
            for gate in [*self._gates[number + 1 :], None]:
                if isinstance(entered, Refusal):
                    self.leave(tokens, None)
                    return entered
                tokens.append(entered)
                if gate is not None:
                    entered = gate.enter(head)
                    entered = await entered if isinstance(entered, Awaitable) else entered
        except BaseException:
            self.leave(tokens, None)
            raise
        return tokens

    def named(self, token: Sequence[Any], model: str, tools: Sequence[str]) -> Any:
        """What the gate says that looks at bodies; there is one of that kind."""
        for gate, each in zip(self._gates, token, strict=False):
            if gate.has_late:
                return gate.named(each, model, tools)
        return None

    def meter(self, token: Sequence[Any]) -> Meter | None:
        """The meters of all gates as one; None where none has any."""
        found = [gate.meter(each) for gate, each in zip(self._gates, token, strict=False)]
        meters = [meter for meter in found if meter is not None]
        if len(meters) < 2:
            return meters[0] if meters else None
        return lambda used: next((ended for meter in meters if (ended := meter(used)) is not None), None)

    def leave(self, token: Sequence[Any], trace: Trace | None) -> None:
        """Give every gate its token back."""
        for gate, each in zip(self._gates, token, strict=False):
            gate.leave(each, trace)


def _length(headers: Headers) -> int:
    for name, value in headers:
        if len(name) == 14 and name.lower() == b"content-length":
            return int(value) if value.isdigit() and len(value) < 12 else 0
    return 0
