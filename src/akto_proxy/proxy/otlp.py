"""Traces as OpenTelemetry spans, by OTLP over HTTP with JSON: one more server a spool can be shipped to.

A span has the trace's own id, the GenAI attribute names, and one event a decision. No text leaves unless the operator
asked for it. A collector takes a span twice without harm to anybody but its counters: delivery is at least once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import httpx
import orjson

from akto_proxy.model import Action, Decision, Trace, trace_from_dict
from akto_proxy.proxy.ship_targets import ShipError, failure
from akto_proxy.spool.frame import Frame, Kind

_SERVER = 2  # SPAN_KIND_SERVER
_ERROR = 2  # STATUS_CODE_ERROR
_OPERATIONS = (
    ("embed", "embeddings"),
    ("rerank", "rerank"),
    ("completions", "text_completion"),
    ("generate", "text_completion"),
)


@dataclass(frozen=True, slots=True)
class OtlpOptions:
    """`url` is the collector's base (`/v1/traces` is added), `headers` go with each request, `content` adds texts.

    `timeout` is seconds for one request.
    """

    url: str
    headers: tuple[tuple[str, str], ...] = ()
    content: bool = False
    timeout: float = 10.0


class OtlpTarget:
    """An OpenTelemetry collector."""

    def __init__(self, client: httpx.AsyncClient, options: OtlpOptions) -> None:
        self.name = "the OpenTelemetry collector"
        self._client, self._options = client, options
        base = options.url.rstrip("/")
        self._url = base if base.endswith("/v1/traces") else f"{base}/v1/traces"

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
        resource = {"attributes": _attributes({"service.name": "akto-agent-proxy"})}
        scope = {"scope": {"name": "akto_proxy"}, "spans": list(spans)}
        body = orjson.dumps({"resourceSpans": [{"resource": resource, "scopeSpans": [scope]}]})
        headers = {**dict(self._options.headers), "content-type": "application/json"}
        try:
            answer = await self._client.post(self._url, content=body, headers=headers, timeout=self._options.timeout)
        except httpx.TimeoutException:
            raise ShipError(f"{self.name} did not answer in time", "timeout") from None
        except httpx.HTTPError as error:
            raise ShipError(f"{self.name} cannot be reached ({type(error).__name__})", "unreachable") from None
        if not answer.is_success:
            raise failure(self.name, answer.status_code, answer.headers)


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
        "attributes": _attributes(_named(trace, content)),
        "events": [_event(made, start) for made in trace.decisions],
        "status": {"code": _ERROR, "message": trace.outcome} if trace.status >= 500 else {},
    }


def operation(trace: Trace) -> str:
    """The GenAI operation of a route."""
    for part, name in _OPERATIONS:
        if part in trace.route or (part in trace.path and "chat" not in trace.path):
            return name
    return "chat"


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
    return {"timeUnixNano": str(at), "name": name, "attributes": _attributes(named)}


def _attributes(named: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"key": key, "value": _value(value)} for key, value in named.items()]


def _value(value: Any) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"boolValue": value}
    return {"intValue": str(value)} if isinstance(value, int) else {"stringValue": str(value)}
