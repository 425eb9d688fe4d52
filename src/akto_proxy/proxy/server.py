"""A worker's whole data plane: listens, keeps time, drains.

`/healthz` and `/readyz` are answered here and never upstream: a probe must not wake an endpoint that was scaled to
zero. One timer looks over all connections about once a second; a timer of its own for each would cost more than the
work.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable

from akto_proxy.errors import ConfigError
from akto_proxy.exchange.face import Handler, Refusal
from akto_proxy.model import Trace
from akto_proxy.proxy.client import ClientConnection, Local
from akto_proxy.proxy.core import Asker, Core, Gate
from akto_proxy.proxy.counters import Counters
from akto_proxy.proxy.options import ProxyOptions, Tls
from akto_proxy.proxy.pool import Pool
from akto_proxy.proxy.reader import Head

Admin = Callable[[bytes, bytes], tuple[int, bytes, bytes] | None]
"""A method and a target to a status, a content type and a body, or None where there is nothing."""

_JSON = [(b"Content-Type", b"application/json"), (b"Cache-Control", b"no-store")]


class Server:
    """The data plane of one worker. `start` it, then `drain` it; `port` is the one really bound."""

    def __init__(
        self,
        options: ProxyOptions,
        handler: Handler,
        *,
        on_trace: Callable[[Trace], None] | None = None,
        gate: Gate | None = None,
        on_fault: Callable[[str], None] | None = None,
        ready: Callable[[], str] | None = None,
        admin: Admin | None = None,
        commit: Callable[[], Awaitable[None]] | None = None,
        ask: Asker | None = None,
    ) -> None:
        self.options = options
        self.counters = Counters()
        self.port = 0
        self.admin_port = 0
        self.admin_problem = ""
        self._handler = handler
        self._on_trace = on_trace
        self._gate = gate
        self._on_fault = on_fault
        self._ready = ready
        self._admin = admin
        self._commit = commit
        self._ask = ask
        self._core: Core | None = None
        self._listeners: list[asyncio.AbstractServer] = []
        self._clients: set[ClientConnection] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._context = server_context(options.tls) if options.tls else None

    async def start(self) -> None:
        """Bind and serve.

        Raises:
            ConfigError: the address cannot be bound, or a certificate cannot be read. An admin address that cannot be
                bound is told by `admin_problem` instead.
        """
        loop = asyncio.get_running_loop()
        options = self.options
        pool = Pool(options.upstream, options.timeouts, options.limits, self.counters, loop)
        core = self._core = Core(
            options, self._handler, pool, loop, self.counters, self._on_trace, self._gate, self._on_fault, self._ask
        )
        core.commit = self._commit
        core.prefix = options.upstream.prefix.encode("ascii")
        core.authority = options.upstream.authority
        self.port = await self._listen(core, self._local, options.host, options.port, self._context)
        if self._admin is not None:
            own = Core(options, self._handler, pool, loop)  # its requests are not counted as traffic
            try:
                self.admin_port = await self._listen(own, self._operate, options.admin_host, options.admin_port, None)
            except ConfigError as error:  # callers are served all the same; whoever started us says it
                self.admin_problem = str(error)
        self._sweep()

    async def _listen(self, core: Core, local: Local, host: str, port: int, context: ssl.SSLContext | None) -> int:
        scheme = "https" if context else "http"
        try:
            listener = await core.loop.create_server(
                lambda: ClientConnection(core, self._clients, local, scheme),
                host,
                port,
                backlog=2048,
                reuse_port=self.options.reuse_port or None,
                ssl=context,
                ssl_handshake_timeout=self.options.timeouts.head if context else None,
            )
        except OSError as error:
            raise ConfigError(f"cannot listen on {host}:{port}: {error.strerror}") from None
        self._listeners.append(listener)
        bound: int = listener.sockets[0].getsockname()[1]
        return bound

    def reload_tls(self) -> None:
        """Read the certificate and key again; connections that are open keep the old one.

        Raises:
            ConfigError: they cannot be used. The old ones stay.
        """
        if self._context is not None and self.options.tls is not None:
            server_context(self.options.tls)  # try first on a context of its own: a half-loaded pair would break all
            self._context.load_cert_chain(self.options.tls.cert, self.options.tls.key)

    @property
    def draining(self) -> bool:
        """No new work is taken."""
        return self._core is not None and self._core.draining

    async def drain(self) -> bool:
        """Stop listening, let answers under way end, then close all. False when some had to be cut off."""
        core = self._core
        if core is None:
            return True
        core.draining = True
        for listener in self._listeners:
            listener.close()
        deadline = core.loop.time() + self.options.timeouts.drain
        while True:
            for client in list(self._clients):
                if client.idle:
                    client.close()
            if not self._clients or core.loop.time() > deadline:
                break
            await asyncio.sleep(0.02)
        clean = all(client.idle for client in self._clients)
        await self.stop()
        return clean

    async def stop(self) -> None:
        """Close everything at once."""
        for listener in self._listeners:
            listener.close()
        if self._timer is not None:
            self._timer.cancel()
        for client in list(self._clients):
            client.kill()
        if self._core is not None:
            self._core.pool.close()
        await asyncio.sleep(0)

    def _sweep(self) -> None:
        core = self._core
        assert core is not None
        now = core.loop.time()
        for client in list(self._clients):
            client.check(now)
        core.pool.sweep(now)
        times = self.options.timeouts
        shortest = min(times.head, times.body_grace, times.first_byte, times.idle, times.linger, times.stall, 4.0)
        self._timer = core.loop.call_later(max(0.02, shortest / 4), self._sweep)

    def _local(self, head: Head) -> Refusal | None:
        """The answer to a health probe, or None for everything else."""
        target = head.target
        if target not in (b"/healthz", b"/readyz") or head.method not in (b"GET", b"HEAD"):
            return None
        problem = "" if target == b"/healthz" else self._problem()
        body = b'{"status":"ok"}\n' if not problem else b'{"status":"%b"}\n' % problem.encode("ascii", "replace")
        return Refusal(503 if problem else 200, _JSON, b"" if head.method == b"HEAD" else body, "probe")

    def _operate(self, head: Head) -> Refusal:
        """The answer to the operator: whatever `admin` says, and nothing ever goes upstream from here."""
        assert self._admin is not None
        answer = self._local(head)
        if answer is not None:
            return answer
        page = self._admin(head.method, head.target)
        status, kind, body = page or (404, b"text/plain", b"no such page\n")
        return Refusal(status, [(b"Content-Type", kind)], b"" if head.method == b"HEAD" else body, "admin")

    def _problem(self) -> str:
        if self.draining:
            return "draining"
        return self._ready() if self._ready is not None else ""


def server_context(tls: Tls) -> ssl.SSLContext:
    """A context that serves `tls`.

    Raises:
        ConfigError: the certificate or key cannot be read, or they do not belong together.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(tls.cert, tls.key)
    except (OSError, ssl.SSLError):
        raise ConfigError(f"the certificate {tls.cert!r} and key {tls.key!r} cannot be used together") from None
    return context
