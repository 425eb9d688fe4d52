"""Gathers facts about this machine: forward-proxy variables, resolvers, a folder, open files, the MTU of a path."""

from __future__ import annotations

import contextlib
import os
import resource
import secrets
import shutil
import socket
import time
from collections.abc import Mapping
from pathlib import Path

from akto_proxy.doctor.facts import FolderFacts, HostFacts, ProxyEnvironment

_VARIABLES = ("http_proxy", "https_proxy", "all_proxy")
_IP_MTU = 14
_IPV6_MTU = 24


def environment(environ: Mapping[str, str]) -> ProxyEnvironment:
    """The forward-proxy variables that are set; their values may hold passwords and are not read."""
    lower = {name.lower(): value for name, value in environ.items() if value}
    found = tuple(name.upper() for name in _VARIABLES if name in lower)
    return ProxyEnvironment(found, tuple(part for part in lower.get("no_proxy", "").split(",") if part.strip()))


def resolvers(path: Path = Path("/etc/resolv.conf")) -> tuple[tuple[str, int], ...]:
    """The name servers of this machine."""
    try:
        lines = path.read_text("utf-8", "replace").splitlines()
    except OSError:
        return ()
    words = [line.split() for line in lines]
    return tuple((item[1].partition("%")[0], 53) for item in words if len(item) > 1 and item[0] == "nameserver")[:3]


def folder(path: Path) -> FolderFacts:
    """Write, sync and remove a small file in `path` (or where it would be made), and look at its disk."""
    there = next(item for item in (path, *path.absolute().parents) if item.exists())
    probe = there / f".doctor-{secrets.token_hex(6)}"
    began = time.monotonic()
    try:
        fd = os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            os.write(fd, b"doctor")
            os.fsync(fd)
        finally:
            os.close(fd)
            probe.unlink()
        return FolderFacts(str(path), "", shutil.disk_usage(there).free, time.monotonic() - began)
    except OSError as error:
        return FolderFacts(str(path), error.strerror or type(error).__name__)


def host(address: str, port: int) -> HostFacts:
    """This machine's limits, and the MTU its kernel would use towards `address`."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited = resource.RLIM_INFINITY
    return HostFacts(-1 if soft == unlimited else soft, -1 if hard == unlimited else hard, _mtu(address, port))


def _mtu(address: str, port: int) -> int:
    if not address:
        return 0
    six = ":" in address
    with (
        contextlib.suppress(OSError, AttributeError),
        socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_DGRAM) as sock,
    ):
        sock.connect((address, port))  # no packet is sent
        return sock.getsockopt(socket.IPPROTO_IPV6 if six else socket.IPPROTO_IP, _IPV6_MTU if six else _IP_MTU)
    return 0


def redis_problem(url: str, timeout: float) -> str:
    """Ask a redis:// store for a sign of life; "" or what is wrong, without the URL's password."""
    try:
        import redis
    except ImportError:
        return "the `redis` package is not installed: pip install 'akto-agent-proxy[server]'"
    try:
        client = redis.Redis.from_url(url, socket_timeout=timeout, socket_connect_timeout=timeout)
        try:
            client.ping()
        finally:
            client.close()
    except redis.AuthenticationError:
        return "it refuses the password"
    except (redis.RedisError, OSError, ValueError) as error:
        return type(error).__name__
    return ""
