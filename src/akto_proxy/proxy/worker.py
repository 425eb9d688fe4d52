"""The life of one worker process: build, serve, reload on SIGHUP, drain on SIGTERM or when its parent is gone.

`build` runs inside the running loop, so what it makes (spools, checkers, limiters) may use it. A reload that fails
keeps what was there: a broken file must not take down what works.
"""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import signal
from collections.abc import Awaitable, Callable

import uvloop

from akto_proxy.errors import ConfigError
from akto_proxy.proxy.server import Server

Build = Callable[[], Awaitable[Server]]
Say = Callable[[str], None]


async def live(
    build: Build,
    *,
    reload: Callable[[], None] | None = None,
    stop: Callable[[], Awaitable[None]] | None = None,
    say: Say | None = None,
) -> bool:
    """Serve until told to end. `reload` is called on SIGHUP, `stop` after the last answer. True when all could end."""
    say = say or _silent
    loop = asyncio.get_running_loop()
    server = await build()
    ended = asyncio.Event()

    def again() -> None:
        try:
            server.reload_tls()
            if reload is not None:
                reload()
        except ConfigError as error:
            say(f"reload refused, nothing changed: {error}")
        else:
            say("reloaded")

    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, ended.set)
    loop.add_signal_handler(signal.SIGHUP, again)
    parent = multiprocessing.parent_process()
    if parent is not None:
        loop.add_reader(parent.sentinel, ended.set)
    await server.start()
    gc.freeze()  # what lives as long as the worker need not be looked at by every collection
    say(f"listening on port {server.port}")
    await ended.wait()
    if parent is not None:
        loop.remove_reader(parent.sentinel)
    clean = await server.drain()
    if stop is not None:
        await stop()
    say("drained" if clean else "ended with answers cut off")
    return clean


def run(
    build: Build,
    *,
    reload: Callable[[], None] | None = None,
    stop: Callable[[], Awaitable[None]] | None = None,
    say: Say | None = None,
) -> bool:
    """`live` on a loop of its own."""
    return uvloop.run(live(build, reload=reload, stop=stop, say=say))


def _silent(_: str) -> None:
    return
