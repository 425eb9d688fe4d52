"""What a shell with sockets and an exchange say to each other: heads, forwards, answers and refusals, as plain data.

The shell (`proxy`) reads bytes off sockets and asks; the exchange answers with bytes to send. Neither knows the
other's inside, so the whole guard path is tested bytes in, bytes out, and the shell with a handler of five lines.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from akto_proxy.errors import UpstreamError
from akto_proxy.light import light
from akto_proxy.model import Direction, Finding, Segment, Trace
from akto_proxy.policy.clause import ExternalCheck, unanswered

Headers = list[tuple[bytes, bytes]]
"""Header pairs in wire order. Names keep their case; compare them with `.lower()`."""


@light
@dataclass(frozen=True, slots=True)
class RequestHead:
    """A request as its head says it: `target` is the raw origin-form target, `ip` the peer address as text."""

    method: bytes
    target: bytes
    headers: Headers
    ip: str
    scheme: str = "http"


@light
@dataclass(frozen=True, slots=True)
class Forward:
    """Send this upstream. `target` and `headers` are ready but for Host, framing and hop-by-hop ones (the shell's)."""

    method: bytes
    target: bytes
    headers: Headers
    body: bytes
    min_timeout: float = 0.0
    """Seconds the upstream may stay silent at least (Hugging Face's `X-Scale-Up-Timeout`)."""


@light
@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer of our own. `body` is in the route's own error form; `reason` is a stable word for metrics."""

    status: int
    headers: Headers
    body: bytes
    reason: str
    close: bool = False
    trace: Trace | None = None
    """Set when the exchange ended with this refusal before it began: the shell hands it to its sink."""


@dataclass(frozen=True, slots=True)
class Ask:
    """Checkers outside have a say before this goes on: ask them about these texts and hand what they find to `told`."""

    checks: tuple[ExternalCheck, ...]
    segments: tuple[Segment, ...]
    direction: Direction
    meanwhile: bytes = b""
    """The caller gets these bytes before the checkers answer: the end of a stream that no check may hold."""

    def unanswered(self) -> list[tuple[int, Finding]]:
        """What to hand over when nobody could be asked: every check failed, and fail modes decide."""
        return [(0, unanswered(check)) for check in self.checks]


class AnswerMode(Enum):
    """How the shell must hand over the answer's body."""

    PASS = "pass"  # noqa: S105 - send bytes on as they come; the exchange only counts them (`chunk` returns them)
    WHOLE = "whole"  # collect all, then call `body` once
    STREAM = "stream"  # call `chunk` for what comes and send what it returns, then `end`


@light
@dataclass(frozen=True, slots=True)
class Answer:
    """The head of the answer as the caller may see it. Framing (length or chunks) is the shell's."""

    status: int
    headers: Headers
    mode: AnswerMode


class Exchange(Protocol):
    """One request and its answer, alive. Calls come in the order of the methods here."""

    cut: bool
    """True once the stream was ended by a block: send what was returned, close the answer, cancel upstream."""

    model: str
    """The model that the request's body names, "" before it was read."""

    offered: Sequence[str]
    """Names of the tools that the request's body offers or called before."""

    def limited(self, limit: str, message: str, headers: Headers) -> Refusal:
        """A limit refuses the call after its body was read: the refusal in the route's own form."""
        ...

    def request(self, body: bytes) -> Forward | Refusal | Ask:
        """The whole request body (as on the wire, still content-encoded) to what goes upstream."""
        ...

    def head(self, status: int, headers: Headers) -> Answer:
        """The upstream's head to the caller's."""
        ...

    def body(self, data: bytes) -> tuple[Headers, bytes] | Refusal | Ask:
        """The whole answer body (mode WHOLE) to the caller's headers and bytes."""
        ...

    def chunk(self, data: bytes) -> bytes:
        """Some bytes of the answer (modes PASS and STREAM) to bytes for the caller, b"" while text is held back."""
        ...

    def end(self) -> bytes | Ask:
        """No more bytes come from upstream: the last bytes for the caller. `cut` may turn true here too."""
        ...

    def told(self, answers: Sequence[tuple[int, Finding]]) -> Forward | Refusal | tuple[Headers, bytes] | bytes:
        """What the checkers of an Ask found (each with the number of its segment) to what the asking call returns."""
        ...

    def used(self) -> tuple[int, int, int]:
        """Prompt tokens, answer tokens and bytes (both ways) of a stream so far."""
        ...

    def stop(self, limit: str, message: str) -> bytes:
        """A budget ended in mid-stream: the last bytes for the caller, a notice and the route's own ending."""
        ...

    def fail(self, error: UpstreamError) -> Refusal:
        """Upstream failed before its head: the refusal for the caller (502, 503 or 504 in the route's form)."""
        ...

    def abort(self, error: UpstreamError) -> bytes:
        """Upstream failed in mid-stream: the last bytes for the caller (an error frame in the route's own form)."""
        ...

    def trace(self, *, status: int, client_gone: bool, first_byte: int, upstream_first: int, total: int) -> Trace:
        """The exchange is over: its trace. Times are microseconds since the request head was read."""
        ...


class Handler(Protocol):
    """Starts exchanges. One lives in each worker."""

    def open(self, head: RequestHead) -> Exchange | Refusal:
        """Decide route, method and scope from the head alone, before any body byte is read."""
        ...

    def refuse(self, reason: str, status: int, message: str, head: RequestHead | None) -> Refusal:
        """A refusal for what the shell itself found wrong (form, size, time), in the route's own error form."""
        ...
