"""Limits joined to the data plane: a gate built from the settings, for this machine's workers or for many machines.

The gate stands before the guard: a refused call costs the proxy its head and nothing else. It must not make a call
wait without Redis, so everything else here is memory and one lock.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol

import structlog
from redis.exceptions import RedisError

from akto_proxy.config.keys import key_of
from akto_proxy.config.settings import Settings
from akto_proxy.errors import ConfigError
from akto_proxy.exchange.caller import Callers, Holder
from akto_proxy.exchange.face import Headers, Refusal, RequestHead
from akto_proxy.limits.blocks import Blocks
from akto_proxy.limits.book import Call, Grant, Refused
from akto_proxy.limits.headers import message, refused_headers
from akto_proxy.limits.limiter import LimitCounters, Limiter
from akto_proxy.limits.redis import BEAT, RedisLimiter
from akto_proxy.limits.schema import parse_limits
from akto_proxy.limits.shared import SharedTable
from akto_proxy.model import Trace
from akto_proxy.proxy.core import Gate, Late, Meter

FOLDER = "limits"
_FLUSH_EVERY = 0.05
_REAP_EVERY = 30.0
_log = structlog.get_logger("akto_proxy.limits")


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
        self.has_late = limiter is not None and limiter.book.has_late
        if limiter is not None:
            self.counters.limits = limiter.counters

    def enter(self, head: RequestHead) -> Refusal | Grant | bool | Awaitable[Refusal | Grant | bool]:
        """A refusal, or what must be settled when the exchange is over."""
        caller = self._callers.read(head.headers, head.ip)
        until = self._blocks.until(caller)
        if until:
            self.counters.blocked += 1
            said = "This caller is blocked by the operator for a time."
            return self._refuser.refuse("caller_blocked", 403, said, head)
        if self._limiter is None:
            return True
        path = head.target.partition(b"?")[0].decode("latin-1")
        call = Call(caller, self._place(path), path, _length(head.headers))
        if isinstance(self._limiter, Limiter):
            return self._answer(self._limiter.enter(call), head)
        return self._later(self._limiter, call, head)

    async def _later(self, limiter: RedisLimiter, call: Call, head: RequestHead) -> Refusal | Grant:
        return self._answer(await limiter.enter(call), head)

    def _answer(self, found: Grant | Refused, head: RequestHead) -> Refusal | Grant:
        if isinstance(found, Grant):
            return found
        assert self._limiter is not None
        refusal = self._refuser.refuse("limited", 429, message(found), head)
        extra = refused_headers(found, self._limiter.book.limits)
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
        return found.limit.name, message(found), refused_headers(found, self._limiter.book.limits)

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
        self.has_late = any(gate.has_late for gate in gates)

    def enter(self, head: RequestHead) -> Any:
        """A refusal, or the tokens of all gates."""
        tokens: list[Any] = []
        for number, gate in enumerate(self._gates):
            entered: Any = gate.enter(head)
            if isinstance(entered, Refusal):
                self.leave(tokens, None)
                return entered
            if isinstance(entered, Awaitable):
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


@dataclass(slots=True)
class Limiting:
    """The gate and what keeps it alive: run `run()` as a task, and call `close()` at the end."""

    gate: LimitGate
    table: SharedTable | None = None
    columns: int = 0
    limiter: RedisLimiter | None = None
    client: Any = None

    async def run(self) -> None:
        """Settle with Redis, and clean up after workers that died, until cancelled. Tells when Redis goes and comes."""
        beat = reap = 0.0
        told = ""
        while True:
            await asyncio.sleep(_FLUSH_EVERY if self.limiter else _REAP_EVERY)
            now = time.monotonic()
            if self.limiter is not None:
                due = now - beat >= BEAT
                beat = now if due else beat
                await self.limiter.flush(beat=due)
                if self.limiter.trouble != told:
                    told = self.limiter.trouble
                    _tell(told)
            if self.table is not None and now - reap >= _REAP_EVERY:
                reap = now
                self.table.reap(self.columns)

    async def close(self) -> None:
        """Give files and connections back."""
        if self.limiter is not None:
            await self.limiter.close()
            await self.client.aclose()
        if self.table is not None:
            self.table.close()


def _tell(trouble: str) -> None:
    if trouble:
        _log.error("LIMITS_URL does not answer: each limit's `away` applies; see docs/limits.md", kind=trouble)
    else:
        _log.info("LIMITS_URL answers again: limits hold over all machines")


def limiting(settings: Settings, refuser: Refuser, holder: Callable[[bytes], Holder | None] | None = None) -> Limiting:
    """The gate of one worker, from the settings; `holder` tells whose key a credential is, where keys are issued.

    Raises:
        ConfigError: the limits cannot be used.
        StorageError: DATA_DIR cannot be written.
    """
    limits = parse_limits(settings.limits)
    key = key_of(settings, "deployment.key")
    callers = Callers(key, settings.trusted_proxies, holder)
    blocks = Blocks(settings.data_path, time.time)
    if not limits:
        return Limiting(LimitGate(None, blocks, callers, refuser, place(settings)))
    columns = max(8, 2 * settings.worker_count + 2)
    shared = SharedTable(Path(settings.data_path) / FOLDER, overflow=len(limits), columns=columns)
    if not settings.limits_url:
        limiter = Limiter(limits, shared.table, now=time.time_ns, secret=key)
        return Limiting(LimitGate(limiter, blocks, callers, refuser, place(settings)), shared, columns)
    client = redis_client(settings.limits_url)
    remote = RedisLimiter(
        limits,
        client,
        shared.table,
        now=time.time_ns,
        clock=time.monotonic,
        secret=sha256(settings.limits_url.encode()).digest(),  # bucket names must be the same on all machines
        name=f"{os.uname().nodename}-{os.getpid()}-{os.urandom(4).hex()}",
    )
    gate = LimitGate(remote, blocks, callers, refuser, place(settings))
    return Limiting(gate, shared, columns, remote, client)


def redis_client(url: str) -> Any:
    """A client that gives up soon and never tries again by itself: the limits know what to do without Redis.

    Raises:
        ConfigError: the URL cannot be used. It is not repeated, for it may hold a password.
    """
    from redis.asyncio import Redis
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff

    try:
        client = Redis.from_url(
            url,
            socket_timeout=1.0,
            socket_connect_timeout=1.0,
            max_connections=16,
            health_check_interval=0,
            retry=Retry(NoBackoff(), 0),
        )
        client.connection_pool.make_connection()  # type: ignore[no-untyped-call]  # what the URL asks for is only read when a connection is made
    except (ValueError, TypeError, OSError, RedisError):
        said = "LIMITS_URL: redis://[user:password@]host[:port][/number] or rediss:// is expected; see docs/limits.md"
        raise ConfigError(said) from None
    return client


def place(settings: Settings) -> Callable[[str], str]:
    """Names the endpoint of a path as traces do."""
    labels = [(item.name, item.paths) for item in settings.endpoints]
    if not labels:
        name = settings.endpoint_name
        return lambda _path: name

    def named(path: str) -> str:
        for name, paths in labels:
            if any(fnmatchcase(path, glob) for glob in paths):
                return name
        return settings.endpoint_name

    return named


def _length(headers: Headers) -> int:
    for name, value in headers:
        if len(name) == 14 and name.lower() == b"content-length":
            return int(value) if value.isdigit() and len(value) < 12 else 0
    return 0
