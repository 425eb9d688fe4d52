"""Which buckets a call falls in, what it asks of each, and what is settled when it is over. Knows no backend.

What a call is (who, where) is turned into buckets once and remembered, so that a decision is a lookup and a few
integers. The model of a call and the tools it offers are known only when its body has come: limits that name them are
asked then, and a refusal undoes what the head was granted. A tool is held for each call that offers it, and charged
for the calls whose answer calls it.

Callers choose their own key, user and session, so they could choose a new one for each call. A caller that no call of
which has succeeded yet is a stranger: beside its own buckets it uses one that all strangers of its address share
(`unknown` times the limit), of which there are 64.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv6Address

from akto_proxy.light import light
from akto_proxy.limits.schema import CLAIMED, Limit
from akto_proxy.limits.table import Answer, Ask, Settle
from akto_proxy.model import Caller, Trace

STRIPES = 64
MOST_TOOLS = 16
"""Offered tools of one call that are looked at."""

_CACHE, _SIZES = 8192, 1024
_LATE = frozenset(("model", "tool"))
_Numbered = tuple[tuple[int, Limit], ...]


@dataclass(frozen=True, slots=True)
class Call:
    """What is known of a call from its head. `size` is its body's length, 0 when not said."""

    caller: Caller
    endpoint: str = ""
    path: str = ""
    size: int = 0


@dataclass(frozen=True, slots=True)
class Refused:
    """A limit said no: which, how many seconds until it may say yes, and all limits that counted the call."""

    limit: Limit
    retry_after: int
    limits: tuple[Limit, ...] = ()


@dataclass(slots=True)
class Grant:
    """What a call was given, to be settled once."""

    call: Call
    model: str
    limits: tuple[Limit, ...]
    asks: list[Ask]
    rows: list[int]
    tools: tuple[str, ...]
    strangers: tuple[int, ...] = ()
    over: tuple[str, ...] = ()
    grown: dict[int, int] = field(default_factory=dict)
    settled: bool = False
    undone: bool = False
    """Refused when its body had come: what was charged before is given back."""

    shared: Grant | None = None
    """What the call would have been given by many machines' limits, while this machine decides alone."""

    def add(self, request: Request, answer: Answer) -> None:
        """More buckets of the same call, once its body has come."""
        self.model = request.model
        self.limits += request.limits
        self.asks = [*self.asks, *request.asks]
        self.rows = [*self.rows, *answer.rows]
        self.tools += request.tools
        self.strangers += request.strangers

    def growth(self, prompt: int, completion: int, size: int) -> Iterator[tuple[int, Limit, Ask, int]]:
        """For each bucket that counts use: its number, limit, ask, and how much more than it holds was used by now."""
        for number, (limit, ask, row) in enumerate(zip(self.limits, self.asks, self.rows, strict=True)):
            if row >= 0 and not limit.early and limit.count != "concurrent":
                used = int(limit.charge(limit.spent(self.model, prompt, completion, size)) / ask.weight)
                yield number, limit, ask, used - ask.hold - self.grown.get(number, 0)


@dataclass(frozen=True, slots=True)
class _Bucket:
    """A limit for one combination of values."""

    number: int
    limit: Limit
    key: int
    stranger: int
    fixed: Ask | None
    capacity: int
    enforce: bool
    holds: dict[int, int]
    """What calls of a size hold, of this limit; a bounded number of sizes."""

    def ask(self, size: int) -> Ask:
        """What a call with a body of this size asks for."""
        if self.fixed is not None:
            return self.fixed
        hold = self.holds.get(size)
        if hold is None:
            if len(self.holds) >= _SIZES:
                self.holds.clear()
            hold = self.holds[size] = min(self.limit.charge(self.limit.estimate(size)), self.capacity)
        return Ask(self.key, self.number, self.capacity, 0, hold, self.enforce)


@dataclass(slots=True)
class _Plan:
    """The buckets of a caller at an endpoint, looked up once. `known` once none of its buckets is a stranger's;
    `ready` when nothing in its request depends on the call either.
    """

    buckets: tuple[_Bucket, ...]
    limits: tuple[Limit, ...]
    tools: tuple[str, ...]
    known: bool = False
    ready: Request | None = None


@light
@dataclass(frozen=True, slots=True)
class Request:
    """The asks of a call, ready for any backend."""

    limits: tuple[Limit, ...]
    asks: list[Ask]
    model: str
    tools: tuple[str, ...]
    """For each ask the offered tool it is about, "" for none."""

    strangers: tuple[int, ...]


class Book:
    """Turns calls into asks and traces into settlements. Knows no backend.

    Args:
        limits: what the operator chose.
        secret: keys the bucket names, so that nobody can aim at somebody else's bucket.
        known: whether a caller's bucket was ever marked as known.
        numbers: which shared bucket of the table is whose, the same in all workers; in order if None.
    """

    def __init__(
        self,
        limits: Sequence[Limit],
        secret: bytes,
        known: Callable[[int], bool],
        numbers: Sequence[int] | None = None,
    ) -> None:
        self.limits = tuple(limits)
        self._secret = secret[:64]
        self._known = known
        self._buckets: dict[tuple[object, ...], tuple[_Bucket, ...]] = {}
        self._plans: dict[tuple[Caller, str], _Plan] = {}
        self._holds: dict[int, dict[int, int]] = {}
        numbered = tuple(zip(numbers or range(len(limits)), limits, strict=True))
        fields = {number: {*limit.by, *limit.only} for number, limit in numbered}
        self._early = tuple(item for item in numbered if not _LATE & fields[item[0]])
        self._by_tool = tuple(item for item in numbered if "tool" in fields[item[0]])
        self._by_model = tuple(item for item in numbered if _LATE & fields[item[0]] == {"model"})
        self.has_late = bool(self._by_tool or self._by_model)
        """Whether a limit must be asked again when the body of a call has come."""

    def request(self, call: Call) -> Request:
        """What a call asks for when its head has come."""
        name = (call.caller, call.endpoint)
        plan = self._plans.get(name)
        if plan is None:
            if len(self._plans) >= _CACHE:  # callers choose their names: remember a bounded number
                self._plans.clear()
            buckets = self._buckets_for(call, self._early, "", "")
            plan = _Plan(buckets, tuple(bucket.limit for bucket in buckets), ("",) * len(buckets))
            self._plans[name] = plan
        if plan.ready is not None:
            return plan.ready
        if plan.known:
            return Request(plan.limits, [bucket.ask(call.size) for bucket in plan.buckets], "", plan.tools, ())
        request = self._request(call, "", ((bucket, "") for bucket in plan.buckets))
        plan.known = not request.strangers
        if plan.known and all(bucket.fixed is not None for bucket in plan.buckets):
            plan.ready = request
        return request

    def late(self, call: Call, model: str, tools: Sequence[str]) -> Request:
        """What it asks for beside that when its body has come."""
        found = [(bucket, "") for bucket in self._buckets_of(call, self._by_model, model, "")]
        if self._by_tool:
            for tool in tools[:MOST_TOOLS]:
                found += ((bucket, tool) for bucket in self._buckets_of(call, self._by_tool, model, tool))
        return self._request(call, model, found)

    def _request(self, call: Call, model: str, found: Iterable[tuple[_Bucket, str]]) -> Request:
        limits: list[Limit] = []
        asks: list[Ask] = []
        tools: list[str] = []
        strangers: tuple[int, ...] = ()
        for bucket, tool in found:
            ask = bucket.ask(call.size)
            limits.append(bucket.limit)
            asks.append(ask)
            tools.append(tool)
            if bucket.stranger and not self._known(bucket.key):
                strangers += (bucket.key,)
                limits.append(bucket.limit)
                asks.append(_shared(ask, bucket))
                tools.append(tool)
        return Request(tuple(limits), asks, model, tuple(tools), strangers)

    def _buckets_of(self, call: Call, of: _Numbered, model: str, tool: str) -> tuple[_Bucket, ...]:
        name = (call.caller, call.endpoint, len(of), model, tool)
        found = self._buckets.get(name)
        if found is None:
            if len(self._buckets) >= _CACHE:
                self._buckets.clear()
            found = self._buckets[name] = self._buckets_for(call, of, model, tool)
        return found

    def _buckets_for(self, call: Call, of: _Numbered, model: str, tool: str) -> tuple[_Bucket, ...]:
        caller = call.caller
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
        return tuple(self._bucket(number, limit, values) for number, limit in of if limit.applies(values))

    def settle(self, grant: Grant, trace: Trace | None) -> list[Settle]:
        """What a finished call gives back and really used."""
        called = {value for name, value in trace.tags if name == "tool"} if trace is not None else frozenset()
        items: list[Settle] = []
        for number, (limit, ask, row, tool) in enumerate(
            zip(grant.limits, grant.asks, grant.rows, grant.tools, strict=True)
        ):
            held = ask.hold + grant.grown.get(number, 0)
            if grant.undone:
                charge = -ask.charge
            elif limit.early and not tool:
                charge = 0
            else:
                charge = int(limit.charge(limit.used(trace)) / ask.weight) if not tool or tool in called else 0
            if row >= 0 and (held or charge):
                items.append(Settle(row if held else -1, held, charge, ask.key, ask.overflow))
        return items

    def _bucket(self, number: int, limit: Limit, values: Mapping[str, str]) -> _Bucket:
        place = network(values["ip"])
        parts = [limit.name, limit.count, *(f"{name}={place if name == 'ip' else values[name]}" for name in limit.by)]
        key = self._hash(*parts)
        stripe = 0
        if CLAIMED & set(limit.by) and limit.unknown:
            stripe = self._hash(limit.name, "strangers", str(self._hash(place) % STRIPES))
        fixed = None
        if limit.early and values["tool"]:
            fixed = Ask(key, number, limit.capacity, 0, limit.charge(1), limit.mode == "enforce")
        elif limit.early or limit.count == "concurrent":
            hold = int(limit.count == "concurrent")
            fixed = Ask(key, number, limit.capacity, limit.charge(1), hold, limit.mode == "enforce")
        holds = self._holds.setdefault(number, {})
        return _Bucket(number, limit, key, stripe, fixed, limit.capacity, limit.mode == "enforce", holds)

    def _hash(self, *parts: str) -> int:
        digest = hashlib.blake2b(digest_size=8, key=self._secret)
        for part in parts:
            data = part.encode("utf-8", "surrogatepass")
            digest.update(len(data).to_bytes(4, "big") + data)
        return int.from_bytes(digest.digest(), "big") >> 1 or 1


def network(ip: str) -> str:
    """What counts as one address: an IPv6 host chooses among 2^64 addresses of its own, so its /64 does."""
    if ":" not in ip:
        return ip
    try:
        packed = IPv6Address(ip.partition("%")[0])
    except ValueError:
        return ip
    return str(packed.ipv4_mapped or IPv6Address(int(packed) >> 64 << 64))


def _shared(ask: Ask, bucket: _Bucket) -> Ask:
    """The same ask of the bucket that strangers share: it drains `unknown` times as fast, so a call weighs less."""
    weight = max(1.0, bucket.limit.unknown)
    if bucket.limit.count == "concurrent":
        return Ask(bucket.stranger, bucket.number, int(ask.capacity * weight), 0, ask.hold, ask.enforce)
    charge, hold = int(ask.charge / weight), int(ask.hold / weight)
    return Ask(bucket.stranger, bucket.number, ask.capacity, charge, hold, ask.enforce, weight)
