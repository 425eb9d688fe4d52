"""Decisions by the API: each with its mark, moved in bulk, excepted after a preview."""

from __future__ import annotations

from typing import Any


def test_a_mark_comes_with_its_decision(filled: Any, sign_in: Any) -> None:
    client = sign_in("analyst")
    items = client.get("/api/v1/decisions?direction=response").json()["items"]
    assert {item["decision"]["direction"] for item in items} == {"response"}
    body = {"events": [items[0]["id"]], "state": "review"}
    assert client.post("/api/v1/decisions/mark", json=body).json() == {"moved": 1}
    again = client.get("/api/v1/decisions?direction=response").json()["items"]
    assert again[0]["mark"]["state"] == "review"
    assert again[0]["mark"]["by"] == "analyst-1"
    assert again[1]["mark"] is None
    for bad in ({"events": [], "state": "review"}, {"events": ["x"], "state": "review"}, {**body, "state": "gone"}):
        assert client.post("/api/v1/decisions/mark", json=bad).status_code == 422


def test_an_exception_is_previewed_and_needs_an_editor(filled: Any, sign_in: Any, control: Any) -> None:
    event = filled.events(limit=1).items[0]
    body = {"event": event.id, "field": "user"}
    shown = sign_in("analyst").post("/api/v1/decisions/exception/preview", json=body).json()
    assert shown["value"] == event.trace.user
    assert shown["theirs"] <= shown["every"]
    assert sign_in("analyst").post("/api/v1/decisions/exception", json=body).status_code == 403
    assert control.active() is None
