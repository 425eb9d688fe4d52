"""One worker of the data plane: the parts built and joined, in a process of its own.

A worker owns its spool directory, its connections and its guard. A policy reload builds a new guard beside the old one
and swaps a reference between two exchanges; a policy that cannot be used leaves the old one in force, loudly.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib import metadata
from pathlib import Path

import structlog
import uvloop

from akto_proxy.cli import build, logs, pulled
from akto_proxy.cli.gates import Gates
from akto_proxy.cli.ids import uuid7
from akto_proxy.cli.keys import KeyGate, Managed, managed
from akto_proxy.cli.lasting import lasting
from akto_proxy.cli.limiting import limiting
from akto_proxy.cli.measures import Strictness, obey
from akto_proxy.cli.memory import give_back, settle
from akto_proxy.cli.recording import Recording
from akto_proxy.cli.warm import warm
from akto_proxy.config.keys import key_of
from akto_proxy.config.settings import Settings
from akto_proxy.errors import AktoProxyError
from akto_proxy.exchange.caller import Callers
from akto_proxy.exchange.face import Refusal, RequestHead
from akto_proxy.exchange.handler import Guardrails
from akto_proxy.exchange.options import Label, Options
from akto_proxy.exchange.record import Recorder
from akto_proxy.exchange.shared import Shared
from akto_proxy.guard.replace import Replacer
from akto_proxy.proxy.core import Asker, Door
from akto_proxy.proxy.external import ExternalChecks
from akto_proxy.proxy.metrics import FOLDER, AdminPages, Board, Meter, Values, of_worker
from akto_proxy.proxy.options import Limits, ProxyOptions, Timeouts, Tls, parse_upstream
from akto_proxy.proxy.profiler import Profiler, profiled
from akto_proxy.proxy.server import Admin, Server
from akto_proxy.spool.audit import Signer
from akto_proxy.spool.writer import Spool, SpoolOptions
from akto_proxy.store.seal import sealer

_log = structlog.get_logger("akto_proxy.worker")


def main(settings: Settings, number: int) -> None:
    """Run worker `number` until SIGTERM."""
    logs.setup(settings.log_level, settings.log_format)
    uvloop.run(_serve(settings, number))


async def _serve(settings: Settings, number: int) -> None:
    spool = open_spool(settings, f"worker-{number}")
    keys = managed(settings)
    files = pulled.watched(settings)
    before = pulled.stamp(files)
    guardrails = handler(settings, keys)
    limits = limiting(settings, guardrails, keys.ring.identity if keys else None)
    doors = [KeyGate(keys, guardrails)] if keys else []
    meter = Meter()
    recording = Recording(spool, meter, each=settings.spool_fsync == "each")
    board = Board(settings.data_path / FOLDER, f"worker-{number}", now=time.time)
    external = ExternalChecks(os.environ, time.monotonic)
    server = Server(
        proxy_options(settings),
        guardrails,
        on_trace=recording.keep,
        commit=spool.commit if settings.audit == "strict" and settings.spool_fsync == "each" else None,
        gate=Gates([*doors, SpoolGate(spool, guardrails), limits.gate]),
        on_fault=lambda place: _log.error("fault", place=place),
        ready=lambda: "" if spool.has_room else "the spool is full",
        ask=asker(external),
        admin=admin_pages(settings, board, lambda: fresh()) if settings.admin_port else None,
    )

    def fresh() -> Values:
        values = of_worker(meter, server.counters, spool.stats, guardrails.version, external.counters)
        return limits.gate.counters.into(values)

    strictness = Strictness(settings.data_path, guardrails)
    strictness.tick()
    warm(guardrails)
    await server.start()
    if server.admin_problem:
        _log.error("no metrics: the admin port cannot be used", reason=server.admin_problem, fix="change ADMIN_PORT")
    for line in guardrails.unserved():
        _log.warning("a policy rule sees less than it asks for: a detector is not loaded", rule=line)
    _log.info("listening", worker=number, host=settings.listen_host, port=server.port, pid=os.getpid())
    settle()
    stop, changed = _signals()
    if pulled.stamp(files) != before:  # a signal that came while this worker was built was not heard
        changed.set()
    beats = [recording.tick, lambda: board.publish(fresh()), *([keys.refresh] if keys else [])]
    tasks = [
        asyncio.create_task(lasting("recording", lambda: _tick(beats))),
        asyncio.create_task(lasting("limits", limits.run)),
        asyncio.create_task(lasting("reloading", lambda: _reloads(settings, strictness, guardrails, server, changed))),
        asyncio.create_task(lasting("measures", lambda: obey(strictness))),
    ]
    await stop.wait()
    clean = await server.drain()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await limits.close()
    spool.close()
    board.publish(fresh())
    _log.info("stopped", worker=number, clean=clean)


def _signals() -> tuple[asyncio.Event, asyncio.Event]:
    """Set when the worker is to stop, and when files it was built from may have changed."""
    loop, stop, changed = asyncio.get_running_loop(), asyncio.Event(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    loop.add_signal_handler(signal.SIGHUP, changed.set)
    return stop, changed


def handler(settings: Settings, keys: Managed | None = None) -> Guardrails:
    """The guard path of one worker, built from the settings; `keys` where callers need keys of ours.

    Raises:
        ConfigError, PolicyError: something the operator gave cannot be used.
    """
    key = key_of(settings, "deployment.key")
    recorder = Recorder(settings.capture, settings.max_capture_size, _seal(settings))
    shared = Shared(
        guard=build.guard(settings),
        options=exchange_options(settings),
        recorder=recorder,
        replacer=Replacer(key),
        tick=time.perf_counter_ns,
        now=time.time,
        new_id=uuid7(lambda: time.time_ns() // 1_000_000, os.urandom),
        draw=random.random,
        permit=keys.permit if keys else None,
        outbound=keys.outbound if keys else None,
    )
    return Guardrails(shared, Callers(key, settings.trusted_proxies, keys.ring.identity if keys else None))


def admin_pages(settings: Settings, board: Board, fresh: Callable[[], Values]) -> Admin:
    """What the admin port answers. Call it in the thread that is to be profiled."""
    pages = AdminPages(board, fresh, metadata.version("akto-agent-proxy"))
    return profiled(pages, Profiler()) if settings.profiling else pages


def asker(checks: ExternalChecks) -> Asker:
    """Asks the external checks of policies. Costs nothing until a policy has one."""
    return lambda ask: checks.check(ask.checks, ask.segments, ask.direction)


def exchange_options(settings: Settings) -> Options:
    """The settings as the exchange sees them."""
    return Options(
        endpoint=settings.endpoint_name,
        project=settings.project_name,
        proxy=f"{os.uname().nodename}:{settings.akto_proxy_port}",
        sensitivity=settings.sensitivity,
        labels=tuple(Label(item.name, item.paths, item.sensitivity) for item in settings.endpoints),
        methods=frozenset(settings.allowed_http_methods),
        extra_routes=settings.extra_routes,
        guarded=settings.guardrail_endpoints,
        guard_streams=settings.apply_guardrails_to_sse,
        request_limit=settings.request_limit,
        response_limit=settings.response_limit,
        capture=settings.capture,
        keep=settings.max_capture_size,
    )


def proxy_options(settings: Settings) -> ProxyOptions:
    """The settings as the data plane sees them."""
    return ProxyOptions(
        upstream=parse_upstream(settings.app_url, connect_to=settings.connect_to, ca=settings.ca_file),
        host=settings.listen_host,
        port=settings.akto_proxy_port,
        timeouts=Timeouts(
            connect=settings.connect_timeout,
            first_byte=settings.request_timeout,
            idle=settings.request_timeout,
            total=settings.total_timeout,
            pool_idle=settings.pool_idle,
            head=settings.header_timeout,
            body_grace=settings.body_timeout,
            keep_alive=settings.keepalive_timeout,
            drain=settings.drain_timeout,
        ),
        limits=Limits(
            body=settings.request_limit, answer=settings.response_limit, connections=settings.max_connections
        ),
        tls=Tls(settings.tls_cert, settings.tls_key) if settings.tls_cert else None,
        reuse_port=True,
        strict=settings.audit == "strict",
        admin_host=settings.admin_host,
        admin_port=settings.admin_port,
    )


def open_spool(settings: Settings, name: str) -> Spool:
    """This worker's spool.

    Raises:
        StorageError: DATA_DIR cannot be written.
    """
    # What is delivered stays until its segment is full: all workers' last segments must be a small part of the limit.
    segment = max(64 << 10, min(16 << 20, settings.spool_max_size // (8 * settings.worker_count)))
    options = SpoolOptions(
        limit_bytes=settings.spool_max_size,
        segment_bytes=segment,
        limit_age=settings.spool_max_age,
        full=settings.spool_full,
        fsync=settings.spool_fsync,
    )
    unique = f"{name}-{os.getpid()}-{os.urandom(3).hex()}"
    signer = Signer(key_of(settings, "audit.key"))
    return Spool(spool_root(settings), options, clock=time.time, name=unique, signer=signer)


def spool_root(settings: Settings) -> Path:
    """Where all workers' spool directories are."""
    return settings.data_path / "spool"


class SpoolGate(Door):
    """Lets no exchange begin that could not be recorded: with `SPOOL_FULL=block` a full spool closes the proxy."""

    def __init__(self, spool: Spool, guardrails: Guardrails) -> None:
        self._spool = spool
        self._guardrails = guardrails

    def enter(self, head: RequestHead) -> Refusal | bool:
        """A refusal when the spool has no room."""
        if self._spool.has_room:
            return True
        message = "The proxy cannot keep a trace of this call (its spool is full), so it does not pass it on."
        # Without a trace of its own: the room that is left belongs to those under way. It is counted all the same.
        return replace(self._guardrails.refuse("spool_full", 503, message, head), trace=None)


def _seal(settings: Settings) -> Callable[[bytes], str] | None:
    return sealer(settings.capture_key.get_secret_value(), os.urandom) if settings.capture == "full" else None


async def _tick(beats: Sequence[Callable[[], None]]) -> None:
    while True:
        await asyncio.sleep(1.0)
        for beat in beats:
            beat()


async def _reloads(
    settings: Settings, strictness: Strictness, guardrails: Guardrails, server: Server, changed: asyncio.Event
) -> None:
    """Take new policies into force whenever `changed` is set. They are built in a thread: traffic goes on meanwhile."""
    while True:
        await changed.wait()
        changed.clear()
        try:
            guard = await asyncio.to_thread(build.guard, settings)
            server.reload_tls()
        except AktoProxyError as error:
            _log.error("reload refused, the running policy stays", reason=str(error))
            continue
        strictness.renew(guard)
        _log.info("policy reloaded", version=guard.policies.version)
        del guard
        await asyncio.to_thread(give_back)
        for line in guardrails.unserved():
            _log.warning("a policy rule sees less than it asks for: a detector is not loaded", rule=line)
