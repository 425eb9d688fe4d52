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
from collections.abc import Sequence
from importlib import metadata
from typing import Any

import httpx
import structlog

from akto_proxy.cli import build, logs, worker
from akto_proxy.cli.serve import local_token
from akto_proxy.config.settings import Settings
from akto_proxy.proxy.ship_targets import AktoOptions, AktoTarget, CollectorTarget, ShipError, Target
from akto_proxy.proxy.shipper import Shipper
from akto_proxy.spool.frame import Frame

_log = structlog.get_logger("akto_proxy.shipper")
HEALTH_EVERY = 10.0
"""Seconds between two reports of how this proxy is."""


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
        if target is None:
            _log.warning("no server to ship to: traces stay in the spool", fix="set AKTO_API_BASE_URL")
            await stop.wait()
            return
        shipper = Shipper(worker.spool_root(settings), target, clock=time.time, random=random.random)
        tasks = [asyncio.create_task(shipper.run())]
        told = local or (target if isinstance(target, CollectorTarget) else None)
        if told is not None:
            tasks.append(asyncio.create_task(_report(settings, told, shipper)))
        await stop.wait()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await shipper.drain(5.0)


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


async def _report(settings: Settings, target: CollectorTarget, shipper: Shipper) -> None:
    while True:
        policy = await asyncio.to_thread(lambda: build.policy_set(build.policies(settings)).version)
        with contextlib.suppress(ShipError):
            await target.report(_health(settings, shipper, policy))
        await asyncio.sleep(HEALTH_EVERY)


def _health(settings: Settings, shipper: Shipper, policy: str) -> dict[str, Any]:
    stats = shipper.stats
    return {
        "name": f"{os.uname().nodename}:{settings.akto_proxy_port}",
        "version": metadata.version("akto-agent-proxy"),
        "policy_version": policy,
        "lag": stats.lag,
        "state": stats.state,
    }
