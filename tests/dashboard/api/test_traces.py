"""Traces by the API: numbers agree with the store, views are one's own."""

from __future__ import annotations

from typing import Any

from akto_proxy.store.face import By, Filter


def test_numbers_agree_with_the_store(filled: Any, sign_in: Any, clock: Any) -> None:
    client = sign_in("viewer")
    timeline = client.get("/api/v1/timeline?since=7d").json()["items"]
    assert sum(bucket["traces"] for bucket in timeline) == filled.count()
    top = client.get("/api/v1/top/severity?since=7d").json()["items"]
    assert {row["name"]: row["traces"] for row in top} == {c.name: c.traces for c in filled.top(By.SEVERITY)}
    assert client.get("/api/v1/top/shoe").status_code == 422
    session = filled.sessions(Filter(), limit=1).items[0]
    thread = client.get("/api/v1/sessions/thread", params={"id": session.id}).json()["items"]
    assert len(thread) == session.traces


def test_what_arrives_is_told_once(filled: Any, store: Any, sample: Any, clock: Any, sign_in: Any) -> None:
    client = sign_in("viewer")
    cursor = client.get("/api/v1/traces/live").json()["cursor"]
    fresh = list(sample.traffic(3, until=clock(), span=10, seed=9))
    store.insert_many(fresh)
    told = client.get("/api/v1/traces/live", params={"cursor": cursor}).json()
    assert {item["id"] for item in told["items"]} == {trace.id for trace in fresh}
    assert client.get("/api/v1/traces/live", params={"cursor": told["cursor"]}).json()["items"] == []


def test_views_are_kept_by_their_owner(sign_in: Any) -> None:
    ada, eve = sign_in("viewer", "ada"), sign_in("viewer", "eve")
    made = ada.post("/api/v1/views", json={"name": "mine", "query": "verdict=block&x=y"})
    assert made.status_code == 201
    assert made.json()["query"] == "verdict=block"
    assert eve.get("/api/v1/views").json()["items"] == []
    eve.delete(f"/api/v1/views/{made.json()['id']}")
    assert len(ada.get("/api/v1/views").json()["items"]) == 1
    ada.delete(f"/api/v1/views/{made.json()['id']}")
    assert ada.get("/api/v1/views").json()["items"] == []
