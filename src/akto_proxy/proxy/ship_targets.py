"""The two servers a spool can be shipped to, and what each of their answers means: sent, later, smaller, or never.

Our collector takes the spool's own frames as they are, so the hash chain arrives whole, and keeps each trace once.
A real Akto server takes JSON records and cannot tell a repeated one, so a batch whose answer was lost may appear there
twice: at least once, said here because it cannot be helped from this side.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import httpx
import orjson
import zstandard

from akto_proxy.model import Trace, trace_from_dict
from akto_proxy.proxy.akto_form import MAX_BATCH, to_event, to_item
from akto_proxy.spool.frame import Frame, Kind, repack

SPOOL_TYPE = "application/vnd.akto-proxy.spool"


class ShipError(Exception):
    """A batch was not taken. `state` is a stable word for metrics, the message says it plainly, without texts.

    `smaller` asks for the batch in halves (one record alone is set aside), `slow` to try again only after a minute
    because a person has to do something first; otherwise it is tried again with growing waits, `after` at least.
    """

    def __init__(
        self, message: str, state: str, *, smaller: bool = False, slow: bool = False, after: float = 0.0
    ) -> None:
        super().__init__(message)
        self.state = state
        self.smaller = smaller
        self.slow = slow
        self.after = after


class Target(Protocol):
    """A server that takes batches."""

    name: str

    async def check(self) -> None:
        """Is it there, and is the token good? Raises ShipError when not."""
        ...

    async def send(self, writer: str, frames: Sequence[Frame]) -> Sequence[int]:
        """Send some frames of one writer; the numbers of those it will never take. Raises ShipError."""
        ...


def failure(
    server: str,
    status: int,
    headers: httpx.Headers,
    *,
    address: str = "AKTO_API_BASE_URL",
    token: str = "AKTO_API_TOKEN",  # noqa: S107  the setting's name
) -> ShipError:
    """What a status other than success means; `address` and `token` name the settings to look at."""
    if status in (401, 403):
        message = f"{server} refuses the token ({status}); check {token}: it may be expired, revoked or another's"
        return ShipError(message, "unauthorized", slow=True)
    if status == 413:
        return ShipError(f"{server} finds the batch too large (413)", "too_large", smaller=True)
    if status in (400, 422):
        return ShipError(f"{server} cannot read a record of the batch ({status})", "unprocessable", smaller=True)
    if status in (404, 405):
        message = f"{server} has no such route ({status}); check {address}"
        return ShipError(message, "wrong_address", slow=True)
    if status == 429:
        return ShipError(f"{server} asks to slow down (429)", "throttled", after=_after(headers))
    return ShipError(f"{server} failed ({status})", "server_error", after=_after(headers))


def _after(headers: httpx.Headers) -> float:
    value = headers.get("retry-after", "")
    return min(float(value), 300.0) if value.isdigit() else 0.0


async def _post(client: httpx.AsyncClient, server: str, url: str, **arguments: Any) -> httpx.Response:
    try:
        return await client.post(url, **arguments)
    except httpx.TimeoutException:
        raise ShipError(f"{server} did not answer in time", "timeout") from None
    except httpx.HTTPError as error:
        raise ShipError(f"{server} cannot be reached ({type(error).__name__})", "unreachable") from None


class CollectorTarget:
    """Our collector. `client` carries the timeouts."""

    def __init__(self, client: httpx.AsyncClient, base_url: str, token: str) -> None:
        self.name = "the collector"
        self._client, self._base = client, base_url.rstrip("/")
        self._headers = {"authorization": f"Bearer {token}"} if token else {}
        self._compressor = zstandard.ZstdCompressor(level=3)

    async def check(self) -> None:
        """Is it there, and is the token good?"""
        answer = await _post(self._client, self.name, f"{self._base}/api/auth-check", headers=self._headers)
        if answer.status_code != 200:
            raise failure(self.name, answer.status_code, answer.headers)

    async def send(self, writer: str, frames: Sequence[Frame]) -> Sequence[int]:
        """Send the frames as they lie on disk."""
        body = self._compressor.compress(b"".join(repack(frame) for frame in frames))
        headers = {
            **self._headers,
            "content-type": SPOOL_TYPE,
            "content-encoding": "zstd",
            "x-spool-writer": writer,
        }
        answer = await _post(self._client, self.name, f"{self._base}/v1/traces", content=body, headers=headers)
        if answer.status_code != 200:
            raise failure(self.name, answer.status_code, answer.headers)
        try:
            return [int(item["number"]) for item in answer.json()["rejected"]]
        except (ValueError, KeyError, TypeError):
            raise ShipError("the address answers, but not as our collector does", "wrong_address", slow=True) from None

    async def report(self, health: dict[str, Any]) -> None:
        """Say how this proxy is."""
        answer = await _post(self._client, self.name, f"{self._base}/v1/proxies", json=health, headers=self._headers)
        if answer.status_code != 200:
            raise failure(self.name, answer.status_code, answer.headers)


@dataclass(slots=True)
class AktoOptions:
    """Where Akto's servers are. An empty `threat_url` (or SKIP_THREAT) sends no guardrail events."""

    base_url: str
    token: str
    threat_url: str = ""


@dataclass(slots=True)
class AktoTarget:
    """A real Akto ingestion server. The token goes bare, as its filter wants; on 401 once as `Bearer`."""

    client: httpx.AsyncClient
    options: AktoOptions
    name: str = "the Akto ingestion server"
    events_sent: int = 0
    events_refused: int = 0
    _bearer: bool = False
    _told: set[str] = field(default_factory=set)

    async def check(self) -> None:
        """Is it there, and is the token good?"""
        answer = await self._call("/api/auth-check", {})
        if answer.status_code != 200:
            raise failure(self.name, answer.status_code, answer.headers)

    async def send(self, writer: str, frames: Sequence[Frame]) -> Sequence[int]:
        """Send the traces among the frames; the chain stays here."""
        refused: list[int] = []
        traces: list[Trace] = []
        for frame in frames:
            if frame.kind is Kind.TRACE:
                trace = _trace(frame)
                if trace is None:
                    refused.append(frame.number)
                else:
                    traces.append(trace)
        await self._tell(traces)
        for body in _bodies(traces):
            answer = await self._call("/api/ingestData", content=body)
            # Judged by the status alone: the server says "success": false on success.
            if answer.status_code != 200:
                raise failure(self.name, answer.status_code, answer.headers)
        self._told.clear()
        return refused

    async def _tell(self, traces: Sequence[Trace]) -> None:
        """Guardrail events to the threat backend, each once also when the batch is sent again."""
        if not self.options.threat_url:
            return
        url = f"{self.options.threat_url.rstrip('/')}/api/threat_detection/record_malicious_event"
        for trace in traces:
            event = None if trace.id in self._told else to_event(trace)
            if event is None:
                continue
            headers = {"authorization": f"Bearer {self.options.token}"}
            answer = await _post(self.client, "Akto's threat backend", url, json=event, headers=headers)
            if answer.status_code >= 500 or answer.status_code in (401, 403, 429):
                raise failure("Akto's threat backend", answer.status_code, answer.headers)
            self._told.add(trace.id)
            if answer.is_success:
                self.events_sent += 1
            else:
                self.events_refused += 1  # the trace itself is still delivered

    async def _call(self, path: str, json: Any = None, *, content: bytes | None = None) -> httpx.Response:
        body = orjson.dumps(json) if content is None else content
        answer = await self._once(path, body)
        if answer.status_code == 401:
            self._bearer = not self._bearer
            answer = await self._once(path, body)
        return answer

    async def _once(self, path: str, body: bytes) -> httpx.Response:
        token = self.options.token
        headers = {"authorization": f"Bearer {token}" if self._bearer else token, "content-type": "application/json"}
        url = f"{self.options.base_url.rstrip('/')}{path}"
        return await _post(self.client, self.name, url, content=body, headers=headers)


def _trace(frame: Frame) -> Trace | None:
    try:
        return trace_from_dict(orjson.loads(frame.payload))
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _bodies(traces: Sequence[Trace]) -> Iterator[bytes]:
    """`ingestData` bodies, each within the server's limit."""
    parts: list[bytes] = []
    size = 0
    for trace in traces:
        part = orjson.dumps(to_item(trace))
        if parts and size + len(part) > MAX_BATCH:
            yield _body(parts)
            parts, size = [], 0
        parts.append(part)
        size += len(part) + 1
    if parts:
        yield _body(parts)


def _body(parts: Sequence[bytes]) -> bytes:
    return b'{"batchData":[' + b",".join(parts) + b"]}"
