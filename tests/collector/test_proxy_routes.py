from __future__ import annotations

import gzip

import httpx
import zstandard
from tests.collector.test_app import LINES, record

from akto_proxy.collector.intake import SPOOL_TYPE
from akto_proxy.spool.frame import GENESIS, Kind, encode
from akto_proxy.store.control_sql import SqlControlStore
from akto_proxy.store.sqlite import SqliteStore


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
