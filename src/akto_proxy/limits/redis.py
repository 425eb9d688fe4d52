"""Limits shared by all machines, in Redis: one script a decision, and a stated answer when Redis is away.

The script is the table's decision in Lua, on Redis's own clock, so machines need not agree on the time. Settlements
wait in memory and go out with the next decision or flush; a heartbeat says exactly what a process holds, so an answer
that was lost is put right by it; a process that has been silent for 30 seconds holds nothing any more.

When Redis does not answer in time, limits with `away: closed` refuse; the others go on with this machine's own
table and `share` of the limit. Redis is asked again after a second. What was used meanwhile, and settlements that
could not be sent, are charged later (a bounded number of buckets of them). Numbers in Lua are doubles: microseconds
are used there, exact for any time since 1970.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from akto_proxy.limits.limiter import Book, Call, Grant, LimitCounters, Limiter, Refused
from akto_proxy.limits.schema import Limit
from akto_proxy.limits.table import Answer, Ask, Table
from akto_proxy.model import Trace

REST = 1.0
BEAT = 10.0
SILENT_MS = 30_000
MAX_PENDING = 10_000
_ENDLESS = 1 << 52

SCRIPT = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local me, silent, alive = ARGV[1], tonumber(ARGV[2]), ARGV[3]
redis.call('SET', KEYS[1], '1', 'PX', silent)
local refused, wait, out, plans = -1, 0, {}, {}
for i = 2, #KEYS do
  local base = 4 + (i - 2) * 7
  local capacity, charge, hold = tonumber(ARGV[base]), tonumber(ARGV[base + 1]), tonumber(ARGV[base + 2])
  local enforce, release = ARGV[base + 3] == '1', tonumber(ARGV[base + 4])
  local debt, exact = tonumber(ARGV[base + 5]), tonumber(ARGV[base + 6])
  local tat, mine, others = 0, 0, 0
  local row = redis.call('HGETALL', KEYS[i])
  for j = 1, #row, 2 do
    local name, value = row[j], tonumber(row[j + 1])
    if name == 't' then tat = value
    elseif name == me then mine = value
    elseif redis.call('EXISTS', alive .. name) == 1 then others = others + value
    else redis.call('HDEL', KEYS[i], name) end
  end
  if exact >= 0 then mine = exact end
  mine = math.max(0, mine - release)
  if debt > 0 then tat = math.max(tat, now) + debt end
  local room = capacity - math.max(tat - now, 0) - others - mine - charge - hold
  local fits = 1
  if room < 0 then
    fits = 0
    if enforce and (refused < 0 or -room > wait) then refused, wait = i - 2, -room end
  end
  plans[i] = {tat, charge, hold, mine, fits}
  out[i - 1] = fits
end
for i = 2, #KEYS do
  local tat, charge, hold, mine, fits = unpack(plans[i])
  if refused < 0 and fits == 1 then
    if charge > 0 then tat = math.max(tat, now) + charge end
    mine = mine + hold
  end
  redis.call('HSET', KEYS[i], 't', string.format('%.0f', tat), me, string.format('%.0f', mine))
  redis.call('PEXPIRE', KEYS[i], math.floor(math.max(tat - now, 0) / 1000) + 2 * silent)
end
table.insert(out, 1, string.format('%.0f', wait))
table.insert(out, 1, refused)
return out
"""


class RedisClient(Protocol):
    """What is asked of redis.asyncio.Redis."""

    def register_script(self, script: str) -> Any:
        """A script that sends its hash first."""
        ...

    def set(self, name: str, value: str, px: int) -> Awaitable[Any]:
        """Set with an end."""
        ...


@dataclass(slots=True)
class _Mine:
    """What this process holds in one bucket, and what Redis must still hear: to give back, to charge."""

    held: int = 0
    release: int = 0
    debt: int = 0


class RedisLimiter:
    """The limits of many machines.

    Args:
        limits: what the operator chose.
        client: a connected client (its own time-outs are not relied on).
        local: this machine's table, used when Redis is away and for the marks of known callers.
        now: Unix nanoseconds.
        clock: seconds that only grow.
        secret: see Book; the same on all machines.
        name: unlike that of any other process.
        timeout: seconds a decision may take.
        prefix: of all keys.
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
        timeout: float = 0.05,
        prefix: str = "akto-proxy:limits:",
    ) -> None:
        self._client = client
        self._script = client.register_script(SCRIPT)
        self._local = Limiter([_share(limit) for limit in limits], local, now=now, secret=secret)
        self.book = Book(limits, secret, local.is_known)
        self.counters: LimitCounters = self._local.counters
        self._table = local
        self._clock = clock
        self._name = name
        self._timeout = timeout
        self._prefix = prefix
        self._mine: dict[int, _Mine] = {}
        self._rest_until = 0.0
        self._flying = 0
        self.away = 0

    async def enter(self, call: Call) -> Grant | Refused:
        """Take what the call needs from every bucket it falls in, or say which one has too little."""
        if self._clock() < self._rest_until:
            return self._alone(call)
        request = self.book.request(call)
        try:
            async with asyncio.timeout(self._timeout):
                answer = await self._decide(_in_micros(request.limits, request.asks))
        except Exception:  # noqa: BLE001  whatever the client raises means the same: Redis is away
            self._rest_until = self._clock() + REST
            return self._alone(call)
        return self._local.granted(call, request, answer)

    async def _decide(self, asks: Sequence[Ask], *, exact: bool = False) -> Answer:
        keys = [self._prefix + "alive:" + self._name]
        args: list[str | int] = [self._name, SILENT_MS, self._prefix + "alive:"]
        sent: list[tuple[_Mine, int, int]] = []
        for ask in asks:
            mine = self._mine.get(ask.key) or _Mine()
            sent.append((mine, mine.release, mine.debt))
            keys.append(f"{self._prefix}{ask.key:x}")
            args += [ask.capacity, ask.charge, ask.hold, int(ask.enforce), mine.release, mine.debt]
            args.append(mine.held + mine.release if exact else -1)
            mine.release = mine.debt = 0
        self._flying += 1
        try:
            raw = await self._script(keys=keys, args=args)
        except BaseException:
            for mine, release, debt in sent:  # if they did arrive, charging twice only makes the limit stricter
                mine.release += release
                mine.debt += debt
            raise
        finally:
            self._flying -= 1
        return self._answer(asks, [int(part) for part in raw])

    def _answer(self, asks: Sequence[Ask], raw: Sequence[int]) -> Answer:
        refused, wait, fits = raw[0], raw[1], raw[2:]
        for ask, fit in zip(asks, fits, strict=True):
            if refused < 0 and fit and ask.hold:
                self._mine.setdefault(ask.key, _Mine()).held += ask.hold
        over = tuple(number for number, fit in enumerate(fits) if not fit and not asks[number].enforce)
        return Answer(refused, wait * 1000, [0 if fit else -1 for fit in fits], [], over)

    def _alone(self, call: Call) -> Grant | Refused:
        self.away += 1
        for limit in self.book.limits:
            if limit.away == "closed" and limit.mode == "enforce":
                self.counters.refused[limit.name] = self.counters.refused.get(limit.name, 0) + 1
                return Refused(limit, 1)
        grant = self._local.enter(call)
        if isinstance(grant, Grant):
            grant.local = True
        return grant

    def leave(self, grant: Grant, trace: Trace | None) -> None:
        """The call is over: settle it, once. What Redis must hear is sent with the next decision or heartbeat."""
        if grant.settled:
            return
        if grant.local:
            self._local.leave(grant, trace)
            return
        grant.settled = True
        calls = {ask.key for ask, limit in zip(grant.asks, grant.limits, strict=True) if limit.count == "concurrent"}
        for item in self.book.settle(grant, trace):
            if item.key not in self._mine and len(self._mine) >= MAX_PENDING:
                self._mine.pop(next(iter(self._mine)))
            mine = self._mine.setdefault(item.key, _Mine())
            held = item.hold if item.key in calls else micro(item.hold)
            mine.held -= held
            mine.release += held
            mine.debt += micro(item.charge)
        if grant.strangers and trace is not None and 200 <= trace.upstream_status < 400:
            for key in grant.strangers:
                self._table.mark_known(key)

    async def flush(self, *, beat: bool = False) -> bool:
        """Send what waits; with `beat` also say that this process lives and what exactly it holds.

        To be called often, and with `beat` every BEAT seconds. False when Redis is away.
        """
        if not beat and self._clock() < self._rest_until:
            return False
        exact = beat and not self._flying  # with a decision in flight nobody knows what Redis counts
        waiting = [key for key, mine in self._mine.items() if mine.debt or mine.release or (exact and mine.held)]
        try:
            async with asyncio.timeout(1.0):
                if beat:
                    await self._client.set(self._prefix + "alive:" + self._name, "1", px=SILENT_MS)
                for start in range(0, len(waiting), 100):
                    asks = [Ask(key, 0, _ENDLESS, enforce=False) for key in waiting[start : start + 100]]
                    await self._decide(asks, exact=exact and not self._flying)
        except Exception:  # noqa: BLE001  away; what waits is kept for the next time
            self._rest_until = self._clock() + REST
            return False
        for key in [key for key in waiting if _nothing(self._mine[key])]:
            del self._mine[key]
        return True


def _nothing(mine: _Mine) -> bool:
    return not (mine.held or mine.release or mine.debt)


def micro(nanoseconds: int) -> int:
    """Microseconds, rounded up."""
    return -(-nanoseconds // 1000)


def _in_micros(limits: Sequence[Limit], asks: Sequence[Ask]) -> list[Ask]:
    """The asks in Redis's unit; calls in flight stay calls."""
    return [
        ask
        if limit.count == "concurrent"
        else replace(ask, capacity=ask.capacity // 1000, charge=micro(ask.charge), hold=micro(ask.hold))
        for limit, ask in zip(limits, asks, strict=True)
    ]


def _share(limit: Limit) -> Limit:
    """What this machine may let pass alone."""
    if limit.count == "concurrent":
        return limit.model_copy(update={"limit": max(1.0, limit.limit * limit.share)})
    return limit.model_copy(update={"limit": limit.limit * limit.share, "burst": max(1.0, limit.at_once * limit.share)})
