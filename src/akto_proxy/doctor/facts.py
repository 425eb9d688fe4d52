"""What was seen, as plain values: gatherers make them at sockets, verdicts read them, tests write them by hand.

Errors are stable words, not exceptions, because a verdict must tell them apart: `timeout` (nothing came back, so a
packet was dropped somewhere), `refused` (the machine is there, nobody listens), `unreachable` (no route), `closed`
(the other side hung up), `tls` and `error`.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Target:
    """Where an HTTP call goes: the name it is for, and where TCP really connects."""

    scheme: str
    host: str
    port: int
    prefix: str = ""
    dial_host: str = ""
    dial_port: int = 0
    ca_file: str = ""
    verify: bool = True

    @property
    def dial(self) -> tuple[str, int]:
        """Host and port that TCP connects to."""
        return self.dial_host or self.host, self.dial_port or self.port

    @property
    def url(self) -> str:
        """For people."""
        return f"{self.scheme}://{self.host}:{self.port}{self.prefix}"

    @property
    def is_hugging_face(self) -> bool:
        """Whether the name is one of Hugging Face's."""
        return self.host.endswith((".endpoints.huggingface.cloud", ".huggingface.co", ".hf.space"))


@dataclass(frozen=True, slots=True)
class DnsFacts:
    """What a name resolves to. `rcode` is what the resolver said to a direct question (`NXDOMAIN`, `NODATA`, ...)."""

    name: str
    addresses: tuple[str, ...] = ()
    rcode: str = ""
    resolvers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TcpFacts:
    """Each address with "" for connected, or the word of what went wrong; `seconds` of the fastest."""

    port: int
    outcomes: tuple[tuple[str, str], ...] = ()
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class TlsFacts:
    """A handshake. `reason` is "" or one of `expired`, `not_yet`, `name`, `authority`, `handshake`, `timeout`, ..."""

    name: str
    reason: str = ""
    names: tuple[str, ...] = ()
    issuer: str = ""
    not_after: float = 0.0
    version: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class HttpFacts:
    """One answer, or why there is none (`error`). `body` holds its first bytes only; `seconds` to the whole."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    error: str = ""
    seconds: float = 0.0
    at: float = 0.0

    @property
    def trace_id(self) -> str:
        """The proxy's id of the exchange, if it went through a proxy."""
        return self.headers.get("x-akto-trace-id", "")


@dataclass(frozen=True, slots=True)
class StreamFacts:
    """When the pieces of a stream came, in seconds since the request was sent."""

    http: HttpFacts = field(default_factory=HttpFacts)
    arrivals: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class ProxyEnvironment:
    """Forward-proxy variables of this environment, by name without their values, and what NO_PROXY excepts."""

    variables: tuple[str, ...] = ()
    no_proxy: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Probe:
    """A made-up text that the loaded policy acts on, as the policy alone says: `expected` is an action's label."""

    prompt: str
    secret: str
    expected: str
    rule: str = ""
    policy: str = ""
    monitored: bool = False


@dataclass(frozen=True, slots=True)
class TraceFacts:
    """What a server says of a trace: `error` is "" or why it said nothing; `seconds` it took to appear."""

    found: bool = False
    outcome: str = ""
    verdict: str = ""
    error: str = ""
    status: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class FolderFacts:
    """A folder that must be written: `error` is "" or the system's word; free and total bytes of its disk."""

    path: str
    error: str = ""
    free: int = 0
    sync_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class HostFacts:
    """This machine's limits: open files (soft, hard; -1 is unknown), and the MTU towards the endpoint (0: unknown)."""

    files_soft: int = -1
    files_hard: int = -1
    mtu: int = 0
