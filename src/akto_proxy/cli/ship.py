"""The shipper's process: from this machine's spool to each server that was asked for.

There may be three: the embedded server, the operator's ingestion server and an OpenTelemetry collector. Each has a
shipper and cursors of its own, so one that is away delays no other; what it has not taken stays in the spool for it.
The price: a server that is away for long fills the spool, whatever the others have.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import time
from collections import deque
from collections.abc import Callable, Coroutine, Iterator, Mapping
from functools import partial
from importlib import metadata
from typing import Any
from urllib.parse import unquote

import httpx
import structlog

from akto_proxy.cli import logs, worker
from akto_proxy.cli.lasting import lasting
from akto_proxy.cli.measures import fetch
from akto_proxy.cli.memory import give_back
from akto_proxy.cli.pull import InForce, Puller, prove, source
from akto_proxy.cli.targets import local_token, remote_token
from akto_proxy.config.settings import Settings
from akto_proxy.proxy.counters import OtlpStats
from akto_proxy.proxy.metrics import FOLDER, Board, Values, of_shippers
from akto_proxy.proxy.otlp import OtlpOptions, OtlpTarget
from akto_proxy.proxy.otlp_metrics import MetricsPusher
from akto_proxy.proxy.ship_targets import AktoOptions, AktoTarget, CollectorTarget, ShipError, Target
from akto_proxy.proxy.shipper import Shipper, ShipperOptions
from akto_proxy.spool.layout import forget_readers, writers

_log = structlog.get_logger("akto_proxy.shipper")
Job = Callable[[], Coroutine[Any, Any, None]]
OWN = "server"
"""The name of the cursors for the server of this tree of processes."""
HEALTH_EVERY = 10.0
"""Seconds between two reports of how this proxy is."""
AGAIN = 1.0
"""Seconds until a report that this tree's own server did not take is tried again."""
NEAR = ShipperOptions(first_wait=0.2, longest_wait=1.0)
"""For the server of this very tree of processes: it starts after its shipper asks for it, and asking it costs nothing,
so it is asked each second. Waits that double to 30 s are for servers that many proxies share."""
BESIDE = 20.0
"""Seconds this tree's own server may take to start before its absence is news."""
TRIM_EVERY = 60.0
"""Seconds between two times that free memory is given back: over two hours of 237 calls a second 80 MB gathered."""
LAST_PUSH = 3.0
"""Seconds the last push of metrics may take when the program stops."""
LOSSES = ("akto_proxy_spool_dropped_total", "akto_proxy_lost_traces_total")
"""Counters of what will never reach a server."""


def ship(settings: Settings, embedded: bool) -> None:
    """Ship until SIGTERM; `embedded` says whether this tree of processes has a server of its own."""
    logs.setup(settings.log_level, settings.log_format)
    asyncio.run(_ship(settings, embedded))


async def _ship(settings: Settings, embedded: bool) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with httpx.AsyncClient(timeout=httpx.Timeout(30.0, connect=10.0), trust_env=False) as client:
        found = targets(client, settings, embedded)
        root = worker.spool_root(settings)
        shippers = {
            name: Shipper(
                root,
                target,
                NEAR if name == OWN else ShipperOptions(),
                reader=name,
                readers=tuple(found),
                clock=time.time,
                random=random.random,
            )
            for name, target in found.items()
        }
        for directory in writers(root):
            forget_readers(directory, tuple(found))
        board = Board(settings.data_path / FOLDER, "shipper", now=time.time)
        pusher = _pusher(client, settings, board)

        def fresh() -> Values:
            return of_shippers({name: shipper.stats for name, shipper in shippers.items()}, _otlp(found, pusher))

        jobs: dict[str, Job] = {"counting": partial(_count, board, shippers, fresh), "giving memory back": _give_back}
        if pusher is not None:
            jobs["pushing metrics"] = pusher.run
        for name, shipper in shippers.items():
            jobs[f"shipping to {name}"] = partial(_beside, settings, shipper.run) if name == OWN else shipper.run
        _log.info("shipping", targets=list(found), pid=os.getpid())
        if not found:
            _log.warning("no server to ship to: traces stay in the spool", fix="set AKTO_API_BASE_URL")
        jobs |= _jobs(client, settings, embedded, found, shippers, board)
        tasks = [asyncio.create_task(lasting(name, job)) for name, job in jobs.items()]
        await stop.wait()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(*(shipper.drain(5.0) for shipper in shippers.values()))
        board.publish(fresh())
        if pusher is not None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(pusher.push(), LAST_PUSH)


def _jobs(
    client: httpx.AsyncClient,
    settings: Settings,
    embedded: bool,
    found: Mapping[str, Target],
    shippers: Mapping[str, Shipper],
    board: Board,
) -> dict[str, Job]:
    """What this process does beside shipping: pulls the policy, says how the proxy is, fetches measures."""
    origin = source(client, settings, embedded=embedded)
    puller = Puller(settings, origin, prove) if origin is not None else None
    policy = InForce(settings, puller)
    jobs: dict[str, Job] = {}
    if puller is not None:
        jobs["pulling the policy"] = partial(_beside, settings, puller.run) if embedded else puller.run
    for name, target in found.items():
        if isinstance(target, CollectorTarget):
            again = AGAIN if name == OWN else HEALTH_EVERY
            report = partial(_report, settings, target, shippers, board, policy, again)
            jobs[f"reporting to {name}"] = partial(_beside, settings, report) if name == OWN else report
    if not embedded and isinstance(found.get("remote"), CollectorTarget):
        jobs["fetching measures"] = partial(fetch, client, settings)
    return jobs


async def _beside(settings: Settings, job: Job) -> None:
    """Do a job with this tree's own server, once that listens or had its time: it starts a moment after its shipper."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(BESIDE):
            while not await _listens(settings.server_port):
                await asyncio.sleep(0.1)
    await job()


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


async def _give_back() -> None:
    """Batches come and go by the thousand, and the C library keeps what they used unless it is asked."""
    while True:
        await asyncio.sleep(TRIM_EVERY)
        await asyncio.to_thread(give_back)


async def _count(board: Board, shippers: Mapping[str, Shipper], fresh: Callable[[], Values]) -> None:
    """Put the shippers' numbers where a worker finds them when it is asked for all."""
    while True:
        for shipper in shippers.values():
            with contextlib.suppress(OSError):
                await asyncio.to_thread(shipper.measure)
        board.publish(fresh())
        await asyncio.sleep(1.0)


def _pusher(client: httpx.AsyncClient, settings: Settings, board: Board) -> MetricsPusher | None:
    """What pushes this machine's numbers, where there is an OpenTelemetry collector to push them to."""
    if not settings.otlp_endpoint or not settings.otlp_metrics_interval:
        return None
    return MetricsPusher(
        client,
        otlp_options(settings),
        board.whole,
        interval=settings.otlp_metrics_interval,
        clock=time.time,
        random=random.random,
        server=settings.endpoint_name,
    )


def _otlp(found: Mapping[str, Target], pusher: MetricsPusher | None) -> OtlpStats | None:
    """What the OpenTelemetry collector did not take, of both signals."""
    target = found.get("otlp")
    if not isinstance(target, OtlpTarget):
        return None
    pushed = pusher.stats if pusher is not None else OtlpStats()
    return OtlpStats(pushed.failures, target.stats.spans, pushed.points)


def otlp_options(settings: Settings) -> OtlpOptions:
    """The OpenTelemetry collector as the settings have it."""
    return OtlpOptions(
        settings.otlp_endpoint,
        tuple(headers_of(settings.otlp_headers.get_secret_value())),
        settings.otlp_content,
        settings.otlp_timeout,
        f"{os.uname().nodename}:{settings.akto_proxy_port}",
        metadata.version("akto-agent-proxy"),
    )


def targets(client: httpx.AsyncClient, settings: Settings, embedded: bool) -> dict[str, Target]:
    """Where traces go, each under the name of its cursors: the embedded server, the operator's, OpenTelemetry."""
    found: dict[str, Target] = {}
    if embedded:
        found[OWN] = CollectorTarget(client, f"http://127.0.0.1:{settings.server_port}", local_token(settings))
    token = remote_token(settings)
    if settings.akto_api_base_url and settings.ingest_form == "collector":
        found["remote"] = CollectorTarget(client, settings.akto_api_base_url, token)
    elif settings.akto_api_base_url:
        threat = "" if settings.skip_threat else settings.threat_url
        found["remote"] = AktoTarget(client, AktoOptions(settings.akto_api_base_url, token, threat))
    if settings.otlp_endpoint:
        found["otlp"] = OtlpTarget(client, otlp_options(settings))
    return found


def headers_of(text: str) -> Iterator[tuple[str, str]]:
    """`name=value,name=value`, percent-encoded, as OpenTelemetry's own variables have it."""
    for part in text.split(","):
        name, equals, value = part.partition("=")
        if equals and name.strip():
            yield name.strip(), unquote(value.strip())


async def _report(
    settings: Settings,
    target: CollectorTarget,
    shippers: Mapping[str, Shipper],
    board: Board,
    policy: InForce,
    again: float,
) -> None:
    lost = Lately()
    while True:
        version, problem = seen = await asyncio.to_thread(policy.look)
        dropped = lost.add(time.monotonic(), _lost(board.total()))
        try:
            await target.report(_health(settings, shippers, version, dropped) | {"policy_problem": problem})
        except ShipError:
            await asyncio.sleep(again)
            continue
        until = time.monotonic() + HEALTH_EVERY
        while time.monotonic() < until and await asyncio.to_thread(policy.look) == seen:
            await asyncio.sleep(1.0)  # a new policy, or a refused one, is told at once


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
    """Traces that this machine dropped or could not write. What one server refuses lies in the quarantine instead."""
    return int(sum(values.counters.get(name, {}).get("", 0.0) for name in LOSSES))


def _health(settings: Settings, shippers: Mapping[str, Shipper], policy: str, dropped: int) -> dict[str, Any]:
    """How this proxy is; `lag` is of the server that is furthest behind."""
    stats = [shipper.stats for shipper in shippers.values()]
    return {
        "name": f"{os.uname().nodename}:{settings.akto_proxy_port}",
        "version": metadata.version("akto-agent-proxy"),
        "policy_version": policy,
        "lag": max(item.lag for item in stats),
        "lag_seconds": round(max(item.lag_seconds for item in stats), 3),
        "dropped": dropped,
        "state": next((item.state for item in stats if item.state != "ok"), "ok"),
    }
