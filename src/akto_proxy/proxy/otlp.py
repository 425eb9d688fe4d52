"""Traces as OpenTelemetry spans, by OTLP over HTTP with JSON: one more server a spool can be shipped to.

A span has the trace's own id, the GenAI attribute names, and one event a decision. No text leaves unless the operator
asked for it. A collector takes a span twice without harm to anybody but its counters: delivery is at least once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx
import orjson
import structlog

from akto_proxy.model import Action, Decision, Trace, trace_from_dict
from akto_proxy.proxy.counters import OtlpStats
from akto_proxy.proxy.genai import operation
from akto_proxy.proxy.ship_targets import ShipError, failure
from akto_proxy.spool.frame import Frame, Kind

NAME = "the OpenTelemetry collector"
_SERVER = 2  # SPAN_KIND_SERVER
_ERROR = 2  # STATUS_CODE_ERROR
_log = structlog.get_logger("akto_proxy.otlp")


@dataclass(frozen=True, slots=True)
class OtlpOptions:
    """`url` is the collector's base (`/v1/traces` is added), `headers` go with each request, `content` adds texts.

    `timeout` is seconds for one request, `instance` tells this machine's proxy from others (`host:port`).
    """

    url: str
    headers: tuple[tuple[str, str], ...] = ()
    content: bool = False
    timeout: float = 10.0
    instance: str = ""
    version: str = ""

    @property
    def base(self) -> str:
        """The URL without a signal's path."""
        return self.url.rstrip("/").removesuffix("/v1/traces")

    @property
    def resource(self) -> dict[str, Any]:
        """Who sends, as OpenTelemetry names it."""
        named = {
            "service.name": "akto-agent-proxy",
            "service.version": self.version,
            "service.instance.id": self.instance,
        }
        return {"attributes": attributes({name: value for name, value in named.items() if value})}


class OtlpTarget:
    """An OpenTelemetry collector."""

    def __init__(self, client: httpx.AsyncClient, options: OtlpOptions) -> None:
        self.name = NAME
        self.stats = OtlpStats()
        self._client, self._options = client, options

    async def check(self) -> None:
        """An empty batch must be taken."""
        await self._post([])

    async def send(self, writer: str, frames: Sequence[Frame]) -> Sequence[int]:
        """Send the traces among the frames."""
        refused, spans = [], []
        for frame in frames:
            if frame.kind is not Kind.TRACE:
                continue
            try:
                spans.append(to_span(trace_from_dict(orjson.loads(frame.payload)), content=self._options.content))
            except (ValueError, KeyError, TypeError, AttributeError):
                refused.append(frame.number)
        if spans:
            await self._post(spans)
        return refused

    async def _post(self, spans: Sequence[dict[str, Any]]) -> None:
        scope = {"scope": {"name": "akto_proxy"}, "spans": list(spans)}
        body = {"resourceSpans": [{"resource": self._options.resource, "scopeSpans": [scope]}]}
        self.stats.spans += await post(self._client, self._options, "traces", body)


async def post(client: httpx.AsyncClient, options: OtlpOptions, signal: str, body: dict[str, Any]) -> int:
    """Send to `/v1/<signal>`; how many of its spans or points the collector said it dropped. Raises ShipError."""
    headers = {**dict(options.headers), "content-type": "application/json"}
    url = f"{options.base}/v1/{signal}"
    try:
        answer = await client.post(url, content=orjson.dumps(body), headers=headers, timeout=options.timeout)
    except httpx.TimeoutException:
        raise ShipError(f"{NAME} did not answer in time", "timeout") from None
    except httpx.HTTPError as error:
        raise ShipError(f"{NAME} cannot be reached ({type(error).__name__})", "unreachable") from None
    if not answer.is_success:
        raise failure(NAME, answer.status_code, answer.headers, address="OTLP_ENDPOINT", token="OTLP_HEADERS")  # noqa: S106
    dropped = _dropped(answer.content)
    if dropped:
        _log.warning("the OpenTelemetry collector dropped a part of what it took", signal=signal, number=dropped)
    return dropped


def _dropped(content: bytes) -> int:
    """What a partial success says was rejected; OTLP forbids sending it again."""
    try:
        said = orjson.loads(content)["partialSuccess"]
        return max(int(said.get("rejectedSpans", 0)), int(said.get("rejectedDataPoints", 0)), 0)
    except (ValueError, KeyError, TypeError, AttributeError):
        return 0


def to_span(trace: Trace, *, content: bool = False) -> dict[str, Any]:
    """One OTLP span (JSON mapping: ids in hex, nanoseconds as strings)."""
    start = int(trace.started * 1e9)
    return {
        "traceId": trace.id,
        "spanId": trace.id[-16:],
        "name": f"{operation(trace)} {trace.model}".strip(),
        "kind": _SERVER,
        "startTimeUnixNano": str(start),
        "endTimeUnixNano": str(start + trace.timing.total * 1000),
        "attributes": attributes(_named(trace, content)),
        "events": [_event(made, start) for made in trace.decisions],
        "status": {"code": _ERROR, "message": trace.outcome} if trace.status >= 500 else {},
    }


def _named(trace: Trace, content: bool) -> dict[str, Any]:
    named: dict[str, Any] = {
        "gen_ai.operation.name": operation(trace),
        "gen_ai.provider.name": "huggingface",
        "gen_ai.request.model": trace.model,
        "gen_ai.conversation.id": trace.caller.session,
        "gen_ai.agent.name": trace.caller.agent,
        "user.id": trace.caller.user,
        "client.address": trace.caller.ip,
        "server.address": trace.endpoint,
        "http.request.method": trace.method,
        "http.route": trace.route,
        "http.response.status_code": trace.status,
        "akto.outcome": trace.outcome,
        "akto.verdict": trace.verdict.label,
        "akto.policy.version": trace.policy_version,
        "akto.guard.microseconds": trace.timing.guard,
    }
    if not trace.usage.estimated:  # the convention wants what the model server reported, not a guess
        named["gen_ai.usage.input_tokens"] = trace.usage.prompt
        named["gen_ai.usage.output_tokens"] = trace.usage.completion
    if trace.status >= 500 or trace.outcome.startswith("upstream_"):
        named["error.type"] = trace.outcome
    if content:
        for name, message in (("input", trace.request), ("output", trace.response)):
            if message.encoding == "text":
                named[f"gen_ai.{name}.messages"] = message.body
    return {name: value for name, value in named.items() if value != ""}


def _event(made: Decision, at: int) -> dict[str, Any]:
    named = {
        "akto.policy": made.policy,
        "akto.rule": made.rule,
        "akto.category": made.category,
        "akto.entity": made.entity,
        "akto.severity": made.severity.label,
        "akto.action": made.action.label,
        "akto.direction": made.direction.value,
        "akto.bypassed": made.bypassed,
    }
    name = "akto.blocked" if made.action is Action.BLOCK else "akto.decision"
    return {"timeUnixNano": str(at), "name": name, "attributes": attributes(named)}


def attributes(named: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Attributes as OTLP's JSON has them."""
    return [{"key": key, "value": _value(value)} for key, value in named.items()]


def _value(value: Any) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"boolValue": value}
    return {"intValue": str(value)} if isinstance(value, int) else {"stringValue": str(value)}
