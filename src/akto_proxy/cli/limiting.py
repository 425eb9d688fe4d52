"""Limits joined to the data plane: a gate built from the settings, for this machine's workers or for many machines.

Limits that were learned and accepted come from a file that is looked at twice a second, and join those of the settings
without a restart. A machine without any limit maps no file and asks no Redis until the first one comes.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from hashlib import sha256
from pathlib import Path
from typing import Any

import structlog
from redis.exceptions import RedisError

from akto_proxy.cli.gates import LimitGate, Refuser
from akto_proxy.config.keys import key_of
from akto_proxy.config.settings import Settings
from akto_proxy.errors import ConfigError, StorageError
from akto_proxy.exchange.caller import Callers, Holder
from akto_proxy.limits.blocks import Blocks
from akto_proxy.limits.learned import SLOTS, Learned, LearnedFile
from akto_proxy.limits.limiter import Limiter
from akto_proxy.limits.redis import BEAT, RedisLimiter
from akto_proxy.limits.schema import Limit, parse_limits
from akto_proxy.limits.shared import SharedTable

FOLDER = "limits"
_FLUSH_EVERY = 0.05
_LOOK_EVERY = 0.5
_REAP_EVERY = 30.0
_log = structlog.get_logger("akto_proxy.limits")


@dataclass(frozen=True, slots=True)
class Backend:
    """Where buckets are kept."""

    limiter: Limiter | RedisLimiter
    table: SharedTable
    columns: int
    client: Any = None


class Limiting:
    """The gate and what keeps it alive: run `run()` as a task, and call `close()` at the end.

    Args:
        gate: what callers meet; it is given its limiter here.
        written: the limits of the settings.
        learned: those that were learned and accepted.
        build: makes the backend for these limits and their numbers, once there is any.

    Raises:
        StorageError: DATA_DIR cannot be written.
    """

    def __init__(
        self,
        gate: LimitGate,
        written: Sequence[Limit],
        learned: LearnedFile,
        build: Callable[[Sequence[Limit], Sequence[int]], Backend],
    ) -> None:
        self.gate = gate
        self._written = tuple(written)
        self._learned = learned
        self._build = build
        self._backend: Backend | None = None
        self._told = ""
        learned.look()
        self._use()

    def look(self) -> bool:
        """Put learned limits in force that were accepted since, and let go those taken back; whether any were.

        Raises:
            StorageError: DATA_DIR cannot be written.
        """
        if not self._learned.look():
            return False
        self._use()
        _log.info("learned limits in force", names=[item.limit.name for item in self._learned.limits])
        return True

    def _use(self) -> None:
        limits, numbers = joined(self._written, self._learned.limits)
        if self._backend is not None:
            self._backend.limiter.replace(limits, numbers)
        elif limits:
            self._backend = self._build(limits, numbers)
            self.gate.use(self._backend.limiter)

    async def run(self) -> None:
        """Look for learned limits, settle with Redis, and clean up after workers that died, until cancelled."""
        beat = reap = look = 0.0
        while True:
            remote = self._remote
            await asyncio.sleep(_FLUSH_EVERY if remote else _LOOK_EVERY)
            now = time.monotonic()
            if remote is not None:
                due = now - beat >= BEAT
                beat = now if due else beat
                await self._flush(remote, beat=due)
            if now - look >= _LOOK_EVERY:
                look = now
                try:
                    self.look()
                except StorageError as error:
                    _log.error("learned limits cannot be put in force", reason=str(error))
            if self._backend is not None and now - reap >= _REAP_EVERY:
                reap = now
                self._backend.table.reap(self._backend.columns)

    @property
    def _remote(self) -> RedisLimiter | None:
        limiter = self._backend.limiter if self._backend is not None else None
        return limiter if isinstance(limiter, RedisLimiter) else None

    async def _flush(self, remote: RedisLimiter, *, beat: bool) -> None:
        """Settle with Redis; tells when Redis goes and comes."""
        await remote.flush(beat=beat)
        if remote.trouble == self._told:
            return
        self._told = remote.trouble
        if self._told:
            said = "LIMITS_URL does not answer: each limit's `away` applies; see docs/limits.md"
            _log.error(said, kind=self._told)
        else:
            _log.info("LIMITS_URL answers again: limits hold over all machines")

    async def close(self) -> None:
        """Give files and connections back."""
        if self._remote is not None and self._backend is not None:
            await self._remote.close()
            await self._backend.client.aclose()
        if self._backend is not None:
            self._backend.table.close()


def joined(written: Sequence[Limit], learned: Sequence[Learned]) -> tuple[tuple[Limit, ...], tuple[int, ...]]:
    """All limits in force, each with the number of its shared bucket. A written limit stands for a learned namesake."""
    names = {limit.name for limit in written}
    more = [item for item in learned if item.limit.name not in names]
    limits = (*written, *(item.limit for item in more))
    return limits, (*range(len(written)), *(len(written) + item.slot for item in more))


def limiting(settings: Settings, refuser: Refuser, holder: Callable[[bytes], Holder | None] | None = None) -> Limiting:
    """The gate of one worker, from the settings; `holder` tells whose key a credential is, where keys are issued.

    Raises:
        ConfigError: the limits cannot be used.
        StorageError: DATA_DIR cannot be written.
    """
    written = parse_limits(settings.limits)
    key = key_of(settings, "deployment.key")
    callers = Callers(key, settings.trusted_proxies, holder)
    blocks = Blocks(settings.data_path, time.time)
    gate = LimitGate(None, blocks, callers, refuser, place(settings))
    columns = max(8, 2 * settings.worker_count + 2)

    def build(limits: Sequence[Limit], numbers: Sequence[int]) -> Backend:
        shared = SharedTable(Path(settings.data_path) / FOLDER, overflow=len(written) + SLOTS, columns=columns)
        if not settings.limits_url:
            limiter = Limiter(limits, shared.table, now=time.time_ns, secret=key, numbers=numbers)
            return Backend(limiter, shared, columns)
        client = redis_client(settings.limits_url)
        remote = RedisLimiter(
            limits,
            client,
            shared.table,
            now=time.time_ns,
            clock=time.monotonic,
            secret=sha256(settings.limits_url.encode()).digest(),  # bucket names must be the same on all machines
            name=f"{os.uname().nodename}-{os.getpid()}-{os.urandom(4).hex()}",
            numbers=numbers,
        )
        return Backend(remote, shared, columns, client)

    if settings.limits_url:
        redis_client(settings.limits_url)  # a URL that cannot be used refuses the start, not the first limit
    return Limiting(gate, written, LearnedFile(settings.data_path), build)


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
