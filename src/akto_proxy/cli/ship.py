"""The shipper's process: from this machine's spool to the embedded server, the operator's ingestion server, or both.

With both, a batch is forgotten once both have it; each side knows records by id, so what is sent twice counts once. A
server that is away therefore keeps records in the spool rather than out of one of the two: late, never lost.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import time
from collections import deque
from collections.abc import Sequence
from importlib import metadata
from typing import Any

import httpx
import structlog

from akto_proxy.cli import build, logs, worker
from akto_proxy.cli.serve import local_token
from akto_proxy.config.settings import Settings
from akto_proxy.proxy.metrics import FOLDER, Board, Values, of_shipper
from akto_proxy.proxy.ship_targets import AktoOptions, AktoTarget, CollectorTarget, ShipError, Target
from akto_proxy.proxy.shipper import Shipper
from akto_proxy.spool.frame import Frame

_log = structlog.get_logger("akto_proxy.shipper")
HEALTH_EVERY = 10.0
"""Seconds between two reports of how this proxy is."""
LOSSES = ("akto_proxy_spool_dropped_total", "akto_proxy_lost_traces_total", "akto_proxy_shipper_refused_total")
"""Counters of what will never reach a server."""


class Nowhere:
    """No server is set: nothing is sent, and what waits is still measured."""

    name = "no server"

    async def check(self) -> None:
        """There is nothing to check."""

    async def send(self, writer: str, frames: Sequence[Frame]) -> Sequence[int]:
        """Never called."""
        raise ShipError("no server is set; set AKTO_API_BASE_URL", "no_server", slow=True)


class Both:
    """Two targets as one: the first gets every batch at once, the batch is done when the second has it too."""

    def __init__(self, first: Target, second: Target) -> None:
        self.name = f"{first.name} and {second.name}"
        self._targets = (first, second)

    async def check(self) -> None:
        """Are both there, and are the tokens good?"""
        for target in self._targets:
            await target.check()

    async def send(self, writer: str, frames: Sequence[Frame]) -> Sequence[int]:
        """Send to one after the other; the numbers that either will never take."""
        refused: set[int] = set()
        for target in self._targets:
            refused.update(await target.send(writer, frames))
        return sorted(refused)


def ship(settings: Settings, embedded: bool) -> None:
    """Ship until SIGTERM; `embedded` says whether this tree of processes has a server of its own."""
    logs.setup(settings.log_level, settings.log_format)
    asyncio.run(_ship(settings, embedded))


async def _ship(settings: Settings, embedded: bool) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with httpx.AsyncClient(timeout=httpx.Timeout(30.0, connect=10.0), trust_env=False) as client:
        local = local_target(client, settings) if embedded else None
        target = chosen(client, settings, local)
        shipper = Shipper(worker.spool_root(settings), target or Nowhere(), clock=time.time, random=random.random)
        board = Board(settings.data_path / FOLDER, "shipper", now=time.time)
        tasks = [asyncio.create_task(_count(board, shipper))]
        if target is None:
            _log.warning("no server to ship to: traces stay in the spool", fix="set AKTO_API_BASE_URL")
        else:
            tasks.append(asyncio.create_task(shipper.run()))
        if local is not None:
            tasks.append(asyncio.create_task(_report(settings, local, shipper, board)))
        await stop.wait()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if target is not None:
            await shipper.drain(5.0)
        board.publish(of_shipper(shipper.stats))


async def _count(board: Board, shipper: Shipper) -> None:
    """Put the shipper's numbers where a worker finds them when it is asked for all."""
    while True:
        with contextlib.suppress(OSError):
            await asyncio.to_thread(shipper.measure)
        board.publish(of_shipper(shipper.stats))
        await asyncio.sleep(1.0)


def local_target(client: httpx.AsyncClient, settings: Settings) -> CollectorTarget:
    """The server of this tree of processes."""
    return CollectorTarget(client, f"http://127.0.0.1:{settings.server_port}", local_token(settings))


def chosen(client: httpx.AsyncClient, settings: Settings, local: CollectorTarget | None) -> Target | None:
    """Where traces go: the embedded server, the operator's, both, or nowhere yet."""
    if not settings.akto_api_base_url:
        return local
    token = settings.akto_api_token.get_secret_value()
    remote: Target
    if settings.ingest_form == "collector":
        if not token and settings.master_key:
            token = local_token(settings)
        remote = CollectorTarget(client, settings.akto_api_base_url, token)
    else:
        threat = "" if settings.skip_threat else settings.threat_url
        remote = AktoTarget(client, AktoOptions(settings.akto_api_base_url, token, threat))
    return Both(local, remote) if local is not None else remote


async def _report(settings: Settings, target: CollectorTarget, shipper: Shipper, board: Board) -> None:
    lost = Lately()
    while True:
        policy = await asyncio.to_thread(lambda: build.policy_set(build.policies(settings)).version)
        with contextlib.suppress(ShipError):
            await target.report(_health(settings, shipper, policy, lost.add(time.monotonic(), _lost(board.total()))))
        await asyncio.sleep(HEALTH_EVERY)


class Lately:
    """How much a counter grew in the last hour, so that a loss is an alert while it is news and then is over."""

    def __init__(self, span: float = 3600.0) -> None:
        self._span = span
        self._seen: deque[tuple[float, int]] = deque()

    def add(self, now: float, total: int) -> int:
        """Note the counter; its growth over the span (since the first look, when that is nearer)."""
        self._seen.append((now, total))
        while now - self._seen[0][0] > self._span:
            self._seen.popleft()
        return max(0, total - self._seen[0][1])


def _lost(values: Values) -> int:
    """Traces that this machine dropped or could not write, and records that the server refused."""
    return int(sum(values.counters.get(name, {}).get("", 0.0) for name in LOSSES))


def _health(settings: Settings, shipper: Shipper, policy: str, dropped: int) -> dict[str, Any]:
    stats = shipper.stats
    return {
        "name": f"{os.uname().nodename}:{settings.akto_proxy_port}",
        "version": metadata.version("akto-agent-proxy"),
        "policy_version": policy,
        "lag": stats.lag,
        "lag_seconds": round(stats.lag_seconds, 3),
        "dropped": dropped,
        "state": stats.state,
    }
