"""What the data plane is told, as plain frozen values: where to listen, where to send, how long, how much.

Nothing here reads a file or the environment: the command line builds one `ProxyOptions` from the settings, a test
builds it by hand. Every limit has a default that a newcomer can live with, and none is infinite but `total`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from akto_proxy.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds. The upstream ones first, then the client ones."""

    connect: float = 10.0
    """TCP connect, name look-up and TLS handshake together."""
    first_byte: float = 600.0
    """Upstream silence before its head; a model may think for minutes. `Forward.min_timeout` can only raise it."""
    idle: float = 300.0
    """Upstream silence in the middle of an answer."""
    total: float = 0.0
    """A whole exchange; 0 means no limit (a long stream is not an error)."""
    pool_idle: float = 240.0
    """An unused upstream connection is closed after this. An AWS load balancer drops silently at 350."""
    head: float = 15.0
    """From the first byte of a request head to its last (slowloris)."""
    body_grace: float = 20.0
    """A request body may be slow this long before `Limits.body_rate` is asked for."""
    keep_alive: float = 75.0
    """A client connection with nothing to do."""
    stall: float = 60.0
    """A client that does not read its answer."""
    linger: float = 2.0
    """How long a refused client may go on sending before its connection is closed, so that it can read why."""
    drain: float = 30.0
    """After SIGTERM: how long answers under way may take."""
    comment: float = 15.0
    """While text is held back though upstream sends: after this long the exchange's keep-alive bytes are sent."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of anything one client, or all of them, may use."""

    head: int = 32 * 1024
    headers: int = 100
    target: int = 8 * 1024
    body: int = 16 * 1024 * 1024
    answer: int = 64 * 1024 * 1024
    """Of an answer that must be collected whole. Streams and passed answers have no limit: they are not held."""
    connections: int = 10_000
    pipeline: int = 64 * 1024
    """Bytes a client may send ahead of its answer before it is not read any more."""
    body_rate: int = 512
    """Bytes a second a request body must average once its grace is over."""
    pool: int = 512
    """Unused upstream connections kept, in each worker."""
    buffer: int = 64 * 1024
    """Bytes waiting for a slow client before upstream is not read any more."""


@dataclass(frozen=True, slots=True)
class Tls:
    """A certificate chain and its key, as paths of PEM files."""

    cert: str
    key: str


@dataclass(frozen=True, slots=True)
class Upstream:
    """Where requests go. `host` and `port` name it (Host, SNI, certificate); `connect_*` is where TCP really goes."""

    scheme: str
    host: str
    port: int
    prefix: str = ""
    connect_host: str = ""
    connect_port: int = 0
    ca: str = ""
    """Path of a PEM file with the only authorities to trust; empty means the system's."""

    @property
    def authority(self) -> bytes:
        """The value of Host: without the port where it is the scheme's own."""
        name = f"[{self.host}]" if ":" in self.host else self.host
        usual = 443 if self.scheme == "https" else 80
        return (name if self.port == usual else f"{name}:{self.port}").encode("ascii")

    @property
    def dial(self) -> tuple[str, int]:
        """Host and port that TCP connects to."""
        return self.connect_host or self.host, self.connect_port or self.port


def parse_upstream(url: str, *, connect_to: str = "", ca: str = "") -> Upstream:
    """An `Upstream` from `APP_URL`, an optional `host[:port]` to connect to, and an optional CA file.

    Raises:
        ConfigError: the URL has another scheme, no host, a user name, a query or a fragment, or a bad port.
    """
    parts = urlsplit(url.strip())
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError("APP_URL must look like https://host or http://host:port/prefix")
    if parts.username is not None or parts.query or parts.fragment:
        raise ConfigError("APP_URL must hold no user name, query or fragment; send credentials as a header")
    host = _ascii(parts.hostname, "APP_URL")
    port = _port(parts.port if _has_valid_port(parts.netloc) else None, parts.scheme)
    there, its_port = _split_connect(connect_to)
    return Upstream(parts.scheme, host, port, parts.path.rstrip("/"), there, its_port, ca)


def _ascii(name: str, where: str) -> str:
    try:
        return name if name.isascii() else name.encode("idna").decode("ascii")
    except UnicodeError:
        raise ConfigError(f"{where}: the host name cannot be written in ASCII (IDNA)") from None


def _has_valid_port(netloc: str) -> bool:
    tail = netloc.rsplit("]", 1)[-1]
    if ":" not in tail:
        return False
    port = tail.rsplit(":", 1)[1]
    if not port.isdigit() or not 0 < int(port) < 65536:
        raise ConfigError("APP_URL: the port must be a number from 1 to 65535")
    return True


def _port(given: int | None, scheme: str) -> int:
    return given or (443 if scheme == "https" else 80)


def _split_connect(text: str) -> tuple[str, int]:
    if not text:
        return "", 0
    parts = urlsplit(f"//{text}")
    if not parts.hostname or parts.path or parts.username is not None:
        raise ConfigError("connect-to must look like host or host:port")
    return _ascii(parts.hostname, "connect-to"), (parts.port or 0) if _has_valid_port(parts.netloc) else 0


@dataclass(frozen=True, slots=True)
class ProxyOptions:
    """All that one worker of the data plane is told."""

    upstream: Upstream
    host: str = "127.0.0.1"
    port: int = 8080
    timeouts: Timeouts = field(default_factory=Timeouts)
    limits: Limits = field(default_factory=Limits)
    tls: Tls | None = None
    reuse_port: bool = False
    strict: bool = False
    """Hand over the trace before the last byte of the answer, so that no caller has an answer without its record."""
    admin_port: int = 0
    """Where `Server` answers the operator, if it was given an `admin`; 0 takes a free port."""
    admin_host: str = "127.0.0.1"
