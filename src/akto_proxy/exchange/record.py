"""What a trace keeps of an exchange: headers without credentials, bodies with every finding masked, bounded.

This is the single place where kept texts are built, so this is the single place to get privacy right: whatever the
policy did with a finding (even nothing but an alert), the kept text shows its entity's label instead.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import orjson

from akto_proxy.exchange.face import Headers
from akto_proxy.exchange.masking import masked
from akto_proxy.exchange.options import Options
from akto_proxy.model import Action, Caller, Finding, Message, Trace, Usage
from akto_proxy.wire.body import Body
from akto_proxy.wire.route import Route

_NEVER = frozenset(
    (
        b"authorization",
        b"proxy-authorization",
        b"cookie",
        b"set-cookie",
        b"x-api-key",
        b"api-key",
        b"x-amz-security-token",
    )
)
_VALUES = frozenset(
    (
        b"accept",
        b"accept-encoding",
        b"cache-control",
        b"content-encoding",
        b"content-length",
        b"content-type",
        b"date",
        b"host",
        b"server",
        b"transfer-encoding",
        b"user-agent",
        b"x-request-id",
        b"traceparent",
        b"x-scale-up-timeout",
    )
)
"""Headers whose value is kept. Of any other header a caller may set, only the name is: its value is anyone's text."""
_KEPT_PREFIXES = (
    b"x-compute-",
    b"x-inference-",
    b"x-total-",
    b"x-queue-",
    b"x-validation-",
    b"x-prompt-",
    b"x-generated-",
    b"x-time-",
    b"x-stainless-",
    b"x-akto-",
)


_MOST_NAMES = 1024


@dataclass(slots=True)
class Kept:
    """One direction on its way into a trace."""

    headers: Headers = field(default_factory=list)
    body: str = ""
    encoding: str = "none"
    size: int = 0
    truncated: bool = False


NOTHING = Kept()
"""A direction in which nothing was read. It is shared, so it is never written to."""


class Passed(Protocol):
    """An answer that streamed past, as far as a trace wants to know of it."""

    loose: list[str]
    usage: Usage | None
    truncated: bool

    def texts(self) -> dict[str, str]:
        """The text of each lane, as it may be kept."""
        ...


class Recorder:
    """Builds what is kept.

    Args:
        capture: `masked`, `metadata` (no bodies) or `full` (bodies sealed as they were).
        keep: characters of a body at most.
        seal: encrypts bytes to text; needed for `full`.
    """

    def __init__(self, capture: str, keep: int, seal: Callable[[bytes], str] | None = None) -> None:
        self._capture = capture
        self._keep = keep
        self._seal = seal
        self._names: dict[bytes, tuple[str, bool]] = {}

    def clean(self, headers: Headers, read: Body, data: bytes) -> Kept:
        """A body in which nothing was found."""
        return self._kept(headers, data, _plain(read, data) if self._capture == "masked" else b"")

    def found(self, headers: Headers, read: Body, data: bytes, findings: Sequence[Sequence[Finding]]) -> Kept:
        """A body with findings, one list a segment (those beyond the body's own segments are ignored)."""
        plain = b""
        if self._capture == "masked":
            changes = {
                index: shown
                for index, (segment, found) in enumerate(zip(read.segments, findings, strict=False))
                if found and (shown := masked(segment.text, found)) != segment.text
            }
            plain = read.write(changes) if changes else _plain(read, data)
        return self._kept(headers, data, plain)

    def unread(self, headers: Headers, data: bytes) -> Kept:
        """A body that could not be read: its size alone (unless sealed), for what it holds is not known."""
        return self._kept(headers, data, b"")

    def streamed(self, headers: Headers, stream: Passed, size: int) -> Kept:
        """A stream, as one JSON object: the text of each lane, assembled, with the usage at the top."""
        if self._capture == "metadata":
            return Kept(headers, "", "none", size)
        plain = orjson.dumps(assembled(stream.texts(), stream.loose, stream.usage))
        return Kept(headers, *self._text(plain), size, stream.truncated)

    def message(self, kept: Kept) -> Message:
        """The frozen noun."""
        known = self._names
        headers: list[tuple[str, str]] = []
        for name, value in kept.headers:
            shown = known.get(name)
            if shown is None:
                if len(known) >= _MOST_NAMES:  # names come from callers: remember a bounded number
                    known.clear()
                shown = known[name] = _shown(name)
            if shown[0]:
                headers.append((shown[0], value[:256].decode("latin-1") if shown[1] else ""))
        return Message(tuple(headers[:100]), kept.body, kept.encoding, kept.size, kept.truncated)

    def refused(
        self,
        trace_id: str,
        now: float,
        options: Options,
        method: str,
        path: str,
        route: Route | None,
        status: int,
        caller: Caller,
        reason: str,
    ) -> Trace:
        """A request that was refused before it became an exchange."""
        return Trace(
            id=trace_id,
            started=now,
            endpoint=options.endpoint,
            method=method[:16],
            path=path[:256],
            route=route.name if route else "none",
            engine=route.engine if route else "none",
            status=status,
            outcome="refused",
            verdict=Action.BLOCK,
            project=options.project,
            proxy=options.proxy,
            sensitivity=options.sensitivity,
            caller=caller,
            tags=(("reason", reason),),
        )

    def _kept(self, headers: Headers, data: bytes, plain: bytes) -> Kept:
        if self._capture == "full" and self._seal is not None and data:
            return Kept(headers, self._seal(data[: self._keep]), "sealed", len(data), len(data) > self._keep)
        if not plain:
            return Kept(headers, "", "none", len(data))
        text, encoding = self._text(plain)
        return Kept(headers, text[: self._keep], encoding, len(data), len(text) > self._keep)

    def _text(self, plain: bytes) -> tuple[str, str]:
        if self._capture == "full" and self._seal is not None:
            return self._seal(plain), "sealed"
        return plain.decode("utf-8", "replace"), "text"


def _plain(read: Body, data: bytes) -> bytes:
    """The body without its content encoding: the very bytes, or written anew where they came compressed."""
    if not read.encoded:
        return data
    return read.write({0: read.texts[0]}) if read.texts else b""


def assembled(lanes: dict[str, str], loose: Sequence[str], usage: Usage | None) -> dict[str, object]:
    """A stream's texts in the shape of a whole answer: chat lanes as `choices`, others under their lane's name."""
    out: dict[str, object] = {"streamed": True}
    choices: dict[int, dict[str, str]] = {}
    for lane, text in lanes.items():
        parts = lane.lstrip("/").split("/")
        if parts[0] == "choices" and len(parts) > 2 and parts[1].isdigit():
            choices.setdefault(int(parts[1]), {})["/".join(parts[3:]) or parts[2]] = text
        else:
            out[lane] = text
    if choices:
        out["choices"] = [
            {"index": index, "message": {"role": "assistant", **fields}} for index, fields in sorted(choices.items())
        ]
    if not lanes and loose:
        out["text"] = "\n".join(loose)
    if usage is not None:
        out["usage"] = {"prompt_tokens": usage.prompt, "completion_tokens": usage.completion}
    return out


def _shown(name: bytes) -> tuple[str, bool]:
    """How a header is named in traces ("" for never), and whether its value is kept."""
    lower = name.lower()
    if lower in _NEVER:
        return "", False
    return lower.decode("latin-1"), lower in _VALUES or lower.startswith(_KEPT_PREFIXES)
