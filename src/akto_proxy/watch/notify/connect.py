"""Connections to the outside that cannot be led elsewhere: the address that is checked is the address that is dialled.

The name is resolved once; every address of it must be public unless the channel says `allow_private`; redirects are
not followed. A name that changes its address between check and use (DNS rebinding) therefore gains nothing.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Iterable
from typing import Any

import httpcore

from akto_proxy.watch.notify.forms import Post

TIMEOUT = 10.0
MAX_ANSWER = 65_536


class RefusedAddressError(Exception):
    """The name leads to an address that must not be reached. Holds no address."""


async def resolve(host: str, port: int, *, private: bool, timeout: float = TIMEOUT) -> str:
    """The address to dial.

    Raises:
        RefusedAddressError: an address of the name is not public.
        OSError: there is none.
    """
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(timeout):
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = [str(item[4][0]) for item in found]
    if not private and not all(public(address) for address in addresses):
        raise RefusedAddressError("the address is not public; `allow_private: true` allows it")
    return addresses[0]


def public(address: str) -> bool:
    """Whether an address is one of the public internet, also inside an IPv6 wrapping."""
    ip: Any = ipaddress.ip_address(address.partition("%")[0])
    inner = getattr(ip, "ipv4_mapped", None) or getattr(ip, "sixtofour", None) or _translated(ip)
    return bool((inner or ip).is_global and not (inner or ip).is_multicast)


def _translated(ip: Any) -> Any:
    """The IPv4 address in an IPv6 one that NAT64 translates (RFC 6052, 64:ff9b::/96), None for any other."""
    return ipaddress.ip_address(int(ip) & 0xFFFFFFFF) if ip.version == 6 and int(ip) >> 32 == 0x64FF9B << 64 else None


class _Checked(httpcore.AsyncNetworkBackend):
    """Dials the address that was checked; TLS still speaks to the name."""

    def __init__(self, *, private: bool) -> None:
        self._private = private
        self._inner = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        address = await resolve(host, port, private=self._private, timeout=timeout or TIMEOUT)
        return await self._inner.connect_tcp(address, port, timeout, local_address, socket_options)

    async def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[Any] | None = None
    ) -> httpcore.AsyncNetworkStream:
        raise RefusedAddressError("only addresses of hosts are allowed")

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


async def send(request: Post, *, private: bool, tls: ssl.SSLContext | None = None) -> int:
    """Make the request on a connection of its own; the status of the answer.

    Raises:
        RefusedAddressError, OSError, TimeoutError, httpcore errors: it was not delivered.
    """
    limits = {"connect": TIMEOUT, "read": TIMEOUT, "write": TIMEOUT, "pool": TIMEOUT}
    backend = _Checked(private=private)
    async with asyncio.timeout(2 * TIMEOUT):
        async with httpcore.AsyncConnectionPool(ssl_context=tls, network_backend=backend, retries=0) as pool:
            headers = [("user-agent", "akto-agent-proxy"), *request.headers]
            async with pool.stream(
                "POST", request.url, headers=headers, content=request.body, extensions={"timeout": limits}
            ) as answer:
                size = 0
                async for part in answer.aiter_stream():
                    size += len(part)
                    if size > MAX_ANSWER:
                        break
                return answer.status
