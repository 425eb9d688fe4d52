"""A stand-in for a real Akto server, with its traps: it drops what its parser would drop."""

from __future__ import annotations

import json
from typing import Any

import httpx
import orjson
import pytest

from akto_proxy.model import Action, Caller, Decision, Direction, Message, Severity, Trace, Usage
from akto_proxy.proxy.akto_form import MAX_STRING, payload, to_event, to_item
from akto_proxy.proxy.ship_targets import AktoOptions, AktoTarget, ShipError
from akto_proxy.spool.frame import GENESIS, Frame, Kind, decode, encode

SOURCES = {"HAR", "PCAP", "MIRRORING", "SDK", "OTHER", "POSTMAN"}


class Akto:
    """Behaves as the ingestion service does: `success` false on success, parse errors lose the record."""

    def __init__(self, *, bearer: bool = False, status: int = 200, limit: int = 10_485_760) -> None:
        self.shown: list[dict[str, Any]] = []
        self.events: list[dict[str, Any]] = []
        self.bearer, self.status, self.limit = bearer, status, limit

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.host == "threat":
            assert request.headers["authorization"] == "Bearer jwt"
            self.events.append(json.loads(request.content)["maliciousEvent"])
            return httpx.Response(202)
        if request.headers["authorization"] != ("Bearer jwt" if self.bearer else "jwt"):
            return httpx.Response(401, text="<html>Jetty</html>")
        if request.url.path == "/api/auth-check":
            return httpx.Response(200, json={"success": True})
        if self.status != 200:
            return httpx.Response(self.status, json={"actionErrors": []})
        assert request.headers["content-type"] == "application/json"
        assert len(request.content) <= self.limit
        for item in json.loads(request.content)["batchData"]:
            self.parse(item)
        return httpx.Response(200, json={"success": False})

    def parse(self, item: dict[str, Any]) -> None:
        assert all(isinstance(value, str) and len(value) <= 5_242_880 for value in item.values())
        assert item["source"] in SOURCES
        assert -(2**31) <= int(item["time"]) < 2**31
        int(item["statusCode"])
        headers = json.loads(item["requestHeaders"])
        assert headers["host"]
        if headers["content-type"] == "application/json" and item["requestPayload"][:1] in "{[":
            assert item["requestPayload"][-1] in "}]"
        self.shown.append(item)


def trace(number: int = 1, **changes: Any) -> Trace:
    decision = Decision("pii", "email", "pii", "EMAIL_ADDRESS", Severity.HIGH, Action.REDACT, Direction.REQUEST)
    values: dict[str, Any] = {
        "verdict": Action.REDACT, "caller": Caller("1.2.3.4", user="u@x", session="s", agent="My Agent"),
        "usage": Usage(9, 3),
        "request": Message((("Host", "e"), ("content-type", "application/json")), '{"model":"m"}'),
        "response": Message((("content-type", "text/event-stream"),), "data: {}\n\ndata: [DONE]\n\n"),
        "decisions": (decision,),
    }  # fmt: skip
    head = (f"{number:032x}", 1_780_531_200.7, "e", "POST", "/v1/chat/completions", "openai-chat", "vllm")
    return Trace(*head, **{"status": 200, "outcome": "ok", **values, **changes})


def frames(*traces: Trace) -> list[Frame]:
    chain, made = GENESIS, []
    for number, item in enumerate(traces):
        data, chain = encode(Kind.TRACE, number, chain, orjson.dumps(item))
        made += [found for found in decode(data) if isinstance(found, Frame)]
    return made


def target(akto: Akto, threat: str = "http://threat") -> AktoTarget:
    client = httpx.AsyncClient(transport=httpx.MockTransport(akto))
    return AktoTarget(client, AktoOptions("http://akto/", "jwt", threat))


async def test_a_batch_shows_up_with_its_verdict_tokens_and_session() -> None:
    akto = Akto()
    made = target(akto)
    await made.check()
    assert await made.send("w", frames(trace(1), trace(2, decisions=(), verdict=Action.ALLOW))) == []
    first, second = akto.shown
    assert json.loads(first["_guardrail"])["guardrailAction"] == "alert"
    assert json.loads(second["_guardrail"]) == {"guardrailViolated": False, "guardrailAction": ""}
    assert json.loads(first["responsePayload"])["usage"] == {"prompt_tokens": 9, "completion_tokens": 3}
    headers = json.loads(first["requestHeaders"])
    assert headers["host"] == "my-agent"
    assert headers["x-akto-installer-akto_session_id"] == "s"
    assert headers["x-akto-installer-akto_message_id"] == f"{1:032x}"
    assert json.loads(first["tag"])["source"] == "AGENTIC"
    assert first["time"] == "1780531200"
    (event,) = akto.events
    assert (event["filterId"], event["label"], event["contextSource"]) == ("pii", "guardrail", "AGENTIC")
    assert made.events_sent == 1


async def test_a_server_that_wants_bearer_gets_it_on_the_second_try() -> None:
    akto = Akto(bearer=True)
    made = target(akto)
    await made.check()
    await made.send("w", frames(trace()))
    assert len(akto.shown) == 1


async def test_events_are_not_repeated_when_the_batch_is() -> None:
    akto = Akto(status=503)
    made = target(akto)
    for _ in range(3):
        with pytest.raises(ShipError):
            await made.send("w", frames(trace()))
    akto.status = 200
    await made.send("w", frames(trace()))
    assert (len(akto.events), len(akto.shown)) == (1, 1)


@pytest.mark.parametrize(
    ("status", "state", "smaller"),
    [(413, "too_large", True), (422, "unprocessable", True), (500, "server_error", False)],
)
async def test_each_refusal_means_what_it_means(status: int, state: str, smaller: bool) -> None:
    with pytest.raises(ShipError) as caught:
        await target(Akto(status=status), "").send("w", frames(trace()))
    assert (caught.value.state, caught.value.smaller) == (state, smaller)


async def test_a_wrong_token_is_said_plainly() -> None:
    made = AktoTarget(httpx.AsyncClient(transport=httpx.MockTransport(Akto())), AktoOptions("http://akto", "old"))
    with pytest.raises(ShipError, match="AKTO_API_TOKEN") as caught:
        await made.check()
    assert caught.value.slow
    assert "old" not in str(caught.value).replace("or", "")


async def test_what_is_no_trace_is_named_and_left_out() -> None:
    akto = Akto()
    data, _ = encode(Kind.TRACE, 5, GENESIS, b"{}")
    bad = [found for found in decode(data) if isinstance(found, Frame)]
    assert await target(akto).send("w", [*frames(trace()), *bad]) == [5]
    assert len(akto.shown) == 1


async def test_large_batches_are_cut_to_the_servers_limit() -> None:
    akto = Akto()
    big = trace(request=Message((), json.dumps({"text": "x" * 4_000_000})), decisions=())
    await target(akto, "").send("w", frames(*(big for _ in range(5))))
    assert len(akto.shown) == 5


@pytest.mark.parametrize(
    ("message", "wanted"),
    [
        (Message((), '{"a": 1}'), {"a": 1}),
        (Message((), "[1]"), {"body": [1]}),
        (Message((), "plain"), {"text": "plain"}),
        (Message((), '{"cut": "tex', truncated=True), {"text": '{"cut": "tex', "truncated": True}),
        (Message((), "v1.abc.def", "sealed", 99), {"note": "the body is not kept in the clear", "size": 99}),
        (Message((), "", "none", 5), {"note": "the body is not kept in the clear", "size": 5}),
    ],
)
def test_every_body_becomes_whole_json(message: Message, wanted: dict[str, Any]) -> None:
    assert json.loads(payload(message, None)) == wanted


def test_a_huge_body_is_cut_and_still_whole_json() -> None:
    made = payload(Message((), '"' * (MAX_STRING + 5)), None)
    assert len(made) <= MAX_STRING
    assert json.loads(made)["truncated"] is True


def test_an_allowed_exchange_is_no_event_and_strange_names_make_a_host() -> None:
    assert to_event(trace(decisions=(), verdict=Action.ALLOW)) is None
    item = to_item(trace(caller=Caller(agent="Ünïcode / Agent"), status=0))
    assert json.loads(item["requestHeaders"])["host"].isascii()
    assert item["statusCode"] == "499"
