from __future__ import annotations

import gzip
import os
import sqlite3
from pathlib import Path

import httpx
import orjson
import pytest
import zstandard

from akto_proxy.collector.app import OWNED, CollectorLimits, create_app
from akto_proxy.collector.intake import LINES_TYPE, SPOOL_TYPE
from akto_proxy.model import Trace
from akto_proxy.spool.frame import GENESIS, Kind, encode
from akto_proxy.store.control_sql import SqlControlStore
from akto_proxy.store.sqlite import SqliteStore

LINES = {"content-type": LINES_TYPE}


def record(number: int) -> bytes:
    return orjson.dumps(
        Trace(f"{number:032x}", 1000.0 + number, "e", "POST", "/v1/chat/completions", "openai-chat", "vllm", 200, "ok")
    )


def frames(count: int) -> bytes:
    chain, out = GENESIS, []
    for number in range(count):
        data, chain = encode(Kind.TRACE, number, chain, record(number))
        out.append(data)
    return b"".join(out)


async def test_every_form_and_encoding_is_taken(client: httpx.AsyncClient, store: SqliteStore) -> None:
    lines = b"\n".join(record(number) for number in range(5))
    bodies = [
        (lines, LINES),
        (gzip.compress(lines), {**LINES, "content-encoding": "gzip"}),
        (zstandard.compress(lines), {**LINES, "content-encoding": "zstd"}),
        (b'{"traces":[' + record(7) + b"," + record(8) + b"]}", {"content-type": "application/json"}),
        (frames(10), {"content-type": SPOOL_TYPE, "x-spool-writer": "w"}),
    ]
    for body, headers in bodies:
        answer = await client.post("/v1/traces", content=body, headers=headers)
        assert answer.status_code == 200, answer.text
        assert answer.json()["rejected"] == []
    assert store.count() == 10
    assert [link.number for link, _, _ in store.links("w")] == list(range(10))


async def test_a_bad_record_is_named_and_the_others_are_kept(client: httpx.AsyncClient, store: SqliteStore) -> None:
    lines = [record(1), b"not json", b'{"id": 5}', b"[]", record(2), record(3).replace(b'"ok"', b"7")]
    answer = await client.post("/v1/traces", content=b"\n".join(lines), headers=LINES)
    assert [item["number"] for item in answer.json()["rejected"]] == [1, 2, 3, 5]
    assert store.count() == 2


async def test_damage_on_the_way_is_named(client: httpx.AsyncClient, store: SqliteStore) -> None:
    data = bytearray(frames(3))
    data[len(data) // 2] ^= 1
    headers = {"content-type": SPOOL_TYPE, "x-spool-writer": "w"}
    answer = await client.post("/v1/traces", content=bytes(data), headers=headers)
    assert [item["number"] for item in answer.json()["rejected"]] == [1]
    assert store.count() == 2


@pytest.mark.parametrize("path", [path for path in OWNED if not path.startswith(("/health", "/v1/openapi"))])
async def test_no_route_answers_without_a_good_token(
    client: httpx.AsyncClient, control: SqlControlStore, path: str
) -> None:
    _, viewer = control.add_token("v", "viewer", by="x", at=1.0)
    revoked, secret = control.add_token("r", "ingest", by="x", at=1.0)
    control.revoke_token(revoked.id)
    for method in ("GET", "POST"):
        for value in ("", "wrong", "Bearer", "Bearer wrong", secret, "x" * 10_000):
            answer = await client.request(method, path, headers={"authorization": value}, content=b"{}")
            assert answer.status_code in (401, 405), (method, path, value)
            assert value == "" or value not in answer.text or value in ("Bearer", "wrong")
        answer = await client.request(method, path, headers={"authorization": viewer}, content=b"{}")
        assert answer.status_code in (403, 405)


async def test_tokens_come_bare_as_bearer_and_as_api_key(client: httpx.AsyncClient, control: SqlControlStore) -> None:
    _, secret = control.add_token("t", "guard", by="x", at=1.0)
    for headers in ({"authorization": secret}, {"authorization": f"bearer {secret}"}, {"x-api-key": secret}):
        answer = await client.get("/api/auth-check", headers={"authorization": "", **headers})
        assert answer.json() == {"success": True}
    answer = await client.post("/v1/traces", headers={"authorization": secret}, content=b"")
    assert answer.status_code == 403, "a guard token may not add traces"


async def test_bodies_are_bounded_on_the_wire_and_unpacked(client: httpx.AsyncClient) -> None:
    for body, headers, status in (
        (b"x" * 200_001, LINES, 413),
        (gzip.compress(bytes(10**7)), {**LINES, "content-encoding": "gzip"}, 413),
        (zstandard.compress(bytes(10**8)), {**LINES, "content-encoding": "zstd"}, 413),
        (b"not gzip", {**LINES, "content-encoding": "gzip"}, 400),
        (b"not zstd", {**LINES, "content-encoding": "zstd"}, 400),
        (b"x", {**LINES, "content-encoding": "br"}, 415),
        (b"x", {"content-type": "text/plain"}, 415),
        (b"x", {"content-type": SPOOL_TYPE}, 400),
        (b"{", {"content-type": "application/json"}, 400),
    ):
        answer = await client.post("/v1/traces", content=body, headers=headers)
        assert answer.status_code == status, (status, headers)


async def test_a_token_has_its_share(store: SqliteStore, control: SqlControlStore) -> None:
    now = [1000.0]
    _, secret = control.add_token("t", "ingest", by="x", at=1.0)
    app = create_app(
        store, control, now=lambda: now[0], random=os.urandom, local_token="ours",
        limits=CollectorLimits(token_records=10),
    )  # fmt: skip
    lines = b"\n".join(record(number) for number in range(90))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://c") as client:

        async def send(token: str) -> httpx.Response:
            return await client.post("/v1/traces", content=lines, headers={**LINES, "authorization": token})

        assert [(await send(secret)).status_code for _ in range(3)] == [200, 200, 429]
        assert int((await send(secret)).headers["retry-after"]) >= 8
        now[0] += 9
        assert (await send(secret)).status_code == 200
        assert (await send("ours")).status_code == 200


async def test_a_store_that_cannot_write_is_said_and_nothing_is_acknowledged(
    client: httpx.AsyncClient, store: SqliteStore, tmp_path: Path
) -> None:
    blocker = sqlite3.connect(tmp_path / "traces.db", isolation_level=None)
    blocker.execute("DROP TABLE hourly")
    answer = await client.post("/v1/traces", content=record(1), headers=LINES)
    assert answer.status_code == 503
    assert answer.headers["retry-after"]
    blocker.close()


async def test_the_policy_is_pulled_with_an_etag(client: httpx.AsyncClient, control: SqlControlStore) -> None:
    assert (await client.get("/v1/policy")).status_code == 204
    control.add_version("a: 1\n", author="x", at=1.0)
    first = await client.get("/v1/policy")
    assert first.text == "a: 1\n"
    again = await client.get("/v1/policy", headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    control.add_version("a: 2\n", author="x", at=2.0)
    changed = await client.get("/v1/policy", headers={"if-none-match": first.headers["etag"]})
    assert changed.text == "a: 2\n"
    assert changed.headers["x-policy-version"] == "2"


async def test_a_trace_can_be_looked_for_but_not_read(client: httpx.AsyncClient) -> None:
    await client.post("/v1/traces", content=record(1), headers=LINES)
    found = await client.get(f"/v1/traces/{1:032x}")
    assert set(found.json()) == {"id", "started", "outcome", "verdict"}
    assert (await client.get("/v1/traces/nope")).status_code == 404


async def test_a_proxy_says_how_it_is(client: httpx.AsyncClient, control: SqlControlStore) -> None:
    answer = await client.post("/v1/proxies", json={"name": "p", "lag": 3, "version": "1", "state": "ok"})
    assert answer.status_code == 200
    assert (control.proxies()[0].name, control.proxies()[0].lag) == ("p", 3)
    for bad in ({}, [], {"name": ""}, {"name": "p", "lag": "many"}, {"name": "p", "lag": 2**64}):
        assert (await client.post("/v1/proxies", json=bad)).status_code == 400


async def test_health_needs_no_token_and_the_api_is_described(client: httpx.AsyncClient) -> None:
    answer = await client.get("/health", headers={"authorization": ""})
    assert answer.json()["status"] == "ok"
    described = (await client.get("/v1/openapi.json", headers={"authorization": ""})).json()
    assert set(described["paths"]) == {*OWNED, "/v1/traces/{trace_id}"}
