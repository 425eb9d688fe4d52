"""The server's process: collector and dashboard on one port, over one store.

They are two apps that never import each other; here one small dispatcher sends the collector's own paths to it and
everything else to the pages. One process writes the store, so a page shows what was just taken.
"""

from __future__ import annotations

import os
import time
from collections.abc import Awaitable, Callable, MutableMapping
from importlib import metadata
from typing import Any

import structlog
import uvicorn

from akto_proxy.cli import logs
from akto_proxy.cli.memory import settle
from akto_proxy.cli.numbers import Numbers
from akto_proxy.cli.pages import pages, url
from akto_proxy.cli.stores import control_url, store_url
from akto_proxy.cli.targets import local_token
from akto_proxy.cli.verdicts import GuardJudge
from akto_proxy.cli.watching import Watching, watching
from akto_proxy.collector.app import OWNED, CollectorLimits
from akto_proxy.collector.app import create_app as create_collector
from akto_proxy.collector.intake import Intake
from akto_proxy.config.settings import Settings
from akto_proxy.proxy.metrics import FOLDER, Board, Values, of_server
from akto_proxy.store.control_sql import SqlControlStore
from akto_proxy.store.face import Retention, Storage, TraceStore
from akto_proxy.store.open import open_traces

_log = structlog.get_logger("akto_proxy.server")
STORAGE_EVERY = 15.0

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


def retention(settings: Settings) -> Retention:
    """How long traces are kept: by sensitivity where that is said, and within a size."""
    named = (entry.partition("=") for entry in settings.retention_by_sensitivity)
    days = [("", settings.retention_days), *((name, float(value)) for name, _, value in named)]
    return Retention(tuple(days), settings.retention_max_size)


def serve(settings: Settings, alone: bool = False) -> None:
    """Run the server until SIGTERM; `alone` says that no workers run beside it, so the admin port is its own."""
    logs.setup(settings.log_level, settings.log_format)
    traces = open_traces(store_url(settings))
    control = SqlControlStore(control_url(settings), random=os.urandom)
    watch = watching(settings, traces, control)
    collector = create_collector(
        traces,
        control,
        now=time.time,
        random=os.urandom,
        judge=GuardJudge(settings, control),
        local_token=local_token(settings),
        retention=retention(settings),
        limits=CollectorLimits(token_records=settings.token_records, token_bytes=settings.token_bytes),
        arrived=watch.wake,
    )
    watch.start()
    counted = numbers(settings, collector.state.intake, traces, watch, alone=alone)
    counted.start()
    dashboard = pages(settings, traces, control, watch)
    setup = dashboard.state.house.setup.path
    if setup:
        _log.warning(
            "first start: open this link once to set the administrator's password",
            link=url(settings) + setup,
        )
    config = uvicorn.Config(
        Dispatcher(collector, dashboard),
        host=settings.server_host,
        port=settings.server_port,
        log_config=None,
        access_log=False,
        lifespan="on",
        server_header=False,
        timeout_graceful_shutdown=5,
    )
    settle()
    uvicorn.Server(config).run()
    watch.stop()
    counted.stop()


def numbers(settings: Settings, intake: Intake, traces: TraceStore, watch: Watching, *, alone: bool) -> Numbers:
    """What is counted here. How much the store holds is asked every STORAGE_EVERY seconds only."""
    held, asked = Storage(0, 0), float("-inf")

    def fresh() -> Values:
        nonlocal held, asked
        if time.monotonic() - asked > STORAGE_EVERY:
            held, asked = traces.storage(), time.monotonic()
        return of_server(intake.written, intake.failed, watch.counters.faults, held.traces, held.bytes)

    board = Board(settings.data_path / FOLDER, "server", now=time.time)
    address = (settings.admin_host, settings.admin_port) if alone and settings.admin_port else None
    return Numbers(board, fresh, metadata.version("akto-agent-proxy"), address)


class Dispatcher:
    """One ASGI app of two: the collector's own paths, and pages for everything else."""

    def __init__(self, collector: App, dashboard: App) -> None:
        self._collector = collector
        self._dashboard = dashboard

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand a request (or the server's own start and stop) to whom it concerns."""
        if scope["type"] == "lifespan":
            await self._collector(scope, receive, send)  # the pages hold nothing that must be ended
            return
        path = scope["path"]
        owned = path in OWNED or path.startswith("/v1/traces/")
        await (self._collector if owned else self._dashboard)(scope, receive, send)
