"""What Akto's connectors really send, and what they need to hear."""

from __future__ import annotations

import json
import os
from typing import Any

import httpx
import pytest

from akto_proxy.collector.app import create_app
from akto_proxy.model import Action, Mode
from akto_proxy.store.control_sql import SqlControlStore
from akto_proxy.store.face import Filter
from akto_proxy.store.sqlite import SqliteStore


def chat(text: str) -> str:
    return json.dumps({"model": "m", "messages": [{"role": "user", "content": text}]})


def flat(payload: Any, response: Any = None, **more: Any) -> dict[str, Any]:
    return {
        "path": "/v1/chat/completions",
        "method": "POST",
        "requestHeaders": json.dumps({"host": "my-agent", "Authorization": "Bearer hf_secret", "X-Custom": "1"}),
        "requestPayload": payload,
        "responsePayload": response,
        "ip": "10.0.0.9",
        "time": "1780531200",
        "statusCode": "200",
        "source": "MIRRORING",
        **more,
    }


async def proxy(client: httpx.AsyncClient, item: Any, method: str = "POST", **flags: str) -> dict[str, Any]:
    params = {"guardrails": "true", "akto_connector": "litellm", **flags}
    answer = await client.request(method, "/api/http-proxy", params=params, json=item)
    assert answer.status_code == 200, answer.text
    return dict(answer.json()["data"]["guardrailsResult"])


@pytest.mark.parametrize("method", ["POST", "GET"])
@pytest.mark.parametrize(
    ("text", "allowed", "behaviour"),
    [("hello", True, "allow"), ("odd", True, "alert"), ("jo@corp.example", True, "mask"), ("ATTACK", False, "block")],
)
async def test_allowed_is_false_only_where_the_caller_must_block(
    client: httpx.AsyncClient, method: str, text: str, allowed: bool, behaviour: str
) -> None:
    found = await proxy(client, flat(chat(text)), method)
    assert (found["Allowed"], found["behaviour"]) == (allowed, behaviour)
    assert found["Modified"] == (behaviour == "mask")
    if behaviour != "allow":
        assert found["Metadata"]["policy_name"] == "default"
        assert found["Reason"].startswith("Policy default: rule ")


@pytest.mark.parametrize("form", ["bare", "text", "object"])
async def test_a_masked_payload_comes_back_in_the_wrapping_it_came_in(client: httpx.AsyncClient, form: str) -> None:
    body = chat("write to jo@corp.example")
    sent = {"bare": body, "text": json.dumps({"body": body}), "object": json.dumps({"body": json.loads(body)})}[form]
    found = await proxy(client, flat(sent))
    masked = json.loads(found["ModifiedPayload"])
    inner = masked if form == "bare" else masked["body"]
    inner = json.loads(inner) if isinstance(inner, str) else inner
    assert inner["messages"][0]["content"] == "write to [EMAIL]"
    assert inner["model"] == "m", "nothing else is lost"


async def test_both_sides_are_merged(client: httpx.AsyncClient) -> None:
    item = flat(chat("hello"), json.dumps({"choices": [{"message": {"content": "ATTACK"}}]}))
    found = await proxy(client, item, response_guardrails="true")
    assert found["Allowed"] is False
    assert found["behaviour"] == "block"
    assert found["requestResult"]["Allowed"] is True
    assert found["responseResult"]["Allowed"] is False


async def test_what_cannot_be_checked_is_never_allowed(client: httpx.AsyncClient) -> None:
    for item, flags, status in (
        (flat(""), {}, 422),
        (flat(None), {}, 422),
        ([], {}, 422),
        (flat("{}"), {"file_guardrails": "true"}, 422),
        (flat(chat("CRASH")), {}, 500),
    ):
        answer = await client.post("/api/http-proxy", params={"guardrails": "true", **flags}, json=item)
        assert answer.status_code == status
        assert answer.json()["success"] is False
        assert "CRASH" not in answer.text


async def test_without_a_guard_there_is_no_verdict(store: SqliteStore, control: SqlControlStore) -> None:
    app = create_app(store, control, now=lambda: 1.0, random=os.urandom, local_token="t")
    headers = {"authorization": "t"}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://c", headers=headers) as client:
        answer = await client.post("/api/http-proxy?guardrails=true", json=flat(chat("x")))
        assert answer.status_code == 503
        assert (await client.post("/api/validate/request", json={"payload": "x"})).status_code == 503
        kept = await client.post("/api/ingestData", json={"batchData": [flat(chat("my secret"))]})
        assert kept.status_code == 200
    (record,) = store.export()
    assert b"my secret" not in record, "what no guard has seen is not kept"


async def test_a_call_is_kept_masked_without_credentials(client: httpx.AsyncClient, store: SqliteStore) -> None:
    usage = {"prompt_tokens": 9, "completion_tokens": 3}
    item = flat(chat("I am jo@corp.example"), json.dumps({"choices": [], "usage": usage}), tag='{"gen-ai":"Gen AI"}')
    await proxy(client, item, ingest_data="true", response_guardrails="true")
    (found,) = store.search().items
    trace = store.get(found.id)
    assert trace is not None
    assert (trace.endpoint, trace.model, trace.verdict, trace.outcome) == ("my-agent", "m", Action.REDACT, "redacted")
    assert (trace.usage.prompt, trace.usage.completion) == (9, 3)
    assert "[EMAIL]" in trace.request.body
    (record,) = store.export()
    assert b"jo@corp.example" not in record
    assert b"hf_secret" not in record
    assert ("x-custom", "1") in trace.request.headers


async def test_observed_records_are_kept_as_what_would_have_been(client: httpx.AsyncClient, store: SqliteStore) -> None:
    answer = await client.post("/api/ingestData", json={"batchData": [flat(chat("ATTACK")), flat(chat("fine"))]})
    assert answer.json()["success"] is True
    (event,) = store.events().items
    assert (event.decision.action, event.decision.would) == (Action.ALERT, Action.BLOCK)
    assert event.decision.mode is Mode.MONITOR
    assert store.count() == 2


async def test_a_foreign_guards_verdict_is_kept(client: httpx.AsyncClient, store: SqliteStore) -> None:
    guardrail = {"guardrailViolated": True, "guardrailAction": "block", "guardrailRule": "PII_EMAIL",
                 "guardrailPolicy": "pii", "guardrailSeverity": "HIGH"}  # fmt: skip
    item = flat(chat("x"), _guardrail=json.dumps(guardrail))
    await client.post("/api/ingestData", json={"batchData": [item]})
    assert store.count(Filter(rule="PII_EMAIL", policy="pii", verdicts=(Action.BLOCK,))) == 1


async def test_a_named_message_sent_again_is_kept_once(client: httpx.AsyncClient, store: SqliteStore) -> None:
    headers = json.dumps({"host": "a", "x-akto-installer-akto_message_id": "m1"})
    request, both = flat(chat("x"), requestHeaders=headers), flat(chat("x"), "{}", requestHeaders=headers)
    for item in (request, both, request, both):
        await client.post("/api/ingestData", json={"batchData": [item]})
    assert store.count() == 2


async def test_fields_of_every_kind_are_tolerated(client: httpx.AsyncClient, store: SqliteStore) -> None:
    items: list[dict[str, Any]] = [
        {},
        {"requestPayload": {"model": 5}, "time": 1780531200123, "statusCode": 200, "requestHeaders": {"Host": "h"}},
        {"requestPayload": "not json", "time": "soon", "statusCode": "abc", "requestHeaders": "no", "tag": 7},
        {"requestPayload": ["a"], "time": None, "path": None, "method": None, "ip": None, "responsePayload": 3},
        {"requestPayload": "x", "time": -5, "statusCode": 1e400, "requestHeaders": '{"host": null}', "_guardrail": "["},
    ]
    text = json.dumps({"batchData": items}).replace("Infinity", "1e400")
    answer = await client.post("/api/ingestData", content=text)
    assert answer.status_code in (200, 422)
    items[-1]["statusCode"] = "1e400"
    answer = await client.post("/api/ingestData", json={"batchData": items})
    assert answer.status_code == 200, answer.text
    assert store.search(Filter(endpoint="h")).items[0].started == 1780531200.123


async def test_bad_batches_are_unprocessable(client: httpx.AsyncClient) -> None:
    for body in (b"", b"{}", b"[]", b'{"batchData": 5}', b'{"batchData": [1]}', b"{"):
        answer = await client.post("/api/ingestData", content=body)
        assert answer.status_code == 422
        assert answer.json()["success"] is False


async def test_validate_routes(client: httpx.AsyncClient) -> None:
    found = (await client.post("/api/validate/request", json={"payload": "ATTACK"})).json()
    assert (found["Allowed"], found["behaviour"]) == (False, "block")
    found = (await client.post("/api/validate/response", json={"responsePayload": "jo@corp.example"})).json()
    assert found["ModifiedPayload"] == "[EMAIL]"
    found = (await client.post("/api/validate/request", json={})).json()
    assert found["Allowed"] is True
    assert "No request body" in found["Reason"]
