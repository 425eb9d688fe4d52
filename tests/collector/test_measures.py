"""What a proxy that runs apart is told."""

from __future__ import annotations

import httpx

from akto_proxy.store.control import Block
from akto_proxy.store.control_sql import SqlControlStore
from akto_proxy.watch.respond import Override, order

NOW = 1_780_531_200.0


async def test_measures_are_told_when_they_change(client: httpx.AsyncClient, control: SqlControlStore) -> None:
    empty = await client.get("/v1/measures")
    assert empty.json() == {"blocks": [], "overrides": [], "limits": []}
    same = await client.get("/v1/measures", headers={"if-none-match": empty.headers["etag"]})
    assert (same.status_code, same.content) == (304, b"")
    control.block(Block("1", "user", "eve", NOW + 60, "because", "root", NOW))
    control.block(Block("2", "user", "old", NOW - 60, "because", "root", NOW))
    order(control, Override("3", "soft", "enforce", NOW + 60, "because"), "root", NOW)
    told = await client.get("/v1/measures", headers={"if-none-match": empty.headers["etag"]})
    assert told.json() == {
        "blocks": [["user", "eve", NOW + 60]],
        "overrides": [{"policy": "soft", "do": "enforce", "until": NOW + 60}],
        "limits": [],
    }
    assert b"because" not in told.content
