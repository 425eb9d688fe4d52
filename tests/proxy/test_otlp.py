from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

import httpx
import orjson
import pytest
from google.protobuf.json_format import ParseDict
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from akto_proxy.model import Action, Caller, Decision, Direction, Message, Severity, Timing, Trace, Usage
from akto_proxy.proxy.otlp import OtlpOptions, OtlpTarget, to_span
from akto_proxy.proxy.ship_targets import ShipError
from akto_proxy.spool.frame import GENESIS, Frame, Kind, decode, encode

DECISION = Decision("p", "jailbreak", "jailbreak", "JAILBREAK", Severity.HIGH, Action.BLOCK, Direction.REQUEST)
TRACE = Trace(
    "018bcfe5000070008000000000000001", 1_700_000_000.5, "e.example", "POST", "/v1/chat/completions", "openai-chat",
    "vllm", 502, "upstream_error", Action.BLOCK, model="m", caller=Caller("1.2.3.4", user="u", session="s"),
    usage=Usage(3, 4), timing=Timing(2_000_000, 50), request=Message((), "the prompt"), decisions=(DECISION,),
)  # fmt: skip


def attributes(span: dict[str, Any]) -> dict[str, Any]:
    return {item["key"]: next(iter(item["value"].values())) for item in span["attributes"]}


def test_a_span_has_the_traces_id_the_genai_names_and_no_text() -> None:
    span = to_span(TRACE)
    named = attributes(span)
    assert span["traceId"] == TRACE.id
    assert int(span["endTimeUnixNano"]) - int(span["startTimeUnixNano"]) == 2_000_000_000
    assert (named["gen_ai.operation.name"], named["gen_ai.request.model"]) == ("chat", "m")
    assert (named["gen_ai.usage.input_tokens"], named["gen_ai.usage.output_tokens"]) == ("3", "4")
    assert named["gen_ai.conversation.id"] == "s"
    assert named["error.type"] == "upstream_error"
    assert span["events"][0]["name"] == "akto.blocked"
    assert "the prompt" not in json.dumps(span)
    assert attributes(to_span(TRACE, content=True))["gen_ai.input.messages"] == "the prompt"


async def test_a_collector_can_read_what_is_sent() -> None:
    seen: list[Any] = []

    def server(request: httpx.Request) -> httpx.Response:
        assert request.url.path == "/v1/traces"
        assert request.headers["x-key"] == "k"
        body = json.loads(request.content)
        for resource in body["resourceSpans"]:
            for scope in resource["scopeSpans"]:
                for span in scope["spans"]:  # OTLP's JSON has hex ids where protobuf's JSON has base64
                    for name in ("traceId", "spanId"):
                        span[name] = b64encode(bytes.fromhex(span[name])).decode()
        seen.append(ParseDict(body, TracesData()))
        return httpx.Response(200, json={})

    client = httpx.AsyncClient(transport=httpx.MockTransport(server))
    target = OtlpTarget(client, OtlpOptions("http://otel:4318/", (("x-key", "k"),)))
    await target.check()
    good, chain = encode(Kind.TRACE, 0, GENESIS, orjson.dumps(TRACE))
    bad, _ = encode(Kind.TRACE, 1, chain, b"[]")
    frames = [item for item in decode(good + bad) if isinstance(item, Frame)]
    assert await target.send("w", frames) == [1]
    (span,) = seen[-1].resource_spans[0].scope_spans[0].spans
    assert span.trace_id.hex() == TRACE.id
    assert span.kind == 2


async def test_what_a_collector_took_and_dropped_is_counted() -> None:
    for answer, dropped in (({"partialSuccess": {"rejectedSpans": "3"}}, 3), ({}, 0), ([], 0)):
        client = httpx.AsyncClient(
            transport=httpx.MockTransport(lambda _, answer=answer: httpx.Response(200, json=answer))
        )
        target = OtlpTarget(client, OtlpOptions("http://o"))
        await target.check()
        assert target.stats.spans == dropped


async def test_refusals_are_told_apart() -> None:
    def target(handler: Any) -> OtlpTarget:
        return OtlpTarget(httpx.AsyncClient(transport=httpx.MockTransport(handler)), OtlpOptions("http://o/v1/traces"))

    def away(_request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("no")

    with pytest.raises(ShipError) as caught:
        await target(lambda request: httpx.Response(401)).check()
    assert caught.value.state == "unauthorized"
    assert "OTLP_HEADERS" in str(caught.value)
    with pytest.raises(ShipError) as caught:
        await target(away).check()
    assert caught.value.state == "unreachable"
