"""`up`, `proxy` and `server`: which parts run in this tree of processes, and what the operator reads when they do.

`up` is everything on one machine; `proxy` is the data plane with its shipper; `server` is the collector with the store
and the dashboard. The parts talk over loopback HTTP and the spool's files only, so any of them may die and come back.
"""

from __future__ import annotations

import errno
import os
import socket
from importlib import metadata
from typing import Annotated

import structlog
import typer
from rich.console import Console

from akto_proxy.cli import logs, opening, pulled, tour, worker
from akto_proxy.cli.checks import check
from akto_proxy.cli.keys import managed
from akto_proxy.cli.ship import ship
from akto_proxy.cli.supervisor import Part, Supervisor
from akto_proxy.cli.targets import INGEST_KEY, demo_port, demo_url
from akto_proxy.config.keys import key_of
from akto_proxy.config.settings import CONFIG_VARIABLE, Settings, load
from akto_proxy.demo.server import serve_demo

_log = structlog.get_logger("akto_proxy")
MOLD = "akto_proxy.cli.mold"
Config = Annotated[str, typer.Option("--config", help="YAML settings file (docs/settings.md).", metavar="FILE")]


def up(config: Config = "") -> None:
    """Run everything on this machine: proxy, shipper, collector, store and dashboard.

    Without APP_URL a built-in demonstration endpoint stands in, and three calls show what the proxy does.
    """
    settings = _settings(config)
    prepare(settings, server=True)
    parts = [*workers(settings), Part("shipper", ship, (settings, True)), Part("server", serve, (settings,))]
    if settings.demo:
        parts.append(Part("demo", serve_demo, ("127.0.0.1", demo_port(settings)), port=demo_port(settings)))
    run(settings, parts, server=True)


def proxy(config: Config = "") -> None:
    """Run the data plane alone: proxy workers and the shipper of their traces.

    Traces go to AKTO_API_BASE_URL; without one they stay in the spool until a server comes.
    """
    settings = _settings(config)
    prepare(settings, server=False)
    parts = [*workers(settings), Part("shipper", ship, (settings, False))]
    if settings.demo:
        parts.append(Part("demo", serve_demo, ("127.0.0.1", demo_port(settings)), port=demo_port(settings)))
    run(settings, parts, server=False)


def server(config: Config = "") -> None:
    """Run the collector, the store and the dashboard: what proxies on other machines ship to."""
    settings = load(os.environ, config or None)
    key_of(settings, INGEST_KEY)
    logs.setup(settings.log_level, settings.log_format)
    check(settings, proxy=False, server=True)
    supervisor = Supervisor([Part("server", serve, (settings, True))])
    supervisor.start()
    Console(stderr=True).print(f"Collector and dashboard: http://{settings.server_host}:{settings.server_port}")
    supervisor.run()


def _settings(config: str) -> Settings:
    """The settings; the mold of the workers, which gets no arguments, reads the same file."""
    if config:
        os.environ[CONFIG_VARIABLE] = config
    return load(os.environ)


def serve(settings: Settings, alone: bool = False) -> None:
    """The server's part. What only it needs is imported in its process alone: it is most of the program's weight."""
    from akto_proxy.cli import serve as part

    part.serve(settings, alone)


def prepare(settings: Settings, *, server: bool) -> None:
    """Build what the workers will build, once, before any of them starts.

    So a mistake in a policy is one sentence and an exit code, not a restart loop; and the rule database is compiled
    once and found on disk by every worker.

    Raises:
        ConfigError, PolicyError, StorageError: as the parts say.
    """
    logs.setup(settings.log_level, settings.log_format)
    key_of(settings, INGEST_KEY)
    check(settings, proxy=True, server=server)
    keys = managed(settings)
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    known = any((settings.data_path / "cache").glob("*.vectorscan"))
    took = "a moment" if known else "longer this once: they are compiled for this machine"
    opening.speaker(settings, console)(
        "akto-proxy", f"{metadata.version('akto-agent-proxy')}, loading rules ({took})", ""
    )
    worker.handler(settings, keys)
    if keys is not None and not len(keys.ring):
        _log.warning("there is no key yet, so every call is refused", fix="akto-proxy keys new --name <who>")


def workers(settings: Settings) -> list[Part]:
    """The proxy workers. All bind the same port; the kernel spreads connections over them."""
    told = settings
    if settings.demo:
        known = {"app_server_name": settings.endpoint_name, "akto_proxy_host": settings.listen_host}
        told = settings.model_copy(update={**known, "app_url": demo_url(settings)})
    if settings.admin_port and taken(settings.admin_host, settings.admin_port):
        # The workers share their ports, so two trees would answer in turn, each with its own numbers.
        _log.error("no metrics: another program has the admin port", port=settings.admin_port, fix="change ADMIN_PORT")
        told = told.model_copy(update={"admin_port": 0})
    grace = settings.drain_timeout + 5
    return [Part(f"worker-{n}", worker.main, (told, n), True, grace) for n in range(settings.worker_count)]


def taken(host: str, port: int) -> bool:
    """Whether another program listens there now."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return error.errno == errno.EADDRINUSE
    return False


def run(settings: Settings, parts: list[Part], *, server: bool) -> None:
    """Start the parts, say where they are and what is not well, and stay until told to stop."""
    supervisor = Supervisor(parts, pulled.watched(settings), mold=MOLD)
    supervisor.start()
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    opening.start(settings, console, server=server)
    if settings.demo and settings.tour:
        tour.start(opening.proxy_url(settings), console)
    supervisor.run()
