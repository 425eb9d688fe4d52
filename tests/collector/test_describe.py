"""The published document is true: each answer of each route is one that it names, with the body it names."""

import gzip
import json
import os
from pathlib import Path
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from akto_proxy.collector.app import CollectorLimits, create_app
from akto_proxy.collector.describe import document
from akto_proxy.model import Trace
from akto_proxy.store.control_sql import SqlControlStore
from akto_proxy.store.sqlite import SqliteStore

FILE = Path(__file__).parents[2] / "docs" / "schema" / "collector.openapi.json"
DOCUMENT = document()
REGISTRY = Registry().with_resource("urn:doc", Resource.from_contents(DOCUMENT, default_specification=DRAFT202012))


def test_the_file_is_the_document() -> None:
    """Write it with AKTO_WRITE_DOCS=1."""
    text = json.dumps(DOCUMENT, indent=1) + "\n"
    if os.environ.get("AKTO_WRITE_DOCS"):
        FILE.write_text(text)
    assert FILE.read_text() == text


def check(path: str, answer: httpx.Response) -> None:
    """Raises when an answer is not as the document says."""
    route = DOCUMENT["paths"][path][answer.request.method.lower()]
    assert str(answer.status_code) in route["responses"], (path, answer.status_code, answer.text)
    content = route["responses"][str(answer.status_code)].get("content", {})
    kind = answer.headers.get("content-type", "").partition(";")[0]
    if not content:
        assert not answer.content
        return
    assert kind in content, (path, kind)
    if kind == "application/json":
        schema = json.loads(json.dumps(content[kind]["schema"]).replace('"#/', '"urn:doc#/'))
        Draft202012Validator(schema, registry=REGISTRY).validate(answer.json())


WORDS = dict.fromkeys(("endpoint", "method", "path", "route", "engine", "outcome"), "x")
BATCH = {"traces": [{**WORDS, "id": "1" * 32, "started": 5, "status": 200}]}
RECORD = {"requestPayload": '{"a":"hi"}', "responsePayload": '{"b":"jo@corp.example"}'}
BAD = [b"", b"not json", b"[]", b"5", b'"x"', b'{"batchData": 5}', b"{}"]
GOOD: dict[str, Any] = {
    "/v1/traces": BATCH,
    "/v1/proxies": {"name": "p", "lag": 3},
    "/api/ingestData": {"batchData": [RECORD, {}]},
    "/api/http-proxy": RECORD,
    "/api/validate/request": RECORD,
    "/api/validate/response": RECORD,
}


@pytest.mark.parametrize("path", sorted(GOOD))
async def test_what_is_sent_well_and_badly_is_answered_as_described(client: httpx.AsyncClient, path: str) -> None:
    good = json.dumps(GOOD[path]).encode()
    kind = {"content-type": "application/json"}
    for query in ("", "?guardrails=true&ingest_data=true", "?guardrails=1&response_guardrails=1"):
        answer = await client.post(path + query, content=good, headers=kind)
        assert answer.status_code == 200
        check(path, answer)
    for body in (*BAD, good.replace(b"hi", b"ATTACK"), good.replace(b"hi", b"CRASH"), b"x" * 300_000):
        for query in ("", "?guardrails=true"):
            check(path, await client.post(path + query, content=body, headers=kind))
    check(path, await client.post(path, content=b"x", headers={**kind, "content-encoding": "br"}))
    check(path, await client.post(path, content=gzip.compress(b"x")[:-4], headers={**kind, "content-encoding": "gzip"}))
    check(path, await client.post(path, content=good, headers={"content-type": "image/png"}))


async def test_tokens_and_looks_are_answered_as_described(
    client: httpx.AsyncClient, control: SqlControlStore, store: SqliteStore
) -> None:
    _, guard = control.add_token("g", "guard", by="test", at=1.0)
    store.insert_many([Trace("1" * 32, 5.0, "e", "POST", "/p", "r", "v", 200, "ok")])
    for path, route in DOCUMENT["paths"].items():
        for method in route:
            asked = path.replace("{trace_id}", "1" * 32)
            for token in ("wrong", "", guard):
                check(path, await client.request(method, asked, headers={"authorization": token}, content=b"{}"))
            check(path, await client.request(method, asked, content=b"{}"))
    check("/v1/traces/{trace_id}", await client.get("/v1/traces/none"))
    check("/v1/policy", await client.get("/v1/policy"))
    control.add_version("policies: []\n", author="t", at=1.0)
    answer = await client.get("/v1/policy")
    check("/v1/policy", answer)
    check("/v1/policy", await client.get("/v1/policy", headers={"if-none-match": answer.headers.get("etag", "")}))


async def test_a_share_and_a_missing_guard_are_answered_as_described(
    store: SqliteStore, control: SqlControlStore
) -> None:
    _, secret = control.add_token("t", "ingest", by="test", at=1.0)
    app = create_app(
        store, control, now=lambda: 5.0, random=os.urandom, limits=CollectorLimits(token_records=1, token_bytes=1)
    )
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://c", headers={"authorization": secret}
    ) as client:
        seen = set()
        for path, good in GOOD.items():
            for _ in range(3):
                answer = await client.post(path + "?guardrails=true", json=good)
                check(path, answer)
                seen.add(answer.status_code)
    assert {429, 503} & seen
