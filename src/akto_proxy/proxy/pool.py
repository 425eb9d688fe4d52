"""Connections to the model server: dialled when needed, kept while young, asked whether they live before use.

The last one used is the first one taken again, so that the others can grow old and be closed. The host that TCP goes
to is separate from the name in Host, SNI and certificate (a private link has another address than the endpoint).
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Iterable
from typing import Any

from akto_proxy.errors import ConfigError, UpstreamError
from akto_proxy.proxy.counters import Counters
from akto_proxy.proxy.options import Limits, Timeouts, Upstream
from akto_proxy.proxy.upstream import UpstreamConnection

_ASK_AFTER = 0.25
"""Seconds of idleness after which a connection's state is asked of the kernel (1.4 us) before it is used again."""

_NAME_LIFE = 2.0
"""Seconds a looked-up name is believed: a burst of dials is one look-up, and a changed name is soon seen."""

_Address = tuple[socket.AddressFamily, tuple[Any, ...]]


class Pool:
    """The connections of one worker to its one upstream."""

    def __init__(
        self,
        upstream: Upstream,
        timeouts: Timeouts,
        limits: Limits,
        counters: Counters,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._upstream = upstream
        self._timeouts = timeouts
        self._limits = limits
        self._counters = counters
        self._loop = loop
        self._idle: list[UpstreamConnection] = []
        self._closed = False
        self._resolved: list[_Address] = []
        self._resolved_until = 0.0
        self._tls = client_context(upstream.ca) if upstream.scheme == "https" else None

    def take(self) -> UpstreamConnection | None:
        """A live kept connection, or None: then `dial`."""
        now = self._loop.time()
        while self._idle:
            connection = self._idle.pop()
            self._counters.pooled = len(self._idle)
            age = now - connection.idle_since
            if age < self._timeouts.pool_idle and connection.usable(ask_kernel=age > _ASK_AFTER):
                self._counters.reused += 1
                return connection
            connection.abort()
        return None

    def give(self, connection: UpstreamConnection) -> None:
        """Keep a connection whose answer is over, if it may be used again."""
        if self._closed or not connection.reusable or connection.lost or len(self._idle) >= self._limits.pool:
            connection.abort()
            return
        connection.resume()
        connection.idle_since = self._loop.time()
        self._idle.append(connection)
        self._counters.pooled = len(self._idle)

    async def dial(self) -> UpstreamConnection:
        """A new connection.

        Raises:
            UpstreamError: name, network, handshake or time; `retry` is true, since no request was sent.
        """
        self._counters.dials += 1
        try:
            async with asyncio.timeout(self._timeouts.connect):
                return await self._dial()
        except TimeoutError:
            raise UpstreamError("connecting took too long", reason="connect_timeout", retry=True) from None
        except socket.gaierror:
            raise UpstreamError("the host name does not resolve", reason="dns", retry=True) from None
        except ssl.SSLCertVerificationError:
            raise UpstreamError("the certificate was not accepted", reason="certificate", retry=True) from None
        except ssl.SSLError:
            raise UpstreamError("the TLS handshake failed", reason="tls", retry=True) from None
        except OSError:
            raise UpstreamError("no connection could be made", reason="unreachable", retry=True) from None

    def sweep(self, now: float) -> None:
        """Close what is lost or too old."""
        oldest = now - self._timeouts.pool_idle
        keep = []
        for connection in self._idle:
            if connection.lost or connection.idle_since < oldest:
                connection.abort()
            else:
                keep.append(connection)
        self._idle = keep
        self._counters.pooled = len(keep)

    def close(self) -> None:
        """Close all that is kept, and keep nothing from now on."""
        self._closed = True
        for connection in self._idle:
            connection.abort()
        self._idle.clear()

    async def _dial(self) -> UpstreamConnection:
        host, port = self._upstream.dial
        sock = await self._connect(await self._resolve(host, port))
        try:
            _, protocol = await self._loop.create_connection(
                lambda: UpstreamConnection(sock, tls=self._tls is not None, head_limit=4 * self._limits.head),
                sock=sock,
                ssl=self._tls,
                server_hostname=self._upstream.host if self._tls else None,
            )
        except BaseException:
            sock.close()
            raise
        return protocol

    async def _resolve(self, host: str, port: int) -> list[_Address]:
        now = self._loop.time()
        if now < self._resolved_until:
            return self._resolved
        literal = _literal(host)
        if literal is not None:
            return [(literal, (host, port))]
        found = await self._loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        self._resolved = [(family, address) for family, _, _, _, address in found]
        self._resolved_until = now + _NAME_LIFE
        return self._resolved

    async def _connect(self, addresses: Iterable[_Address]) -> socket.socket:
        failure: OSError = OSError("no address")
        for family, address in addresses:
            sock = socket.socket(family, socket.SOCK_STREAM)
            try:
                _tune(sock)
                await self._loop.sock_connect(sock, address)
            except OSError as error:
                sock.close()
                failure = error
            except BaseException:
                sock.close()
                raise
            else:
                return sock
        raise failure


def client_context(ca: str) -> ssl.SSLContext:
    """Certificates are always checked: against `ca` alone if it is given, else the system's authorities.

    Raises:
        ConfigError: the CA file cannot be used.
    """
    try:
        context = ssl.create_default_context(cafile=ca or None)
    except (OSError, ssl.SSLError):
        raise ConfigError(f"the CA file {ca!r} cannot be read as PEM certificates") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    return context


def _literal(host: str) -> socket.AddressFamily | None:
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, host)
        except OSError:
            continue
        return family
    return None


def _tune(sock: socket.socket) -> None:
    sock.setblocking(False)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 15), ("TCP_KEEPCNT", 4)):
        if hasattr(socket, name):
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    if hasattr(socket, "TCP_USER_TIMEOUT"):  # a peer that acknowledges nothing for two minutes is gone
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 120_000)
