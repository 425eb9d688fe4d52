"""Limits shared by all machines, in Redis: one script a decision, and a stated answer when Redis is away.

What this process knows and owes of each bucket is in limits/ledger.py; it goes out with the next decision or flush. A
heartbeat says exactly what a process holds; a process that has been silent for 30 seconds holds nothing any more.

When Redis does not answer in time, limits with `away: closed` refuse; the others go on with this machine's own
table and `share` of the limit. Redis is asked again after a second. What was used meanwhile is charged in Redis when
it is back. A Redis that lost its memory is told by each process how full the buckets were when it last asked.
The price: between machines a limit is exact only while Redis answers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Protocol

from akto_proxy.limits.book import Book, Call, Grant, Refused, Request
from akto_proxy.limits.ledger import Ledger, micro
from akto_proxy.limits.limiter import LimitCounters, Limiter
from akto_proxy.limits.line import Pipeline
from akto_proxy.limits.schema import Limit
from akto_proxy.limits.script import Reply, arguments, parse
from akto_proxy.limits.table import Answer, Ask, Table
from akto_proxy.model import Trace

REST = 1.0
"""Seconds after a failure before Redis is asked again."""

BEAT = 10.0
"""Seconds between heartbeats, a third of what makes a process dead."""

_IN_A_FLUSH = 64


class RedisClient(Protocol):
    """What is asked of redis.asyncio.Redis."""

    def pipeline(self, *, transaction: bool) -> Any:
        """Several commands in one trip."""
        ...


class RedisLimiter:
    """The limits of many machines. To be used from one event loop.

    Args:
        limits: what the operator chose.
        client: a client that gives up within a second or so and does not try again by itself.
        local: this machine's table, used when Redis is away and for the marks of known callers.
        now: Unix nanoseconds.
        clock: seconds that only grow.
        secret: see Book; the same on all machines.
        name: unlike that of any other process, without spaces.
        timeout: seconds a decision may take.
        prefix: of all keys; the braces put them in one slot of a cluster.
        numbers: see Book.
    """

    def __init__(
        self,
        limits: Sequence[Limit],
        client: RedisClient,
        local: Table,
        *,
        now: Callable[[], int],
        clock: Callable[[], float],
        secret: bytes,
        name: str,
        timeout: float = 0.1,
        prefix: str = "akto-proxy:{limits}:",
        numbers: Sequence[int] | None = None,
    ) -> None:
        self._pipe = Pipeline(client)
        shares = [_share(limit) for limit in limits]
        self._local = Limiter(shares, local, now=now, secret=secret, numbers=numbers)
        self._secret = secret
        self.book = Book(limits, secret, local.is_known, numbers)
        self.counters: LimitCounters = self._local.counters
        self._table = local
        self._clock = clock
        self._name = name
        self._timeout = timeout
        self._prefix = prefix
        self._ledger = Ledger(self.counters)
        self._rest_until = 0.0
        self.trouble = ""
        """Why Redis is away: the kind of the last failure; "" while it answers."""

    def replace(self, limits: Sequence[Limit], numbers: Sequence[int] | None = None) -> None:
        """Other limits from now on. Calls under way are settled by those that let them in."""
        self._local.replace([_share(limit) for limit in limits], numbers)
        self.book = Book(limits, self._secret, self._table.is_known, numbers)

    @property
    def trips(self) -> int:
        """Pipelines sent; under load each holds many decisions."""
        return self._pipe.trips

    async def enter(self, call: Call) -> Grant | Refused:
        """Take what the call needs from every bucket it falls in, or say which one has too little."""
        if self._clock() < self._rest_until:
            return self._alone(call)
        request = self.book.request(call)
        try:
            async with asyncio.timeout(self._timeout):
                answer = await self._decide(_in_micros(request.limits, request.asks))
        except Exception as error:  # noqa: BLE001  whatever the client raises means the same: Redis is away
            self._away(error)
            return self._alone(call)
        self.trouble = ""
        return self._local.granted(call, request, answer)

    async def named(self, grant: Grant, model: str, tools: Sequence[str] = ()) -> Refused | None:
        """The body came: take what limits that name its model or tools ask for, or refuse the call after all."""
        request = self.book.late(grant.call, model, tools)
        if not request.asks:
            return None
        if grant.shared is None:
            try:
                async with asyncio.timeout(self._timeout):
                    answer = await self._decide(_in_micros(request.limits, request.asks))
                return self._local.joined(grant, request, answer)
            except Exception as error:  # noqa: BLE001  Redis went away between head and body: as if it were back late
                self._away(error)
                return self._shut(request, grant)
        found = self._shut(request, grant) or self._local.named(grant, model, tools)
        if found is None:
            self._share_out(grant.shared, request)
        return found

    def _shut(self, request: Request, grant: Grant | None = None) -> Refused | None:
        """The refusal of a limit that counts this call and lets none pass without Redis; a grant it had is undone."""
        for limit in request.limits:
            if limit.away == "closed" and limit.mode == "enforce":
                self.counters.refused[limit.name] = self.counters.refused.get(limit.name, 0) + 1
                if grant is not None:
                    grant.undone = True
                    self.counters.allowed -= 1
                return Refused(limit, 1, request.limits)
        return None

    def _share_out(self, shared: Grant, request: Request) -> None:
        """What this machine let pass alone, to be charged in Redis when it is back."""
        asks = [replace(ask, hold=0) for ask in request.asks]
        shared.add(replace(request, asks=asks), Answer(-1, 0, [0] * len(asks), []))
        for ask in asks:
            self._ledger.owe(ask.key, 0, micro(ask.charge))

    def _away(self, error: Exception) -> None:
        self._rest_until = self._clock() + REST
        self.trouble = type(error).__name__

    # -- one decision

    async def _decide(self, asks: Sequence[Ask], *, beat: bool = False) -> Answer:
        future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        asked = self._clock()
        pairs = [(ask, self._ledger.bucket(ask.key)) for ask in asks]
        lines = [self._ledger.line(ask, bucket, asked, beat=beat) for ask, bucket in pairs]

        def done(raw: Sequence[int] | Exception) -> None:
            if isinstance(raw, Exception):
                self._ledger.lost(pairs)
                if not future.done():
                    future.set_exception(raw)
                return
            reply = parse(raw)
            self._ledger.learn(pairs, lines, reply, asked, wanted=not future.done())
            if not future.done():
                future.set_result(reply)

        keys, words = arguments(self._prefix, self._name, lines, beat=beat)
        self._pipe.ask(keys, words, future, done)
        return _answer(asks, await future)

    # -- without Redis

    def _alone(self, call: Call) -> Grant | Refused:
        self.counters.away += 1
        request = self.book.request(call)
        closed = self._shut(request)
        if closed is not None:
            return closed
        grant = self._local.enter(call)
        if not isinstance(grant, Grant):
            return grant
        grant.shared = Grant(call, "", (), [], [], ())
        self._share_out(grant.shared, request)
        return grant

    # -- a call goes on, and ends

    def progress(self, grant: Grant, prompt: int, completion: int, size: int) -> str:
        """A stream goes on: hold what it used so far. The name of the limit that has ended, or "".

        Redis hears of it with the next decision or flush, so a limit that ended is known one flush later.
        """
        if grant.shared is not None:
            return self._local.progress(grant, prompt, completion, size)
        ended = ""
        for number, limit, ask, more in grant.growth(prompt, completion, size):
            bucket = self._ledger.bucket(ask.key)
            if more > 0:
                grant.grown[number] = grant.grown.get(number, 0) + more
                self._ledger.owe(ask.key, -micro(more), 0)
                bucket.capacity = ask.capacity // 1000
            if bucket.over and ask.enforce and grant.grown.get(number):
                ended = ended or limit.name
        self.counters.cut += bool(ended)
        return ended

    def leave(self, grant: Grant, trace: Trace | None) -> None:
        """The call is over: settle it, once. What Redis must hear is sent with the next decision or heartbeat."""
        if grant.settled:
            return
        if grant.shared is not None:
            grant.shared.undone = grant.undone
            self._local.leave(grant, trace)
            for item in self.book.settle(grant.shared, trace):
                self._ledger.owe(item.key, 0, micro(item.charge))
            return
        grant.settled = True
        calls = {ask.key for ask, limit in zip(grant.asks, grant.limits, strict=True) if limit.count == "concurrent"}
        for item in self.book.settle(grant, trace):
            self._ledger.owe(item.key, item.hold if item.key in calls else micro(item.hold), micro(item.charge))
        if grant.strangers and trace is not None and 200 <= trace.upstream_status < 400:
            for key in grant.strangers:
                self._table.mark_known(key)

    async def flush(self, *, beat: bool = False) -> bool:
        """Send what waits; with `beat` also say that this process lives and what exactly it holds.

        To be called often, and with `beat` every BEAT seconds. False when Redis is away.
        """
        if self._clock() < self._rest_until or not (beat or self._ledger.due or self.trouble):
            return not self.trouble
        waiting = self._ledger.waiting(all_of_them=beat)
        try:
            async with asyncio.timeout(2.0):
                for start in range(0, max(1, len(waiting)), _IN_A_FLUSH):
                    part = waiting[start : start + _IN_A_FLUSH]
                    asks = [Ask(key, 0, self._ledger.bucket(key).capacity, enforce=False) for key in part]
                    await self._decide(asks, beat=beat)
        except Exception as error:  # noqa: BLE001  away; what waits is kept for the next time
            self._ledger.due.update(waiting)
            self._away(error)
            return False
        self._ledger.told(waiting, self._clock())
        self.trouble = ""
        return True

    async def close(self) -> None:
        """Settle what can be settled, and end."""
        await self.flush()
        await self._pipe.close()


def _answer(asks: Sequence[Ask], reply: Reply) -> Answer:
    over = tuple(number for number, fit in enumerate(reply.fits) if not fit and not asks[number].enforce)
    return Answer(reply.refused, reply.wait * 1000, [0 if fit else -1 for fit in reply.fits], [], over)


def _in_micros(limits: Sequence[Limit], asks: Sequence[Ask]) -> list[Ask]:
    """The asks in Redis's unit; calls in flight stay calls."""
    return [
        ask
        if limit.count == "concurrent"
        else replace(ask, capacity=ask.capacity // 1000, charge=micro(ask.charge), hold=micro(ask.hold))
        for limit, ask in zip(limits, asks, strict=True)
    ]


def _share(limit: Limit) -> Limit:
    """What this machine may let pass alone. A share too small to be strict about is not strict."""
    amount = max(1.0, limit.limit * limit.share) if limit.count == "concurrent" else limit.limit * limit.share
    burst = 0.0 if limit.count == "concurrent" else max(1.0, limit.at_once * limit.share)
    strict = limit.strict and burst < amount
    return Limit(**(limit.model_dump() | {"limit": amount, "burst": burst, "strict": strict}))
