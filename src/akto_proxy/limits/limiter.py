"""Limits asked for one call: which buckets it falls in, what they say, and what is settled when it is over.

What a call is (who, where) is turned into buckets once and remembered, so that a decision is a lookup and a few
integers. The model and the tool of a call are not known from its head: the ones this caller used last on this path
stand in, and the settlement moves the charge to the right bucket when they differ.

Callers choose their own key, user and session, so they could choose a new one for each call. A caller that no call of
which has succeeded yet is a stranger: beside its own buckets it uses one that all strangers of its address share
(`unknown` times the limit), of which there are 64.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from akto_proxy.limits.schema import CLAIMED, Limit
from akto_proxy.limits.table import Answer, Ask, Settle, Table
from akto_proxy.model import Caller, Trace

STRIPES = 64
_CACHE = 8192


@dataclass(frozen=True, slots=True)
class Call:
    """What is known of a call from its head. `size` is its body's length, 0 when not said."""

    caller: Caller
    endpoint: str = ""
    path: str = ""
    size: int = 0


@dataclass(frozen=True, slots=True)
class Refused:
    """A limit said no: which, and how many seconds until it may say yes."""

    limit: Limit
    retry_after: int


@dataclass(slots=True)
class Grant:
    """What a call was given, to be settled once."""

    call: Call
    model: str
    tool: str
    limits: tuple[Limit, ...]
    asks: list[Ask]
    rows: list[int]
    strangers: tuple[int, ...] = ()
    over: tuple[str, ...] = ()
    grown: dict[int, int] = field(default_factory=dict)
    settled: bool = False
    shared: Grant | None = None
    """What the call would have been given by many machines' limits, while this machine decides alone."""

    def growth(self, prompt: int, completion: int, size: int) -> Iterator[tuple[int, Limit, Ask, int]]:
        """For each bucket that counts use: its number, limit, ask, and how much more than it holds was used by now."""
        for number, (limit, ask, row) in enumerate(zip(self.limits, self.asks, self.rows, strict=True)):
            if row >= 0 and not limit.early and limit.count != "concurrent":
                used = int(limit.charge(limit.spent(self.model, prompt, completion, size)) / ask.weight)
                yield number, limit, ask, used - ask.hold - self.grown.get(number, 0)


@dataclass(slots=True)
class LimitCounters:
    """What the limits did, for metrics. `shadowed` would have been refused; `overflowed` had to share a bucket."""

    allowed: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    shadowed: dict[str, int] = field(default_factory=dict)
    cut: int = 0
    away: int = 0
    forgotten: int = 0


@dataclass(frozen=True, slots=True)
class _Bucket:
    """A limit for one combination of values."""

    number: int
    limit: Limit
    key: int
    stranger: int
    fixed: Ask | None


@dataclass(frozen=True, slots=True)
class Request:
    """The asks of a call, ready for any backend."""

    limits: tuple[Limit, ...]
    asks: list[Ask]
    model: str
    tool: str
    strangers: tuple[int, ...]


class Book:
    """Turns calls into asks and traces into settlements. Knows no backend.

    Args:
        limits: what the operator chose.
        secret: keys the bucket names, so that nobody can aim at somebody else's bucket.
        known: whether a caller's bucket was ever marked as known.
    """

    def __init__(self, limits: Sequence[Limit], secret: bytes, known: Callable[[int], bool]) -> None:
        self.limits = tuple(limits)
        self._secret = secret[:64]
        self._known = known
        self._buckets: dict[tuple[object, ...], tuple[_Bucket, ...]] = {}
        self._last: dict[tuple[str, ...], tuple[str, str]] = {}
        self._by_use = any({"model", "tool"} & {*limit.by, *limit.only} for limit in limits)

    def request(self, call: Call) -> Request:
        """What a call asks for."""
        model, tool = self._last.get(_who(call), ("", "")) if self._by_use else ("", "")
        limits: list[Limit] = []
        asks: list[Ask] = []
        strangers: tuple[int, ...] = ()
        for bucket in self.buckets(call, model, tool):
            ask = bucket.fixed or self._ask(bucket, call.size)
            limits.append(bucket.limit)
            asks.append(ask)
            if bucket.stranger and not self._known(bucket.key):
                strangers += (bucket.key,)
                limits.append(bucket.limit)
                asks.append(_shared(ask, bucket))
        return Request(tuple(limits), asks, model, tool, strangers)

    def buckets(self, call: Call, model: str, tool: str) -> tuple[_Bucket, ...]:
        """The buckets a call falls in."""
        caller = call.caller
        name = (caller, call.endpoint, model, tool)
        found = self._buckets.get(name)
        if found is None:
            if len(self._buckets) >= _CACHE:  # callers choose their names: remember a bounded number
                self._buckets.clear()
            values = {
                "key": caller.key,
                "user": caller.user,
                "team": caller.team,
                "agent": caller.agent,
                "ip": caller.ip,
                "session": caller.session,
                "endpoint": call.endpoint,
                "model": model,
                "tool": tool,
            }
            found = tuple(
                self._bucket(number, limit, values) for number, limit in enumerate(self.limits) if limit.applies(values)
            )
            self._buckets[name] = found
        return found

    def remember(self, call: Call, model: str, tool: str) -> None:
        """Note what a call turned out to use."""
        if not self._by_use:
            return
        if len(self._last) >= _CACHE:
            self._last.clear()
        self._last[_who(call)] = (model, tool)

    def settle(self, grant: Grant, trace: Trace | None) -> list[Settle]:
        """What a finished call gives back and really used."""
        model, tool = (trace.model, _tool(trace)) if trace else (grant.model, grant.tool)
        moved = self._by_use and trace is not None and (model, tool) != (grant.model, grant.tool)
        items: list[Settle] = []
        for number, (limit, ask, row) in enumerate(zip(grant.limits, grant.asks, grant.rows, strict=True)):
            held = ask.hold + grant.grown.get(number, 0)
            stays = not moved or not {"model", "tool"} & {*limit.by, *limit.only}
            charge = int(limit.charge(limit.used(trace)) / ask.weight) if stays and not limit.early else 0
            if row >= 0 and (held or charge):
                items.append(Settle(row if held else -1, held, charge, ask.key, ask.overflow))
        if moved:
            self.remember(grant.call, model, tool)
            items += self._moved(grant.call, model, tool, trace)
        return items

    def _moved(self, call: Call, model: str, tool: str, trace: Trace | None) -> list[Settle]:
        found = [
            (bucket, bucket.limit.charge(bucket.limit.used(trace)))
            for bucket in self.buckets(call, model, tool)
            if {"model", "tool"} & {*bucket.limit.by, *bucket.limit.only}
        ]
        return [Settle(-1, 0, charge, bucket.key, bucket.number) for bucket, charge in found if charge]

    def _bucket(self, number: int, limit: Limit, values: Mapping[str, str]) -> _Bucket:
        parts = [limit.name, limit.count, *(f"{name}={values[name]}" for name in limit.by)]
        key = self._hash(*parts)
        stripe = 0
        if CLAIMED & set(limit.by) and limit.unknown:
            stripe = self._hash(limit.name, "strangers", str(self._hash(values["ip"]) % STRIPES))
        fixed = None
        if limit.early or limit.count == "concurrent":
            hold = int(limit.count == "concurrent")
            fixed = Ask(key, number, limit.capacity, limit.charge(1), hold, limit.mode == "enforce")
        return _Bucket(number, limit, key, stripe, fixed)

    def _ask(self, bucket: _Bucket, size: int) -> Ask:
        limit = bucket.limit
        hold = limit.charge(limit.estimate(size))
        return Ask(bucket.key, bucket.number, limit.capacity, 0, min(hold, limit.capacity), limit.mode == "enforce")

    def _hash(self, *parts: str) -> int:
        digest = hashlib.blake2b(digest_size=8, key=self._secret)
        for part in parts:
            data = part.encode("utf-8", "surrogatepass")
            digest.update(len(data).to_bytes(4, "big") + data)
        return int.from_bytes(digest.digest(), "big") >> 1 or 1


class Limiter:
    """The limits of one machine.

    Args:
        limits: what the operator chose.
        table: where buckets are (of this process, or shared by all workers).
        now: Unix nanoseconds.
        secret: see Book.
    """

    def __init__(self, limits: Sequence[Limit], table: Table, *, now: Callable[[], int], secret: bytes) -> None:
        self._table = table
        self._now = now
        self.book = Book(limits, secret, table.is_known)
        self.counters = LimitCounters()

    def enter(self, call: Call) -> Grant | Refused:
        """Take what the call needs from every bucket it falls in, or say which one has too little."""
        request = self.book.request(call)
        return self.granted(call, request, self._table.decide(request.asks, self._now()))

    def granted(self, call: Call, request: Request, answer: Answer) -> Grant | Refused:
        """A backend's answer as a grant or a refusal, counted."""
        names = tuple(request.limits[number].name for number in answer.over)
        for name in names:
            self.counters.shadowed[name] = self.counters.shadowed.get(name, 0) + 1
        if answer.refused >= 0:
            limit = request.limits[answer.refused]
            self.counters.refused[limit.name] = self.counters.refused.get(limit.name, 0) + 1
            return Refused(limit, max(1, -(-answer.wait // 1_000_000_000)))
        self.counters.allowed += 1
        return Grant(
            call, request.model, request.tool, request.limits, request.asks, answer.rows, request.strangers, names
        )

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


def _who(call: Call) -> tuple[str, ...]:
    caller = call.caller
    return caller.key, caller.user, caller.ip, call.path


def _tool(trace: Trace) -> str:
    return next((value for name, value in trace.tags if name == "tool"), "")


def _shared(ask: Ask, bucket: _Bucket) -> Ask:
    """The same ask of the bucket that strangers share: it drains `unknown` times as fast, so a call weighs less."""
    weight = max(1.0, bucket.limit.unknown)
    if bucket.limit.count == "concurrent":
        return Ask(bucket.stranger, bucket.number, int(ask.capacity * weight), 0, ask.hold, ask.enforce)
    charge, hold = int(ask.charge / weight), int(ask.hold / weight)
    return Ask(bucket.stranger, bucket.number, ask.capacity, charge, hold, ask.enforce, weight)
