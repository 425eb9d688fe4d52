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
from akto_proxy.store.control_sql import SqlControlStore
from akto_proxy.store.sqlite import SqliteStore

LINES = {"content-type": LINES_TYPE}


def record(number: int) -> bytes:
    return orjson.dumps(
        Trace(f"{number:032x}", 1000.0 + number, "e", "POST", "/v1/chat/completions", "openai-chat", "vllm", 200, "ok")
    )


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


async def test_health_needs_no_token_and_the_api_is_described(client: httpx.AsyncClient) -> None:
    answer = await client.get("/health", headers={"authorization": ""})
    assert answer.json()["status"] == "ok"
    described = (await client.get("/v1/openapi.json", headers={"authorization": ""})).json()
    assert set(described["paths"]) == {*OWNED, "/v1/traces/{trace_id}"}
